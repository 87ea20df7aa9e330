"""Writes a `Model` as a HistFactory workspace that pyhf or an HS3 tool can read.

One sample of the workspace is one sample's template of one power of kappa, those of power p taken at a reference kappa.
With one power (magnetic moment) its factor is free: `signal_strength` = kappa / reference. HistFactory cannot tie the
factors of two powers (kappa and kappa^2 of charge radius or millicharge): `signal_strength_1` and `signal_strength_2`
are then fixed at 1, and the workspace is the hypothesis kappa = reference.

Several couplings are written if each has one power and no product: the one of interest is `signal_strength`, another is
`signal_strength_PARAMETER`, each at a reference of its own. Others cannot float together, and are refused.

Exact are log-normal and free normalisations, code 4p and linear morphs (principal components), and a Gaussian
normalisation on its own. Other effects are written as HistFactory's nearest modifier, and `Export.notes` says so: a
Gaussian normalisation beside shape systematics or another Gaussian normalisation as normsys (equal at 0 and +-1 sigma),
splines and code 4 per bin as histosys (equal there too), and MC statistics as staterrors, whose relative widths are
those at the reference and do not follow kappa.
"""

from __future__ import annotations

import dataclasses
import gzip
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from spectrafit.arraytypes import Floats, Integers
from spectrafit.errors import ConfigError
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Component, Factor, Model, Morph, Parameter, Span
from spectrafit.interop.edges import settings_of
from spectrafit.interop.hs3 import Axis, to_hs3
from spectrafit.output import replacing

__all__ = ["Export", "check_name", "reference", "to_workspace", "write_workspace"]

STRENGTH = "signal_strength"
# A signal strength below 0 may lower the prediction to this part of the nominal one.
LEAST = 0.05


@dataclasses.dataclass(frozen=True, kw_only=True)
class Export:
    """The written workspace: its `path`, the reference `kappa`, and `notes` on differences from the model."""

    path: Path
    kappa: float
    notes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.path}: signal at kappa = {self.kappa:.4g}"]
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])


def write_workspace(
    model: Model,
    path: str | os.PathLike[str],
    *,
    kappa: float | None = None,
    form: Literal["pyhf", "hs3"] = "pyhf",
    axes: Mapping[str, Sequence[Axis]] | None = None,
) -> Export:
    """Write a model as a HistFactory workspace.

    Parameters
    ----------
    model : Model
        Made by `assemble`; its data become the observations.
    path : path
        Gzipped if it ends in .gz.
    kappa : float, optional
        The reference, in kappa's internal unit; default: `reference`.
    form : "pyhf" or "hs3"
        JSON as pyhf defines it, or as HS3 does and ROOT, pyhs3 and NextStat read it.
    axes : mapping of region to axes, optional
        Names and edges of the axes of each region; see `spectrafit.interop.hs3.axes_of` and `spectrafit.interop.edges`.

    Raises
    ------
    ConfigError
        HistFactory cannot describe the model: correlated priors, another statistic than Poisson, or several couplings
        of which one enters squared or in a product; or the file is not called .json or .json.gz.
    DataError
        The file cannot be written; nothing is left behind.
    """
    target = Path(path)
    check_name(target)
    workspace, chosen, notes = to_workspace(model, kappa=kappa)
    content = workspace
    if form == "hs3":
        tied = _tied(model)
        if tied:
            # HS3 ties the powers by products: one strength floats.
            notes = tuple(note for note in notes if note != _apart(chosen))
            bounds = [[-10.0, 10.0]]
            workspace["measurements"][0]["config"]["parameters"].append({"name": STRENGTH, "bounds": bounds})
        content = to_hs3(workspace, axes=axes, tied=tied)
    else:
        for channel in workspace["channels"]:
            kept = settings_of(
                channel["name"], (axes or {}).get(channel["name"], ()), len(channel["samples"][0]["data"])
            )
            workspace["measurements"][0]["config"]["parameters"] += kept
    text = msgspec.json.format(msgspec.json.encode(content), indent=1)
    with replacing(target) as part:
        # No time in the gzip header: equal models make equal files.
        part.write_bytes(gzip.compress(text, mtime=0) if target.suffix == ".gz" else text)
    return Export(path=target, kappa=chosen, notes=notes)


def _tied(model: Model) -> dict[str, tuple[str, int]]:
    """Return which factors of a single coupling are powers of its strength; none if one power is all there is."""
    powers = sorted({component.power for component in model.components if component.power})
    if powers in ([], [1]) or len(model.couplings) > 1:
        return {}
    return {f"{STRENGTH}_{power}": (STRENGTH, power) for power in powers}


