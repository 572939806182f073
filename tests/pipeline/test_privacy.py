"""Nothing that the scanner planted of a person is found in anything that SnakeMRS writes, whoever made the scanner."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from snakemrs.io.tables import read_table

from .conftest import snakemrs, write_maps

pytestmark = [pytest.mark.pipeline, pytest.mark.slow]

WRITTEN = ("bids", "derivatives", "logs", "work")


@pytest.fixture(scope="module", params=["philips", "philips-list", "siemens", "ge"])
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of one vendor that ran, T1w images as DICOM; of sub-02 the raw spectrum was cut short and one slice too.

    Converters and readers that fail are the likeliest to quote a header: in logs, in messages, in what they leave. The
    segmentation, which takes a minute and sees no DICOM, runs for one vendor; the others have maps that exist.
    """
    study = tmp_path_factory.mktemp(request.param) / "study"
    small = ("--participants", "2", "--sessions", "1", "--transients", "16", "--t1w", "dicom")
    made = snakemrs("simulate", study, "--vendor", request.param, *small)
    assert made.code == 0, made.err
    for row in read_table(study / "scans.tsv"):
        path = study / "raw" / row["path"]
        if row["participant"] == "02" and row["suffix"] != "mrsref":
            target = sorted(path.iterdir())[30] if path.is_dir() else path
            content = target.read_bytes()
            target.write_bytes(content[: int(0.9 * len(content))])
    if request.param == "siemens":
        quick = "anatomy:\n  backend: hmrf\n  bias_correction: false\n  registration_spacing: 4\n"
        (study / "study.yaml").write_text((study / "study.yaml").read_text(encoding="utf-8") + quick, encoding="utf-8")
    else:
        assert snakemrs("run", study, "--cores", "2", "--", "--until", "ingest").code == 1
        write_maps(study, "maps", images="bids/sub-*/ses-*/anat/*_T1w.nii.gz")
        with (study / "study.yaml").open("a", encoding="utf-8") as stream:
            stream.write("anatomy:\n  backend: precomputed\n  precomputed: maps/sub-{participant}/ses-{session}\n")
    ran = snakemrs("run", study, "--cores", "2")
    assert ran.code == 1, ran.out + ran.err
    assert list((study / "derivatives").rglob("sub-01_*_concentrations.tsv"))
    (study / "logs" / "terminal.txt").write_text(ran.out + ran.err + snakemrs("status", study).out, encoding="utf-8")
    return study


def planted(study: Path) -> set[bytes]:
    """Names, birth dates and identifiers of the raw headers, in lower case, as text of one or two bytes a letter."""
    words = set(json.loads((study / "truth" / "personal.json").read_text(encoding="utf-8")))
    for date in [word for word in words if word[4:5] == "-"]:
        year, month, day = date.split("-")
        words |= {f"{day}.{month}.{year}", f"{day}/{month}/{year}", f"{month}/{day}/{year}"}
    # Family and given name stand there apart, so that every order and every separator is found.
    assert any(word.isalpha() for word in words)
    return {word.lower().encode(code) for word in words for code in ("utf-8", "utf-16-le", "utf-16-be")}


def contents(path: Path) -> bytes:
    """Everything in a file, and what is packed in it."""
    content = path.read_bytes()
    return (content + gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).lower()


def files(top: Path) -> Iterator[Path]:
    return (path for path in top.rglob("*") if path.is_file())


def test_every_raw_header_holds_personal_strings(study: Path) -> None:
    wanted = planted(study)
    headers = {path.suffix for path in files(study / "raw")} - {".SDAT", ".data"}
    for suffix in headers:
        some = next(path for path in sorted(files(study / "raw")) if path.suffix == suffix)
        assert sum(word in contents(some) for word in wanted) >= 3, some


def test_no_output_holds_a_personal_string(study: Path) -> None:
    wanted = planted(study)
    looked_at = 0
    for top in WRITTEN:
        for path in files(study / top):
            content = contents(path)
            found = [word for word in wanted if word in content or word in path.name.lower().encode()]
            assert not found, f"{path.relative_to(study)}: {found}"
            looked_at += 1
    assert looked_at > 60
