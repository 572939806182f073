"""FSL-MRS (Clarke et al., Magn Reson Med 2021;85:2950) as a nipype interface to its command ``fsl_mrs``.

FSL-MRS is free for non-commercial use only. SnakeMRS neither contains nor needs it; this calls a copy of one's own.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ET", "1")

from nipype.interfaces.base import (
    CommandLine,
    CommandLineInputSpec,
    Directory,
    File,
    InputMultiPath,
    OutputMultiPath,
    TraitedSpec,
    traits,
)


class FslMrsInputSpec(CommandLineInputSpec):
    """What ``fsl_mrs`` takes; the option's name stands in brackets where it differs."""

    data = File(exists=True, mandatory=True, argstr="--data %s", position=0, desc="spectrum, NIfTI-MRS")
    basis = traits.Str(
        mandatory=True, argstr="--basis %s", position=1, desc="basis: a folder of JSON, or a .BASIS file"
    )
    out_dir = traits.Str(
        "fsl_mrs", usedefault=True, argstr="--output %s", position=2, desc="folder of results (output)"
    )
    water = File(exists=True, argstr="--h2o %s", desc="water reference, NIfTI-MRS (h2o)")
    tissue = File(
        exists=True, argstr="--tissue_frac %s", xor=["fractions"], desc="JSON of tissue fractions (tissue_frac)"
    )
    fractions = traits.Tuple(
        traits.Float,
        traits.Float,
        traits.Float,
        argstr="--tissue_frac %g %g %g",
        xor=["tissue"],
        desc="fractions of white matter, grey matter, CSF (tissue_frac)",
    )
    echo_time = traits.Float(argstr="--TE %g", desc="echo time, ms (TE)")
    repetition_time = traits.Float(argstr="--TR %g", desc="repetition time, s (TR)")
    ppm_limits = traits.Tuple(traits.Float, traits.Float, argstr="--ppmlim %g %g", desc="low and high end (ppmlim)")
    algorithm = traits.Enum("Newton", "MH", argstr="--algo %s", desc="optimiser or Metropolis–Hastings (algo)")
    baseline_order = traits.Int(argstr="--baseline_order %d", desc="order of the polynomial; -1 for none")
    metabolite_groups = traits.List(
        traits.Str, argstr="--metab_groups %s", desc="groups with line shapes of their own (metab_groups)"
    )
    ignore = traits.List(traits.Str, argstr="--ignore %s", desc="metabolites left out")
    keep = traits.List(traits.Str, argstr="--keep %s", desc="the only metabolites taken")
    combine = InputMultiPath(
        traits.List(traits.Str), argstr="--combine %s...", desc="sums, such as [['Glu', 'Gln']]; each is one --combine"
    )
    add_macromolecules = traits.Bool(argstr="--add_MM", desc="add simulated macromolecules (add_MM)")
    lorentzian = traits.Bool(argstr="--lorentzian", desc="Lorentzian lines in place of Voigt")
    report = traits.Bool(argstr="--report", desc="write the interactive report")
    overwrite = traits.Bool(argstr="--overwrite", desc="replace an existing folder of results")


class FslMrsOutputSpec(TraitedSpec):
    """What ``fsl_mrs`` leaves."""

    out_dir = Directory(exists=True, desc="folder of results")
    tables = OutputMultiPath(File(exists=True), desc="CSV tables: concentrations, parameters, quality; sorted by name")
    figures = OutputMultiPath(File(exists=True), desc="PNG summaries, sorted by name")
    report = File(desc="the interactive report, where it was asked for")


class FslMrs(CommandLine):
    """Fit a spectrum with FSL-MRS.

    Examples
    --------
    ::

        fit = FslMrs(data="svs.nii.gz", basis="basis", water="mrsref.nii.gz", combine=[["Glu", "Gln"]], report=True)
        tables = fit.run().outputs.tables
    """

    input_spec = FslMrsInputSpec
    output_spec = FslMrsOutputSpec
    _cmd = "fsl_mrs"

    def _format_arg(self, name: str, trait_spec: Any, value: Any) -> str:
        if name == "combine":
            return " ".join(f"--combine {' '.join(names)}" for names in value)
        return str(super()._format_arg(name, trait_spec, value))

    def _list_outputs(self) -> dict[str, Any]:
        folder = Path(self.inputs.out_dir).resolve()
        outputs = self.output_spec().get()
        outputs["out_dir"] = str(folder)
        outputs["tables"] = sorted(map(str, folder.glob("*.csv")))
        outputs["figures"] = sorted(map(str, folder.glob("*.png")))
        if (folder / "report.html").exists():
            outputs["report"] = str(folder / "report.html")
        return outputs
