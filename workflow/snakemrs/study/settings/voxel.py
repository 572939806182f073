"""Settings of the stage voxel."""

from __future__ import annotations

from pydantic import Field

from snakemrs.study.settings import Settings

Triple = tuple[float, float, float]


class VoxelSettings(Settings):
    """Settings of the stage voxel (section ``voxel`` of study.yaml)."""

    largest_outside: float = Field(default=0.5, gt=0.0, le=1.0)
    """Share of the voxel outside the brain above which it is refused."""
    warned_outside: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of the voxel outside the brain above which it is flagged."""
    pulse_bandwidths: tuple[float | None, float | None, float | None] | None = None
    """Bandwidth (Hz) of the pulse that selects along each axis of the voxel, negative where its gradient points against
    the axis. With it, the tissue of each metabolite's displaced voxel is measured."""
    carrier_ppm: float = 3.0
    """Chemical shift (ppm) at which the pulses are centred."""
    displaced: dict[str, float] = Field(
        default_factory=lambda: {"water": 4.65, "Ins": 3.54, "tCho": 3.21, "tCr": 3.03, "Glu": 2.35, "tNAA": 2.01}
    )
    """Chemical shifts (ppm) for which the displaced voxel is measured."""
    planned_centre: Triple | dict[str, Triple] | None = None
    """Where the voxel was planned, in template coordinates (ICBM 2009a, mm, RAS+): one for all, or one for each ``voi``
    label (``{acc: [0, 38, 15], occ: [0, -80, 5]}``)."""
    planned_size: Triple | dict[str, Triple] | None = None
    """Edges of the planned voxel along the template's axes, mm, for all or for each ``voi`` label; those of the voxel
    where not said."""
    warned_dice: float = Field(default=0.5, ge=0.0, le=1.0)
    """Overlap with the planned or another session's voxel below which a warning is given."""
    fraction_sd: float = Field(default=0.02, ge=0.0, le=0.5)
    """Standard deviation of each tissue fraction where no second segmentation gives one: the error of the segmentation
    on virtual heads (docs/benchmarks/segmentation.md)."""
    session_shift: float = Field(default=5.0, ge=0.0, le=50.0)
    """How far (mm) the head may lie from where the T1w of another session has it, for a session without a T1w: what the
    fractions change when the voxel moves so far is added to their uncertainty."""

    def planned_for(self, voi: str | None) -> tuple[Triple | None, Triple | None]:
        """Planned centre and edges of the voxel with this ``voi`` label; None for each that is not said."""
        centre, size = self.planned_centre, self.planned_size
        return (
            centre.get(voi or "") if isinstance(centre, dict) else centre,
            size.get(voi or "") if isinstance(size, dict) else size,
        )
