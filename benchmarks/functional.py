# ruff: noqa: E402
"""Functional MRS against the truth of the virtual scanner: bias, the line-narrowing trap, drift, power, speed.

    python benchmarks/functional.py changes [--case ramp]    step, ramp, realistic preset: bias and coverage
    python benchmarks/functional.py trap [--figure F.svg]    bold-only with and without the width term; drift-only
    python benchmarks/functional.py detection                smallest change found with 80 % power, frames beside
    python benchmarks/functional.py speed                    32 and 320 transients of 2048 points

Sessions are made in memory by the virtual scanner, each of another person with another line width and drift, spoilt
transients included, and go through the alignment and the search for outliers of the stage spectra, the design that the
workflow makes of the infusion, and the dynamic fit. Residual water and eddy currents are left out: their removal has
benchmarks of its own (spectra_*.py). Errors (±) are standard errors over sessions.
"""

from __future__ import annotations

import argparse
import os
import time
from dataclasses import dataclass
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np

from snakemrs.fit.functional.contrasts import change_of
from snakemrs.fit.functional.course import cut_bins
from snakemrs.fit.functional.design import BASELINE, make_design
from snakemrs.fit.functional.session import fit_session
from snakemrs.fit.problem import Problem
from snakemrs.fit.setup import build_problem
from snakemrs.fit.spectrum import fit_spectrum
from snakemrs.io.events import Event
from snakemrs.scanner.cohort import draw_cohort
from snakemrs.scanner.presets import Preset, Protocol, load_preset, load_protocol
from snakemrs.scanner.signal import add_noise, draw_factors, make_basis, session_signal
from snakemrs.spectra.align import align, apply
from snakemrs.spectra.outliers import find_outliers
from snakemrs.spectra.steps import moved_band
from snakemrs.spins.basis import Basis
from snakemrs.spins.simulation import simulate_basis
from snakemrs.study.relaxation import TissueConstants, field_strength, load_constants
from snakemrs.study.resources import constants
from snakemrs.study.settings.fit import FitSettings
from snakemrs.study.settings.functional import FunctionalSettings, RegressorSettings
from snakemrs.study.settings.spectra import SpectraSettings

SHOWN = {"Glu": ("Glu",), "Gln": ("Gln",), "Glx": ("Glu", "Gln"), "tNAA": ("NAA", "NAAG"), "tCr": ("Cr", "PCr")}
CLEAN = {"residual_water": 0.0, "eddy_current": (0.0, 0.0)}
TISSUE = {"gm": 0.6, "wm": 0.3, "csf": 0.1}
FRAMES = {BASELINE: 2, "infusion": 6}
TRANSIENTS = 160


@dataclass(frozen=True)
class Scanner:
    """What all sessions share."""

    protocol: Protocol
    basis: Basis
    known: TissueConstants
    problem: Problem


def make_scanner(transients: int) -> Scanner:
    """The virtual scanner of a Philips session, and the basis that the workflow would simulate for it."""
    protocol = load_protocol("philips", transients)
    axis = {"spectrometer_frequency": protocol.spectrometer_frequency, "bandwidth": protocol.bandwidth}
    fitted = simulate_basis("press", protocol.echo_time, protocol.te1, points=protocol.points, **axis)
    problem, _ = build_problem(
        fitted,
        FitSettings(),
        dwell_time=1 / protocol.bandwidth,
        points=protocol.points,
        spectrometer_frequency=protocol.spectrometer_frequency,
        not_fitted=constants("fit_basis")["not_fitted"],
    )
    known = load_constants(field_strength(protocol.spectrometer_frequency))
    return Scanner(protocol, make_basis(protocol), known, problem)


@dataclass(frozen=True)
class Session:
    """A corrected session in memory: transients in use, their times and weights, and the true courses."""

    fids: np.ndarray
    weights: np.ndarray
    onset: np.ndarray
    duration: np.ndarray
    truth: dict[str, np.ndarray]


