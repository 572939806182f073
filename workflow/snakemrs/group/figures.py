"""Figures of the model's assumptions, as SVG that does not differ between runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.group.assumptions import predict
from snakemrs.group.mixed import MixedModel
from snakemrs.io.atomic import replacing


def draw_figures(folder: Path, model: MixedModel) -> list[Path]:
    """Draw quantiles of the residuals and of the participants' effects, and residuals against fitted values."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    found = predict(model)
    people = found.effects.get("participant", np.zeros(0))
    style: Any = {
        "svg.hashsalt": "snakemrs",
        "svg.fonttype": "none",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(style):
        figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
        _quantiles(axes[0], found.residuals, f"residuals, n = {len(found.residuals)} rows")
        axes[1].scatter(found.fitted, found.residuals, s=10, alpha=0.6, linewidths=0)
        axes[1].axhline(0, color="0.5", linewidth=0.8)
        axes[1].set(xlabel=f"fitted {model.formula.outcome}", ylabel="residual", title="spread against fitted values")
        if len(people) > 2 and np.ptp(people) > 0:
            _quantiles(axes[2], people, f"participants' effects, n = {len(people)}")
        else:
            axes[2].set_axis_off()
        path = folder / "assumptions.svg"
        with replacing(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None})
        plt.close(figure)
    return [path]


def _quantiles(axis: Any, values: np.ndarray, title: str) -> None:
    """Quantiles of standardised values against those of a normal distribution."""
    from scipy import stats

    ordered = np.sort(values) / max(float(np.std(values)), 1e-300)
    expected = stats.norm.ppf((np.arange(len(ordered)) + 0.5) / len(ordered))
    axis.scatter(expected, ordered, s=10, alpha=0.6, linewidths=0)
    ends = [expected[0], expected[-1]]
    axis.plot(ends, ends, color="0.5", linewidth=0.8)
    axis.set(xlabel="normal quantile", ylabel="standard deviations", title=title)
