"""Expected limits against exposure and size of the systematics, by arithmetic on the templates of a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError, nearest
from spectrafit.inference.intervals.limits import Method, upper_limit
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.inference.results import Limit
from spectrafit.inference.toys.options import ToyOptions

__all__ = ["Sensitivity", "scaled", "sensitivity"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Sensitivity:
    """Expected limits on a grid.

    Attributes
    ----------
    exposures : (E,) array
        Multiples of the model's exposure.
    systematics : (F,) array
        Multiples of the prior widths.
    limits : (E,) tuple of (F,) tuples of Limit
        Each with its expected quantiles.
    simulation : str
        Whether the simulation grows with the exposure.
    """

    exposures: Floats
    systematics: Floats
    limits: tuple[tuple[Limit, ...], ...]
    simulation: str

    @property
    def median(self) -> Floats:
        """(E, F) median expected limits in the reported unit."""
        return np.array([[x.expected.median if x.expected else x.value for x in row] for row in self.limits])

    def summary(self) -> dict[str, Any]:
        """Return what a result file keeps, as plain numbers."""
        return {
            "exposures": self.exposures.tolist(),
            "systematics": self.systematics.tolist(),
            "simulation": self.simulation,
            "limits": [[limit.summary() for limit in row] for row in self.limits],
        }

    def __str__(self) -> str:
        first = self.limits[0][0]
        lines = [
            f"median expected upper limit [{first.unit or 'kappa'}] at {100 * first.level:g} % ({first.method}, "
            f"{first.sides}-sided); simulation {self.simulation}",
            f"{'exposure':>10}  " + "".join(f"{f'systematics x {s:g}':>18}" for s in self.systematics),
        ]
        lines += [
            f"{exposure:>10g}  " + "".join(f"{value:>18.4g}" for value in row)
            for exposure, row in zip(self.exposures, self.median, strict=True)
        ]
        return "\n".join(lines)


def scaled(
    model: Model,
    exposure: float,
    systematics: float | Mapping[str, float] = 1.0,
    *,
    simulation: Literal["fixed", "grows"] = "fixed",
) -> Model:
    """Return the model of another exposure, with Asimov data at kappa = 0.

    Parameters
    ----------
    model : Model
    exposure : float
        Multiple of the model's.
    systematics : float or mapping
        Multiple of every prior width, or by group (others stay). 0 fixes the nuisances.
    simulation : {"fixed", "grows"}
        "fixed": the same events are weighted up and MC variances grow as exposure^2. "grows": as many more events.

    Raises
    ------
    ConfigError
        The exposure is not positive, a group is unknown, or the model has HistFactory's gammas per bin.
    """
    if not exposure > 0:
        raise ConfigError(f"sensitivity: exposure {exposure:g}: needs a positive multiple")
    if model.gammas is not None:
        raise ConfigError("sensitivity: HistFactory's gammas per bin cannot be scaled; use an analysis TOML instead")
    groups = {p.group for p in model.parameters if p.group}
    factors = dict(systematics) if isinstance(systematics, Mapping) else {}
    for name in factors:
        if name not in groups:
            raise ConfigError(f"sensitivity: no group {name!r}{nearest(name, groups)}")
    common = 1.0 if isinstance(systematics, Mapping) else systematics
    growth = exposure**2 if simulation == "fixed" else exposure
    parameters = []
    for p in model.parameters:
        factor = factors.get(p.group, common)
        if p.constraint == "gaussian":
            p = dataclasses.replace(p, width=p.width * factor) if factor > 0 else dataclasses.replace(p, fixed=True)
        parameters.append(p)
    result = dataclasses.replace(
        model,
        parameters=tuple(parameters),
        components=tuple(
            dataclasses.replace(
                c,
                nominal=c.nominal * exposure,
                morphs=tuple(dataclasses.replace(m, templates=m.templates * exposure) for m in c.morphs),
            )
            for c in model.components
        ),
        variances=tuple(dataclasses.replace(v, values=v.values * growth) for v in model.variances),
        # The residual of universes and covariances is a systematic: its error scales with the prediction.
        residual=model.residual * exposure**2,
        covariance=None if model.covariance is None else model.covariance * exposure**2,
        floor=model.floor * exposure,
    )
    return result.with_data(np.maximum(Likelihood(result).predict().mean, 0.0), asimov=True)


def sensitivity(
    model: Model,
    exposures: npt.ArrayLike = (1.0,),
    *,
    systematics: npt.ArrayLike = (1.0,),
    simulation: Literal["fixed", "grows"] = "fixed",
    level: float = 0.90,
    method: Method = "profile",
    sides: Literal["one", "two"] | None = None,
    toys: int | ToyOptions = 2000,
) -> Sensitivity:
    """Return expected limits for every exposure and every scale of the systematics.

    Parameters
    ----------
    model : Model
    exposures, systematics : array_like
        Multiples of the model's exposure and of its prior widths.
    simulation : {"fixed", "grows"}
        See `scaled`.
    level, method, sides, toys
        As for `upper_limit`.
    """
    grid = np.asarray(exposures, dtype=np.float64).reshape(-1)
    widths = np.asarray(systematics, dtype=np.float64).reshape(-1)
    limits = tuple(
        tuple(
            upper_limit(
                scaled(model, float(exposure), float(width), simulation=simulation),
                level=level,
                method=method,
                sides=sides,
                simulation=False,
                toys=toys,
            )
            for width in widths
        )
        for exposure in grid
    )
    words = "fixed: its events are weighted up" if simulation == "fixed" else "grows with the exposure"
    return Sensitivity(exposures=grid, systematics=widths, limits=limits, simulation=words)
