"""Run the converter of each raw format and give its images, water references apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.errors import DataError
from snakemrs.ingest.raw import RawFile
from snakemrs.io import nifti_mrs
from snakemrs.study.settings.ingest import IngestSettings

Images = dict[str, nifti_mrs.NiftiMrs]

#: Key of the image of a file that holds one kind of signal: spectrum or water reference, as scans.tsv says.
SINGLE = "single"


def run_converter(raw: RawFile, folder: Path, settings: IngestSettings, participant: str | None) -> Images:
    """Convert a recognised raw file with the converter of its format.

    Returns
    -------
    dict
        ``svs`` and ``mrsref`` where the file holds both; else `SINGLE`.
    """
    if raw.format == "nifti-mrs":
        image = nifti_mrs.read(raw.path, plausible=False)
        return {SINGLE: ordered(image)}
    if raw.format == "sdat":
        return _philips(raw, folder, settings, participant)
    return _generic(raw, folder, settings, participant)


def _philips(raw: RawFile, folder: Path, settings: IngestSettings, participant: str | None) -> Images:
    from snakemrs.ingest.formats.philips import mended_spar

    sdat, spar = raw.files
    (folder / "raw.SPAR").write_text(mended_spar(spar, raw.details["entries"]), encoding="ascii")
    (folder / "raw.SDAT").symlink_to(sdat.resolve())
    made = spec2nii(raw, folder, settings, participant, format="philips", in_files=["raw.SDAT", "raw.SPAR"])
    return {SINGLE: made["converted"]}


def _generic(raw: RawFile, folder: Path, settings: IngestSettings, participant: str | None) -> Images:
    """Convert every other format; names in `folder` say nothing of the raw file."""
    inputs: dict[str, Any]
    if raw.format in ("twix-vb", "twix-vd"):
        inputs = {"format": "twix", "evalinfo": "image", "quiet": True, **_twix_options(raw)}
        names = ["raw.dat"]
    elif raw.format == "data-list":
        inputs = {"format": "philips_dl"}
        names = ["raw.data", "raw.list", "raw.SPAR"]
    elif raw.format in ("dicom-mrs", "uih"):
        return _dicom(raw, folder, settings, participant)
    elif raw.format in ("rda", "ge"):
        inputs, names = {"format": raw.format}, [{"rda": "raw.rda", "ge": "raw.7"}[raw.format]]
    elif raw.format == "bruker":
        return _bruker(raw, folder, settings, participant)
    else:
        raise DataError("this format cannot be converted", file=raw.path, participant=participant, found=raw.format)
    for name, source in zip(names, raw.files, strict=False):
        if name == "raw.SPAR":
            from snakemrs.ingest.formats.philips import mended_spar

            (folder / name).write_text(mended_spar(source, raw.details["entries"]), encoding="ascii")
        else:
            (folder / name).symlink_to(source.resolve())
    made = spec2nii(raw, folder, settings, participant, in_files=names, **inputs)
    return _sorted(raw, made, participant)


def _twix_options(raw: RawFile) -> dict[str, Any]:
    from snakemrs.ingest.formats.twix import dimension_options

    options = dimension_options(raw)
    if raw.format == "twix-vd" and raw.details["measurements"] > 1:
        options["measurement"] = str(raw.details["measurements"])
    return options


def _dicom(raw: RawFile, folder: Path, settings: IngestSettings, participant: str | None) -> Images:
    series = folder / "series"
    series.mkdir()
    maker = raw.details["manufacturer"]
    kind = {"Philips": "philips_dcm", "UIH": "uih"}.get(maker, "dicom")
    if maker == "Philips" and raw.details.get("frames", 1) > 1:
        return _philips_frames(raw, folder, settings, participant)
    for number, path in enumerate(raw.files):
        (series / f"{number:05d}.dcm").symlink_to(path.resolve())
    options = {"tag": "DIM_DYN"} if len(raw.files) > 1 else {}
    made = spec2nii(raw, folder, settings, participant, format=kind, in_files=["series"], **options)
    frames = raw.details.get("frames", 1)
    if kind == "dicom" and frames > 1:
        made = {name: _cut(image, frames, raw, participant) for name, image in made.items()}
    return _sorted(raw, made, participant)


def _cut(image: nifti_mrs.NiftiMrs, frames: int, raw: RawFile, participant: str | None) -> nifti_mrs.NiftiMrs:
    """Cut the frames of a Siemens enhanced DICOM apart, which spec2nii takes for one long signal.

    Raises
    ------
    DataError
        If there is more than one such file, or they do not come out even.
    """
    if image.data.ndim > 4 or image.points != frames * (raw.points or 0):
        raise DataError(
            "the frames of this enhanced DICOM cannot be told apart", file=raw.path, participant=participant,
            found=f"samples of shape {image.data.shape}", expected=f"{frames} frames of {raw.points} points",
            remedy="convert it with spec2nii by hand and list the NIfTI-MRS files",
        )  # fmt: skip
    return image.with_signal(image.data.reshape(frames, -1), "DIM_DYN")


def _philips_frames(raw: RawFile, folder: Path, settings: IngestSettings, participant: str | None) -> Images:
    """Convert an enhanced DICOM with several frames and tell water from metabolites by the frames themselves.

    spec2nii takes all frames but the first for metabolites when the header says that a reference is included, and
    fails on 16 and 16. The header's claim is taken out of a copy, so that all frames come through, and the signal
    decides.
    """
    from snakemrs.ingest.formats import dicom
    from snakemrs.ingest.signal import is_suppressed, water_ratio

    # spec2nii reads these and dies on files that were made anonymous; none of them goes into the result.
    neutral = {"PatientName": "none", "PatientBirthDate": "", "PatientSex": "O", "PatientPosition": "HFS"}
    neutral |= {"PatientID": "none", "ProtocolName": "none", "WaterReferencedPhaseCorrection": "NO"}
    try:
        source = dicom.read(raw.files[0])
        for key, value in neutral.items():
            setattr(source, key, value)
        for key in (
            "PatientWeight",
            "DeviceSerialNumber",
            "InstitutionName",
            "InstitutionAddress",
            "PulseSequenceName",
        ):
            if key not in source:
                setattr(source, key, "0")
        source.save_as(folder / "raw.dcm")
    except Exception as error:  # pydicom raises whatever a damaged element makes it raise
        raise DataError(
            "the DICOM file is damaged", file=raw.path, participant=participant, found=type(error).__name__,
            remedy="copy the file from the scanner again",
        ) from None  # fmt: skip
    made = spec2nii(raw, folder, settings, participant, format="philips_dcm", in_files=["raw.dcm"], tag="DIM_DYN")
    whole = made["converted"]
    signals = whole.as_dims("DIM_DYN")
    watery = np.array(
        [is_suppressed(water_ratio(s, whole.bandwidth, whole.spectrometer_frequency)) is False for s in signals]
    )
    if watery.all() or not watery.any():
        return {SINGLE: whole}
    return {
        "svs": whole.with_signal(signals[~watery], "DIM_DYN"),
        "mrsref": whole.with_signal(signals[watery], "DIM_DYN"),
    }


def _bruker(raw: RawFile, folder: Path, settings: IngestSettings, participant: str | None) -> Images:
    mode = "2DSEQ" if raw.path.name == "2dseq" else "RAWDATA" if raw.path.name.startswith("rawdata") else "FID"
    inputs = {"format": "bruker", "mode": mode, "in_files": [str(raw.path.resolve())]}
    return _sorted(raw, spec2nii(raw, folder, settings, participant, **inputs), participant)


#: Endings that spec2nii gives to water references, best for quantification first.
_WATER = ("_quant", "_ref_no_ovs", "_ref", "_wref", "_STD_1", "_ref_ecc", "_ecc", "_ref_short_te", "_hyper_water_ref")
_MAIN = ("", "_STD_0", "_short_te", "_edited", "_000")


def _sorted(raw: RawFile, made: dict[str, nifti_mrs.NiftiMrs], participant: str | None) -> Images:
    """Tell water references from spectra by the endings that spec2nii gives, and bring the dimensions in order."""
    endings = {name.removeprefix("converted"): image for name, image in made.items()}
    endings = {ending: image for ending, image in endings.items() if ending != "_NOI"}
    main = next((endings[e] for e in _MAIN if e in endings), None)
    water = next((endings[e] for e in _WATER if e in endings and endings[e].data.size), None)
    if main is None and len(endings) == 1:
        main = next(iter(endings.values()))
    if main is None:
        raise DataError(
            "the raw file holds several spectra", file=raw.path, participant=participant,
            found=", ".join(sorted(endings)) or "none that is known", expected="one spectrum, and water references",
            remedy="convert it with spec2nii by hand and list the NIfTI-MRS files",
        )  # fmt: skip
    if water is None or not water.data.size:
        return {SINGLE: ordered(main)}
    return {"svs": ordered(main), "mrsref": ordered(water)}


def ordered(image: nifti_mrs.NiftiMrs) -> nifti_mrs.NiftiMrs:
    """Bring the dimensions to coils, transients, edits: loops of the scanner that only repeat become one DIM_DYN."""
    tags = list(image.dim_tags)
    if image.data.shape[:3] != (1, 1, 1) or len(tags) != image.data.ndim - 4 or not tags:
        return image
    signal = image.data[0, 0, 0]
    coils = [n for n, tag in enumerate(tags) if tag == "DIM_COIL"]
    edits = [n for n, tag in enumerate(tags) if tag in ("DIM_EDIT", "DIM_MEAS", "DIM_ISIS", "DIM_PHASE_CYCLE")]
    repeats = [n for n in range(len(tags)) if n not in coils + edits]
    # The loop that spec2nii names first is the inner one.
    order = [1 + n for n in coils + repeats[::-1] + edits]
    signal = np.transpose(signal, [*order, 0])
    sizes = [signal.shape[n] for n in range(len(order))]
    first, last = len(coils), len(coils) + len(repeats)
    shape = [*sizes[:first], int(np.prod(sizes[first:last])), *sizes[last:], signal.shape[-1]]
    names = [*(tags[n] for n in coils), "DIM_DYN", *(tags[n] for n in edits)]
    return image.with_signal(signal.reshape(shape), *names)


def spec2nii(
    raw: RawFile, folder: Path, settings: IngestSettings, participant: str | None, **inputs: Any
) -> dict[str, nifti_mrs.NiftiMrs]:
    """Run spec2nii on files in `folder`; give what it made, by name.

    Raises
    ------
    DataError
        If it fails, runs too long, asks for too much memory or makes nothing.
    """
    from snakemrs.interfaces.spec2nii import Spec2nii

    out = folder / "converted"
    out.mkdir()
    megabytes = sum(path.stat().st_size for path in raw.files) // 2**20
    memory = max(settings.converter_memory, 12 * megabytes)
    step = Spec2nii(settings.converter_seconds, memory, out_dir="converted", **inputs)

    def refuse(found: str) -> DataError:
        return DataError(
            "spec2nii cannot convert the raw file",
            file=raw.path,
            participant=participant,
            found=found,
            remedy="copy the file from the scanner again; if it is whole, its format may be newer than spec2nii",
        )

    try:
        step.run(cwd=str(folder))
    except Exception:
        raise refuse(_last_words(folder)) from None
    made = sorted(out.glob("*.nii.gz"))
    if not made:
        raise refuse(_last_words(folder))
    return {path.name.removesuffix(".nii.gz"): nifti_mrs.read(path, plausible=False) for path in made}


def _last_words(folder: Path) -> str:
    """Give the last line of what the converter said, without paths or quoted text (which may name people)."""
    lines: list[str] = []
    for name in sorted(folder.glob("*stderr*")):
        lines += [
            line.strip() for line in name.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
        ]
    if not lines:
        return "it was stopped: longer or larger than the limits of time and memory allow"
    spoken = [
        line for line in lines if re.match(r"[\w.]*(?:Error|Exception|Interrupt|[a-z]Uid|[Tt]ag)\w*(?::|$)", line)
    ]
    if not spoken:
        return "it ended without saying why"
    return re.sub(r"'[^']*'|\"[^\"]*\"|/\S+", "…", spoken[-1])[:200]
