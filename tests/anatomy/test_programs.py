"""FSL FAST and SynthSeg, by stand-ins that check how they are called and write maps: neither program is needed here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from snakemrs.anatomy import backends
from snakemrs.anatomy.brain import Brain
from snakemrs.anatomy.images import Volume
from snakemrs.errors import DataError
from snakemrs.study.settings.anatomy import AnatomySettings

BEGIN = f"""#!{sys.executable}
import json, sys
from pathlib import Path
import nibabel as nib
import numpy as np
words = sys.argv[1:]
Path(__file__).with_suffix(".called").write_text(json.dumps(words))
"""
# Thirds of the intensity range: crude, but maps that rise from CSF to white matter.
FAST = """
image = nib.load(words[-1])
data = image.get_fdata()
edges = data.max() * np.array([0.05, 0.45, 0.84])
found = np.digitize(data, edges)
base = words[words.index("-o") + 1]
for k in range(3):
    nib.save(nib.Nifti1Image((found == k + 1).astype(np.float32), image.affine), f"{base}_pve_{k}.nii.gz")
nib.save(nib.Nifti1Image(found.astype(np.int16), image.affine), f"{base}_seg.nii.gz")
"""
SYNTHSEG = """
image = nib.load(words[words.index("--i") + 1])
data = image.get_fdata()
labels = np.array([0, 4, 3, 2])[np.digitize(data, data.max() * np.array([0.05, 0.45, 0.84]))]
nib.save(nib.Nifti1Image(labels.astype(np.int16), image.affine), words[words.index("--o") + 1])
"""


def stand_in(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program on the PATH; give the file in which it writes how it was called."""
    program = folder / name
    program.write_text(BEGIN + script)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return program.with_suffix(".called")


@pytest.fixture
def head(heads: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Volume:
    """A virtual head whose brain is taken as found."""
    drawn = heads.draw(5, (3, 3, 3), bias=0.0)
    mask = sum(drawn.truth.values()) > 0.5
    brain = Brain(drawn.t1w, mask, drawn.truth["gm"], drawn.truth["wm"], np.eye(4), 0.9)
    monkeypatch.setattr(backends, "find_brain", lambda *a, **k: brain)
    return drawn.t1w


def test_fast_is_called_on_the_stripped_brain_and_its_maps_are_read(
    head: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "bin").mkdir()
    called = stand_in(tmp_path / "bin", "fast", FAST, monkeypatch)
    result = backends.segment(head, True, AnatomySettings(backend="fast"), tmp_path)
    words = json.loads(called.read_text())
    assert words[words.index("-n") + 1] == "3"
    assert words[words.index("-t") + 1] == "1"
    assert words[words.index("-o") + 1] == str(tmp_path / "fast")
    assert words[-1] == str(tmp_path / "input.nii.gz")
    assert result.made_by == "FSL FAST"
    assert set(result.maps) == {"GM", "WM", "CSF"}
    means = [head.data[result.maps[t] > 0.5].mean() for t in ("CSF", "GM", "WM")]
    assert means == sorted(means)


def test_synthseg_is_called_on_the_image_and_its_labels_become_tissue(
    head: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "bin").mkdir()
    called = stand_in(tmp_path / "bin", "mri_synthseg", SYNTHSEG, monkeypatch)
    result = backends.segment(head, True, AnatomySettings(backend="synthseg", threads=2), tmp_path)
    words = json.loads(called.read_text())
    assert "--robust" in words
    assert "--cpu" in words
    assert words[words.index("--threads") + 1] == "2"
    assert result.made_by == "SynthSeg"
    means = [head.data[result.maps[t] > 0.5].mean() for t in ("CSF", "GM", "WM")]
    assert means == sorted(means)


@pytest.mark.parametrize(("backend", "program"), [("fast", "fast"), ("synthseg", "mri_synthseg")])
def test_a_program_that_fails_is_named_with_what_it_said(
    backend: str, program: str, head: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "bin").mkdir()
    stand_in(tmp_path / "bin", program, "sys.exit('no licence found')", monkeypatch)
    with pytest.raises(DataError, match=program) as caught:
        backends.segment(head, True, AnatomySettings(backend=backend), tmp_path)
    assert "no licence found" in str(caught.value)


@pytest.mark.parametrize(("backend", "program"), [("fast", "fast"), ("synthseg", "mri_synthseg")])
def test_a_program_that_writes_nothing_is_named(
    backend: str, program: str, head: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "bin").mkdir()
    stand_in(tmp_path / "bin", program, "", monkeypatch)
    with pytest.raises(DataError, match=program):
        backends.segment(head, True, AnatomySettings(backend=backend), tmp_path)


def test_two_backends_give_two_sets_of_maps(head: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "bin").mkdir()
    stand_in(tmp_path / "bin", "fast", FAST, monkeypatch)
    stand_in(tmp_path / "bin", "mri_synthseg", SYNTHSEG, monkeypatch)
    settings = AnatomySettings(backend="fast", second_backend="synthseg")
    result = backends.segment(head, True, settings, tmp_path)
    assert result.second is not None
    assert result.made_by == "FSL FAST; second: SynthSeg"
    np.testing.assert_allclose(result.second["WM"][result.mask], result.maps["WM"][result.mask])
