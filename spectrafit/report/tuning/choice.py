"""What a user has chosen on the tuning page, the analysis that it makes, and the TOML to paste."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from spectrafit.config import Analysis, Region, left_out
from spectrafit.templates.regions import lay_out

__all__ = ["Choice", "applied", "chosen_first", "snippet"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Choice:
    """One state of the page.

    Attributes
    ----------
    edges : (R,) tuple of (A,) tuples of tuples of float
        Bin edges of every region and axis.
    exposure : float
        Multiple of the analysis' own exposure.
    widths : tuple of (str, float)
        Names of the systematics whose prior was changed, sorted, each with its `prior_width`.
    without : frozenset of str
        Names of the systematics that are left out.
    """

    edges: tuple[tuple[tuple[float, ...], ...], ...]
    exposure: float = 1.0
    widths: tuple[tuple[str, float], ...] = ()
    without: frozenset[str] = frozenset()

    def with_edges(self, region: int, axis: int, edges: Sequence[float]) -> Choice:
        """Return the choice with other edges along one axis."""
        axes = list(self.edges[region])
        axes[axis] = tuple(map(float, edges))
        regions = list(self.edges)
        regions[region] = tuple(axes)
        return dataclasses.replace(self, edges=tuple(regions))

    def with_width(self, systematic: str, width: float, own: float) -> Choice:
        """Return the choice with another prior width of a systematic; `own` is that of the analysis."""
        widths = dict(self.widths) | {systematic: float(width)}
        if width == own:
            del widths[systematic]
        return dataclasses.replace(self, widths=tuple(sorted(widths.items())))

    def with_systematic(self, name: str, *, kept: bool) -> Choice:
        """Return the choice with a systematic left out, or with it again."""
        return dataclasses.replace(self, without=self.without - {name} if kept else self.without | {name})


def chosen_first(analysis: Analysis) -> Choice:
    """Return the state that stands for the analysis as it is."""
    return Choice(edges=_edges(analysis))


def _edges(analysis: Analysis) -> tuple[tuple[tuple[float, ...], ...], ...]:
    regions = lay_out(analysis.regions)
    return tuple(tuple(tuple(map(float, axis.edges)) for axis in region.axes) for region in regions)


def applied(analysis: Analysis, choice: Choice) -> Analysis:
    """Return the analysis with a choice applied.

    Raises
    ------
    ConfigError
        A name of the choice is no systematic of the analysis.
    """
    regions = tuple(
        region if axes == own else _with_edges(region, axes)
        for region, axes, own in zip(analysis.regions, choice.edges, _edges(analysis), strict=True)
    )
    widths = dict(choice.widths)
    systematics = tuple(
        msgspec.structs.replace(systematic, prior_width=widths.get(systematic.name, systematic.prior_width))
        for systematic in analysis.systematics
    )
    changed = msgspec.structs.replace(
        analysis, regions=regions, systematics=systematics, pot=_exposure(analysis, choice.exposure)
    )
    return left_out(changed, sorted(choice.without), f"{analysis.path}: without")


def _with_edges(region: Region, edges: tuple[tuple[float, ...], ...]) -> Region:
    axes = (
        msgspec.structs.replace(axis, edges=mine, bins=0, range=(), log=False)
        for axis, mine in zip(region.axes, edges, strict=True)
    )
    return msgspec.structs.replace(region, axes=tuple(axes))


def _exposure(analysis: Analysis, factor: float) -> float | dict[str, float]:
    if isinstance(analysis.pot, dict):
        return {name: factor * pot for name, pot in analysis.pot.items()}
    return factor * analysis.pot


def snippet(analysis: Analysis, choice: Choice, folder: str | os.PathLike[str] = ".") -> str:
    """Return a choice as TOML that includes the analysis: a whole analysis of a few lines.

    Parameters
    ----------
    analysis : Analysis
        As it was loaded.
    choice : Choice
    folder : path
        Where the TOML will lie, to which the name of the included file is relative.
    """
    first = chosen_first(analysis)
    base = os.path.relpath(Path(analysis.path).absolute(), Path(folder).absolute())
    lines = [f"include = {_quoted(Path(base).as_posix())}"]
    if choice.without:
        lines.append(f"without = [{', '.join(map(_quoted, sorted(choice.without)))}]")
    if choice.exposure != first.exposure:
        pot = _exposure(analysis, choice.exposure)
        if isinstance(pot, dict):
            lines += ["", "[pot]", *(f"{_quoted(name)} = {value!r}" for name, value in pot.items())]
        else:
            lines.append(f"pot = {pot!r}")
    for region, axes, own in zip(analysis.regions, choice.edges, first.edges, strict=True):
        if axes == own:
            continue
        lines += ["", "[[regions]]", f"name = {_quoted(region.name)}", "axes = ["]
        for axis, edges in zip(region.axes, axes, strict=True):
            label = f", label = {_quoted(axis.label)}" if axis.label else ""
            numbers = ", ".join(map(repr, edges))
            lines.append(f"    {{ observable = {_quoted(axis.observable)}{label}, edges = [{numbers}] }},")
        lines.append("]")
    for name, width in choice.widths:
        lines += ["", "[[systematics]]", f"name = {_quoted(name)}", f"prior_width = {width!r}"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Return a TOML string: a JSON string is one."""
    return msgspec.json.encode(text).decode()
