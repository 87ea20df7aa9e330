"""Draws every figure of a report, with its name, its caption and the words for those who cannot see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.couplings import title
from spectrafit.report.figures import captions
from spectrafit.report.figures.planned import Planned
from spectrafit.report.figures.style import exposure_label, latex, look, mathtext, power_of_ten
from spectrafit.report.shifts import shifts
from spectrafit.report.units import readable

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from spectrafit.config import Analysis
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import FitResult, Impact, Limit, Profile
    from spectrafit.report.expectation import Expectation
    from spectrafit.templates.templates import Templates

__all__ = ["Drawing", "Planned", "draw", "look"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure with the `name` of its files and the `caption` under it.

    `seen` are the words in place of the picture, for those who cannot see it; the caption if empty.
    """

    name: str
    caption: str
    figure: Figure
    seen: str = ""


def draw(
    analysis: Analysis,
    templates: Templates,
    model: Model,
    best: FitResult,
    profile: Profile,
    limit: Limit,
    expected: Expectation,
    impacts: Sequence[Impact],
) -> Iterator[Planned]:
    """Plan the figures one by one; each is drawn when it is asked for, within `look`.

    Spectra, maps and systematics of each region, profile, the scan behind the limit, nuisances, correlations, detector.
    """
    coupling = COUPLINGS[model.coupling]
    value = coupling.reported(expected.kappa)
    at = rf"${latex(coupling.symbol)} = {power_of_ten(value)}\;{latex(coupling.unit)}$"
    # Where there are several couplings, labels carry the parameter's name.
    name = model.poi if len(model.couplings) > 1 else ""
    signal = (f"({name}, others refitted) " if name else "") + f"{coupling.title}\n{at}"
    exposure = exposure_label(analysis)
    kind = ", Asimov" if model.asimov else "" if model.fake is None else ", fake data"
    right = f"{exposure}{kind}"
    about = {"left": analysis.title or "", "right": right}
    roles = {sample: "background" for sample in expected.samples} | dict(
        zip(templates.samples, templates.roles, strict=True)
    )
    data = None if model.asimov else model.data
    data_label = "data" if model.fake is None else f"fake data ({mathtext(model.fake.short)})"
    words = captions.Words(model, best, limit, expected, called=title(model.couplings, model.poi))
    moved = shifts(model, templates) if model.n_bins == templates.n_bins else None
    scales = {region.name: tuple(axis.scale for axis in region.axes) for region in analysis.regions}

    fitted = {span.name: span.fitted for span in model.regions}
    for region in map(readable, templates.regions):
        about["right"] = right if fitted[region.name] else f"{right}, not fitted"
        # Bins of a partition have no axis of the analysis.
        wanted = scales.get(region.name, ()) if region.partition is None else ()
        options: dict[str, Any]
        for axis, observable in enumerate(region.observables):
            scale = wanted[axis] if axis < len(wanted) else ""
            options = {
                "titles": model.titles,
                "roles": roles,
                "signal": signal,
                "scale": scale,
                "data": data,
                "data_label": data_label,
                **about,
            }
            said = words.spectrum(region, axis, fitted=fitted[region.name], scale=scale)
            yield _planned(f"{region.name}_{observable}", said, "spectra.spectrum", expected, region, axis, **options)
        if len(region.axes) == 2:
            said = words.plane(region)
            yield _planned(f"{region.name}_plane", said, "planes.plane", expected, region, signal=at, **about)
        parted = region.partition
        if parted is not None and len(parted.axes) == 2:
            both = tuple(np.asarray(axis.edges) for axis in parted.axes)
            given = (parted.numbers.reshape(parted.shape), both, parted.labels[:2])
            said = words.partition(region)
            yield _planned(f"{region.name}_partition", said, "binnings.partition", *given, **about)
        for axis, observable in enumerate(region.observables if moved is not None else ()):
            scale = wanted[axis] if axis < len(wanted) else ""
            assert moved is not None
            if moved.changes(region):
                name_of = f"{region.name}_{observable}_systematics"
                said = words.changes(moved, region, axis)
                yield _planned(name_of, said, "systematics.changes", moved, region, axis, scale=scale, **about)
    about["right"] = right
    options = {"name": name, **about}
    yield _planned("profile", words.profile(profile), "likelihood.profile", profile, limit, coupling, **options)
    if "kappa" in limit.points and limit.method != "profile":
        yield _planned("limit", words.scan(), "likelihood.scan", limit, coupling, **options)
    if any(not impact.group and impact.name not in model.couplings for impact in impacts):
        fit = (model, best, tuple(impacts), coupling)
        yield _planned("nuisances", words.nuisances(impacts), "parameters.nuisances", *fit, **options)
    if np.sum(best.errors > 0) > 1:
        yield _planned("correlations", words.correlations(), "parameters.correlations", model, best, **about)
    for sample_set in analysis.sample_sets:
        if sample_set.response is not None:
            said = captions.response(sample_set.response, sample_set.name)
            of = {"left": sample_set.title or sample_set.name, "right": "parametric response"}
            yield _planned(f"response_{sample_set.name}", said, "detector.response", sample_set.response, **of)


def _planned(figure: str, said: tuple[str, str], by: str, *given: Any, **options: Any) -> Planned:
    return Planned(name=figure, caption=said[0], seen=said[1], by=by, given=given, options=options)
