"""Makes a `Model` of a pyhf workspace, or fits the workspace: HistFactory exactly as pyhf reads it.

Conventions (Cranmer et al., CERN-OPEN-2012-016; the tests compare with pyhf 0.7.6): histosys interpolates with code
4p, normsys with code 4; the width of a staterror in a bin is the quadratic sum of its samples' uncertainties over the
sum of their nominals, and where that is 0 the factor is fixed; a shapesys has (nominal / uncertainty)^2 auxiliary
events, and bins without either are fixed; a lumi has everything from the measurement. Channels are in alphabetical
order, so that `name[i]` counts bins as pyhf does.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError, nearest
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import BinGammas, Component, Factor, Model, Morph, Span
from spectrafit.interop import workspace as ws
from spectrafit.interop.bounded import effective, fit_within
from spectrafit.interop.channels import Part, divide
from spectrafit.interop.modifiers import GAMMA, Set, collect, configure

__all__ = ["fit_read", "fit_workspace", "read_workspace"]


def read_workspace(
    path: str | os.PathLike[str],
    *,
    measurement: str | None = None,
    patch: str | os.PathLike[str] | None = None,
    profiled: bool = True,
) -> Model:
    """Read a pyhf workspace as a `Model`.

    Parameters
    ----------
    path : path
        A .json or .json.gz file; the workspace may stand under the key `workspace`.
    measurement : str, optional
        Name of the measurement; default the first.
    patch : path, optional
        A JSON patch, or a patchset as `file.json:NAME`.
    profiled : bool
        Let the likelihood profile the factors of staterror and shapesys analytically, one in each bin. False makes
        every one of them a parameter, as in pyhf; the minimum is the same.

    Returns
    -------
    Model
        `poi` is "" if the measurement has none, or names one that no modifier uses; `name[0]` for a set of one.

    Raises
    ------
    DataError
        A file is missing or damaged.
    ConfigError
        The workspace breaks HistFactory's rules; the message holds the JSON path.
    """
    spec = ws.load(path, patch=patch)
    try:
        return _model(spec, measurement, profiled)
    except ConfigError as error:
        raise ConfigError(f"{os.fspath(path)}: {error}") from error


def _model(spec: ws.Workspace, measurement: str | None, profiled: bool) -> Model:
    position, chosen = spec.measurement(measurement)
    where = f"$.measurements[{position}].config"
    spans, parts = divide(spec)
    data = _data(spec, spans)
    sets = collect(parts)
    configure(sets, chosen.config.parameters, where)
    asked = chosen.config.poi if chosen.config.poi in sets else ""
    if asked and len(sets[asked].inits) != 1:
        raise ConfigError(f"{where}.poi: {asked!r} is a set of {len(sets[asked].inits)} parameters, needs one")
    # A factor per bin may be of interest, if there is one bin.
    poi = sets[asked].names(asked)[0] if asked else ""
    alone = {place: factor for place, factor in _alone(parts, sets).items() if factor[0] != asked} if profiled else {}
    components = tuple(_component(part, sets, alone) for part in parts)
    names = {sets[name].names(name)[i] for name, i in alone.values()}
    acting = effective(components)
    parameters = [
        parameter
        for name, found in sets.items()
        for parameter in found.parameters(name, poi)
        if parameter.name not in names
    ]
    return Model(
        # Free parameters without any effect would leave a fit without a minimum.
        parameters=tuple(
            dataclasses.replace(parameter, fixed=True)
            if parameter.constraint == "free" and parameter.name not in acting
            else parameter
            for parameter in parameters
        ),
        components=components,
        regions=spans,
        data=data,
        asimov=False,
        poi=poi,
        gammas=_bin_gammas(sets, alone, len(data)) if alone else None,
        floor=np.zeros(len(data)),
    )


def _data(spec: ws.Workspace, spans: tuple[Span, ...]) -> Floats:
    """Return the counts of all channels' bins; observations of other channels are not looked at."""
    found: dict[str, Any] = {}
    for i, observation in enumerate(spec.observations):
        if observation.name in found:
            raise ConfigError(f"$.observations[{i}].name: channel {observation.name!r} is observed twice; keep one")
        found[observation.name] = observation.data
    for span in spans:
        if span.name not in found:
            raise ConfigError(f"$.observations: none of channel {span.name!r}{nearest(span.name, found)}")
        counts = found[span.name]
        if len(counts) != span.stop - span.start:
            raise ConfigError(
                f"$.observations: {len(counts)} bins of channel {span.name!r}, its samples have "
                f"{span.stop - span.start}"
            )
        if min(counts) < 0:
            raise ConfigError(
                f"$.observations: counts of channel {span.name!r} must not be negative, found {min(counts)}"
            )
    return np.concatenate([np.array(found[span.name]) for span in spans])


