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
        powers = at ** np.arange(1 + reweighted.powers)
        prediction = np.einsum("p,spb->sb", powers, reweighted.counts[:, 0])
        variance = np.einsum("k,skb->sb", at ** np.arange(1 + 2 * reweighted.powers), reweighted.squares)
        return float(np.sum((direct.counts[:, 0, 0] - prediction) ** 2 / (variance + direct.squares[:, 0])))

    bins = direct.counts[:, 0, 0].size
    low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], bins)
    assert low < chi2(kappa) < high
    # The coupling matters here: the Standard Model alone is excluded.
    assert chi2(0.0) > 3 * high
