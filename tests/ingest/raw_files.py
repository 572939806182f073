"""Small raw files of each vendor for tests: what the formats need and no more, with planted personal data."""

from __future__ import annotations

import ctypes
import struct
from pathlib import Path

import numpy as np

FREQUENCY, BANDWIDTH, POINTS = 127.731, 2000.0, 512
TE, TR = 0.030, 2.0
SIZE = (20.0, 25.0, 30.0)  # left-right, front-back, feet-head
CENTRE = (4.0, -12.0, 21.0)  # RAS+
NAME, BIRTH, IDENTITY = "Quagmarsh^Zebulina", "19570321", "PID80808080"
ADDRESS = "Elmfleet Lane 99"
PERSONAL = ("Quagmarsh", "Zebulina", "19570321", "1957.03.21", "PID80808080", "Elmfleet")


def signal(transients: int = 1, water: float = 3.0, points: int = POINTS, seed: int = 1) -> np.ndarray:
    """Time signals in the sign of NIfTI-MRS, shape (transients, points): water, NAA, Cr, Cho and noise."""
    random = np.random.default_rng(seed)
    time = np.arange(points) / BANDWIDTH
    total = np.zeros(points, complex)
    for shift, height in ((4.65, water), (2.01, 3.0), (3.03, 2.0), (3.2, 1.2)):
        total += height * np.exp(-2j * np.pi * (shift - 4.65) * FREQUENCY * time - time * 15)
    noise = random.normal(size=(transients, points)) + 1j * random.normal(size=(transients, points))
    return (100 * (total + 0.01 * noise)).astype(np.complex64)


def water_signal(transients: int = 1) -> np.ndarray:
    return signal(transients, water=4000.0, seed=2)


def to_vax(values: np.ndarray) -> bytes:
    floats = np.ascontiguousarray(values, np.complex64).view(np.float32).ravel() * np.float32(4)
    return np.ascontiguousarray(floats.astype("<f4").view("<u2").reshape(-1, 2)[:, ::-1]).tobytes()


def spar(rows: int, points: int = POINTS, /, **changes: object) -> str:
    entries: dict[str, object] = {
        "examination_name": NAME, "scan_id": "PRESS_30", "patient_name": NAME, "patient_birth_date": "1957.03.21",
        "patient_position": '"head_first"', "patient_orientation": '"supine"', "samples": points, "rows": rows,
        "synthesizer_frequency": int(FREQUENCY * 1e6), "offset_frequency": 0, "sample_frequency": int(BANDWIDTH),
        "echo_nr": 1, "mix_number": 1, "nucleus": "1H", "echo_time": TE * 1e3, "repetition_time": TR * 1e3,
        "averages": 1, "volume_selection_enable": '"yes"', "lr_size": SIZE[0], "ap_size": SIZE[1], "cc_size": SIZE[2],
        "lr_off_center": -CENTRE[0], "ap_off_center": -CENTRE[1], "cc_off_center": CENTRE[2], "lr_angulation": 0,
        "ap_angulation": 0, "cc_angulation": 0, "spectrum_inversion_time": 0,
        "equipment_sw_verions": "5.7.1 ; .7.1 ;",
    }  # fmt: skip
    entries.update(changes)
    return "! comment\n" + "".join(f"{key} : {value}\n" for key, value in entries.items() if value is not None)


