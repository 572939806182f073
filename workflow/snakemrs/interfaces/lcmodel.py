"""LCModel (Provencher, Magn Reson Med 1993;30:672; BSD-3) as a nipype interface, and readers of what it writes.

LCModel reads its control file from the standard input: a Fortran namelist ``$LCMODL``. The files named there are the
outputs. Source: Provencher, LCModel & LCMgui User's Manual, sections 5 and 7.
"""

from __future__ import annotations

import csv
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("NO_ET", "1")

import numpy as np
from nipype.interfaces.base import (
    CommandLine,
    CommandLineInputSpec,
    File,
    TraitedSpec,
    isdefined,
    traits,
)

from snakemrs.errors import DataError
from snakemrs.io.nifti_mrs import NiftiMrs

OUTPUTS = {"table": ("ltable", 7), "ps": ("lps", 8), "coord": ("lcoord", 9), "csv": ("lcsv", 11)}
"""Extension of an output, the parameter that asks for it, and the value that does."""


@dataclass(frozen=True)
class Amplitude:
    """A row of LCModel's concentration table.

    Attributes
    ----------
    concentration : float
        In mM with water scaling, else in units of the basis.
    sd_percent : float
        Cramér–Rao bound, percent of the concentration; 999 where LCModel gives none.
    ratio : float
        To the reference, total creatine unless `namrel` says otherwise.
    """

    concentration: float
    sd_percent: float
    ratio: float


@dataclass(frozen=True)
class Coordinates:
    """Curves of a .coord file.

    Attributes
    ----------
    ppm, data, fit, background : ndarray, shape (NY,)
        Chemical shift, and the real parts of data, fit and baseline. `fit` holds the baseline.
    metabolites : dict of ndarray
        Each metabolite with the baseline, where LCModel wrote it.
    """

    ppm: np.ndarray
    data: np.ndarray
    fit: np.ndarray
    background: np.ndarray
    metabolites: dict[str, np.ndarray] = field(default_factory=dict)


def control_file(parameters: Mapping[str, Any]) -> str:
    """Write a control file: text in quotes, truth as T or F, numbers as they are, lists entry by entry.

    Examples
    --------
    >>> print(control_file({"filraw": "a.raw", "nunfil": 1024, "dows": True, "chomit": ["Lac", "Ala"]}), end="")
     $LCMODL
     filraw='a.raw'
     nunfil=1024
     dows=T
     nomit=2
     chomit(1)='Lac'
     chomit(2)='Ala'
     $END
    """
    counters = {"chomit": "nomit", "chuse1": "nuse1", "chkeep": "nkeep", "chcomb": "ncombi"}
    lines = [" $LCMODL"]
    for key, value in parameters.items():
        if isinstance(value, (list, tuple)):
            if key in counters and counters[key] not in parameters:
                lines.append(f" {counters[key]}={len(value)}")
            lines += [f" {key}({number})={_fortran(entry)}" for number, entry in enumerate(value, start=1)]
        else:
            lines.append(f" {key}={_fortran(value)}")
    return "\n".join([*lines, " $END", ""])


def _fortran(value: Any) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, (int, float)):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def read_control(text: str) -> dict[str, Any]:
    """Read the parameters of a control file; keys in lower case, without lists' numbers resolved."""
    body = re.split(r"\$END", re.split(r"\$LCMODL", text, flags=re.I)[-1], flags=re.I)[0]
    found: dict[str, Any] = {}
    for key, quoted, plain in re.findall(r"(\w+(?:\(\d+\))?)\s*=\s*(?:'((?:[^']|'')*)'|([^\s,']+))", body):
        found[key.lower()] = _value(plain) if plain else quoted.replace("''", "'")
    return found


def _value(word: str) -> Any:
    if word.upper().strip(".") in ("T", "TRUE", "F", "FALSE"):
        return word.upper().strip(".")[0] == "T"
    number = float(re.sub("[dD]", "e", word))
    return int(number) if re.fullmatch(r"[-+]?\d+", word) else number


