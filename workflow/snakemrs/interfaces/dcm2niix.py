"""dcm2niix (Li et al., J Neurosci Methods 2016; BSD) by nipype's own interface, for anatomical DICOM series."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ET", "1")

from nipype.interfaces.dcm2nii import Dcm2niix

from snakemrs.interfaces.spec2nii import console_script


def convert_series(
    files: list[Path], out_dir: Path, *, seconds: int = 300, memory: int = 2048
) -> list[tuple[Path, dict[str, Any]]]:
    """Convert one DICOM series to NIfTI.

    Parameters
    ----------
    files : list of Path
        The files of the series.
    out_dir : Path
        Existing folder for the output; the names hold nothing of the header.
    seconds, memory : int
        Limits of time (s) and memory (MiB).

    Returns
    -------
    list of (Path, dict)
        Images, and what dcm2niix read from the header. More than one where the series holds several volumes.

    Raises
    ------
    RuntimeError
        If dcm2niix fails.
    """
    import json

    source = out_dir / "series"
    source.mkdir()
    for number, path in enumerate(sorted(files)):
        (source / f"{number:05d}.dcm").symlink_to(path.resolve())
    step = Dcm2niix(
        source_dir=str(source),
        output_dir=str(out_dir),
        out_filename="image_%s",
        compress="y",
        bids_format=True,
        anon_bids=True,
        crop=False,
        ignore_deriv=False,
        single_file=False,
    )
    step._cmd = console_script("dcm2niix")
    step._cmd_prefix = f"{sys.executable} -m snakemrs.interfaces.limited {seconds} {memory} "
    step.terminal_output = "file_split"
    step.run(cwd=str(out_dir))
    found = []
    for image in sorted(out_dir.glob("image_*.nii.gz")):
        sidecar = image.with_suffix("").with_suffix(".json")
        found.append((image, json.loads(sidecar.read_text(encoding="utf-8")) if sidecar.exists() else {}))
    return found
