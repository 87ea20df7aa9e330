"""Names of branches as they are in the wild, and what each is taken for."""

import numpy as np
import pytest

from spectrafit.start.axes import edges, region
from spectrafit.start.guessing import guess, is_score, is_weights, match_key
from spectrafit.start.units import angle_unit, by_truth, energy_unit, settle
from tests.events.ntuples import M_E, truth


@pytest.mark.parametrize(
    ("branch", "kind", "reco", "unit"),
    [
        ("mc_enu", "e_nu", False, ""),
        ("Enu", "e_nu", None, ""),
        ("nuE", "e_nu", None, ""),
        ("nu_energy_MeV", "e_nu", None, "MeV"),
        ("rec.mc.nu.E", "e_nu", False, ""),
        ("mc_E", "energy", False, ""),
        ("el_E", "energy", None, ""),
        ("electronEnergyTrue", "energy", False, ""),
        ("recoKE", "t", True, ""),
        ("shw_T", "t", True, ""),
        ("T_MeV", "t", None, "MeV"),
        ("theta_deg", "theta", None, "deg"),
        ("cosTheta", "cos", None, ""),
        ("mc_cos_theta", "cos", False, ""),
        ("reco/angle_mrad", "theta", True, "mrad"),
        ("evtwgt", "weight", None, ""),
        ("nu_pdg", "pdg", None, ""),
        ("Ereco", "energy", True, ""),
        ("ereco_MeV", "energy", True, "MeV"),
        ("thetaTrue", "theta", False, ""),
        ("showerEnergyBest", "energy", True, ""),
        ("bestAngle", "theta", None, ""),
    ],
)
def test_a_name_says_what_a_branch_holds(branch, kind, reco, unit):
    said = guess(branch)
    assert said is not None
    assert (said.kind, said.reco, said.unit) == (kind, reco, unit)


@pytest.mark.parametrize("branch", ["run", "vtx_x", "nhits", "time", "is_contained", "bdt"])
def test_other_names_say_nothing(branch):
    assert guess(branch) is None


def test_scores_weights_and_keys_are_known_by_name():
    assert is_score("nue_bdt")
    assert is_score("cvnScore")
    assert not is_score("nu_energy")
    assert is_weights("ppfx_univ")
    assert not is_weights("hits")
    assert match_key(["run", "evt", "x"], ["evt", "w"]) == "evt"
    assert match_key(["x"], ["y"]) == ""


@pytest.mark.parametrize("angle", ["rad", "mrad", "deg", "cos"])
@pytest.mark.parametrize("total", [False, True])
def test_the_kinematics_settles_units_and_total_energy(angle, total):
    events = truth(400)
    scale = {"rad": 1.0, "mrad": 1e3, "deg": 180 / np.pi}
    theta = np.cos(events["theta"]) if angle == "cos" else events["theta"] * scale[angle]
    energy = (events["t"] + total * M_E) * 1e3
    found = settle(events["e_nu"], energy, theta, total=None, cosine=angle == "cos")
    assert found.units == ("GeV", "MeV", angle)
    assert found.total == total
    assert found.share > 0.95


def test_without_an_angle_the_end_point_is_compared():
    events = truth(300)
    found = settle(events["e_nu"] * 1e3, events["t"] * 1e3, None, total=False)
    assert (found.units[:2], found.angle, found.share) == (("MeV", "MeV"), False, 1.0)
    assert settle(events["e_nu"], 2 * events["e_nu"], None).share == 0.0


def test_reconstructed_values_have_the_unit_nearest_to_the_truth():
    rng = np.random.default_rng(1)
    events = truth(500)
    assert by_truth(1e3 * events["t"] * rng.normal(1, 0.1, 500), events["t"], "t_reco") == "MeV"
    assert by_truth(57.3 * events["theta"] * rng.normal(1, 0.1, 500), events["theta"], "theta_reco") == "deg"
    assert (energy_unit(np.array([200.0, 900.0])), energy_unit(np.array([0.4, 3.0]))) == ("MeV", "GeV")
    assert by_truth(np.full(3, np.nan), np.ones(3), "t_reco") == "GeV"
    sizes = [np.array([0.1, 2.0, np.nan]), np.array([-999.0, 5.0, 90.0]), np.array([20.0, 900.0]), np.zeros(0)]
    assert [angle_unit(values) for values in sizes] == ["rad", "deg", "mrad", "rad"]


def test_bins_are_few_round_and_filled():
    rng = np.random.default_rng(2)
    t, angle = rng.exponential(1.0, 4000), rng.exponential(0.001, 4000)
    found = region([t], [angle], smeared=False)
    assert list(found) == ["t_reco", "t_theta2_reco"]
    assert np.histogram2d(t, angle, list(found.values()))[0].min() >= 20
    for cut in found.values():
        assert list(cut) == sorted(set(cut))
        assert all(float(f"{edge:.1e}") == edge for edge in cut)
    assert len(region([t[:200]], [angle[:200]], smeared=False)["t_reco"]) < len(found["t_reco"])
    assert region([t], [], smeared=False).keys() == {"t_reco"}
    assert region([], [], smeared=True) == {}
    assert edges(np.array([np.nan, 1.0]), 3, low=0.0, high=1.0) == ()
