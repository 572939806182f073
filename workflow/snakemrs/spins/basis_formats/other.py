"""Osprey's ``.mat`` basis and bases in NIfTI-MRS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.io import nifti_mrs
from snakemrs.spins.basis_formats.raw import RawBasis

HYDROGEN_MHZ_PER_TESLA = 42.577478518
"""Gyromagnetic ratio of ¹H over 2π, MHz/T (CODATA 2018)."""


def read_osprey(path: Path) -> RawBasis:
    """Read Osprey's ``BASIS`` structure (MATLAB version 7 or older). Only plain (unedited) bases."""
    from scipy.io import loadmat

    try:
        content = loadmat(path, struct_as_record=False, squeeze_me=True)
    except (NotImplementedError, ValueError) as error:
        raise RequestError(
            "the MATLAB file cannot be read", file=path, found=str(error), remedy="save it with -v7 in MATLAB"
        ) from None
    structures = [value for key, value in content.items() if not key.startswith("__")]
    basis: Any = next((value for value in structures if hasattr(value, "fids")), None)
    if basis is None:
        raise RequestError("the MATLAB file holds no basis", file=path, expected="a structure with the field fids")
    fids = np.asarray(basis.fids)
    if fids.ndim != 2:
        raise RequestError(
            "the basis is one of an edited sequence", file=path, found=f"fids of shape {fids.shape}", expected="2 axes"
        )
    names = [str(name) for name in np.atleast_1d(basis.name)]
    te: Any = getattr(basis, "te", None)
    return RawBasis(
        path=path,
        format="Osprey",
        names=names,
        fids=fids.T.astype(complex),
        dwell_time=float(basis.dwelltime),
        spectrometer_frequency=float(basis.Bo) * HYDROGEN_MHZ_PER_TESLA,
        echo_time=None if te is None or not np.isscalar(te) else float(np.real(te)) * 1e-3,
        sequence=str(getattr(basis, "seq", "") or "") or None,
    )


def read_nifti(path: Path) -> RawBasis:
    """Read a NIfTI-MRS file whose fifth dimension is ``DIM_METAB`` (or another with the names in its header)."""
    image = nifti_mrs.read(path)
    tags = image.dim_tags
    signal = image.as_dims(*tags)
    if signal.ndim != 2:
        raise RequestError(
            "the NIfTI-MRS file is no basis", file=path, found=f"dimensions {tags}", expected="one dimension DIM_METAB"
        )
    number = 5 + tags.index(tags[0])
    header: Any = image.header.get(f"dim_{number}_header") or {}
    names = next((list(value) for value in header.values() if isinstance(value, list)), None)
    if names is None or len(names) != signal.shape[0]:
        raise RequestError(
            "the NIfTI-MRS file does not name its metabolites", file=path, expected=f"a list in dim_{number}_header"
        )
    return RawBasis(
        path=path,
        format="NIfTI-MRS",
        names=[str(name) for name in names],
        fids=signal.astype(complex),
        dwell_time=image.dwell_time,
        spectrometer_frequency=image.spectrometer_frequency,
        echo_time=image.echo_time,
        sequence=image.header.get("SequenceName"),
        nucleus=image.nucleus,
    )
