"""Bad input ends in a clear error for its participant; the others are finished."""

from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path

import pytest

from snakemrs.io.tables import read_table

from .conftest import Outcome, snakemrs, write_maps

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

SVS = "PRESS_ACC_raw_act"
WATER = "PRESS_ACC_raw_ref"


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """Nine participants, each with one fault but the first two; run once."""
    import nibabel as nib
    import numpy as np

    study = tmp_path_factory.mktemp("damaged") / "study"
    size = ("--participants", "9", "--sessions", "1", "--transients", "160")
    made = snakemrs("simulate", study, *size, "--seed", "9")
    assert made.code == 0, made.err

    def raw(participant: int, name: str) -> Path:
        return study / "raw" / f"sub-0{participant}" / "ses-01" / name

    # Only three T1w images are used, with maps that exist: the good one, the misplaced one, and what is none.
    scans = (study / "scans.tsv").read_text(encoding="utf-8").splitlines()
    without = "\n".join(line for line in scans if not re.match(r"sub-0[234589]/ses-01/T1w", line))
    renamed = without.replace(f"sub-09/ses-01/{SVS}.SDAT", f"sub-09/ses-01/{SVS}.dat")
    (study / "scans.tsv").write_text(renamed + "\n", encoding="utf-8")

    truncated = raw(3, f"{SVS}.SDAT")
    shutil.copy(truncated, study.parent / "whole.SDAT")
    truncated.write_bytes(truncated.read_bytes()[: truncated.stat().st_size // 3])
    raw(4, f"{SVS}.SDAT").unlink()
    spar = raw(5, f"{WATER}.SPAR")
    moved = re.sub(r"(ap_off_center : )\S+", r"\g<1>-60.0", spar.read_text(encoding="latin-1"))
    spar.write_text(moved, encoding="latin-1")
    elsewhere = nib.load(raw(6, "T1w.nii.gz"))
    affine = elsewhere.affine.copy()
    affine[:3, 3] += [0, 400, 0]
    nib.save(nib.Nifti1Image(np.asarray(elsewhere.dataobj), affine), raw(6, "T1w.nii.gz"))
    write_maps(study, "maps")
    with (study / "study.yaml").open("a", encoding="utf-8") as stream:
        stream.write("anatomy:\n  backend: precomputed\n  precomputed: maps/sub-{participant}/ses-{session}\n")
    with gzip.open(raw(7, "T1w.nii.gz"), "wb") as stream:
        noise = nib.Nifti1Image(np.zeros((64, 64, 4, 30), np.int16), np.diag([3, 3, 8, 1]))
        stream.write(noise.to_bytes())
    flipped = bytearray(raw(8, f"{SVS}.SDAT").read_bytes())
    flipped[1] ^= 0x20  # of the first exponent: 2^64 times as high
    raw(8, f"{SVS}.SDAT").write_bytes(flipped)
    raw(9, f"{SVS}.SDAT").rename(raw(9, f"{SVS}.dat"))
    madrs = study / "phenotype" / "madrs.tsv"
    lines = madrs.read_text(encoding="utf-8").splitlines()
    cells = lines[2].split("\t")
    lines[2] = "\t".join([cells[0], "", *cells[2:]])
    lines.append("\t".join(["sub-99", *cells[1:]]))
    madrs.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return study, snakemrs("run", study, "--cores", "2", "--json")


def reasons(outcome: Outcome, participant: str) -> str:
    return " ".join(f["reason"] for f in outcome.json["failures"] if f["participant"] == participant)


def test_some_failed_and_the_exit_code_says_so(damaged: tuple[Path, Outcome]) -> None:
    _, outcome = damaged
    assert outcome.code == 1, outcome.err
    assert {f["participant"] for f in outcome.json["failures"]} == {f"0{n}" for n in range(3, 10)}


def test_the_good_participants_are_finished(damaged: tuple[Path, Outcome]) -> None:
    derivatives = damaged[0] / "derivatives" / "snakemrs"
    for participant in ("01", "02"):
        assert list((derivatives / f"sub-{participant}").rglob("*_desc-static_concentrations.tsv"))
        assert (derivatives / f"sub-{participant}.html").exists()
    assert (derivatives / "index.html").exists()


@pytest.mark.parametrize(
    ("participant", "words"),
    [
        pytest.param("03", r"SDAT.*(found|expected)", id="truncated SDAT"),
        pytest.param("04", r"SDAT.*(not exist|missing|without)", id="SPAR without SDAT"),
        pytest.param("05", r"voxel|position", id="water of another voxel"),
        pytest.param("06", r"outside", id="T1w of another space"),
        pytest.param("07", r"T1w|no anatom|4-D|dimension", id="an image that is no T1w"),
        pytest.param("08", r"beyond what single precision holds", id="a flipped bit"),
        pytest.param("09", r"name says Siemens twix, the content does not", id="the name of another vendor"),
    ],
)
def test_each_fault_is_named(damaged: tuple[Path, Outcome], participant: str, words: str) -> None:
    reason = reasons(damaged[1], participant)
    assert re.search(words, reason, re.I), reason
    assert "Traceback" not in reason
    assert "Error:" not in reason, "a bare exception is no message for a user"


def test_phenotype_faults_are_named_with_their_line(damaged: tuple[Path, Outcome]) -> None:
    said = damaged[1].err
    assert re.search(r"madrs\.tsv:3 \(sub-02\): empty cell in column", said), said
    assert re.search(r"madrs\.tsv:\d+ \(sub-99\): unknown participant", said), said


def test_the_group_keeps_the_incomplete_and_says_why(damaged: tuple[Path, Outcome]) -> None:
    rows = read_table(damaged[0] / "derivatives" / "snakemrs" / "group" / "completeness.tsv")
    assert {row["participant"].removeprefix("sub-") for row in rows} == {f"0{n}" for n in range(1, 10)}
    failed = [row for row in rows if row["status"] == "failed"]
    assert failed
    assert all(row["reason"] != "n/a" for row in failed)


def test_nothing_half_written_is_left(damaged: tuple[Path, Outcome]) -> None:
    left = [p for top in ("bids", "derivatives") for p in (damaged[0] / top).rglob(".writing-*")]
    assert not left


def test_a_mended_participant_is_all_that_runs_next(damaged: tuple[Path, Outcome], tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(damaged[0], study)
    shutil.copy(damaged[0].parent / "whole.SDAT", study / "raw" / "sub-03" / "ses-01" / f"{SVS}.SDAT")
    plan = snakemrs("plan", study, "--json").json
    participants = {job["name"][:6] for job in plan["work"] if job["name"].startswith("sub-")}
    assert "sub-03" in participants
    assert not participants & {"sub-01", "sub-02"}
