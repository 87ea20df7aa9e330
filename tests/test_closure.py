"""The whole chain against itself: events made with a coupling are the Standard Model's templates at that kappa."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import spectrafit as sf
from spectrafit.physics.couplings import COUPLINGS

SET = """
[flux]
numu = "{flux}/FHC_numu.dat"
numubar = "{flux}/FHC_numubar.dat"

[detector]
electrons = 1.74e31
origin = "test"

[response]
energy_stochastic = 0.07
energy_constant = 0.03
angle_constant = 0.004
angle_stochastic = 0.009
efficiency = 0.5

[[samples]]
name = "numu"
role = "signal"
files = "numu.root"
generate = {{ flavour = "numu", events = 150_000, t_min = 0.1{extra} }}

[[samples]]
name = "numubar"
role = "signal"
files = "numubar.root"
generate = {{ flavour = "numubar", events = 150_000, t_min = 0.1{extra} }}
"""
FIT = """
samples = "set.toml"
pot = 1e24
coupling = "{coupling}"

[[regions]]
name = "nd"
cut = "t > 0.1"
axes = [
    {{ observable = "t_reco", edges = [0.2, 0.3, 0.5, 0.8, 1.2, 2.0, 4.0] }},
    {{ observable = "t_theta2_reco", edges = [0.0, 0.0005, 0.001, 0.002, 0.004] }},
]
"""


def templates(folder: Path, coupling: str, extra: str = "") -> sf.Templates:
    folder.mkdir()
    flux = Path("samples/flux/nova_2017").resolve()
    (folder / "set.toml").write_text(SET.format(flux=flux, extra=extra))
    (folder / "fit.toml").write_text(FIT.format(coupling=coupling))
    sf.generate(sf.load_samples(folder / "set.toml"), seed=7 if extra else 8)
    return sf.build(sf.load(folder / "fit.toml"), executor="serial")


def values() -> Iterator[tuple[str, float]]:
    """A kappa of every coupling that the events below can see: a shift of g_V by 0.19 at 1 GeV, up and down."""
    for name, coupling in COUPLINGS.items():
        if coupling.family == "dipole":
            yield name, 3.0
        else:
            size = 0.19 / (coupling.constant + coupling.inverse_t)
            yield from ((name, size), (name, -size))


@pytest.mark.parametrize(("coupling", "kappa"), list(values()))
def test_events_made_with_a_coupling_equal_the_templates_at_its_kappa(tmp_path, coupling: str, kappa: float) -> None:
    direct = templates(tmp_path / "direct", coupling, f', coupling = "{coupling}", kappa = {kappa}')
    reweighted = templates(tmp_path / "reweighted", coupling)

    def chi2(at: float) -> float:
        powers = at ** np.arange(1 + (len(reweighted.monomials) - 1))
        prediction = np.einsum("p,spb->sb", powers, reweighted.counts[:, 0])
        variance = np.einsum("k,skb->sb", at ** np.arange(1 + 2 * (len(reweighted.monomials) - 1)), reweighted.squares)
        return float(np.sum((direct.counts[:, 0, 0] - prediction) ** 2 / (variance + direct.squares[:, 0])))

    bins = direct.counts[:, 0, 0].size
    low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], bins)
    assert low < chi2(kappa) < high
    # The coupling matters here: the Standard Model alone is excluded.
    assert chi2(0.0) > 3 * high


# --- two couplings at once --------------------------------------------------------------------------------------------

COUPLINGS_TOML = {
    # Two kappas with disjoint carriers: each generated sample has its own.
    "two_moments": (
        '[[couplings]]\nname = "magnetic_moment"\ncarriers = ["numu"]\n'
        '[[couplings]]\nname = "magnetic_moment"\ncarriers = ["numubar"]\n',
        {"numu": {"magnetic_moment": 3.0}, "numubar": {"magnetic_moment": 2.0}},
        {"kappa": 3.0, "kappa_numubar": 2.0},
    ),
    # Both shift g_V of the same flavours: their product is a monomial.
    "radius_and_angle": (
        '[[couplings]]\nname = "charge_radius"\n[[couplings]]\nname = "weak_mixing_angle"\n',
        {key: {"charge_radius": 6.0, "weak_mixing_angle": 5.0} for key in ("numu", "numubar")},
        {"kappa": 6.0, "kappa_weak_mixing_angle": 5.0},
    ),
    # Added and interfering: no product, but both move the variance.
    "moment_and_radius": (
        '[[couplings]]\nname = "magnetic_moment"\n[[couplings]]\nname = "charge_radius"\n',
        {key: {"magnetic_moment": 2.0, "charge_radius": -6.0} for key in ("numu", "numubar")},
        {"kappa": 2.0, "kappa_charge_radius": -6.0},
    ),
    "millicharge_and_radius": (
        '[[couplings]]\nname = "millicharge"\n[[couplings]]\nname = "charge_radius"\n',
        {key: {"millicharge": -4.0, "charge_radius": 5.0} for key in ("numu", "numubar")},
        {"kappa": -4.0, "kappa_charge_radius": 5.0},
    ),
}


@pytest.mark.parametrize("case", COUPLINGS_TOML)
def test_events_made_with_two_couplings_equal_the_templates_at_their_kappas(tmp_path, case: str) -> None:
    tables, recipes, kappas = COUPLINGS_TOML[case]

    def filled(folder: Path, made: dict[str, dict[str, float]]) -> sf.Templates:
        folder.mkdir()
        text = SET.format(flux=Path("samples/flux/nova_2017").resolve(), extra="")
        for flavour, values in made.items():
            said = ", ".join(f"{name} = {value}" for name, value in values.items())
            recipe = f'flavour = "{flavour}", events = 150_000, t_min = 0.1'
            assert recipe in text
            text = text.replace(recipe, f"{recipe}, couplings = {{ {said} }}")
        (folder / "set.toml").write_text(text)
        (folder / "fit.toml").write_text(
            FIT.replace('coupling = "{coupling}"\n', "").replace("{{", "{").replace("}}", "}") + tables
        )
        sf.generate(sf.load_samples(folder / "set.toml"), seed=11 if made else 12)
        return sf.build(sf.load(folder / "fit.toml"), executor="serial")

    direct, reweighted = filled(tmp_path / "direct", recipes), filled(tmp_path / "reweighted", {})
    monomials = reweighted.monomials
    assert set(monomials.parameters) == set(kappas)

    def chi2(values: dict[str, float]) -> float:
        at = np.array([values[name] for name in monomials.parameters])
        sizes = [np.prod(at ** np.array(powers)) for powers in monomials.exponents]
        prediction = np.einsum("m,smb->sb", sizes, reweighted.counts[:, 0])
        variance = np.einsum(
            "q,sqb->sb", [np.prod(at ** np.array(powers)) for powers in monomials.products], reweighted.squares
        )
        return float(np.sum((direct.counts[:, 0, 0] - prediction) ** 2 / (variance + direct.squares[:, 0])))

    low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], direct.counts[:, 0, 0].size)
    assert low < chi2(kappas) < high
    # Each coupling matters here: with any of them off, the events are excluded.
    for name in kappas:
        assert chi2({**kappas, name: 0.0}) > 1.5 * high
