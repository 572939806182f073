"""Reporting checklists: MRSinMRS (Lin et al. 2021) and the CONSORT extension to crossover trials (Dwan et al. 2019).

What the headers, the configuration and the results tell is filled in; what they do not tell stands as missing, so that
the authors see what is left to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from snakemrs.report.methods.evidence import Evidence, mean_and_sd, several, span
from snakemrs.report.methods.sentences import _field

COLUMNS = ("section", "item", "value", "status", "source")
DICTIONARY: dict[str, dict[str, Any]] = {
    "section": {"Description": "Section of the checklist"},
    "item": {"Description": "Item of the checklist"},
    "value": {"Description": "What the study's files say; ranges where spectra differ"},
    "status": {
        "Description": "Whether the item could be filled",
        "Levels": {
            "filled": "from the study's files",
            "partly": "the files say a part: for the authors to complete",
            "missing": "not in the files: for the authors to fill",
            "not applicable": "does not apply to this study",
        },
    },
    "source": {"Description": "Where the value comes from"},
}
Row = dict[str, str | None]


def _row(section: str, item: str, value: str | None, source: str, applies: bool = True) -> Row:
    if not applies:
        return {"section": section, "item": item, "value": None, "status": "not applicable", "source": source}
    status = "filled" if value else "missing"
    return {"section": section, "item": item, "value": value, "status": status, "source": source if value else None}


def _partly(row: Row, part: bool) -> Row:
    return {**row, "status": "partly"} if part and row["value"] else row


def mrsinmrs(evidence: Evidence) -> list[Row]:
    """Fill the MRSinMRS table (Lin et al., NMR Biomed 2021, 34:e4484, table 1)."""
    header = evidence.header_values
    hardware, acquired, analysis, quality = "1. Hardware", "2. Acquisition", "3. Data analysis", "4. Data quality"
    fit = evidence.stage("fit")
    steam = "STEAM" in str(several(header("PulseSequenceType") or header("SequenceName"))).upper()
    coil = [
        several(header("ReceiveCoilName")),
        f"{span(header('ReceiveCoilElements'))} elements" if header("ReceiveCoilElements") else None,
    ]
    sizes = several(" × ".join(f"{v:.1f}" for v in s.size) for s in evidence.spectra)
    frames = [len(t.rows) for t in evidence.frames if len(t.rows) > 1]
    water = [s for s in evidence.spectra if s.water is not None]
    sequence = several(header("PulseSequenceType") or header("SequenceName"))
    field = span(header("MagneticFieldStrength") or _field(evidence), "T", digits=2)
    technique = several(header("WaterSuppressionTechnique") or header("WaterSuppression"))
    suppressed = header("WaterSuppressed")
    suppression = technique or (f"suppressed in {sum(map(bool, suppressed))} spectra" if any(suppressed) else None)
    model, release = several(header("ManufacturersModelName")), several(header("SoftwareVersions"))
    machine = _joined(model, release)
    shim = several(header("ShimmingMethod") or header("Shim"))
    naa, water_width = (mean_and_sd(evidence.quality, f"line_width_{name}") for name in ("naa", "water"))
    sites = several(header("BodyPartDetails")) or ", ".join(evidence.sites)
    where, spread = "label of the scans", "quality tables, mean ± SD"
    reference = _joined(
        f"{len(water)} of {len(evidence.spectra)} spectra" if water else None,
        f"TE {span(header('EchoTime', water=True), 'ms', 1e3)}" if header("EchoTime", water=True) else None,
        f"TR {span(header('RepetitionTime', water=True), 'ms', 1e3)}" if header("RepetitionTime", water=True) else None,
    )
    steps = "; ".join(f"{name} ({n} of {len(evidence.spectra)} spectra)" for name, n in evidence.steps.items()) or None
    software = evidence.version("snakemrs").replace("snakemrs", "SnakeMRS")
    lines = [
        _row(hardware, "a. Field strength", field, "header"),
        _row(hardware, "b. Manufacturer", several(header("Manufacturer")), "header"),
        _partly(_row(hardware, "c. Model and software version", machine, "header"), None in (model, release)),
        _row(hardware, "d. RF coils", _joined(*coil), "header"),
        _row(hardware, "e. Additional hardware", None, ""),
        _row(acquired, "a. Pulse sequence", sequence, "header"),
        _row(acquired, "b. Volume of interest: location", sites, where),
        _row(acquired, "c. Nominal volume of interest", f"{sizes} mm" if sizes else None, "header"),
        _row(acquired, "d. TE", span(header("EchoTime"), "ms", 1e3), "header"),
        _row(acquired, "d. TR", span(header("RepetitionTime"), "ms", 1e3), "header"),
        _row(acquired, "e. Excitations per spectrum", span(header("NumberOfTransients")), "header"),
        _row(acquired, "e. Spectra per time series", span(frames), "frames' quality tables", bool(frames)),
        _row(acquired, "e. Averaging of the time series", _averaging(evidence), "settings", bool(frames)),
        _row(acquired, "f. Spectral width", span([s.bandwidth for s in evidence.spectra], "Hz"), "header"),
        _row(acquired, "f. Spectral points", span([s.points for s in evidence.spectra]), "header"),
        _row(acquired, "f. Frequency offset", span(header("TxOffset"), "ppm"), "header"),
        _row(acquired, "f. Mixing time", span(header("MixingTime"), "ms", 1e3), "header", steam),
        _row(acquired, "f. Nucleus", several(header("ResonantNucleus")), "header"),
        _partly(_row(acquired, "g. Water suppression", suppression, "header"), technique is None),
        _row(acquired, "h. Shimming, reference peak, thresholds", shim, "header"),
        _row(acquired, "i. Triggering or motion correction", several(header("GatingOrTriggering")), "header"),
        _row(acquired, "Water reference", reference, "header"),
        _row(analysis, "a. Analysis software", software, "installed version"),
        _row(analysis, "b. Processing steps", steps, "ProcessingApplied"),
        _row(analysis, "c. Output measure", ", ".join(_measures(evidence)) or None, "concentrations"),
        _row(analysis, "d. Quantification reference", _reference(evidence), "concentrations"),
        _row(analysis, "d. Fitting model and basis", _model(evidence, fit), "fit.json"),
        _row(quality, "a. SNR", mean_and_sd(evidence.quality, "snr"), spread),
        _row(quality, "a. Line width of NAA", _with(naa, "Hz"), spread),
        _row(quality, "a. Line width of water", _with(water_width, "Hz"), spread),
        _row(quality, "b. Data exclusion criteria", _exclusion(evidence), "quality tables, completeness"),
        _row(quality, "c. Quality of the fit", _fit_quality(evidence), "concentrations, fit.json"),
        _row(quality, "d. Sample spectrum", "in the page of each participant" if evidence.fits else None, "report"),
    ]  # fmt: skip
    return lines


def _joined(*parts: str | None) -> str | None:
    return ", ".join(part for part in parts if part) or None


def _with(value: str | None, unit: str) -> str | None:
    return None if value is None else value.replace(" (n", f" {unit} (n")


def _averaging(evidence: Evidence) -> str | None:
    kind = str(evidence.stage("spectra").get("frames", ""))
    return {"sliding": "moving average", "events": "event-locked", "fixed": "block-wise", "auto": "block-wise"}.get(
        kind
    )


def _measures(evidence: Evidence) -> list[str]:
    words = {"ratio_tcr": "ratio to tCr", "ratio_tnaa": "ratio to tNAA", "molar": "mmol/l", "molal": "mmol/kg"}
    return [words[kind] for kind in evidence.kinds_of_values()]


def _reference(evidence: Evidence) -> str | None:
    kinds = evidence.kinds_of_values()
    if "molal" in kinds or "molar" in kinds:
        settings = evidence.stage("quantify")
        return (
            f"tissue water with fractions of the voxel; constants: water {settings.get('water_set')}, metabolites "
            f"{settings.get('metabolite_set')}, content {settings.get('content_set')}"
        )
    return "internal ratio" if kinds else None


def _model(evidence: Evidence, settings: Mapping[str, Any]) -> str | None:
    if not evidence.fits:
        return None
    basis = evidence.fits[0].get("basis")
    names = basis.get("names", []) if isinstance(basis, Mapping) else []
    window = settings.get("window")
    return _joined(
        "linear combination by variable projection",
        f"{window[0]:g} to {window[1]:g} ppm" if isinstance(window, (list, tuple)) else None,
        f"baseline {settings.get('baseline')}" if settings.get("baseline") else None,
        f"{len(names)} entries in the basis: {' '.join(map(str, names))}" if names else None,
    )


def _exclusion(evidence: Evidence) -> str | None:
    rules = [row.get("rule", "n/a") for t in evidence.quality for row in t.rows]
    met = sorted({rule for rule in rules if rule not in ("n/a", "")})
    excluded = 0
    if evidence.completeness is not None:
        excluded = len({(r.get("participant"), r.get("session")) for r in evidence.completeness.rows
                        if r.get("status") == "excluded"})  # fmt: skip
    if not evidence.quality:
        return None
    text = "limits of config/constants/quality.yaml, set beforehand"
    text += f"; crossed: {'; '.join(met)}" if met else "; none crossed"
    return f"{text}; {excluded} sessions excluded"


def _fit_quality(evidence: Evidence) -> str | None:
    import numpy as np

    parts = []
    for metabolite in ("tNAA", "tCr", "Glu", "Glx"):
        values = [v for t in evidence.concentrations for v in t.where(metabolite=metabolite).numbers("crlb_percent")]
        finite = [v for v in values if np.isfinite(v)]
        if finite:
            parts.append(f"CRLB {metabolite} {np.median(finite):.2g} %")
    return _joined(*parts)


CONSORT_COLUMNS = ("item", "topic", "value", "status")
CONSORT_DICTIONARY: dict[str, dict[str, Any]] = {
    "item": {"Description": "Item of CONSORT 2010 with the extension to crossover trials"},
    "topic": {"Description": "What the item asks for"},
    "value": {"Description": "What the study's files say"},
    "status": DICTIONARY["status"],
}


def consort(evidence: Evidence) -> list[Row]:
    """Fill what a study's files know of CONSORT for crossover trials (Dwan et al., BMJ 2019, 366:l4378)."""
    outcomes = evidence.stage("group").get("outcomes")
    outcomes = outcomes if isinstance(outcomes, Mapping) else {}
    design = evidence.stage("group").get("design")
    blinded = design.get("blinded") if isinstance(design, Mapping) else None
    flow = None
    if evidence.flow is not None:
        flow = "; ".join(" ".join(f"{k} {v}" for k, v in row.items() if v != "n/a") for row in evidence.flow.rows[:12])
    status: dict[str, set[tuple[str, str]]] = {}
    if evidence.completeness is not None:
        for row in evidence.completeness.rows:
            unit = (row.get("participant", ""), row.get("session", ""))
            status.setdefault(row.get("status", "n/a"), set()).add(unit)
    counted = ", ".join(
        f"{len(units)} sessions {name}" for name, units in status.items() if name not in ("done", "n/a")
    )
    models = [str(m.get("Formula")) for t in evidence.statistics.values()
              if isinstance(m := t.dictionary.get("Model"), Mapping) and m.get("Formula")]  # fmt: skip
    tests = evidence.statistics["results"].rows if "results" in evidence.statistics else []
    carry = "; ".join(
        f"{row['outcome']}: p {row['p'][:6]}"
        for row in tests
        if row.get("term") == "carry-over" and row.get("p") != "n/a"
    )
    effects = "in group/statistics" if evidence.statistics else None
    secondary = outcomes.get("secondary")
    items = [
        ("1a", "Title names a randomised crossover trial", None),
        ("3a", "Design: crossover, number and length of periods, washout", None),
        ("4a", "Eligibility", None),
        ("5", "Interventions with sequence and timing", None),
        ("6a", "Primary and secondary outcomes declared beforehand",
         _joined(f"primary {outcomes.get('primary')}" if outcomes.get("primary") else None,
                 f"secondary {', '.join(secondary)}" if isinstance(secondary, (list, tuple)) and secondary else None)),
        ("7a", "Sample size, with the within-participant variability assumed", None),
        ("8a", "Random sequence", None),
        ("11a", "Who was blinded", "analysis on masked codes until the result is frozen" if blinded else None),
        ("12a", "Statistical methods that respect the pairing", "; ".join(dict.fromkeys(models)) or None),
        ("13a", "Flow by sequence and period", flow),
        ("13b", "Losses and exclusions by sequence and period, with reasons", counted or None),
        ("15", "Baseline characteristics by sequence and period", None),
        ("16", "Numbers analysed", f"{evidence.participants} participants, {evidence.sessions} sessions"
         if evidence.participants else None),
        ("17a", "Effects with intervals from within-participant comparisons", effects),
        ("19", "Harms by intervention and period", None),
        ("20", "Carry-over considered", carry),
    ]  # fmt: skip
    return [
        {"item": item, "topic": topic, "value": value, "status": "filled" if value else "missing"}
        for item, topic, value in items
    ]
