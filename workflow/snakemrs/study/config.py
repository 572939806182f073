"""study.yaml: the settings of a study, validated, with the line of what is wrong."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from snakemrs.errors import RequestError
from snakemrs.study.settings import Settings
from snakemrs.study.settings.anatomy import AnatomySettings
from snakemrs.study.settings.fit import FitSettings
from snakemrs.study.settings.functional import FunctionalSettings
from snakemrs.study.settings.group import GroupSettings
from snakemrs.study.settings.ingest import IngestSettings
from snakemrs.study.settings.quantify import QuantifySettings
from snakemrs.study.settings.report import ReportSettings
from snakemrs.study.settings.spectra import SpectraSettings
from snakemrs.study.settings.voxel import VoxelSettings
from snakemrs.study.variants import merged

STAGES = ("ingest", "anatomy", "spectra", "voxel", "fit", "quantify", "group", "report")


class StudyConfig(Settings):
    """A study, as study.yaml describes it. Every key but ``name`` has a default."""

    name: str = Field(min_length=1)
    """Name of the study, for titles and the BIDS dataset."""
    authors: tuple[str, ...] = ()
    """Authors of the dataset, for its description and citation."""
    raw: str = "raw"
    """Folder of the raw files, absolute or relative to the study. Paths in scans.tsv are relative to it."""
    basis: str | None = None
    """A basis set (LCModel .BASIS, Osprey .mat, folder of json or text), absolute or relative to the study. Without
    one, it is simulated for the sequence and echo time in each header, with ideal pulses."""
    first_echo_time: float | None = Field(default=None, gt=0, lt=0.5)
    """Time from excitation to the first echo of a PRESS sequence (TE1) in seconds, for the simulated basis. Headers
    rarely tell it. Without it, half of the echo time is taken; a TE1 wrong by 3 ms biases the major sums by more than
    10 %. Other sequences have no TE1: theirs is not asked."""
    mixing_time: float | None = Field(default=None, gt=0, lt=2)
    """Mixing time (TM) of a STEAM sequence in seconds, for the simulated basis, where the header does not tell it
    (Siemens RDA and NIfTI-MRS may). Without either no basis can be simulated for STEAM."""
    macromolecule_acq: str = "mm"
    """Value of ``acq`` in scans.tsv that marks inversion-nulled macromolecule scans. They are preprocessed but not
    fitted as metabolites."""
    measured_macromolecules: bool = False
    """Fit with the macromolecules that the same session's inversion-nulled scan measured, in place of parametric
    ones."""
    ingest: IngestSettings = IngestSettings()
    """Raw files to BIDS."""
    anatomy: AnatomySettings = AnatomySettings()
    """Brain mask and tissue maps."""
    spectra: SpectraSettings = SpectraSettings()
    """Combination, alignment and correction of transients."""
    voxel: VoxelSettings = VoxelSettings()
    """Voxel mask and tissue fractions."""
    fit: FitSettings = FitSettings()
    """Linear-combination fit."""
    functional: FunctionalSettings = FunctionalSettings()
    """Spectra over time: the design, the dynamic fit and its contrasts."""
    quantify: QuantifySettings = QuantifySettings()
    """Ratios and concentrations."""
    group: GroupSettings = GroupSettings()
    """Joined tables and statistics."""
    report: ReportSettings = ReportSettings()
    """Pages and methods text."""


def load_config(path: str | Path) -> StudyConfig:
    """Read and validate study.yaml.

    Raises
    ------
    RequestError
        If the file is absent, no YAML, or has an unknown key or a wrong value: the message names the line, what was
        found and expected, and the nearest valid key.
    """
    import yaml

    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RequestError(
            "there is no study here", file=path, remedy="`snakemrs init RAW STUDY` proposes one from raw files"
        ) from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise RequestError(
            "this is not valid YAML",
            file=path,
            line=mark.line + 1 if mark else None,
            found=getattr(error, "problem", None) or str(error),
        ) from None
    _refuse_repeated_keys(node, path)
    if not isinstance(content, dict):
        raise RequestError("study.yaml has no keys", file=path, line=1, expected="at least `name: …`")
    try:
        config = StudyConfig.model_validate(content)
    except ValidationError as error:
        raise _explain(error, node, path) from None
    _check_variants(config, node, path)
    return config


def _check_variants(config: StudyConfig, node: Any, path: Path) -> None:
    """Refuse a variant whose settings its stages would refuse."""
    for name, changes in config.group.sensitivity.variants.items():
        if "second_backend" in changes.get("anatomy", {}):
            raise RequestError(
                f"the choice '{name}' of group.sensitivity.variants changes anatomy.second_backend",
                file=path,
                found="a second segmentation moves uncertainties, no estimate",
                remedy="compare segmentations by a choice of anatomy.backend",
            )
        for stage, part in changes.items():
            own: Settings = getattr(config, stage)
            try:
                type(own).model_validate(merged(own.model_dump(), part))
            except ValidationError as error:
                inside = ("group", "sensitivity", "variants", name, stage)
                raise _explain(error, node, path, inside) from None


def _refuse_repeated_keys(node: Any, path: Path) -> None:
    """YAML readers keep the last of two equal keys in silence; a study must not."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            if key.value in seen:
                raise RequestError(
                    f"the key '{key.value}' occurs twice",
                    file=path,
                    line=key.start_mark.line + 1,
                    found=f"also in line {seen[key.value]}",
                )
            seen[key.value] = key.start_mark.line + 1
            _refuse_repeated_keys(value, path)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _refuse_repeated_keys(item, path)


def _line_of(node: Any, location: tuple[int | str, ...]) -> int:
    """Line (from 1) of the value at `location`, or of the nearest mapping that holds it."""
    import yaml

    line: int = node.start_mark.line + 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == part]
            if not found:
                break
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def valid_keys(location: tuple[int | str, ...]) -> list[str]:
    """Keys that the mapping at `location` may have."""
    model: Any = StudyConfig
    for part in location:
        annotation = model.model_fields[part].annotation if part in getattr(model, "model_fields", {}) else None
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        models = [c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)]
        if not models and not isinstance(part, int):
            return []
        model = models[0] if models else model
    return list(model.model_fields)


def _explain(error: ValidationError, node: Any, path: Path, inside: tuple[int | str, ...] = ()) -> RequestError:
    """Turn the first of pydantic's complaints into an error with line, expectation and nearest key.

    `inside` is where the settings of a variant stand; their last part is the stage.
    """
    first = error.errors()[0]
    location = (*inside, *first["loc"])
    name = ".".join(map(str, location))
    line = _line_of(node, location)
    if first["type"] == "extra_forbidden":
        keys = valid_keys((*inside[-1:], *first["loc"][:-1]))
        near = difflib.get_close_matches(str(location[-1]), keys, n=1, cutoff=0.5)
        remedy = f"did you mean '{near[0]}'?" if near else None
        return RequestError(
            f"unknown key '{name}'", file=path, line=line, found=location[-1], expected=", ".join(keys), remedy=remedy
        )
    if first["type"] == "missing":
        return RequestError(f"the key '{name}' is missing", file=path, line=line, remedy=f"add `{location[-1]}: …`")
    return RequestError(
        f"wrong value of '{name}'", file=path, line=line, found=first.get("input"), expected=first["msg"]
    )
