"""Sets the look of every figure: fonts, colours, frames and the words on the axes."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

from spectrafit.config import Analysis

__all__ = [
    "COLOURS",
    "FONT",
    "SIGNAL",
    "exposure_label",
    "frame",
    "latex",
    "look",
    "mathtext",
    "power_of_ten",
    "tag",
]

# STIX ships with matplotlib, so that a figure is the same on every machine; its digits and symbols match.
FONT = "STIXGeneral"

# Okabe and Ito's palette, in an order whose neighbours differ in lightness too: readable in grey and colour-blind.
COLOURS = {
    "blue": "#0072B2",
    "sky": "#56B4E9",
    "green": "#009E73",
    "orange": "#E69F00",
    "yellow": "#F0E442",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "ink": "#1A1A1A",
    "grey": "#8C8C8C",
    "mist": "#DADADA",
}
SIGNAL = COLOURS["vermilion"]

_PARAMETERS: Any = {
    "font.family": FONT,
    "mathtext.fontset": "stix",
    "font.size": 11.0,
    "axes.titlesize": 11.0,
    "axes.labelsize": 12.0,
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.labelspacing": 0.35,
    "axes.linewidth": 0.8,
    "axes.edgecolor": COLOURS["ink"],
    "axes.xmargin": 0.0,
    "lines.linewidth": 1.4,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.major.size": 5.0,
    "ytick.major.size": 5.0,
    "xtick.minor.size": 2.5,
    "ytick.minor.size": 2.5,
    "hatch.linewidth": 0.6,
    # A fixed salt makes the names inside an SVG, and so the file, the same every time.
    "svg.hashsalt": "spectrafit",
}


@contextmanager
def look() -> Iterator[None]:
    """Draw and save figures in our style within this context; the user's own settings are back afterwards."""
    # matplotlib takes half a second to import: only drawing pays for it.
    import matplotlib as mpl

    with mpl.rc_context(_PARAMETERS):
        yield


def frame(figure: Figure, left: float, bottom: float, width: float, height: float, **options: Any) -> Axes:
    """Return axes of a figure, placed in inches from its lower left corner.

    Places are given, not computed: a layout engine would draw every figure once more for each file it is saved to, and
    to place the labels of axes by themselves costs a fifth of the time to draw them.
    """
    wide, tall = figure.get_size_inches()
    axes: Axes = figure.add_axes((left / wide, bottom / tall, width / wide, height / tall), **options)
    axes.set_title("", y=1.0)
    axes.xaxis.set_label_coords(0.5, -0.31 / height)
    axes.yaxis.set_label_coords(-min(0.53, left - 0.2) / width, 0.5)
    return axes


def tag(figure: Figure, left: str, right: str, *, edges: tuple[float, float] = (0.02, 0.98)) -> None:
    """Write the subject of a figure (left) and its origin (right) along its upper edge, between `edges`.

    Letters get smaller until both fit: at 10.5 points one is about 0.068 inches wide. A subject that is too long even
    then stands in two lines, the second of which ends in an ellipsis if need be.
    """
    height = 1 - 0.19 / figure.get_figheight()
    room = (edges[1] - edges[0]) * figure.get_figwidth()
    beside = len(right.replace(r"\times", "x").translate(_MARKUP)) + 2
    size = 10.5 * min(1.0, max(room / (0.068 * (len(left) + beside)), 0.78))
    letters = max(int(room / (0.068 * size / 10.5)) - beside, 12)
    if len(left) > letters and "$" not in left:
        first, *rest = textwrap.wrap(left, letters, break_long_words=True)
        second = textwrap.shorten(" ".join(rest), letters, placeholder=" …") if rest else ""
        left = "\n".join(line for line in (mathtext(first), mathtext(second)) if line)
    figure.text(
        edges[0], height, left if "\n" in left else mathtext(left), fontsize=size, va="center", linespacing=1.05
    )
    figure.text(edges[1], height, right, fontsize=0.92 * size, va="center", ha="right")


_MARKUP = str.maketrans("", "", "${}^_\\")
_LATEX = {
    "mu_nu": r"\mu_\nu",
    "mu_B": r"\mu_\mathrm{B}",
    "<r^2>": r"\langle r^2\rangle",
    "cm^2": r"\mathrm{cm}^2",
    "q_nu": r"q_\nu",
    "sin^2 theta_W": r"\sin^2\theta_\mathrm{W}",
}


def latex(name: str) -> str:
    """Return the symbol of a coupling or unit, as the inside of mathtext."""
    # A name of a workspace's parameter has underscores, and they are no subscripts.
    plain = name.replace("_", r"\_")
    return _LATEX.get(name, rf"\mathrm{{{plain}}}" if name else "")


_WORDS = {
    "theta": r"\theta",
    "nu_e": r"\nu_e",
    "nu_mu": r"\nu_\mu",
    "nu_tau": r"\nu_\tau",
    "anti-nu_e": r"\bar\nu_e",
    "anti-nu_mu": r"\bar\nu_\mu",
    "anti-nu_tau": r"\bar\nu_\tau",
    "pi0": r"\pi^0",
}
_WORD = re.compile(
    r"(?<![A-Za-z_\\$])("
    + "|".join(re.escape(word) for word in sorted(_WORDS, key=len, reverse=True))
    + r")(?![A-Za-z_])(\^\d)?"
)
_POWER = re.compile(r"(?<=[A-Za-z])\^(-?\d+)")


def mathtext(text: str) -> str:
    """Return a label written in plain words (`T theta^2 [GeV rad^2]`, `nu_mu e`) with its symbols as mathtext.

    Text that holds a `$` already is left alone.
    """
    if "$" in text:
        return text
    symbols = _WORD.sub(lambda found: f"${_WORDS[found[1]]}{found[2] or ''}$", text)
    pieces = symbols.split("$")
    pieces[::2] = [_POWER.sub(r"$^{\1}$", piece) for piece in pieces[::2]]
    return "$".join(pieces)


def exposure_label(analysis: Analysis) -> str:
    """Return the exposure of an analysis with its unit; those of several sets as a sum, if the unit is the same."""
    found = list(analysis.exposures.values())
    units = list(dict.fromkeys(unit for _, unit in found))
    if len(units) == 1:
        return " + ".join(f"${power_of_ten(value)}$" for value, _ in found) + f" {units[0]}"
    return ", ".join(f"${power_of_ten(value)}$ {unit}" for value, unit in found)


def power_of_ten(value: float, digits: int = 2) -> str:
    """Return a number as mathtext, `1.58 x 10^{-9}`; plain where no power of ten is needed."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    exponent = math.floor(math.log10(abs(value)))
    if -3 < exponent < 4:
        return f"{value:.{digits + 1}g}"
    mantissa = f"{value / 10.0**exponent:.{digits}f}"
    return rf"10^{{{exponent}}}" if mantissa == "1" else rf"{mantissa}\times 10^{{{exponent}}}"