def make_session(scanner: Scanner, preset: Preset, number: int) -> Session:
    """Scan one session of a person of one's own."""
    protocol = scanner.protocol
    random = np.random.default_rng([7, number])
    person = draw_cohort(preset, 1, number, 1).people[0]
    signal = session_signal(
        person,
        person.visits[0],
        TISSUE,
        scanner.basis,
        preset,
        protocol,
        scanner.known,
        draw_factors(preset, random),
        random,
    )
    fids = add_noise(signal.metabolites, signal.truth.noise, random)
    settings, dwell, mhz = SpectraSettings(), 1 / protocol.bandwidth, protocol.spectrometer_frequency
    moves = align(fids, dwell, moved_band(settings.align_range, mhz, 0.0), signal.truth.noise, settings.align_max_shift)
    silent = np.zeros(len(fids), bool)
    found = find_outliers(moves, silent, settings.outliers, settings.outlier_z, settings.outlier_amplitude, 0.03 * mhz)
    used = found.weights > 0
    truth = {name: course[used] for name, course in signal.truth.concentrations.items()}
    length = np.full(int(used.sum()), protocol.repetition_time)
    return Session(apply(fids, moves, dwell)[used], found.weights[used], signal.truth.onset[used], length, truth)


def fit(scanner: Scanner, session: Session, settings: FunctionalSettings) -> dict[str, np.ndarray]:
    """Change, standard deviation, Fieller's interval, true change in per cent, by metabolite; line width in Hz."""
    protocol = scanner.protocol
    infusion = [Event(protocol.baseline_duration, protocol.infusion_duration, "infusion")]
    design = make_design(session.onset, session.duration, infusion, settings)
    done = fit_session(
        scanner.problem, session.fids, session.weights, design, FitSettings(), constants("fit_priors")
    ).fit
    contrast, baseline = next(iter(design.contrasts.values())), design.level(BASELINE)
    on, off = design.rows("infusion"), design.rows(BASELINE)
    found = {}
    for label, parts in SHOWN.items():
        weights = np.array([float(name in parts) for name in done.names])
        change = change_of(done.betas, done.covariance, contrast, baseline, weights)
        course = np.sum([session.truth[part] for part in parts], axis=0)
        true = 100 * (course[on].mean() / course[off].mean() - 1)
        found[label] = np.array([change.percent, change.percent_sd, change.low, change.high, true])
    if design.width_names:
        row = design.width_matrix[on].mean(axis=0) - design.width_matrix[off].mean(axis=0)
        found["line width (Hz)"] = np.array([float(row @ done.width_betas), *[np.nan] * 4])
    return found


def fit_frames(scanner: Scanner, session: Session) -> dict[str, float]:
    """Change in per cent from frames fitted one by one, by metabolite."""
    protocol = scanner.protocol
    infusion = [Event(protocol.baseline_duration, protocol.infusion_duration, "infusion")]
    design = make_design(session.onset, session.duration, infusion, FunctionalSettings())
    bins = cut_bins(session.onset, session.duration, design.phase, protocol.frame_duration)
    levels: dict[str, list[np.ndarray]] = {phase: [] for phase in FRAMES}
    for members, phase in zip(bins.members, bins.phase, strict=True):
        weights = session.weights[members]
        fid = weights @ session.fids[members] / weights.sum()
        done = fit_spectrum(scanner.problem, fid, FitSettings(), constants("fit_priors"))
        amplitudes = dict(zip(done.names, done.amplitudes, strict=True))
        levels[phase].append(np.array([sum(amplitudes[p] for p in parts) for parts in SHOWN.values()]))
    on, off = (np.mean(levels[phase], axis=0) for phase in ("infusion", BASELINE))
    return dict(zip(SHOWN, 100 * (on / off - 1), strict=True))


def report(title: str, found: list[dict[str, np.ndarray]], labels: tuple[str, ...]) -> None:
    """Print a row a metabolite: mean true change, bias, spread, what the fit says of it, coverage."""
    for label in labels:
        value, sd, low, high, true = np.array([one[label] for one in found]).T
        error = value - true if np.isfinite(true).all() else value
        mean, se = error.mean(), error.std(ddof=1) / np.sqrt(len(error))
        if np.isfinite(true).all():
            said = f"{sd.mean():.2f} | {np.mean((low <= true) & (true <= high)):.0%}"
            rest = f"{true.mean():.2f} | {mean:+.2f} ± {se:.2f} | {error.std(ddof=1):.2f} | {said}"
        else:
            rest = f"| {mean:+.2f} ± {se:.2f} | {value.std(ddof=1):.2f} | |"
        print(f"| {title} | {label} | {rest} |", flush=True)


