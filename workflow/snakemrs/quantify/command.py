"""The command ``snakemrs quantify``: ratios and concentrations with their uncertainty."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from snakemrs.errors import RequestError
from snakemrs.io.tables import parse_number, write_table
from snakemrs.study.settings import load_settings
from snakemrs.study.settings.quantify import QuantifySettings

if TYPE_CHECKING:
    from snakemrs.quantify.inputs import Frame
    from snakemrs.quantify.propagation import Conditions

_FILE = click.Path(path_type=Path)
BASE = ["frame", "onset", "duration", "metabolite", "amplitude", "amplitude_sd", "crlb_percent"]
RATIOS = ["ratio_tcr", "ratio_tcr_sd", "ratio_tnaa", "ratio_tnaa_sd"]


@click.command()
@click.argument("amplitudes", type=_FILE)
@click.option("--tissue", type=_FILE, help="Tissue fractions of the voxel (of `snakemrs voxel`).")
@click.option("--constants", "own", type=_FILE, help="Relaxation times and water contents of one's own (YAML).")
@click.option(
    "--svs", type=_FILE, required=True, help="The spectrum that was fitted, for its echo and repetition time."
)
@click.option("--water", type=_FILE, help="The water reference, for its echo and repetition time.")
@click.option("--output", "prefix", required=True, help="Folder and beginning of the names of the tables.")
@click.option("--settings", "settings_source", help="Settings of the stage: JSON text, or a YAML or JSON file.")
def quantify(
    amplitudes: Path,
    tissue: Path | None,
    own: Path | None,
    svs: Path,
    water: Path | None,
    prefix: str,
    settings_source: str | None,
) -> None:
    """Turn fitted amplitudes into ratios, molarities and molalities.

    \b
    Example:
        snakemrs quantify sub-01_desc-static_amplitudes.tsv --tissue sub-01_tissue.tsv --svs sub-01_svs.nii.gz \\
            --water sub-01_mrsref.nii.gz --output sub-01_desc-static
    """
    settings = load_settings(QuantifySettings, settings_source)
    from snakemrs.io import nifti_mrs
    from snakemrs.quantify import inputs
    from snakemrs.quantify.propagation import Conditions
    from snakemrs.quantify.scale import water_scale
    from snakemrs.study.relaxation import UnknownFieldError, field_strength, load_constants
    from snakemrs.study.resources import constants

    if not amplitudes.exists():
        raise RequestError("the table of amplitudes does not exist", file=amplitudes)
    sums: dict[str, list[str]] = constants("fit_sums")["sums"]
    image = nifti_mrs.read(svs)
    reference = None if water is None else nifti_mrs.read(water)
    frames, note = inputs.read_frames(amplitudes, sums)
    notes = [note] if note else []
    signal, no_water = inputs.read_water(amplitudes)
    timing, no_timing = inputs.read_timing(image, reference, settings)
    fractions, spread, no_tissue = inputs.read_tissue(tissue)
    own = own or (Path(settings.constants) if settings.constants else None)
    known, no_constants = None, None
    try:
        known = load_constants(
            field_strength(image.spectrometer_frequency),
            metabolite_set=settings.metabolite_set,
            water_set=settings.water_set,
            content_set=settings.content_set,
            own=own,
        )
    except UnknownFieldError as error:
        if own is not None:
            raise
        no_constants = f"{error.message} ({error.found}); {error.remedy}"
    reason = no_water or no_timing or no_constants
    conditions, assumed = None, None
    if reason:
        notes.append(f"molar, molal and uncorrected values are n/a: {reason}")
    elif signal is not None and timing is not None and known is not None and reference is not None:
        factor, said = water_scale(image, reference, settings)
        signal = (signal[0] * factor, signal[1] * factor)
        notes += said
        guess = settings.assumed_tissue.model_dump()
        assumed = Conditions(timing, guess, known, settings.relaxation_by_tissue, settings.alpha)
        notes.append("uncorrected values assume " + ", ".join(f"{v:g} {t.upper()}" for t, v in guess.items()))
        notes += [f"constants of {kind}: {text}" for kind, text in known.sources.items()]
        if fractions is None:
            notes.append(f"molar and molal are n/a: {no_tissue}")
        else:
            conditions = replace(assumed, fractions=fractions)
    alpha, lacking = usable_alpha(settings.alpha, conditions)
    notes += lacking
    table = Table(sums, signal, conditions, assumed, spread, alpha)
    for frame in frames:
        table.add(frame)
    unknown = [name for name in alpha if name not in {row["metabolite"] for row in table.rows}]
    if unknown:
        notes.append(f"alpha-corrected values of {', '.join(unknown)} are n/a: not in the table of amplitudes")
    stem = prefix.rstrip("_")
    label = label_of(amplitudes)
    if label and not stem.endswith(f"_desc-{label}"):
        stem += f"_desc-{label}"
    columns = [*BASE, *RATIOS, "molar", "molar_sd", "molal", "molal_sd", "uncorrected", "uncorrected_sd"]
    if settings.alpha:
        columns += ["alpha_corrected", "alpha_corrected_sd"]
    write_table(f"{stem}_concentrations.tsv", table.rows, columns, dictionary(columns, notes))
    write_table(f"{stem}_uncertainty.tsv", table.parts, PART_COLUMNS, part_dictionary())
    write_table(f"{stem}_sensitivity.tsv", table.effects, EFFECT_COLUMNS, effect_dictionary())


def label_of(amplitudes: Path) -> str | None:
    """Give ``static`` of ``…_desc-static_amplitudes.tsv``."""
    import re

    found = re.search(r"_desc-([A-Za-z0-9]+)_amplitudes\.tsv$", amplitudes.name)
    return found.group(1) if found else None


LEAST_TISSUE = 0.05
"""Share of grey matter, and of white matter times alpha, below which there is nothing to divide by."""


def usable_alpha(alpha: dict[str, float], conditions: Conditions | None) -> tuple[dict[str, float], list[str]]:
    """Leave out what this voxel's tissue cannot give; with a note for each."""
    if conditions is None:
        return alpha, []
    gm, wm = conditions.fractions["gm"], conditions.fractions["wm"]
    usable = {name: a for name, a in alpha.items() if gm + a * wm >= LEAST_TISSUE}
    notes = [
        f"alpha-corrected values of {name} are n/a: with alpha {a:g} white matter counts too little, and there is "
        f"hardly any grey matter ({gm:.2f})"
        for name, a in alpha.items()
        if name not in usable
    ]
    return usable, notes


