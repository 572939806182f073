"""The methods text: each stage says in its own words what it did, from what its files say.

A sentence about a step stands here only if the step left its record (a processing step in the header, a fit, a table).
Markers such as ``[@near2021]`` name entries of references.bib.
"""

from __future__ import annotations

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
        + (f" at {scanner}" if scanner else "")
        + (f" with {sequence}" if sequence else "")
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
    if evidence.frames:
        lengths = [n for t in evidence.frames for n in t.numbers("duration")]
        counts = span([len(t.rows) for t in evidence.frames])
        how = {"sliding": "overlapping (for figures only)", "events": "event-locked"}.get(
            str(settings.get("frames")), "consecutive, non-overlapping"
        )
        text.append(f"Transients were also averaged to {counts} {how} frames of {span(lengths, 's', digits=3)} each.")
    rules = "Quality was judged by limits set beforehand [@oz2021; @kreis2021]"
    figures = [
        f"{label} {value}"
        for label, metric, unit in (("SNR", "snr", ""), ("line width of NAA", "line_width_naa", " Hz"))
        if (found := mean_and_sd(evidence.quality, metric))
        for value in [found.replace(" (n", f"{unit} (n")]
    ]
    text.append(rules + (f"; {', '.join(figures)}, mean ± SD after preprocessing." if figures else "."))
    return text


def anatomy(evidence: Evidence) -> Sentences:
    """Segmentation and the voxel in it."""
    if not evidence.anatomies:
        return ["No T1-weighted image was segmented."]
    settings = evidence.stage("anatomy")
    backend = several(r.get("Backend") or r.get("backend") or "" for r in evidence.anatomies) or str(
        settings.get("backend")
    )
    words = {
        "atropos": "brain-extracted by registration of the ICBM 152 template [@fonov2011; @avants2008]"
        " and segmented into grey matter, white matter and CSF by Atropos [@avants2011]",
        "hmrf": "segmented into grey matter, white matter and CSF by the hidden Markov random field of DIPY "
        "[@zhang2001; @garyfallidis2014]",
        "fast": "segmented into grey matter, white matter and CSF by FSL FAST [@zhang2001]",
        "synthseg": "segmented into grey matter, white matter and CSF by SynthSeg [@billot2023]",
        "precomputed": "taken with the tissue maps that existed already",
    }
    count = len(evidence.anatomies)
    start = f"T1-weighted images (n = {count}) were "
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
        f"amplitudes, a {settings.get('line_shape', 'Voigt')} line shape"
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
            f"The basis was simulated by density matrices with ideal pulses for {basis.get('sequence', 'the sequence')}"
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
        "Uncertainty is the Cramér–Rao bound of the full model [@cavassila2001]; no value was left out for its "
        "relative bound alone [@kreis2016]."
    )
    doubtful = sum(
        any(isinstance(f, Mapping) and f.get("status") not in (None, "ok") for f in fit.get("frames", []))
        for fit in evidence.fits
    )
    if doubtful:
        text.append(f"{doubtful} of {len(evidence.fits)} fits were marked doubtful or failed.")
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
        text.append("Not computed: " + "; ".join(dict.fromkeys(missing)) + ".")
    return text


def statistics(evidence: Evidence) -> Sentences:
    """Models of the group, from the record beside each table of results."""
    text = []
    for name, table in evidence.statistics.items():
        model = table.dictionary.get("Model")
        if not isinstance(model, Mapping):
            continue
        formula = model.get("formula") or model.get("Formula")
        if not formula:
            continue
        df = str(model.get("df") or model.get("Df") or "")
        method = {"kenward-roger": " [@kenward1997]", "satterthwaite": " [@satterthwaite1946]"}.get(df, "")
        rows = model.get("rows") or model.get("observations")
        text.append(
            f"{name.replace('_', ' ').replace('/', ', ').capitalize()}: `{formula}`"
            + (f", {rows} rows" if rows else "")
            + (f", degrees of freedom by {df}{method}" if df else "")
            + "."
        )
    if text:
        text.insert(0, "Mixed models were fitted by restricted maximum likelihood.")
    columns = {c for t in evidence.statistics.values() for c in t.columns}
    if any("holm" in c for c in columns):
        text.append("Secondary outcomes were corrected by Holm's procedure [@holm1979].")
    if any("bh" in c or "fdr" in c or "hochberg" in c for c in columns):
        text.append("Exploratory outcomes were corrected by Benjamini and Hochberg [@benjamini1995].")
    return text or ["No statistics were computed."]


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
