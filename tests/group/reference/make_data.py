"""Write the data of the reference values: ``python make_data.py`` in this folder, then ``Rscript reference.R``."""

from __future__ import annotations

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
COLUMNS = ["participant", "session", "condition", "phase", "period", "sex", "site", "frame", "glx_tnaa"]


def crossover(
    seed: int, participants: int, participant_sd: float = 0.09, session_sd: float = 0.035, frame_sd: float = 0.05
) -> list[dict[str, object]]:
    """Draw a crossover: two baseline and five infusion frames, condition B rises less."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, object]] = []
    for i in range(participants):
        person = rng.normal(0, participant_sd)
        for session in (1, 2):
            condition = "AB"[(i + session) % 2]
            visit = rng.normal(0, session_sd)
            for frame in range(1, 8):
                phase = "baseline" if frame <= 2 else "infusion"
                rise = 0.0 if phase == "baseline" else (0.05 if condition == "A" else 0.025)
                value = 1.25 * np.exp(person + visit + rise + rng.normal(0, frame_sd))
                rows.append(
                    {
                        "participant": f"{i + 1:02d}",
                        "session": session,
                        "condition": condition,
                        "phase": phase,
                        "period": session,
                        "sex": "FM"[(i // 2) % 2],
                        "site": "xyz"[(i * 2 + session) % 3],
                        "frame": frame,
                        "glx_tnaa": f"{value:.9g}",
                    }
                )
    return rows


def write(name: str, rows: list[dict[str, object]]) -> None:
    lines = ["\t".join(COLUMNS), *("\t".join(str(row[c]) for c in COLUMNS) for row in rows)]
    (HERE / f"data_{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    balanced = crossover(1, 16)
    write("balanced", balanced)
    rng = np.random.default_rng(2)
    write("unbalanced", [row for row in crossover(2, 15) if rng.random() > 0.25])
    rng = np.random.default_rng(3)
    gone = {("02", 2), ("05", 1), ("09", 2), ("11", 2)}
    write(
        "missing_session",
        [r for r in crossover(3, 13) if (r["participant"], r["session"]) not in gone and rng.random() > 0.1],
    )
    write("boundary_session", crossover(11, 8, session_sd=0.0))
    write("boundary_participant", crossover(6, 10, participant_sd=0.0, session_sd=0.06))
    write("crossed", crossover(6, 14))
    rng = np.random.default_rng(7)
    write("threeway", [row for row in crossover(7, 14) if rng.random() > 0.2])
