"""Making the plan: a study's tables and raw files are looked at, every output is named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from snakemrs.errors import SnakeMRSError
from snakemrs.io.events import EVENTS, owner_of, owners
from snakemrs.io.tables import read_table
from snakemrs.study import bids
from snakemrs.study.bases import simulation_of
from snakemrs.study.config import StudyConfig, load_config
from snakemrs.study.hashes import HashCache, hash_file, joined
from snakemrs.study.plan import (
    DERIVATIVES,
    PLAN_PATH,
    Plan,
    PlannedAnatomy,
    PlannedScan,
    PlannedSpectrum,
    Problem,
    by_participant,
)
from snakemrs.study.settings.anatomy import AnatomySettings
from snakemrs.study.tables import (
    Scan,
    check_events,
    check_phenotype,
    read_participants,
    read_scans,
    read_sessions,
    water_of,
)
from snakemrs.study.variants import merged


def build_plan(
    study: Path,
    read_header: Callable[[Path], dict[str, Any]],
    progress: Callable[[int, int], None] = lambda done, total: None,
    find_maps: Callable[[Path, str, str], list[Path]] = lambda folder, participant, session: [folder],
) -> Plan:
    """Resolve a study: validate its files, hash its raw data, name every output.

    Parameters
    ----------
    study : path
        Folder with study.yaml and scans.tsv.
    read_header : callable
        Gives what a raw file's header says (`snakemrs.ingest.recognise`): ``sequence te te1 tm frequency bandwidth
        points transients`` where known. May raise `SnakeMRSError`: the scan becomes a problem of its participant.
    progress : callable
        Told (files read, files to be read: those that are new or changed).
    find_maps : callable
        Gives the files that the segmentation backend ``precomputed`` would read of a folder for a participant and
        session (`snakemrs.anatomy.precomputed`). May raise `SnakeMRSError`: a problem of that participant.

    Raises
    ------
    RequestError
        If the configuration or a table is wrong: nothing can be started.
    """
    config = load_config(study / "study.yaml")
    scans = read_scans(study / "scans.tsv")
    scanned = {(scan.participant, scan.session) for scan in scans}
    labels = {participant for participant, _ in scanned}
    participants, problems = read_participants(study / "participants.tsv", labels)
    read_sessions(study / "sessions.tsv", scanned, participants[0] if participants else ())
    known = labels | {row["participant_id"].removeprefix("sub-") for row in participants}
    for table in sorted((study / "phenotype").glob("*.tsv")):
        problems += check_phenotype(table, known)
    problems += check_events(study / EVENTS, scanned)

    raw = Path(config.raw) if Path(config.raw).is_absolute() else Path(os.path.relpath(study / config.raw, study))
    cache = HashCache(study / "work" / "hashes.json")
    cache.read_ahead([study / raw / scan.path for scan in scans], read_header, progress)
    planned: list[PlannedScan] = []
    for scan in scans:
        path = study / raw / scan.path
        header: dict[str, Any] = {}
        digest = "missing"
        try:
            if not path.exists():
                raise SnakeMRSError("the raw file does not exist", expected="the file that scans.tsv names")
            digest, header = cache.look(path, read_header)
        except SnakeMRSError as error:
            text = error.message + (f" (found: {error.found})" if error.found else "")
            problems.append(Problem("error", text, scan.path, None, scan.participant))
        planned.append(
            PlannedScan(
                scan.path,
                digest,
                f"bids/{bids.raw_path(scan.entities, scan.suffix)}",
                scan.participant,
                scan.session,
                scan.suffix,
                header,
            )
        )
    anatomies, lacking = _plan_anatomies(study, scans, config.anatomy, cache, find_maps)
    problems += lacking
    variant_anatomies: dict[str, list[PlannedAnatomy]] = {}
    for variant, changes in config.group.sensitivity.variants.items():
        if "anatomy" in changes:
            changed = AnatomySettings.model_validate(merged(config.anatomy.model_dump(), changes["anatomy"]))
            variant_anatomies[variant], lacking = _plan_anatomies(study, scans, changed, cache, find_maps)
            # Who lacks maps for a choice is left out of that choice, and of nothing else.
            problems += [
                replace(p, severity="warning", message=f"{p.message} (for the choice {variant})") for p in lacking
            ]
    cache.save()
    headers = {(row.bids): row.header for row in planned}
    bases: dict[str, dict[str, Any]] = {}
    tables = _tables(study, config)
    over_time = EVENTS in tables and config.functional.enabled == "auto"
    eventful = {owner_of(row) for row in read_table(study / EVENTS)} if over_time else set()
    with_task = any(scan.task for scan in scans if scan.suffix == "svs")
    # A spectrum's partners are sought among its participant's scans alone, or thousands of participants take minutes.
    own_scans = by_participant(scans)
    own_anatomies = by_participant(anatomies)
    spectra: list[PlannedSpectrum] = []
    for scan in scans:
        if scan.suffix != "svs":
            continue
        unable: list[str] = []
        spectrum = _plan_spectrum(
            scan,
            own_scans[scan.participant],
            own_anatomies.get(scan.participant, []),
            config,
            headers,
            bases,
            # Events are those of the task: where some spectra have one, the others are at rest.
            bool(scan.task or not with_task) and not eventful.isdisjoint(owners(scan.participant, scan.session)),
            unable,
        )
        spectra.append(spectrum)
        problems += [Problem("error", text, scan.path, None, scan.participant) for text in unable]
    return Plan(
        name=config.name,
        raw=str(raw),
        created=_created(study),
        settings=config.model_dump(mode="json"),
        scans=planned,
        anatomies=anatomies,
        spectra=spectra,
        bases=bases,
        tables=tables,
        variant_anatomies=variant_anatomies,
        problems=problems,
    )


def _created(study: Path) -> int:
    """Time stamp of the study's first plan; processing steps carry it, so that equal input gives equal bytes."""
    path = study / PLAN_PATH
    if path.exists():
        try:
            return int(json.loads(path.read_text(encoding="utf-8"))["created"])
        except (ValueError, KeyError):
            pass
    return int((study / "study.yaml").stat().st_mtime)


