"""Draws results side by side: their limits with what was expected, and their profiles over each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from spectrafit.errors import ConfigError
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.figures.likelihood import kappa_label
from spectrafit.report.figures.style import COLOURS, frame, latex, power_of_ten, tag

__all__ = ["comparison"]

_SHADES = ("blue", "vermilion", "green", "purple", "orange", "sky", "ink")
_DASHES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))


def comparison(names: Sequence[str], results: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw two or more results: on the left the limits, each above its expected bands, on the right 2NLL along kappa.

    Parameters
    ----------
    names : sequence of str
    results : sequence of mapping
        The contents of their `result.json`.

    Raises
    ------
    ConfigError
        They are of different couplings: their limits have no axis in common.
    """
    kinds = {result["coupling"]["name"] for result in results}
    if len(kinds) > 1:
        raise ConfigError(
            f"compare: results of {' and '.join(sorted(kinds))} have no axis in common; leave out the figure"
        )
    coupling = COUPLINGS[kinds.pop()]
    count = len(results)
    tall = max(1.3 + 0.55 * count, 3.0)
    figure = Figure(figsize=(9.4, tall + 1.15))
    left, right = frame(figure, 1.75, 0.62, 3.1, tall), frame(figure, 5.75, 0.62, 3.45, tall)
    limits = [result["limit"] for result in results]
    values = [limit["value"] for limit in limits if limit["value"] is not None]
    values += [value for limit in limits if limit["expected"] for value in limit["expected"]["values"] if value]
    power = math.floor(math.log10(max(map(abs, values)))) if values and max(map(abs, values)) > 0 else 0
    scale = 10.0**power if not -3 < power < 4 else 1.0
    places = np.arange(count)[::-1]
    shades = [COLOURS[_SHADES[at % len(_SHADES)]] for at in range(count)]
    for place, shade, limit in zip(places, shades, limits, strict=True):
        if limit["expected"] is not None and None not in limit["expected"]["values"]:
            low2, low1, middle, high1, high2 = (value / scale for value in limit["expected"]["values"])
            for low, high, colour, alpha in ((low2, high2, "yellow", 0.75), (low1, high1, "green", 0.6)):
                left.add_patch(
                    Rectangle((low, place - 0.28), high - low, 0.56, color=COLOURS[colour], alpha=alpha, lw=0)
                )
            left.plot([middle, middle], [place - 0.28, place + 0.28], color=COLOURS["ink"], lw=1.2, ls=(0, (3, 2)))
        if limit["value"] is not None:
            left.plot(limit["value"] / scale, place, "o", color=shade, ms=7, mec="white", mew=0.8)
            words = "empty" if limit["empty"] else f"{limit['value'] / scale:.3g}"
            left.text(limit["value"] / scale, place + 0.33, words, ha="center", va="bottom", fontsize=9.5, color=shade)
    left.set_yticks(places, [name if len(name) <= 22 else f"{name[:20]}..." for name in names])
    left.tick_params(axis="y", which="both", length=0)
    left.set_ylim(-0.6, count - 0.3)
    reach = max((abs(value) for value in values), default=1.0) / scale
    least = min((value for value in values), default=0.0) / scale
    left.set_xlim(min(0.0, 1.1 * least), 1.08 * reach)
    unit = r"\;".join(part for part in (power_of_ten(scale, 0) if scale != 1.0 else "", latex(coupling.unit)) if part)
    left.set_xlabel(rf"upper limit on ${latex(coupling.symbol)}$" + (rf" $[{unit}]$" if unit else ""))
    ends = []
    for at, (name, shade, result) in enumerate(zip(names, shades, results, strict=True)):
        curve = result["profile"]
        rise = np.array([np.nan if value is None else value for value in curve["delta_2nll"]])
        right.plot(curve["kappa"], rise, color=shade, ls=_DASHES[at % len(_DASHES)], lw=1.6, label=name)
        limit = result["limit"]
        if limit["kappa"] is not None:
            ends.append(float(np.interp(limit["kappa"], curve["kappa"], rise)))
            right.plot(limit["kappa"], ends[-1], "o", color=shade, ms=6, mec="white", mew=0.8)
    low = max(min(result["profile"]["kappa"][0] for result in results), -1e300)
    high = max(result["profile"]["kappa"][-1] for result in results)
    right.set_xlim(low, high)
    if coupling.lower is not None and low < coupling.lower:
        right.axvspan(low, coupling.lower, color="#EFEFEF", lw=0, zorder=0)
        right.text(0.03, 0.03, "not physical", transform=right.transAxes, fontsize=9.5, color="#5A5A5A")
    right.set_ylim(0.0, max(1.9 * max(ends, default=3.0), 4.5))
    right.set_xlabel(kappa_label(coupling))
    right.set_ylabel(r"$-2\,\Delta\ln L$")
    right.minorticks_on()
    left.minorticks_on()
    left.tick_params(axis="y", which="minor", left=False, right=False)
    right.legend(loc="upper center", ncols=1 if max(map(len, names)) > 16 else 2)
    levels = sorted({100 * limit["level"] for limit in limits})
    methods = sorted({limit["method"] for limit in limits})
    how = f"{' and '.join(f'{level:g}' for level in levels)} % CL, {' and '.join(methods)}"
    words = "bands: 68 % and 95 % expected; dashes: their median; points: limits"
    tag(figure, words, how, edges=(0.1 / 9.4, 9.2 / 9.4))
    return figure
