"""Convert one raw file to BIDS: NIfTI-MRS or T1w image with its sidecar, whole or not at all."""

from __future__ import annotations

import re
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.errors import DataError, RequestError
from snakemrs.ingest import sidecar as bids
from snakemrs.ingest.raw import RawFile
from snakemrs.ingest.recognise import recognise
from snakemrs.ingest.signal import spike, trouble
from snakemrs.ingest.timing import ECHO, REPETITION, first_plausible, mend
from snakemrs.io import nifti_mrs
from snakemrs.io.atomic import replacing, write_json
from snakemrs.study.settings.ingest import IngestSettings

SUFFIXES = ("svs", "mrsref", "T1w")


@dataclass(frozen=True)
class Product:
    """What will be written to one place.

    Attributes
    ----------
    out : Path
        The image.
    sidecar : dict
        Its BIDS sidecar.
    spectrum : NiftiMrs or None
        The spectrum, else
    picture : bytes or None
        the bytes of the structural image.
    said : str
        One line for the user.
    """

    out: Path
    sidecar: dict[str, Any]
    said: str
    spectrum: nifti_mrs.NiftiMrs | None = field(default=None, repr=False)
    picture: bytes | None = field(default=None, repr=False)


def suffix_of(out: Path) -> str:
    """Give the BIDS suffix of an output name.

    Raises
    ------
    RequestError
        If it is none that ingest makes.
    """
    match = re.fullmatch(r".*_([A-Za-z0-9]+)\.nii\.gz", out.name)
    if match is None or match.group(1) not in SUFFIXES:
        raise RequestError(
            "ingest cannot make this output", file=out, expected="a name that ends in _svs, _mrsref or _T1w .nii.gz"
        )
    return match.group(1)


def entity(out: Path, name: str) -> str | None:
    """Give an entity such as ``voi`` of a BIDS name."""
    match = re.search(rf"(?:^|_){name}-([A-Za-z0-9]+)", out.name)
    return match.group(1) if match else None


def convert_all(
    pairs: list[tuple[Path, Path]],
    settings: IngestSettings,
    participant: str | None = None,
    *,
    reference: bool = True,
) -> list[str]:
    """Convert every pair of raw file and output; write nothing unless all could be converted.

    Parameters
    ----------
    pairs : list of (Path, Path)
        Raw file and output.
    settings : IngestSettings
    participant : str, optional
        For messages.
    reference : bool
        Write water references inside raw files beside, too.

    Returns
    -------
    list of str
        A line an output.

    Raises
    ------
    DataError
        If a raw file cannot be used.
    """
    products: list[Product] = []
    taken: set[Path] = set()
    for raw_path, out in pairs:
        for product in convert(raw_path, out, settings, participant):
            # A water reference inside the metabolite file does not replace one that was asked for by name.
            beside = product.out != out
            if product.out in taken or (beside and (not reference or any(product.out == other for _, other in pairs))):
                continue
            taken.add(product.out)
            products.append(product)
    write_products(products)
    return [product.said for product in products]


def write_products(products: list[Product]) -> None:
    """Write images and sidecars; where one fails, none stays."""
    written: list[Path] = []
    try:
        for product in products:
            json_path = product.out.with_suffix("").with_suffix(".json")
            written += [json_path, product.out]
            write_json(json_path, product.sidecar)
            if product.spectrum is not None:
                nifti_mrs.write(product.spectrum, product.out)
            else:
                with replacing(product.out) as temporary:
                    temporary.write_bytes(product.picture or b"")
    except BaseException:
        for path in written:
            with suppress(OSError):
                path.unlink()
        raise


def convert(raw_path: Path, out: Path, settings: IngestSettings, participant: str | None = None) -> list[Product]:
    """Convert one raw file in memory.

    Parameters
    ----------
    raw_path : Path
        The raw file, or the folder of a DICOM series.
    out : Path
        Where the image will go; its suffix says what is wanted.
    settings : IngestSettings
    participant : str, optional
        For messages.

    Returns
    -------
    list of Product
        The product for `out` first, and the water reference beside it where the raw file holds one.
    """
    suffix = suffix_of(out)
    participant = participant or entity(out, "sub")
    try:
        return _convert(raw_path, out, suffix, settings, participant)
    except DataError as error:
        if error.participant is None and participant:
            error.participant = f"sub-{participant.removeprefix('sub-')}"
        raise
    except MemoryError:
        raise DataError("there is not enough memory for this file", file=raw_path, participant=participant) from None


