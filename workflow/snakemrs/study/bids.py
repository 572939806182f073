"""BIDS names: entities to file names and back (BIDS 1.10, magnetic resonance spectroscopy)."""

from __future__ import annotations

import re
from collections.abc import Mapping

LABEL = re.compile(r"[A-Za-z0-9]+")
"""What BIDS allows as the value of an entity."""

# The order of entities is that of the BIDS specification.
ENTITIES = {"participant": "sub", "session": "ses", "task": "task", "acq": "acq", "voi": "voi", "run": "run"}
SPECTRUM_SUFFIXES = ("svs", "mrsref")
SUFFIX_FOLDERS = {"svs": "mrs", "mrsref": "mrs", "T1w": "anat"}


def stem(entities: Mapping[str, str | None]) -> str:
    """Join entities to the name of a file without suffix, such as ``sub-01_ses-01_acq-press``.

    Parameters
    ----------
    entities : mapping
        Values by ``participant session task acq voi run``; missing or empty ones are left out.
    """
    return "_".join(f"{short}-{entities[long]}" for long, short in ENTITIES.items() if entities.get(long))


def folder(participant: str, session: str) -> str:
    """Relative folder of a session, ``sub-01/ses-01``."""
    return f"sub-{participant}/ses-{session}"


def raw_path(entities: Mapping[str, str | None], suffix: str) -> str:
    """Path of an image inside the BIDS dataset, such as ``sub-01/ses-01/mrs/sub-01_ses-01_svs.nii.gz``."""
    place = folder(str(entities["participant"]), str(entities["session"]))
    return f"{place}/{SUFFIX_FOLDERS[suffix]}/{stem(entities)}_{suffix}.nii.gz"