def write_sdat(folder: Path, data: np.ndarray, name: str = "scan", **changes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.SDAT").write_bytes(to_vax(data.conj()))
    (folder / f"{name}.SPAR").write_text(spar(*data.shape, **changes))
    return folder / f"{name}.SDAT"


def write_data_list(folder: Path, metabolites: np.ndarray, water: np.ndarray, name: str = "scan") -> Path:
    """Shape of both (transients, coils, points)."""
    folder.mkdir(parents=True, exist_ok=True)
    rows, payload = [], []
    for mix, block in enumerate((metabolites, water)):
        for average in range(block.shape[0]):
            for coil in range(block.shape[1]):
                cells = [mix, 0, 0, 0, 0, coil, 0, 0, 0, 0, 0, average, 1, 0, 0, 0, 0, 0, block.shape[-1] * 8, 0]
                rows.append("  STD " + " ".join(str(cell) for cell in cells))
                payload.append(np.ascontiguousarray(block[average, coil].conj().astype("<c8")).tobytes())
    head = "# === DATA DESCRIPTION FILE ===\n# " + NAME + "\n.    0    0    0  number_of_mixes  :   2\n"
    (folder / f"{name}.list").write_text(head + "\n".join(rows) + "\n")
    (folder / f"{name}.data").write_bytes(b"".join(payload))
    (folder / f"{name}.SPAR").write_text(spar(metabolites.shape[0], metabolites.shape[-1]))
    return folder / f"{name}.data"


def write_rda(folder: Path, data: np.ndarray, **changes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    entries: dict[str, object] = {
        "PatientName": NAME, "PatientID": IDENTITY, "PatientSex": "F", "PatientBirthDate": BIRTH,
        "PatientWeight": 61.0, "ProtocolName": "svs_se_30", "PatientPosition": "HFS", "InstitutionName": ADDRESS,
        "ModelName": "Skyra", "DeviceSerialNumber": "45306", "SoftwareVersion[0]": "syngo MR D13",
        "SequenceName": "*svs_se", "TR": TR * 1e3, "TE": TE * 1e3, "TM": 0.0, "TI": 0.0, "DwellTime": 500,
        "NumberOfAverages": 64.0, "MRFrequency": FREQUENCY, "Nucleus": "1H", "FlipAngle": 90.0,
        "VectorSize": data.shape[-1], "CSIMatrixSize[0]": 1, "CSIMatrixSize[1]": 1, "CSIMatrixSize[2]": 1,
        "TransmitCoil": "Body", "RowVector[0]": 1.0, "RowVector[1]": 0.0, "RowVector[2]": 0.0, "ColumnVector[0]": 0.0,
        "ColumnVector[1]": 1.0, "ColumnVector[2]": 0.0, "VOIPositionSag": -CENTRE[0], "VOIPositionCor": -CENTRE[1],
        "VOIPositionTra": CENTRE[2], "PositionVector[0]": 0.0, "PositionVector[1]": 0.0, "PositionVector[2]": 0.0,
        "PixelSpacingRow": SIZE[1], "PixelSpacingCol": SIZE[0], "SliceThickness": SIZE[2],
    }  # fmt: skip
    entries.update(changes)
    head = ">>> Begin of header <<<\r\n" + "".join(f"{k}: {v}\r\n" for k, v in entries.items() if v is not None)
    path = folder / "scan.rda"
    path.write_bytes((head + ">>> End of header <<<\r\n").encode() + data[0].astype("<c16").tobytes())
    return path


def write_twix(
    folder: Path,
    data: np.ndarray,
    name: str = "meas",
    counter: str = "Set",
    end: bool = True,
    software: str = "syngo MR B17",
    reference: np.ndarray | None = None,
    protocol: tuple[str, ...] = (),
) -> Path:
    """Siemens twix, VB by default; shape of `data` (transients, coils, points).

    With software of VD, VE or XA the file has a table of two measurements (noise, then the scan) and their line
    headers; `reference` (XA only) goes into the first of two phases, as water references of product sequences do.
    """
    vb = "B1" in software
    folder.mkdir(parents=True, exist_ok=True)

    def params(**values: object) -> str:
        lines = []
        for key, value in values.items():
            kind = "String" if isinstance(value, str) else "Double" if isinstance(value, float) else "Long"
            content = (
                f'"{value}"' if isinstance(value, str) else f"<Precision> 6 {value}" if kind == "Double" else value
            )
            lines.append(f'<Param{kind}."{key}">  {{ {content} }}')
        return "\n".join(lines) + "\n"

    dwell = round(1e9 / BANDWIDTH)
    ascconv = "\n".join(
        [
            "### ASCCONV BEGIN ###",
            *protocol, f"sRXSPEC.alDwellTime[0] = {dwell}", "adFlipAngleDegree[0] = 90",
            f"alTE[0] = {int(TE * 1e6)}", f"alTR[0] = {int(TR * 1e6)}",
            'sTXSPEC.asNucleusInfo[0].tNucleus = ""1H""',
            f"sTXSPEC.asNucleusInfo[0].lFrequency = {int(FREQUENCY * 1e6)}",
            "sSpecPara.sVoI.sNormal.dTra = 1.0", f"sSpecPara.sVoI.dThickness = {SIZE[2]}",
            f"sSpecPara.sVoI.dPhaseFOV = {SIZE[1]}", f"sSpecPara.sVoI.dReadoutFOV = {SIZE[0]}",
            f"sSpecPara.sVoI.sPosition.dSag = {-CENTRE[0]}", f"sSpecPara.sVoI.sPosition.dCor = {-CENTRE[1]}",
            f"sSpecPara.sVoI.sPosition.dTra = {CENTRE[2]}", "### ASCCONV END ###",
        ]
    )  # fmt: skip
    meas = params(
        Frequency=float(FREQUENCY * 1e6), ResonantNucleus="1H", TR=float(TR * 1e6), FlipAngle=90.0,
        tSequenceString="svs_se", tSequenceFileName="%SiemensSeq%\\svs_se", PatientPosition="HFS", PatientName=NAME,
        PatientBirthDay=BIRTH, PatientSex=1, tPatientPosition="HFS",
        tPatientName=NAME, flUsedPatientWeight=61.0, tICEProgramName="x", lFinalMatrixSizePhase=1,
        lFinalMatrixSizeRead=1, lFinalMatrixSizeSlice=1, lVectorSize=data.shape[-1],
    )  # fmt: skip
    dicom = params(
        Manufacturer="SIEMENS", ManufacturersModelName="TrioTim", DeviceSerialNumber="35023",
        SoftwareVersions=software, InstitutionName="Hospital", InstitutionAddress=ADDRESS,
        tProtocolName="svs_se_30", lFrequency=int(FREQUENCY * 1e6),
    )  # fmt: skip
    buffers = {
        "Config": params(SequenceFileName="%SiemensSeq%\\svs_se"), "Dicom": dicom, "Meas": meas,
        "MeasYaps": ascconv + "\n", "Phoenix": ascconv + "\n",
    }  # fmt: skip
    body = b"".join(k.encode() + b"\0" + struct.pack("<I", len(v)) + v.encode("latin-1") for k, v in buffers.items())
    length = max(10240, len(body) + 8 + 32)
    head = struct.pack("<II", length, len(buffers)) + body
    chunks = [head.ljust(length, b"\0")]
    blocks = [(data, 1)] if reference is None else [(reference, 0), (data, 1)]
    count = 0
    for block, phase in blocks:
        for n, transient in enumerate(block):
            counters = [0] * 14
            counters[_COUNTER[counter]] = n
            counters[_COUNTER["Phs"]] = phase if reference is not None else 0
            last = phase == 1 and n == len(block) - 1
            chunks.append(_lines(transient, counters, count, last, vb))
            count += 1
    if end:
        chunks.append(_lines(None, [0] * 14, count, True, vb))
    content = b"".join(chunks)
    if not vb:
        # A table of two measurements: an adjustment of the noise, then the scan.
        noise = chunks[0] + _lines(data[0], [0] * 14, 0, True, vb, 1 << 25) + _lines(None, [0] * 14, 1, True, vb)
        first, entries = 10240, []
        for number, part in enumerate((noise, content)):
            entries.append(
                struct.pack("<IIQQ", number, number, first, len(part)) + NAME.encode().ljust(64, b"\0") + bytes(64)
            )
            first += len(part) + -len(part) % 512
        table = (struct.pack("<II", 0, 2) + b"".join(entries)).ljust(10240, b"\0")
        content = table + noise + bytes(-len(noise) % 512) + content
    path = folder / f"{name}.dat"
    path.write_bytes(content)
    return path


_COUNTER = {"Lin": 0, "Ave": 1, "Phs": 5, "Rep": 6, "Set": 7}


def _lines(
    transient: np.ndarray | None, counters: list[int], number: int, last: bool, vb: bool, kind: int = 1 << 3
) -> bytes:
    """The scan line of a transient (coils, points), or the end mark."""
    coils, points = (1, 8) if transient is None else transient.shape
    samples = np.zeros((1, 8)) if transient is None else transient.conj()
    mask = 1 if transient is None else kind | ((1 << 29) if last else 0)
    ticks = 1000 + number * int(TR / 2.5e-3)
    result = b""
    if vb:
        for coil in range(coils):
            mdh = struct.pack("<IIIIIQ", 128 + 8 * points, 1, number + 1, ticks, 0, mask)
            mdh += struct.pack("<HH14H", points, coils, *counters) + bytes(4) + struct.pack("<HH", points // 2, 0)
            result += mdh.ljust(124, b"\0") + struct.pack("<HH", coil, 0) + samples[coil].astype("<c8").tobytes()
        return result
    mdh = struct.pack("<IIIII", 192 + coils * (32 + 8 * points), 1, number + 1, ticks, 0) + bytes(20)
    mdh += struct.pack("<QHH14H", mask, points, coils, *counters) + bytes(4) + struct.pack("<HH", points // 2, 0)
    result = mdh.ljust(192, b"\0")
    for coil in range(coils):
        result += bytes(24) + struct.pack("<HHI", coil, 0, 0) + samples[coil].astype("<c8").tobytes()
    return result


def write_ge(
    folder: Path,
    metabolites: np.ndarray,
    water: np.ndarray,
    revision: float = 26.002,
    gains: tuple[int, int] | None = None,
) -> Path:
    """P-file; shape of both (frames, coils, points); the number of water frames must be 16 over the nex.

    `gains` are R1 and R2 of the prescan, which stand in front of transmit gain and frequency (at byte 424).
    """
    from spec2nii.GE.ge_hdr_fields import get_pfile_hdr_fields

    folder.mkdir(parents=True, exist_ok=True)
    kind = type("H", (ctypes.LittleEndianStructure,), {"_pack_": 1, "_fields_": get_pfile_hdr_fields(revision)})
    header = kind()
    names = {field[0] for field in kind._fields_}
    frames, coils, points = metabolites.shape
    nex = 16 / water.shape[0]
    offset = {26.002: 213684, 24.0: 157276, 16.0: 145908, 30.0: 228020}[revision]
    values = {
        "rhr_rh_rdbm_rev": revision, "rhr_rdb_hdr_off_data": offset, "rhr_rh_frame_size": points,
        "rhr_rh_point_size": 4,
        "rhr_rh_dab[0]_start_rcv": 0, "rhr_rh_dab[0]_stop_rcv": coils - 1, "rhr_spectral_width": BANDWIDTH,
        "rhr_rh_ps_mps_freq": int(FREQUENCY * 1e7),
        "rhr_rh_raw_pass_size": coils * (frames + water.shape[0] + 1) * points * 8,
        "rhi_psdname": b"PROBE-P", "rhi_te": int(TE * 1e6), "rhi_tr": int(TR * 1e6), "rhi_nex": nex,
        "rhi_user4": frames * nex, "rhi_numecho": 2, "rhi_user8": SIZE[0], "rhi_user9": SIZE[1], "rhi_user10": SIZE[2],
        "rhi_user11": CENTRE[0], "rhi_user12": CENTRE[1], "rhi_user13": CENTRE[2], "rhi_tlhc_R": -100.0,
        "rhi_tlhc_A": 100.0,
        "rhi_trhc_R": 100.0, "rhi_trhc_A": 100.0, "rhi_brhc_R": 100.0, "rhi_brhc_A": -100.0, "rhi_freq_dir": 1,
        "rhe_patname": NAME.encode(), "rhe_dateofbirth": BIRTH.encode(), "rhe_hospname": ADDRESS.encode(),
        "rhe_magstrength": 30000, "rhi_mr_flip": 90, "rhe_patid": IDENTITY.encode(),
    }  # fmt: skip
    for key, value in values.items():
        if key in names:
            setattr(header, key, value)
    raw = bytearray(bytes(header).ljust(offset, b"\0"))
    raw[:4] = struct.pack("<f", revision)
    if gains is not None:
        struct.pack_into("<ii", raw, kind.rhr_rh_ps_mps_freq.offset - 12, *gains)
    blocks = []
    scale = 1e3
    for coil in range(coils):
        rows = [np.zeros(points, complex), *water[:, coil], *metabolites[:, coil]]
        block = np.array(rows) * scale
        flat = np.empty((*block.shape, 2), dtype="<i4")
        flat[..., 0], flat[..., 1] = np.round(block.real), np.round(block.imag)
        blocks.append(flat.tobytes())
    path = folder / "P01024.7"
    path.write_bytes(bytes(raw) + b"".join(blocks))
    return path


def _enhanced(folder: Path, frames: np.ndarray, maker: str, **changes: object) -> Path:
    """DICOM of the class MR Spectroscopy as a vendor writes it; shape of `frames` (frames, points), as stored."""
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.sequence import Sequence
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.2"
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["a"])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header = FileDataset(str(folder / "x"), {}, file_meta=meta, preamble=b"\0" * 128)
    header.SOPClassUID = meta.MediaStorageSOPClassUID
    header.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    header.SeriesInstanceUID = generate_uid(entropy_srcs=["b"])
    header.Modality, header.Manufacturer = "MR", maker
    header.ManufacturerModelName, header.SoftwareVersions = "Ingenia", "5.7.1"
    header.PatientName, header.PatientID, header.PatientBirthDate = NAME, IDENTITY, BIRTH
    header.SeriesDescription, header.ProtocolName, header.PulseSequenceName = "PRESS " + NAME, "PRESS", "PRESS"
    header.Rows = header.Columns = 1
    header.NumberOfFrames = len(frames)
    header.SpectroscopyAcquisitionDataColumns = header.DataPointColumns = frames.shape[1]
    header.DataPointRows = 1
    header.SpectralWidth, header.TransmitterFrequency, header.ResonantNucleus = BANDWIDTH, FREQUENCY, "1H"
    header.VolumeLocalizationTechnique = "PRESS"
    header.AcquisitionContrast = "SPECTROSCOPY"
    slabs = []
    for thickness, axis in ((SIZE[1], [0.0, 1, 0]), (SIZE[0], [1.0, 0, 0]), (SIZE[2], [0.0, 0, 1])):
        slab = Dataset()
        slab.SlabThickness, slab.SlabOrientation = thickness, axis
        slab.MidSlabPosition = [-CENTRE[0], -CENTRE[1], CENTRE[2]]
        slabs.append(slab)
    header.VolumeLocalizationSequence = Sequence(slabs)
    echo, times, shared, frame = Dataset(), Dataset(), Dataset(), Dataset()
    echo.EffectiveEchoTime = TE * 1e3
    times.RepetitionTime, times.FlipAngle = TR * 1e3, 90.0
    frame.MREchoSequence = Sequence([echo])
    frame.MRTimingAndRelatedParametersSequence = Sequence([times])
    shared.MRTimingAndRelatedParametersSequence = Sequence([times])
    shared.MREchoSequence = Sequence([echo])
    coil, receive, turn, place, measures = Dataset(), Dataset(), Dataset(), Dataset(), Dataset()
    coil.TransmitCoilName, receive.ReceiveCoilName = "Body", "Head"
    turn.ImageOrientationPatient = [1.0, 0, 0, 0, 1, 0]
    place.ImagePositionPatient = [-CENTRE[0], -CENTRE[1], CENTRE[2]]
    measures.PixelSpacing, measures.SliceThickness = [SIZE[1], SIZE[0]], SIZE[2]
    frame.PlaneOrientationSequence, frame.PlanePositionSequence = Sequence([turn]), Sequence([place])
    shared.PixelMeasuresSequence = Sequence([measures])
    field = Dataset()
    field.SpectroscopyAcquisitionPhaseRows = field.SpectroscopyAcquisitionPhaseColumns = 1
    field.SpectroscopyAcquisitionOutOfPlanePhaseSteps = 1
    shared.MRSpectroscopyFOVGeometrySequence = Sequence([field])
    for group in (shared, frame):
        group.MRTransmitCoilSequence, group.MRReceiveCoilSequence = Sequence([coil]), Sequence([receive])
    header.SharedFunctionalGroupsSequence = Sequence([shared])
    header.PerFrameFunctionalGroupsSequence = Sequence([frame])
    for key, value in changes.items():
        setattr(header, key, value)
    header.add_new(0x56000020, "OF", np.ascontiguousarray(frames.astype("<c8")).tobytes())
    header.save_as(folder / "spectrum.dcm", enforce_file_format=True)
    return folder / "spectrum.dcm"


def write_philips_dicom(folder: Path, frames: np.ndarray, reference: bool = True) -> Path:
    """Enhanced DICOM spectroscopy of Philips; shape of `frames` (frames, points)."""
    return _enhanced(
        folder, frames.conj(), "Philips Medical Systems", WaterReferencedPhaseCorrection="YES" if reference else "NO"
    )


def write_siemens_dicom(folder: Path, frames: np.ndarray) -> Path:
    """Enhanced DICOM spectroscopy of Siemens XA; shape of `frames` (frames, points)."""
    more = {"ManufacturerModelName": "MAGNETOM Prisma", "SoftwareVersions": "syngo MR XA30", "InstanceNumber": 1}
    return _enhanced(folder, frames.conj(), "SIEMENS", SeriesNumber=4, **more)


def write_uih_dicom(folder: Path, metabolites: np.ndarray, water: np.ndarray, sequence: str = "svs_press") -> Path:
    """DICOM spectroscopy of UIH: one averaged signal, and the water reference in a private element."""
    import pydicom

    path = _enhanced(
        folder, metabolites[None], "UIH", SequenceName=sequence, PulseSequenceName="", EchoTime=TE * 1e3,
        RepetitionTime=TR * 1e3, FlipAngle=90.0, DeviceSerialNumber="1", InstitutionName="none",
        InstitutionAddress=ADDRESS, PatientPosition="HFS", PatientWeight=70.0, PatientSex="F",
        ImageOrientationPatient=[1.0, 0, 0, 0, 1, 0], PixelSpacing=[SIZE[1], SIZE[0]], SliceThickness=SIZE[2],
        ImagePositionPatient=[-CENTRE[0] - SIZE[0] / 2, -CENTRE[1] - SIZE[1] / 2, CENTRE[2]],
    )  # fmt: skip
    header = pydicom.dcmread(path)
    # The functional groups of the standard are not what UIH writes.
    del header.SharedFunctionalGroupsSequence, header.PerFrameFunctionalGroupsSequence
    header.add_new(0x00650010, "LO", "Image Private Header")
    for element in [0xFF07, *([0xFF10, 0xFF11] if "mega" in sequence else [])]:
        header.add_new((0x0065, element), "OB", np.ascontiguousarray(water.astype("<c8")).tobytes())
    header.save_as(path, enforce_file_format=True)
    return path


def write_bruker(folder: Path, transients: np.ndarray) -> Path:
    """ParaVision 6 STEAM: fid with its parameter files; shape of `transients` (repetitions, points)."""
    folder = folder / "7"
    folder.mkdir(parents=True, exist_ok=True)
    count, points = transients.shape
    head = "##TITLE=Parameter List, ParaVision 6.0.1\n##JCAMPDX=4.24\n##DATATYPE=Parameter Values\n##ORIGIN=Bruker\n"
    head += f"##OWNER={NAME}\n"
    acqp = {
        "ACQ_sw_version": "( 65 )\n<PV 6.0.1>", "BYTORDA": "little", "GO_raw_data_format": "GO_32BIT_SGN_INT",
        "GO_block_size": "continuous", "ACQ_dim": "1", "ACQ_dim_desc": "( 1 )\nSpectroscopic",
        "ACQ_size": f"( 1 )\n{2 * points}", "NR": str(count), "NI": "1", "PULPROG": "( 64 )\n<STEAM.ppg>",
        "BF1": str(FREQUENCY), "NUCLEUS": "( 8 )\n<1H>", "SW_h": str(BANDWIDTH), "NA": "1", "NECHOES": "1",
        "ACQ_echo_time": f"( 1 )\n{TE * 1e3:g}", "ACQ_repetition_time": f"( 1 )\n{TR * 1e3:g}",
        "ACQ_time": "( 24 )\n<12:00:00 1 Jan 2020>",
        "ACQ_operator": f"( 64 )\n<{NAME}>", "ACQ_station": "( 64 )\n<station>",
        "ACQ_institution": f"( 64 )\n<{ADDRESS}>", "ACQ_protocol_name": "( 64 )\n<STEAM>",
        "ACQ_scan_name": "( 64 )\n<STEAM>",
        "ACQ_flip_angle": "90", "ACQ_method": "( 64 )\n<Bruker:STEAM>",
    }  # fmt: skip
    method = {
        "Method": "<Bruker:STEAM>", "PVM_SpecMatrix": f"( 1 )\n{points}", "PVM_SpecSWH": f"( 1 )\n{BANDWIDTH:g}",
        "PVM_EchoTime": f"{TE * 1e3:g}", "PVM_RepetitionTime": f"{TR * 1e3:g}",
        "PVM_NRepetitions": str(count), "PVM_NAverages": "1",
        "PVM_FrqRef": f"( 8 )\n{FREQUENCY}" + " 0" * 7, "PVM_FrqWorkOffsetPpm": "( 8 )\n" + " 0" * 8,
        "PVM_DigNp": str(points), "PVM_DigShift": "0",
        "PVM_EncNReceivers": "1", "PVM_VoxArrGradOrient": "( 1, 3, 3 )\n1 0 0 0 1 0 0 0 1",
        "PVM_VoxArrPosition": f"( 1, 3 )\n{CENTRE[2]} {CENTRE[0]} {CENTRE[1]}",
        "PVM_VoxArrSize": f"( 1, 3 )\n{SIZE[0]} {SIZE[1]} {SIZE[2]}",
    }  # fmt: skip
    for name, entries in (("acqp", acqp), ("method", method)):
        text = head + "".join(f"##${key}={value}\n" for key, value in entries.items()) + "##END=\n"
        (folder / name).write_text(text)
    flat = np.ascontiguousarray(transients.conj()).view(np.float32) * 1000
    (folder / "fid").write_bytes(np.rint(flat).astype("<i4").tobytes())
    return folder / "fid"


def head_image(stripped: bool = False, noise: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """A crude head (scalp, skull, brain) on a 3 mm grid, and its affine."""
    shape = np.array([64, 76, 64])
    grid = np.stack(np.meshgrid(*(np.arange(n) - n / 2 for n in shape), indexing="ij"), -1) * 3.0
    radius = np.sqrt(np.sum((grid / np.array([70.0, 88.0, 68.0])) ** 2, -1))
    image = np.where(radius < 0.85, 100.0, 0.0) + np.where((radius > 1.0) & (radius < 1.25), 120.0, 0.0)
    random = np.random.default_rng(3)
    textured = image * (1 + 0.1 * random.normal(size=image.shape)) + abs(noise * random.normal(size=image.shape))
    if stripped:
        textured = np.where(radius < 0.85, textured, 0)
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    affine[:3, 3] = -shape * 1.5
    return textured.astype(np.float32), affine


def write_image(path: Path, data: np.ndarray, affine: np.ndarray) -> Path:
    import nibabel as nib

    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(data, affine)
    image.header["descrip"] = NAME.encode()
    image.header["aux_file"] = IDENTITY.encode()
    image.header["db_name"] = b"Quagmarsh"
    image.header["intent_name"] = b"Zebulina"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", (NAME + BIRTH).encode()))
    nib.save(image, path)
    return path


def write_dicom_series(folder: Path, data: np.ndarray, **changes: object) -> Path:
    """A series of axial slices, as a scanner sends it."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    folder.mkdir(parents=True, exist_ok=True)
    series = generate_uid(entropy_srcs=[str(folder)])
    for n in range(data.shape[2]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[str(folder), str(n)])
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        slice_ = FileDataset(str(folder / "x"), {}, file_meta=meta, preamble=b"\0" * 128)
        slice_.SOPClassUID, slice_.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
        slice_.SeriesInstanceUID, slice_.StudyInstanceUID = series, generate_uid(entropy_srcs=["study"])
        slice_.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame"])
        slice_.Modality, slice_.Manufacturer, slice_.ManufacturerModelName = "MR", "SIEMENS", "Prisma"
        slice_.PatientName, slice_.PatientID, slice_.PatientBirthDate = NAME, IDENTITY, BIRTH
        slice_.InstitutionAddress, slice_.SeriesDescription, slice_.ProtocolName = ADDRESS, NAME, "t1_mprage"
        slice_.SeriesNumber, slice_.InstanceNumber, slice_.AcquisitionNumber = 3, n + 1, 1
        slice_.EchoTime, slice_.RepetitionTime, slice_.InversionTime, slice_.FlipAngle = 2.98, 2300.0, 900.0, 9.0
        slice_.MRAcquisitionType, slice_.ImageType = "3D", ["ORIGINAL", "PRIMARY", "M"]
        slice_.ScanningSequence, slice_.SequenceVariant, slice_.MagneticFieldStrength = "GR", "SP", 3.0
        slice_.StudyDate = slice_.SeriesDate = "20240311"
        slice_.StudyTime = slice_.SeriesTime = "100233"
        slice_.Rows, slice_.Columns = data.shape[1], data.shape[0]
        slice_.PixelSpacing, slice_.SliceThickness, slice_.SpacingBetweenSlices = [3.0, 3.0], 3.0, 3.0
        slice_.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        slice_.ImagePositionPatient = [-96.0, -114.0, -96.0 + 3 * n]
        slice_.SamplesPerPixel, slice_.PhotometricInterpretation = 1, "MONOCHROME2"
        slice_.BitsAllocated, slice_.BitsStored, slice_.HighBit, slice_.PixelRepresentation = 16, 16, 15, 0
        for key, value in changes.items():
            setattr(slice_, key, value)
        slice_.PixelData = data[:, :, n].T.astype("<u2").tobytes()
        slice_.save_as(folder / f"slice{n:04d}.dcm", enforce_file_format=True)
    return folder