class Table:
    """Gathers the rows of the three tables, frame by frame."""

    def __init__(
        self,
        sums: dict[str, list[str]],
        water: tuple[float, float] | None,
        conditions: Conditions | None,
        assumed: Conditions | None,
        spread: dict[str, float],
        alpha: dict[str, float],
    ) -> None:
        from snakemrs.quantify.propagation import fraction_covariance

        self.sums, self.water, self.conditions, self.assumed = sums, water, conditions, assumed
        self.spread = spread
        self.fraction_cov = fraction_covariance(spread) if spread else None
        self.alpha = alpha
        self.rows: list[dict[str, Any]] = []
        self.parts: list[dict[str, Any]] = []
        self.effects: list[dict[str, Any]] = []
        # Sensitivities are shares, the same in all frames: they are given for the first that was fitted.
        self.told: set[str] = set()

    def members(self, name: str, frame: Frame) -> list[str] | None:
        """Give the fitted parts of a metabolite or a sum; None where not all of a sum were fitted."""
        if name in frame.names:
            return [name]
        parts = self.sums.get(name) or (name.split("+") if "+" in name else [])
        return parts if parts and set(parts) <= set(frame.names) else None

    def add(self, frame: Frame) -> None:
        """Add the rows of a frame."""
        import numpy as np

        from snakemrs.quantify.propagation import ratio

        def chosen(parts: list[str]) -> np.ndarray:
            return np.array([1.0 if name in parts else 0.0 for name in frame.names])

        bottoms = {}
        for column, name in (("ratio_tcr", "tCr"), ("ratio_tnaa", "tNAA")):
            # Where a basis has only one part of the sum (Cr of Cr + PCr), that part stands for it.
            below = [part for part in self.sums[name] if part in frame.names] or [n for n in frame.names if n == name]
            bottoms[column] = chosen(below) if below else None
        for source in frame.rows:
            name = source["metabolite"]
            row: dict[str, Any] = {k: source.get(k) for k in BASE}
            parts = self.members(name, frame)
            is_fitted = parts is not None and np.isfinite(frame.amplitudes[chosen(parts) > 0]).all()
            if parts is not None and is_fitted:
                for column, bottom in bottoms.items():
                    if bottom is None or source.get("difference") == "true":  # a contrast of a dynamic fit has no ratio
                        continue
                    found = ratio(chosen(parts), bottom, frame.amplitudes, frame.covariance)
                    if found:
                        row[column], row[f"{column}_sd"] = found
                if is_metabolite(source):
                    self._concentrations(row, parts, frame)
            self.rows.append(row)

    def _concentrations(self, row: dict[str, Any], parts: list[str], frame: Frame) -> None:
        import numpy as np

        from snakemrs.quantify.propagation import PARTS, Quantity, constant_effects, estimate

        if self.water is None or self.assumed is None:
            return
        name = row["metabolite"]
        index = [frame.names.index(part) for part in parts]
        values, covariance = frame.amplitudes[index], frame.covariance[np.ix_(index, index)]
        wanted: list[tuple[Quantity, Conditions | None, Any, float]] = [
            ("uncorrected", self.assumed, None, 1.0),
            ("molar", self.conditions, self.fraction_cov, 1.0),
            ("molal", self.conditions, self.fraction_cov, 1.0),
        ]
        if name in self.alpha:
            wanted.append(("alpha_corrected", self.conditions, self.fraction_cov, self.alpha[name]))
        for quantity, conditions, fraction_cov, alpha in wanted:
            if conditions is None:
                continue
            found = estimate(parts, values, covariance, self.water, conditions, quantity, fraction_cov, alpha)
            row[quantity], row[f"{quantity}_sd"] = found.value, found.sd
            self.parts.append(
                {
                    "frame": row["frame"],
                    "metabolite": name,
                    "quantity": quantity,
                    "value": found.value,
                    "sd": found.sd,
                    **{f"sd_{part}": found.parts[part] for part in PARTS},
                }
            )
        if name not in self.told:
            conditions = self.conditions or self.assumed
            quantity = "molal" if self.conditions else "uncorrected"
            signal = self.water[0]

            def value(c: Conditions) -> float:
                pairs = zip(parts, values, strict=True)
                return float(sum(c.factor(part, quantity) * amplitude for part, amplitude in pairs)) / signal

            here = value(conditions)
            if here > 0:
                self.told.add(name)
                self._effects(name, quantity, here, value, constant_effects(value, conditions), conditions)

    def _effects(
        self, name: str, quantity: str, here: float, value: Any, effects: dict[str, float], conditions: Conditions
    ) -> None:
        for constant, effect in effects.items():
            self.effects.append(
                {
                    "metabolite": name,
                    "quantity": quantity,
                    "constant": constant,
                    "sd_percent": 100 * conditions.relative_sd(constant),
                    "change_percent": 100 * effect / here,
                }
            )
        for constant, sd, change in self._moved(conditions):
            up, down = replace(conditions, fractions=change[0]), replace(conditions, fractions=change[1])
            self.effects.append(
                {
                    "metabolite": name,
                    "quantity": quantity,
                    "constant": constant,
                    "sd_percent": 100 * sd,
                    "change_percent": 50 * (value(up) - value(down)) / here,
                }
            )

    def _moved(self, conditions: Conditions) -> list[tuple[str, float, list[dict[str, float]]]]:
        """Fractions with one standard deviation more and less: grey for white matter, and CSF for both."""
        if not self.spread or conditions is not self.conditions:
            return []
        f, moves = conditions.fractions, []
        grey, csf = self.spread["gm"], self.spread["csf"]
        share = f["gm"] / (f["gm"] + f["wm"])
        for name, sd, way in (
            ("fraction_gm_for_wm", grey, {"gm": 1.0, "wm": -1.0, "csf": 0.0}),
            ("fraction_csf", csf, {"gm": -share, "wm": share - 1.0, "csf": 1.0}),
        ):
            moves.append((name, sd, [{t: f[t] + sign * sd * way[t] for t in f} for sign in (1, -1)]))
        return moves


