"""Damaged raw files of every format: each must end in a clear error or a correct result.

Cuts, flipped bits, absurd header fields, junk and other vendors' names over small files of every format that ingest
reads (those of the tests; with the real measurements beside the project, a measured IMA too). Each is converted in a
process of its own, with 30 s of processor time, 5 minutes on the clock (other work on the machine must not count) and
2 GiB; the converter it starts has the same. Counted are

- error: refused; the message names file and participant; nothing was written;
- correct: the result is that of the undamaged file;
- plausible: accepted, and the result differs from the undamaged file only by what the flipped bits say (a sample, a
  number in the header that a scanner could have written): nothing in the file could tell;
- FAULT: a traceback, a hang, a message without file or participant, or something half-written.

Prints a table; leaves with 1 where there is a fault.

    python benchmarks/ingest_damaged.py [--seed 1] [--only FORMAT] [--verbose]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import signal
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from ingest import raw_files
from snakemrs.errors import SnakeMRSError
from snakemrs.ingest.convert import convert_all
from snakemrs.study.settings.ingest import IngestSettings

SECONDS, CLOCK, MEMORY = 30, 300, 2 * 2**30
COILS = np.array([1, 0.5j, -0.3])[:, None]
Base = tuple[Path, list[Path], str]  # the file to convert, the files to damage, the suffix of the output


def bases(folder: Path) -> dict[str, Base]:
    """Write an undamaged file of each format."""
    many, water = raw_files.signal(8)[:, None] * COILS, raw_files.water_signal(8)[:, None] * COILS
    head, affine = raw_files.head_image()
    frames = np.concatenate([raw_files.signal(16), raw_files.water_signal(16)])
    sdat = raw_files.write_sdat(folder / "sdat", raw_files.signal(4))
    listed = raw_files.write_data_list(folder / "list", many, water)
    rda, twix = raw_files.write_rda(folder / "rda", raw_files.signal()), raw_files.write_twix(folder / "twix", many)
    ge, dicom = raw_files.write_ge(folder / "ge", many, water), raw_files.write_philips_dicom(folder / "pdcm", frames)
    enhanced = raw_files.write_siemens_dicom(folder / "xa", raw_files.signal(8))
    uih = raw_files.write_uih_dicom(folder / "uih", raw_files.signal()[0], raw_files.water_signal()[0])
    image = raw_files.write_image(folder / "nii" / "t1.nii.gz", head, affine)
    flat = raw_files.write_image(folder / "flat" / "t1.nii", head, affine)
    mrs = folder / "mrs" / "spectrum_svs.nii.gz"
    convert_all([(twix, mrs)], IngestSettings())
    mrs.with_name("spectrum_svs.json").unlink()
    series = raw_files.write_dicom_series(folder / "series", head[:, :, ::1])
    found: dict[str, Base] = {
        "sdat": (sdat, [sdat, sdat.with_suffix(".SPAR")], "svs"),
        "data-list": (listed, [listed, listed.with_suffix(".list"), listed.with_suffix(".SPAR")], "svs"),
        "philips-dicom": (dicom, [dicom], "svs"),
        "rda": (rda, [rda], "svs"),
        "twix": (twix, [twix], "svs"),
        "ge": (ge, [ge], "svs"),
        "nifti-mrs": (mrs, [mrs], "svs"),
        "nifti-gz": (image, [image], "T1w"),
        "nifti": (flat, [flat], "T1w"),
        "dicom-t1w": (series, [series / "slice0030.dcm"], "T1w"),
    }
    real = Path(os.environ.get("SNAKEMRS_REALDATA", Path(__file__).resolve().parents[2] / "shared" / "realdata"))
    ima = real / "siemens_skyra_press30" / "SVS_30.IMA"
    if ima.exists():
        (folder / "ima").mkdir()
        shutil.copyfile(ima, folder / "ima" / "SVS_30.IMA")
        found["ima"] = (folder / "ima" / "SVS_30.IMA", [folder / "ima" / "SVS_30.IMA"], "svs")
    # Last, so that those before them are damaged as ever.
    found["siemens-dicom"] = (enhanced, [enhanced], "svs")
    found["uih-dicom"] = (uih, [uih], "svs")
    return found


#: Text fields: what is written in place of a value.
ABSURD = ("", "-1", "0", "1e30", "nan", "999999999999", "NaN;DROP", "Quagmarsh")
TEXT_FIELDS = {
    ".SPAR": (
        "samples",
        "rows",
        "synthesizer_frequency",
        "sample_frequency",
        "echo_time",
        "lr_size",
        "nucleus",
        "averages",
    ),
    ".rda": (
        "VectorSize",
        "DwellTime",
        "MRFrequency",
        "TE",
        "TR",
        "PixelSpacingRow",
        "CSIMatrixSize[0]",
        "RowVector[0]",
    ),
}


def damages(path: Path, random: np.random.Generator) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Name damages of a file, each with what does it."""
    content = path.read_bytes()
    size = len(content)

    def put(changed: bytes) -> Callable[[Path], None]:
        return lambda target: target.write_bytes(changed) and None

    for share in (0.0, 0.02, 0.3, 0.6, 0.95):
        yield f"cut to {share:.0%}", put(content[: int(size * share)])
    yield "last byte lost", put(content[:-1])
    yield "junk at the end", put(content + bytes(range(256)))
    yield "all zeros", put(bytes(size))
    yield "random bytes", put(random.bytes(min(size, 10**6)))
    header = min(size, 4096 if size > 8192 else size)
    for number in range(3):
        yield f"flips in the header {number}", put(_flipped(content, 0, header, 12, random))
        yield f"flips anywhere {number}", put(_flipped(content, 0, size, 12, random))
    for word in (0xFFFFFFFF, 0x80000000):
        for offset in (0, 4, 40, 44):
            if size > 64:
                yield (
                    f"word {word:#x} at {offset}",
                    put(content[:offset] + struct.pack("<I", word) + content[offset + 4 :]),
                )
    for key in TEXT_FIELDS.get(path.suffix, ()):
        value = ABSURD[int(random.integers(len(ABSURD)))]
        yield f"{key} = {value!r}", put(_field(content, path.suffix, key, value))
        yield f"no {key}", put(_field(content, path.suffix, key, None))