def _tables(study: Path, config: StudyConfig) -> dict[str, str]:
    """Hashes of the study's own tables and of those that the group's settings name, by path."""
    paths = [study / name for name in ("participants.tsv", "sessions.tsv")]
    paths += sorted((study / "phenotype").glob("*.tsv")) + sorted((study / "phenotype").glob("*.json"))
    paths += sorted(study.glob("*events*.tsv"))
    named = [config.group.clinical.instruments, *config.group.sensitivity.tables.values()]
    paths += [study / name for name in named if name]
    return {Path(os.path.relpath(path, study)).as_posix(): hash_file(path) for path in paths if path.is_file()}


def _plan_anatomies(
    study: Path,
    scans: list[Scan],
    settings: AnatomySettings,
    cache: HashCache,
    find_maps: Callable[[Path, str, str], list[Path]],
) -> tuple[list[PlannedAnatomy], list[Problem]]:
    """Name the results of all T1w images; a participant whose existing maps cannot be found is a problem."""
    anatomies: list[PlannedAnatomy] = []
    problems: list[Problem] = []
    users: dict[tuple[Path, ...], str] = {}
    for scan in scans:
        if scan.suffix != "T1w":
            continue
        anatomy = _plan_anatomy(scan, anatomies, settings)
        if anatomy.existing is not None:
            digest = "missing"
            try:
                files = find_maps(study / anatomy.existing, scan.participant, scan.session)
                other = users.setdefault(tuple(files), scan.participant)
                if other != scan.participant:
                    raise SnakeMRSError(
                        f"the existing segmentation serves sub-{other} too",
                        found=files[0].name,
                        remedy="put {participant} in the path of anatomy: precomputed",
                    )
                digest = joined([cache.look(file, lambda path: {})[0] for file in files])
            except (SnakeMRSError, OSError) as error:
                text = _in_a_line(error) if isinstance(error, SnakeMRSError) else str(error)
                problem = Problem("error", text, anatomy.existing, None, scan.participant)
                problems += [problem] if problem not in problems else []
            anatomy = replace(anatomy, existing_sha256=digest)
        anatomies.append(anatomy)
    return anatomies, problems