def _convert(
    raw_path: Path, out: Path, suffix: str, settings: IngestSettings, participant: str | None
) -> list[Product]:
    raw = recognise(raw_path)
    if raw.format == "unknown":
        raise DataError(
            "this is no raw file that is known", file=raw_path, participant=participant, found=raw.why,
            expected="an MRS or MR file of Siemens, Philips, GE, UIH or Bruker, NIfTI or NIfTI-MRS",
        )  # fmt: skip
    if raw.problem:
        raise DataError("the raw file cannot be used", file=raw_path, participant=participant, found=raw.problem)
    if suffix == "T1w":
        from snakemrs.ingest.images import structural

        return [structural(raw, out, settings, participant)]
    if raw.kind not in ("svs", "mrsref"):
        raise DataError(
            "this is no single-voxel spectrum", file=raw_path, participant=participant, found=raw.why,
            remedy="check the suffix of this file in scans.tsv",
        )  # fmt: skip
    _check_header(raw, settings, participant)
    return _spectra(raw, out, suffix, settings, participant)


def _spectra(raw: RawFile, out: Path, suffix: str, settings: IngestSettings, participant: str | None) -> list[Product]:
    from snakemrs.ingest.converters import SINGLE, run_converter

    with tempfile.TemporaryDirectory(prefix="snakemrs-ingest-") as folder:
        images = run_converter(raw, Path(folder), settings, participant)
    wanted = images.get(SINGLE) or images.get(suffix)
    if wanted is None:
        raise DataError(
            f"the raw file holds no {suffix}", file=raw.path, participant=participant, found=", ".join(sorted(images)),
            remedy="check the suffix of this file in scans.tsv",
        )  # fmt: skip
    products = [_product(wanted, raw, out, suffix, settings, participant)]
    if suffix == "svs" and "mrsref" in images:
        beside = out.with_name(out.name.replace("_svs.nii.gz", "_mrsref.nii.gz"))
        products.append(_product(images["mrsref"], raw, beside, "mrsref", settings, participant))
    return products


def _product(
    image: nifti_mrs.NiftiMrs, raw: RawFile, out: Path, suffix: str, settings: IngestSettings, participant: str | None
) -> Product:
    from snakemrs.ingest.signal import is_suppressed, water_ratio

    _check_image(image, raw, settings, participant)
    timing = mend(
        first_plausible(image.echo_time, raw.echo_time, ECHO),
        first_plausible(image.repetition_time, raw.repetition_time, REPETITION),
        raw.inversion_time,
        settings,
        file=raw.path,
        participant=participant,
    )
    lengths = dict(zip(image.dim_tags, image.data.shape[4:], strict=False))
    rows = int(np.prod([n for tag, n in lengths.items() if tag != "DIM_COIL"])) if lengths else 1
    transients = raw_transients(raw, rows)
    missing = _left_out(raw, rows, suffix)
    if missing:
        timing = replace(
            timing, notes=(*timing.notes, f"{missing} signals of zeros were left out: times after are early")
        )
    if raw.format == "bruker":
        place = "position and axes of the voxel are as spec2nii reads them, which it calls mostly untested"
        timing = replace(timing, notes=(*timing.notes, place))
    suppressed = is_suppressed(
        water_ratio(np.moveaxis(image.data, 3, -1), image.bandwidth, image.spectrometer_frequency)
    )
    times = transient_times(raw, rows) or bids.acquisition_times(image.header)
    header = bids.header_extension(image, raw, timing, transients, suppressed, times)
    clean = nifti_mrs.NiftiMrs(image.data, image.affine, image.dwell_time, header, out)
    nifti_mrs.check(replace(clean, path=raw.path))
    content = bids.bids_sidecar(clean, raw, settings, entity(out, "voi"), timing.notes)
    bids.check(content, clean, raw.path, participant)
    notes = list(timing.notes)
    if suffix == "svs" and suppressed is False:
        notes.append("water is not suppressed in this spectrum")
    if suffix == "mrsref" and suppressed is True:
        notes.append("water is suppressed in this reference: check that it is one")
    when = f"TE {timing.echo_time * 1e3:g} ms"
    when += f", TR {timing.repetition_time:g} s" if timing.repetition_time else ", TR unknown"
    when += f", TI {timing.inversion_time * 1e3:g} ms" if timing.inversion_time else ""
    said = f"{out.name}: {raw.vendor or ''} {raw.sequence or 'sequence unknown'}, {when}, {transients} transients"
    return Product(out, content, " ".join([said, *(f"[{note}]" for note in notes)]), spectrum=clean)


def _left_out(raw: RawFile, rows: int, suffix: str) -> int:
    """Count the transients that spec2nii left out because they hold nothing but zeros."""
    if suffix != raw.kind or raw.format == "nifti-mrs" or raw.transients is None:
        return 0
    inside = raw.format.startswith("twix") and raw.details.get("water_inside")
    return 0 if inside else max(0, raw.transients - rows)


