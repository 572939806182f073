"""What the plan wants to know of a raw file's header."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def read_header(path: Path) -> dict[str, Any]:
    """Recognise a raw file and give what the plan keeps of it."""
    from snakemrs.ingest.recognise import recognise

    raw = recognise(path)
    image = raw.kind in ("T1w", "image")
    if image:
        from snakemrs.cli.field_of_view import field_of_view
    return {
        "format": raw.format,
        "kind": raw.kind,
        "sequence": raw.sequence,
        "te": raw.echo_time,
        "te1": None,
        "tm": raw.mixing_time,
        "tr": raw.repetition_time,
        "frequency": raw.frequency,
        "bandwidth": raw.bandwidth,
        "points": raw.points,
        "transients": raw.transients,
        "nucleus": raw.nucleus,
        "voxel_size": list(raw.voxel_size),
        "centre": list(raw.centre),
        **({"field_of_view": field_of_view(raw.files)} if image and raw.files else {}),
    }
