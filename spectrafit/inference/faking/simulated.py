"""Fills another simulated set into the bins of an analysis, to be fitted as if it were the data."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from spectrafit.config import Analysis, SampleSet, chosen, load_samples
from spectrafit.errors import ConfigError, nearest
from spectrafit.inference.fake import Simulated
from spectrafit.templates.build import build
from spectrafit.templates.templates import Templates

__all__ = ["simulate", "standing_in"]


def simulate(
    choice: Simulated,
    analysis: Analysis,
    templates: Templates,
    *,
    scales: Mapping[str, float],
    make: Callable[[Analysis], Templates] | None = None,
    **options: Any,
) -> Simulated:
    """Return the choice with its counts: those of its sample sets, at the exposure of the analysis.

    Samples known by their `[[counts]]` alone are in no simulation, so those of the analysis are added. What
    `[[normalise]]` multiplies a sample by goes for the sample of that name here, too.

    Parameters
    ----------
    choice : Simulated
    analysis : Analysis
        Whose regions, cuts and exposure are meant.
    templates : Templates
        Of the analysis, as they are fitted.
    scales : mapping of sample to float
        What `[[normalise]]` multiplies each sample of the analysis by.
    make : callable, optional
        Returns the templates of the other simulation, as `build` does; for studies that fill it once for many points.
    **options
        Of `spectrafit.templates.build.build`: executor, workers, scheduler, cache, progress.

    Raises
    ------
    ConfigError, DataError
        No simulation in the sets, exposures that do not go together, samples that `[[normalise]]` does not find, and
        whatever `build` refuses.
    """
    if choice.counts is not None:
        return choice
    regions = analysis.regions if templates.cells is None else templates.cells.analysis.regions
    other = standing_in(choice, msgspec.structs.replace(analysis, regions=regions))
    found = build(other, **options) if make is None else make(other)
    if templates.cells is not None and not all(
        mine.same(theirs) for mine, theirs in zip(templates.regions, found.regions, strict=True)
    ):
        wanted = {region.name: [axis.edges.tolist() for axis in region.axes] for region in templates.regions}
        found = found.rebinned(wanted)
    factors = np.array([scales.get(name, 1.0) for name in found.samples])
    counts = (found.counts[:, 0, 0] * factors[:, None]).sum(axis=0)
    squares = float((found.squares[:, 0] * factors[:, None] ** 2).sum())
    for at, name in enumerate(templates.samples):
        if name in templates.tabulated and name not in found.samples:
            counts = counts + templates.counts[at, 0, 0]
    total = float(counts.sum())
    return dataclasses.replace(
        choice,
        counts=tuple(np.maximum(counts, 0.0).tolist()),
        error=squares**0.5 / total if total > 0 else 0.0,
        events=int(found.entries.sum()),
    )


def standing_in(choice: Simulated, analysis: Analysis) -> Analysis:
    """Return the analysis of another simulation: the regions and the exposure of an analysis, the choice's samples.

    Raises
    ------
    ConfigError
        As `simulate`.
    """
    sets = tuple(_simulation(load_samples(path), analysis) for path in choice.paths)
    _refuse_twins(sets)
    names = tuple(sample.name for one in sets for sample in one.samples)
    for region in analysis.regions:
        if not chosen(region.samples, names):
            raise ConfigError(
                f"{choice.paths[0]}: region {region.name!r} takes samples called {', '.join(region.samples)}, and this"
                f" set has {', '.join(names)}; give its samples such names"
            )
    for rule in analysis.normalise:
        if not chosen(rule.samples, names):
            raise ConfigError(
                f"{choice.paths[0]}: normalise scales {', '.join(rule.samples)}, and no sample here has such a name"
                f" (there are: {', '.join(names)}); name the samples so, or leave normalise out"
            )
    return msgspec.structs.replace(
        analysis,
        samples=choice.paths,
        sample_sets=sets,
        pot={one.name: _exposure(analysis, one) for one in sets},
        systematics=(),
        counts=(),
        normalise=(),
        data={},
    )


def _simulation(sample_set: SampleSet, analysis: Analysis) -> SampleSet:
    """Return a set without measured data, and without the shifted stand-ins of the analysis' systematics."""
    kept = tuple(
        sample for sample in sample_set.samples if sample.role != "data" and sample.name not in analysis.stand_ins
    )
    if not kept:
        raise ConfigError(
            f"{sample_set.path}: holds no simulation, only data; data are fitted with --unblind, as samples of the"
            " analysis"
        )
    return msgspec.structs.replace(sample_set, samples=kept)


def _exposure(analysis: Analysis, sample_set: SampleSet) -> float:
    """Return the exposure that a set is scaled to."""
    if not isinstance(analysis.pot, dict):
        return analysis.pot
    if sample_set.name in analysis.pot:
        return analysis.pot[sample_set.name]
    if len(set(analysis.pot.values())) == 1:
        return next(iter(analysis.pot.values()))
    known = ", ".join(analysis.pot)
    raise ConfigError(
        f"{sample_set.path}: {analysis.path} has an exposure for each of {known}, and none for {sample_set.name!r}"
        f"{nearest(sample_set.name, analysis.pot)}; give the file the name of the set that it stands for"
    )


def _refuse_twins(sets: tuple[SampleSet, ...]) -> None:
    for what, names in (
        ("sample", [sample.name for one in sets for sample in one.samples]),
        ("file of samples", [one.name for one in sets]),
    ):
        name, times = Counter(names).most_common(1)[0]
        if times > 1:
            where = ", ".join(Path(one.path).name for one in sets)
            raise ConfigError(f"{where}: every {what} needs its own name, found {name!r} twice")
