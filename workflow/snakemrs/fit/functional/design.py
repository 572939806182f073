"""From events and settings to the design of a session: a row a transient, a column a regressor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.errors import RequestError
from snakemrs.fit.functional import regressors as courses
from snakemrs.io import tables
from snakemrs.io.events import Event
from snakemrs.io.tables import write_table
from snakemrs.study.resources import constants
from snakemrs.study.settings.functional import FunctionalSettings, RegressorSettings

CONSTANT, BASELINE = "constant", "baseline"
WHEN = ("transient", "frame", "onset", "duration", "trial_type", "phase", "weight")
"""Columns of a design that say when, not what."""
WIDTH = "width_"
"""Columns of a design with this prefix are followed by the line width alone."""
LATER = "after"


@dataclass(frozen=True)
class Design:
    """The design of a session of M transients.

    Attributes
    ----------
    names : list of str
        Regressors of the amplitudes, P of them, the first a constant.
    matrix : ndarray, shape (M, P)
    width_names : list of str
        Regressors of the line width, Q of them.
    width_matrix : ndarray, shape (M, Q)
        Hz per unit is fitted.
    baseline : ndarray, shape (M, H)
        What the spectral baseline follows.
    phase : tuple of str
        Of each transient: ``baseline``, the name of the response, or anything else (in neither).
    response : str
        Name of the response's phase, such as ``infusion``.
    contrasts : dict
        Name → weights by regressor, shape (P,).
    about : dict
        Regressor → what it is, for the dictionary of the table.
    notes : list of str
    """

    names: list[str]
    matrix: np.ndarray
    width_names: list[str]
    width_matrix: np.ndarray
    baseline: np.ndarray
    phase: tuple[str, ...]
    response: str
    contrasts: dict[str, np.ndarray]
    about: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def rows(self, phase: str) -> np.ndarray:
        """Which transients are of a phase, shape (M,)."""
        return np.array([one == phase for one in self.phase])

    def level(self, phase: str) -> np.ndarray:
        """Weights of the betas whose sum is the mean amplitude of a phase, shape (P,)."""
        return np.asarray(self.matrix[self.rows(phase)].mean(axis=0))


def make_design(
    onset: np.ndarray,
    duration: np.ndarray,
    events: Sequence[Event],
    settings: FunctionalSettings,
    table: Path | None = None,
    water_width: np.ndarray | None = None,
) -> Design:
    """Make the design of a session.

    Parameters
    ----------
    onset, duration : ndarray, shape (M,)
        Of the transients, seconds.
    events : sequence of Event
    settings : FunctionalSettings
    table : path, optional
        Regressors of one's own, for those of shape ``column``.
    water_width : ndarray, shape (M,), optional
        Line width of interleaved water at each transient, Hz.

    Raises
    ------
    RequestError
        If the events do not hold what the regressors follow, or the regressors cannot be told apart.
    """
    main = _main_event(events, settings.event)
    asked = settings.regressors or _usual(events, main, onset, duration)
    columns, about = [np.ones(len(onset))], {CONSTANT: "1: the amplitude where all others are zero"}
    for one in asked:
        columns.append(_column(one, onset, duration, events, main, table))
        about[one.name] = _words(one, main)
    drifts = courses.polynomials(onset, max(settings.drift, settings.line_width_drift, 1))
    for order in range(settings.drift):
        columns.append(drifts[:, order])
        about[f"drift{order + 1}"] = f"Legendre polynomial of order {order + 1} over the session, -1 to 1"
    names = list(about)
    matrix = np.column_stack(columns)
    width_names, width_matrix = _widths(settings, asked, matrix, drifts, water_width)
    slow = np.column_stack([np.ones(len(onset)), drifts[:, 0]])
    design = Design(
        names=names,
        matrix=matrix,
        width_names=width_names,
        width_matrix=width_matrix,
        baseline=slow if settings.baseline == "slow" else slow[:, :1],
        phase=_phases(onset + duration / 2, events, main),
        response=main.kind,
        contrasts={},
        about=about,
    )
    check_columns(design.names, design.matrix)
    return _with_contrasts(design, settings.contrasts)


def _main_event(events: Sequence[Event], kind: str | None) -> Event:
    """The event that divides the session."""
    fitting = [event for event in events if event.duration > 0 and kind in (None, event.kind)]
    if not fitting:
        raise RequestError(
            "no event divides the session into baseline and response",
            found=", ".join(sorted({event.kind for event in events})) or "no events",
            expected=f"trial type '{kind}' with a duration" if kind else "an event with a duration",
            remedy="correct events.tsv, or name the trial type in functional.event",
        )
    return min(fitting, key=lambda event: event.onset)


def _usual(
    events: Sequence[Event], main: Event, onset: np.ndarray, duration: np.ndarray
) -> tuple[RegressorSettings, ...]:
    """Blocks for the trial types with a duration, and what comes after one that occurs once."""
    import re

    kinds = list(dict.fromkeys(event.kind for event in events if event.duration > 0))
    blocks = [RegressorSettings(name=re.sub(r"\W", "_", kind), event=kind) for kind in kinds]
    alone = sum(event.kind == main.kind for event in events) == 1 and len(kinds) == 1
    end = main.onset + main.duration
    if alone and np.any(onset + duration / 2 > end):
        blocks.append(RegressorSettings(name=LATER, event=LATER))
    return tuple(blocks)


def _column(
    one: RegressorSettings,
    onset: np.ndarray,
    duration: np.ndarray,
    events: Sequence[Event],
    main: Event,
    table: Path | None,
) -> np.ndarray:
    """Values of a regressor."""
    if one.shape == "column":
        assert table is not None
        return _own_column(table, one.name, onset, duration)
    if one.event == LATER and all(event.kind != LATER for event in events):
        end = main.onset + main.duration
        where = [(end, float(onset[-1] + duration[-1] - end))]
    else:
        kind = one.event or main.kind
        where = [(event.onset, event.duration) for event in events if event.kind == kind]
    if not where:
        raise RequestError(
            f"the regressor '{one.name}' follows an event that does not occur",
            found=", ".join(sorted({event.kind for event in events})),
            expected=one.event,
        )
    needs_length = one.shape in ("block", "ramp", "pharmacokinetic")
    if needs_length and any(length <= 0 for _, length in where):
        raise RequestError(f"the regressor '{one.name}' needs an event with a duration", found="duration 0")
    drugs = constants("pharmacokinetics")["drugs"]
    if one.shape == "pharmacokinetic" and one.drug not in drugs:
        raise RequestError("no such drug", found=one.drug, expected=", ".join(drugs))
    values = courses.sampled(one, onset, duration, where, drugs)
    if not np.any(values):
        raise RequestError(
            f"the regressor '{one.name}' is zero throughout",
            found=f"event at {where[0][0]:g} s, transients from {onset[0]:g} to {onset[-1] + duration[-1]:g} s",
            remedy="correct the onsets in events.tsv: seconds from the first transient",
        )
    return values


def _own_column(table: Path, name: str, onset: np.ndarray, duration: np.ndarray) -> np.ndarray:
    rows = tables.read_table(table)
    if not rows or name not in rows[0] or "onset" not in rows[0]:
        raise RequestError("the table of regressors has no such column", file=table, expected=f"onset, {name}")
    try:
        at, values = (np.array([float(row[key]) for row in rows]) for key in ("onset", name))
    except ValueError as error:
        raise RequestError("a regressor is no number", file=table, found=str(error)) from None
    if np.any(np.diff(at) <= 0) or not np.all(np.isfinite(values)):
        raise RequestError("the onsets of the regressors must rise, their values be finite", file=table)
    last = onset[-1] + duration[-1]
    if at[0] > onset[0] + duration[0] or at[-1] < last - 1.5 * duration[-1] - (at[-1] - at[-2] if len(at) > 1 else 0):
        raise RequestError(
            "the table of regressors does not cover the session",
            file=table,
            found=f"{at[0]:g} to {at[-1]:g} s",
            expected=f"{onset[0]:g} to {last:g} s",
        )
    return courses.interpolated(at, values, onset, duration)


def _words(one: RegressorSettings, main: Event) -> str:
    """What a regressor is, with its unit."""
    of = one.event or main.kind
    details = {
        "block": "1 during the event",
        "ramp": "rises evenly from 0 to 1 during the event",
        "exponential": f"1 - exp(-t/{one.time_constant:g} s)",
        "gamma": f"gamma variate, peak at {one.time_to_peak:g} s, exponent {one.sharpness:g}",
        "pharmacokinetic": f"plasma concentration of {one.drug}",
        "column": "from the study's own table, in its unit",
    }[one.shape]
    scale = "" if one.shape == "column" else "; highest value in the session 1, no unit"
    later = f", {one.delay:g} s later" if one.delay else ""
    return f"{of}: {details}{later}{scale}"


def _widths(
    settings: FunctionalSettings,
    asked: Sequence[RegressorSettings],
    matrix: np.ndarray,
    drifts: np.ndarray,
    water: np.ndarray | None,
) -> tuple[list[str], np.ndarray]:
    """What the line width follows: names and columns."""
    if settings.line_width == "none":
        return [], np.zeros((len(matrix), 0))
    if settings.line_width == "water" and water is None:
        raise RequestError(
            "line width cannot follow the water: none was interleaved",
            remedy="set spectra.water_interleaved where it was, or functional.line_width to design",
        )
    if water is not None and settings.line_width != "design":
        return ["water"], water[:, None]
    names = [one.name for one in asked] + [f"drift{n + 1}" for n in range(settings.line_width_drift)]
    return names, np.column_stack([matrix[:, 1 : 1 + len(asked)], drifts[:, : settings.line_width_drift]])


def _phases(middle: np.ndarray, events: Sequence[Event], main: Event) -> tuple[str, ...]:
    """Phase of each transient: in the response, in the baseline, or in neither.

    Where the dividing event comes once, what lies before it is the baseline. Where it comes again and again, all that
    lies in no event is.
    """
    alike = [event for event in events if event.kind == main.kind and event.duration > 0]
    out = []
    for time in middle:
        on = {event.kind for event in events if event.onset <= time < event.onset + event.duration}
        if main.kind in on:
            out.append(main.kind)
        elif not on and (len(alike) > 1 or time < main.onset):
            out.append(BASELINE)
        else:
            out.append("+".join(sorted(on)) or LATER)
    missing = [phase for phase in (BASELINE, main.kind) if phase not in out]
    if missing:
        raise RequestError(
            f"the session has no transient in the phase '{missing[0]}'",
            found=f"{main.kind} from {main.onset:g} s on, for {main.duration:g} s",
            remedy="correct the onsets in events.tsv: seconds from the first transient",
        )
    return tuple(out)


def _with_contrasts(design: Design, own: Mapping[str, Mapping[str, float]]) -> Design:
    """Add the contrasts: response − baseline without the drift, and those of the study."""
    change = design.level(design.response) - design.level(BASELINE)
    change[[name.startswith("drift") for name in design.names]] = 0.0
    contrasts = {f"{design.response}-{BASELINE}": change}
    for name, weights in own.items():
        unknown = [regressor for regressor in weights if regressor not in design.names]
        if unknown:
            raise RequestError(
                f"the contrast '{name}' names a regressor that there is not",
                found=unknown[0],
                expected=", ".join(design.names),
            )
        contrasts[name] = np.array([weights.get(regressor, 0.0) for regressor in design.names])
    return Design(**{**design.__dict__, "contrasts": contrasts})


def check_columns(names: Sequence[str], matrix: np.ndarray, path: Path | None = None) -> None:
    """Refuse regressors that are not finite, zero, or depend on each other."""
    if not np.all(np.isfinite(matrix)):
        raise RequestError("a regressor is not finite", file=path)
    norms = np.linalg.norm(matrix, axis=0)
    if np.any(norms == 0) or np.linalg.cond(matrix / norms) > 1e6:
        raise RequestError(
            "the regressors depend on each other", file=path, found=", ".join(names), remedy="leave one of them out"
        )


def read_design(path: Path, count: int) -> Design:
    """Read a design of one's own, a row a transient.

    Columns are regressors, but for those that say when (`WHEN`); ``drift…`` are drifts, ``width_…`` are followed by the
    line width alone. The baseline is where all regressors are zero.

    Raises
    ------
    RequestError
        If rows and transients differ in number, a cell is no number, or the columns depend on each other.
    """
    rows = tables.read_table(path)
    if len(rows) != count:
        raise RequestError(
            "design and transients differ in number", file=path, found=f"{len(rows)} rows", expected=f"{count} rows"
        )
    given = [name for name in rows[0] if name not in WHEN and name != CONSTANT]
    try:
        values = {name: np.array([float(row[name]) for row in rows]) for name in given}
    except ValueError as error:
        raise RequestError("a regressor is no number", file=path, found=str(error)) from None
    names = [name for name in given if not name.startswith(WIDTH)]
    matrix = np.column_stack([np.ones(count), *(values[name] for name in names)])
    check_columns([CONSTANT, *names], matrix, path)
    only = [name for name in given if name.startswith(WIDTH)]
    width_names = [*names, *(name.removeprefix(WIDTH) for name in only)]
    width_matrix = np.column_stack([np.zeros((count, 0)), *(values[name] for name in (*names, *only))])
    responses = [n for n, name in enumerate(names, start=1) if not name.startswith("drift")]
    at_rest = ~np.any(matrix[:, responses], axis=1)
    response = "response"
    drifts = [n for n, name in enumerate(names, start=1) if name.startswith("drift")]
    design = Design(
        names=[CONSTANT, *names],
        matrix=matrix,
        width_names=width_names,
        width_matrix=width_matrix,
        baseline=matrix[:, [0, *drifts]],
        phase=tuple(BASELINE if rest else response for rest in at_rest),
        response=response,
        contrasts={},
        about=dict.fromkeys([CONSTANT, *names], f"from {path.name}"),
    )
    if at_rest.any() and not at_rest.all() and len(responses) == 1:
        return _with_contrasts(design, {})
    weights = {names[n - 1]: np.eye(len(design.names))[n] for n in responses}
    return Design(**{**design.__dict__, "contrasts": weights})


def write_design(path: Path, design: Design, onset: np.ndarray, duration: np.ndarray, weights: np.ndarray) -> None:
    """Write the design as a table that `read_design` takes, a row a transient."""
    extra = [n for n, name in enumerate(design.width_names) if name not in design.names]
    rows: list[dict[str, Any]] = []
    for m in range(len(design.matrix)):
        row: dict[str, Any] = {"transient": m, "onset": onset[m], "duration": duration[m]}
        row |= {"phase": design.phase[m], "weight": weights[m]}
        row |= dict(zip(design.names, design.matrix[m], strict=True))
        row |= {f"{WIDTH}{design.width_names[n]}": design.width_matrix[m, n] for n in extra}
        rows.append(row)
    dictionary: dict[str, dict[str, str]] = {
        "transient": {"Description": "Number of the transient, from 0"},
        "onset": {"Description": "Start, after the first transient", "Units": "s"},
        "duration": {"Description": "Length", "Units": "s"},
        "phase": {"Description": "baseline, the response, or neither"},
        "weight": {"Description": "Weight of the transient in the fit; 0: left out"},
    }
    dictionary |= {name: {"Description": text} for name, text in design.about.items()}
    for n in extra:
        unit = {"Units": "Hz"} if design.width_names[n] == "water" else {}
        text = "Followed by the line width alone"
        dictionary[f"{WIDTH}{design.width_names[n]}"] = {"Description": text} | unit
    write_table(path, rows, list(rows[0]), dictionary)
