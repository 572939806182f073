"""Settings of the stage fit."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from snakemrs.study.settings import Settings


class FitSettings(Settings):
    """Settings of the stage fit (section ``fit`` of study.yaml)."""

    window: tuple[float, float] = (-1.0, 4.2)
    """Part of the spectrum that is fitted, ppm, lower and upper end. The part below 0.4 ppm, without signal, holds the
    level of the baseline and of the first point of the time signal."""

    max_shift: float = Field(0.3, gt=0, le=0.6)
    """Largest shift of the whole spectrum that the search for a start considers, ppm."""

    include: tuple[str, ...] | None = None
    """Fit only these entries of the basis; null fits all but those that config/constants/fit_basis.yaml sets aside."""

    exclude: tuple[str, ...] = ()
    """Entries of the basis that are not fitted."""

    macromolecules: Literal["auto", "basis", "parametric", "none"] = "auto"
    """Where macromolecules come from: the basis, Gaussian lines, nowhere; auto: the basis, lines if it has none."""

    lipids: Literal["auto", "always", "basis", "never"] = "auto"
    """Lipid lines: added where the data demand them (auto), always, only if the basis has them, never."""

    line_shape: Literal["voigt", "lorentzian", "gaussian", "free"] = "voigt"
    """Line shape that broadens the basis; free: a Voigt line convolved with a short, smooth kernel (regularised)."""

    water_line_shape: Literal["auto", "always", "never"] = "auto"
    """Take over what the water reference shows beyond a Voigt line (eddy currents, asymmetry); auto: where it is worth
    it and the data were not corrected for eddy currents."""

    soft_priors: bool = True
    """Soft ratios to total creatine for weakly determined metabolites (config/constants/fit_priors.yaml)."""

    prior_strength: float = Field(1.0, gt=0)
    """Precision of the soft priors relative to the published spread (2: half the variance)."""

    baseline: Literal["auto", "fixed", "none"] = "auto"
    """Stiffness of the spline baseline: chosen by the data, fixed by `baseline_ed_per_ppm`, or no baseline."""

    baseline_ed_per_ppm: float = Field(2.0, ge=0.5, le=7.0)
    """Effective number of baseline parameters per ppm where `baseline` is fixed."""

    metabolite_shifts: Literal["auto", "always", "never"] = "auto"
    """Whether each metabolite has a small shift of its own; auto: where the residual shows that they need it."""

    metabolite_shift_sd: float = Field(0.003, gt=0, le=0.02)
    """Standard deviation of the shift of a metabolite on its own, ppm."""

    metabolite_width_sd: float = Field(0.0, ge=0, le=5)
    """Standard deviation of the broadening of a metabolite on its own, Hz; 0: none."""

    group_shift_sd: float = Field(0.02, gt=0, le=0.1)
    """Standard deviation of the shift of macromolecules and of lipids against metabolites, ppm."""

    group_width_sd: float = Field(0.03, gt=0, le=0.2)
    """Standard deviation of the broadening of macromolecules and of lipids against metabolites, ppm."""

    phase1_sd: float = Field(1.0, ge=0)
    """Standard deviation of the phase of first order, degrees per ppm; 0: none."""

    match_frames: bool = False
    """Frames: broaden each to the line width of the broadest before its amplitudes are fitted, so that narrower lines
    (the blood-oxygen effect) are not taken for more metabolite."""

    max_iterations: int = Field(40, ge=5)
    """Most steps of the non-linear search."""
