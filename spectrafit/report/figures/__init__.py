"""Draws every figure of a report, with its name and caption."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.couplings import title
from spectrafit.report.figures import binnings, detector, likelihood, spectra
from spectrafit.report.figures.style import exposure_label, latex, look, mathtext, power_of_ten

if TYPE_CHECKING:
    from spectrafit.config import Analysis
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import FitResult, Impact, Limit, Profile
    from spectrafit.report.expectation import Expectation
    from spectrafit.templates.templates import Templates

__all__ = ["Drawing", "draw", "look"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawing:
    """A figure with the `name` of its files and the `caption` under it."""

    name: str
    caption: str
    figure: Figure


def draw(
    analysis: Analysis,
    templates: Templates,
    model: Model,
    best: FitResult,
    profile: Profile,
    limit: Limit,
    expected: Expectation,
    impacts: Sequence[Impact],
) -> Iterator[Drawing]:
    """Draw the figures one by one, within `look`: spectra, maps, profile, scan, nuisances, correlations, detector."""
    coupling = COUPLINGS[model.coupling]
    at = rf"${latex(coupling.symbol)} = {power_of_ten(limit.value)}\;{latex(coupling.unit)}$"
    # Where there are several couplings, labels carry the parameter's name.
    name = model.poi if len(model.couplings) > 1 else ""
    called = title(model.couplings, model.poi)
    signal = f"{coupling.title}, {at}" + (f"\n({name}, others refitted)" if name else "")
    level = f"{100 * limit.level:g} % CL limit ({limit.method}, {limit.sides}-sided)"
    exposure = exposure_label(analysis)
    kind = ", Asimov" if model.asimov else "" if model.fake is None else ", fake data"
    right = f"{exposure}{kind}"
    about = {"left": analysis.title or "", "right": right}
    roles = {sample: "background" for sample in expected.samples} | dict(
        zip(templates.samples, templates.roles, strict=True)
    )
    data = None if model.asimov else model.data
    data_label = "data" if model.fake is None else f"fake data ({mathtext(model.fake.short)})"
    shown = "" if model.fake is None else f" The points are fake data, not measured: {model.fake.label}."
    others = ", ".join(f"{other} = {value:.4g}" for other, value in expected.others.items())
    beside = f" (the other couplings refitted there: {others})" if others else ""

    fitted = {span.name: span.fitted for span in model.regions}
    for region in templates.regions:
        about["right"] = right if fitted[region.name] else f"{right}, not fitted"
        alone = "" if fitted[region.name] else " This region had no part in the fit."
        for axis, observable in enumerate(region.observables):
            figure = spectra.spectrum(
                expected,
                region,
                axis,
                titles=model.titles,
                roles=roles,
                signal=signal,
                data=data,
                data_label=data_label,
                **about,
            )
            caption = (
                f"Region {region.name}: expected events, stacked by sample, with the {called} at its {level} on top"
                f"{beside}.{alone} Bands: statistics of the simulation and nuisance parameters, before and after the"
                f" fit.{shown}"
            )
            yield Drawing(name=f"{region.name}_{observable}", caption=caption, figure=figure)
        if len(region.axes) == 2:
            yield Drawing(
                name=f"{region.name}_plane",
                caption=f"Region {region.name}: the templates as they are fitted, and where the coupling shows.",
                figure=spectra.plane(expected, region, signal=at, **about),
            )
        parted = region.partition
        if parted is not None and len(parted.axes) == 2:
            first, second = (np.asarray(axis.edges) for axis in parted.axes)
            numbers = parted.numbers.reshape(parted.shape)
            names = (parted.labels[0], parted.labels[1])
            yield Drawing(
                name=f"{region.name}_partition",
                caption=f"Region {region.name}: the bin of the fit that each bin of the grid is in; grey: in none.",
                figure=binnings.partition(numbers, (first, second), names, **about),
            )
    about["right"] = right
    yield Drawing(
        name="profile",
        caption=f"Profile likelihood; the limit is at {100 * limit.level:g} % CL. Statistic: {limit.statistic}. "
        f"Boundary: {limit.boundary}.",
        figure=likelihood.profile(profile, limit, coupling, name=name, **about),
    )
    scanned = likelihood.scan(limit, coupling, name=name, **about)
    if scanned is not None:
        yield Drawing(name="limit", caption=f"The curve behind the {limit.method} limit.", figure=scanned)
    pulls = likelihood.nuisances(model, best, impacts, coupling, name=name, **about)
    if pulls is not None:
        yield Drawing(
            name="nuisances",
            caption="Pulls and constraints of the nuisance parameters, and their impact on the fitted coupling "
            "(its change when the parameter is held one fitted error up or down, in errors of the coupling).",
            figure=pulls,
        )
    matrix = likelihood.correlations(model, best, **about)
    if matrix is not None:
        yield Drawing(name="correlations", caption="Correlations of the fitted parameters.", figure=matrix)
    for sample_set in analysis.sample_sets:
        if sample_set.response is not None:
            yield Drawing(
                name=f"response_{sample_set.name}",
                caption=f"Detector response of the sample set {sample_set.name}, for forward electrons.",
                figure=detector.response(
                    sample_set.response, left=sample_set.title or sample_set.name, right="parametric response"
                ),
            )
