"""External converters run through nipype, under limits of time and memory."""

from __future__ import annotations

import subprocess
import sys
import time

from snakemrs.interfaces.spec2nii import Spec2nii, console_script

LIMITED = [sys.executable, "-m", "snakemrs.interfaces.limited"]


def test_the_command_line_is_that_of_spec2nii() -> None:
    step = Spec2nii(60, 512, format="twix", in_files=["raw.dat"], out_dir="out", evalinfo="image", tag5="DIM_COIL")
    assert step.cmdline.split("spec2nii ")[-1] == "twix -f converted -o out -e image -t5 DIM_COIL raw.dat"
    assert "snakemrs.interfaces.limited 60 512" in step.cmdline


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
