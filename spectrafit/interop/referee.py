"""A second opinion on the fit of a workspace: other fitters fit it too, and all minima are compared in one likelihood.

A fitter that stops early reports a 2NLL of its own, with constants of its own. So the parameters that each fitter ends
at are taken, and 2NLL is evaluated there twice: by our likelihood with every factor of a bin as a parameter, and by
pyhf's where pyhf is installed. The lowest value is the better minimum, whoever found it.
"""

from __future__ import annotations

import dataclasses
import math
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spectrafit.errors import ConfigError, nearest
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.interop import workspace as ws
from spectrafit.interop.bounded import effective, fit_within
from spectrafit.interop.export import write_workspace
from spectrafit.interop.fitters import FITTERS, ROOT_PYTHON, Fitter, plain_json, pyhf_likelihood
from spectrafit.interop.pyhf import read_workspace

__all__ = ["Opinion", "Verdict", "referee"]

# A minimum is called lower from this difference of 2NLL on.
_SAME = 1e-3
# What a fixed parameter may differ by: rounding.
_MOVED = 1e-6
# How many parameters are shown, those that differ most first, and how much of another fitter's message.
_SHOWN, _SAID = 10, 120


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Opinion:
    """What one fitter found.

    Attributes
    ----------
    fitter : str
    values : dict of str to float
        All parameters of the workspace; empty if the fit failed.
    ours, pyhf : float
        2NLL there, relative to our minimum, in our likelihood and in pyhf's; NaN where it was not evaluated.
    seconds : float
    failure : str
        Why there is no fit, "" if there is one.
    """

    fitter: str
    values: dict[str, float]
    ours: float
    pyhf: float
    seconds: float
    failure: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Verdict:
    """The opinions, ours first, with our errors by parameter.

    Attributes
    ----------
    opinions : tuple of Opinion
    errors : dict of str to float
        Ours; 0 of factors of bins that are profiled.
    absent : tuple of str
        Fitters that are not installed.
    interest : str
        The parameter of interest, "" for none.
    notes : tuple of str
        What the workspace of a model cannot say of the model.
    """

    opinions: tuple[Opinion, ...]
    errors: dict[str, float]
    absent: tuple[str, ...]
    interest: str = ""
    notes: tuple[str, ...] = ()

    @property
    def lowest(self) -> Opinion:
        """The opinion with the lowest 2NLL in our likelihood; ours if none is lower by more than 0.001."""
        best = min((each for each in self.opinions if not each.failure), key=lambda each: each.ours)
        return best if best.ours < self.opinions[0].ours - _SAME else self.opinions[0]

    @property
    def words(self) -> str:
        """Who found the lower minimum, in a sentence."""
        others = [each for each in self.opinions[1:] if not each.failure]
        if not others:
            return "no other fitter gave an opinion: install pyhf, nextstat or root beside spectrafit"
        best = self.lowest
        if best is not self.opinions[0]:
            return f"{best.fitter} found the lower minimum, by {self.opinions[0].ours - best.ours:.4g} in 2NLL"
        above = [each for each in others if each.ours > best.ours + _SAME]
        if not above:
            return f"{', '.join(each.fitter for each in others)} found the same minimum (2NLL within {_SAME:g})"
        listed = ", ".join(f"{each.fitter} stopped {each.ours - best.ours:.4g} above" for each in above)
        return f"spectrafit found the lowest minimum: {listed} in 2NLL"

    def rows(self) -> list[dict[str, Any]]:
        """Return each opinion as a row."""
        return [
            {
                "fitter": each.fitter,
                "two_nll_above_ours": each.ours if math.isfinite(each.ours) else None,
                "two_nll_above_ours_in_pyhf": each.pyhf if math.isfinite(each.pyhf) else None,
                "seconds": each.seconds,
                "failure": each.failure,
            }
            for each in self.opinions
        ]

    def differences(self) -> list[tuple[str, list[float]]]:
        """Return the parameters whose values differ most, with the value of each fitter that has one."""
        fitted = [each for each in self.opinions if not each.failure]

        def apart(name: str) -> float:
            values = [each.values[name] for each in fitted]
            return (max(values) - min(values)) / (self.errors.get(name) or 1.0)

        names = sorted(fitted[0].values, key=lambda name: -apart(name))
        return [(name, [each.values[name] for each in fitted]) for name in names[:_SHOWN]]

    def summary(self) -> dict[str, Any]:
        """Return what JSON holds."""
        values = {each.fitter: each.values for each in self.opinions}
        return {"verdict": self.words, "opinions": self.rows(), "absent": list(self.absent), "parameters": values}

    def __str__(self) -> str:
        lines = [self.words, f"{'':<12}{'2NLL':>12}{'in pyhf':>12}{'seconds':>10}   above our minimum"]
        for each in self.opinions:
            if each.failure:
                lines.append(f"{each.fitter:<12}{each.failure}")
                continue
            theirs = f"{each.pyhf:+.4f}" if math.isfinite(each.pyhf) else ""
            lines.append(f"{each.fitter:<12}{each.ours:>+12.4f}{theirs:>12}{each.seconds:>10.2f}")
        fitted = [each.fitter for each in self.opinions if not each.failure]
        if len(fitted) > 1:
            lines += ["", f"{'parameter':<32}" + "".join(f"{name:>14}" for name in fitted)]
            lines += [
                f"{name:<32}" + "".join(f"{value:>14.5g}" for value in values) for name, values in self.differences()
            ]
        if self.absent:
            lines.append(f"not installed: {', '.join(self.absent)}")
        if "roofit" in self.absent:
            lines.append(f"(RooFit can be that of another Python: {ROOT_PYTHON}=/path/of/its/python)")
        return "\n".join(lines)


