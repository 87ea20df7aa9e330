"""Draws and saves expected limits over one or two keys, or of several analyses."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.saved_tables import save_study
from spectrafit.templates.observables import OBSERVABLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from spectrafit.inference.studies.expected import Expected

__all__ = ["draw_scan", "limit_unit", "write_scan"]

# Names of keys as a figure says them; others are said as they are.
_WORDS = {
    "pot": "exposure [POT]",
    "exposure": "exposure, multiple of the analysis",
    "priors": "prior widths, multiple of the analysis",
    "simulated": "simulation, multiple of the analysis",
}
# So few values along an axis of a map are named, each one.
_MARKED = 6
_DASHES = ("solid", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))


def write_scan(path: str | os.PathLike[str], found: Expected, *, title: str = "") -> Path:
    """Write a scan as CSV, JSON or figure, as the suffix of the file says, and return the file.

    Raises
    ------
    ConfigError, DataError
        As `spectrafit.report.saved_tables.save_study`.
    """
    return save_study(
        Path(path), rows=found.rows, summary=found.summary, draw=lambda target: draw_scan(target, found, title=title)
    )


def draw_scan(path: str | os.PathLike[str], found: Expected, *, title: str = "") -> Path:
    """Draw a scan: a curve with its bands, curves of several analyses, colours with contours over two keys.

    Parameters
    ----------
    path : file to write; its suffix says the format.
    found : what `sf.scan` or `sf.sensitivity` found.
    title : name of the analysis, above the frame.

    Raises
    ------
    ConfigError, DataError
        As `spectrafit.report.figures.saving.save`.
    """
    # matplotlib takes half a second to import: only drawing pays for it.
    from matplotlib.figure import Figure

    from spectrafit.report.figures.saving import save
    from spectrafit.report.figures.style import look, tag

    first = found.first
    with look():
        if len(found.keys) == 2:
            figure = Figure(figsize=(6.6, 4.6))
            ends = _plane(figure, found)
        elif found.keys:
            figure = Figure(figsize=(6.2, 4.4))
            ends = _curves(figure, found)
        else:
            figure = Figure(figsize=(6.2, 1.5 + 0.42 * len(found.variants)))
            ends = _side_by_side(figure, found)
        tag(figure, title, f"{100 * first.level:g} % CL, {first.sides}-sided, {first.method}", edges=ends)
        save(figure, Path(path))
    return Path(path)


def limit_unit(values: Floats, coupling: str, unit: str) -> tuple[float, str]:
    """Return the power of ten for an axis of limits, and its label.

    Parameters
    ----------
    values : array
        The limits, in the reported unit; those that are not finite do not count.
    coupling : str
        Key of `physics.couplings.COUPLINGS`, or "".
    unit : str
    """
    from spectrafit.report.figures.style import latex, power_of_ten

    size = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    power = math.floor(math.log10(size)) if size > 0 else 0
    scale = 10.0**power if not -3 < power < 4 else 1.0
    name = latex(COUPLINGS[coupling].symbol) if coupling else r"\kappa"
    parts = [power_of_ten(scale, 0) if scale != 1.0 else "", latex(unit)]
    said = r"\;".join(part for part in parts if part)
    return scale, rf"upper limit on ${name}$" + (rf" $[{said}]$" if said else "")


def _unit(found: Expected) -> tuple[float, str]:
    scale, label = limit_unit(found.quantiles[..., 2], found.coupling, found.first.unit)
    return scale, f"{'expected' if found.first.fake is None else 'FAKE DATA:'} {label}"


def _logarithmic(values: tuple[float, ...]) -> bool:
    """Whether values lie in equal ratios rather than in equal steps."""
    if len(values) < 3 or min(values) <= 0:
        return False
    steps, ratios = np.diff(np.sort(values)), np.diff(np.log(np.sort(values)))
    return bool(ratios.std() / ratios.mean() < steps.std() / steps.mean())


def _name(key: str, unit: str = "") -> str:
    """Return what an axis says about a key: its last word with the table it is of, and the unit of its values."""
    if key in _WORDS:
        return _WORDS[key]
    words = key.removeprefix("samples:").split(".")
    if words[0] in ("priors", "simulated") and len(words) > 1:
        return f"{'prior width' if words[0] == 'priors' else 'simulation'} of {'.'.join(words[1:])}, multiple"
    if words[0] == "systematics" and len(words) > 2:
        return f"{words[-1]} of {'.'.join(words[1:-1])}"
    if "axes" in words[:-2] and words[-1] in ("low", "high"):
        end, shown = ("lowest" if words[-1] == "low" else "highest"), OBSERVABLES.get(words[-2])
        label = shown.label.partition(" [")[0] if shown else words[-2]
        return f"{end} edge, {label}" + (f" [{unit.replace('^2', '$^2$')}]" if unit else "")
    return ".".join(words)


def _names(found: Expected) -> list[str]:
    units = found.units or ("",) * len(found.keys)
    return [_name(key, unit) for key, unit in zip(found.keys, units, strict=True)]


def _curves(figure: Figure, found: Expected) -> tuple[float, float]:
    from spectrafit.report.figures.style import COLOURS, frame

    axes = frame(figure, 0.85, 0.65, 5.15, 3.4)
    scale, label = _unit(found)
    (values,) = found.values
    order = np.argsort(values)
    places, quantiles = np.asarray(values)[order], found.quantiles[:, order] / scale
    alone = len(found.variants) == 1
    bands = alone and found.first.fake is None
    shades = [COLOURS[name] for name in ("blue", "vermilion", "green", "purple", "orange", "sky", "ink")]
    style: dict[str, Any] = {"ms": 3.5, "lw": 1.6}
    for index, (name, rows) in enumerate(zip(found.variants, quantiles, strict=True)):
        shade = shades[index % len(shades)]
        if bands:
            axes.fill_between(
                places, rows[:, 0], rows[:, 4], color=COLOURS["yellow"], lw=0, alpha=0.75, label="2 sigma"
            )
            axes.fill_between(places, rows[:, 1], rows[:, 3], color=COLOURS["green"], lw=0, alpha=0.6, label="1 sigma")
        elif index == 0 and not alone:
            # Bands of several on top of each other could not be told apart.
            axes.fill_between(places, rows[:, 1], rows[:, 3], color=shade, lw=0, alpha=0.13)
        dashes = _DASHES[index % len(_DASHES)]
        axes.plot(
            places,
            rows[:, 2],
            "o",
            ls=dashes,
            color=COLOURS["ink"] if alone else shade,
            label=("median" if bands else "fake data") if alone else name,
            **style,
        )
    if _logarithmic(found.values[0]):
        axes.set_xscale("log")
    shown = quantiles[0, :, [0, 4]] if bands else np.concatenate([quantiles[0, :, [1, 3]], quantiles[..., 2]])
    low, high = float(np.nanmin(shown)), float(np.nanmax(shown))
    room = 0.06 + 0.075 * (1 if alone else len(found.variants))
    axes.set_ylim(max(low - 0.08 * (high - low), 0.0) if low >= 0 else low, high + room * (high - low))
    if len(places) > 1:
        axes.set_xlim(places[0], places[-1])
    axes.set_xlabel(_names(found)[0])
    axes.set_ylabel(label)
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1] if alone else handles, names[::-1] if alone else names, loc="upper right", ncols=3 if alone else 1
    )
    if not alone:
        words = f"band: 1 sigma of {found.variants[0]}"
        axes.text(0.02, 0.03, words, transform=axes.transAxes, fontsize=9.5, color="#5A5A5A")
    return 0.85 / 6.2, 6.0 / 6.2


def _plane(figure: Figure, found: Expected) -> tuple[float, float]:
    from matplotlib.ticker import NullFormatter

    from spectrafit.report.figures.style import COLOURS, frame

    axes = frame(figure, 0.85, 0.65, 4.4, 3.55)
    scale, label = _unit(found)
    orders = [np.argsort(values) for values in found.values]
    across, upward = (np.asarray(values)[order] for values, order in zip(found.values, orders, strict=True))
    medians = found.quantiles[0, ..., 2][np.ix_(*orders)] / scale
    logs = [_logarithmic(values) for values in found.values]
    cells = [_borders(values_of, log) for values_of, log in zip((across, upward), logs, strict=True)]
    drawn = axes.pcolormesh(*cells, np.ma.masked_invalid(medians.T), cmap="viridis", rasterized=True, lw=0)
    if min(medians.shape) > 1 and np.isfinite(medians).sum() > 3 and np.nanmax(medians) > np.nanmin(medians):
        lines = axes.contour(across, upward, medians.T, levels=7, colors="white", linewidths=1.0)
        axes.clabel(lines, fontsize=9.0, fmt="%g")
    for at in np.argwhere(~np.isfinite(medians)):
        axes.plot(across[at[0]], upward[at[1]], "x", color=COLOURS["ink"], ms=5)
    sides = ((axes.set_xscale, axes.xaxis), (axes.set_yscale, axes.yaxis))
    for log, values, (put, side) in zip(logs, (across, upward), sides, strict=True):
        if log:
            put("log")
        if log and len(values) <= _MARKED:
            # Powers of ten name no tried value, and the minor ones are so wide that they run into the axis' name.
            side.set_ticks(values, [f"{value:g}" for value in values])
            side.set_minor_formatter(NullFormatter())
    axes.set_xlim(cells[0][0], cells[0][-1])
    axes.set_ylim(cells[1][0], cells[1][-1])
    axes.set_xlabel(_names(found)[0])
    axes.set_ylabel(_names(found)[1])
    axes.tick_params(which="both", color="white")
    _bar(figure, drawn, f"median {label}" if found.first.fake is None else label)
    return 0.85 / 6.6, 5.25 / 6.6


def _borders(values: Floats, log: bool) -> Floats:
    """Return the borders of cells around values: halfway between them."""
    if len(values) == 1:
        return np.array([values[0] * 0.95, values[0] * 1.05]) if values[0] else np.array([-0.5, 0.5])
    places: Floats = np.log(values) if log else values
    middles = 0.5 * (places[1:] + places[:-1])
    whole = np.concatenate([[2 * places[0] - middles[0]], middles, [2 * places[-1] - middles[-1]]])
    borders: Floats = np.exp(whole) if log else whole
    return borders


def _bar(figure: Figure, drawn: Any, label: str) -> None:
    width, height = figure.get_size_inches()
    bar: Axes = figure.add_axes((5.4 / width, 0.65 / height, 0.16 / width, 3.55 / height))
    figure.colorbar(drawn, cax=bar, label=label)
    bar.tick_params(which="both", direction="in")


def _side_by_side(figure: Figure, found: Expected) -> tuple[float, float]:
    from spectrafit.report.figures.style import COLOURS, frame

    count = len(found.variants)
    axes = frame(figure, 2.2, 0.6, 3.8, 0.55 + 0.42 * count)
    scale, label = _unit(found)
    quantiles = found.quantiles / scale
    places = np.arange(count)[::-1]
    for place, row in zip(places, quantiles, strict=True):
        named = place == places[0]
        bands = ((0, 4, "yellow", 0.75, "2 sigma"), (1, 3, "green", 0.6, "1 sigma"))
        for low, high, shade, alpha, words in bands if found.first.fake is None else ():
            axes.barh(
                place, row[high] - row[low], left=row[low], height=0.62, color=COLOURS[shade], alpha=alpha, lw=0,
                label=words if named else None,
            )  # fmt: skip
        axes.plot(
            [row[2], row[2]],
            [place - 0.31, place + 0.31],
            color=COLOURS["ink"],
            lw=1.6,
            label=("median" if found.first.fake is None else "fake data") if named else None,
        )
    axes.set_yticks(places, [_lines(name) for name in found.variants])
    axes.tick_params(axis="y", which="both", length=0)
    axes.set_ylim(-0.6, count - 0.4 + 0.5)
    axes.set_xlim(0.0, 1.05 * float(np.nanmax(quantiles)))
    axes.set_xlabel(label)
    handles, names = axes.get_legend_handles_labels()
    order = [names.index(word) for word in ("median", "fake data", "1 sigma", "2 sigma") if word in names]
    axes.legend([handles[place] for place in order], [names[place] for place in order], loc="upper right", ncols=3)
    return 0.1 / 6.2, 6.0 / 6.2


def _lines(name: str) -> str:
    """Return the name of a variant on two lines at most, settings below each other."""
    said = [word if len(word) < 32 else f"{word[:30]}..." for word in (part.strip() for part in name.split(";"))]
    return "\n".join([*said[:2], *(["..."] if len(said) > 2 else [])][:2])
