"""What is known of a raw file before it is converted."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["svs", "mrsref", "T1w", "image", "unknown"]


@dataclass(frozen=True)
class RawFile:
    """A raw file as its header and its signal say, not as its name says.

    Attributes
    ----------
    path : Path
        The file, or the folder of a DICOM series.
    format : str
        ``sdat``, ``twix-vb``, ``twix-vd``, ``rda``, ``dicom-mrs``, ``dicom-image``, ``ge``, ``nifti-mrs``, ``nifti``,
        ``data-list``, ``bruker``, ``uih`` or ``unknown``.
    kind : str
        ``svs``, ``mrsref``, ``T1w``, ``image`` (another image) or ``unknown``.
    files : tuple of Path
        All files that make it, such as SDAT and SPAR.
    echo_time, repetition_time, inversion_time, mixing_time : float or None
        Seconds.
    frequency : float or None
        Spectrometer frequency, MHz.
    bandwidth : float or None
        Hz.
    points, transients, coils, averages : int or None
        Points of the time signal; signals stored; receiver coils stored; transients averaged into each signal.
    voxel_size : tuple of float
        mm, in the order of the file.
    centre : tuple of float
        Centre of the voxel, mm, RAS+.
    water_suppressed : bool or None
        From the signal: whether water is no higher than metabolites allow. None where it could not be decided.
    skull_stripped : bool or None
        From the image: nothing outside the brain.
    why : str
        How it was recognised, or why not, in plain words.
    """

    path: Path
    format: str = "unknown"
    kind: Kind = "unknown"
    files: tuple[Path, ...] = ()
    vendor: str | None = None
    sequence: str | None = None
    nucleus: str | None = None
    echo_time: float | None = None
    repetition_time: float | None = None
    inversion_time: float | None = None
    mixing_time: float | None = None
    frequency: float | None = None
    bandwidth: float | None = None
    points: int | None = None
    transients: int | None = None
    coils: int | None = None
    averages: int | None = None
    voxel_size: tuple[float, ...] = ()
    centre: tuple[float, ...] = ()
    water_suppressed: bool | None = None
    water_ratio: float | None = None
    skull_stripped: bool | None = None
    why: str = ""
    problem: str | None = None
    details: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def summary(self) -> dict[str, Any]:
        """Give what may be shown: nothing of names, dates or free text of the header."""
        content = asdict(self)
        del content["details"]
        content["path"] = str(self.path)
        content["files"] = [str(path) for path in self.files]
        return content


#: Words in names of sequences and protocols, in the order in which they are looked for.
_SEQUENCES = (
    ("sLASER", ("slaser", "semilaser", "semi-laser", "semi_laser", "s-laser")),
    ("LASER", ("laser",)),
    ("SPECIAL", ("special",)),
    ("STEAM", ("steam", "svs_st", "probe-s")),
    ("PRESS", ("press", "svs_se", "probe-p", "probe_p", "probep")),
)
#: Ways of editing or cycling, whose transients are no repeats; sites and vendors name them so (``eja_svs_mpress``,
#: ``svs_edit``, GE's ``gaba`` and ``jpress``).
_CONDITIONS = (
    ("HERMES", r"hermes"),
    ("HERCULES", r"hercules|hurcules|isthmus|herc_hyper"),
    ("MEGA", r"(?<![a-z])mega|(?<![a-z])m(?:press|slaser)|(?<![a-z])edit(?:ed|ing)?(?![a-z])"),
    ("MEGA", r"(?<![a-z])gaba(?![a-z])|(?<![a-z])jpress"),
    ("metabolite-cycled", r"met(?:abolite)?[-_ ]?cycl|(?<![a-z])mc[-_](?:press|s?laser|semi|steam)"),
)


def sequence_of(*names: object) -> str | None:
    """Give the sequence that names of sequence or protocol speak of; None where they say nothing.

    Returns
    -------
    str or None
        The localisation (``PRESS``, ``sLASER``), after the way of editing where a name speaks of one
        (``MEGA-PRESS``, ``HERMES``): such transients are never plain repeats, so that any of the names decides.
    """
    texts = [str(name or "").lower() for name in names]
    editing = next((word for word, pattern in _CONDITIONS for text in texts if re.search(pattern, text)), None)
    localisation = next(
        (sequence for text in texts for sequence, words in _SEQUENCES if any(word in text for word in words)), None
    )
    return "-".join(word for word in (editing, localisation) if word) or None


def inversion_of(*names: object) -> float | None:
    """Give the inversion time (s) that a protocol name such as ``PRESS_TI_600`` speaks of, else None."""
    for name in names:
        match = re.search(r"(?:^|[^A-Za-z])TI[ _=-]?(\d{2,4})(?!\d)", str(name or ""), flags=re.IGNORECASE)
        if match and 20 <= int(match.group(1)) <= 5000:
            return int(match.group(1)) / 1000
    return None
