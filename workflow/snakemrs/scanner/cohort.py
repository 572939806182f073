"""The virtual people of a crossover trial: sex, order, clinical scores, and how much Glx each of their sessions has.

Used twice: by the virtual scanner, which makes spectra of it, and on its own (`simulate_table`) for tables of measured
values without spectra, thousands of cohorts in seconds, to test statistics and to plan a study.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from snakemrs.scanner.presets import Preset, load_preset, load_protocol

if TYPE_CHECKING:
    import pandas as pd

TREATMENTS = ("placebo", "naltrexone")
_DESIGN, _PERSON, _TABLE = 0, 1, 2


@dataclass(frozen=True)
class Visit:
    """A session: what was given and what it did.

    Attributes
    ----------
    session : str
        Label, ``01`` for the first period.
    period : int
    condition : str
        The masked code, ``A`` or ``B``.
    treatment : str
        What the code stands for; the pipeline never sees it.
    glx_factor : float
        Glx of this person in this session relative to the nominal one, before the infusion.
    glx_rise : float
        Relative rise that the infusion tends to.
    madrs_pre, madrs_post : int
        MADRS total before the infusion and a day after it.
    """

    session: str
    period: int
    condition: str
    treatment: str
    glx_factor: float
    glx_rise: float
    madrs_pre: int
    madrs_post: int


@dataclass(frozen=True)
class Person:
    """A virtual participant and their sessions."""

    label: str
    sex: str
    age: int
    content_factor: float
    visits: tuple[Visit, ...]


@dataclass(frozen=True)
class Cohort:
    """All participants, and the key from masked condition to treatment."""

    people: tuple[Person, ...]
    key: dict[str, str]


def draw_cohort(preset: Preset, participants: int, seed: int, sessions: int = 2) -> Cohort:
    """Draw the people of a crossover: half of them women, half of each order (as far as the numbers allow).

    Parameters
    ----------
    preset : Preset
    participants : int
    seed : int
        The same seed gives the same people; the first of them do not change when more are asked for.
    sessions : int
        Sessions of each; treatments alternate where there are more than two.
    """
    design = np.random.default_rng([seed, _DESIGN])
    codes = ("A", "B") if design.random() < 0.5 else ("B", "A")
    key = dict(zip(codes, TREATMENTS, strict=True))
    people = []
    block: list[tuple[str, int]] = []
    for index in range(participants):
        if not block:
            # Blocks of four: each order once in each sex.
            block = [(sex, order) for sex in ("F", "M") for order in (0, 1)]
            design.shuffle(block)
        sex, order = block.pop()
        people.append(_draw_person(preset, index, sex, order, seed, sessions, {v: k for k, v in key.items()}))
    return Cohort(tuple(people), dict(sorted(key.items())))


def _draw_person(
    preset: Preset, index: int, sex: str, order: int, seed: int, sessions: int, codes: dict[str, str]
) -> Person:
    random = np.random.default_rng([seed, _PERSON, index])
    age = int(np.clip(random.normal(38, 11), 21, 65))
    content = float(np.exp(random.normal(0, preset.content_sd_participant)))
    own_glx = random.normal(0, preset.glx_sd_participant)
    # The spread of a baseline score holds the person's own level and the residual that every single score has.
    own_madrs = random.normal(preset.madrs_mean, np.sqrt(preset.madrs_sd**2 - preset.madrs_residual_sd**2))
    later = random.uniform(*preset.madrs_period_2_baseline)
    visits = []
    for number in range(sessions):
        treatment = TREATMENTS[(number + order) % 2]
        level = own_madrs + (later if number else 0.0)
        before, after = level + random.normal(0, preset.madrs_residual_sd, 2)
        after += preset.madrs_change(treatment)
        visits.append(
            Visit(
                session=f"{number + 1:02d}",
                period=number + 1,
                condition=codes[treatment],
                treatment=treatment,
                glx_factor=float(np.exp(own_glx + random.normal(0, preset.glx_sd_session))),
                glx_rise=preset.glx_rise(treatment, sex),
                # Scores are whole and end at 0 and 60.
                madrs_pre=int(np.clip(np.rint(before), 0, 60)),
                madrs_post=int(np.clip(np.rint(after), 0, 60)),
            )
        )
    return Person(f"{index + 1:02d}", sex, age, content, tuple(visits))


def draw_items(total: int, random: np.random.Generator) -> np.ndarray:
    """Ten MADRS items of 0 to 6 points that make a total: as many of the sixty points as it has, drawn at random."""
    points = np.repeat(np.arange(10), 6)
    return np.bincount(random.choice(points, total, replace=False), minlength=10)


def rise(time: np.ndarray, preset: Preset) -> np.ndarray:
    """Share of the final rise of Glx at `time` seconds after the start of the infusion (nought before it)."""
    return np.where(time > 0, 1 - np.exp(-np.maximum(time, 0) / preset.rise_time_constant), 0.0)


def simulate_table(
    preset: str | Preset,
    participants: int,
    seed: int,
    *,
    baseline_frames: int | None = None,
    infusion_frames: int | None = None,
) -> pd.DataFrame:
    """Make a table of measured frames without spectra.

    Parameters
    ----------
    preset : str or Preset
        ``null``, ``realistic``, ``large``, ``drift-only``, ``bold-only``. Without spectra the last two are as ``null``.
    participants : int
    seed : int
    baseline_frames, infusion_frames : int, optional
        Frames of each phase; those of the protocol where not given.

    Returns
    -------
    DataFrame
        A row a frame: ``participant session period condition treatment sex age phase frame onset duration glx_tnaa
        glx tnaa madrs_pre madrs_post``. Errors are log-normal: of the participant, of the session, of the frame.
    """
    import pandas as pd

    chosen = load_preset(preset) if isinstance(preset, str) else preset
    protocol = load_protocol()
    length = protocol.frame_duration
    before = round(protocol.baseline_duration / length) if baseline_frames is None else baseline_frames
    after = round(protocol.infusion_duration / length) if infusion_frames is None else infusion_frames
    onsets = np.arange(before + after) * length
    fine = (np.arange(200) + 0.5) / 200 * length
    shape = np.array([rise(onset - before * length + fine, chosen).mean() for onset in onsets])
    cohort = draw_cohort(chosen, participants, seed)
    rows = []
    for index, person in enumerate(cohort.people):
        random = np.random.default_rng([seed, _TABLE, index])
        tnaa_own = 12.0 * person.content_factor
        for visit in person.visits:
            noise = random.normal(0, chosen.glx_sd_frame, onsets.size)
            # Most of a frame's error is that of Glx, the larger and more overlapped signal.
            share = 0.3
            ratio = chosen.glx_tnaa * visit.glx_factor * (1 + visit.glx_rise * shape) * np.exp(noise)
            tnaa = tnaa_own * np.exp(random.normal(0, share * chosen.glx_sd_frame, onsets.size))
            rows += [
                {
                    "participant": person.label,
                    "session": visit.session,
                    "period": visit.period,
                    "condition": visit.condition,
                    "treatment": visit.treatment,
                    "sex": person.sex,
                    "age": person.age,
                    "phase": "baseline" if frame < before else "infusion",
                    "frame": frame,
                    "onset": onsets[frame],
                    "duration": length,
                    "glx_tnaa": ratio[frame],
                    "glx": ratio[frame] * tnaa[frame],
                    "tnaa": tnaa[frame],
                    "madrs_pre": visit.madrs_pre,
                    "madrs_post": visit.madrs_post,
                }
                for frame in range(onsets.size)
            ]
    return pd.DataFrame(rows)