def _in_a_line(error: SnakeMRSError) -> str:
    """Give what is wrong, what was found and what to do in one line."""
    found = f" (found: {error.found})" if error.found else ""
    return f"{error.message}{found}" + (f"; {error.remedy}" if error.remedy else "")


def _plan_anatomy(scan: Scan, earlier: list[PlannedAnatomy], settings: AnatomySettings) -> PlannedAnatomy:
    """Name a T1w's results, where its maps come from where it is not segmented, and the maps that exist already."""
    place = f"{DERIVATIVES}/{bids.folder(scan.participant, scan.session)}/anat/{scan.stem}"
    first = next((a for a in earlier if a.participant == scan.participant), None)
    source = existing = None
    if settings.between_sessions == "first" and first is not None and first.session != scan.session:
        source = first.prefix
    elif settings.precomputed is not None and "precomputed" in (settings.backend, settings.second_backend):
        existing = settings.precomputed.replace("{participant}", scan.participant).replace("{session}", scan.session)
    return PlannedAnatomy(
        scan.participant, scan.session, f"bids/{bids.raw_path(scan.entities, 'T1w')}", place, source, existing
    )


def _anatomy_of(scan: Scan, anatomies: list[PlannedAnatomy]) -> PlannedAnatomy | None:
    """The T1w of the same session, else the participant's first."""
    own = [a for a in anatomies if a.participant == scan.participant]
    same = [a for a in own if a.session == scan.session]
    best = same or own
    return best[0] if best else None


def _plan_spectrum(
    scan: Scan,
    scans: list[Scan],
    anatomies: list[PlannedAnatomy],
    config: StudyConfig,
    headers: dict[str, dict[str, Any]],
    bases: dict[str, dict[str, Any]],
    over_time: bool,
    unable: list[str],
) -> PlannedSpectrum:
    svs = f"bids/{bids.raw_path(scan.entities, 'svs')}"
    water = water_of(scan, scans)
    anatomy = _anatomy_of(scan, anatomies)
    place = f"{DERIVATIVES}/{bids.folder(scan.participant, scan.session)}"
    fitted = scan.acq != config.macromolecule_acq
    several = fitted and int(headers.get(svs, {}).get("transients") or 1) > 1
    measured = config.measured_macromolecules
    nulled = [
        other
        for other in scans
        if other.suffix == "svs"
        and other.acq == config.macromolecule_acq
        and (other.participant, other.session, other.voi) == (scan.participant, scan.session, scan.voi)
    ]
    return PlannedSpectrum(
        **scan.entities,  # type: ignore[arg-type]
        stem=scan.stem,
        folder=f"{place}/mrs",
        svs=svs,
        water=f"bids/{bids.raw_path(water.entities, 'mrsref')}" if water else None,
        anatomy=anatomy.prefix if anatomy and fitted else None,
        mask=f"{place}/anat/{scan.stem}_space-T1w_desc-{scan.voi or 'mrs'}_mask.nii.gz" if anatomy and fitted else None,
        macromolecules=f"{place}/mrs/{nulled[0].stem}_desc-preproc_svs.nii.gz"
        if nulled and fitted and measured
        else None,
        basis=_plan_basis(headers.get(svs, {}), config, bases, unable) if fitted else None,
        frames=several,
        dynamic=several and over_time,
        fitted=fitted,
    )


def _plan_basis(
    header: dict[str, Any], config: StudyConfig, bases: dict[str, dict[str, Any]], unable: list[str]
) -> str | None:
    """Name the basis that is simulated for a spectrum; the study's own has no name here. Why none can be: `unable`."""
    if config.basis is not None or not header:
        return None
    simulation = simulation_of(header, config)
    if simulation.obstacle:
        unable.append(simulation.obstacle)
    if simulation.key is None or simulation.given is None:
        return None  # the fit takes what it needs from the sidecar, or says what is missing
    bases[simulation.key] = simulation.given
    return f"{DERIVATIVES}/basis/{simulation.key}"