def write_raw(image: NiftiMrs, path: str | Path) -> None:
    """Write one spectrum as LCModel RAW, whose imaginary axis has the sign of NIfTI-MRS.

    Raises
    ------
    DataError
        If the image holds more than one spectrum: combine coils and average transients first.
    """
    signal = np.asarray(image.data, complex).squeeze()
    if signal.ndim != 1:
        raise DataError("LCModel takes one spectrum", file=image.path, found=f"shape {image.data.shape}")
    rows = "".join(f"{value.real:15.6E}{value.imag:15.6E}\n" for value in signal)
    Path(path).write_text(f" $NMID\n fmtdat='(2E15.6)'\n volume=1\n tramp=1\n $END\n{rows}", encoding="ascii")


_ROW = re.compile(r"\s*(\S+?)\s+(\d+)%\s+(\S+)\s+(\S.*?)\s*")


def read_table(path: str | Path) -> dict[str, Amplitude]:
    """Read the concentrations of a .table or .coord file.

    Returns
    -------
    dict of Amplitude
        By the names that LCModel prints, sums such as ``NAA+NAAG`` with them.

    Raises
    ------
    DataError
        If there is no table, or it is shorter than it says: LCModel was stopped.
    """
    lines = Path(path).read_text(encoding="latin-1").splitlines()
    for number, line in enumerate(lines):
        announced = re.search(r"(\d+) lines in following\s+(?:\$\$CONC|concentration) table", line)
        if announced:
            expected = int(announced.group(1)) - 1
            rows = [_ROW.fullmatch(text) for text in lines[number + 2 : number + 2 + expected]]
            found = {m.group(4): Amplitude(float(m.group(1)), float(m.group(2)), float(m.group(3))) for m in rows if m}
            if len(found) != expected:
                raise DataError(
                    "LCModel's table is incomplete", file=path, found=f"{len(found)} rows", expected=f"{expected} rows"
                )
            return found
    raise DataError("there is no concentration table", file=path, expected="a .table or .coord file of LCModel")


def read_csv(path: str | Path) -> dict[str, Amplitude]:
    """Read LCModel's .csv: one voxel, three columns a metabolite.

    Raises
    ------
    DataError
        If it holds no voxel or more than one.
    """
    with Path(path).open(encoding="latin-1", newline="") as stream:
        head, *rows = csv.reader(stream, skipinitialspace=True)
    if len(rows) != 1:
        raise DataError("not the table of one voxel", file=path, found=f"{len(rows)} rows", expected="1")
    names, values = head[2::3], [float(cell) for cell in rows[0][2:]]
    return {name: Amplitude(*values[3 * n : 3 * n + 3]) for n, name in enumerate(names)}


def read_coord(path: str | Path) -> Coordinates:
    """Read the curves of a .coord file.

    Raises
    ------
    DataError
        If a curve is missing or has another number of points than the axis.
    """
    text = Path(path).read_text(encoding="latin-1")
    axis = re.search(r"(\d+) points on ppm-axis = NY", text)
    if axis is None:
        raise DataError("this is no .coord file of LCModel", file=path, expected="a line '… points on ppm-axis = NY'")
    points = int(axis.group(1))

    def curve(start: int, name: str) -> np.ndarray:
        values = text[start:].split(maxsplit=points)[:points]
        try:
            return np.array(values, float).reshape(points)
        except ValueError:
            raise DataError(f"the curve '{name}' is incomplete", file=path, expected=f"{points} numbers") from None

    curves = {"ppm": curve(axis.end(), "ppm")}
    for name, heading in (
        ("data", "NY phased data points follow"),
        ("fit", "NY points of the fit to the data follow"),
        ("background", "NY background values follow"),
    ):
        start = text.find(heading)
        if start < 0:
            raise DataError(f"the curve '{name}' is missing", file=path, expected=f"a line '{heading}'")
        curves[name] = curve(start + len(heading), name)
    metabolites = {m.group(1): curve(m.end(), m.group(1)) for m in re.finditer(r"(?m)^ *(\S+) +Conc\. = +\S+ *$", text)}
    return Coordinates(**curves, metabolites=metabolites)