HEAD = "| session | change of | true % | error, points | spread | said | in 95 % |\n|---|---|---|---|---|---|---|"


def changes(sessions: int, chosen: str) -> None:
    """Step, ramp, realistic preset."""
    scanner = make_scanner(TRANSIENTS)
    real = load_preset("realistic").model_copy(update=CLEAN)
    still = {"glx_sd_frame_physiological": 0.0, "snr": 40.0}
    length = scanner.protocol.infusion_duration
    scale = length / load_protocol().infusion_duration
    rising = {"glx_rise_placebo": 0.05, "glx_rise_naltrexone": 0.05, "glx_rise_naltrexone_men_minus_women": 0.0}
    slow = 100.0  # 1 − exp(−t/τ) with a τ of so many infusions is a ramp
    ramp = {name: value * slow for name, value in rising.items()}
    cases = {
        "step of +5 %": (real.model_copy(update=rising | still | {"rise_time_constant": 1e-3}), FunctionalSettings()),
        "ramp to +5 %": (
            real.model_copy(update=ramp | still | {"rise_time_constant": slow * length}),
            FunctionalSettings(regressors=(RegressorSettings(name="infusion", shape="ramp"),)),
        ),
        "realistic": (
            real.model_copy(update={"rise_time_constant": real.rise_time_constant * scale}),
            FunctionalSettings(),
        ),
    }
    print(HEAD)
    for title, (preset, settings) in cases.items():
        if not title.startswith(chosen):
            continue
        found = [fit(scanner, make_session(scanner, preset, n), settings) for n in range(sessions)]
        report(title, found, ("Glu", "Glx", "tNAA", "tCr", "line width (Hz)"))


def trap(sessions: int, chosen: str, figure: Path | None) -> None:
    """Narrower lines with and without the width term; drift."""
    drawn = {}
    scanner = make_scanner(TRANSIENTS)
    # So little noise that a hundred sessions resolve a tenth of a per cent.
    still = CLEAN | {"glx_sd_frame_physiological": 0.0, "snr": 280.0}
    print(HEAD)
    for name, ways in (("bold-only", ("auto", "none")), ("drift-only", ("auto",))):
        if not name.startswith(chosen):
            continue
        preset = load_preset(name).model_copy(update=still)
        preset = preset.model_copy(update={"rise_time_constant": preset.rise_time_constant * TRANSIENTS / 800})
        made = [make_session(scanner, preset, n) for n in range(sessions)]
        for way in ways:
            found = [fit(scanner, session, FunctionalSettings(line_width=way)) for session in made]
            title = name if way == "auto" else f"{name}, width not followed"
            report(title, found, tuple(found[0]))
            if name == "bold-only":
                drawn["followed" if way == "auto" else "not followed"] = found
    if figure and drawn:
        draw(figure, drawn)


