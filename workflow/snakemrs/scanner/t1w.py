"""The T1w image of a session on disk: NIfTI, or a DICOM series as scanners export it, with planted personal data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from snakemrs.io.atomic import replacing
from snakemrs.scanner.personal import Personal

MANUFACTURERS = {
    "philips": "Philips Medical Systems",
    "philips-list": "Philips Medical Systems",
    "siemens": "SIEMENS",
    "ge": "GE MEDICAL SYSTEMS",
}
"""What each vendor's images say of their maker."""
_MR_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.4"
_EXPLICIT_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
_ROOT = "1.2.826.0.1.3680043.10.1500"
"""Prefix of the identifiers; what follows is made of the seed, so that the same study has the same bytes."""


def write_nifti_t1w(path: Path, values: np.ndarray, affine: np.ndarray) -> None:
    """Write an int16 image as NIfTI-1."""
    from snakemrs.interfaces.nib import nib
    from snakemrs.io.nifti_mrs import write_nifti

    nifti = nib.Nifti1Image(values, affine)
    nifti.set_qform(affine, 1)
    nifti.set_sform(affine, 1)
    nifti.header.set_xyzt_units("mm", "sec")
    nifti.header["descrip"] = b"virtual T1w"
    with replacing(path) as temporary:
        write_nifti(nifti, temporary)


def geometry(affine: np.ndarray) -> dict[str, Any]:
    """Orientation of a DICOM series whose columns run along the first axis and rows along the second (LPS, mm).

    Returns
    -------
    dict
        ``orientation`` (six direction cosines), ``spacing`` (between rows, between columns), ``thickness``.
    """
    axes = np.diag([-1.0, -1.0, 1.0]) @ affine[:3, :3]
    sizes = np.linalg.norm(axes, axis=0)
    directions = axes / sizes
    return {
        "orientation": [*directions[:, 0], *directions[:, 1]],
        "spacing": [sizes[1], sizes[0]],
        "thickness": sizes[2],
    }


def write_dicom_t1w(
    folder: Path, values: np.ndarray, affine: np.ndarray, personal: Personal, number: int, manufacturer: str
) -> None:
    """Write an int16 image as a DICOM series, a file a slice.

    Parameters
    ----------
    values : ndarray of int16, shape (columns, rows, slices)
    affine : ndarray, shape (4, 4)
        Voxel to scanner, RAS+ mm.
    number : int
        Tells this series from others: goes into its identifiers.
    """
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.uid import UID

    shape = geometry(affine)
    study, series, frame = (f"{_ROOT}.{number}.{kind}" for kind in (1, 2, 3))
    for n in range(values.shape[2]):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = UID(_MR_IMAGE_STORAGE)
        meta.MediaStorageSOPInstanceUID = UID(f"{series}.{n + 1}")
        meta.TransferSyntaxUID = UID(_EXPLICIT_LITTLE_ENDIAN)
        meta.ImplementationClassUID = UID(f"{_ROOT}.0")
        image: Dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
        image.SOPClassUID, image.SOPInstanceUID = _MR_IMAGE_STORAGE, meta.MediaStorageSOPInstanceUID
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.Modality, image.Manufacturer, image.ManufacturerModelName = "MR", manufacturer, "Virtual"
        image.ImageType = ["ORIGINAL", "PRIMARY", "M"]
        image.PatientName, image.PatientID = personal.name, personal.identifier
        image.PatientBirthDate, image.PatientSex = personal.birth_date.replace("-", ""), personal.sex
        image.PatientWeight = personal.weight
        image.StudyDate = image.SeriesDate = image.AcquisitionDate = "20240311"
        image.StudyTime = image.SeriesTime = image.AcquisitionTime = "095500"
        image.SeriesDescription = image.ProtocolName = "T1w MPRAGE"
        image.SeriesNumber, image.InstanceNumber, image.AcquisitionNumber = 2, n + 1, 1
        image.ScanningSequence, image.SequenceVariant = "GR", ["SK", "SP", "MP"]
        image.ScanOptions, image.MRAcquisitionType = "IR", "3D"
        image.RepetitionTime, image.EchoTime, image.InversionTime, image.FlipAngle = 2300, 3, 900, 9
        image.MagneticFieldStrength, image.PatientPosition = 3, "HFS"
        image.ImageOrientationPatient = [f"{value:.12f}" for value in shape["orientation"]]
        place = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine @ [0, 0, n, 1]
        image.ImagePositionPatient = [f"{value:.9f}" for value in place[:3]]
        image.PixelSpacing = [f"{value:.9f}" for value in shape["spacing"]]
        image.SliceThickness = image.SpacingBetweenSlices = f"{shape['thickness']:.9f}"
        image.Columns, image.Rows = values.shape[:2]
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 1
        image.PixelData = np.ascontiguousarray(values[:, :, n].T.astype("<i2")).tobytes()
        with replacing(folder / f"IM{n + 1:04d}.dcm") as temporary:
            image.save_as(temporary, enforce_file_format=True)
