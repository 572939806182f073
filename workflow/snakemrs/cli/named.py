"""Files, columns and names that study.yaml names: each must be there, or the nearest valid name is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from snakemrs.errors import SnakeMRSError
from snakemrs.io.events import EVENTS
from snakemrs.io.tables import read_table
from snakemrs.study.plan import Plan, Problem
from snakemrs.study.resources import constants
from snakemrs.study.tables import nearest

# Columns that the joined tables have of themselves (docs/reference/files.md, group).
_JOINED = {
    *("participant", "session", "task", "acq", "voi", "run", "frame", "onset", "duration"),
    *("phase", "period", "condition", "sequence", "time_bin", "regressor", "kind", "verdict"),
}
_AFTER = "after"
"""What follows the event that divides a session, which regressors may name though no event is called so."""


def check_names(study: Path, plan: Plan, basis: Sequence[str] | None) -> list[Problem]:
    """Check everything that the settings call by a name.

    Parameters
    ----------
    basis : sequence of str, optional
        Entries of the study's own basis; those of a simulated one where it has none.
    """
    entries = list(basis) if basis is not None else simulated_entries()
    if plan.settings["measured_macromolecules"]:
        entries.append("MM")
    columns = _study_columns(study)
    problems = list(_check_formula(plan.settings["group"], columns))
    problems += _check_outcomes(plan.settings["group"]["outcomes"], columns | outcome_columns(entries))
    problems += _check_clinical(study, plan.settings["group"]["clinical"])
    problems += _check_selection(plan)
    problems += _check_sensitivity(study, plan.settings["group"])
    problems += _check_constants(study, plan)
    problems += _check_entries(plan, entries)
    problems += _check_events(study, plan.settings)
    problems += _check_regressors(study, plan)
    return problems


def _said(severity: Any, text: str, name: str = "", valid: Iterable[str] = ()) -> Problem:
    hint = nearest(name, valid) if name else None
    return Problem(severity, text + (f" ({hint})" if hint else ""), "study.yaml")


def _study_columns(study: Path) -> set[str]:
    """Columns that the joined tables have, the study's own among them."""
    columns = set(_JOINED)
    for name in ("participants.tsv", "sessions.tsv"):
        if (study / name).exists():
            rows = read_table(study / name)
            columns |= set(rows[0]) if rows else set()
    return columns


def simulated_entries() -> list[str]:
    """Entries of a basis that the workflow simulates."""
    return [*constants("spin_systems")["metabolites"], *constants("macromolecules")["signals"]]


def outcome_columns(entries: Iterable[str]) -> set[str]:
    """Columns of ratios and concentrations that a basis with these entries can give."""
    from snakemrs.group.join import SCALES, column_name

    known = set(entries)
    known |= {name for name, parts in constants("fit_sums")["sums"].items() if known.issuperset(parts)}
    ratios = {"tnaa": "tNAA", "tcr": "tCr"}
    scales = [scale for scale in SCALES if scale not in ratios or ratios[scale] in known]
    return {column_name(name, scale) for name in known for scale in scales}


def _check_formula(group: dict[str, Any], columns: set[str]) -> Iterator[Problem]:
    """Columns that the primary model names."""
    from snakemrs.group.formula import parse_formula

    try:
        formula = parse_formula(f"y ~ {group['formula']} + (1|participant) + (1|participant:session)")
    except SnakeMRSError as error:
        yield _said("error", f"group.formula: {error.message}")
        return
    for name in formula.predictors:
        if name not in columns:
            text = f"group.formula names '{name}', which neither participants.tsv nor sessions.tsv has"
            yield _said("warning", text, name, columns)


def _check_outcomes(outcomes: dict[str, Any], columns: set[str]) -> Iterator[Problem]:
    """Columns of the declared outcomes."""
    for family, declared in outcomes.items():
        for outcome in [declared] if isinstance(declared, str) else declared:
            match = re.fullmatch(r"(?:(log|log10|sqrt)\()?\s*(\w+)\s*\)?", outcome)
            if match is None:
                text = f"group.outcomes.{family}: '{outcome}' is not a column, nor log(…), log10(…) or sqrt(…) of one"
                yield _said("error", text)
            elif (name := match.group(2)) not in columns:
                text = f"group.outcomes.{family} names '{name}', which no fit with this basis gives"
                yield _said("warning", text, name, columns)


