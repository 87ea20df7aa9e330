"""Words and numbers of labels; colours a colour-blind reader can tell apart."""

import itertools

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.figures import style


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1.58e-9, 2, r"1.58\times 10^{-9}"),
        (1e-18, 0, "10^{-18}"),
        (3.62e20, 2, r"3.62\times 10^{20}"),
        (0.25, 2, "0.25"),
        (0.0, 2, "0"),
        (-2e-5, 1, r"-2.0\times 10^{-5}"),
    ],
)
def test_powers_of_ten(value, digits, text):
    assert style.power_of_ten(value, digits) == text


@pytest.mark.parametrize(
    ("plain", "text"),
    [
        ("nu_mu e", r"$\nu_\mu$ e"),
        ("anti-nu_e e", r"$\bar\nu_e$ e"),
        ("NC pi0", r"NC $\pi^0$"),
        ("GeV rad^2", r"GeV rad$^{2}$"),
        (r"$T_e$ [GeV]", r"$T_e$ [GeV]"),
        ("nu_mu_norm", "nu_mu_norm"),
    ],
)
def test_symbols_in_labels(plain, text):
    assert style.mathtext(plain) == text


@pytest.mark.parametrize("coupling", COUPLINGS.values(), ids=list(COUPLINGS))
def test_every_coupling_has_a_symbol_matplotlib_can_set(coupling):
    from matplotlib.mathtext import MathTextParser

    for name in (coupling.symbol, coupling.unit):
        if name:
            MathTextParser("agg").parse(f"${style.latex(name)}$")
    assert not style.latex(coupling.symbol).startswith(r"\mathrm")


def test_the_look_ends_with_its_context():
    before = mpl.rcParams["font.family"]
    with style.look():
        assert mpl.rcParams["font.family"] == [style.FONT]
    assert mpl.rcParams["font.family"] == before


# Viénot, Brettel and Mollon (1999): linear RGB as a dichromat sees it.
DICHROMATS = {
    "protan": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
    "deutan": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
}


@pytest.mark.parametrize("matrix", DICHROMATS.values(), ids=DICHROMATS.keys())
def test_first_components_and_signal_differ_for_a_dichromat(matrix):
    colours = [*style.components(["signal", "signal", "background", "background"]), style.SIGNAL]
    seen = [np.asarray(matrix) @ np.asarray(to_rgb(colour)) ** 2.2 for colour in colours]
    for a, b in itertools.combinations(seen, 2):
        assert np.abs(np.clip(a, 0, 1) ** (1 / 2.2) - np.clip(b, 0, 1) ** (1 / 2.2)).max() > 0.12


def test_more_samples_than_colours_start_again():
    assert len(style.components(["background"] * 20)) == 20
