"""The traffic lights on top of a participant's page, each with the rule behind it.

Nothing is judged here that a stage has not judged: a light is the worst of the verdicts that the stages wrote, and
repeats the rule that each wrote beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snakemrs.report.inputs import Table
from snakemrs.report.words import metric, number, worst
from snakemrs.study.resources import constants

JUDGED_AS_FOUND = ("frequency_shift", "drift")
"""Metrics that the stage spectra judges before correction."""


@dataclass(frozen=True)
class Light:
    """A light: what it is about, its verdict, and the rules that made it so."""

    subject: str
    verdict: str
    reasons: tuple[str, ...]


def quality_light(subject: str, quality: Table | None, missing: str) -> Light:
    """Give the worst verdict of a quality table (columns ``metric … verdict rule``)."""
    if quality is None or not quality.rows:
        return Light(subject, "n/a", (missing,))
    overall = worst([v for v in (row.get("verdict", "n/a") for row in quality.rows) if v != "n/a"])
    single = [row for row in quality.rows if row.get("metric") != "overall"]
    bad = [row for row in single if row.get("verdict") in ("fail", "warn")]
    if bad:
        order = sorted(bad, key=lambda row: row["verdict"] != "fail")
        return Light(subject, overall, tuple(_reason(row) for row in order))
    judged = [row for row in single if row.get("verdict") == "pass"]
    if not judged:
        return Light(subject, "n/a", ("no limit applies to what was measured",))
    return Light(subject, overall, tuple(_within(row) for row in judged))


def rule_of(row: Mapping[str, str]) -> str:
    """Give the rule that a row was judged by: the one it wrote, else the study's limits of that metric."""
    written = row.get("rule", "n/a")
    if written not in ("n/a", ""):
        return written
    limit = constants("quality")["limits"]["mean"].get(row.get("metric", ""))
    if row.get("verdict") not in ("pass", "warn", "fail") or not isinstance(limit, Mapping):
        return ""
    sign = "<" if limit.get("sense") == "lower" else ">"
    unit = "" if str(limit.get("unit")) == "1" else f" {limit.get('unit')}"
    return f"warn {sign} {limit.get('warn')}{unit}, fail {sign} {limit.get('fail')}{unit}"


def _within(row: Mapping[str, str]) -> str:
    rule = rule_of(row)
    return f"{_value(row)}" + (f" ({rule})" if rule else "")


def _value(row: Mapping[str, str]) -> str:
    value = row.get("after") or row.get("value") or "n/a"
    if row.get("metric") in JUDGED_AS_FOUND:
        value = row.get("before", value)
    if value == "n/a":
        value = row.get("before", "n/a")
    try:
        shown = number(float(value))
    except ValueError:
        shown = value
    unit = "" if row.get("unit", "n/a") in ("n/a", "", "1") else f" {row['unit']}"
    return f"{metric(row.get('metric', ''))} {shown}{unit}"


def _reason(row: Mapping[str, str]) -> str:
    rule = rule_of(row)
    return _value(row) + (f" (rule: {rule})" if rule else "")


def fit_light(fit: Mapping[str, Any] | None) -> Light:
    """Give the fit's own status: ok, doubtful or failed, over all frames."""
    if fit is None:
        return Light("fit", "n/a", ("there is no fit",))
    frames = frames_of_fit(fit)
    if not frames:
        return Light("fit", "n/a", ("the fit says nothing about its frames",))
    meaning = {"ok": "pass", "doubtful": "warn", "failed": "fail"}
    overall = worst([meaning.get(str(frame.get("status")), "n/a") for frame in frames])
    reasons = []
    for n, frame in enumerate(frames):
        if frame.get("status") not in (None, "ok"):
            where = f"frame {frame.get('frame', n)}: " if len(frames) > 1 else ""
            reasons.append(f"{where}{frame.get('status')}: {frame.get('reason') or 'no reason given'}")
    if not reasons:
        given = [frame.get("line_width") for frame in frames]
        widths = [float(width) for width in given if isinstance(width, (int, float))]
        text = f"the optimum is sound in {len(frames)} of {len(frames)}" if len(frames) > 1 else "the optimum is sound"
        if widths:
            text += f", line width {number(max(widths))} Hz" + (" at most" if len(widths) > 1 else "")
        reasons = [text]
    return Light("fit", overall, tuple(reasons))


def frames_of_fit(fit: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Give the fit's record of each frame, whichever way fit.json nests it."""
    frames = fit.get("frames", fit.get("per_frame"))
    if isinstance(frames, Mapping):
        frames = [{"frame": key, **value} for key, value in frames.items() if isinstance(value, Mapping)]
    if isinstance(frames, list):
        return [frame for frame in frames if isinstance(frame, Mapping)]
    return [fit] if "status" in fit else []


def tissue_light(tissue: Table | None, has_anatomy: bool) -> Light:
    """Give what the stage voxel said of its place in the head."""
    if tissue is None or not tissue.rows:
        reason = "there is no T1w image" if not has_anatomy else "there are no tissue fractions"
        return Light("voxel", "n/a", (reason,))
    row = tissue.rows[0]
    flag = row.get("flag", "n/a")
    outside = row.get("outside", "n/a")
    try:
        share = f"{number(100 * float(outside), 2)} % of the voxel lies outside the head"
    except ValueError:
        share = "share outside the head unknown"
    if flag in ("n/a", "", "none", "ok"):
        return Light("voxel", "pass", (f"no flag; {share}",))
    return Light("voxel", "warn", (flag, share))


def concentrations_light(concentrations: Table | None) -> Light:
    """Say what kinds of concentrations could be computed."""
    if concentrations is None or not concentrations.rows:
        return Light("concentrations", "n/a", ("there are none",))
    kinds = {"ratio_tcr": "ratios to tCr", "ratio_tnaa": "ratios to tNAA", "molar": "mmol/l", "molal": "mmol/kg"}

    def known(column: str) -> bool:
        return any(row.get(column, "n/a") != "n/a" for row in concentrations.rows)

    have = [text for column, text in kinds.items() if known(column)]
    lack = [text for column, text in kinds.items() if not known(column)]
    if not have:
        return Light("concentrations", "fail", ("none could be computed", *concentrations.notes()))
    if lack:
        return Light("concentrations", "warn", (f"{', '.join(have)}; not: {', '.join(lack)}", *concentrations.notes()))
    return Light("concentrations", "pass", (", ".join(have),))