def _check_clinical(study: Path, clinical: dict[str, Any]) -> Iterator[Problem]:
    """The file of instruments, the primary instrument and its visits."""
    from snakemrs.group.clinical import read_phenotype
    from snakemrs.group.instruments import load_instruments

    own, primary = clinical["instruments"], clinical["primary"]
    try:
        instruments = load_instruments(study / own if own else None)
    except SnakeMRSError as error:
        yield Problem("error", f"group.clinical.instruments: {error.message}", str(own))
        return
    tables = sorted((study / "phenotype").glob("*.tsv"))
    if primary not in instruments:
        text = f"group.clinical.primary names '{primary}', and no instrument is called so"
        yield _said("warning", text, primary, instruments)
        return
    if not tables:
        return
    named = {key: clinical[key] for key in ("baseline", "followup") if clinical[key]}
    wanted = [*named.values(), *clinical["windows"]]
    try:
        scored, _ = read_phenotype(study / "phenotype", instruments, wanted, {})
    except SnakeMRSError:
        return  # said already
    present = list(dict.fromkeys(visit.instrument for visit in scored))
    if primary not in present:
        text = f"group.clinical.primary names '{primary}', of which phenotype/ has no scores (it has of "
        yield _said("warning", f"{text}{', '.join(present) or 'none'})")
        return
    visits = list(dict.fromkeys(visit.visit for visit in scored if visit.instrument == primary))
    for key, name in [*named.items(), *(("windows", name) for name in clinical["windows"])]:
        if name.lower() not in visits:
            text = f"group.clinical.{key} names the visit '{name}', which the scores of {primary} do not have"
            yield _said("warning", f"{text}; there are {', '.join(visits)}", name, visits)


def _check_selection(plan: Plan) -> Iterator[Problem]:
    """Which spectra enter the analysis."""
    for key, wanted in plan.settings["group"]["design"]["select"].items():
        labels = ("task", "acq", "voi", "run")
        if key not in labels:
            yield _said(
                "error", f"group.design.select chooses by '{key}', not by one of {', '.join(labels)}", key, labels
            )
            continue
        valid = {getattr(s, key) or "n/a" for s in plan.spectra if s.fitted}
        if wanted not in valid:
            yield _said("error", f"group.design.select: no spectrum has {key} '{wanted}'", wanted, valid)


def _check_sensitivity(study: Path, group: dict[str, Any]) -> Iterator[Problem]:
    """Further tables of frames, and whether they hold the primary outcome."""
    match = re.search(r"\w+(?=\)?$)", group["outcomes"]["primary"].strip())
    for choice, path in group["sensitivity"]["tables"].items():
        place = f"group.sensitivity.tables.{choice}"
        if not (study / path).exists():
            yield replace(_absent(study, place, path), severity="warning")
            continue
        try:
            rows = read_table(study / path)
        except SnakeMRSError as error:
            yield Problem("error", f"{place}: {error.message}", path)
            continue
        if rows and match and match.group() not in rows[0]:
            hint = nearest(match.group(), rows[0])
            text = f"{place} has no column '{match.group()}', the primary outcome" + (f" ({hint})" if hint else "")
            yield Problem("warning", text, path)


def _absent(study: Path, setting: str, path: str, participant: str | None = None) -> Problem:
    """A file that a setting names and that is not there; the nearest in its folder is told."""
    folder = (study / path).parent
    beside = [other.name for other in folder.iterdir()] if folder.is_dir() else []
    hint = nearest(Path(path).name, beside)
    text = f"{setting} names a file that does not exist" + (f" ({hint})" if hint else "")
    return Problem("error", text, path, None, participant)