def _alone(parts: list[Part], sets: dict[str, Set]) -> dict[int, tuple[str, int]]:
    """Return which factors per bin the likelihood can profile: bin to (name of the set, position in it).

    A channel profiles the factors of one set, the one on most of its samples. Left out are fixed factors, and those
    whose start, auxiliary measurement or bounds the measurement changed.
    """
    uses: dict[str, dict[str, int]] = {}
    for part in parts:
        for kind in (ws.Staterror, ws.Shapesys):
            for modifier in part.of(kind):
                names = uses.setdefault(part.channel, {})
                names[modifier.name] = names.get(modifier.name, 0) + 1
    result: dict[int, tuple[str, int]] = {}
    for part in parts:
        names = uses.pop(part.channel, {})
        if not names:
            continue
        name = max(names, key=lambda n: names[n])
        found = sets[name]
        for i, place in enumerate(found.bins):
            measured = 1.0 if found.constraint == "gaussian" else found.widths[i]
            usual = found.inits[i] == 1.0 and found.bounds[i] == GAMMA and found.auxdata[i] == measured
            if place in part.bins and usual and not found.fixed[i]:
                result[place] = (name, i)
    return result


def _bin_gammas(sets: dict[str, Set], alone: dict[int, tuple[str, int]], n_bins: int) -> BinGammas:
    """Return the profiled factors of all bins."""
    chosen = [alone.get(place) for place in range(n_bins)]
    return BinGammas(
        names=tuple(sets[choice[0]].names(choice[0])[choice[1]] if choice else "" for choice in chosen),
        kind=tuple(
            ("gaussian" if sets[choice[0]].constraint == "gaussian" else "poisson") if choice else "none"
            for choice in chosen
        ),
        width=np.array([sets[choice[0]].widths[choice[1]] if choice else 0.0 for choice in chosen]),
    )


def _component(part: Part, sets: dict[str, Set], alone: dict[int, tuple[str, int]]) -> Component:
    """Return one sample of one channel as a component."""
    factors: list[Factor] = []
    morphs: list[Morph] = []
    bin_factors: list[tuple[str, ...]] = []
    shared = False
    for modifier in part.modifiers.values():
        name = modifier.name
        match modifier:
            case ws.Histosys(data=shapes):
                morphs.append(Morph(parameter=name, templates=np.array([shapes.lo_data, shapes.hi_data])))
            case ws.Normsys(data=norm):
                factors.append(Factor(parameter=name, kind="code4", values=(norm.lo, norm.hi)))
            case ws.Normfactor() | ws.Lumi():
                factors.append(Factor(parameter=name))
            case _:
                names = sets[name].names(name)
                places = {place: i for i, place in enumerate(sets[name].bins)} or {
                    place: place - part.start for place in part.bins
                }
                profiled = [alone.get(place) == (name, places[place]) for place in part.bins]
                shared = shared or any(profiled)
                if not all(profiled):
                    bin_factors.append(
                        tuple(
                            "" if own else names[places[place]] for place, own in zip(part.bins, profiled, strict=True)
                        )
                    )
    return Component(
        sample=part.sample,
        start=part.start,
        nominal=part.nominal,
        factors=tuple(factors),
        morphs=tuple(morphs),
        bin_factors=tuple(bin_factors),
        shared=shared,
    )


def fit_workspace(
    path: str | os.PathLike[str],
    *,
    measurement: str | None = None,
    patch: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Fit a pyhf workspace.

    Parameters
    ----------
    path, measurement, patch
        As in `read_workspace`.

    Returns
    -------
    dict
        Plain numbers and strings, for JSON: `statistic_at_start` and `statistic` (2NLL at the initial parameters and
        at the minimum, both relative to the saturated model), `valid`, `message`, `poi`, `parameters` by name (all of
        the workspace), `errors` by name (none of profiled factors), `at_limit`, `notes` (sentences: what ended at its
        bound, data that the model does not describe), `seconds` from file to minimum.

    Raises
    ------
    DataError, ConfigError
        As `read_workspace`.
    """
    begun = time.perf_counter()
    model = read_workspace(path, measurement=measurement, patch=patch)
    found = fit_read(model, lambda: read_workspace(path, measurement=measurement, patch=patch, profiled=False))
    return found | {"seconds": time.perf_counter() - begun}


def fit_read(model: Model, explicit: Callable[[], Model]) -> dict[str, Any]:
    """Fit a model of a workspace; returns what `fit_workspace` does, with the seconds of the fit.

    Parameters
    ----------
    model : Model
        From `read_workspace`.
    explicit : callable
        Returns the same model with the factors of bins as parameters; called if the fit needs them.
    """
    begun = time.perf_counter()
    start = Likelihood(model).two_nll(gammas=np.ones(model.n_bins))
    found = fit_within(model)
    if not found.best.valid and model.gammas is not None:
        # A factor that is profiled has a kink where it meets its limit, and a Hessian across the kink means nothing.
        # As a parameter, the factor is held at its limit, and the minimum can be judged along it.
        values = dict(zip(found.best.names, found.best.values.tolist(), strict=True)) | found.best.gammas
        judged = fit_within(explicit(), start=values)
        if judged.best.valid and judged.best.two_nll < found.best.two_nll + 1e-4:
            found = judged
    best = found.best
    return {
        "statistic_at_start": start,
        "statistic": best.two_nll,
        "valid": best.valid,
        "message": best.message,
        "poi": model.poi,
        "parameters": dict(zip(best.names, best.values.tolist(), strict=True)) | best.gammas,
        "errors": dict(zip(best.names, best.errors.tolist(), strict=True)),
        "at_limit": list(found.at_limit),
        "notes": list(found.notes),
        "seconds": time.perf_counter() - begun,
    }
