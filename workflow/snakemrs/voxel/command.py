"""The command ``snakemrs voxel``: the MRS voxel in T1w space and its tissue fractions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from snakemrs.errors import DataError
from snakemrs.io.tables import write_table
from snakemrs.study.settings import load_settings
from snakemrs.study.settings.voxel import VoxelSettings

COLUMNS = ["gm", "wm", "csf", "outside", "volume_mm3", "gm_sd", "wm_sd", "csf_sd", "flag"]
_IMAGE = click.Path(path_type=Path)


@click.command()
@click.argument("svs", type=_IMAGE)
@click.option("--t1w", type=_IMAGE, required=True, help="The T1w image that was segmented.")
@click.option("--brain-mask", type=_IMAGE, required=True, help="Brain mask on the grid of the T1w.")
@click.option("--gm", type=_IMAGE, required=True, help="Probability of grey matter.")
@click.option("--wm", type=_IMAGE, required=True, help="Probability of white matter.")
@click.option("--csf", type=_IMAGE, required=True, help="Probability of CSF.")
@click.option("--output", "stem", required=True, help="Folder and beginning of the names of the tables.")
@click.option("--mask-output", type=_IMAGE, help="Where to write the voxel mask in T1w space.")
@click.option(
    "--compare",
    type=_IMAGE,
    multiple=True,
    help="Voxel of another session (…_voxel.json) with which the overlap is measured; may be repeated.",
)
@click.option("--settings", "settings_source", help="Settings of the stage: JSON text, or a YAML or JSON file.")
def voxel(
    svs: Path,
    t1w: Path,
    brain_mask: Path,
    gm: Path,
    wm: Path,
    csf: Path,
    stem: str,
    mask_output: Path | None,
    compare: tuple[Path, ...],
    settings_source: str | None,
) -> None:
    """Lay the MRS voxel into the T1w image and measure its tissue.

    \b
    Example:
        snakemrs voxel sub-01_svs.nii.gz --t1w T1w.nii.gz --brain-mask mask.nii.gz --gm GM.nii.gz --wm WM.nii.gz \\
            --csf CSF.nii.gz --output mrs/sub-01 --mask-output anat/sub-01_voi_mask.nii.gz
    """
    settings = load_settings(VoxelSettings, settings_source)
    import numpy as np

    from snakemrs.io import nifti_mrs
    from snakemrs.io.atomic import write_json
    from snakemrs.voxel import geometry, inputs, placement

    image = nifti_mrs.read(svs)
    box = plausible_box(image)
    whole = geometry.box_volume(box)
    _, grid, frame = inputs.read_map(t1w, None, None)
    mask, _, _ = inputs.read_map(brain_mask, grid, t1w)
    paths = {"gm": gm, "wm": wm, "csf": csf}
    maps = {name: inputs.read_map(path, grid, t1w)[0] for name, path in paths.items()}
    total = float(np.max(sum(maps.values())))
    if total > 1.05:
        raise DataError("the tissue maps sum to more than 1", file=gm, found=f"{total:.3f}", expected="at most 1")
    share = geometry.box_overlap(box, grid, mask.shape)
    voxel_volume = geometry.box_volume(grid)
    in_image = float(share.sum()) * voxel_volume / whole
    fractions = geometry.tissue_fractions(share, maps, voxel_volume, whole)
    flip = placement.likely_flip(box, maps, grid, fractions["outside"], settings.warned_outside)
    hint = "" if flip is None else f"with {flip[0]} exchanged it would be {100 * flip[1]:.0f} %"
    refuse_outside(image, fractions["outside"], in_image, settings, t1w, hint)
    fineness = float(min(np.sqrt((box[:3, :3] ** 2).sum(axis=0))) / max(np.sqrt((grid[:3, :3] ** 2).sum(axis=0))))
    quality = [
        grade("outside", fractions["outside"], "above", settings.warned_outside),
        grade("resolution", fineness, "below", LEAST_RESOLUTION),
    ]
    flags = [frame] if frame else []
    flags += [hint] if hint else []
    if fineness < LEAST_RESOLUTION:
        flags.append(f"only {fineness:.1f} image voxels along the voxel's shortest edge")
    away = inputs.header_rotation(t1w)
    if away is not None:
        flags.append(f"the T1w is turned by {away:.1f} deg against the scanner's header of it")
    if fractions["outside"] > settings.warned_outside:
        flags.append(f"{100 * fractions['outside']:.0f} % of the voxel outside the brain")
    if in_image < 0.999:
        flags.append(f"{100 * (1 - in_image):.0f} % of the voxel beyond the edge of the image")
    in_brain = float((share * (mask > 0.5)).sum()) * voxel_volume / whole
    if in_brain + 0.02 < 1 - fractions["outside"]:
        flags.append("tissue outside the brain mask")
    sessions = inputs.session_of(svs.name), inputs.session_of(t1w.name)
    borrowed = None not in sessions and sessions[0] != sessions[1]
    if borrowed:
        flags.append(f"the T1w is of session {sessions[1]}: the head may have lain otherwise")
    to_template = inputs.template_transform(t1w)
    if to_template is not None:
        turn = inputs.rotation_of(to_template)
        quality.append(grade("head_rotation", turn, "above", LARGEST_TURN, "deg"))
        if turn > LARGEST_TURN:
            flags.append(f"the head is turned by {turn:.0f} deg against the template: is the orientation right?")
        there = placement.fractions_of(placement.mirrored(box, to_template), maps, grid)
        change = max((there[name] - fractions[name] for name in paths), key=abs)
        quality.append({"metric": "mirror_difference", "value": change, "unit": None, "verdict": "n/a"})
    spread, agreement = second_opinion(paths, share, voxel_volume, whole, fractions, settings, grid, t1w)
    quality += agreement
    flags += [
        f"the two segmentations differ in {r['metric'][-3:].strip('_')}" for r in agreement if r["verdict"] == "warn"
    ]
    if borrowed:
        moved = placement.spread_by_shift(box, maps, grid, settings.session_shift)
        spread = {name: float(np.hypot(sd, moved[name])) for name, sd in spread.items()}
    quality += overlaps(box, to_template, compare, settings, inputs.label_of(svs.name, "voi"))
    row: dict[str, Any] = {**fractions, "volume_mm3": whole, "flag": "; ".join(flags) or None}
    row.update({f"{name}_sd": sd for name, sd in spread.items()})
    if mask_output is not None:
        write_mask(mask_output, share, grid)
    write_table(f"{stem}_tissue.tsv", [row], COLUMNS, dictionary(svs, t1w))
    write_table(f"{stem}_desc-voxel_quality.tsv", quality, QUALITY_COLUMNS, quality_dictionary())
    write_json(f"{stem}_voxel.json", describe(box, to_template))
    if settings.pulse_bandwidths is not None:
        rows = displaced_rows(image, maps, grid, settings)
        write_table(f"{stem}_desc-displaced_tissue.tsv", rows, DISPLACED_COLUMNS, displaced_dictionary())


LARGEST_TURN = 45.0
"""Rotation of a head against the template (degrees) above which its header is suspect."""
LEAST_RESOLUTION = 4.0
"""Image voxels along the shortest edge of the MRS voxel below which its tissue is not resolved."""
WARNED_DIFFERENCE = 0.05
"""Difference of a fraction between two segmentations above which a warning is given."""
QUALITY_COLUMNS = ["metric", "value", "unit", "verdict", "rule"]
DISPLACED_COLUMNS = ["metabolite", "ppm", "shift_x", "shift_y", "shift_z", "overlap", "gm", "wm", "csf", "outside"]


def plausible_box(image: Any) -> Any:
    """Give the affine of the single MRS voxel; refuse an implausible size."""
    import numpy as np

    if image.data.shape[:3] != (1, 1, 1):
        raise image.error("more than one voxel", found=f"shape {image.data.shape[:3]}", expected="single voxel")
    edges = np.sqrt((image.affine[:3, :3] ** 2).sum(axis=0))
    if edges.min() < 2.0 or edges.max() > 200.0:
        raise image.error(
            "the voxel has no plausible size",
            found=" × ".join(f"{e:.1f}" for e in edges) + " mm",
            expected="edges of 2 to 200 mm",
            remedy="the scanner's file lacks the geometry, or it was lost in conversion",
        )
    return image.affine


def refuse_outside(
    image: Any, outside: float, in_image: float, settings: VoxelSettings, t1w: Path, hint: str = ""
) -> None:
    """Refuse a voxel that lies outside the brain; `hint`: what would bring it inside."""
    if outside <= settings.largest_outside:
        return
    place = "outside the image" if in_image < 0.5 else "outside the brain"
    centre = ", ".join(f"{c:.1f}" for c in image.affine[:3, 3])
    raise image.error(
        f"the voxel lies {place} of the T1w",
        found=f"{100 * outside:.0f} % of the voxel outside the brain, centre at {centre} mm; T1w {t1w}"
        + (f"; {hint}: is a header flipped?" if hint else ""),
        expected=f"at most {100 * settings.largest_outside:.0f} %",
        remedy="is the T1w of the same person and session, and not moved to another space (template, AC-PC, "
        "resliced)? A T1w of another session must be brought over first (`snakemrs segment --from`)",
    )


def grade(metric: str, value: float, side: str, limit: float, unit: str | None = None) -> dict[str, Any]:
    """Make a row of the table of quality that warns above or below a limit."""
    bad = value > limit if side == "above" else value < limit
    verdict = "warn" if bad else "pass"
    return {"metric": metric, "value": value, "unit": unit, "verdict": verdict, "rule": f"warn {side} {limit:g}"}


def second_opinion(
    paths: dict[str, Path],
    share: Any,
    voxel_volume: float,
    whole: float,
    fractions: dict[str, float],
    settings: VoxelSettings,
    grid: Any,
    t1w: Path,
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Standard deviations of the fractions, from a second segmentation where there is one.

    Two segmentations that differ by d are two draws whose standard deviation is estimated as |d|/√2; it is not taken
    smaller than what the settings say for one alone, since the two may err alike: those that are built in share brain
    mask, bias field and the model of shares.
    """
    from snakemrs.voxel import geometry, inputs

    others = {name: inputs.second_of(path) for name, path in paths.items()}
    if any(path is None for path in others.values()):
        return dict.fromkeys(paths, settings.fraction_sd), []
    maps = {name: inputs.read_map(path, grid, t1w)[0] for name, path in others.items() if path is not None}
    second = geometry.tissue_fractions(share, maps, voxel_volume, whole)
    differences = {name: second[name] - fractions[name] for name in paths}
    spread = {name: max(abs(d) / 2**0.5, settings.fraction_sd) for name, d in differences.items()}
    rows = []
    for name, d in differences.items():
        verdict = "warn" if abs(d) > WARNED_DIFFERENCE else "pass"
        rule = f"warn beyond ±{WARNED_DIFFERENCE:g}"
        rows.append({"metric": f"difference_{name}", "value": d, "unit": None, "verdict": verdict, "rule": rule})
    return spread, rows


