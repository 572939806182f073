"""The methods text: each stage says in its own words what it did, from what its files say.

A sentence about a step stands here only if the step left its record (a processing step in the header, a fit, a table).
Markers such as ``[@near2021]`` name entries of references.bib.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from snakemrs.report.methods.evidence import Evidence, mean_and_sd, several, span

Sentences = list[str]


def acquisition(evidence: Evidence) -> Sentences:
    """Scanner, sequence, voxel, as the headers have them."""
    if not evidence.spectra:
        return ["No spectrum was preprocessed."]
    header = evidence.header_values
    count = len(evidence.spectra)
    text = [
        f"Spectra were available of {evidence.participants} participant{_s(evidence.participants)} in "
        f"{evidence.sessions} session{_s(evidence.sessions)} (n = {count} spectr{'um' if count == 1 else 'a'}"
        + (f" of {evidence.planned} planned" if evidence.planned != count else "")
        + ")."
    ]
    scanner = " ".join(
        part
        for part in (
            span(header("MagneticFieldStrength") or _field(evidence), "T", digits=2),
            several(header("Manufacturer")),
            several(header("ManufacturersModelName")),
        )
        if part
    )
    sequence = several(header("PulseSequenceType") or header("SequenceName"))
    timing = [
        f"TE {span(header('EchoTime'), 'ms', 1e3)}" if header("EchoTime") else "",
        f"TR {span(header('RepetitionTime'), 'ms', 1e3)}" if header("RepetitionTime") else "",
        f"{span(header('NumberOfTransients'))} transients" if header("NumberOfTransients") else "",
        f"{span([s.points for s in evidence.spectra])} points at {span([s.bandwidth for s in evidence.spectra], 'Hz')}",
    ]
    sizes = several("×".join(f"{v:.0f}" for v in s.size) for s in evidence.spectra)
    where = f" in {', '.join(evidence.sites)}" if evidence.sites else ""
    text.append(
        f"{several(header('ResonantNucleus')) or 'MR'} spectra were acquired"
        + (f" on a {scanner} scanner" if scanner else "")
        + (f" with {_sequence(sequence)}" if sequence else "")
        + f" ({', '.join(t for t in timing if t)}) from a voxel of {sizes} mm³{where}."
    )
    waters = [s for s in evidence.spectra if s.water is not None]
    if waters:
        te = span(header("EchoTime", water=True), "ms", 1e3)
        text.append(
            f"An unsuppressed water reference was available for {len(waters)} of {count} spectra"
            + (f" (TE {te})." if te else ".")
        )
    else:
        text.append("There was no unsuppressed water reference.")
    if evidence.nulled:
        text.append(f"Inversion-nulled macromolecule spectra were acquired too (n = {evidence.nulled}).")
    return text


def _field(evidence: Evidence) -> list[float]:
    """Field in tesla from the proton frequency, where no header states it."""
    return [
        round(float(f) / 42.577, 1)
        for f, n in zip(
            evidence.header_values("SpectrometerFrequency"), evidence.header_values("ResonantNucleus"), strict=False
        )
        if n == "1H"
    ]


def conversion(evidence: Evidence) -> Sentences:
    """From raw files to BIDS."""
    method = several(str(v) for v in evidence.header_values("ConversionMethod")) or evidence.version("spec2nii")
    return [
        f"Raw data were converted to NIfTI-MRS [@clarke2022] by {method} and named by the Brain Imaging Data Structure "
        "[@gorgolewski2016]."
    ]


def preprocessing(evidence: Evidence) -> Sentences:
    """Steps of the stage spectra that are in the headers, with how many spectra they were applied to."""
    if not evidence.spectra:
        return []
    settings = evidence.stage("spectra")
    total = len(evidence.spectra)
    wording: list[tuple[str, Callable[[Mapping[str, object]], str]]] = [
        (
            "RF coil combination",
            lambda s: "receive coils were combined by whitened singular value decomposition [@rodgers2010]",
        ),
        (
            "Eddy current correction",
            lambda s: "eddy currents were corrected by the phase of the water reference [@klose1990]",
        ),
        (
            "Removal of outlier transients",
            lambda s: f"outlying transients (robust z above {s.get('outlier_z')}) were left out",
        ),
        (
            "Weighting of outlier transients",
            lambda s: (
                f"outlying transients (robust z above {s.get('outlier_z')}) were "
                + ("given less weight" if s.get("outliers") == "weight" else "marked")
            ),
        ),
        ("Signal averaging", lambda s: "transients were averaged"),
        (
            "Residual water removal",
            lambda s: (
                f"residual water was removed by HLSVD [@laudadio2002; @soher2023] "
                f"({s.get('water_components')} components, {_pair(s.get('water_range'))} ppm)"
            ),
        ),
    ]
    done = []
    if settings.get("align", True) and evidence.steps.get("Signal averaging"):
        done.append(
            "transients were aligned in frequency and phase by robust spectral registration over "
            f"{_pair(settings.get('align_range'))} ppm [@near2015; @wilson2019]"
            + _share(evidence.steps["Signal averaging"], total)
        )
    for name, words in wording:
        if evidence.steps.get(name):
            done.append(words(settings) + _share(evidence.steps[name], total))
    if evidence.steps.get("Frequency and phase correction"):
        done.append(
            "the frequency axis and the zero-order phase were set by NAA (2.01 ppm) with creatine and choline"
            + _share(evidence.steps["Frequency and phase correction"], total)
        )
    order = ["coil", "eddy", "aligned", "outlying", "averaged", "frequency axis", "residual"]
    done.sort(key=lambda text: next((n for n, word in enumerate(order) if word in text), len(order)))
    programs = several(evidence.programs) or "SnakeMRS"
    text = [
        f"Spectra were preprocessed with {programs} in the order of the consensus [@near2021]"
        + (": " + "; ".join(done) if done else "")
        + "."
    ]
    series = [t for t in evidence.frames if len(t.rows) > 1]
    if series:
        lengths = [n for t in series for n in t.numbers("duration")]
        counts = span([len(t.rows) for t in series])
        how = {"sliding": "overlapping (for figures only)", "events": "event-locked"}.get(
            str(settings.get("frames")), "consecutive, non-overlapping"
        )
        text.append(f"Transients were also averaged to {counts} {how} frames of {span(lengths, 's', digits=3)} each.")
    spread = ", mean ± SD" if len(evidence.quality) > 1 else ""
    rules = "Quality was judged by limits set beforehand [@oz2021; @kreis2021]"
    figures = [
        f"{label} {value}"
        for label, metric, unit in (("SNR", "snr", ""), ("line width of NAA", "line_width_naa", " Hz"))
        if (found := mean_and_sd(evidence.quality, metric))
        for value in [found.replace(" (n", f"{unit} (n")]
    ]
    text.append(rules + (f"; {', '.join(figures)}{spread} after preprocessing." if figures else "."))
    return text


def anatomy(evidence: Evidence) -> Sentences:
    """Segmentation and the voxel in it."""
    if not evidence.anatomies:
        return ["No T1-weighted image was segmented."]
    settings = evidence.stage("anatomy")
    said = [m.group(1) for n in evidence.anatomy_notes if (m := re.search(r"[Ss]egmented by (\w+)", n))]
    backend = several(said) or str(settings.get("backend"))
    stripped = [note for note in evidence.anatomy_notes if "skull-stripped already: True" in note]
    ready = bool(stripped) and len(stripped) == len(evidence.anatomies)
    extraction = "registered to" if ready else "brain-extracted by registration of"
    extraction += " the ICBM 152 template [@fonov2011; @avants2008] and "
    words = {
        "atropos": f"{extraction}segmented into grey matter, white matter and CSF by Atropos [@avants2011]",
        "hmrf": "segmented into grey matter, white matter and CSF by the hidden Markov random field of DIPY "
        "[@zhang2001; @garyfallidis2014]",
        "fast": "segmented into grey matter, white matter and CSF by FSL FAST [@zhang2001]",
        "synthseg": "segmented into grey matter, white matter and CSF by SynthSeg [@billot2023]",
        "precomputed": "taken with the tissue maps that existed already",
    }
    count = len(evidence.anatomies)
    start = f"T1-weighted images (n = {count}){', skull-stripped already,' if ready else ''} were "
    bias = settings.get("bias_correction", True) and backend != "precomputed"
    text = [
        start
        + ("corrected for bias field (N4) [@tustison2010], " if bias else "")
        + words.get(backend, f"segmented by {backend}")
        + "."
    ]
    if evidence.tissue:
        shares = ", ".join(
            f"{label} {value}"
            for label, column in (("grey matter", "gm"), ("white matter", "wm"), ("CSF", "csf"))
            if (value := span([v for t in evidence.tissue for v in t.numbers(column) if v == v], "%", 100, 3))
        )
        text.append(
            f"The voxel was mapped to the T1-weighted image as a fractional mask (n = {len(evidence.tissue)}); its "
            f"tissue fractions were {shares}."
        )
    return text


def fitting(evidence: Evidence) -> Sentences:
    """The linear-combination model."""
    if not evidence.fits:
        return ["No spectrum was fitted."]
    record = evidence.fits[0]
    settings = {**evidence.stage("fit"), **_mapping(record.get("settings"))}
    basis = _mapping(record.get("basis"))
    names = list(basis.get("names", []))
    source = basis.get("source")
    simulated = "simulat" in str(source).lower() or "simulat" in str(record.get("notes", "")).lower()
    text = [
        f"Spectra (n = {len(evidence.fits)}) were fitted as a linear combination of a basis set"
        + (f" ({len(names)} entries: {', '.join(map(str, names))})" if names else "")
        + f" over {_pair(settings.get('window'))} ppm by variable projection [@golub1973], with non-negative "
        f"amplitudes, a {str(settings.get('line_shape', 'voigt')).capitalize()} line shape"
        + {
            "auto": " and a penalised spline baseline whose stiffness the data choose [@wilson2021]",
            "fixed": " and a penalised spline baseline of "
            f"{settings.get('baseline_ed_per_ppm')} effective parameters per ppm",
            "none": " and no baseline",
        }.get(str(settings.get("baseline")), " and a spline baseline")
        + "."
    ]
    if simulated:
        te = span([1e3 * float(basis["echo_time"])], "ms") if basis.get("echo_time") else None
        text.append(
            "The basis was simulated by density matrices with ideal pulses for "
            + _sequence(str(basis.get("sequence") or "the sequence"))
            + (f", TE {te}" if te else "")
            + ", chemical shifts and couplings of [@govindaraju2000]."
        )
    macromolecules = {
        "auto": "Macromolecules came from the basis, or from parametric lines where it has none [@cudalbu2021].",
        "basis": "Macromolecules came from the basis.",
        "parametric": "Macromolecules were parametric lines [@cudalbu2021].",
        "measured": "Macromolecules were measured with inversion nulling.",
        "none": "The model has no macromolecules.",
    }.get(str(settings.get("macromolecules")))
    if macromolecules:
        text.append(macromolecules)
    if settings.get("soft_priors"):
        text.append("Weakly determined metabolites had soft priors on their ratio to total creatine.")
    text.append(
        "Standard deviations hold noise, baseline, priors and what the model misses; relative bounds are the "
        "Cramér–Rao bounds of the full model [@cavassila2001]; no value was left out for its relative bound alone "
        "[@kreis2016]."
    )
    if evidence.dynamic:
        designs = [_mapping(fit.get("design")) for fit in evidence.dynamic]
        regressors = several(", ".join(map(str, d.get("regressors", []))) for d in designs)
        width = any(d.get("line_width") for d in designs)
        text.append(
            "All transients of a session were fitted jointly too "
            f"(in {len(evidence.dynamic)} of {len(evidence.spectra)} spectra), "
            f"the amplitudes as a linear model of {regressors}"
            + (", the line width with regressors of its own." if width else ".")
        )
    doubtful = sum(
        any(isinstance(f, Mapping) and f.get("status") not in (None, "ok") for f in fit.get("frames", []))
        for fit in evidence.fits
    )
    if doubtful:
        text.append(f"Marked doubtful or failed: {doubtful} of {len(evidence.fits)} fits.")
    return text


def quantification(evidence: Evidence) -> Sentences:
    """Ratios and concentrations."""
    if not evidence.concentrations:
        return ["No concentrations were computed."]
    kinds = evidence.kinds_of_values()
    settings = evidence.stage("quantify")
    ratios = [{"ratio_tcr": "total creatine", "ratio_tnaa": "total NAA"}[k] for k in kinds if k.startswith("ratio")]
    text = []
    if ratios:
        text.append(f"Ratios to {' and to '.join(ratios)} carry the covariance of the fit.")
    if "molal" in kinds or "molar" in kinds:
        units = [
            {"molal": "mmol per kg of tissue water", "molar": "mmol per litre of tissue"}[k]
            for k in ("molal", "molar")
            if k in kinds
        ]
        text.append(
            f"Concentrations ({' and '.join(units)}) were computed from the water reference with tissue fractions, CSF "
            "as mole fraction of water, and relaxation of water and metabolites [@near2021; @gasparovic2006]; sets of "
            f"constants: water “{settings.get('water_set')}”, metabolites “{settings.get('metabolite_set')}”, water "
            f"content “{settings.get('content_set')}”."
        )
    missing = [note for t in evidence.concentrations for note in t.notes()]
    if missing:
        text.append("As recorded by the step: " + "; ".join(dict.fromkeys(missing)).rstrip(".") + ".")
    return text


def statistics(evidence: Evidence) -> Sentences:
    """Models of the group, from the record beside each table of results."""
    text = []
    for name, table in evidence.statistics.items():
        model = table.dictionary.get("Model")
        if not isinstance(model, Mapping):
            continue
        formula = model.get("Formula")
        if not formula or name.endswith("anova"):
            continue
        df = str(model.get("DegreesOfFreedom") or "")
        names = {"kenward-roger": "Kenward–Roger [@kenward1997]", "satterthwaite": "Satterthwaite [@satterthwaite1946]"}
        rows = model.get("Rows")
        text.append(
            f"{name.replace('_', ' ').replace('/', ', ').capitalize()}: `{formula}`"
            + (f", {rows} rows" if rows else "")
            + (f", degrees of freedom by {names.get(df, df)}" if df else "")
            + "."
        )
    if text:
        text.insert(0, "Mixed models were fitted by restricted maximum likelihood.")
    results = evidence.statistics.get("results")
    rows = results.rows if results is not None else []
    analyses = {row.get("analysis", "") for row in rows}
    families = {row.get("family", ""): row.get("outcome", "") for row in rows if row.get("p_adjusted", "n/a") != "n/a"}
    if "2x2 test" in analyses:
        text.append("Beside it, changes per session were compared in a 2 × 2 test adjusted for the period.")
    if "secondary" in families:
        text.append("Secondary outcomes were corrected by Holm's procedure [@holm1979].")
    if "exploratory" in families:
        text.append("Exploratory outcomes were corrected by Benjamini and Hochberg [@benjamini1995].")
    if "association" in analyses:
        samples = evidence.stage("group").get("bootstrap")
        text.append(
            "Changes of metabolites and of scores were correlated as differences between conditions, adjusted for the "
            "sequence, with "
            f"bias-corrected and accelerated bootstrap intervals [@efron1987] ({samples} samples by participant)."
        )
    if evidence.specifications is not None:
        text.append(
            f"The primary effect was estimated under {len(evidence.specifications.rows)} choices (specification curve) "
            "[@simonsohn2020]."
        )
    if text and evidence.unblinded is not None:
        text.append("Conditions were unmasked after the result was frozen." if evidence.unblinded else
                    "Conditions were masked codes in all analyses.")  # fmt: skip
    said = evidence.statements.rows if evidence.statements is not None else []
    changes = [row["text"] for row in said if row.get("kind") == "override"]
    if changes:
        text.append("Overridden by the study: " + "; ".join(changes) + ".")
    if not text:
        reasons = dict.fromkeys(row.get("text", "") for row in said if row.get("kind") == "left out")
        text = ["No statistical test was made." + (f" {_first(list(reasons))}" if reasons else "")]
    return text


def software(evidence: Evidence) -> Sentences:
    """Versions of what took part."""
    names = [evidence.version(name) for name in evidence.versions]
    return [
        "The workflow runs under Snakemake [@molder2021] with nipype interfaces [@gorgolewski2011]. Versions: "
        + ", ".join(names)
        + "."
    ]


SECTIONS: tuple[tuple[str, Callable[[Evidence], Sentences]], ...] = (
    ("Acquisition", acquisition),
    ("Conversion", conversion),
    ("Preprocessing", preprocessing),
    ("Anatomy and voxel", anatomy),
    ("Fitting", fitting),
    ("Quantification", quantification),
    ("Statistics", statistics),
    ("Software", software),
)


_ACRONYMS = {"press": "PRESS", "steam": "STEAM", "slaser": "sLASER", "semilaser": "sLASER", "megapress": "MEGA-PRESS"}


def _first(reasons: list[str]) -> str:
    more = f" and {len(reasons) - 1} more reasons" if len(reasons) > 1 else ""
    return f"Left out: {reasons[0]}{more}."


def _sequence(name: str) -> str:
    return _ACRONYMS.get(name.lower(), name)


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _share(count: int, total: int) -> str:
    return "" if count == total else f" (in {count} of {total} spectra)"


def _pair(value: object) -> str:
    if isinstance(value, (list, tuple)) and len(value) == 2:
        return f"{value[0]:g}–{value[1]:g}"
    return "the fitted"
