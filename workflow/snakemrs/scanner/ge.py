"""GE P-files of PROBE-P: the header structures of a revision, then the samples of each coil, water first.

The structures are those that spec2nii reads (from VESPA); everything in them that it does not name stays nought. The
file holds the sign of NIfTI-MRS as it is.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.errors import DataError
from snakemrs.io.atomic import replacing
from snakemrs.scanner.head import Box
from snakemrs.scanner.personal import Personal
from snakemrs.scanner.presets import Protocol

REVISIONS = {16.0: 145908, 24.0: 157276, 26.002: 213684, 30.0: 228020}
"""Revisions of the header that can be written, with the place of the samples in each."""
WATER_FRAMES = 16
"""PROBE-P takes 16 unsuppressed excitations; so many over NEX are its water frames."""


def corners(box: Box) -> dict[str, np.ndarray]:
    """Corners of the plane of the voxel's first two axes: top left, top right, bottom right (RAS, mm)."""
    across, down = box.rotation[:, 0] * box.size[0], box.rotation[:, 1] * box.size[1]
    middle = box.centre
    return {
        "tlhc": middle - across / 2 - down / 2,
        "trhc": middle + across / 2 - down / 2,
        "brhc": middle + across / 2 + down / 2,
    }


def write_pfile(
    path: Path,
    metabolites: np.ndarray,
    water: np.ndarray,
    protocol: Protocol,
    box: Box,
    personal: Personal,
    revision: float = 26.002,
) -> None:
    """Write a P-file.

    Parameters
    ----------
    metabolites, water : ndarray of complex, shape (frames, coils, points)
        In the sign of NIfTI-MRS; 16 frames of water. A frame is one excitation (NEX 1), so the sign of every second
        one is turned over, as the scanner does ("chop") and its readers undo.

    Raises
    ------
    DataError
        If the voxel is turned so far that the header cannot say which of its sizes lies along which axis.
    """
    frames, coils, points = metabolites.shape
    header = _header(revision)
    if len(water) != WATER_FRAMES:
        raise ValueError(f"{WATER_FRAMES} frames of water are needed")
    dominant = np.abs(box.rotation).argmax(axis=1)
    if sorted(dominant) != [0, 1, 2]:
        raise DataError("a P-file cannot hold a voxel turned so far", file=path, found=box.rotation.tolist())
    sizes = box.size[dominant]
    seen = np.moveaxis(np.concatenate([water, metabolites]), 1, 0)
    # The sign goes on alternating from coil to coil.
    chop = np.resize([1.0, -1.0], seen.shape[0] * seen.shape[1]).reshape(seen.shape[:2])
    everything = np.concatenate([np.zeros((coils, 1, points)), seen * chop[:, :, None]], axis=1)
    # A dummy stands before each coil. Samples are whole numbers, so that noise spans many of them.
    scale = 2.0**30 / max(np.abs(everything.real).max(), np.abs(everything.imag).max())
    scale = min(scale, 2.0**12)
    numbers = np.rint(everything * scale)
    samples = np.stack([numbers.real, numbers.imag], axis=-1).astype("<i4")
    values: dict[str, Any] = {
        "rhr_rh_rdbm_rev": revision,
        "rhr_rdb_hdr_off_data": REVISIONS[revision],
        "rhr_rh_logo": b"GE",
        "rhr_rh_frame_size": points,
        "rhr_rh_point_size": 4,
        "rhr_rh_nframes": len(water) + frames,
        "rhr_rh_raw_pass_size": samples.nbytes,
        "rhr_rh_dab[0]_start_rcv": 0,
        "rhr_rh_dab[0]_stop_rcv": coils - 1,
        "rhr_spectral_width": protocol.bandwidth,
        "rhr_rh_ps_mps_freq": round(protocol.spectrometer_frequency * 1e7),
        "rhr_rh_file_contents": 0,
        "rhr_xcsi": 1,
        "rhr_ycsi": 1,
        "rhr_zcsi": 1,
        "rhe_magstrength": 30000,
        "rhe_patname": personal.name.encode(),
        "rhe_patid": personal.identifier.encode(),
        "rhe_dateofbirth": personal.birth_date.replace("-", "").encode(),
        "rhe_patsex": 2 if personal.sex == "F" else 1,
        "rhe_ex_sysid": b"VIRTUAL",
        "rhe_hospname": b"Virtual hospital",
        "rhe_ex_verscre": b"26",
        "rhe_uniq_sys_id": b"0000000000",
        "rhs_se_desc": b"PRESS ACC",
        "rhi_psdname": b"PROBE-P",
        "rhi_cname": f"HEAD{coils}".encode(),
        "rhi_te": round(protocol.echo_time * 1e6),
        "rhi_tr": round(protocol.repetition_time * 1e6),
        "rhi_ti": 0,
        "rhi_mr_flip": 90,
        "rhi_numecho": 1,
        "rhi_nex": 1.0,
        "rhi_freq_dir": 1,
        "rhi_user4": float(frames),
        "rhi_user8": sizes[0],
        "rhi_user9": sizes[1],
        "rhi_user10": sizes[2],
        "rhi_user11": box.centre[0],
        "rhi_user12": box.centre[1],
        "rhi_user13": box.centre[2],
    }
    for corner, place in corners(box).items():
        values |= {f"rhi_{corner}_{axis}": place[k] for k, axis in enumerate("RAS")}
    names = {entry[0] for entry in header._fields_}
    for name, value in values.items():
        if name in names:
            setattr(header, name, value)
        else:
            raise KeyError(f"revision {revision} has no {name}")
    content = bytes(header)
    with replacing(path) as temporary, temporary.open("wb") as stream:
        stream.write(content[: REVISIONS[revision]].ljust(REVISIONS[revision], b"\0"))
        stream.write(samples.tobytes())


def _header(revision: float) -> Any:
    """An empty header of a revision."""
    from spec2nii.GE.ge_hdr_fields import get_pfile_hdr_fields

    if revision not in REVISIONS:
        raise ValueError(f"unknown revision {revision}")
    fields = get_pfile_hdr_fields(np.float32(revision))
    structure = type("PfileHeader", (ctypes.LittleEndianStructure,), {"_pack_": 1, "_fields_": fields})
    return structure()
