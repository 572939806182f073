"""Segmentation programs outside Python: FSL FAST and FreeSurfer's SynthSeg, through nipype.

They are used only where they are installed; where they are not, the error says so.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from snakemrs.errors import RequestError

os.environ.setdefault("NO_ET", "1")

REMEDY = {
    "fast": "install FSL (its licence is for non-commercial use) and put it on the PATH, or choose the backend atropos",
    "mri_synthseg": "install FreeSurfer 7.3 or later and put it on the PATH, or choose the backend atropos",
}


def require(program: str) -> None:
    """Refuse with a remedy where a program is not on the PATH."""
    if shutil.which(program) is None:
        raise RequestError(f"the program {program} is not on this machine", expected=program, remedy=REMEDY[program])


def run_fast(brain: Path, folder: Path) -> dict[str, Path]:
    """Run FSL FAST on a skull-stripped T1w; give the partial-volume maps ``CSF GM WM``."""
    require("fast")
    from nipype.interfaces import fsl

    interface = fsl.FAST(
        in_files=[str(brain)],
        number_classes=3,
        img_type=1,
        out_basename=str(folder / "fast"),
        output_type="NIFTI_GZ",
    )
    interface.run(cwd=str(folder))
    return {name: folder / f"fast_pve_{k}.nii.gz" for k, name in enumerate(("CSF", "GM", "WM"))}


def run_synthseg(t1w: Path, folder: Path, threads: int) -> Path:
    """Run SynthSeg (Billot et al., Med Image Anal 2023;86:102789) on a T1w; give the label image, 1 mm."""
    require("mri_synthseg")
    from nipype.interfaces.base import CommandLine

    labels = folder / "synthseg.nii.gz"
    arguments = f"--i {t1w} --o {labels} --robust --cpu --threads {threads}"
    CommandLine(command="mri_synthseg", args=arguments).run(cwd=str(folder))
    return labels
