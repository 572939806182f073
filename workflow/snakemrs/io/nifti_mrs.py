"""NIfTI-MRS: complex time-domain data with its header extension.

Standard: Clarke et al., Magn Reson Med 2022 (88:2358), "NIfTI-MRS: A standard data format for magnetic resonance
spectroscopy". Everywhere in SnakeMRS the time signal has the standard's sign: a resonance at δ ppm evolves as
exp(−2πi·(δ − δ_ref)·F·t) with F in MHz, so that after a Fourier transform higher ppm lies at negative frequency.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs import __version__
from snakemrs.errors import DataError
from snakemrs.interfaces.nib import nib
from snakemrs.io.atomic import replacing

EXTENSION_CODE = 44

#: Keys of the header that the standard does not define, and what they say.
OWN_KEYS = {
    "NumberOfTransients": "Number of transients that the data hold or are the mean of.",
    "TransientsPerSignal": "Number of transients that the scanner put into each signal it stored.",
    "ReceiverGain": "Gain of the receiver in the vendor's terms: a number, high or low (Siemens), R1 and R2 (GE).",
}


@dataclass(frozen=True)
class NiftiMrs:
    """A NIfTI-MRS image in memory.

    Attributes
    ----------
    data : ndarray of complex, shape (x, y, z, points, ...)
        Time signal; points along axis 3, further axes named by `dim_tags`.
    affine : ndarray, shape (4, 4)
        Voxel to scanner coordinates, mm, RAS+.
    dwell_time : float
        Seconds between points.
    header : dict
        The header extension (JSON).
    path : Path or None
        Where it was read from, for messages.
    """

    data: np.ndarray
    affine: np.ndarray
    dwell_time: float
    header: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    @property
    def spectrometer_frequency(self) -> float:
        """Spectrometer frequency in MHz."""
        return float(np.atleast_1d(self.header["SpectrometerFrequency"])[0])

    @property
    def nucleus(self) -> str:
        """Resonant nucleus such as ``1H``."""
        return str(np.atleast_1d(self.header["ResonantNucleus"])[0])

    @property
    def echo_time(self) -> float | None:
        """Echo time in seconds; None where the header has none."""
        value = self.header.get("EchoTime")
        return None if value is None else float(value)

    @property
    def repetition_time(self) -> float | None:
        """Repetition time in seconds; None where the header has none."""
        value = self.header.get("RepetitionTime")
        return None if value is None else float(value)

    @property
    def points(self) -> int:
        """Number of points of the time signal."""
        return int(self.data.shape[3])

    @property
    def bandwidth(self) -> float:
        """Spectral width in Hz."""
        return 1.0 / self.dwell_time

    @property
    def dim_tags(self) -> tuple[str, ...]:
        """Tags of the axes after the fourth, in their order, such as ``("DIM_COIL", "DIM_DYN")``."""
        return tuple(self.header[f"dim_{n}"] for n in (5, 6, 7) if f"dim_{n}" in self.header)

    def as_dims(self, *tags: str) -> np.ndarray:
        """Give the signal of a single voxel with the axes `tags` in that order and the points last.

        An axis that the image lacks has length 1. An axis of the image that is longer than 1 and not asked for is
        an error: nothing is averaged or dropped in silence.

        Returns
        -------
        ndarray of complex, shape (len of each tag ..., points)
        """
        if self.data.shape[:3] != (1, 1, 1):
            raise self.error("more than one voxel", found=f"shape {self.data.shape[:3]}", expected="single voxel")
        have = self.dim_tags
        # An axis of length 1 at the end may be tagged and yet not stored.
        stored = (self.data.shape[4:] + (1,) * len(have))[: max(len(have), self.data.ndim - 4)]
        if any(length > 1 for length in stored[len(have) :]):
            raise self.error(
                "a dimension has no tag", found=f"shape {self.data.shape}, tags {have}", expected="dim_5 …"
            )
        signal = self.data[0, 0, 0].reshape(self.points, *stored[: len(have)])
        for tag, length in zip(have, signal.shape[1:], strict=True):
            if tag not in tags and length > 1:
                raise self.error(
                    f"unexpected dimension {tag}", found=f"{tag} of length {length}", expected=" × ".join(tags)
                )
        keep = [slice(None)] + [slice(None) if tag in tags else 0 for tag in have]
        signal = signal[tuple(keep)]
        kept = [tag for tag in have if tag in tags]
        order = [1 + kept.index(tag) for tag in tags if tag in kept]
        signal = np.transpose(signal, [*order, 0])
        for axis, tag in enumerate(tags):
            if tag not in kept:
                signal = np.expand_dims(signal, axis)
        return signal

    def with_signal(self, signal: np.ndarray, *tags: str, **header: Any) -> NiftiMrs:
        """Give a copy with another signal.

        Parameters
        ----------
        signal : ndarray of complex, shape (len of each tag ..., points)
            The new signal of the single voxel, points last.
        *tags : str
            What the leading axes are, in order. Axes of length 1 at the end are dropped.
        **header
            Header keys to set.
        """
        signal = np.asarray(signal)
        while tags and signal.shape[len(tags) - 1] == 1:
            signal = np.take(signal, 0, axis=len(tags) - 1)
            tags = tags[:-1]
        data = np.moveaxis(signal, -1, 0)[None, None, None]
        kept = {k: v for k, v in self.header.items() if not k.startswith("dim_")}
        for n, tag in enumerate(tags):
            kept[f"dim_{5 + n}"] = tag
        return replace(self, data=data.astype(np.complex64), header={**kept, **header})

    def processed(self, method: str, details: str) -> NiftiMrs:
        """Give a copy with an entry more in ``ProcessingApplied`` (terms of Near et al. 2021)."""
        step = {"Time": _now(), "Program": "SnakeMRS", "Version": __version__, "Method": method, "Details": details}
        steps = [*self.header.get("ProcessingApplied", []), step]
        return replace(self, header={**self.header, "ProcessingApplied": steps})

    def error(self, message: str, **more: Any) -> DataError:
        """Make an error that names this file."""
        return DataError(message, file=self.path, **more)


def _now() -> str:
    """Time stamp of processing steps; SOURCE_DATE_EPOCH makes it reproducible."""
    import os

    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    when = datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)
    return when.strftime("%Y-%m-%dT%H:%M:%S.000")


def read(path: str | Path, *, plausible: bool = True) -> NiftiMrs:
    """Read a NIfTI-MRS file.

    Parameters
    ----------
    path : path
    plausible : bool
        Refuse numbers that cannot be. Ingest reads what converters make without, because it mends units and dimensions.

    Raises
    ------
    DataError
        If the file is absent, damaged, no NIfTI-MRS, or its header lacks what the standard requires.
    """
    path = Path(path)
    if not path.exists():
        raise DataError("the file does not exist", file=path)
    try:
        image: Any = nib.load(path)
        data = np.asarray(image.dataobj)
        extensions = [e for e in image.header.extensions if e.get_code() == EXTENSION_CODE]
    except Exception as error:
        raise DataError("the file cannot be read as NIfTI", file=path, found=str(error)) from None
    if not extensions:
        raise DataError(
            "this is no NIfTI-MRS file",
            file=path,
            found="no header extension of code 44",
            expected="a file made by spec2nii or by `snakemrs ingest`",
        )
    try:
        header = _unwrapped(json.loads(extensions[0].get_content()))
    except (ValueError, AttributeError):
        raise DataError("the NIfTI-MRS header is damaged", file=path, expected="JSON in the header extension") from None
    for key in ("SpectrometerFrequency", "ResonantNucleus"):
        if key not in header:
            raise DataError("the NIfTI-MRS header is incomplete", file=path, expected=key)
    if not np.iscomplexobj(data):
        raise DataError("the data are not complex", file=path, found=str(data.dtype))
    zooms = image.header.get_zooms()
    if data.ndim < 4 or not zooms[3] > 0:
        raise DataError("no time axis", file=path, found=f"shape {data.shape}", expected="points along dimension 4")
    unit = image.header.get_xyzt_units()[1]
    scale = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}.get(unit, 1.0)
    affine = np.asarray(image.affine, float)
    read_image = NiftiMrs(data, affine, float(zooms[3]) * scale, header, path)
    if plausible:
        check(read_image)
    return read_image


def check(image: NiftiMrs) -> None:
    """Refuse headers whose numbers cannot be: in another unit, missing, or not matching the data."""
    try:
        frequency = image.spectrometer_frequency
        echo = (image.echo_time, image.repetition_time)
        _ = image.nucleus
    except (TypeError, ValueError, IndexError):
        raise image.error(
            "the NIfTI-MRS header holds no number where one is due",
            found={key: image.header.get(key) for key in ("SpectrometerFrequency", "EchoTime", "RepetitionTime")},
        ) from None
    if not 1 <= frequency <= 2000:
        raise image.error("the spectrometer frequency cannot be", found=frequency, expected="MHz, between 1 and 2000")
    if not 1e-6 <= image.dwell_time <= 0.1:
        raise image.error("the dwell time cannot be", found=f"{image.dwell_time:g} s", expected="1e-6 to 0.1 s")
    if any(value is not None and not 0 <= value < 1000 for value in echo):
        raise image.error("echo or repetition time cannot be", found=echo, expected="seconds")
    tags = image.dim_tags
    if not all(isinstance(tag, str) for tag in tags) or len(set(tags)) < len(tags):
        raise image.error("the dimensions are not named as they should be", found=tags, expected="dim_5, dim_6, dim_7")
    if any(length > 1 for length in image.data.shape[4 + len(tags) :]):
        raise image.error("a dimension has no tag", found=f"shape {image.data.shape}, tags {tags}", expected="dim_5 …")
    if not np.isfinite(image.affine).all():
        raise image.error("the position of the voxel is no number", found=image.affine.tolist())


def write(image: NiftiMrs, path: str | Path) -> None:
    """Write a NIfTI-MRS file (NIfTI-2, complex64), whole or not at all, the same bytes for the same content."""
    nifti = nib.Nifti2Image(image.data.astype(np.complex64), image.affine)
    nifti.header.set_xyzt_units("mm", "sec")
    nifti.header["pixdim"][4] = image.dwell_time
    nifti.set_qform(image.affine, 1)
    nifti.set_sform(image.affine, 1)
    nifti.header["intent_name"] = b"mrs_v0_9"
    content = json.dumps(_wrapped(image.header), ensure_ascii=False).encode()
    nifti.header.extensions.append(nib.nifti1.Nifti1Extension(EXTENSION_CODE, content))
    with replacing(path) as temporary:
        write_nifti(nifti, temporary)


def _wrapped(header: dict[str, Any]) -> dict[str, Any]:
    """Put our own keys in the form that the standard asks of user-defined ones: an object with a Description."""
    return {
        key: {"Value": value, "Description": OWN_KEYS[key]} if key in OWN_KEYS else value
        for key, value in header.items()
    }


def _unwrapped(header: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value["Value"] if key in OWN_KEYS and isinstance(value, dict) and "Value" in value else value
        for key, value in header.items()
    }


def write_nifti(image: Any, path: Path) -> None:
    """Save a nibabel image to exactly `path`; gzip without time stamp or name, so that bytes depend on content only."""
    import gzip

    payload = image.to_bytes()
    if path.name.endswith(".gz"):
        payload = gzip.compress(payload, compresslevel=6, mtime=0)
    path.write_bytes(payload)
