"""Philips SDAT/SPAR: VAX floats, a row a transient, and the text header beside it.

The file holds the conjugate of the sign of NIfTI-MRS. Angles of the SPAR are those that spec2nii reads: with the box's
axes as columns of R (RAS+), R = R_x(−lr)·R_y(−ap)·R_z(cc), offsets −lr, −ap, cc.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from snakemrs.io.atomic import replacing, write_text
from snakemrs.scanner.head import Box
from snakemrs.scanner.personal import Personal
from snakemrs.scanner.presets import Protocol


def to_vax(signal: np.ndarray) -> bytes:
    """Write complex numbers as VAX F floats, real and imaginary part in turn."""
    floats = np.ascontiguousarray(signal, np.complex64).view(np.float32).ravel()
    # A VAX exponent is two more than that of IEEE for the same number; its 16-bit words stand the other way round.
    words = (floats * np.float32(4)).astype("<f4").view("<u2").reshape(-1, 2)[:, ::-1]
    return np.ascontiguousarray(words).tobytes()


def angles(box: Box) -> dict[str, float]:
    """Angulations and offsets of a voxel as a SPAR has them (degrees, mm)."""
    turn = Rotation.from_matrix(box.rotation).as_euler("XYZ", degrees=True)
    return {
        "ap_size": box.size[1],
        "lr_size": box.size[0],
        "cc_size": box.size[2],
        "ap_off_center": -box.centre[1],
        "lr_off_center": -box.centre[0],
        "cc_off_center": box.centre[2],
        "ap_angulation": -turn[1],
        "lr_angulation": -turn[0],
        "cc_angulation": turn[2],
    }


def spar_text(
    rows: int, samples: int, protocol: Protocol, box: Box, personal: Personal, scan_id: str, water: bool
) -> str:
    """The text of a SPAR."""
    geometry = {key: f"{float(value):.7f}" for key, value in angles(box).items()}
    entries: dict[str, object] = {
        "examination_name": personal.identifier,
        "scan_id": scan_id,
        "scan_date": "2024.03.11 10:02:33",
        "patient_name": personal.name,
        "patient_birth_date": personal.birth_date.replace("-", "."),
        "patient_position": '"head_first"',
        "patient_orientation": '"supine"',
        "samples": samples,
        "rows": rows,
        "synthesizer_frequency": round(protocol.spectrometer_frequency * 1e6),
        "offset_frequency": 0,
        "sample_frequency": round(protocol.bandwidth),
        "echo_nr": 1,
        "mix_number": 2 if water else 1,
        "nucleus": "1H",
        "t0_mu1_direction": 0,
        "echo_time": f"{protocol.echo_time * 1e3:g}",
        "repetition_time": f"{protocol.repetition_time * 1e3:g}",
        "averages": 1,
        "volume_selection_enable": '"yes"',
        "volumes": 1,
        **geometry,
        "volume_selection_method": 1,
        "phase_encoding_enable": '"no"',
        "t1_measurement_enable": '"no"',
        "t2_measurement_enable": '"no"',
        "time_series_enable": '"yes"' if rows > 1 else '"no"',
        "image_plane_slice_thickness": 0,
        "slice_distance": 0,
        "nr_of_slices_for_multislice": 1,
        "Spec.image in plane transf": '"plusA-plusB"',
        "spec_data_type": "cf",
        "spec_sample_extension": "[V]",
        "spec_num_col": samples,
        "spec_col_lower_val": f"{-protocol.bandwidth / 2:g}",
        "spec_col_upper_val": f"{protocol.bandwidth / 2:g}",
        "spec_col_extension": "[sec]",
        "spec_num_row": rows,
        "spec_row_lower_val": 1,
        "spec_row_upper_val": rows,
        "spec_row_extension": "[index]",
        "num_dimensions": 2,
        "dim1_ext": "[sec]",
        "dim1_pnts": samples,
        "dim1_low_val": f"{-protocol.bandwidth / 2:g}",
        "dim1_step": f"{1 / protocol.bandwidth:.10f}",
        "dim1_direction": "mu1",
        "dim1_t0_point": 0,
        "dim2_ext": "[num]",
        "dim2_pnts": rows,
        "dim2_low_val": "1.000000",
        "dim2_step": "1.000000",
        "dim2_direction": "x",
        "dim2_t0_point": 50,
        "echo_acquisition": "ECHO",
        "TSI_factor": 1,
        "spectrum_echo_time": f"{protocol.echo_time * 1e3:g}",
        "spectrum_inversion_time": 0,
        "image_chemical_shift": 0,
        "resp_motion_comp_technique": "NONE",
        "de_coupling": "NO",
        "equipment_sw_verions": "5.7.1 ; .7.1 ;",
        "placeholder1": "",
        "placeholder2": "",
    }
    rule = "!--------------------------------------------------------------------"
    head = f"{rule}\n!      GYROSCAN spectro parameter file (virtual scanner)\n{rule}\n"
    return head + "".join(f"{key} : {value}\n" for key, value in entries.items())


def write_pair(
    stem: Path, signal: np.ndarray, protocol: Protocol, box: Box, personal: Personal, scan_id: str, water: bool
) -> None:
    """Write STEM.SDAT and STEM.SPAR.

    Parameters
    ----------
    signal : ndarray of complex, shape (transients, points)
        In the sign of NIfTI-MRS.
    """
    rows, samples = signal.shape
    with replacing(stem.with_name(stem.name + ".SDAT")) as temporary:
        temporary.write_bytes(to_vax(signal.conj()))
    text = spar_text(rows, samples, protocol, box, personal, scan_id, water)
    write_text(stem.with_name(stem.name + ".SPAR"), text)