def transient_times(raw: RawFile, rows: int) -> list[float] | None:
    """Give the time of each transient (s after the first) by the scanner's clock; None where it kept none."""
    seconds = raw.details.get("seconds")
    if seconds is None or rows < 2 or len(seconds) != rows or not np.any(np.diff(seconds)):
        return None
    return [round(float(s), 4) for s in seconds]


def raw_transients(raw: RawFile, rows: int) -> int:
    """Give how many transients the image stands for.

    The averages of a header count within a stored signal, unless they count the stored signals themselves.
    """
    averages = int(raw.averages or 1)
    return rows if rows > 1 and averages in (0, 1, rows) else rows * max(averages, 1)


def _check_header(raw: RawFile, settings: IngestSettings, participant: str | None) -> None:
    """Refuse what no scanner measures before a converter sees it."""

    def refuse(message: str, **more: Any) -> DataError:
        return DataError(message, file=raw.path, participant=participant, **more)

    nucleus = raw.nucleus or settings.nucleus
    if nucleus != settings.nucleus:
        raise refuse("another nucleus", found=nucleus, expected=f"{settings.nucleus} (setting `nucleus`)")
    ratio = bids.GYROMAGNETIC.get(nucleus)
    if ratio and raw.frequency is not None and not 0.2 <= raw.frequency / ratio <= 25:
        raise refuse(
            "the spectrometer frequency is impossible",
            found=f"{raw.frequency:g} MHz",
            expected="the frequency of the nucleus between 0.2 and 25 T",
        )
    if raw.bandwidth is not None and not 200 <= raw.bandwidth <= 1e6:
        raise refuse("the spectral width is impossible", found=f"{raw.bandwidth:g} Hz", expected="200 Hz to 1 MHz")
    if any(not 1 <= side <= 500 for side in raw.voxel_size) or any(not abs(c) <= 1000 for c in raw.centre):
        if all(side == 0 for side in raw.voxel_size) or all(side >= 9999 for side in raw.voxel_size):
            return  # not localised
        raise refuse(
            "the voxel's geometry is impossible",
            found=f"{' × '.join(f'{s:.3g}' for s in raw.voxel_size)} mm at {[round(c, 1) for c in raw.centre]} mm",
            expected="sides of 1 to 500 mm within a metre of the isocentre",
        )


def _check_image(image: nifti_mrs.NiftiMrs, raw: RawFile, settings: IngestSettings, participant: str | None) -> None:
    """Refuse what no scanner measures."""

    def refuse(message: str, **more: Any) -> DataError:
        return DataError(message, file=raw.path, participant=participant, **more)

    wrong = trouble(image.data)
    if wrong is None and (height := spike(np.moveaxis(image.data, 3, -1))) is not None:
        wrong = f"one sample stands {height:.3g} times above all others"
    if wrong is not None:
        raise refuse("the samples are damaged", found=wrong, remedy="copy the raw file from the scanner again")
    if image.nucleus != settings.nucleus:
        raise refuse("another nucleus", found=image.nucleus, expected=f"{settings.nucleus} (setting `nucleus`)")
    ratio = bids.GYROMAGNETIC.get(image.nucleus)
    if ratio and not 0.2 <= image.spectrometer_frequency / ratio <= 25:
        raise refuse(
            "the spectrometer frequency is impossible", found=f"{image.spectrometer_frequency:g} MHz",
            expected="the frequency of the nucleus between 0.2 and 25 T",
        )  # fmt: skip
    if not 200 <= image.bandwidth <= 1e6:
        raise refuse("the spectral width is impossible", found=f"{image.bandwidth:g} Hz", expected="200 Hz to 1 MHz")
    if not 64 <= image.points <= 2**18:
        raise refuse("the number of points is impossible", found=image.points, expected="64 to 262144")
    sizes = np.linalg.norm(image.affine[:3, :3], axis=0)
    if not np.all(np.isfinite(image.affine)) or np.any(sizes <= 0):
        raise refuse("the position of the voxel is no number")
    localised = not np.allclose(sizes, 10000)
    if localised and (np.any(sizes < 1) or np.any(sizes > 500) or np.any(np.abs(image.affine[:3, 3]) > 1000)):
        raise refuse(
            "the voxel's geometry is impossible",
            found=f"{' × '.join(f'{s:.3g}' for s in sizes)} mm at {np.round(image.affine[:3, 3], 1).tolist()} mm",
            expected="sides of 1 to 500 mm within a metre of the isocentre",
        )
