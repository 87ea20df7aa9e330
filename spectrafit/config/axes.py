"""Axes whose edges are written in a unit of their own, which are brought to the unit of the observable.

A loaded axis has its edges in the unit of the observable, and keeps that of the file as `written_in`: a value that is
laid over the axis later, as by a scan, is in the unit of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from spectrafit.config.quantities import factor
from spectrafit.errors import ConfigError

__all__ = ["UNITS_OF", "in_own_units", "of_observable", "unit_of"]

UNITS_OF: Final[dict[str, str]] = {
    **dict.fromkeys(("t", "t_reco", "e_nu"), "GeV"),
    **dict.fromkeys(("theta", "theta_reco"), "rad"),
    **dict.fromkeys(("t_theta2", "t_theta2_reco", "e_theta2", "e_theta2_reco"), "GeV rad^2"),
}
"""The unit of each observable that has a name."""

_IN_UNIT = ("edges", "range", "low", "high")


def in_own_units(raw: dict[str, Any], where: str) -> None:
    """Bring edges and range of every axis with a `unit` to the unit of its observable, in place.

    Parameters
    ----------
    raw : plain values of an analysis
    where : str
        The file, for messages.

    Raises
    ------
    ConfigError
        A unit of another dimension, or of an observable whose unit is not known.
    """
    regions = raw.get("regions")
    for place, region in enumerate(regions if isinstance(regions, list) else ()):
        axes = region.get("axes") if isinstance(region, dict) else None
        for number, axis in enumerate(axes if isinstance(axes, list) else ()):
            if not isinstance(axis, dict):
                continue
            here = f"{where}: $.regions[{place}].axes[{number}]"
            if "written_in" in axis:
                raise ConfigError(f"{here}.written_in: unknown key")
            if not isinstance(axis.get("unit"), str):
                continue
            key = f"{here}.unit"
            if axis.get("observable") not in UNITS_OF:
                raise ConfigError(f"{key}: the unit of {axis.get('observable')!r} is not known; leave the key out")
            axis["written_in"] = axis.pop("unit")
            axis |= {name: of_observable(axis, name, axis[name], key) for name in ("edges", "range") if name in axis}


def of_observable(axis: Mapping[str, Any], name: str, value: Any, where: str) -> Any:
    """Return a value for a key of an axis in the unit of its observable: edges, range and ends are brought to it.

    Parameters
    ----------
    axis : mapping
        Plain values of the axis, with `written_in` if the file has a unit of its own.
    name : str
        The key.
    value : plain value
        In the unit of the file.
    where : str
        For the message of the ConfigError that a unit of another dimension raises.
    """
    unit = axis.get("written_in")
    if not unit or name not in _IN_UNIT:
        return value
    size = factor(unit, UNITS_OF[axis["observable"]], where)
    return [_times(one, size) for one in value] if isinstance(value, list | tuple) else _times(value, size)


def unit_of(axis: Mapping[str, Any], name: str) -> str:
    """Return the unit that a value for a key of an axis is in: the axis' own, or its observable's; "" for none."""
    return str(axis.get("written_in") or UNITS_OF.get(axis["observable"], "")) if name in _IN_UNIT else ""


def _times(value: Any, size: float) -> Any:
    """Return the decimal that is meant: 3 keV are 3e-06 GeV, without the last digit of a product."""
    return float(f"{value * size:.15g}") if isinstance(value, int | float) and not isinstance(value, bool) else value
