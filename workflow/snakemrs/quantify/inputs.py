"""What quantify reads: amplitudes with covariance, water, timing, tissue. Each oddity is an error or a reason."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from snakemrs.errors import DataError
from snakemrs.io.tables import Row, parse_number, read_table
from snakemrs.study.settings.quantify import QuantifySettings

if TYPE_CHECKING:
    import numpy as np

    from snakemrs.io.nifti_mrs import NiftiMrs
    from snakemrs.quantify.concentration import Timing

ENDING = "_amplitudes.tsv"


@dataclass(frozen=True)
class Frame:
    """Amplitudes of one frame.

    Attributes
    ----------
    rows : list of dict
        The rows of the amplitudes table, single metabolites and sums.
    names : tuple of str
        Single metabolites that were fitted.
    amplitudes : ndarray, shape (n,)
    covariance : ndarray, shape (n, n)
    """

    rows: list[Row]
    names: tuple[str, ...]
    amplitudes: np.ndarray
    covariance: np.ndarray


def read_frames(path: Path, sums: dict[str, list[str]]) -> tuple[list[Frame], str | None]:
    """Read the amplitudes and, beside them, their covariance.

    Returns
    -------
    frames : list of Frame
    note : str or None
        What was missing.
    """
    import numpy as np

    rows = read_table(path)
    needed = {"frame", "metabolite", "amplitude", "amplitude_sd"}
    if not rows or not needed <= set(rows[0]):
        raise DataError(
            "this is no table of amplitudes",
            file=path,
            found=", ".join(rows[0]) if rows else "no rows",
            expected=", ".join(sorted(needed)),
        )
    beside = path.with_name(path.name.removesuffix(ENDING) + "_covariance.tsv")
    covariances = read_table(beside) if path.name.endswith(ENDING) and beside.exists() else []
    note = None if covariances else "no covariance beside the amplitudes: taken as uncorrelated"
    frames = []
    for frame in dict.fromkeys(row["frame"] for row in rows):
        mine = [row for row in rows if row["frame"] == frame]
        table = {row["metabolite"]: row for row in covariances if row.get("frame") == frame}
        names = tuple(table) or tuple(row["metabolite"] for row in mine if row["metabolite"] not in sums)
        known = {row["metabolite"]: row for row in mine}
        names = tuple(name for name in names if name in known)
        values = np.array([_number(known[name], "amplitude", path) for name in names])
        if table:
            matrix = np.array([[_number(table[a], b, beside) for b in names] for a in names])
        else:
            matrix = np.diag([_number(known[name], "amplitude_sd", path) ** 2 for name in names])
        frames.append(Frame(mine, names, values, matrix))
    return frames, note


def _number(row: Row, column: str, path: Path) -> float:
    """Read a cell; not a number where it is missing."""
    if column not in row:
        raise DataError("a column is missing", file=path, expected=column)
    try:
        value = parse_number(row[column])
    except ValueError:
        raise DataError("a cell is no number", file=path, found=row[column], expected=column) from None
    return float("nan") if value is None else value


def read_water(path: Path) -> tuple[tuple[float, float] | None, str | None]:
    """Read amplitude and standard deviation of water from the json beside the amplitudes.

    Returns
    -------
    water : tuple of float or None
        Per proton.
    reason : str or None
        Why there is none.
    """
    beside = path.with_name(path.name.removesuffix(ENDING) + "_fit.json")
    if not beside.exists():
        return None, f"{beside.name} is absent, which holds the water amplitude"
    content = json.loads(beside.read_text(encoding="utf-8"))
    water = content.get("water")
    if not water:
        return None, "no water reference was fitted"
    amplitude, spread = water.get("amplitude"), water.get("amplitude_sd") or 0.0
    if amplitude is None or not amplitude > 0:
        raise DataError("the water amplitude is not positive", file=beside, found=amplitude, expected="above zero")
    return (float(amplitude), float(spread)), None


def read_tissue(path: Path | None) -> tuple[dict[str, float] | None, dict[str, float], str | None]:
    """Read tissue fractions and their standard deviations.

    Returns
    -------
    fractions : dict or None
        Of ``gm wm csf``.
    sd : dict
    reason : str or None
        Why there are none.
    """
    if path is None:
        return None, {}, "no T1w"
    rows = read_table(path)
    if len(rows) != 1:
        raise DataError("a tissue table has one row", file=path, found=f"{len(rows)} rows")
    values = {t: _number(rows[0], t, path) for t in ("gm", "wm", "csf")}
    total = sum(values.values())
    if not all(-1e-6 <= v <= 1 + 1e-6 for v in values.values()) or not 0.0 < total <= 1.001:
        raise DataError(
            "the tissue fractions are impossible", file=path, found=values, expected="each 0 to 1, the sum at most 1"
        )
    if values["gm"] + values["wm"] < 0.05:
        return None, {}, "the voxel holds hardly any grey or white matter"
    values = {t: max(v, 0.0) for t, v in values.items()}
    spread = {t: parse_number(rows[0].get(f"{t}_sd", "n/a")) or 0.0 for t in values}
    return values, spread, None


def read_timing(svs: NiftiMrs, water: NiftiMrs | None, settings: QuantifySettings) -> tuple[Timing | None, str | None]:
    """Gather echo and repetition times, and check that the water reference is of the same voxel.

    Returns
    -------
    timing : Timing or None
    reason : str or None
        Why there is no timing.
    """
    from snakemrs.quantify.concentration import Timing

    if water is None:
        return None, "no water reference"
    values = {
        "EchoTime": _said_once(svs, svs.echo_time, settings, "echo_time"),
        "RepetitionTime": _said_once(svs, svs.repetition_time, settings, "repetition_time"),
        "EchoTime of the water": _said_once(water, water.echo_time, settings, "water_echo_time"),
        "RepetitionTime of the water": _said_once(water, water.repetition_time, settings, "water_repetition_time"),
    }
    lacking = [name for name, value in values.items() if value is None]
    if lacking:
        return None, f"the header lacks {', '.join(lacking)} (say it in the settings of quantify)"
    te, tr, water_te, water_tr = (float(v) for v in values.values() if v is not None)
    for image, echo, repetition in ((svs, te, tr), (water, water_te, water_tr)):
        if not 0.001 <= echo < 1.0 or not echo < repetition or repetition < 0.1 or repetition > 1e4:
            raise image.error(
                "echo and repetition time are impossible",
                found=f"TE {echo:g} s, TR {repetition:g} s",
                expected="TE of 0.001 to 1 s, shorter than TR; in seconds",
                remedy="correct the header (in a study with the settings of ingest); those of quantify are for one "
                "without times",
            )
    check_same_voxel(svs, water)
    return Timing(te, tr, water_te, water_tr), None


def _said_once(image: NiftiMrs, header: float | None, settings: QuantifySettings, name: str) -> float | None:
    """Give a time (s) of the header, or of the settings where the header lacks it; both must not differ by over 1 %."""
    setting: float | None = getattr(settings, name)
    if header is None or setting is None or abs(setting - header) <= 0.01 * abs(header):
        return setting if header is None else header
    raise image.error(
        f"header and settings disagree about {name.removeprefix('water_').replace('_', ' ')}",
        found=f"{header:g} s in the header, {setting:g} s in quantify: {name}",
        expected="one time",
        remedy=f"take {name} out of the settings, or correct the header (in a study with the settings of ingest)",
    )


def check_same_voxel(svs: NiftiMrs, water: NiftiMrs) -> None:
    """Refuse a water reference of another voxel or field."""
    import numpy as np

    if abs(svs.spectrometer_frequency / water.spectrometer_frequency - 1) > 0.005:
        raise water.error(
            "the water reference was measured at another field",
            found=f"{water.spectrometer_frequency:.2f} MHz",
            expected=f"{svs.spectrometer_frequency:.2f} MHz of {svs.path}",
        )
    mine, other = np.asarray(svs.affine), np.asarray(water.affine)
    if not np.allclose(mine, other, atol=1.0):
        shift = float(np.linalg.norm(mine[:3, 3] - other[:3, 3]))
        raise water.error(
            "the water reference is of another voxel",
            found=f"centre {shift:.1f} mm away, volume {abs(np.linalg.det(other[:3, :3])):.0f} mm³",
            expected=f"the voxel of {svs.path}, {abs(np.linalg.det(mine[:3, :3])):.0f} mm³",
            remedy="pair the water reference of the same voxel in scans.tsv",
        )
