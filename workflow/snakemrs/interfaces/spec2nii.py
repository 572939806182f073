"""spec2nii (Clarke et al., Magn Reson Med 2022; BSD-3) as a nipype interface: raw spectra to NIfTI-MRS."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ET", "1")

from nipype.interfaces.base import (
    CommandLine,
    CommandLineInputSpec,
    InputMultiPath,
    OutputMultiPath,
    TraitedSpec,
    traits,
)

FORMATS = ("philips", "philips_dl", "philips_dcm", "twix", "rda", "dicom", "ge", "uih", "bruker")
NO_DICOM = ("philips", "twix", "rda", "ge")
"""Formats that spec2nii reads without pydicom."""


def console_script(name: str) -> str:
    """Path of a console script: beside the running Python first, then anywhere on PATH.

    Raises
    ------
    FileNotFoundError
        If there is none.
    """
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"the program {name} is not installed")
    return found


class Spec2niiInputSpec(CommandLineInputSpec):
    """What spec2nii takes."""

    format = traits.Enum(*FORMATS, argstr="%s", position=0, mandatory=True, desc="spec2nii subcommand")
    in_files = InputMultiPath(
        traits.Str(), argstr="%s", position=-1, mandatory=True, desc="raw files in the order of the subcommand"
    )
    out_name = traits.Str("converted", argstr="-f %s", usedefault=True, position=1, desc="base name of the output")
    out_dir = traits.Str(argstr="-o %s", position=2, mandatory=True, desc="folder of the output")
    evalinfo = traits.Str(argstr="-e %s", position=3, desc="twix: which kind of scan lines")
    dim5 = traits.Str(argstr="-d5 %s", position=4, desc="twix: loop counter of dimension 5")
    tag5 = traits.Str(argstr="-t5 %s", position=5, desc="twix: tag of dimension 5")
    dim6 = traits.Str(argstr="-d6 %s", position=6, desc="twix: loop counter of dimension 6")
    tag6 = traits.Str(argstr="-t6 %s", position=7, desc="twix: tag of dimension 6")
    mode = traits.Str(argstr="-m %s", position=8, desc="bruker: FID or 2DSEQ")
    quiet = traits.Bool(argstr="-q", position=9, desc="twix: no text")
    measurement = traits.Str(argstr="-m %s", position=10, desc="twix: which measurement of the file")
    tag = traits.Str(argstr="-t %s", position=11, desc="DICOM: tag of dimension 5")


class Spec2niiOutputSpec(TraitedSpec):
    """What spec2nii gives."""

    out_files = OutputMultiPath(traits.Str(), desc="NIfTI-MRS files, sorted by name")


class Spec2nii(CommandLine):
    """Convert raw spectra to NIfTI-MRS.

    Examples
    --------
    >>> Spec2nii(format="rda", in_files=["a.rda"], out_dir="out").cmdline.split("without_dicom")[-1]
    ' rda -f converted -o out a.rda'
    """

    input_spec = Spec2niiInputSpec
    output_spec = Spec2niiOutputSpec
    _cmd = "spec2nii"
    _terminal_output = "file_split"

    def __init__(self, seconds: int = 300, memory: int = 2048, **inputs: Any) -> None:
        program = console_script("spec2nii")
        if inputs.get("format") in NO_DICOM:
            program = f"{sys.executable} -m snakemrs.interfaces.spec2nii_without_dicom"
        super().__init__(command=program, **inputs)
        self._cmd_prefix = f"{sys.executable} -m snakemrs.interfaces.limited {seconds} {memory} "

    def _list_outputs(self) -> dict[str, Any]:
        outputs = self.output_spec().get()
        outputs["out_files"] = sorted(str(path) for path in Path(self.inputs.out_dir).glob("*.nii.gz"))
        return outputs
