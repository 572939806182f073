"""Segmentation programs outside Python: FSL FAST and FreeSurfer's SynthSeg, through nipype.

They are used only where they are installed; where they are not, the error says so.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from snakemrs.errors import DataError, RequestError

os.environ.setdefault("NO_ET", "1")

REMEDY = {
    "fast": "install FSL (its licence is for non-commercial use) and put it on the PATH, or choose the backend atropos",
    "mri_synthseg": "install FreeSurfer 7.3 or later and put it on the PATH, or choose the backend atropos",
}


def require(program: str) -> None:
    """Refuse with a remedy where a program is not on the PATH."""
    if shutil.which(program) is None:
        raise RequestError(f"the program {program} is not on this machine", expected=program, remedy=REMEDY[program])


def _run(interface: Any, program: str, image: Path, folder: Path, made: list[Path]) -> None:
    """Run a program in `folder`; where it fails, or leaves a file of `made` out, the error has its last lines."""
    interface.terminal_output = "file_split"
    try:
        interface.run(cwd=str(folder))
    except (OSError, RuntimeError) as error:
        problem = str(error).strip().splitlines()[-1]
    else:
        if all(path.exists() for path in made):
            return
        problem = "it ended without its results"
    said = [f.read_text(errors="replace").strip() for f in sorted(folder.glob("std*.nipype"))]
    last = " / ".join(line for text in said for line in text.splitlines()[-3:])
    raise DataError(
        f"the program {program} failed",
        file=image.name,
        found=last or problem,
        expected=", ".join(path.name for path in made),
        remedy=f"try {program} by hand on this image, or choose the backend atropos",
    )


def run_fast(brain: Path, folder: Path) -> dict[str, Path]:
    """Run FSL FAST on a skull-stripped T1w; give the partial-volume maps ``CSF GM WM``."""
    require("fast")
    from nipype.interfaces import fsl

    maps = {name: folder / f"fast_pve_{k}.nii.gz" for k, name in enumerate(("CSF", "GM", "WM"))}
    interface = fsl.FAST(
        in_files=[str(brain)],
        number_classes=3,
        img_type=1,
        out_basename=str(folder / "fast"),
        output_type="NIFTI_GZ",
    )
    _run(interface, "fast", brain, folder, list(maps.values()))
    return maps


def run_synthseg(t1w: Path, folder: Path, threads: int) -> Path:
    """Run SynthSeg (Billot et al., Med Image Anal 2023;86:102789) on a T1w; give the label image, 1 mm."""
    require("mri_synthseg")
    from nipype.interfaces.base import CommandLine

    labels = folder / "synthseg.nii.gz"
    arguments = f"--i {t1w} --o {labels} --robust --cpu --threads {threads}"
    _run(CommandLine(command="mri_synthseg", args=arguments), "mri_synthseg", t1w, folder, [labels])
    return labels
