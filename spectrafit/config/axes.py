"""Axes whose edges are written in a unit of their own, which are brought to the unit of the observable."""

from __future__ import annotations

from typing import Any, Final

from spectrafit.config.quantities import factor
from spectrafit.errors import ConfigError

__all__ = ["UNITS_OF", "in_own_units"]

UNITS_OF: Final[dict[str, str]] = {
    **dict.fromkeys(("t", "t_reco", "e_nu"), "GeV"),
    **dict.fromkeys(("theta", "theta_reco"), "rad"),
    **dict.fromkeys(("t_theta2", "t_theta2_reco", "e_theta2", "e_theta2_reco"), "GeV rad^2"),
}
"""The unit of each observable that has a name."""


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
            if not isinstance(axis, dict) or not isinstance(axis.get("unit"), str):
                continue
            key = f"{where}: $.regions[{place}].axes[{number}].unit"
            observable = axis.get("observable")
            if observable not in UNITS_OF:
                raise ConfigError(f"{key}: the unit of {observable!r} is not known; leave the key out")
            size = factor(axis.pop("unit"), UNITS_OF[observable], key)
            for name in ("edges", "range"):
                if isinstance(axis.get(name), list):
                    axis[name] = [_times(value, size) for value in axis[name]]


def _times(value: Any, size: float) -> Any:
    """Return the decimal that is meant: 3 keV are 3e-06 GeV, without the last digit of a product."""
    return float(f"{value * size:.15g}") if isinstance(value, int | float) and not isinstance(value, bool) else value
