"""An analysis with some settings changed, or some systematics left out, without reading its files again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from spectrafit.config.analysis import Analysis
from spectrafit.config.axes import of_observable, unit_of
from spectrafit.config.checks import check, check_samples
from spectrafit.config.explain import explain
from spectrafit.config.joining import apart, qualified
from spectrafit.config.numbers import refuse_wild
from spectrafit.config.patterns import chosen
from spectrafit.config.settings import by_set, lay, of_the_samples, place
from spectrafit.config.systematics import ShiftedSample
from spectrafit.errors import ConfigError, nearest

__all__ = ["left_out", "unit_at", "varied"]


def varied(analysis: Analysis, settings: Mapping[str, Any]) -> Analysis:
    """Return an analysis with other values under some keys.

    Parameters
    ----------
    analysis : Analysis
    settings : mapping of key to value
        Keys as `spectrafit.config.settings.lay` takes them, those of a sample set behind ``samples:``. Edges and ends
        of an axis are in its `unit`, as in the file.

    Raises
    ------
    ConfigError
        As from `load` with the same settings.
    """
    # Through JSON: lists that may be changed, where the structs have tuples.
    raw = msgspec.json.decode(msgspec.json.encode(analysis))
    names = [sample_set.name for sample_set in analysis.sample_sets]
    for key, value in settings.items():
        (mine, theirs) = of_the_samples((key,))
        if mine:
            parent, last = place(raw, key)
            lay(raw, key, of_observable(parent, last, value, key) if _is_axis(parent) else value)
            continue
        for plain, keys in zip(raw["sample_sets"], by_set(theirs, names), strict=True):
            for inner in keys:
                lay(plain, inner, value)
    refuse_wild(raw, analysis.path)
    try:
        result = msgspec.convert(raw, Analysis, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{analysis.path}: {explain(str(error), raw, Analysis)}") from None
    for sample_set in result.sample_sets:
        check_samples(sample_set, sample_set.path)
    result = qualified(result)
    check(result, analysis.path)
    return apart(result)


def unit_at(analysis: Analysis, key: str) -> str:
    """Return the unit that `varied` takes the value of a key in, if the key is of the edges of an axis, else ""."""
    if not key.startswith("regions."):
        return ""
    parent, last = place(msgspec.json.decode(msgspec.json.encode(analysis)), key)
    return unit_of(parent, last) if _is_axis(parent) else ""


def _is_axis(table: Any) -> bool:
    return isinstance(table, dict) and "observable" in table


def left_out(analysis: Analysis, patterns: Sequence[str], where: str) -> Analysis:
    """Return an analysis without the systematics of some names.

    Left out with them are prior correlations of their parameters, and shifted samples that only they use: without its
    systematic such a sample would be part of the expectation.

    Parameters
    ----------
    analysis : Analysis
    patterns : sequence of str
        Names or shell globs.
    where : str
        The key or option, for messages.

    Raises
    ------
    ConfigError
        A pattern matches no systematic.
    """
    if not patterns:
        return analysis
    names = tuple(dict.fromkeys(systematic.name for systematic in analysis.systematics))
    for pattern in patterns:
        if not chosen((pattern,), names):
            listed = ", ".join(names) or "none"
            raise ConfigError(f"{where} {pattern!r} names no systematic{nearest(pattern, names)} (there are: {listed})")
    gone = chosen(tuple(patterns), names)
    kept = tuple(systematic for systematic in analysis.systematics if systematic.name not in gone)
    unused = _shifted(analysis.systematics) - _shifted(kept)
    correlations = tuple(
        correlation for correlation in analysis.fit.correlations if not set(correlation.parameters) & set(gone)
    )
    return msgspec.structs.replace(
        analysis,
        systematics=kept,
        without=tuple(dict.fromkeys((*analysis.without, *patterns))),
        fit=msgspec.structs.replace(analysis.fit, correlations=correlations),
        sample_sets=tuple(
            msgspec.structs.replace(
                sample_set, samples=tuple(sample for sample in sample_set.samples if sample.name not in unused)
            )
            for sample_set in analysis.sample_sets
        ),
    )


def _shifted(systematics: Sequence[Any]) -> set[str]:
    """Return the names of the samples that stand for others under `sample` systematics."""
    return {
        name
        for systematic in systematics
        if isinstance(systematic, ShiftedSample)
        for name in (*systematic.up.values(), *systematic.down.values())
    }