def referee(
    subject: Model | str | os.PathLike[str],
    *,
    measurement: str | None = None,
    patch: str | os.PathLike[str] | None = None,
    fitters: Collection[str] | None = None,
) -> Verdict:
    """Fit a workspace with every fitter that is installed, and say who found the lower minimum.

    Parameters
    ----------
    subject : path or Model
        A workspace; or a model made by `assemble`, which is exported as one. What HistFactory cannot say of the model
        is noted.
    measurement, patch
        Of a workspace, as in `spectrafit.interop.pyhf.read_workspace`.
    fitters : collection of str, optional
        Which of `spectrafit.interop.fitters.FITTERS` to ask; by default all that are installed.

    Raises
    ------
    DataError, ConfigError
        As `read_workspace`, or as `spectrafit.interop.export.write_workspace`; there is no fitter of a name.
    """
    for name in fitters or ():
        if name not in FITTERS:
            raise ConfigError(f"no fitter {name!r}, there are {', '.join(FITTERS)}{nearest(name, FITTERS)}")
    asked = tuple(name for name in FITTERS if fitters is None or name in fitters)
    if not isinstance(subject, Model):
        return _judged(subject, measurement, patch, asked)
    with tempfile.TemporaryDirectory() as folder:
        export = write_workspace(subject, Path(folder) / "workspace.json")
        return dataclasses.replace(_judged(export.path, None, None, asked), notes=export.notes)


def _judged(
    path: str | os.PathLike[str], measurement: str | None, patch: str | os.PathLike[str] | None, fitters: Sequence[str]
) -> Verdict:
    spec = ws.load(path, patch=patch)
    place, _ = ws.chosen(spec, measurement, path)
    plain = plain_json(spec, place)
    begun = time.perf_counter()
    found = fit_within(read_workspace(path, measurement=measurement, patch=patch))
    seconds = time.perf_counter() - begun
    best = found.best
    mine = dict(zip(best.names, best.values.tolist(), strict=True)) | best.gammas
    explicit = read_workspace(path, measurement=measurement, patch=patch, profiled=False)
    ours = _ours(explicit)
    theirs = _pyhf(plain)
    zero = ours(mine), theirs(mine)
    there = math.nan if math.isnan(zero[1]) else 0.0
    opinions = [Opinion(fitter="spectrafit", values=mine, ours=0.0, pyhf=there, seconds=seconds)]
    absent = []
    for name in fitters:
        installed, fit = FITTERS[name]
        if not installed():
            absent.append(name)
            continue
        begun = time.perf_counter()
        values, failure = _asked(fit, plain, explicit)
        seconds = time.perf_counter() - begun
        if not failure and not math.isfinite(ours(values)):
            values, failure = {}, "failed: 2NLL is not finite where it stopped"
        opinions.append(
            Opinion(
                fitter=name,
                values=values,
                ours=math.nan if failure else ours(values) - zero[0],
                pyhf=math.nan if failure else theirs(values) - zero[1],
                seconds=seconds,
                failure=failure,
            )
        )
    errors = dict(zip(best.names, best.errors.tolist(), strict=True))
    return Verdict(opinions=tuple(opinions), errors=errors, absent=tuple(absent), interest=explicit.poi)


def _ours(model: Model) -> Callable[[Mapping[str, float]], float]:
    likelihood = Likelihood(model)

    def value(values: Mapping[str, float]) -> float:
        return likelihood.two_nll(np.array([values[name] for name in model.names]))

    return value


def _pyhf(plain: dict[str, Any]) -> Callable[[Mapping[str, float]], float]:
    """Return pyhf's 2NLL; NaN everywhere if pyhf is not installed or refuses the workspace."""
    try:
        return pyhf_likelihood(plain) if FITTERS["pyhf"][0]() else lambda values: math.nan
    except Exception:
        # Why pyhf refuses is said by its fit, which fails too.
        return lambda values: math.nan


def _asked(fit: Fitter, plain: dict[str, Any], model: Model) -> tuple[dict[str, float], str]:
    """Return the parameters of a model that a fitter ends at, and why there are none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = fit(plain)
        missing = [name for name in model.names if name not in values]
        if missing:
            raise ConfigError(f"has no parameter {missing[0]!r}")
        _keep_to_rules(model, values)
    except Exception as error:
        # Whatever a fitter of others raises is its opinion: that it cannot fit this.
        return {}, f"failed: {' '.join(str(error).split())[:_SAID]}"
    return {name: values[name] for name in model.names}, ""


def _keep_to_rules(model: Model, values: Mapping[str, float]) -> None:
    """Refuse a minimum where the workspace allows none: a fixed parameter was moved, or one lies outside its bounds."""
    acting = effective(model.components)
    for each in model.parameters:
        value = values[each.name]
        if each.fixed and each.name in acting and abs(value - each.initial) > _MOVED:
            raise ConfigError(f"moved {each.name}, which the workspace fixes at {each.initial:g}, to {value:.4g}")
        if not each.fixed and not each.lower - _MOVED <= value <= each.upper + _MOVED:
            raise ConfigError(
                f"ended at {each.name} = {value:.4g}, outside its bounds [{each.lower:g}, {each.upper:g}]"
            )
