"""The segmentation backends behind one interface."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from snakemrs.anatomy.brain import Brain, find_brain
from snakemrs.anatomy.images import Volume
from snakemrs.anatomy.precomputed import Owner
from snakemrs.errors import RequestError
from snakemrs.study.settings.anatomy import AnatomySettings, Backend

TISSUES = ("GM", "WM", "CSF")


@dataclass(frozen=True)
class Segmentation:
    """Result of one backend, or of two, on the grid of the T1w.

    Attributes
    ----------
    t1w : Volume
        The image, bias removed where the backend removed it.
    mask : ndarray of bool
        The brain.
    maps : dict of ndarray
        ``GM``, ``WM``, ``CSF``: shares of tissue 0–1, float32.
    made_by : str
        What made the maps, for the reader.
    extracted : bool
        Whether the T1w was skull-stripped already.
    similarity : float or None
        Correlation with the template inside the brain, where one was registered.
    to_template : ndarray, shape (4, 4), or None
        Affine from T1w to template coordinates, mm, RAS+.
    second : dict of ndarray or None
        Maps of the second backend.
    extra : dict
        Further quality figures.
    """

    t1w: Volume
    mask: np.ndarray
    maps: dict[str, np.ndarray]
    made_by: str
    extracted: bool
    similarity: float | None = None
    to_template: np.ndarray | None = None
    second: dict[str, np.ndarray] | None = None
    extra: dict[str, float] = field(default_factory=dict)


def segment(
    t1w: Volume, extracted: bool, settings: AnatomySettings, folder: Path, owner: Owner = (None, None)
) -> Segmentation:
    """Segment a T1w image with the backend, or the two, of the settings.

    Parameters
    ----------
    t1w : Volume
        The image as measured.
    extracted : bool
        Whether it is skull-stripped already.
    settings : AnatomySettings
    folder : Path
        For the files of programs.
    owner : tuple
        Labels of participant and session, to find their existing maps.
    """
    if settings.second_backend == settings.backend:
        raise RequestError("the second backend is the first", found=settings.second_backend)
    chosen = [b for b in (settings.backend, settings.second_backend) if b is not None]
    brain = None
    if chosen != ["precomputed"]:
        brain = find_brain(
            t1w,
            extracted,
            folder,
            bias_correction=settings.bias_correction,
            spacing=settings.registration_spacing,
            seed=settings.seed,
        )
    maps, made_by = _maps(settings.backend, t1w, brain, settings, folder, owner)
    second = None
    if settings.second_backend is not None:
        second, other = _maps(settings.second_backend, t1w, brain, settings, folder, owner)
        made_by += f"; second: {other}"
    if settings.backend == "precomputed" or brain is None:
        mask, image = np.sum(list(maps.values()), axis=0) > 0.5, t1w
    else:
        mask, image = brain.mask, brain.t1w
    if brain is None:
        return Segmentation(image, mask, maps, made_by, extracted, second=second)
    return Segmentation(image, mask, maps, made_by, extracted, brain.similarity, brain.to_template, second)


def _maps(
    backend: Backend, t1w: Volume, brain: Brain | None, settings: AnatomySettings, folder: Path, owner: Owner
) -> tuple[dict[str, np.ndarray], str]:
    """Tissue maps of one backend, and what made them."""
    if backend == "precomputed":
        from snakemrs.anatomy.precomputed import find_derivatives, read_maps

        if settings.precomputed is None:
            raise RequestError(
                "the backend precomputed needs to know where the maps are", remedy="set anatomy: precomputed"
            )
        files, program = find_derivatives(Path(settings.precomputed), owner)
        return read_maps(files, t1w), f"{program} ({', '.join(sorted({f.name for f in files.values()}))})"
    assert brain is not None
    if backend in ("fast", "synthseg"):
        return _external(backend, t1w, brain, settings, folder), {"fast": "FSL FAST", "synthseg": "SynthSeg"}[backend]
    if backend == "hmrf":
        from snakemrs.anatomy.hmrf import segment_hmrf

        maps = segment_hmrf(brain.t1w, brain.mask, smoothing=settings.smoothing)
    else:
        from snakemrs.anatomy.atropos import segment_atropos

        maps = segment_atropos(
            brain.t1w,
            brain.mask,
            brain.gm,
            brain.wm,
            prior_weight=settings.prior_weight,
            smoothing=settings.smoothing,
            folder=folder,
        )
    if settings.partial_volume:
        from snakemrs.anatomy.partial_volume import refine

        maps = refine(brain.t1w, brain.mask, maps)
    return maps, {"hmrf": "DIPY HMRF", "atropos": "ANTs Atropos"}[backend]


def _external(
    backend: Backend, t1w: Volume, brain: Brain, settings: AnatomySettings, folder: Path
) -> dict[str, np.ndarray]:
    """Tissue maps of a program outside Python."""
    from snakemrs.anatomy.images import write_volume
    from snakemrs.anatomy.precomputed import labels_to_maps, onto, read_volume
    from snakemrs.interfaces import segmentation

    image = folder / "input.nii.gz"
    if backend == "fast":
        # FAST has a bias step of its own and segments worse after another's.
        segmentation.require("fast")
        write_volume(image, np.where(brain.mask, t1w.data, 0), t1w.affine, "float32")
        files = segmentation.run_fast(image, folder)
        return {name: onto(read_volume(path), t1w).astype(np.float32) for name, path in files.items()}
    segmentation.require("mri_synthseg")
    write_volume(image, t1w.data, t1w.affine, "float32")
    source = read_volume(segmentation.run_synthseg(image, folder, settings.threads))
    return {name: onto(source.like(data), t1w).astype(np.float32) for name, data in labels_to_maps(source.data).items()}
