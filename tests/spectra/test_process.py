"""From raw transients to a corrected spectrum, against the truth of a virtual acquisition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from snakemrs.errors import DataError
from snakemrs.io.nifti_mrs import NiftiMrs
from snakemrs.spectra.process import correct
from snakemrs.spins.axis import ppm_axis, to_spectrum
from snakemrs.study.settings.spectra import SpectraSettings
from spectra_scan import Scan, make_image
from spectra_signals import Sampling, brain, noise, noise_for, residual_water

SAMPLING = Sampling()
PPM = ppm_axis(SAMPLING.points, 1 / SAMPLING.bandwidth, 123.2)
TRUE = to_spectrum(brain(SAMPLING))


def rms_error(mean: np.ndarray) -> float:
    """Difference from truth between 0.5 and 4.1 ppm, by the height of NAA; one complex factor near 1 is free."""
    inside = (PPM > 0.5) & (PPM < 4.1)
    found, true = to_spectrum(mean)[inside], TRUE[inside]
    factor = np.vdot(true, found) / np.vdot(true, true)
    assert np.abs(np.angle(factor)) < np.radians(4)
    return float(np.sqrt(np.mean(np.abs(found / factor - true) ** 2)) / np.abs(TRUE).max())


def test_the_mean_of_raw_transients_is_the_true_spectrum(scan: Scan) -> None:
    done = correct(scan.svs, scan.water)
    assert rms_error(done.mean) < 0.02
    assert done.after.shift == pytest.approx(0, abs=0.1)
    assert done.after.line_width_naa == pytest.approx(5.0, rel=0.1)
    # 48 transients of SNR 15 each
    assert done.after.snr == pytest.approx(15 * np.sqrt(48), rel=0.15)


def test_correction_makes_it_better(scan: Scan) -> None:
    done = correct(scan.svs, scan.water)
    assert done.before.snr is not None
    assert done.after.snr is not None
    assert done.after.snr > 1.1 * done.before.snr
    assert done.after.line_width_naa < done.before.line_width_naa
    assert done.after.residual_water < 0.1 * done.before.residual_water


def test_steps_have_the_names_of_the_consensus(scan: Scan) -> None:
    done = correct(scan.svs, scan.water)
    assert [method for method, _ in done.steps] == [
        "Eddy current correction",
        "Frequency and phase correction",
        "Removal of outlier transients",
        "Signal averaging",
        "Frequency and phase correction",
        "Residual water removal",
    ]


def test_coils_are_combined_on_the_way(coil_scan: Scan, scan: Scan) -> None:
    done = correct(coil_scan.svs, coil_scan.water)
    optimum = np.sqrt(
        np.real(coil_scan.sensitivity.conj() @ np.linalg.solve(coil_scan.covariance, coil_scan.sensitivity))
    )
    sd = np.sqrt(2) * noise_for(15.0, SAMPLING)
    assert done.after.snr == pytest.approx(optimum * sd * 15 * np.sqrt(48), rel=0.1)
    assert done.steps[0][0] == "RF coil combination"


def test_water_and_metabolites_stay_on_one_scale(coil_scan: Scan) -> None:
    done = correct(coil_scan.svs, coil_scan.water)
    assert done.water is not None
    ratio = np.abs(done.water[:8]).mean() / np.abs(done.mean[:8]).mean()
    t = SAMPLING.time[:8]
    assert ratio == pytest.approx(2000 * np.exp(-np.pi * 6 * t).mean() / np.abs(brain(SAMPLING)[:8]).mean(), rel=0.06)


def test_spoilt_transients_are_left_out_with_their_rule(spoilt_scan: Scan) -> None:
    done = correct(spoilt_scan.svs, spoilt_scan.water)
    assert np.flatnonzero(done.outliers.rejected).tolist() == [5, 20, 21]
    assert all("amplitude_outlier" in str(done.outliers.rules[k]) for k in (5, 20, 21))


def test_an_averaged_spectrum_needs_no_transients(scan: Scan) -> None:
    done = correct(make_image(brain(SAMPLING) + residual_water(SAMPLING, 3)))
    assert rms_error(done.mean) < 0.03
    assert done.fids.shape == (1, SAMPLING.points)


def test_a_nulled_scan_is_referenced_to_water() -> None:
    rng = np.random.default_rng(0)
    only = brain(SAMPLING) - brain(SAMPLING, macromolecules=False)
    drifted = np.exp(2j * np.pi * 9 * SAMPLING.time)
    fid = (only + residual_water(SAMPLING, 2)) * drifted * np.exp(0.7j)
    fid = fid + noise(rng, fid.shape, noise_for(200, SAMPLING))
    water = 500 * np.exp(-np.pi * 6 * SAMPLING.time) * drifted
    done = correct(make_image(fid, InversionTime=0.6), make_image(water))
    found, true = to_spectrum(done.mean), to_spectrum(only)
    inside = (PPM > 0.5) & (PPM < 3.5)
    assert np.corrcoef(found[inside].real, true[inside].real)[0, 1] > 0.98
    assert done.after.snr is None
    assert "inversion-nulled" in done.notes[0]


def test_without_eddy_currents_corrected_where_the_echo_time_differs(scan: Scan) -> None:
    water = replace(scan.water, header={**scan.water.header, "EchoTime": 0.144})
    done = correct(scan.svs, water)
    assert "the echo time of the water reference differs" in done.notes[0]
    assert "Eddy current correction" not in [method for method, _ in done.steps]


def test_the_first_water_frame_out_of_steady_state_is_left_out(scan: Scan) -> None:
    data = scan.water.data.copy()
    data[..., 0] *= 1.2
    done = correct(scan.svs, replace(scan.water, data=data))
    assert done.water_trace is not None
    assert done.water_trace.used.tolist() == [False, True, True, True]


def test_conjugated_data_are_refused_or_corrected_and_said(scan: Scan) -> None:
    wrong = replace(scan.svs, data=scan.svs.data.conj())
    wrong_water = replace(scan.water, data=scan.water.data.conj())
    with pytest.raises(DataError, match="conjugated"):
        correct(wrong, wrong_water)
    done = correct(wrong, wrong_water, SpectraSettings(conjugated="correct"))
    assert rms_error(done.mean) < 0.02
    assert "conjugated" in done.notes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"affine": np.diag([20.0, 30, 25, 1])}, "another voxel"),
        ({"dwell_time": 1 / 4000}, "another bandwidth"),
        ({"header": {"SpectrometerFrequency": [127.7], "ResonantNucleus": ["1H"]}}, "another frequency"),
    ],
)
def test_a_water_reference_of_another_scan_is_refused(scan: Scan, change: dict, message: str) -> None:
    if "header" in change:
        change = {"header": {**scan.water.header, **change["header"]}}
    with pytest.raises(DataError, match=message):
        correct(scan.svs, replace(scan.water, **change))


def test_water_elsewhere_can_be_kept_without_correction(scan: Scan) -> None:
    water = replace(scan.water, affine=np.diag([20.0, 30, 25, 1]))
    done = correct(scan.svs, water, SpectraSettings(water_elsewhere="no-correction"))
    assert "another voxel" in done.notes[0]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(scan: Scan, value: float) -> None:
    data = scan.svs.data.copy()
    data[0, 0, 0, 100, 7] = value
    with pytest.raises(DataError, match="not finite"):
        correct(replace(scan.svs, data=data))


def test_zeros_and_noise_are_refused(scan: Scan) -> None:
    with pytest.raises(DataError, match="zero everywhere"):
        correct(replace(scan.svs, data=np.zeros_like(scan.svs.data)))
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="no signal"):
        correct(make_image(noise(rng, (8, SAMPLING.points), 1.0), "DIM_DYN"))


def test_another_number_of_coils_in_water_is_refused(coil_scan: Scan, scan: Scan) -> None:
    with pytest.raises(DataError, match="number of coils"):
        correct(coil_scan.svs, scan.water)


def without_naa(scan: Scan, of: np.ndarray) -> NiftiMrs:
    """The scan, some of whose transients were taken with an editing pulse on NAA."""
    data = scan.svs.data.astype(complex)
    naa = np.exp(-2j * np.pi * (2.01 - 4.65) * 123.2 * SAMPLING.time - np.pi * 5 * SAMPLING.time)
    for k in np.flatnonzero(of):
        turn = 2 * np.pi * scan.frequency[k] * SAMPLING.time + scan.phase[k] + scan.eddy + 0.6
        data[0, 0, 0, :, k] -= naa * np.exp(1j * turn)
    return replace(scan.svs, data=data)


def test_edited_data_are_refused_by_dimension(scan: Scan) -> None:
    twofold = np.stack([scan.svs.as_dims("DIM_DYN")[:24], scan.svs.as_dims("DIM_DYN")[24:]])
    with pytest.raises(DataError, match="difference-edited"):
        correct(make_image(twofold, "DIM_EDIT", "DIM_DYN"))


@pytest.mark.parametrize("name", ["MEGA_PRESS_68", "HERMES", "eja_svs_mpress", "svs_edit", "GABA_35"])
def test_edited_data_are_refused_by_name(scan: Scan, name: str) -> None:
    with pytest.raises(DataError, match="difference-edited"):
        correct(replace(scan.svs, header={**scan.svs.header, "ProtocolName": name}))


@pytest.mark.parametrize(
    "condition",
    [
        pytest.param(np.arange(48) % 2, id="in turn"),
        pytest.param(np.arange(48) % 4 < 2, id="four in turn"),
        pytest.param(np.arange(48) // 6 % 2, id="blocks of six"),
        pytest.param(np.arange(48) < 24, id="two blocks"),
        pytest.param(np.arange(48) < 28, id="two blocks, the second cut short"),
    ],
)
def test_edited_data_under_a_plain_name_are_refused_by_content(scan: Scan, condition: np.ndarray) -> None:
    with pytest.raises(DataError, match="difference-edited"):
        correct(without_naa(scan, condition))
    assert correct(without_naa(scan, condition), settings=SpectraSettings(edited="accept")).after.snr is not None


def test_a_pair_of_averaged_conditions_is_refused_by_content(scan: Scan) -> None:
    edited = without_naa(scan, np.arange(48) % 2).as_dims("DIM_DYN")
    turn = np.exp(-1j * (2 * np.pi * np.multiply.outer(scan.frequency, SAMPLING.time) + scan.phase[:, None]))
    pair = (edited * turn).reshape(24, 2, -1).mean(axis=0)
    with pytest.raises(DataError, match="difference-edited"):
        correct(make_image(pair, "DIM_DYN"))


def test_lines_that_broaden_by_half_after_a_movement_are_not_taken_for_editing(scan: Scan) -> None:
    moved = scan.svs.as_dims("DIM_DYN").astype(complex)
    moved[24:] *= 0.8 * np.exp(-np.pi * 2.5 * SAMPLING.time)
    done = correct(make_image(moved, "DIM_DYN"), scan.water)
    assert done.after.snr is not None


def test_metabolite_cycled_data_are_refused_by_dimension_name_and_content(scan: Scan) -> None:
    with pytest.raises(DataError, match="metabolite-cycled"):
        correct(make_image(scan.svs.as_dims("DIM_DYN").reshape(2, 24, -1), "DIM_METCYCLE", "DIM_DYN"))
    with pytest.raises(DataError, match="metabolite-cycled"):
        correct(replace(scan.svs, header={**scan.svs.header, "SequenceName": "mc_semiLASER metcycle"}))
    rng = np.random.default_rng(0)
    sign = np.where(np.arange(32) % 2, -1, 1)[:, None]
    water = 800 * np.exp(-np.pi * 7 * SAMPLING.time)
    cycled = sign * brain(SAMPLING) + water + noise(rng, (32, SAMPLING.points), noise_for(20, SAMPLING))
    with pytest.raises(DataError, match="metabolite-cycled"):
        correct(make_image(cycled, "DIM_DYN"))


def test_a_phase_cycle_that_turns_the_whole_signal_is_no_metabolite_cycle(scan: Scan) -> None:
    sign = np.where(np.arange(48) % 2, -1, 1)
    done = correct(replace(scan.svs, data=scan.svs.data * sign), scan.water)
    assert rms_error(done.mean) < 0.02


def test_other_nuclei_and_imaging_are_refused(scan: Scan) -> None:
    with pytest.raises(DataError, match="proton"):
        correct(replace(scan.svs, header={**scan.svs.header, "ResonantNucleus": ["31P"]}))
    with pytest.raises(DataError, match="imaging"):
        correct(replace(scan.svs, data=np.concatenate([scan.svs.data] * 2)))
