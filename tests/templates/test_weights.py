"""The weights of a sample as an analysis asks for them, for one coupling and for several."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from spectrafit import physics as ph
from spectrafit.config import Analysis, load
from spectrafit.errors import ConfigError
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.templates.weights import Weigher, monomials_of

SAMPLES = """
sin2_theta_w = 0.2315

[[samples]]
name = "numu"
role = "signal"
files = "numu.root"

[[samples]]
name = "other"
role = "background"
files = "other.root"
"""
FIT = """
samples = "set.toml"
pot = 1e20
{top}
[[regions]]
name = "nd"
axes = [{{ observable = "t_reco", edges = [0.3, 0.6] }}]
{tables}
"""


class Stored:
    """Columns in memory, read as the weigher reads a chunk's."""

    def __init__(self, size: int = 500) -> None:
        rng = np.random.default_rng(4)
        e_nu = rng.uniform(0.5, 10.0, size)
        self.columns = {
            "pdg": rng.choice([12, -12, 14, -14], size),
            "e_nu": e_nu,
            "t": e_nu * rng.uniform(0, 0.9, size),
        }

    def stored(self, name: str) -> np.ndarray:
        return self.columns[name]


@pytest.fixture
def analysis(tmp_path: Path):
    def analysis(tables: str = "", top: str = "") -> Analysis:
        (tmp_path / "set.toml").write_text(SAMPLES)
        (tmp_path / "fit.toml").write_text(FIT.format(tables=tables, top=top))
        return load(tmp_path / "fit.toml")

    return analysis


def rows(analysis: Analysis, columns: Stored) -> np.ndarray:
    (sample_set,) = analysis.sample_sets
    return Weigher.of(analysis, sample_set, sample_set.samples[0])(columns, columns.columns["t"].size)


def table(name: str, more: str = "") -> str:
    return f'[[couplings]]\nname = "{name}"\n{more}\n'


@pytest.mark.parametrize(
    ("tables", "parameters"),
    [
        (
            table("magnetic_moment") + table("magnetic_moment", 'carriers = ["nue", "nuebar"]'),
            {"kappa": "magnetic_moment", "kappa_nue": "magnetic_moment"},
        ),
        (
            table("charge_radius") + table("weak_mixing_angle", 'parameter = "angle"'),
            {"kappa": "charge_radius", "angle": "weak_mixing_angle"},
        ),
        (
            table("magnetic_moment") + table("charge_radius"),
            {"kappa": "magnetic_moment", "kappa_charge_radius": "charge_radius"},
        ),
    ],
    ids=["moments of nu_mu and nu_e", "charge radius and weak mixing angle", "moment and charge radius"],
)
def test_the_weights_of_two_couplings_are_ratios_of_cross_sections(analysis, tables, parameters) -> None:
    loaded, columns, point = analysis(tables), Stored(), (2.5, -1.5 if "charge_radius" in tables else 1.5)
    monomials = monomials_of(loaded)
    assert monomials.parameters == tuple(parameters)
    found = rows(loaded, columns)
    assert found.shape == (len(monomials), 500)
    pdg, e_nu, t = columns.columns.values()
    muon, gv, mu2 = np.abs(pdg) == 14, ph.g_v(pdg, 0.2315), np.zeros(500)
    if "weak_mixing_angle" in tables:
        gv = ph.g_v(pdg, ph.SIN2_THETA_W + 0.01 * point[1])
    for (parameter, name), kappa in zip(parameters.items(), point, strict=True):
        if name == "charge_radius":
            gv = gv + muon * ph.delta_gv_charge_radius(1e-32 * kappa)
        elif name == "magnetic_moment":
            mu2 = mu2 + kappa * 1e-18 * (~muon if parameter == "kappa_nue" else muon)
    wanted = ph.dsigma_dt(gv, ph.g_a(pdg), e_nu, t) + ph.dsigma_dt_magnetic(e_nu, t, np.sqrt(mu2))
    factors = [np.prod(np.power(point, exponents)) for exponents in monomials.exponents]
    np.testing.assert_allclose(factors @ found, wanted / ph.dsigma_dt_sm(pdg, e_nu, t, 0.2315), rtol=1e-11)


@pytest.mark.parametrize("name", sorted(COUPLINGS))
def test_one_coupling_has_a_row_per_power(analysis, name) -> None:
    columns = Stored()
    found = rows(analysis(top=f'coupling = "{name}"'), columns)
    pdg, e_nu, t = columns.columns.values()
    np.testing.assert_array_equal(found, ph.weigh(COUPLINGS[name], pdg, e_nu, t, sin2_theta_w_generated=0.2315))
    assert len(found) == len(monomials_of(analysis(top=f'coupling = "{name}"'))) == 1 + COUPLINGS[name].powers


def test_a_background_is_the_same_at_every_kappa(analysis) -> None:
    loaded = analysis(table("charge_radius") + table("weak_mixing_angle"))
    (sample_set,) = loaded.sample_sets
    assert (Weigher.of(loaded, sample_set, sample_set.samples[1])(Stored(), 7) == np.ones((1, 7))).all()


def test_an_angle_that_cannot_be_is_refused(analysis) -> None:
    impossible = msgspec.structs.replace(analysis(), sin2_theta_w=1.0)
    with pytest.raises(ConfigError, match=r"fit\.toml: .*sin2_theta_w: 1\.0; needed a number between 0 and 1"):
        rows(impossible, Stored())
