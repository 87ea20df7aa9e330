"""What holds for every function that events flow through: shapes in and out, no warnings, nonsense gives NaN."""

import inspect
import pickle

import awkward as ak
import numpy as np
import pytest

from spectrafit import physics as ph

# Arguments by name: numbers inside the domain.
INSIDE = {
    "pdg": 14, "e_nu": 2.0, "t": 0.7, "theta": 0.02, "t_theta2": 4e-4, "mu": 1e-9, "sin2_theta_w": 0.23863,
    "sin2_theta_w_mz": 0.23129, "gv": 0.1, "ga": -0.4, "t1": 0.3, "t2": 0.9, "u": 0.3, "t_threshold": 0.1, "q": 1e-9,
    "r2": 1e-32, "upper": True, "z": 2.0, "n": 2.0, "a": 4.0, "mass": 3.7, "charge": 2.1, "q2": 1e-3, "e_nr": 1e-6,
    "e_ee": 1e-7, "k": 0.15, "rho": 1e6, "y_e": 0.5, "n_e": 1e25, "m_i": 0.1, "m_j": 0.05, "omega": 1e4,
    "coupling2": 0.93, "virtuality": 1e8, "field": 10.0, "length": 1e7, "dm2": 7.5e-5, "cos2_theta": 0.4,
    "potential": 1e-12, "gradient": 1e-20, "distance_m": 20.0, "protons": 1e20, "activity_bq": 1e15, "power_gw": 3.0,
    "gvp": 0.03,
}  # fmt: skip
FUNCTIONS = sorted(
    name
    for module in (ph, )
    for name in dir(module)
    if inspect.isfunction(getattr(module, name))
    and name != "reactor_spectrum"  # defined from 2 to 8 MeV only
    and {p.name for p in inspect.signature(getattr(module, name)).parameters.values() if p.default is p.empty}
    <= set(INSIDE)
    and any(p.default is p.empty for p in inspect.signature(getattr(module, name)).parameters.values())
)  # fmt: skip
CROSS_SECTIONS = [name for name in FUNCTIONS if name.startswith("dsigma_")]


def arguments(name):
    parameters = inspect.signature(getattr(ph, name)).parameters.values()
    return {p.name: INSIDE[p.name] for p in parameters if p.default is p.empty}


def test_the_list_is_not_empty():
    assert len(FUNCTIONS) > 40
    assert {"dsigma_dt_sm", "theta", "t_from_cumulative", "dsigma_dt_bks", "dsigma_dt_charge_radius"} <= set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_scalars_arrays_and_jagged_arrays(name):
    function, given = getattr(ph, name), arguments(name)
    scalar = function(*given.values())
    if name == "effective":
        scalar, function = scalar[0], lambda *a: ph.effective(*a)[0]
    assert np.ndim(scalar) == 0
    assert np.isfinite(scalar)
    grid = [np.full((3, 1), value) for value in given.values()]
    assert np.shape(function(*grid)) == (3, 1)
    assert (function(*grid) == scalar).all()
    first = next(iter(given))
    jagged = ak.Array([[given[first], given[first]], [], [given[first]]])
    found = function(jagged, *list(given.values())[1:])
    assert ak.num(found).to_list() == [2, 0, 1]
    assert ak.all(found == scalar)
    assert pickle.loads(pickle.dumps(getattr(ph, name))) is getattr(ph, name)


@pytest.mark.parametrize("name", CROSS_SECTIONS)
def test_nothing_scatters_outside_the_domain_and_nothing_warns(name):
    given = arguments(name)
    variable = next(v for v in ("t", "theta", "t_theta2") if v in given)
    inside, above = given[variable], {"t": 2.1, "theta": 3.0, "t_theta2": 2e-3}[variable]
    values = np.array([above, inside, 2 * above if variable != "theta" else np.pi, above] * 9)
    if variable == "t":
        values[2::4] = 0.0
        values[3::4] = -1.0
    found = getattr(ph, name)(*(values if key == variable else value for key, value in given.items()))
    expected = np.tile([False, True, False, False], 9)
    assert ((found > 0) == expected).all()
    assert (found[~expected] == 0.0).all()


@pytest.mark.parametrize("name", CROSS_SECTIONS)
def test_no_energy_no_cross_section_and_nonsense_is_nan(name):
    given = arguments(name)
    if "e_nu" in given:
        for nonsense in (-1.0, np.nan, np.inf):
            assert np.isnan(getattr(ph, name)(*{**given, "e_nu": nonsense}.values()))
        energies = np.array([0.0, -1.0, np.inf, 2.0] * 9)
        found = getattr(ph, name)(*{**given, "e_nu": energies}.values())
        assert (found[0::4] == 0.0).all()
        assert np.isnan(found[1::4]).all()
        assert np.isnan(found[2::4]).all()
        assert (found[3::4] > 0.0).all()
    if "pdg" in given:
        for nonsense in (0, 11, 13, 15, -13, 22):
            assert np.isnan(getattr(ph, name)(*{**given, "pdg": nonsense}.values()))
    for key in set(given) - {"pdg"}:
        assert np.isnan(getattr(ph, name)(*{**given, key: np.nan}.values()))


KINEMATICS = ["t_max", "e_nu_min", "q2", "theta", "cos_theta", "t_of_theta", "t_tan2_theta", "t_theta2", "dt_theta2_dt"]
NUCLEAR = ["t_max_nucleus", "e_nu_min_nucleus", "q2_nucleus", "lindhard_quenching", "lindhard_slope"]


@pytest.mark.parametrize("name", [*KINEMATICS, *NUCLEAR, "t_theta2_small_angle", "t_at_max_t_theta2", "max_t_theta2"])
def test_kinematics_outside_the_domain_is_nan_without_a_warning(name):
    given = arguments(name)
    for key in given:
        values = np.array([given[key], -1.0, np.inf] * 9)
        found = getattr(ph, name)(*{**given, key: values}.values())
        assert np.isfinite(found[0::3]).all()
        assert np.isnan(found[1::3]).all()
        assert np.isnan(found[2::3]).all()
    assert np.isnan(ph.theta(1.0, 1.1))
    assert ph.theta(1.0, 0.0) == np.pi / 2
    assert ph.cos_theta(1.0, 0.0) == 0.0


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'dsigma'"):
        _ = ph.dsigma
