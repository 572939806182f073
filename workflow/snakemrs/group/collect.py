"""Reads the tables of all sessions, by the plan, and joins them: the thin layer between files and `join`."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from snakemrs.errors import RequestError, SnakeMRSError
from snakemrs.group import join
from snakemrs.group.clinical import ClinicalProblem
from snakemrs.group.flow import count_flow
from snakemrs.group.formula import natural_key
from snakemrs.group.functional import summary_of
from snakemrs.group.instruments import CutOff
from snakemrs.group.masking import carried, check_tables, named_columns, without
from snakemrs.group.scores import collect_scores
from snakemrs.io.events import EVENTS, Event, read_events
from snakemrs.io.tables import MISSING, Row, parse_number, read_table
from snakemrs.study.plan import DERIVATIVES
from snakemrs.study.settings.group import GroupSettings
from snakemrs.study.variants import in_variant, made_again

WORSE = {"fail": 2, "warn": 1}
#: Whose files they are, by their last words; all others are of the stage spectra.
STAGE_OF_FILE = {"_concentrations.tsv": "quantify", "_amplitudes.tsv": "fit", "_fit.json": "fit", "tissue.tsv": "voxel"}


@dataclass
class Joined:
    """All tables of a study.

    Attributes
    ----------
    concentrations, quality, clinical, completeness, flow, flow_participants, excluded, functional : list of dict
    frames : list of dict
        A row a frame (or spectrum) of the selected spectra, a column an outcome; excluded ones are not in it.
    problems : list of ClinicalProblem
    statements : list of str
        What was chosen or left out.
    remission_also : tuple of CutOff
        Further cut-offs of remission of the primary instrument.
    """

    concentrations: list[dict[str, Any]] = field(default_factory=list)
    quality: list[dict[str, Any]] = field(default_factory=list)
    clinical: list[dict[str, Any]] = field(default_factory=list)
    completeness: list[dict[str, Any]] = field(default_factory=list)
    flow: list[dict[str, Any]] = field(default_factory=list)
    flow_participants: list[dict[str, Any]] = field(default_factory=list)
    excluded: list[dict[str, Any]] = field(default_factory=list)
    functional: list[dict[str, Any]] = field(default_factory=list)
    frames: list[dict[str, Any]] = field(default_factory=list)
    every_frame: list[dict[str, Any]] = field(default_factory=list)
    problems: list[ClinicalProblem] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    design_columns: tuple[str, ...] = ()
    remission_also: tuple[CutOff, ...] = ()


class Collector:
    """Joins a study.

    Parameters
    ----------
    study : path
        Folder that the plan's paths are relative to.
    plan : mapping
        The content of plan.json: ``spectra`` and ``failed``.
    settings : GroupSettings
    variant : str, optional
        Name of a variant (``group.sensitivity.variants``), whose files are read where it made them again.
    """

    def __init__(
        self, study: Path, plan: Mapping[str, Any], settings: GroupSettings, variant: str | None = None
    ) -> None:
        self.study, self.plan, self.settings, self.variant = study, plan, settings, variant
        self.spectra: list[dict[str, Any]] = list(plan["spectra"])
        self.joined = Joined()
        self.failures = _failures(plan.get("failed"))
        self.dates: dict[tuple[str, str], str] = {}
        self.lost: dict[tuple[str, str], str] = {}

    def collect(self) -> Joined:
        """Read and join everything."""
        participants, design = self._spectra()
        collect_scores(self.joined, self.study, self.settings, participants, design, self.dates)
        scanned = {(s["participant"], s["session"]) for s in (*self.spectra, *self.plan.get("scans", ()))}
        measured = {(s["participant"], s["session"]) for s in self.spectra if s.get("fitted", True)}
        count_flow(self.joined, self.settings, participants, design, scanned, measured, self.lost)
        return self.joined

    def collect_spectra(self) -> Joined:
        """Read and join what comes from the spectra."""
        self._spectra()
        return self.joined

    def _spectra(self) -> tuple[list[Row], dict[tuple[str, str], dict[str, Any]]]:
        """Join design, quality and concentrations; give participants.tsv and the design."""
        participants = self._table("participants.tsv")
        sessions = self._table("sessions.tsv")
        scanned = [(s["participant"], s["session"]) for s in self.spectra]
        if self.settings.design.blinded:
            check_tables(self.study, scanned, self.settings.design.not_telling)
        self.dates = _cells(sessions, "acq_time", "date")
        self.lost = _cells([*participants, *sessions], "reason")
        design = join.design_table(scanned, *self._carried(participants, sessions))
        extra = list(dict.fromkeys(c for row in design.values() for c in row))
        self.joined.design_columns = tuple(extra)
        self.joined.completeness = join.completeness([self._unit(s) for s in self.spectra], self.failures)
        chosen = self._choose()
        verdicts: dict[str, tuple[str, str]] = {}
        for spectrum in self.spectra:
            rows, worst = self._quality(spectrum)
            self.joined.quality += rows
            verdicts[spectrum["stem"]] = worst
        for spectrum in self.spectra:
            if not spectrum.get("fitted", True):
                continue
            key = (spectrum["participant"], spectrum["session"])
            self._concentrations(spectrum, design.get(key, {}), spectrum["stem"] in chosen, verdicts[spectrum["stem"]])
        self._prefer_frames()
        self._say_analysed(chosen)
        return participants, design

    def _carried(self, participants: list[Row], sessions: list[Row]) -> tuple[list[Row], list[Row]]:
        """Give the rows without the columns that no analysis names; they are said."""
        header = [column for rows in (participants, sessions) for column in (rows[0] if rows else ())]
        left = carried(header, named_columns(self.settings))[1]
        if left:
            text = f"not carried into the joined tables, no formula or setting names them: {', '.join(left)}"
            self.joined.statements.append(text)
        for name in self.settings.design.columns:
            if name not in header:
                text = f"group.design.columns names '{name}', which neither participants.tsv nor sessions.tsv has"
                self.joined.statements.append(text)
        return without(participants, left), without(sessions, left)

    # ---- reading
    def _table(self, name: str) -> list[Row]:
        path = self.study / name
        return read_table(path) if path.exists() else []

    def _read(self, path: Path) -> list[Row]:
        """Rows of a table that may be absent; a damaged one is said and left out."""
        if not path.exists():
            return []
        try:
            return read_table(path)
        except SnakeMRSError as error:
            self.joined.statements.append(f"left out, cannot be read: {error}")
            return []

    def _place(self, spectrum: Mapping[str, Any]) -> Path:
        return self.study / str(spectrum["folder"]) / str(spectrum["stem"])

    def _file(self, spectrum: Mapping[str, Any], ending: str) -> Path:
        place = self._place(spectrum)
        path = f"{place.as_posix()}_{ending}"
        if self.variant is not None:
            stage = next((s for e, s in STAGE_OF_FILE.items() if ending.endswith(e)), "spectra")
            if made_again(stage, self.settings.sensitivity.variants[self.variant]):
                path = in_variant(path, DERIVATIVES, self.variant)
        return Path(path)

    def _unit(self, spectrum: Mapping[str, Any]) -> dict[str, Any]:
        """Which stages of a spectrum are done."""
        fitted, anatomy = bool(spectrum.get("fitted", True)), spectrum.get("anatomy")
        brain = self.study / f"{anatomy}_desc-brain_mask.nii.gz" if anatomy else None
        svs = spectrum.get("svs")
        return {
            "participant": spectrum["participant"],
            "session": spectrum["session"],
            "stem": spectrum["stem"],
            "stages": {
                "ingest": (self.study / str(svs)).exists() if svs else None,
                "anatomy": brain.exists() if brain else None,
                "spectra": self._file(spectrum, "desc-preproc_svs.nii.gz").exists()
                or self._file(spectrum, "desc-preproc_quality.tsv").exists(),
                "voxel": self._file(spectrum, "tissue.tsv").exists() if anatomy else None,
                "fit": self._file(spectrum, "desc-static_amplitudes.tsv").exists() if fitted else None,
                "quantify": self._file(spectrum, "desc-static_concentrations.tsv").exists() if fitted else None,
            },
        }

    def _choose(self) -> set[str]:
        """Stems of the spectra that enter the analyses: one a session, of one kind throughout the study."""
        wanted = self.settings.design.select
        fitting = [
            s
            for s in self.spectra
            if s.get("fitted", True) and all((s.get(k) or "n/a") == value for k, value in wanted.items())
        ]
        if wanted and not fitting:
            raise RequestError(
                "no spectrum has what group.design.select asks for",
                found=", ".join(f"{k} = {v}" for k, v in wanted.items()),
                expected="; ".join(sorted({str(s["stem"]) for s in self.spectra})[:4]),
            )
        kinds: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        for s in fitting:
            kinds[tuple(s.get(k) or "" for k in ("task", "acq", "voi"))].append(s)
        if not kinds:
            return set()
        best = max(kinds, key=lambda k: (len({(s["participant"], s["session"]) for s in kinds[k]}), tuple(map(str, k))))
        if len(kinds) > 1:
            text = ", ".join(
                f"{name} {value}" for name, value in zip(("task", "acq", "voi"), best, strict=True) if value
            )
            self.joined.statements.append(
                f"sessions have spectra of several kinds; analysed: {text or 'those without task, acq and voi'} "
                "(choose by group.design.select)"
            )
        chosen: dict[tuple[str, str], dict[str, Any]] = {}
        for s in sorted(kinds[best], key=lambda s: natural_key(s.get("run") or "")):
            place = (s["participant"], s["session"])
            if place in chosen:
                self.joined.statements.append(
                    f"sub-{place[0]} ses-{place[1]} has several runs; analysed: {chosen[place]['stem']}"
                )
            else:
                chosen[place] = s
        return {s["stem"] for s in chosen.values()}

    def _quality(self, spectrum: Mapping[str, Any]) -> tuple[list[dict[str, Any]], tuple[str, str]]:
        entities = {k: spectrum.get(k) for k in join.ENTITIES}
        rows: list[dict[str, Any]] = []
        worst, rule = "pass", ""
        sources = [("spectra", self._file(spectrum, "desc-preproc_quality.tsv"))]
        if spectrum.get("anatomy"):
            anatomy = self.study / str(spectrum["anatomy"])
            sources.append(("anatomy", anatomy.with_name(f"{anatomy.name}_desc-anatomy_quality.tsv")))
        for source, path in sources:
            for row in self._read(path):
                value = row.get("after", row.get("value"))
                rows.append(
                    {
                        **entities,
                        "source": source,
                        "metric": row.get("metric"),
                        "before": _number(row.get("before")),
                        "value": _number(value),
                        "unit": row.get("unit"),
                        "verdict": row.get("verdict"),
                        "rule": row.get("rule"),
                    }
                )
                if source == "spectra" and WORSE.get(str(row.get("verdict")), 0) > WORSE.get(worst, 0):
                    worst, rule = str(row["verdict"]), f"{row.get('metric')}: {row.get('rule')}"
        for row in self._read(self._file(spectrum, "tissue.tsv")):
            for metric in ("gm", "wm", "csf", "outside"):
                if metric in row:
                    cell = {"source": "voxel", "metric": metric, "value": _number(row[metric]), "unit": "1"}
                    rows.append({**entities, **cell, "rule": row.get("flag")})
        return rows, (worst, rule)

    def _concentrations(
        self, spectrum: Mapping[str, Any], design: Mapping[str, Any], chosen: bool, verdict: tuple[str, str]
    ) -> None:
        entities = {k: spectrum.get(k) for k in join.ENTITIES}
        events = self._events_of(spectrum)
        summary = self._read(self._file(spectrum, "desc-dynamic_summary.tsv"))
        changes = self._read(self._file(spectrum, "desc-dynamic_concentrations.tsv"))
        self.joined.functional += summary_of({**entities, **design}, summary, changes)
        for kind in ("static", "frames", "dynamic"):
            rows = self._read(self._file(spectrum, f"desc-{kind}_concentrations.tsv"))
            if not rows:
                continue
            long = [{**entities, **design, "kind": kind, **row} for row in rows]
            self.joined.concentrations += long
            if not chosen or kind == "dynamic" or (kind == "frames" and self._are_sliding(spectrum)):
                continue
            limits = self._frame_verdicts(spectrum) if kind == "frames" else {}
            fits = self._fit_status(spectrum, kind)
            keys = [*join.ENTITIES, *design, "kind", "frame", "onset", "duration"]
            for frame in join.widen(long, keys):
                onset, duration = _number(frame["onset"]), _number(frame["duration"])
                frame.update(onset=onset, duration=duration)
                if kind == "frames":
                    frame["phase"] = frame.get("phase") or join.phase_of(onset, duration, events, self.settings.design)
                    frame["regressor"] = join.regressor_of(onset, duration, events, self.settings.design)
                self.joined.every_frame.append(frame)
                own = limits.get(str(frame["frame"]), verdict) if kind == "frames" else verdict
                status = fits.get(str(frame["frame"]), fits.get("", ("ok", "")))
                if status[0] == "failed":
                    own = ("fail", f"fit: {status[1]}")
                frame["verdict"] = own[0]
                least = {"fail": 2, "warn": 1, "none": 9}[self.settings.exclude]
                if WORSE.get(own[0], 0) >= least or (status[0] == "failed"):
                    self.joined.excluded.append(
                        {
                            "participant": frame["participant"],
                            "session": frame["session"],
                            "kind": kind,
                            "frame": frame["frame"],
                            "verdict": own[0],
                            "rule": own[1],
                        }
                    )
                else:
                    self.joined.frames.append(frame)

    def _are_sliding(self, spectrum: Mapping[str, Any]) -> bool:
        """Whether the frames overlap: they share transients, so that no model may take them as rows."""
        rows = self._read(self._file(spectrum, "desc-frames_quality.tsv"))
        sliding = any(row.get("kind") == "sliding" for row in rows)
        if sliding:
            self.joined.statements.append(
                f"{spectrum['stem']}: its frames overlap (sliding windows, for figures only) and are left out of models"
            )
        return sliding

    def _frame_verdicts(self, spectrum: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
        rows = self._read(self._file(spectrum, "desc-frames_quality.tsv"))
        return {str(row["frame"]): (row.get("verdict", "n/a"), row.get("rule", "")) for row in rows if "frame" in row}

    def _fit_status(self, spectrum: Mapping[str, Any], kind: str) -> dict[str, tuple[str, str]]:
        """Status of the fit, by frame."""
        path = self._file(spectrum, f"desc-{kind}_fit.json")
        if not path.exists():
            return {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            return {}
        frames = content.get("frames")
        if not isinstance(frames, list):
            frames = [content]
        statuses = {}
        for number, frame in enumerate(frames):
            if isinstance(frame, dict) and "status" in frame:
                name = str(frame.get("frame", number))
                statuses[name] = (str(frame["status"]), str(frame.get("reason") or ""))
        return statuses

    def _events_of(self, spectrum: Mapping[str, Any]) -> list[Event]:
        """Events of the study that concern a spectrum."""
        path = self.study / EVENTS
        return read_events(path, str(spectrum["stem"])) if path.exists() else []

    def _prefer_frames(self) -> None:
        """Analyse frames where there are any in the study, whole spectra where not."""
        for name in ("frames", "every_frame"):
            rows = getattr(self.joined, name)
            kinds = {row["kind"] for row in rows}
            if "frames" in kinds:
                rows = [row for row in rows if row["kind"] == "frames"]
                _number_bins(rows)
            setattr(self.joined, name, rows)
        every = {(r["participant"], r["session"]) for r in self.joined.every_frame}
        for s in self.spectra:
            place = (s["participant"], s["session"])
            if s.get("fitted", True) and place not in every:
                failed = self.failures.get(s["stem"])
                why = f"{failed[0]} failed: {failed[1]}" if failed else "it has no concentrations"
                self.joined.statements.append(f"sub-{place[0]} ses-{place[1]} is in no analysis of spectra: {why}")

    def _say_analysed(self, chosen: set[str]) -> None:
        """Add to the completeness whether a session is in the analyses, and by which rule not."""
        for s in self.spectra:
            if s["stem"] not in chosen:
                continue
            place = (s["participant"], s["session"])
            kept = sum((r["participant"], r["session"]) == place for r in self.joined.frames)
            gone = [r for r in self.joined.excluded if (r["participant"], r["session"]) == place]
            every = sum((r["participant"], r["session"]) == place for r in self.joined.every_frame)
            rules = "; ".join(dict.fromkeys(str(r["rule"]) for r in gone))
            if kept:
                status, reason = "done", f"{every - kept} of {every} left out: {rules}" if kept < every else None
            elif every:
                status, reason = "excluded", rules
            else:
                status, reason = "missing", "no concentrations"
            self.joined.completeness.append(
                {
                    "participant": place[0],
                    "session": place[1],
                    "spectrum": s["stem"],
                    "stage": "group",
                    "status": status,
                    "reason": reason,
                }
            )


def _cells(rows: Iterable[Row], *columns: str) -> dict[tuple[str, str], str]:
    """The first of some columns that has a value, by participant and session (empty in participants.tsv)."""
    found = {}
    for row in rows:
        place = (row["participant_id"].removeprefix("sub-"), row.get("session_id", "").removeprefix("ses-"))
        cell = next((row[c] for c in columns if row.get(c) not in (None, "", MISSING)), None)
        if cell is not None:
            found[place] = cell
    return found


def _number_bins(rows: Iterable[dict[str, Any]]) -> None:
    """Number the frames of each session from the start of their phase: the same bin in each session."""
    sessions: dict[tuple[Any, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        sessions[row["participant"], row["session"], row.get("phase")].append(row)
    for members in sessions.values():
        for row in members:
            row["time_bin"] = None
        members.sort(key=lambda r: (r["onset"] is None, r["onset"] or 0.0, natural_key(r["frame"])))
        # A frame that is missing leaves a gap: bins count by time where frames have one length.
        length = members[0].get("duration") or 0.0
        first = min((r["onset"] for r in members if r["onset"] is not None), default=0.0)
        for number, row in enumerate(members):
            by_time = length > 0 and row["onset"] is not None
            row["time_bin"] = 1 + (round((row["onset"] - first) / length) if by_time else number)


def _failures(failed: Any) -> dict[str, tuple[str, str]]:
    """Give stage and reason by stem, from either form of the plan."""
    if isinstance(failed, Mapping):
        return {str(unit): ("", str(reason)) for unit, reason in failed.items()}
    return {str(f["unit"]): (str(f.get("stage", "")), str(f.get("reason", ""))) for f in failed or []}


def _number(cell: Any) -> float | None:
    if cell is None or isinstance(cell, (int, float)):
        return None if cell is None else float(cell)
    try:
        return parse_number(str(cell))
    except ValueError:
        return None
