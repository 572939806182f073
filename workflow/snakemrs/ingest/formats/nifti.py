"""NIfTI images at the level of bytes: header, samples and a copy without anything personal."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from snakemrs.errors import DataError
from snakemrs.ingest.raw import RawFile
from snakemrs.ingest.signal import spike

#: Largest image taken (bytes, unpacked): above, the header is taken for damaged.
LARGEST = 2**31

# Free text of the header, (offset, length) by version of the format.
_TEXT = {
    1: ((4, 10), (14, 18), (148, 80), (228, 24), (328, 16)),  # data_type db_name descrip aux_file intent_name
    2: ((240, 80), (320, 24), (508, 16)),  # descrip aux_file intent_name
}
_SIZE = {1: 348, 2: 540}


@dataclass(frozen=True)
class NiftiBytes:
    """A NIfTI file as bytes.

    Attributes
    ----------
    version : int
        1 or 2.
    order : str
        ``<`` or ``>``.
    header : bytes
        348 or 540 bytes.
    extensions : tuple of (int, bytes)
        Code and content of each header extension.
    payload : bytes
        The samples as stored.
    """

    version: int
    order: str
    header: bytes
    extensions: tuple[tuple[int, bytes], ...]
    payload: bytes

    def anonymous(self) -> bytes:
        """Give the file again, samples and geometry untouched, free text and extensions gone."""
        header = bytearray(self.header)
        for offset, length in _TEXT[self.version]:
            header[offset : offset + length] = bytes(length)
        begin = _SIZE[self.version] + 4
        if self.version == 1:
            header[344:348] = b"n+1\x00"
            header[108:112] = struct.pack(self.order + "f", begin)
        else:
            header[168:176] = struct.pack(self.order + "q", begin)
        return bytes(header) + bytes(4) + self.payload


def read_bytes(path: Path) -> NiftiBytes:
    """Read a NIfTI-1 or NIfTI-2 file (one file, packed or not).

    Raises
    ------
    DataError
        If it is none, is cut short, or its header is absurd.
    """
    content = _unpack(path)
    if len(content) < 352:
        raise DataError("the image is cut short", file=path, found=f"{len(content)} bytes", expected="a NIfTI header")
    for order in "<>":
        size = struct.unpack(order + "i", content[:4])[0]
        if size in (348, 540):
            break
    else:
        raise DataError("this is no NIfTI image", file=path, expected="NIfTI-1 or NIfTI-2, one file, .nii or .nii.gz")
    version = 1 if size == 348 else 2
    if len(content) < size + 4:
        raise DataError("the image is cut short", file=path, found=f"{len(content)} bytes", expected="a NIfTI header")
    if version == 1:
        dims = struct.unpack(order + "8h", content[40:56])
        bits = struct.unpack(order + "h", content[72:74])[0]
        begin = struct.unpack(order + "f", content[108:112])[0]
        magic = content[344:347]
    else:
        dims = struct.unpack(order + "8q", content[16:80])
        bits = struct.unpack(order + "h", content[14:16])[0]
        begin = struct.unpack(order + "q", content[168:176])[0]
        magic = content[4:7]
    if magic not in (b"n+1", b"n+2"):
        raise DataError(
            "this is no NIfTI image in one file", file=path, found=repr(magic), expected="a .nii or .nii.gz file"
        )
    if not 1 <= dims[0] <= 7 or any(d < 1 for d in dims[1 : dims[0] + 1]) or bits not in (8, 16, 24, 32, 64, 128, 256):
        raise DataError("the NIfTI header is absurd", file=path, found=f"dimensions {dims}, {bits} bits a sample")
    if not np.isfinite(begin) or not size + 4 <= begin <= len(content):
        raise DataError("the NIfTI header is absurd", file=path, found=f"samples begin at byte {begin}")
    begin = int(begin)
    length = int(np.prod([int(d) for d in dims[1 : dims[0] + 1]], dtype=object)) * bits // 8
    if length > LARGEST:
        raise DataError("the NIfTI header is absurd", file=path, found=f"{length} bytes of samples")
    if len(content) - begin < length:
        raise DataError(
            "the image is cut short", file=path, found=f"{len(content) - begin} bytes", expected=f"{length} bytes"
        )
    return NiftiBytes(
        version, order, content[:size], _extensions(content, size, begin, order), content[begin : begin + length]
    )


def _unpack(path: Path) -> bytes:
    raw = path.read_bytes()
    if raw[:2] != b"\x1f\x8b":
        return raw
    try:
        reader = zlib.decompressobj(wbits=31)
        content = reader.decompress(raw, LARGEST)
        if not reader.eof:
            raise DataError("the packed image is cut short", file=path, remedy="copy it again")
    except zlib.error as error:
        raise DataError("the packed image is damaged", file=path, found=str(error), remedy="copy it again") from None
    return content


def _extensions(content: bytes, size: int, begin: int, order: str) -> tuple[tuple[int, bytes], ...]:
    found = []
    at = size + 4
    if content[size : size + 1] == b"\x00":
        return ()
    while at + 8 <= begin:
        length, code = struct.unpack(order + "ii", content[at : at + 8])
        if length < 8 or at + length > begin:
            break
        found.append((code, content[at + 8 : at + length]))
        at += length
    return tuple(found)


def is_skull_stripped(data: np.ndarray, voxel_volume: float) -> bool:
    """Whether an image of the head holds the brain only.

    A stripped image is exactly zero (or one constant) outside the brain, and what is left has the volume of a brain:
    0.5 to 2.2 litres. A whole head in a zeroed background measures 3 to 6 litres.

    Parameters
    ----------
    data : ndarray, shape (x, y, z)
    voxel_volume : float
        mm³.
    """
    background = data.flat[0]
    inside = np.asarray(data != background)
    litres = np.count_nonzero(inside) * voxel_volume / 1e6
    return bool(np.mean(inside) < 0.6 and 0.5 <= litres <= 2.2)


def recognise_image(path: Path, source: NiftiBytes | None = None) -> RawFile:
    """Recognise an image: structural head image (T1w), a map or mask, or something else; `source` if it is read."""
    from snakemrs.interfaces.nib import nib

    source = source or read_bytes(path)
    image = nib.Nifti1Image if source.version == 1 else nib.Nifti2Image
    picture = image.from_bytes(source.anonymous())
    shape = tuple(n for n in picture.shape if n > 1)
    zooms = tuple(float(z) for z in picture.header.get_zooms()[:3])
    known = {"path": path, "format": "nifti", "files": (path,), "voxel_size": zooms}
    if len(shape) != 3 or len(picture.shape) < 3:
        return RawFile(**known, kind="image", why=f"NIfTI image of shape {picture.shape}: no single volume")  # type: ignore[arg-type]
    data = np.asarray(picture.dataobj, dtype=np.float32).reshape(shape)
    problem = image_problem(data, zooms)
    if problem:
        return RawFile(**known, kind="image", why=f"NIfTI volume, but {problem}", problem=problem)  # type: ignore[arg-type]
    stripped = is_skull_stripped(data, float(np.prod(zooms)))
    word = "brain only (skull-stripped)" if stripped else "whole head"
    return RawFile(
        **known,  # type: ignore[arg-type]
        kind="T1w",
        skull_stripped=stripped,
        why=f"NIfTI volume of a head, {word}; taken for T1-weighted",
    )


def image_problem(data: np.ndarray, zooms: tuple[float, ...]) -> str | None:
    """Say why a volume cannot be a structural image of a head, or None.

    Parameters
    ----------
    data : ndarray of float, shape (x, y, z)
    zooms : tuple of float
        Size of a voxel, mm.
    """
    extent = [n * z for n, z in zip(data.shape, zooms, strict=True)]
    if not all(np.isfinite(zooms)) or not all(0.2 <= z <= 6 for z in zooms):
        return f"its voxels measure {' × '.join(f'{z:.3g}' for z in zooms)} mm"
    if not all(80 <= e <= 450 for e in extent):
        return f"it measures {' × '.join(f'{e:.0f}' for e in extent)} mm, no head"
    if not np.all(np.isfinite(data)):
        return "it holds values that are no numbers"
    if (height := spike(data)) is not None:
        return f"one value stands {height:.3g} times above all others"
    sample = data[::2, ::2, ::2]
    if len(np.unique(sample[:: max(1, sample.shape[0] // 40)])) < 30:
        return "it has fewer than 30 different values: a mask or label map"
    if sample.min() >= 0 and abs(float(sample.max()) - 1) < 1e-6 and np.mean(sample == sample.max()) > 0.002:
        return "its values run from 0 to exactly 1: a probability map"
    return None
