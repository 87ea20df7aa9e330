"""Draws every figure of a report, with its name, its caption and the words for those who cannot see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from spectrafit.physics.couplings import COUPLINGS
from spectrafit.report.couplings import title
from spectrafit.report.figures import (
    binnings,
    captions,
    detector,
    likelihood,
    parameters,
    planes,
    spectra,
    systematics,
)
from spectrafit.report.figures.style import exposure_label, latex, look, mathtext, power_of_ten
from spectrafit.report.shifts import shifts
from spectrafit.report.units import readable

if TYPE_CHECKING:
    from spectrafit.config import Analysis
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import FitResult, Impact, Limit, Profile
    from spectrafit.report.expectation import Expectation
    from spectrafit.templates.templates import Templates

__all__ = ["Drawing", "draw", "look"]


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
) -> Iterator[Drawing]:
    """Draw the figures one by one, within `look`.

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
        for axis, observable in enumerate(region.observables):
            scale = wanted[axis] if axis < len(wanted) else ""
            figure = spectra.spectrum(
                expected,
                region,
                axis,
                titles=model.titles,
                roles=roles,
                signal=signal,
                scale=scale,
                data=data,
                data_label=data_label,
                **about,
            )
            caption, seen = words.spectrum(region, axis, fitted=fitted[region.name], scale=scale)
            yield Drawing(name=f"{region.name}_{observable}", caption=caption, seen=seen, figure=figure)
        if len(region.axes) == 2:
            caption, seen = words.plane(region)
            figure = planes.plane(expected, region, signal=at, **about)
            yield Drawing(name=f"{region.name}_plane", caption=caption, seen=seen, figure=figure)
        parted = region.partition
        if parted is not None and len(parted.axes) == 2:
            first, second = (np.asarray(axis.edges) for axis in parted.axes)
            numbers = parted.numbers.reshape(parted.shape)
            caption, seen = words.partition(region)
            figure = binnings.partition(numbers, (first, second), (parted.labels[0], parted.labels[1]), **about)
            yield Drawing(name=f"{region.name}_partition", caption=caption, seen=seen, figure=figure)
        for axis, observable in enumerate(region.observables if moved is not None else ()):
            scale = wanted[axis] if axis < len(wanted) else ""
            assert moved is not None
            changed = systematics.changes(moved, region, axis, scale=scale, **about)
            if changed is not None:
                caption, seen = words.changes(moved, region, axis)
                yield Drawing(
                    name=f"{region.name}_{observable}_systematics", caption=caption, seen=seen, figure=changed
                )
    about["right"] = right
    caption, seen = words.profile(profile)
    figure = likelihood.profile(profile, limit, coupling, name=name, **about)
    yield Drawing(name="profile", caption=caption, seen=seen, figure=figure)
    scanned = likelihood.scan(limit, coupling, name=name, **about)
    if scanned is not None:
        caption, seen = words.scan()
        yield Drawing(name="limit", caption=caption, seen=seen, figure=scanned)
    pulls = parameters.nuisances(model, best, impacts, coupling, name=name, **about)
    if pulls is not None:
        caption, seen = words.nuisances(impacts)
        yield Drawing(name="nuisances", caption=caption, seen=seen, figure=pulls)
    matrix = parameters.correlations(model, best, **about)
    if matrix is not None:
        caption, seen = words.correlations()
        yield Drawing(name="correlations", caption=caption, seen=seen, figure=matrix)
    for sample_set in analysis.sample_sets:
        if sample_set.response is not None:
            caption, seen = captions.response(sample_set.response, sample_set.name)
            figure = detector.response(
                sample_set.response, left=sample_set.title or sample_set.name, right="parametric response"
            )
            yield Drawing(name=f"response_{sample_set.name}", caption=caption, seen=seen, figure=figure)