class LCModelInputSpec(CommandLineInputSpec):
    """What LCModel takes."""

    raw = File(exists=True, mandatory=True, desc="spectrum, LCModel RAW")
    basis = File(exists=True, mandatory=True, desc="basis set, LCModel .BASIS")
    water = File(exists=True, desc="water reference, LCModel RAW: eddy-current correction and water scaling")
    points = traits.Int(mandatory=True, desc="complex points of the time signal (nunfil)")
    dwell_time = traits.Float(mandatory=True, desc="dwell time, s (deltat)")
    frequency = traits.Float(mandatory=True, desc="spectrometer frequency, MHz (hzpppm)")
    echo_time = traits.Float(desc="echo time, ms (echot): for the attenuation of water")
    ppm_start = traits.Float(4.0, usedefault=True, desc="left end of the analysis, ppm (ppmst)")
    ppm_end = traits.Float(0.2, usedefault=True, desc="right end of the analysis, ppm (ppmend)")
    outputs = traits.List(
        traits.Enum(*OUTPUTS), value=["table", "coord", "csv"], usedefault=True, desc="which files to write"
    )
    extra = traits.Dict(desc="further parameters of the control file, by LCModel's names; they win over those above")
    out_base = traits.Str("lcmodel", usedefault=True, desc="outputs and control file without extension")


class LCModelOutputSpec(TraitedSpec):
    """What LCModel gives."""

    control = File(exists=True, desc="the control file that was used")
    table = File(exists=True, desc="concentrations, line width, signal-to-noise, diagnostics")
    coord = File(exists=True, desc="curves")
    csv = File(exists=True, desc="concentrations")
    ps = File(exists=True, desc="the plot")


class LCModel(CommandLine):
    """Fit a spectrum with LCModel.

    The program `lcmodel` must be on PATH (or ``command=`` names it). It is an external program: SnakeMRS's own
    workflow does not need it.

    Examples
    --------
    A spectrum and its water as NIfTI-MRS, to concentrations::

        write_raw(nifti_mrs.read("sub-01_svs.nii.gz"), "sub-01.raw")
        write_raw(nifti_mrs.read("sub-01_mrsref.nii.gz"), "sub-01.h2o")
        fit = LCModel(raw="sub-01.raw", water="sub-01.h2o", basis="3t.basis", points=2048, dwell_time=5e-4,
                      frequency=127.79, echo_time=30.0, extra={"chomit": ["Gly"]})
        glutamate = read_table(fit.run().outputs.table)["Glu"]
    """

    input_spec = LCModelInputSpec
    output_spec = LCModelOutputSpec
    _cmd = "lcmodel"

    @property
    def cmdline(self) -> str:
        """The command that will run."""
        return f"{super().cmdline} < {shlex.quote(str(self._control))}"

    @property
    def _control(self) -> Path:
        return Path(f"{self.inputs.out_base}.control")

    def parameters(self) -> dict[str, Any]:
        """Give the parameters of the control file."""
        inputs = self.inputs
        given: dict[str, Any] = {
            "title": Path(inputs.out_base).name,
            "filraw": str(Path(inputs.raw).resolve()),
            "filbas": str(Path(inputs.basis).resolve()),
            "nunfil": inputs.points,
            "deltat": inputs.dwell_time,
            "hzpppm": inputs.frequency,
            "ppmst": inputs.ppm_start,
            "ppmend": inputs.ppm_end,
        }
        if isdefined(inputs.water):
            given |= {"filh2o": str(Path(inputs.water).resolve()), "doecc": True, "dows": True}
        if isdefined(inputs.echo_time):
            given["echot"] = inputs.echo_time
        for extension in inputs.outputs:
            switch, value = OUTPUTS[extension]
            given |= {switch: value, f"fil{extension[:3]}": str(self._output(extension))}
        return given | (dict(inputs.extra) if isdefined(inputs.extra) else {})

    def _output(self, extension: str) -> Path:
        return Path(f"{self.inputs.out_base}.{extension}")

    def _run_interface(self, runtime: Any, correct_return_codes: tuple[int, ...] = (0,)) -> Any:
        (Path(runtime.cwd) / self._control).write_text(control_file(self.parameters()), encoding="latin-1")
        return super()._run_interface(runtime, correct_return_codes)

    def _list_outputs(self) -> dict[str, Any]:
        outputs = self.output_spec().get()
        outputs["control"] = str(self._control.resolve())
        for extension in self.inputs.outputs:
            outputs[extension] = str(self._output(extension).resolve())
        return outputs
