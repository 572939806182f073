"""External converters run through nipype, under limits of time and memory."""

from __future__ import annotations

import subprocess
import sys
import time

from snakemrs.interfaces.spec2nii import Spec2nii, console_script

LIMITED = [sys.executable, "-m", "snakemrs.interfaces.limited"]


def test_the_command_line_is_that_of_spec2nii() -> None:
    step = Spec2nii(60, 512, format="twix", in_files=["raw.dat"], out_dir="out", evalinfo="image", tag5="DIM_COIL")
    assert step.cmdline.split("spec2nii_without_dicom ")[-1] == "twix -f converted -o out -e image -t5 DIM_COIL raw.dat"
    assert "snakemrs.interfaces.limited 60 512" in step.cmdline


def test_dicom_is_converted_by_the_program_itself() -> None:
    step = Spec2nii(60, 512, format="dicom", in_files=["a.dcm"], out_dir="out")
    assert step.cmdline.endswith(f"{console_script('spec2nii')} dicom -f converted -o out a.dcm")


def test_what_is_no_dicom_is_converted_without_pydicom() -> None:
    code = (
        "import sys, runpy; sys.argv = ['spec2nii', '--version']\n"
        "try: runpy.run_module('snakemrs.interfaces.spec2nii_without_dicom', run_name='__main__')\n"
        "except SystemExit: pass\n"
        "print('spec2nii.spec2nii' in sys.modules, 'pydicom' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert told.split()[-2:] == ["True", "False"]


def test_the_converter_of_this_environment_is_taken() -> None:
    assert console_script("spec2nii").startswith(sys.prefix)


def test_a_program_that_hangs_is_stopped() -> None:
    started = time.monotonic()
    run = subprocess.run([*LIMITED, "1", "512", "sleep", "30"], check=False)
    assert run.returncode != 0
    assert time.monotonic() - started < 10


def test_a_program_that_asks_for_too_much_memory_is_refused_it() -> None:
    run = subprocess.run(
        [*LIMITED, "20", "256", sys.executable, "-c", "bytearray(2**30)"], capture_output=True, check=False
    )
    assert b"MemoryError" in run.stderr