def _apart(kappa: float) -> str:
    return f"the powers of kappa cannot float together: the workspace is kappa = {kappa:g}"


def check_name(path: Path) -> None:
    """Refuse a name that ends in neither .json nor .json.gz, with a ConfigError."""
    if not path.name.lower().endswith((".json", ".json.gz")):
        raise ConfigError(f"{path}: a workspace is kept as .json or .json.gz; call the file {path.stem or 'w'}.json")


def reference(model: Model, parameter: str = "") -> float:
    """Return the kappa whose signal is as large as the statistical error of everything else, to one digit.

    The positive root of sum_p |total of power p| kappa^p = sqrt(total of power 0); 0 for a model without signal.
    `parameter` says which coupling's kappa, by default that of interest.
    """
    name = parameter or model.poi
    own = [component for component in model.components if all(factor == name for factor, _ in component.monomial)]
    totals = np.zeros(1 + max((part.power for part in own), default=0))
    for part in own:
        totals[part.power] += abs(float(part.nominal.sum()))
    if not totals[1:].any():
        return 0.0
    roots = np.roots([*totals[:0:-1], -math.sqrt(max(totals[0], 1.0))])
    positive = [root.real for root in roots if abs(root.imag) < 1e-9 * abs(root) and root.real > 0]
    return float(f"{positive[0]:.0e}")


def to_workspace(model: Model, *, kappa: float | None = None) -> tuple[dict[str, Any], float, tuple[str, ...]]:
    """Return the workspace as plain JSON values, the reference kappa, and notes; see `write_workspace`."""
    _check(model)
    usual = reference(model)
    chosen = usual if kappa is None else float(kappa)
    if not math.isfinite(chosen) or (chosen == 0 and usual):
        raise ConfigError(f"export: kappa = {kappa} makes no signal; give the value to write the signal at")
    writer = _Writer(model, chosen)
    spans = [region for region in model.regions if model.used[region.start : region.stop].any()]
    channels = [{"name": span.name, "samples": writer.samples(span)} for span in spans]
    observations = [{"name": span.name, "data": model.data[_kept(model, span)].tolist()} for span in spans]
    config = {"poi": writer.interest, "parameters": writer.settings(usual)}
    workspace = {
        "channels": channels,
        "observations": observations,
        "measurements": [{"name": "spectrafit", "config": config}],
        "version": "1.0.0",
    }
    return workspace, chosen, tuple(dict.fromkeys(writer.notes))


def _check(model: Model) -> None:
    """Refuse models that HistFactory cannot describe."""
    if model.statistic in ("gaussian", "neyman-pearson"):
        raise ConfigError(
            f"export: HistFactory is Poisson, the model's statistic is {model.statistic!r}; change it under [fit]"
        )
    if model.correlations:
        first, second, _ = model.correlations[0]
        raise ConfigError(
            f"export: HistFactory's constraints are independent, {first!r} and {second!r} are correlated; take the "
            "correlation out, or make the two one systematic"
        )
    if len(model.couplings) > 1:
        # One coupling that is not linear is written as a hypothesis; of several there is no such value to choose.
        for component in model.components:
            if component.power > 1:
                product = " ".join(name if power == 1 else f"{name}^{power}" for name, power in component.monomial)
                raise ConfigError(
                    f"export: the expectation has a term in {product}, and HistFactory cannot tie its factor to those"
                    " of the couplings; write one coupling alone, with the other in fixed, or couplings that add one"
                    " term each (magnetic moments of different flavours)"
                )
    if model.gammas is not None or any(component.bin_factors for component in model.components):
        raise ConfigError("export: this model was read from a workspace; use that workspace")
    own = {STRENGTH, *(f"mc_statistics_{span.name}" for span in model.regions)}
    for p in model.parameters:
        if p.name in own or p.name.startswith(f"{STRENGTH}_"):
            raise ConfigError(f"export: {p.name!r} is the name of a parameter that the workspace adds; rename yours")
        if p.constraint == "poisson" or (p.constraint == "gaussian" and (p.centre, p.width) != (0.0, 1.0)):
            found = f"a {p.constraint} constraint around {p.centre:g} of width {p.width:g}"
            raise ConfigError(f"export: {p.name!r} has {found}, HistFactory's pulls are around 0 of width 1")


def _kept(model: Model, span: Span) -> Integers:
    """Return the bins of a region that are in the likelihood."""
    return span.start + np.flatnonzero(model.used[span.start : span.stop])