def overlaps(
    box: Any, to_template: Any | None, compare: tuple[Path, ...], settings: VoxelSettings, voi: str | None
) -> list[dict[str, Any]]:
    """Overlap with the planned voxel and with those of other sessions, in template space where both are known there."""
    import numpy as np

    from snakemrs.voxel import displacement, inputs

    rows: list[dict[str, Any]] = []
    mine = None if to_template is None else to_template @ box
    centre, size = settings.planned_for(voi)
    if settings.planned_centre is not None:
        if centre is None:
            rule = "no position is planned for " + (f"the voi {voi}" if voi else "a spectrum without a voi label")
            rows.append({"metric": "dice_planned", "verdict": "n/a", "rule": rule})
        elif mine is None:
            rows.append({"metric": "dice_planned", "verdict": "n/a", "rule": "the way to template space is unknown"})
        else:
            edges = size or tuple(np.sqrt((mine[:3, :3] ** 2).sum(axis=0)))
            planned = np.diag([*edges, 1.0])
            # The planned voxel takes the orientation of the real one when only its centre is known.
            planned = planned if size else mine.copy()
            planned[:3, 3] = centre
            away = float(np.linalg.norm(mine[:3, 3] - planned[:3, 3]))
            rows.append({"metric": "distance_planned", "value": away, "unit": "mm", "verdict": "n/a"})
            rows.append(grade("dice_planned", displacement.dice(mine, planned), "below", settings.warned_dice))
    for path in compare:
        name, other, in_template = inputs.read_other(path)
        if mine is None or in_template is None:
            value = displacement.dice(box, other)
        else:
            value = displacement.dice(mine, in_template)
        rows.append(grade(f"dice_{name}", value, "below", settings.warned_dice))
    return rows


