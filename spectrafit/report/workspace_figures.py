"""Plans the figures of a fitted workspace: channels, the limit, the parameters, and shapes of systematics."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrafit.physics.couplings import Coupling
from spectrafit.report.expectation import by_sample
from spectrafit.report.figures.planned import Planned

if TYPE_CHECKING:
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import FitResult, Impact, Limit, Profile

__all__ = ["interest_of", "plan"]

# Shapes that are drawn: those of the nuisances that move the parameter of interest most.
_SHAPES = 6


def interest_of(model: Model, lower: float | None = 0.0) -> Coupling:
    """Return the parameter of interest in the words that figures and headlines ask of a coupling: a plain number."""
    return Coupling(
        name="", title=model.poi, family="dipole", symbol=model.poi, unit="", scale=1.0, lower=lower, carriers=()
    )


def plan(
    model: Model,
    best: FitResult,
    limit: Limit,
    curve: Profile,
    impacts: Sequence[Impact],
    channels: Sequence[Mapping[str, Any]],
    *,
    left: str,
) -> Iterator[Planned]:
    """Yield the figures, each drawn when it is asked for.

    Parameters
    ----------
    model : Model
        With the factors of bins as parameters.
    best, limit, curve, impacts
        Of the model.
    channels : sequence of mapping
        As `spectrafit.report.workspace_record.channels_of` returns them.
    left : str
        Title above every figure.
    """
    right = "" if model.fake is None else "fake data"
    about = {"left": left, "right": right}
    # Figures of parameters are drawn from no template, and need not be drawn again if only templates have changed.
    bare = dataclasses.replace(model, components=())
    yield from _channels(model, best, limit, channels, about)
    interest = interest_of(model)
    said = (
        f"Profile likelihood of {model.poi}, all other parameters refitted: best {limit.best_kappa:.4g} ± "
        f"{limit.best_error:.2g}, and the {100 * limit.level:g} % CL limit of {limit.kappa:.4g} ({limit.method})."
    )
    yield _planned("profile", said, "likelihood.profile", curve, limit, interest, **about)
    if "kappa" in limit.points and limit.method != "profile":
        said = f"The curve behind the {limit.method} limit of {limit.kappa:.4g} at {100 * limit.level:g} % CL."
        yield _planned("limit", said, "likelihood.scan", limit, interest, **about)
    singles = [each for each in impacts if not each.group]
    if singles and best.kappa_error > 0:
        said = (
            f"Pulls of the nuisance parameters, and how far {model.poi} moves, in its error of {best.kappa_error:.3g}, "
            "when each is held one fitted error up or down (filled, and in numbers) or one prior width (open, in "
            f"proportion). The largest impact is that of {singles[0].name}."
        )
        yield _planned("nuisances", said, "parameters.nuisances", bare, best, tuple(impacts), interest, **about)
    if np.sum(best.errors > 0) > 1:
        said = f"Correlations of the {int(np.sum(best.errors > 0))} fitted parameters, those most with {model.poi}."
        yield _planned("correlations", said, "parameters.correlations", bare, best, **about)
    if any(best.errors[at] > 0 for at, each in enumerate(model.parameters) if each.group in ("staterror", "shapesys")):
        said = "Factors of bins after the fit, with their errors; grey: the widths of their constraints."
        yield _planned("factors", said, "channels.factors", bare, best, left=left)
    morphed = {morph.parameter for component in model.components for morph in component.morphs}
    starts = {span.start: span.name for span in model.regions}
    for impact in [each for each in singles if each.name in morphed][:_SHAPES]:
        said = f"What one sigma of {impact.name} does to the bins of the samples with most events to move, in per cent."
        moved = [
            (component.sample, starts[component.start], component.nominal, morph.templates)
            for component in model.components
            for morph in component.morphs
            if morph.parameter == impact.name
        ]
        yield _planned(f"shape_{impact.name}", said, "channels.shapes", impact.name, moved, left=left)


def _channels(
    model: Model, best: FitResult, limit: Limit, channels: Sequence[Mapping[str, Any]], about: Mapping[str, str]
) -> Iterator[Planned]:
    """Yield the figures of the channels: the parameter of interest off, at its best value and at the limit."""
    from spectrafit.report.figures.channels import fills

    place = model.index(model.poi)
    values = {"off": 0.0, "on": best.kappa, "limit": limit.kappa}
    events = {}
    for name, value in values.items():
        point = best.values.copy()
        point[place] = value
        events[name] = by_sample(model, point)
    colours = fills(tuple(events["off"]))
    observed = "data" if model.fake is None else f"fake data ({model.fake.short})"
    for channel, span in zip(channels, model.regions, strict=True):
        bins = slice(span.start, span.stop)
        without = {name: found[bins] for name, found in events["off"].items() if np.any(found[bins])}
        off = sum(without.values(), np.zeros(span.stop - span.start))
        added = {name: sum(found[bins] for found in events[name].values()) - off for name in ("on", "limit")}
        before, after = channel["before"][-1], channel["after"][-1]
        signal = (
            f", with the {added['on'].sum():+.3g} of {model.poi} = {best.kappa:.3g} on top; dashed: at the limit of"
            f" {limit.kappa:.3g}"
        )
        said = (
            f"Channel {span.name}: {after['sum']:.5g} ± {after['sum_error']:.2g} events after the fit "
            f"({before['sum']:.5g} ± {before['sum_error']:.2g} before), samples "
            f"stacked{signal if np.any(added['limit']) else ''}. Dotted lines and the light band: uncertainty before "
            f"the fit; hatched and dark: after it. The points are {channel['data'].sum():.6g} events"
            f"{'' if model.fake is None else ', NOT measured'}."
        )
        yield _planned(
            f"channel_{span.name}",
            said,
            "channels.channel",
            channel,
            without,
            added["on"],
            added["limit"],
            colours=colours,
            interest=f"{model.poi} = {best.kappa:.3g}",
            limit=f"at the limit, {limit.kappa:.3g}",
            observed=observed,
            **about,
        )


def _planned(name: str, said: str, by: str, *given: Any, **options: Any) -> Planned:
    return Planned(name=name, caption=said, seen=said, by=by, given=given, options=options)
