"""The command ``snakemrs basis show``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from snakemrs.spins.basis import Basis

SMOOTH_POINTS = 3
"""Zeros behind each signal, in units of its length, that make the drawn curves smooth."""


@click.command()
@click.argument("basis", type=click.Path(path_type=Path))
@click.option("--bandwidth", type=float, help="Hz; only for plain text, which does not say it.")
@click.option("--frequency", type=float, help="MHz; only for plain text, which does not say it.")
@click.option("--output", type=click.Path(path_type=Path), help="Draw all spectra into this file (.svg, .png, .pdf).")
@click.option("--line-width", default=3.0, show_default=True, help="Broadening of the drawing, Hz.")
def show(basis: Path, bandwidth: float | None, frequency: float | None, output: Path | None, line_width: float) -> None:
    """List a basis set, what was found out about its file, and draw it.

    \b
    Example:
        snakemrs basis show press30.BASIS --output press30.svg
    """
    from snakemrs.spins.basis_formats import read_basis

    read = read_basis(basis, dwell_time=None if bandwidth is None else 1 / bandwidth, spectrometer_frequency=frequency)
    for line in describe(read):
        click.echo(line)
    if output is not None:
        _draw(read, output, line_width)
        click.echo(f"drawn: {output}")


def describe(basis: Basis) -> list[str]:
    """Lines of text that say what a basis is."""
    from snakemrs.fit.basis_lines import strongest_lines

    sequence = basis.sequence or "sequence unknown"
    echo = "echo time unknown" if basis.echo_time is None else f"echo time {1e3 * basis.echo_time:g} ms"
    lines = [
        f"{len(basis.names)} entries, {basis.nucleus}, {basis.spectrometer_frequency:.3f} MHz, {sequence}, {echo}",
        f"{basis.points} points, dwell time {1e6 * basis.dwell_time:.2f} µs, line width {basis.line_width:.2f} Hz",
        "",
        "name        kind            start   strongest lines (ppm)",
    ]
    for name, kind, fid in zip(basis.names, basis.kinds, basis.fids, strict=True):
        peaks = "  ".join(f"{ppm:.2f}" for ppm in strongest_lines(basis, name))
        lines.append(f"{name:11s} {kind:13s} {abs(fid[0]):7.2f}   {peaks}")
    notes = [f"{key}: {value}" for key, value in basis.notes.items()]
    return [*lines, "", *notes]


def _draw(basis: Basis, path: Path, line_width: float) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    from snakemrs.io.atomic import replacing
    from snakemrs.spins.axis import ppm_axis, time_axis, to_spectrum

    decay = np.exp(-np.pi * line_width * time_axis(basis.points, basis.dwell_time))
    zeros = np.zeros(SMOOTH_POINTS * basis.points)
    ppm = ppm_axis(basis.points + len(zeros), basis.dwell_time, basis.spectrometer_frequency)
    near = (ppm > 0) & (ppm < 5)
    figure, axes = plt.subplots(figsize=(8, 0.45 * len(basis.names) + 1))
    for row, (name, fid) in enumerate(zip(basis.names, basis.fids, strict=True)):
        spectrum = to_spectrum(np.concatenate([fid * decay, zeros])).real[near]
        axes.plot(ppm[near], 0.9 * spectrum / max(np.abs(spectrum).max(), 1e-30) - row, color="black", linewidth=0.7)
        axes.text(5.05, -row, name, ha="right", va="center", fontsize=8)
    axes.set_xlim(5, 0)
    axes.set_yticks([])
    axes.set_xlabel("chemical shift (ppm)")
    for side in ("left", "right", "top"):
        axes.spines[side].set_visible(False)
    plt.rcParams["svg.hashsalt"] = "snakemrs"
    with replacing(path) as temporary:
        figure.savefig(
            temporary, bbox_inches="tight", dpi=150, metadata={"Date": None} if path.suffix == ".svg" else None
        )
    plt.close(figure)