def _check_constants(study: Path, plan: Plan) -> Iterator[Problem]:
    """Constants files and published sets, the study's and those of its choices, at the fields of its spectra."""
    from snakemrs.study.relaxation import field_strength, load_constants
    from snakemrs.study.variants import merged

    own = plan.settings["quantify"]
    variants = plan.settings["group"]["sensitivity"]["variants"]
    wanted = {"quantify": own}
    for name, changes in variants.items():
        if "quantify" in changes:
            wanted[f"the choice {name}"] = merged(own, changes["quantify"])
    frequencies = [scan.header.get("frequency") for scan in plan.scans if scan.suffix == "svs"]
    fields = {round(field_strength(frequency), 1) for frequency in frequencies if frequency}
    for place, settings in wanted.items():
        path = settings["constants"]
        if path and not (study / path).exists():
            yield _absent(study, f"{place}.constants" if place == "quantify" else f"{place}: constants", path)
            continue
        names = {key: settings[key] for key in ("metabolite_set", "water_set", "content_set")}
        for tesla in sorted(fields):
            try:
                load_constants(tesla, **names, own=study / path if path else None)
            except SnakeMRSError as error:
                remedy = f"; expected {error.expected}" if error.expected else ""
                found = f" (found: {error.found})" if error.found else ""
                yield Problem("error", f"{place}: {error.message}{found}{remedy}", path or "study.yaml")
                break


def _check_entries(plan: Plan, entries: Sequence[str]) -> Iterator[Problem]:
    """Entries of the basis that the fit is told to take or leave out."""
    wanted = {"fit": plan.settings["fit"]}
    for name, changes in plan.settings["group"]["sensitivity"]["variants"].items():
        wanted[f"the choice {name}: fit"] = changes.get("fit", {})
    for place, settings in wanted.items():
        for key in ("include", "exclude"):
            for name in settings.get(key) or ():
                if name not in entries:
                    yield _said("error", f"{place}.{key} names '{name}', which the basis does not have", name, entries)


def _check_events(study: Path, settings: dict[str, Any]) -> Iterator[Problem]:
    """Trial types that settings name, where there are events."""
    if not (study / EVENTS).exists():
        return
    kinds = {row.get("trial_type", "event") for row in read_table(study / EVENTS)}
    named = [
        ("functional.event", settings["functional"]["event"]),
        ("group.design.event", settings["group"]["design"]["event"]),
        *(("spectra.event_types", name) for name in settings["spectra"]["event_types"]),
        *((f"functional.regressors, {one['name']}", one["event"]) for one in settings["functional"]["regressors"]),
    ]
    for place, name in named:
        if name and name not in kinds | ({_AFTER} if place.startswith("functional.regressors") else set()):
            severity = "error" if place.startswith("functional") else "warning"  # these the fit refuses
            yield _said(severity, f"{place} names the event '{name}', which {EVENTS} does not have", name, kinds)


def _check_regressors(study: Path, plan: Plan) -> Iterator[Problem]:
    """Tables of regressors, of every session that is fitted over time, and their columns."""
    functional = plan.settings["functional"]
    if not functional["table"]:
        return
    needed = ["onset", *(one["name"] for one in functional["regressors"] if one["shape"] == "column")]
    shared = "{participant}" not in functional["table"]
    looked: set[str] = set()
    for spectrum in plan.spectra:
        path = functional["table"].format(participant=spectrum.participant, session=spectrum.session)
        if not spectrum.dynamic or path in looked:
            continue
        looked.add(path)
        who = None if shared else spectrum.participant
        if not (study / path).exists():
            yield _absent(study, "functional.table", path, who)
            continue
        with (study / path).open(encoding="utf-8-sig", errors="replace") as stream:
            columns = stream.readline().rstrip("\r\n").split("\t")
        for name in needed:
            if name not in columns:
                hint = nearest(name, columns)
                text = f"the table of regressors has no column '{name}'" + (f" ({hint})" if hint else "")
                yield Problem("error", text, path, None, who)