def is_metabolite(row: dict[str, str]) -> bool:
    """Whether a row is a metabolite or a sum of metabolites: macromolecules and lipids have no known concentration."""
    import re

    if row.get("kind", "").lower() in ("macromolecule", "lipid"):
        return False
    return re.match(r"(?i)(mm(bl|exp)?$|mm[\d_.-]|lip|m\d\d?$|-)", row["metabolite"]) is None and (
        parse_number(row["amplitude"]) is not None
    )


PART_COLUMNS = ["frame", "metabolite", "quantity", "value", "sd", "sd_fit", "sd_water", "sd_tissue", "sd_constants"]
EFFECT_COLUMNS = ["metabolite", "quantity", "constant", "sd_percent", "change_percent"]


def dictionary(columns: list[str], notes: list[str]) -> dict[str, Any]:
    """Describe the columns of the table of concentrations."""
    known: dict[str, dict[str, str]] = {
        "frame": {"Description": "Frame, as in the table of amplitudes"},
        "onset": {"Description": "Start of the frame", "Units": "s"},
        "duration": {"Description": "Length of the frame", "Units": "s"},
        "metabolite": {"Description": "Metabolite, or sum of metabolites"},
        "amplitude": {"Description": "Signal at t = 0 per proton", "Units": "arbitrary"},
        "amplitude_sd": {
            "Description": "Its standard deviation: noise, baseline, priors, misfit",
            "Units": "arbitrary",
        },
        "crlb_percent": {"Description": "Cramér-Rao bound (no priors) over the amplitude", "Units": "%"},
        "ratio_tcr": {"Description": "Amplitude over that of total creatine, not corrected for relaxation"},
        "ratio_tnaa": {"Description": "Amplitude over that of total NAA, not corrected for relaxation"},
        "molar": {"Description": "Concentration in tissue, corrected for tissue and relaxation", "Units": "mmol/l"},
        "molal": {
            "Description": "Concentration in tissue water, corrected for tissue and relaxation",
            "Units": "mmol/kg",
        },
        "uncorrected": {
            "Description": "Concentration by water NOT corrected for the voxel's tissue: a fixed one is assumed",
            "Units": "mmol/l",
        },
        "alpha_corrected": {
            "Description": "Concentration in grey matter with a fixed white-to-grey ratio (Harris 2015)",
            "Units": "mmol/l",
        },
    }
    for name in ("ratio_tcr", "ratio_tnaa", "molar", "molal", "uncorrected", "alpha_corrected"):
        known[f"{name}_sd"] = {"Description": f"Standard deviation of {name}"}
        if "Units" in known[name]:
            known[f"{name}_sd"]["Units"] = known[name]["Units"]
    return {column: known[column] for column in columns} | {"Notes": {"Description": "; ".join(notes) or "none"}}


