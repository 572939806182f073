"""The figures of one spectrum: SNR, line widths, place of NAA, residual water, lipid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from snakemrs.spectra import hlsvd
from snakemrs.spectra.quality import band_of, highest, noise_in_time
from snakemrs.spectra.reference import (
    Search,
    SingletFit,
    Singlets,
    dominant_frequency,
    fit_singlets,
    search_singlets,
)
from snakemrs.spins.axis import shift_frequency, to_spectrum

DETECTED = 5.0
"""Score of `search_singlets` from which the three lines count as found; noise alone stays below 3.5."""

TOO_BROAD = 0.2
"""Full width (ppm) beyond which a line is no singlet of NAA or creatine."""


@dataclass(frozen=True)
class Scale:
    """What turns a signal into a spectrum with an axis, and where to look in it.

    Attributes
    ----------
    dwell_time : float
        Seconds.
    spectrometer_frequency : float
        MHz.
    singlets : dict
        Chemical shifts of NAA, Cr, Cho, ppm.
    ranges : dict
        ``metabolites``, ``signal``, ``lipid``, ``residual_water``: ppm, lower and upper.
    max_shift : float
        Largest shift of the axis, ppm.
    """

    dwell_time: float
    spectrometer_frequency: float
    singlets: Singlets
    ranges: dict[str, tuple[float, float]]
    max_shift: float

    @classmethod
    def of(cls, dwell_time: float, spectrometer_frequency: float, limits: dict[str, Any], max_shift: float) -> Scale:
        """Take lines and ranges from config/constants/quality.yaml."""
        singlets = {name: float(limits["singlets"][name]) for name in ("NAA", "Cr", "Cho")}
        ranges = {
            name: (float(pair[0]), float(pair[1])) for name, pair in limits["ranges"].items() if isinstance(pair, list)
        }
        return cls(dwell_time, spectrometer_frequency, singlets, ranges, max_shift)

    @property
    def keep_out(self) -> tuple[float, float]:
        """Frequencies that hold signal, Hz."""
        return band_of(self.ranges["signal"], self.spectrometer_frequency)

    def search(self, fid: np.ndarray) -> Search:
        """Look for the three singlets."""
        return search_singlets(fid, self.dwell_time, self.spectrometer_frequency, self.singlets, self.max_shift)

    def fit(self, fid: np.ndarray, shift: float = 0.0) -> SingletFit:
        """Fit the three singlets."""
        return fit_singlets(fid, self.dwell_time, self.spectrometer_frequency, self.singlets, shift)

    def find(self, fid: np.ndarray) -> SingletFit | None:
        """Look for the three singlets and fit them; None where they are not there."""
        search = self.search(fid)
        if search.score < DETECTED:
            return None
        fit = self.fit(fid, search.shift)
        # Broad humps (macromolecules of a nulled scan) can look like three lines; singlets are narrow and upright, and
        # NAA is most of what there is at its place.
        narrow = max(fit.line_width_naa, fit.line_width_cr) < TOO_BROAD * self.spectrometer_frequency
        upright = fit.heights["NAA"] > 0 and fit.heights["Cr"] > 0
        moved = shift_frequency(fid, -fit.shift, self.dwell_time)
        around = (self.singlets["NAA"] - 0.15, self.singlets["NAA"] + 0.15)
        top = highest(moved, self.dwell_time, self.spectrometer_frequency, around, "magnitude")
        return fit if narrow and upright and fit.heights["NAA"] > 0.4 * top else None


@dataclass(frozen=True)
class Figures:
    """Figures of a spectrum; None where one could not be measured (no NAA).

    `height` is the height of NAA and `noise` the standard deviation of the real part, units of the spectrum;
    `line_width_naa`, `line_width_cr`, `shift` are Hz; `residual_water` and `lipid` are relative to the height of NAA.
    """

    snr: float | None = None
    height: float | None = None
    noise: float | None = None
    line_width_naa: float | None = None
    line_width_cr: float | None = None
    shift: float | None = None
    residual_water: float | None = None
    lipid: float | None = None


def without_dominant_water(fid: np.ndarray, scale: Scale) -> np.ndarray:
    """Remove water, wherever within reach it lies, if it stands far above everything else."""
    mhz, dwell = scale.spectrometer_frequency, scale.dwell_time
    reach = (scale.max_shift + 0.2) * mhz
    place = dominant_frequency(fid, dwell, (-reach, reach))
    spectrum = np.abs(to_spectrum(fid))
    frequency = np.fft.fftshift(np.fft.fftfreq(len(fid), dwell))
    near = spectrum[np.abs(frequency - place) < 0.2 * mhz].max()
    # Both sides of water: the data may turn out to be conjugated.
    far = spectrum[(np.abs(frequency) > 1.5 * mhz) & (np.abs(frequency) < 4.0 * mhz)].max()
    if near < 3 * far:
        return fid
    width = 0.4 * mhz
    return hlsvd.remove_components(fid[None], dwell, (place - width, place + width))[0][0]


def measure(fid: np.ndarray, scale: Scale, water_removed: bool, has_naa: bool = True) -> Figures:
    """Measure a spectrum.

    Parameters
    ----------
    fid : ndarray of complex, shape (points,)
    scale : Scale
    water_removed : bool
        Whether `fid` is without residual water already.
    has_naa : bool
        False for inversion-nulled scans: then only the noise is measured.
    """
    noise = noise_in_time(fid, scale.dwell_time, scale.keep_out) * np.sqrt(np.count_nonzero(fid))
    if not has_naa:
        return Figures(noise=noise)
    clean = fid if water_removed else without_dominant_water(fid, scale)
    fit = scale.find(clean)
    if fit is None:
        return Figures(noise=noise)
    height = fit.heights["NAA"]
    placed = [
        shift_frequency(signal, -fit.shift, scale.dwell_time) * np.exp(-1j * fit.phase) for signal in (fid, clean)
    ]
    mhz = scale.spectrometer_frequency
    water = highest(placed[0], scale.dwell_time, mhz, scale.ranges["residual_water"], "magnitude")
    lipid = highest(placed[1], scale.dwell_time, mhz, scale.ranges["lipid"], "real")
    return Figures(
        snr=height / noise if noise > 0 else None,
        height=height,
        noise=noise,
        line_width_naa=fit.line_width_naa,
        line_width_cr=fit.line_width_cr,
        shift=fit.shift,
        residual_water=water / height,
        lipid=lipid / height,
    )