def describe(box: Any, to_template: Any | None) -> dict[str, Any]:
    """Describe the voxel for comparison with others."""

    def numbers(matrix: Any) -> list[list[float]]:
        return [[float(f"{v:.9g}") for v in row] for row in matrix]

    return {
        "Description": "The MRS voxel: index 0 is its centre, columns are its edges; mm, RAS+",
        "affine": numbers(box),
        "affine_template": None if to_template is None else numbers(to_template @ box),
        "centre_template": None if to_template is None else [float(f"{v:.6g}") for v in (to_template @ box)[:3, 3]],
    }


def displaced_rows(image: Any, maps: dict[str, Any], grid: Any, settings: VoxelSettings) -> list[dict[str, Any]]:
    """Tissue in the voxel of each metabolite, displaced by its chemical shift."""
    from snakemrs.voxel import displacement, geometry

    rows = []
    shape = next(iter(maps.values())).shape
    for name, ppm in settings.displaced.items():
        moved = displacement.displaced_box(
            image.affine, ppm, settings.carrier_ppm, image.spectrometer_frequency, settings.pulse_bandwidths or ()
        )
        share = geometry.box_overlap(moved, grid, shape)
        volumes = geometry.box_volume(grid), geometry.box_volume(moved)
        shift = moved[:3, 3] - image.affine[:3, 3]
        rows.append(
            {
                "metabolite": name,
                "ppm": ppm,
                **dict(zip(("shift_x", "shift_y", "shift_z"), shift, strict=True)),
                "overlap": displacement.dice(image.affine, moved),
                **geometry.tissue_fractions(share, maps, *volumes),
            }
        )
    return rows


