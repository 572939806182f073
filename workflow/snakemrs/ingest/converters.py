"""Run the converter of each raw format and give its images, water references apart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

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
        image = nifti_mrs.read(raw.path)
        return {SINGLE: image}
    if raw.format == "sdat":
        return _philips(raw, folder, settings, participant)
    return _generic(raw, folder, settings, participant)


def _philips(raw: RawFile, folder: Path, settings: IngestSettings, participant: str | None) -> Images:
    from snakemrs.ingest.formats.philips import mended_spar

    sdat, spar = raw.files
    (folder / "raw.SPAR").write_text(mended_spar(spar, raw.details["entries"]), encoding="ascii")
    (folder / "raw.SDAT").symlink_to(sdat.resolve())
    made = spec2nii(raw, folder, settings, participant, format="philips", in_files=["raw.SDAT", "raw.SPAR"])
    image = made[0]
    return {SINGLE: image}


def _generic(raw: RawFile, folder: Path, settings: IngestSettings, participant: str | None) -> Images:
    raise DataError("this format cannot be converted", file=raw.path, participant=participant, found=raw.format)


def spec2nii(
    raw: RawFile, folder: Path, settings: IngestSettings, participant: str | None, **inputs: Any
) -> list[nifti_mrs.NiftiMrs]:
    """Run spec2nii on files in `folder`; give what it made, in the order of names.

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
    return [nifti_mrs.read(path) for path in made]


def _last_words(folder: Path) -> str:
    """Give the last line of what the converter said, without paths or quoted text (which may name people)."""
    lines: list[str] = []
    for name in sorted(folder.glob("*stderr*")):
        lines += [
            line.strip() for line in name.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()
        ]
    if not lines:
        return "it was stopped: longer or larger than the limits of time and memory allow"
    kind = re.match(
        r"[\w.]*(?:Error|Exception|Warning|Interrupt)\b",
        lines[-1].split(".")[-1] if ":" not in lines[-1] else lines[-1],
    )
    text = re.sub(r"'[^']*'|\"[^\"]*\"|/\S+", "…", lines[-1])
    return text[:200] if kind else f"it ended without a word: {text[:120]}"
