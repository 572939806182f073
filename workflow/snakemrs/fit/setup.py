"""From a basis and settings to a prepared problem."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.fit.problem import Problem, prepare
from snakemrs.spins.basis import Basis, Kind
from snakemrs.spins.basis_match import match
from snakemrs.spins.macromolecules import parametric_signals
from snakemrs.study.settings.fit import FitSettings


def build_problem(
    basis: Basis,
    settings: FitSettings,
    *,
    dwell_time: float,
    points: int,
    spectrometer_frequency: float,
    nucleus: str = "1H",
    not_fitted: Mapping[str, str],
    line_shape: np.ndarray | None = None,
) -> tuple[Problem, list[str]]:
    """Match a basis to data, choose its entries, add macromolecules and lipids where asked, and prepare it.

    Parameters
    ----------
    basis : Basis
    settings : FitSettings
    dwell_time, points, spectrometer_frequency, nucleus
        Of the data.
    not_fitted : mapping
        Entries that are set aside, with the reason (``fit_basis.yaml``).
    line_shape : ndarray of complex, shape (points,), optional
        Factor of all time signals (`snakemrs.fit.line_shape`).

    Returns
    -------
    Problem
    notes : list of str
    """
    basis, notes = match(
        basis, dwell_time=dwell_time, points=points, spectrometer_frequency=spectrometer_frequency, nucleus=nucleus
    )
    chosen = _choose(basis, settings, not_fitted)
    left = [name for name in basis.names if name not in chosen]
    if left:
        notes.append(f"not fitted: {', '.join(left)}")
    basis = _subset(basis, chosen)
    have = set(basis.kinds)
    if settings.macromolecules == "parametric" or (settings.macromolecules == "auto" and "macromolecule" not in have):
        basis = _subset(basis, [n for n, kind in zip(basis.names, basis.kinds, strict=True) if kind != "macromolecule"])
        basis, added = _add(basis, "macromolecule")
        notes.append("macromolecules are parametric: " + ", ".join(added))
    richer = None
    if settings.lipids in ("auto", "always") and "lipid" not in have:
        richer, added = _add(basis, "lipid")
    basis = _shaped(basis, line_shape)
    if richer is None:
        return prepare(basis, settings.window), notes
    fat = prepare(_shaped(richer, line_shape), settings.window)
    if settings.lipids == "always":
        return fat, [*notes, "lipids are parametric: " + ", ".join(added)]
    return replace(prepare(basis, settings.window), with_lipids=fat), notes


def _shaped(basis: Basis, line_shape: np.ndarray | None) -> Basis:
    """A basis with its signals times a line shape."""
    if line_shape is None:
        return basis
    return replace(basis, fids=basis.fids * line_shape[: basis.points])


def _choose(basis: Basis, settings: FitSettings, not_fitted: Mapping[str, str]) -> list[str]:
    for name in (*(settings.include or ()), *settings.exclude):
        if name not in basis.names:
            raise RequestError("the basis has no such entry", found=name, expected=", ".join(basis.names))
    chosen = list(settings.include) if settings.include else [n for n in basis.names if n not in not_fitted]
    drop: tuple[str, ...] = {"none": ("macromolecule",), "parametric": ("macromolecule",)}.get(
        settings.macromolecules, ()
    )
    drop += ("lipid",) if settings.lipids == "never" else ()
    kind = dict(zip(basis.names, basis.kinds, strict=True))
    chosen = [n for n in basis.names if n in chosen and n not in settings.exclude and kind[n] not in drop]
    if not any(kind[name] == "metabolite" for name in chosen):
        raise RequestError("no metabolite is left to fit", expected=", ".join(basis.names))
    return chosen


def _subset(basis: Basis, names: list[str]) -> Basis:
    at = [basis.names.index(name) for name in names]
    return replace(basis, names=tuple(names), fids=basis.fids[at], kinds=tuple(basis.kinds[n] for n in at))


def _add(basis: Basis, kind: Kind) -> tuple[Basis, tuple[str, ...]]:
    """Add the parametric macromolecules or lipids to a basis; give their names too."""
    broad = parametric_signals(
        spectrometer_frequency=basis.spectrometer_frequency, bandwidth=1 / basis.dwell_time, points=basis.points
    )
    new = _subset(
        broad, [n for n, k in zip(broad.names, broad.kinds, strict=True) if k == kind and n not in basis.names]
    )
    return replace(
        basis,
        names=(*basis.names, *new.names),
        fids=np.concatenate([basis.fids, new.fids]),
        kinds=(*basis.kinds, *new.kinds),
    ), new.names


def with_measured_macromolecules(basis: Basis, image: Any) -> Basis:
    """Replace the macromolecules of a basis by a measured, inversion-nulled spectrum (`NiftiMrs`, one signal).

    The signal is freed of noise by 6 Hz of Gaussian broadening (macromolecules are wider than 20 Hz), brought to the
    grid of the basis, and scaled to begin at 10: the amplitude of ``MM`` has no unit of its own.
    """
    signal = image.as_dims("DIM_DYN").mean(axis=0)
    if not np.all(np.isfinite(signal)) or not np.any(signal):
        raise image.error("the macromolecule spectrum is zero or not finite")
    time = np.arange(len(signal)) * image.dwell_time
    smooth = signal * np.exp(-((np.pi * 6.0 * time) ** 2) / (4 * np.log(2)))
    single = Basis(
        names=("MM",),
        fids=smooth[None] * (10.0 / np.abs(smooth[:3]).max()),
        dwell_time=image.dwell_time,
        spectrometer_frequency=image.spectrometer_frequency,
        kinds=("macromolecule",),
        nucleus=image.nucleus,
    )
    matched, _ = match(
        single,
        dwell_time=basis.dwell_time,
        points=basis.points,
        spectrometer_frequency=basis.spectrometer_frequency,
        nucleus=basis.nucleus,
    )
    fid = np.zeros((1, basis.points), complex)
    fid[:, : matched.points] = matched.fids
    rest = _subset(basis, [n for n, kind in zip(basis.names, basis.kinds, strict=True) if kind != "macromolecule"])
    return replace(
        rest,
        names=(*rest.names, "MM"),
        fids=np.concatenate([rest.fids, fid]),
        kinds=(*rest.kinds, "macromolecule"),
        notes={**rest.notes, "macromolecules": f"measured: {image.path.name}"},
    )