class _Writer:
    """Writes the samples of one model at one kappa, and remembers the changes it had to make."""

    def __init__(self, model: Model, kappa: float) -> None:
        self.model, self.kappa = model, kappa
        self.notes: list[str] = []
        self.powers = sorted({component.power for component in model.components if component.power})
        # The couplings' references: the chosen one of the coupling of interest, and the usual one of every other.
        others = [name for name in model.couplings if name != model.poi]
        self.kappas = {name: reference(model, name) for name in others} | {model.poi: kappa}
        self.notes += [f"{STRENGTH}_{name} is {name} / {self.kappas[name]:g}" for name in others]
        self.interest = STRENGTH if self.powers == [1] else ""
        self.parameters = {p.name: p for p in model.parameters}
        if self.powers and not self.interest:
            self.notes.append(_apart(kappa))
        values = model.initial
        for name, value in self.kappas.items() if model.poi else ():
            values[model.index(name)] = value
        found = Likelihood(model).predict(values)
        self.mean, self.variance = found.mean, found.variance
        if np.any(self.variance > 0):
            self.notes.append(f"MC statistics: the relative variances at kappa = {kappa:g} hold for every kappa")
        if model.mc_statistics == "barlow-beeston":
            self.notes.append(
                "MC statistics are one Gaussian factor for each bin (staterror, Barlow-Beeston-lite); the model has one"
                " for each sample in each bin (barlow-beeston), which differs where few events are simulated"
            )
        if model.statistic != "poisson":
            self.notes.append(f"MC statistics are Gaussian factors, the model's are {model.statistic}")

    def samples(self, span: Span) -> list[dict[str, Any]]:
        """Return the samples of one channel."""
        kept = _kept(self.model, span)
        parts = [
            component
            for component in self.model.components
            if component.start < span.stop and component.stop > span.start
        ]
        sizes = sum((np.abs(self._bins(part, part.nominal, kept)) for part in parts), np.zeros(len(kept)))
        result: list[dict[str, Any]] = []
        for part in parts:
            data = self._bins(part, part.nominal, kept)
            modifiers = [self._factor(part, factor, kept) for factor in part.factors] + [
                self._morph(part, morph, kept) for morph in part.morphs
            ]
            if np.any(self.variance[kept] > 0):
                # The uncertainty is divided among samples so that the squares add up to the bin's variance.
                share = np.divide(np.abs(data), sizes, out=np.zeros_like(sizes), where=sizes > 0)
                errors = np.sqrt(self.variance[kept] * share)
                modifiers.append({"name": f"mc_statistics_{span.name}", "type": "staterror", "data": errors.tolist()})
            several = len(self.model.couplings) > 1
            words = [f"{factor if several else 'kappa'}{power}" for factor, power in part.monomial]
            name = "_".join([part.sample, *words])
            while any(written["name"] == name for written in result):
                name += "_"
            result.append({"name": name, "data": data.tolist(), "modifiers": modifiers})
        return result

    def _bins(self, component: Component, values: Floats, kept: Integers) -> Floats:
        """Return a component's values in some bins at the reference kappa, 0 where it has none."""
        everywhere = np.zeros(self.model.n_bins)
        everywhere[component.start : component.stop] = values
        result: Floats = everywhere[kept] * self._size(component)
        return result

    def _size(self, component: Component) -> float:
        """Return what a component's monomial is at the references."""
        return math.prod(self.kappas[name] ** power for name, power in component.monomial)

    def _factor(self, component: Component, factor: Factor, kept: Integers) -> dict[str, Any]:
        name, value = factor.parameter, factor.values[0]
        parameter = self.parameters[name]
        if name in self.kappas and name != self.model.poi:
            return {"name": f"{STRENGTH}_{name}", "type": "normfactor", "data": None}
        if name == self.model.poi:
            strength = STRENGTH if self.interest else f"{STRENGTH}_{component.power}"
            return {"name": strength, "type": "normfactor", "data": None}
        if factor.kind == "power" and value == 1.0 and parameter.constraint == "free":
            return {"name": name, "type": "normfactor", "data": None}
        if parameter.constraint == "free":
            raise ConfigError(
                f"export: {name!r} is free and acts as {factor.kind}; HistFactory knows free factors only"
            )
        if (
            factor.kind == "linear"
            and not component.morphs
            and sum(factor.kind == "linear" for factor in component.factors) == 1
        ):
            # Alone, 1 + sigma theta is an exact histosys: it adds to the nominal, and all else multiplies both.
            return self._morph(component, _scaled(component, factor), kept)
        match factor.kind:
            case "exponential":
                low, high = math.exp(-value), math.exp(value)
            case "code4":
                low, high = factor.values
            case "linear" if abs(value) < 1.0:
                low, high = 1.0 - value, 1.0 + value
                self.notes.append(f"{name}: Gaussian normalisation as normsys, equal at 0 and +-1 sigma")
            case _:
                raise ConfigError(
                    f"export: HistFactory has no factor {factor.kind} of {value:g} for {name!r}; make it log-normal"
                )
        return {"name": name, "type": "normsys", "data": {"lo": low, "hi": high}}

    def _morph(self, component: Component, morph: Morph, kept: Integers) -> dict[str, Any]:
        low, high = morph.templates[0], morph.templates[-1]
        if morph.kind == "linear":
            half = (high - low) / 2.0
            low, high = component.nominal - half, component.nominal + half
        elif morph.kind == "spline":
            low, high = (component.nominal + _shift(morph, component.nominal, sigma) for sigma in (-1.0, 1.0))
        if morph.kind in ("spline", "code4"):
            self.notes.append(f"{morph.parameter}: {morph.kind} as histosys, equal at 0 and +-1 sigma")
        data = {
            "lo_data": self._bins(component, low, kept).tolist(),
            "hi_data": self._bins(component, high, kept).tolist(),
        }
        return {"name": morph.parameter, "type": "histosys", "data": data}

    def settings(self, usual: float) -> list[dict[str, Any]]:
        """Return the measurement's parameter settings; `usual` is the default reference."""
        result: list[dict[str, Any]] = []
        if self.interest:
            most = 10.0 * max(1.0, math.ceil(abs(usual / self.kappa)))
            result.append({"name": STRENGTH, "inits": [1.0], "bounds": [[self._least(self.model.poi, -most), most]]})
            result += [
                {"name": f"{STRENGTH}_{name}", "inits": [1.0], "bounds": [[self._least(name, -10.0), 10.0]]}
                for name in self.kappas
                if name != self.model.poi
            ]
        else:
            result += [{"name": f"{STRENGTH}_{p}", "inits": [1.0], "fixed": True} for p in self.powers]
        return result + [
            setting for p in self.model.parameters if p.name not in self.kappas and (setting := _setting(p))
        ]

    def _least(self, parameter: str, least: float) -> float:
        """Return the lower bound of a signal strength: `least`, or where a bin would run out of events.

        With several signals each may use an equal share of the other events.
        """
        signal, signals = np.zeros((2, self.model.n_bins))
        for component in self.model.components:
            if component.power:
                signals[component.start : component.stop] += component.nominal * self._size(component)
            if any(name == parameter for name, _ in component.monomial):
                signal[component.start : component.stop] += component.nominal * self._size(component)
        grows = (signal > 0) & self.model.used
        rest = np.maximum(self.mean - signals, 0.0) / len(self.kappas)
        return max(least, -(1.0 - LEAST) * float(np.min(rest[grows] / signal[grows], initial=-least)))


