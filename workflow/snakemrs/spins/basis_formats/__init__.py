"""Basis sets from files of other programs, and into them.

`read_basis` recognises LCModel ``.BASIS``, Osprey ``.mat``, NIfTI-MRS, and folders of json (FSL-MRS), of text and of
jMRUI text. Whatever the file's conventions, what comes back has SnakeMRS's: the sign of NIfTI-MRS, reference at
4.65 ppm, one proton counts one (see `snakemrs.spins.basis`). What was found out and done stands in ``notes``.
"""

from __future__ import annotations

from pathlib import Path

from snakemrs.errors import RequestError
from snakemrs.spins.basis import Basis
from snakemrs.spins.basis_formats.folders import read_json_folder, read_text_folder, write_json_folder
from snakemrs.spins.basis_formats.lcmodel import read_lcmodel, write_lcmodel
from snakemrs.spins.basis_formats.other import read_nifti, read_osprey
from snakemrs.spins.basis_formats.raw import RawBasis
from snakemrs.spins.basis_formats.settle import settle

__all__ = ["read_basis", "write_json_folder", "write_lcmodel"]


def read_basis(
    path: str | Path, *, dwell_time: float | None = None, spectrometer_frequency: float | None = None
) -> Basis:
    """Read a basis set of any known format.

    Parameters
    ----------
    path : path
        ``.basis`` file (LCModel), ``.mat`` (Osprey), ``.nii``/``.nii.gz`` (NIfTI-MRS), or a folder of ``.json``
        (FSL-MRS) or of ``.txt`` (jMRUI text, or two columns: real and imaginary part).
    dwell_time, spectrometer_frequency : float, optional
        Seconds and MHz, for files that do not say it (plain text); ignored where the file does.

    Returns
    -------
    Basis
        Normalised as `snakemrs.spins.basis` says. A folder that SnakeMRS wrote comes back exactly as it was.

    Raises
    ------
    RequestError
        If there is no such file, its format is unknown, or its axis cannot be made out.
    """
    path = Path(path)
    if not path.exists():
        raise RequestError("the basis does not exist", file=path)
    raw: RawBasis | Basis
    if path.is_dir():
        if any(path.glob("*.json")):
            raw = read_json_folder(path)
        elif any(path.glob("*.txt")):
            raw = read_text_folder(path, dwell_time, spectrometer_frequency)
        else:
            raise _unknown(path)
    elif path.suffix.lower() == ".basis":
        raw = read_lcmodel(path)
    elif path.suffix.lower() == ".mat":
        raw = read_osprey(path)
    elif path.name.endswith((".nii", ".nii.gz")):
        raw = read_nifti(path)
    else:
        raise _unknown(path)
    return raw if isinstance(raw, Basis) else settle(raw)


def _unknown(path: Path) -> RequestError:
    return RequestError(
        "this is no basis set that SnakeMRS knows",
        file=path,
        expected="LCModel .BASIS, Osprey .mat, NIfTI-MRS, or a folder of .json (FSL-MRS) or .txt (jMRUI, two columns)",
    )