def draw(path: Path, found: dict[str, list[dict[str, np.ndarray]]]) -> None:
    """False change in bold-only sessions, with the line width followed and without; a dot a session, a bar the mean."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    plt.rcParams["svg.hashsalt"] = "snakemrs"
    chart, axis = plt.subplots(figsize=(6.4, 3.0))
    for number, (title, sessions) in enumerate(found.items()):
        colour = ("black", "tab:orange")[number]
        for place, label in enumerate(SHOWN):
            values = np.array([one[label][0] for one in sessions])
            at = place + 0.36 * (number - 0.5) + np.linspace(-0.12, 0.12, len(values))
            axis.plot(at, values, ".", color=colour, markersize=2, label=None if place else f"line width {title}")
            middle = place + 0.36 * (number - 0.5)
            axis.plot([middle - 0.14, middle + 0.14], [values.mean()] * 2, color=colour, linewidth=2)
    axis.axhline(0, color="0.6", linewidth=0.7)
    axis.set_xticks(range(len(SHOWN)), list(SHOWN))
    axis.set_ylabel("false change (%)")
    axis.legend(fontsize=8, markerscale=4, frameon=False)
    chart.tight_layout()
    chart.savefig(path, bbox_inches="tight", metadata={"Date": None} if path.suffix == ".svg" else None)


def detection(sessions: int) -> None:
    """Spread of the change in sessions without any, and what it lets one detect; frames and dynamic fit."""
    from scipy.stats import norm, t

    scanner = make_scanner(TRANSIENTS)
    preset = load_preset("null").model_copy(update=CLEAN)
    dynamic, frames = [], []
    for number in range(sessions):
        session = make_session(scanner, preset, number)
        dynamic.append(fit(scanner, session, FunctionalSettings()))
        frames.append(fit_frames(scanner, session))
    print("| change of | fit | spread over sessions, % | one session, % | 26 × 2, % |\n|---|---|---|---|---|")
    one = norm.ppf(0.975) + norm.ppf(0.8)
    crossover = (t.ppf(0.975, 24) + t.ppf(0.8, 24)) * np.sqrt(2 / 26)
    for label in SHOWN:
        true = np.array([one[label][4] for one in dynamic])
        for way, values in (
            ("dynamic", np.array([one[label][0] for one in dynamic])),
            ("frames", np.array([one[label] for one in frames])),
        ):
            spread = (values - true).std(ddof=1)
            # Between sessions the physiology varies too; within one, only the measurement decides.
            whole = values.std(ddof=1)
            print(f"| {label} | {way} | {spread:.2f} | {one * spread:.1f} | {crossover * whole:.2f} |", flush=True)


def speed() -> None:
    """Processor time of the whole dynamic fit, the fit of the mean included."""
    points, bandwidth, mhz = 2048, 2000.0, 127.75
    axis = {"spectrometer_frequency": mhz, "bandwidth": bandwidth, "points": points}
    basis = simulate_basis("press", 0.03, 0.015, **axis)
    problem, _ = build_problem(
        basis,
        FitSettings(),
        dwell_time=1 / bandwidth,
        points=points,
        spectrometer_frequency=mhz,
        not_fitted=constants("fit_basis")["not_fitted"],
    )
    amounts = constants("scanner")["concentrations"]
    clean = sum(amounts.get(name, 0.0) * fid for name, fid in zip(basis.names, basis.fids, strict=True))
    at = np.arange(points) / bandwidth
    print(f"{len(problem.names)} basis functions, {points} points\n")
    print("| transients | betas, s | with the free course, s |\n|---|---|---|")
    for count in (32, 320):
        random = np.random.default_rng(1)
        shift, phase = 0.5 * random.normal(size=count), 0.1 * random.normal(size=count)
        fids = clean * np.exp(-np.pi * 5 * at) * np.exp(2j * np.pi * np.multiply.outer(shift, at) + 1j * phase[:, None])
        fids = fids + 2.0 * (random.normal(size=fids.shape) + 1j * random.normal(size=fids.shape))
        onset, length = 4.0 * np.arange(count), np.full(count, 4.0)
        design = make_design(onset, length, [Event(count, 3.0 * count, "infusion")], FunctionalSettings())
        cells = []
        for bins in (None, cut_bins(onset, length, design.phase, None)):
            taken = []
            for _ in range(3):
                begin = time.process_time()
                fit_session(problem, fids, np.ones(count), design, FitSettings(), constants("fit_priors"), bins)
                taken.append(time.process_time() - begin)
            cells.append(f"{np.median(taken):.2f}")
        print(f"| {count} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Run one of the benchmarks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("which", choices=("changes", "trap", "detection", "speed"))
    parser.add_argument("--sessions", type=int, default=100)
    parser.add_argument("--case", default="", help="only sessions whose name begins so, such as 'drift'")
    parser.add_argument("--figure", type=Path, help="trap: draw the false changes of bold-only sessions")
    arguments = parser.parse_args()
    if arguments.which == "speed":
        speed()
    elif arguments.which == "detection":
        detection(arguments.sessions)
    elif arguments.which == "trap":
        trap(arguments.sessions, arguments.case, arguments.figure)
    else:
        changes(arguments.sessions, arguments.case)


if __name__ == "__main__":
    main()
