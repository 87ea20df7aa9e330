"""Makes fake data from a model: its expectation at chosen parameters, or an experiment thrown from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError
from spectrafit.inference.fake import Asimov, Fake, Injected, Simulated, Toy
from spectrafit.inference.kernels.fields import Truth, workspace
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.inference.toys.ensemble import ensemble, scratch, throw
from spectrafit.random import normal, stream_key

__all__ = ["Made", "faked", "made", "point"]

_STREAM = "fake data"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """Fake data of a model.

    Attributes
    ----------
    fake : Asimov, Simulated or Toy
        The choice, with what was thrown.
    counts : (B,) array
    centres : (K,) array
        Auxiliary measurements of the parameters.
    yields : tuple of (n,) arrays, or None
        What each component of the model expects at the truth; None for another simulation.
    """

    fake: Asimov | Simulated | Toy
    counts: Floats
    centres: Floats
    yields: tuple[Floats, ...] | None


def point(model: Model, values: Mapping[str, float], *, where: str = "asimov") -> Floats:
    """Return all parameters, (K,): nominal, with `values` laid over as `Asimov` says.

    Raises
    ------
    ConfigError
        A name is no parameter, or a value is not finite.
    """
    theta = model.initial
    for name, value in values.items():
        place = model.index(name)
        if not np.isfinite(value):
            raise ConfigError(f"{where}: {name} = {value}: needs a finite number")
        parameter = model.parameters[place]
        constrained = parameter.constraint == "gaussian"
        theta[place] = parameter.centre + parameter.width * value if constrained else float(value)
    return theta


def made(model: Model, fake: Fake) -> Made:
    """Return the fake data of a choice.

    Parameters
    ----------
    model : Model
        Whose nominal prediction, constraints and auxiliary measurements are meant; its own counts do not matter.
    fake : Asimov, Simulated or Toy
        Counts of another simulation have been made before.

    Raises
    ------
    ConfigError
        A name is no parameter, or the expectation there is negative; injected data, which are read and not made.
    """
    if isinstance(fake, Injected):
        raise ConfigError(f"{fake.label}: such data are read back with unblind, not made again")
    of = fake.of if isinstance(fake, Toy) else fake
    centres = np.array([parameter.centre for parameter in model.parameters], dtype=np.float64)
    if isinstance(of, Simulated):
        expected = np.array(of.counts or (), dtype=np.float64)
        if expected.shape != (model.n_bins,):
            found = f"{expected.size} counts for {model.n_bins} bins"
            raise ConfigError(f"{of.label}: {found}; make them for this analysis")
        counts = _thrown(model, expected, fake.seed) if isinstance(fake, Toy) else expected
        return Made(fake=fake, counts=counts, centres=centres, yields=None)
    asimov = of if isinstance(of, Asimov) else Asimov(of)
    where = "toy" if isinstance(fake, Toy) else "asimov"
    theta = point(model, asimov.values, where=where)
    if isinstance(fake, Toy) and fake.thrown:
        theta += _deviations(model, theta, "truth", fake.seed)
        names = [parameter.name for parameter in model.parameters if parameter.constraint == "gaussian"]
        fake = dataclasses.replace(fake, truth={name: float(theta[model.index(name)]) for name in names})
    at = Likelihood(model).predict(theta)
    expected = _not_negative(model, at.mean, f"{where} at {', '.join(asimov.values) or 'nominal parameters'}")
    if asimov.auxiliary == "follow":
        constrained = np.array([parameter.constraint == "gaussian" for parameter in model.parameters], dtype=bool)
        centres = np.where(constrained, theta, centres)
        if isinstance(fake, Toy):
            centres += _deviations(model, theta, "auxiliary", fake.seed)
    if isinstance(fake, Toy):
        if fake.thrown:
            key = stream_key(fake.seed, _STREAM, "simulation")
            noise = np.array([normal(key, 0, place) for place in range(model.n_bins)])
            expected = np.maximum(expected + noise * np.sqrt(at.variance), 0.0)
        expected = _thrown(model, expected, fake.seed)
    return Made(fake=fake, counts=expected, centres=centres, yields=at.components)


def faked(model: Model, fake: Fake) -> Model:
    """Return a model with fake data of its own expectation: counts, auxiliary measurements, and the words for them.

    Errors as in `made`.
    """
    found = made(model, fake)
    parameters = tuple(
        dataclasses.replace(parameter, centre=float(centre))
        for parameter, centre in zip(model.parameters, found.centres, strict=True)
    )
    return dataclasses.replace(model, parameters=parameters, data=found.counts, asimov=False, fake=found.fake)


def _deviations(model: Model, theta: Floats, what: str, seed: int) -> Floats:
    """Return a throw of every constrained parameter around 0, (K,), correlated as the constraints are.

    Each parameter has a stream of its own, so that a systematic more or less changes no other throw.
    """
    drawn = np.array([normal(stream_key(seed, _STREAM, what, parameter.name), 0, 0) for parameter in model.parameters])
    result: Floats = ensemble(model, theta, mc=False).truth.root @ drawn
    return result


def _thrown(model: Model, expected: Floats, seed: int) -> Floats:
    """Return Poisson counts of an expectation, (B,); bins that the model does not use have none."""
    likelihood, measured = Likelihood(model), scratch(model)
    counted = ensemble(model, model.initial, mc=False).truth
    truth = Truth(*counted._replace(fitted=expected, root=np.zeros_like(counted.root)))
    throw(likelihood.arrays, truth, stream_key(seed, _STREAM), 0, measured, workspace(likelihood.arrays))
    return measured.counts


def _not_negative(model: Model, mean: Floats, where: str) -> Floats:
    bad = np.flatnonzero(model.used & ~((mean >= 0) & np.isfinite(mean)))
    if bad.size:
        shown = ", ".join(f"{model.bin_name(int(place))} ({mean[place]:g})" for place in bad[:4])
        more = f" and {bad.size - 4} more" if bad.size > 4 else ""
        raise ConfigError(f"{where}: the expectation is negative in {shown}{more}; take values nearer to the nominal")
    result: Floats = np.where(model.used, mean, 0.0)
    return result
