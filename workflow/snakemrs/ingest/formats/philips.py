"""Philips SDAT/SPAR: header, samples, and a header mended for spec2nii that holds nothing personal."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from snakemrs.errors import DataError
from snakemrs.ingest.raw import RawFile, inversion_of, sequence_of
from snakemrs.ingest.signal import is_suppressed, some_of, trouble, water_ratio

#: What spec2nii reads of a SPAR file and what we need; everything else stays behind.
_NUMBERS = (
    "samples", "rows", "synthesizer_frequency", "offset_frequency", "sample_frequency", "echo_time", "repetition_time",
    "averages", "ap_size", "lr_size", "cc_size", "ap_off_center", "lr_off_center", "cc_off_center", "ap_angulation",
    "lr_angulation", "cc_angulation", "spectrum_inversion_time",
)  # fmt: skip
_REQUIRED = ("samples", "rows", "synthesizer_frequency", "sample_frequency")
_GEOMETRY = (
    "ap_size", "lr_size", "cc_size", "ap_off_center", "lr_off_center", "cc_off_center", "ap_angulation",
    "lr_angulation", "cc_angulation",
)  # fmt: skip
_LARGEST_SPAR = 1_000_000
_LARGE = 128 + 58
"""Exponent of VAX floats from 2^57 on; `snakemrs.ingest.signal.LARGEST` is 2^59.8."""


def is_spar(text: str) -> bool:
    """Whether the text is a Philips parameter file."""
    return "synthesizer_frequency" in text and "samples" in text


def partner(path: Path, ending: str) -> Path | None:
    """Give the file beside `path` with the same name and another ending, upper or lower case."""
    for name in (ending.upper(), ending.lower(), ending.capitalize()):
        candidate = path.with_suffix(f".{name}")
        if candidate.is_file():
            return candidate
    return None


def read_spar(path: Path) -> dict[str, str]:
    """Read a SPAR file as a dictionary of text.

    Raises
    ------
    DataError
        If it is no SPAR file, or what the conversion cannot do without is missing or no number.
    """
    if path.stat().st_size > _LARGEST_SPAR:
        raise DataError("this is no SPAR file", file=path, found=f"{path.stat().st_size} bytes")
    text = path.read_bytes().decode("latin-1")
    entries: dict[str, str] = {}
    for line in text.splitlines():
        if line.strip() and not line.startswith("!") and ":" in line:
            key, value = line.split(":", 1)
            entries[key.strip()] = value.strip().strip('"').strip()
    if not is_spar(text):
        raise DataError("this is no SPAR file", file=path, expected="lines such as `synthesizer_frequency : 127755264`")
    for key in _REQUIRED:
        number(path, entries, key)
    return entries


def number(path: Path, entries: dict[str, str], key: str) -> float:
    """Give a number of a SPAR file, or say that it is missing."""
    value = entries.get(key, "")
    try:
        result = float(value)
    except ValueError:
        raise DataError(
            f"the SPAR header has no usable `{key}`", file=path, found=value or "nothing", expected="a number"
        ) from None
    if not np.isfinite(result):
        raise DataError(f"the SPAR header has no usable `{key}`", file=path, found=value, expected="a finite number")
    return result


def vax_to_ieee(data: bytes) -> np.ndarray:
    """Read VAX F floats (16-bit words swapped, exponent greater by 2), shape (bytes // 4,), float64."""
    return _floats(np.frombuffer(data[: len(data) // 4 * 4], dtype="<u2").reshape(-1, 2))


def _floats(words: np.ndarray) -> np.ndarray:
    bits = (words[:, 0].astype(np.uint32) << 16) | words[:, 1]
    exponent = (bits >> 23) & 0xFF
    fraction = (bits & 0x7FFFFF).astype(np.float64) / 2**24 + 0.5
    value = np.ldexp(fraction, exponent.astype(np.int64) - 128)
    return np.where(exponent == 0, 0.0, np.where(bits >> 31 == 1, -value, value))


def read_sdat(path: Path, samples: int, rows: int) -> np.ndarray:
    """Read the samples, shape (rows, samples), sign as in the file (the conjugate of NIfTI-MRS)."""
    floats = vax_to_ieee(path.read_bytes())
    return (floats[0::2] + 1j * floats[1::2])[: rows * samples].reshape(rows, samples)


def read_some(path: Path, samples: int, rows: int) -> np.ndarray:
    """Read rows enough to know what the spectrum is (`snakemrs.ingest.signal.some_of`), as `read_sdat` does.

    All rows are read where a number in any of them is beyond what a signal has, or where those few are empty.
    """
    words = np.frombuffer(path.read_bytes(), dtype="<u2")[: 4 * rows * samples].reshape(rows, 2 * samples, 2)
    exponents = words[..., 0] & 0x7F80
    if exponents.max() >> 7 < _LARGE and some_of(exponents).any():
        words = some_of(words)
    floats = _floats(words.reshape(-1, 2))
    return (floats[0::2] + 1j * floats[1::2]).reshape(-1, samples)


def check_pair(sdat: Path, spar: Path, entries: dict[str, str]) -> tuple[int, int]:
    """Check that the samples are all there; give rows and samples.

    Raises
    ------
    DataError
        If the numbers are absurd or the SDAT is shorter or longer than its SPAR says.
    """
    samples, rows = int(number(spar, entries, "samples")), int(number(spar, entries, "rows"))
    if not 16 <= samples <= 2**20 or not 1 <= rows <= 2**20:
        raise DataError("the SPAR header is absurd", file=spar, found=f"{rows} rows of {samples} samples")
    expected, found = samples * rows * 8, sdat.stat().st_size
    if found != expected:
        word = "truncated" if found < expected else "longer than its header says"
        raise DataError(
            f"the SDAT file is {word}",
            file=sdat,
            found=f"{found} bytes",
            expected=f"{expected} bytes ({rows} rows of {samples} complex samples, from {spar.name})",
            remedy="copy the pair of SDAT and SPAR from the scanner again",
        )
    return rows, samples


def voxel(entries: dict[str, str]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Give size (LR, AP, FH; mm) and centre (RAS+, mm); empty where the header has none."""
    try:
        size = tuple(float(entries[f"{axis}_size"]) for axis in ("lr", "ap", "cc"))
        off = [float(entries[f"{axis}_off_center"]) for axis in ("lr", "ap", "cc")]
    except (KeyError, ValueError):
        return (), ()
    return size, (-off[0], -off[1], off[2])


def recognise(sdat: Path, spar: Path) -> RawFile:
    """Recognise a pair of SDAT and SPAR."""
    entries = read_spar(spar)
    rows, samples = check_pair(sdat, spar, entries)
    frequency = number(spar, entries, "synthesizer_frequency") / 1e6
    bandwidth = number(spar, entries, "sample_frequency")
    signal = read_some(sdat, samples, rows)
    ratio = water_ratio(signal, bandwidth, frequency)
    suppressed = is_suppressed(ratio)
    said = "" if suppressed is not None else "; water height undecided, taken by mix_number"
    is_water = suppressed is False or (suppressed is None and entries.get("mix_number") == "2")

    def seconds(key: str) -> float | None:
        try:
            return float(entries[key]) / 1000
        except (KeyError, ValueError):
            return None

    header_inversion = seconds("spectrum_inversion_time") or None
    name = entries.get("scan_id", "")
    inversion = header_inversion or inversion_of(name)
    from_name = " (inversion time from the scan's name)" if inversion and not header_inversion else ""
    averages = int(float(entries.get("averages") or 1))
    size, centre = voxel(entries)
    height = "no signal" if ratio is None else f"water {ratio:.3g} times the highest other peak"
    return RawFile(
        path=sdat,
        format="sdat",
        kind="mrsref" if is_water else "svs",
        files=(sdat, spar),
        vendor="Philips",
        sequence=sequence_of(name),
        nucleus=entries.get("nucleus") or None,
        echo_time=seconds("echo_time"),
        repetition_time=seconds("repetition_time"),
        inversion_time=inversion,
        frequency=frequency,
        bandwidth=bandwidth,
        points=samples,
        transients=rows,
        coils=1,
        averages=averages,
        voxel_size=size,
        centre=centre,
        water_suppressed=suppressed,
        water_ratio=ratio,
        why=f"Philips SDAT with SPAR; {height}{said}{from_name}",
        problem=trouble(signal),
        details={"entries": entries},
    )


def mended_spar(spar: Path, entries: dict[str, str]) -> str:
    """Give a SPAR text that spec2nii reads and that names nobody.

    Numbers are taken over; what old software leaves out (``spectrum_inversion_time``) is filled in; the scan's name
    becomes the sequence, because spec2nii wants it neither empty nor a number.

    Raises
    ------
    DataError
        If geometry is claimed but incomplete, or a value is no number.
    """
    localised = entries.get("volume_selection_enable", "yes").lower() == "yes"
    values: dict[str, str] = {"scan_id": sequence_of(entries.get("scan_id")) or "MRS"}
    for key in _NUMBERS:
        if key in ("spectrum_inversion_time", "offset_frequency", "echo_time", "repetition_time", "averages"):
            try:
                values[key] = repr(float(entries.get(key) or 0))
            except ValueError:
                values[key] = "0.0"
        elif key in _GEOMETRY:
            values[key] = repr(number(spar, entries, key)) if localised else "0"
        else:
            values[key] = repr(number(spar, entries, key))
    values["samples"], values["rows"] = str(int(float(entries["samples"]))), str(int(float(entries["rows"])))
    values["nucleus"] = re.sub(r"[^0-9A-Za-z]", "", entries.get("nucleus", "")) or "1H"
    values["volume_selection_enable"] = '"yes"' if localised else '"no"'
    values["patient_position"] = values["patient_orientation"] = "unknown"
    values["equipment_sw_verions"] = f'"{re.sub(r"[^0-9.; ]", "", entries.get("equipment_sw_verions", ""))}"'
    return "".join(f"{key} : {value}\n" for key, value in values.items())
