"""``snakemrs basis show`` and ``snakemrs basis convert``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from snakemrs.cli.main import cli
from snakemrs.errors import RequestError
from snakemrs.fit.basis_lines import strongest_lines
from snakemrs.spins.basis import Basis
from snakemrs.spins.basis_formats import read_basis, write_json_folder


def test_show_lists_what_is_in_a_basis_and_draws_it(basis: Basis, tmp_path: Path) -> None:
    write_json_folder(basis, tmp_path / "basis")
    result = CliRunner().invoke(cli, ["basis", "show", str(tmp_path / "basis"), "--output", str(tmp_path / "b.svg")])
    assert result.exit_code == 0, result.output
    assert "11 entries, 1H, 123.200 MHz" in result.output
    assert next(line for line in result.output.splitlines() if line.startswith("Cr ")).endswith("3.03  3.91")
    assert "<svg" in (tmp_path / "b.svg").read_text()


@pytest.mark.parametrize("target", ["b.BASIS", "b_json"])
def test_convert_keeps_the_signals(basis: Basis, tmp_path: Path, target: str) -> None:
    write_json_folder(basis, tmp_path / "basis")
    result = CliRunner().invoke(cli, ["basis", "convert", str(tmp_path / "basis"), str(tmp_path / target)])
    assert result.exit_code == 0, result.output
    again = read_basis(tmp_path / target)
    assert again.names == basis.names
    assert np.abs(again.fids - basis.fids).max() < 3e-3 * np.abs(basis.fids).max()


def test_strongest_lines_come_first(basis: Basis) -> None:
    assert strongest_lines(basis, "NAA")[0] == pytest.approx(2.008, abs=0.005)


def test_a_broken_off_basis_is_made_whole(basis: Basis, tmp_path: Path) -> None:
    """As a kill or a full disk leaves it: some signals, one half-written, no description."""
    folder = tmp_path / "basis"
    write_json_folder(basis, folder)
    (folder / "basis.json").unlink()
    (folder / f"{basis.names[0]}.json").unlink()
    (folder / ".writing-a1.json").write_text('{"basis": {"basis_re": [1.0, ')
    write_json_folder(basis, folder)
    assert np.array_equal(read_basis(folder).fids, basis.fids)
    assert not list(folder.glob(".*"))


def test_a_folder_with_something_else_is_left_alone(basis: Basis, tmp_path: Path) -> None:
    (tmp_path / "Notes.json").write_text("{}")
    with pytest.raises(RequestError, match="other things"):
        write_json_folder(basis, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["Notes.json"]
