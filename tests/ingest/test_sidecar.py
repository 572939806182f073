"""The sidecar says what the header says; free text does not get through."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snakemrs.errors import DataError
from snakemrs.ingest.raw import RawFile
from snakemrs.ingest.sidecar import bids_sidecar, check, gain_of, header_extension, model_of, software_of, vendor_of
from snakemrs.ingest.timing import Timing
from snakemrs.io.nifti_mrs import NiftiMrs
from snakemrs.study.settings.ingest import IngestSettings

OLD = {
    "SpectrometerFrequency": [123.2],
    "ResonantNucleus": ["1H"],
    "PatientName": "Quagmarsh",
    "SomeNewFieldOfAVendor": "Zebulina",
    "OriginalFile": ["Quagmarsh.dat"],
    "ProcessingApplied": [{"Method": "RF coil combination", "Program": "FSL-MRS", "Details": "Quagmarsh.dat"}],
}


def image(**header: object) -> NiftiMrs:
    return NiftiMrs(np.ones((1, 1, 1, 64), complex), np.diag([20.0, 20, 20, 1]), 5e-4, {**OLD, **header})


def test_only_allowed_fields_get_through() -> None:
    header = header_extension(image(), RawFile(Path("x"), vendor="Siemens"), Timing(0.03, 2.0, None), 64, True)
    assert "Quagmarsh" not in str(header)
    assert "Zebulina" not in str(header)
    assert header["ProcessingApplied"] == [{"Program": "FSL-MRS", "Method": "RF coil combination"}]


def test_a_receiver_gain_is_a_number_or_a_known_word() -> None:
    values = (12.5, "high", "R1 11, R2 14", {"Value": 3}, "Quagmarsh", "R1 of Quagmarsh")
    assert [gain_of(value) for value in values] == [12.5, "high", "R1 11, R2 14", 3, None, None]


@pytest.mark.parametrize(
    ("key", "value"),
    [("EchoTime", 30.0), ("SpectralWidth", 2500.0), ("ResonantNucleus", "31P"), ("RepetitionTime", 3.0)],
)
def test_a_sidecar_against_its_header_is_refused(key: str, value: object) -> None:
    raw = RawFile(Path("x"), vendor="Siemens")
    header = header_extension(image(), raw, Timing(0.03, 2.0, None), 64, True)
    clean = NiftiMrs(image().data, image().affine, 5e-4, header)
    sidecar = bids_sidecar(clean, raw, IngestSettings(), None, ())
    check(sidecar, clean, Path("x"))
    with pytest.raises(DataError, match=f"disagree about {key}"):
        check({**sidecar, key: value}, clean, Path("x"))


def test_makers_models_and_versions_are_known_words() -> None:
    assert [vendor_of(v) for v in ("SIEMENS", "Philips Medical Systems", "GE MEDICAL SYSTEMS", "General")] == [
        "Siemens", "Philips", "GE", None,
    ]  # fmt: skip
    assert model_of("MAGNETOM Prisma_fit of Dr Quagmarsh") == "Prisma_fit"
    assert model_of("Quagmarsh") is None
    assert software_of("syngo MR XA30 Quagmarsh 19570321") == "XA30"
    assert software_of("5.7.1 ; .7.1 ;") == "5.7.1"