def _flipped(content: bytes, start: int, stop: int, count: int, random: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for position in random.integers(start, stop, count):
        changed[position] ^= 1 << int(random.integers(8))
    return bytes(changed)


def _field(content: bytes, ending: str, key: str, value: str | None) -> bytes:
    import re

    separator = rb" : " if ending == ".SPAR" else rb": "
    pattern = rb"^" + re.escape(key.encode()) + separator + rb"[^\r\n]*\r?\n"
    new = (
        b"" if value is None else key.encode() + separator + value.encode() + (b"\n" if ending == ".SPAR" else b"\r\n")
    )
    return re.sub(pattern, new.replace(b"\\", b"\\\\"), content, count=1, flags=re.MULTILINE)


def wrong_names(base: Base, others: dict[str, Base]) -> Iterator[tuple[str, str]]:
    """Name endings of other vendors."""
    for ending in (".dat", ".rda", ".IMA", ".7", ".SDAT", ".list", ".nii.gz", ""):
        if base[0].is_file() and base[0].suffix != ending:
            yield f"named *{ending or ' without ending'}", ending


def result(out: Path) -> dict[str, Any]:
    """Read what was written, for comparison."""
    from snakemrs.ingest.formats.nifti import read_bytes

    found: dict[str, Any] = {}
    for path in sorted(out.iterdir()):
        if path.name.endswith(".json"):
            found[path.name] = {k: v for k, v in json.loads(path.read_text()).items() if k != "IngestNotes"}
        else:
            image = read_bytes(path)
            # Where the samples begin depends on the length of the header extension and says nothing.
            begin = slice(108, 112) if image.version == 1 else slice(168, 176)
            header = bytearray(image.header)
            header[begin] = bytes(begin.stop - begin.start)
            found[path.name] = (bytes(header), image.extensions, image.payload)
    return found


def attempt(source: Path, suffix: str, out: Path, said: Path) -> None:
    """Convert in this (forked) process; leave with 0 done, 1 refused, 70 a traceback."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    signal.alarm(CLOCK)
    target = out / f"sub-77_{suffix}.nii.gz"
    status = 0
    try:
        settings = IngestSettings(converter_seconds=CLOCK - 60)
        text = "\n".join(convert_all([(source, target)], settings, "77"))
    except SnakeMRSError as error:
        text, status = str(error), 1
    except BaseException as error:
        import traceback

        text, status = f"{type(error).__name__}: {error}\n{traceback.format_exc()}", 70
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(use.ru_utime + use.ru_stime for use in used)
    memory = max(use.ru_maxrss for use in used) / 1024
    said.write_text(json.dumps({"text": text, "memory": memory, "seconds": seconds}))
    os._exit(status)


def run_case(source: Path, suffix: str, work: Path, undamaged: dict[str, Any] | None) -> tuple[str, str, float, float]:
    """Convert a damaged file; give the verdict, what was said, seconds, MiB."""
    out, said = work / "out", work / "said.json"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    said.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        attempt(source, suffix, out, said)
    _, status = os.waitpid(child, 0)
    if not os.WIFEXITED(status) or not said.exists():
        return "FAULT", f"ended by signal {os.WTERMSIG(status)}", float(SECONDS), 0.0
    words = json.loads(said.read_text())
    seconds = words["seconds"]
    text, code, left = words["text"], os.WEXITSTATUS(status), list(out.iterdir())
    if code == 70:
        return "FAULT", text, seconds, words["memory"]
    if code == 1:
        names = str(source.parent) in text or source.stem in text
        if left or not names or "sub-77" not in text:
            return "FAULT", f"left {len(left)} files; said: {text}", seconds, words["memory"]
        return "error", text.splitlines()[0].split(": ", 1)[-1], seconds, words["memory"]
    if undamaged is None:
        return "plausible", text, seconds, words["memory"]
    found = difference(result(out), undamaged)
    if found is None:
        return "correct", "", seconds, words["memory"]
    return ("plausible" if found[0] else "FAULT"), found[1], seconds, words["memory"]


def difference(found: dict[str, Any], undamaged: dict[str, Any]) -> tuple[bool, str] | None:
    """Say how a result differs, and whether flipped bits that nothing in the file can tell explain it."""
    if found == undamaged:
        return None
    if set(found) != set(undamaged):
        return False, f"other files: {sorted(set(found) ^ set(undamaged))}"
    words, explained = [], True
    for name, content in found.items():
        other = undamaged[name]
        if name.endswith(".json"):
            keys = sorted(k for k in {*content, *other} if content.get(k) != other.get(k))
            words += [f"{key} {other.get(key)} -> {content.get(key)}" for key in keys]
            continue
        if len(content[2]) != len(other[2]):
            return False, f"{name}: {len(content[2])} bytes of samples for {len(other[2])}"
        samples = [np.frombuffer(payload, "<u4") for payload in (content[2], other[2])]
        count = int(np.count_nonzero(samples[0] != samples[1]))
        # A flipped bit spoils one number; a flipped scale or geometry none.
        explained = explained and count <= 40
        words.append(f"{count} numbers differ")
        if content[0] != other[0]:
            words.append("geometry or dwell time differs")
        elif content[1] != other[1] and not count:
            words.append("header extension differs")
    return explained, "; ".join(words)


def main() -> None:
    import snakemrs.interfaces.spec2nii  # before the processes are forked: it takes longer than a conversion

    assert snakemrs.interfaces.spec2nii
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=None, help="one format")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--verbose", action="store_true", help="a line a file")
    chosen = parser.parse_args()
    random = np.random.default_rng(chosen.seed)
    counts: dict[str, Counter[str]] = {}
    faults: list[str] = []
    slowest = largest = 0.0
    with tempfile.TemporaryDirectory(prefix="snakemrs-damaged-") as name:
        root = Path(name)
        originals = bases(root / "whole")
        for kind, base in originals.items():
            if chosen.only and kind != chosen.only:
                continue
            source, targets, suffix = base
            verdict, text, _, _ = run_case(source, suffix, root / "work", None)
            if verdict != "plausible":
                raise SystemExit(f"{kind}: the undamaged file is not converted: {text}")
            undamaged = result(root / "work" / "out")
            cases: list[tuple[str, Path]] = []
            for target in targets:
                for damage, spoil in damages(target, random):
                    cases.append((f"{target.name}: {damage}", _spoilt(root, base, target, spoil)))
            for damage, ending in wrong_names(base, originals):
                copy = _copied(root, base)
                renamed = copy.with_name("renamed" + ending)
                copy.rename(renamed)
                cases.append((damage, renamed))
            tally = counts.setdefault(kind, Counter())

            def judge(
                case: tuple[str, Path], suffix: str = suffix, undamaged: dict[str, Any] = undamaged
            ) -> tuple[str, Path, tuple[str, str, float, float]]:
                work = Path(tempfile.mkdtemp(dir=root))
                return (*case, run_case(case[1], suffix, work, undamaged))

            with ThreadPoolExecutor(chosen.jobs) as pool:
                judged = pool.map(judge, cases)
            for label, path, (verdict, text, seconds, memory) in judged:
                tally[verdict] += 1
                slowest, largest = max(slowest, seconds), max(largest, memory)
                if verdict == "FAULT":
                    faults.append(f"{kind}, {label}: {text}")
                if chosen.verbose:
                    first = text.splitlines()[0][:110] if text else ""
                    print(f"{kind:14}{label:45.45}{verdict:10}{seconds:5.1f} s  {first}", flush=True)
                shutil.rmtree(path.parent if path.is_file() else path, ignore_errors=True)
    print(f"{'format':15}{'files':>7}{'error':>7}{'correct':>9}{'plausible':>11}{'FAULT':>7}")
    total: Counter[str] = Counter()
    for kind, tally in counts.items():
        total += tally
        _line(kind, tally)
    _line("all", total)
    print(
        f"slowest {slowest:.1f} s of processor time (limit {SECONDS}), "
        f"largest {largest:.0f} MiB (limit {MEMORY // 2**20})"
    )
    for fault in faults:
        print("FAULT", fault)
    raise SystemExit(1 if faults else 0)


def _line(kind: str, tally: Counter[str]) -> None:
    print(
        f"{kind:15}{sum(tally.values()):7}{tally['error']:7}{tally['correct']:9}{tally['plausible']:11}{tally['FAULT']:7}"
    )


def _copied(root: Path, base: Base) -> Path:
    place = Path(tempfile.mkdtemp(dir=root))
    source = base[0]
    shutil.copytree(source if source.is_dir() else source.parent, place / "raw")
    return place / "raw" if source.is_dir() else place / "raw" / source.name


def _spoilt(root: Path, base: Base, target: Path, spoil: Callable[[Path], None]) -> Path:
    copy = _copied(root, base)
    spoil((copy if copy.is_dir() else copy.parent) / target.name)
    return copy


if __name__ == "__main__":
    main()
