"""Where a result comes from: processing steps, versions, settings that differ from the default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from snakemrs.report.inputs import Changed, Reader, SpectrumInputs

PACKAGES = (
    "snakemrs",
    "numpy",
    "scipy",
    "nibabel",
    "antspyx",
    "dipy",
    "nilearn",
    "spec2nii",
    "nipype",
    "snakemake",
)


@dataclass(frozen=True)
class Step:
    """A processing step as the file itself tells it."""

    method: str
    details: str
    program: str


def processing_steps(reader: Reader, spectrum: SpectrumInputs, fit: Mapping[str, Any] | None) -> list[Step]:
    """Read ``ProcessingApplied`` of the preprocessed spectrum and the record of the fit."""
    image = reader.image(spectrum.path("desc-preproc_svs.nii.gz"))
    applied = image.header.get("ProcessingApplied", []) if image is not None else []
    steps = [
        Step(
            str(a.get("Method", "")),
            str(a.get("Details", "")),
            f"{a.get('Program', '')} {a.get('Version', '')}".strip(),
        )
        for a in applied
        if isinstance(a, Mapping)
    ]
    if fit:
        basis = fit.get("basis")
        text = _basis(basis) if isinstance(basis, Mapping) else str(basis or "")
        program = f"{fit.get('program', 'SnakeMRS')} {fit.get('version', '')}".strip()
        steps.append(Step("Linear-combination fit", f"basis: {text}" if text else "", program))
    return steps


def _basis(basis: Mapping[str, Any]) -> str:
    """Say what the basis is: name or sequence, echo time, origin."""
    source = basis.get("source")
    origin = source.get("origin") if isinstance(source, Mapping) else source
    echo_time = basis.get("echo_time")
    parts = [
        basis.get("name") or basis.get("path") or basis.get("sequence"),
        f"TE {1e3 * echo_time:g} ms" if isinstance(echo_time, (int, float)) else None,
        f"{len(basis['names'])} entries" if isinstance(basis.get("names"), list) else None,
        origin,
    ]
    return ", ".join(str(part) for part in parts if part)


def changed_settings(settings: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str = "") -> list[Changed]:
    """List the settings that differ from their default, by dotted name."""
    found = []
    for key, value in settings.items():
        name = f"{prefix}{key}"
        default = defaults.get(key)
        if isinstance(value, Mapping) and isinstance(default, Mapping):
            found += changed_settings(value, default, f"{name}.")
        elif value != default:
            found.append(Changed(name, _short(value), _short(default)))
    return found


def _short(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def versions(packages: tuple[str, ...] = PACKAGES) -> dict[str, str]:
    """Versions of the packages that take part, as installed."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
