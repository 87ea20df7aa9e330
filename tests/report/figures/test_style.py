"""Words and numbers of labels, and the line above the frame."""

import matplotlib as mpl
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

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


def _written(left, right="3.62e20 POT, Asimov", width=6.0):
    figure = Figure(figsize=(width, 5.0))
    style.tag(figure, left, right)
    return figure.texts, FigureCanvasAgg(figure).get_renderer()


@pytest.mark.parametrize("length", [20, 70, 95, 160, 400])
def test_a_subject_never_runs_into_the_origin(length):
    words = ("magnetic moments of neutrinos in a near detector " * 10)[:length].strip()
    with style.look():
        (subject, origin), renderer = _written(words)
        boxes = [text.get_window_extent(renderer) for text in (subject, origin)]
    assert boxes[0].x1 < boxes[1].x0
    assert boxes[0].height < 0.34 * renderer.dpi
    shown = subject.get_text().replace("\n", " ")
    assert shown == words or (shown.endswith(" …") and words.startswith(shown[:-2]))