def part_dictionary() -> dict[str, Any]:
    """Describe the columns of the table of uncertainty."""
    return {
        "frame": {"Description": "Frame, as in the table of amplitudes"},
        "metabolite": {"Description": "Metabolite, or sum of metabolites"},
        "quantity": {"Description": "molar, molal, uncorrected or alpha_corrected"},
        "value": {"Description": "Value of the quantity", "Units": "mmol/l or mmol/kg"},
        "sd": {"Description": "Standard deviation of all parts together", "Units": "as the value"},
        "sd_fit": {"Description": "Part of the fit (covariance of the amplitudes)", "Units": "as the value"},
        "sd_water": {"Description": "Part of the water amplitude", "Units": "as the value"},
        "sd_tissue": {"Description": "Part of the tissue fractions", "Units": "as the value"},
        "sd_constants": {
            "Description": "Part of relaxation times and water contents; common to all participants",
            "Units": "as the value",
        },
    }


def effect_dictionary() -> dict[str, Any]:
    """Describe the columns of the table of sensitivity."""
    return {
        "metabolite": {"Description": "Metabolite, or sum of metabolites"},
        "quantity": {"Description": "The quantity that changes"},
        "constant": {
            "Description": "What is changed by one standard deviation: a constant; fraction_gm_for_wm, grey matter "
            "more and white matter less; fraction_csf, CSF more and both others less in proportion"
        },
        "sd_percent": {
            "Description": "Standard deviation of the constant, or of the fraction in % of the voxel",
            "Units": "%",
        },
        "change_percent": {"Description": "Change of the quantity for one standard deviation more", "Units": "%"},
    }