def write_mask(path: Path, share: Any, grid: Any) -> None:
    """Write the fractional voxel mask (float32) with what BIDS wants beside it."""
    import numpy as np

    from snakemrs.interfaces.nib import nib
    from snakemrs.io.atomic import replacing, write_json
    from snakemrs.io.nifti_mrs import write_nifti

    image = nib.Nifti1Image(np.asarray(share, np.float32), grid)
    image.header.set_xyzt_units("mm")
    image.set_qform(grid, 1)
    image.set_sform(grid, 1)
    with replacing(path) as temporary:
        write_nifti(image, temporary)
    write_json(
        str(path).removesuffix(".gz").removesuffix(".nii") + ".json",
        {
            "Description": "Share of each image voxel that lies inside the MRS voxel",
            "SpatialReference": "the T1w image of the same participant and session",
            "Type": "ROI",
        },
    )


def dictionary(svs: Path, t1w: Path) -> dict[str, Any]:
    """Describe the columns of the table of tissue."""
    tissue = {"gm": "grey matter", "wm": "white matter", "csf": "cerebrospinal fluid"}
    columns: dict[str, Any] = {
        k: {"Description": f"Fraction of the voxel's volume that is {v}"} for k, v in tissue.items()
    }
    columns["outside"] = {"Description": "Fraction of the voxel's volume that is none of these: outside the brain"}
    columns["volume_mm3"] = {"Description": "Volume of the MRS voxel", "Units": "mm^3"}
    for k, v in tissue.items():
        columns[f"{k}_sd"] = {"Description": f"Standard deviation of the fraction of {v}"}
    columns["flag"] = {"Description": "What is odd about the placement; n/a where nothing is"}
    columns["Notes"] = {"Description": f"Voxel of {svs.name} in {t1w.name}; exact overlap of the oblique box."}
    return columns


def quality_dictionary() -> dict[str, Any]:
    """Describe the columns of the table of quality."""
    return {
        "metric": {
            "Description": "Quality figure",
            "Levels": {
                "outside": "Fraction of the voxel outside the brain",
                "resolution": "Image voxels along the shortest edge of the MRS voxel",
                "head_rotation": "Rotation of the head against the template",
                "mirror_difference": "Largest difference of a fraction were left and right exchanged",
                "difference_gm": "Grey matter of the second segmentation less that of the first (also wm, csf)",
                "dice_planned": "Overlap with the planned voxel in template space",
                "distance_planned": "Distance of the centres in template space",
                "dice_NAME": "Overlap with the voxel NAME, in template space where both are known there",
            },
        },
        "value": {"Description": "Value of the figure"},
        "unit": {"Description": "Unit of the value"},
        "verdict": {"Description": "pass, warn, fail or n/a (no rule)"},
        "rule": {"Description": "Rule behind the verdict"},
    }


def displaced_dictionary() -> dict[str, Any]:
    """Describe the columns of the table of displaced voxels."""
    return {
        "metabolite": {"Description": "Metabolite"},
        "ppm": {"Description": "Its chemical shift", "Units": "ppm"},
        **{f"shift_{a}": {"Description": f"Displacement along {a} (RAS+)", "Units": "mm"} for a in "xyz"},
        "overlap": {"Description": "Dice overlap with the voxel as planned"},
        **{t: {"Description": f"Fraction of {t.upper()} in the displaced voxel"} for t in ("gm", "wm", "csf")},
        "outside": {"Description": "Fraction of the displaced voxel outside the brain"},
    }
