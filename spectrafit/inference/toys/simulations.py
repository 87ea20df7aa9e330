"""Throws simulations: the model as another simulation of the same size would have made it, sample by sample.

In a bin, the simulated events of a sample are a Poisson count, and each carries a weight for every power of kappa. The
sample counts as n = (sum w)^2 / sum w^2 events there, and is thrown as q = Poisson(n) / n times what it is: together
with the templates of all powers, because they are made of the same events, and with their variances, which an analyser
knows no better than from the events that there are. What the weights of different powers do not have in common is a
Gaussian of the covariance that is left, of width growing with the root of q.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.random import normal, poisson, stream_key

__all__ = ["Simulations", "covariances", "relative"]


def relative(values: Floats, nominal: Floats) -> Floats:
    """Return values over nominal, 0 where nominal is 0."""
    return np.divide(values, nominal, out=np.zeros_like(values), where=nominal != 0)


def covariances(model: Model) -> list[tuple[list[int], Floats]]:
    """Return the groups of components that are made of the same events, and the (n, g, g) covariance of their bins."""
    pairs = {(variance.first, variance.second): variance.values for variance in model.variances}
    found = []
    for group in _groups(model):
        covariance = np.zeros((len(model.components[group[0]].nominal), len(group), len(group)))
        for row, first in enumerate(group):
            for column, second in enumerate(group):
                values = pairs.get((min(first, second), max(first, second)))
                if values is not None:
                    # The variance of a pair is twice its covariance.
                    covariance[:, row, column] = values if row == column else 0.5 * values
        found.append((group, covariance))
    return found


def _groups(model: Model) -> list[list[int]]:
    """Return the components whose simulations are the same events: joined by a variance."""
    group = list(range(len(model.components)))
    for variance in model.variances:
        old, new = group[variance.second], group[variance.first]
        group = [new if one == old else one for one in group]
    found: dict[int, list[int]] = {}
    used = {place for variance in model.variances for place in (variance.first, variance.second)}
    for place, number in enumerate(group):
        if place in used:
            found.setdefault(number, []).append(place)
    return list(found.values())


class Simulations:
    """Other simulations of a model's size, by number. The same seed and number make the same simulation everywhere.

    Parameters
    ----------
    model : Model
        Whose templates are the mean of all simulations.
    seed : int

    Raises
    ------
    ConfigError
        The model has no MC statistics.
    """

    def __init__(self, model: Model, seed: int = 1) -> None:
        if not model.variances:
            raise ConfigError(
                "simulation: the model has no MC statistics to throw; needs mc_statistics = 'barlow-beeston-lite' or"
                " 'barlow-beeston' under [fit]"
            )
        self.model, self.key = model, stream_key(seed, "simulation")
        self._groups = [
            (group, *_decomposed(covariance, np.stack([model.components[place].nominal for place in group], axis=1)))
            for group, covariance in covariances(model)
        ]

    def thrown(self, number: int) -> Model:
        """Return the model as simulation `number` would have made it.

        Morphs keep their ratio to the nominal, and `residual`, which is of no sample, stays. A bin that no event of any
        sample reaches at kappa = 0 is left out, as by ``zero_bins = "drop"``.
        """
        model, key = self.model, self.key
        sizes = [len(component.nominal) for component in model.components]
        places, stride = np.cumsum([0, *sizes]), len(sizes) + 1
        ratios, counted = [np.ones(size) for size in sizes], [np.ones(size) for size in sizes]
        for group, count, root in self._groups:
            for at in np.flatnonzero(count).tolist():
                draw = int(places[group[0]] + at) * stride
                q = poisson(key, number, draw, float(count[at])) / float(count[at])
                spread = math.sqrt(q) * np.array([normal(key, number, draw + 1 + row) for row in range(len(group))])
                for place, ratio in zip(group, q + root[at] @ spread, strict=True):
                    # A Gaussian of few events goes below 0, where there is no yield that a variance could follow.
                    ratios[place][at], counted[place][at] = max(ratio, 0.01 * q), q
        components = tuple(
            dataclasses.replace(
                component,
                nominal=component.nominal * ratio,
                morphs=tuple(
                    dataclasses.replace(morph, templates=morph.templates * ratio) for morph in component.morphs
                ),
            )
            for component, ratio in zip(model.components, ratios, strict=True)
        )
        variances = tuple(
            dataclasses.replace(variance, values=variance.values * counted[variance.first])
            for variance in model.variances
        )
        made = dataclasses.replace(model, components=components, variances=variances, floor=np.zeros(0))
        reached = Likelihood(made).predict().mean > 0
        return made if np.all(reached[model.used]) else dataclasses.replace(made, used=model.used & reached)


def _decomposed(covariance: Floats, nominal: Floats) -> tuple[Floats, Floats]:
    """Return the effective events that all components of a group share, (n,), and the root of what is left, (n, g, g).

    With R the relative covariance of a bin (r), the largest c for which R - c has no negative eigenvalue, c in every
    element, is c = 1 / sum R^-1, and 1 / c is the number of events. It is 0 where the group has no error.
    """
    size = np.where(nominal != 0, nominal, np.inf)
    r = covariance / (size[:, :, None] * size[:, None, :])
    count, left = np.zeros(len(r)), np.zeros_like(r)
    for at in range(len(r)):
        alive = np.flatnonzero(np.diag(r[at]) > 0)
        if not alive.size:
            continue
        among = np.ix_(alive, alive)
        own = r[at][among]
        # Weights that are alike make R singular; a millionth more on its diagonal changes no error that matters.
        inverse = np.linalg.inv(own + 1e-6 * np.diag(np.diag(own)))
        count[at] = max(float(inverse.sum()), 1.0 / float(np.diag(own).min()))
        eigenvalues, vectors = np.linalg.eigh(own - 1.0 / count[at])
        left[at][among] = vectors * np.sqrt(np.maximum(eigenvalues, 0.0))
    return count, left