def _scaled(component: Component, factor: Factor) -> Morph:
    """Return a linear factor as a morph."""
    sides = [(1.0 - factor.values[0]) * component.nominal, (1.0 + factor.values[0]) * component.nominal]
    return Morph(parameter=factor.parameter, kind="linear", templates=np.array(sides))


def _shift(morph: Morph, nominal: Floats, sigma: float) -> Floats:
    """Return what a spline adds to the nominal bins at `sigma`."""
    from scipy.interpolate import CubicSpline

    knots = np.array(sorted((*morph.sigmas, 0.0)))
    rows = dict(zip(morph.sigmas, morph.templates - nominal, strict=True))
    values = np.array([rows.get(float(knot), np.zeros_like(nominal)) for knot in knots])
    spline = CubicSpline(knots, values, bc_type="natural")
    inside = min(max(sigma, knots[0]), knots[-1])
    result: Floats = spline(inside) + (sigma - inside) * spline(inside, 1)
    return result


def _setting(parameter: Parameter) -> dict[str, Any] | None:
    """Return what a measurement must say of a parameter, None if pyhf's defaults are right."""
    free = parameter.constraint == "free"
    result: dict[str, Any] = {"name": parameter.name}
    if parameter.initial != (1.0 if free else 0.0):
        result["inits"] = [parameter.initial]
    if np.isfinite([parameter.lower, parameter.upper]).any():
        low, high = (0.0, 10.0) if free else (-5.0, 5.0)
        bounds = (
            parameter.lower if np.isfinite(parameter.lower) else min(low, parameter.initial),
            parameter.upper if np.isfinite(parameter.upper) else max(high, parameter.initial),
        )
        result["bounds"] = [list(bounds)]
    if parameter.fixed:
        result["fixed"] = True
    return result if len(result) > 1 else None
