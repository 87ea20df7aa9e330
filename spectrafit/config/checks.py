"""Checks that the parts of an analysis and of a sample set fit together; each mistake is a ConfigError."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from spectrafit.config.analysis import Analysis
from spectrafit.config.couplings import settle
from spectrafit.config.numbers import MOST_CELLS
from spectrafit.config.paths import is_url, local, substituted
from spectrafit.config.patterns import chosen
from spectrafit.config.samples import SampleSet
from spectrafit.config.systematics import ShiftedSample
from spectrafit.config.tables import DataFile
from spectrafit.errors import ConfigError, nearest

__all__ = ["check", "check_samples"]


def check_samples(sample_set: SampleSet, path: str | Path) -> None:
    """Refuse samples that share a name, have no files, or a recipe that cannot be followed."""
    names = [sample.name for sample in sample_set.samples]
    _refuse_twins(f"{path}: $.samples", "sample", names)
    for index, sample in enumerate(sample_set.samples):
        where = f"{path}: $.samples[{index}]"
        if not sample.files:
            raise ConfigError(
                f"{where}: {sample.name!r} has no files; say where its ntuples are, or are to be generated"
            )
        for key, named in [
            ("files", sample.files),
            *((f"friends[{index}].files", friend.files) for index, friend in enumerate(sample.friends)),
        ]:
            for name in (named,) if isinstance(named, str) else named:
                substituted(name, f"{where}.{key}")
        if sample.response is True and sample_set.response is None:
            raise ConfigError(f"{where}.response: true takes the set's [response], and there is none")
        if sample.generate is not None:
            if sample.generate.flavour not in sample_set.flux:
                known = ", ".join(sample_set.flux) or "none"
                raise ConfigError(
                    f"{where}.generate.flavour: no flux for {sample.generate.flavour!r}; [flux] has {known}"
                )
            if sample_set.detector is None and sample_set.target is None:
                raise ConfigError(
                    f"{path}: generating {sample.name!r} needs [target] with material and mass, or [detector] with"
                    " electrons and origin"
                )
            if sample.process == "nucleus" and sample_set.target is None:
                raise ConfigError(f"{path}: generating {sample.name!r} on nuclei needs [target] with material and mass")
    _check_recipes(sample_set, path)


def _check_recipes(sample_set: SampleSet, path: str | Path) -> None:
    """Refuse two recipes for one file: whichever is made last would be read for both."""
    owners: dict[Path, str] = {}
    for index, sample in enumerate(sample_set.samples):
        if sample.generate is None:
            continue
        where = f"{path}: $.samples[{index}].files"
        files = (sample.files,) if isinstance(sample.files, str) else sample.files
        if (
            len(files) != 1
            or not files[0].endswith(".root")
            or is_url(files[0])
            or any(mark in files[0] for mark in "*?[")
        ):
            raise ConfigError(f"{where}: {sample.name!r} is generated, so this must name the one .root file to write")
        target = local(files[0], sample_set.folder, where).resolve()
        other = owners.setdefault(target, sample.name)
        if other != sample.name:
            raise ConfigError(
                f"{where}: the recipes of {other!r} and {sample.name!r} both write {target}; give each a file of its"
                " own"
            )


def _refuse_twins(where: str, what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name.strip():
            raise ConfigError(f"{where}: a {what} has no name; give it one")
        if name in seen:
            raise ConfigError(f"{where}: two are called {name!r}; every {what} needs its own name")
        seen.add(name)


def check(analysis: Analysis, path: str | Path) -> None:
    """Refuse names that nothing has, numbers for other bins than there are, and exposures that are missing."""
    in_sets = tuple(sample.name for sample_set in analysis.sample_sets for sample in sample_set.samples)
    tabled = tuple(dict.fromkeys(table.name for table in analysis.tables))
    samples = (*in_sets, *(count.name for count in analysis.counts), *tabled)
    if not samples:
        raise ConfigError(f"{path}: $: samples is missing; an analysis needs a sample set, or [[tables]]")
    regions = tuple(region.name for region in analysis.regions)
    if not regions:
        raise ConfigError(f"{path}: $.regions: an analysis needs at least one region")
    if not any(region.fit for region in analysis.regions):
        raise ConfigError(f"{path}: $.regions: none is fitted; leave out fit = false for one region at least")
    _check_size(analysis, path)
    _refuse_twins(f"{path}: $.samples", "sample", samples)
    _refuse_twins(f"{path}: $.regions", "region", regions)

    def known(where: str, what: str, names: Iterable[str], among: tuple[str, ...], *, globs: bool = False) -> None:
        for name in names:
            if not (chosen((name,), among) if globs else name in among):
                listed = ", ".join(among) or "none"
                raise ConfigError(
                    f"{path}: {where}: {name!r} names no {what}{nearest(name, among)} (there are: {listed})"
                )

    couplings, _ = settle(analysis.coupling, analysis.couplings, str(path))
    reserved = ("", "kappa", *(coupling.parameter for coupling in couplings))
    for index, region in enumerate(analysis.regions):
        known(f"$.regions[{index}].samples", "sample", region.samples, samples, globs=True)
    free: dict[str, bool] = {}
    for index, systematic in enumerate(analysis.systematics):
        where = f"$.systematics[{index}]"
        if systematic.name in reserved:
            raise ConfigError(
                f"{path}: {where}.name: {systematic.name!r} cannot be a systematic's name (a coupling's parameter has"
                " it, or it is empty); give the systematic a name of its own"
            )
        if free.setdefault(systematic.name, getattr(systematic, "free", False)) != getattr(systematic, "free", False):
            raise ConfigError(
                f"{path}: {where}.name: another systematic is called {systematic.name!r}, and a free normalisation is"
                " one parameter with free ones only; give it a name of its own"
            )
        for key in ("samples", "regions"):
            if not getattr(systematic, key):
                raise ConfigError(
                    f"{path}: {where}.{key}: {systematic.name!r} acts on none; name some, or leave it out"
                )
        known(f"{where}.samples", "sample", systematic.samples, samples, globs=True)
        known(f"{where}.regions", "region", systematic.regions, regions, globs=True)
        if not isinstance(systematic.shape, str):
            known(f"{where}.shape", "sample", systematic.shape, samples, globs=True)
        if isinstance(systematic, ShiftedSample):
            for key, variant in (("up", systematic.up), ("down", systematic.down)):
                known(f"{where}.{key}", "sample", (*variant, *variant.values()), in_sets)
    bins = {region.name: 0 if region.partition else _bins(region.axes) for region in analysis.regions}
    numbers_of: dict[str, dict[str, Any]] = {"$.data": dict(analysis.data)}
    for index, count in enumerate(analysis.counts):
        numbers_of |= {f"$.counts[{index}].counts": dict(count.counts), f"$.counts[{index}].errors": dict(count.errors)}
    for where, numbers in numbers_of.items():
        known(where, "region", numbers, regions)
        for region_name, values in numbers.items():
            # The bins of a partition are known when its file is read, and so are numbers in a file.
            if not isinstance(values, DataFile) and bins[region_name] and len(values) != bins[region_name]:
                raise ConfigError(f"{path}: {where}.{region_name}: {len(values)} numbers for {bins[region_name]} bins")
    for index, normalise in enumerate(analysis.normalise):
        known(f"$.normalise[{index}].region", "region", (normalise.region,), regions)
        known(f"$.normalise[{index}].samples", "sample", normalise.samples, samples, globs=True)
    _check_tables(analysis, path)
    for index, correlation in enumerate(analysis.fit.correlations):
        known(
            f"$.fit.correlations[{index}]",
            "systematic",
            correlation.parameters,
            tuple(systematic.name for systematic in analysis.systematics),
        )
        if len(correlation.parameters) != 2 or not -1 < correlation.value < 1:
            raise ConfigError(f"{path}: $.fit.correlations[{index}]: needs two parameters and -1 < value < 1")
    if isinstance(analysis.pot, dict):
        sets = tuple(sample_set.name for sample_set in analysis.sample_sets)
        known("$.pot", "sample set", analysis.pot, sets)
        missing = [name for name in sets if name not in analysis.pot]
        if missing:
            raise ConfigError(f"{path}: $.pot: no exposure for sample set {missing[0]!r}")


def _check_tables(analysis: Analysis, path: str | Path) -> None:
    """Refuse tables of one sample that disagree about its role."""
    roles: dict[str, str] = {}
    for index, table in enumerate(analysis.tables):
        if roles.setdefault(table.name, table.role) != table.role:
            raise ConfigError(
                f"{path}: $.tables[{index}].role: two parts of {table.name!r} are {roles[table.name]} and {table.role};"
                " a sample has one role"
            )


def _bins(axes: Sequence[Any]) -> int:
    total = 1
    for axis in axes:
        total *= len(axis.edges) - 1 if axis.edges else axis.bins
    return total


def _check_size(analysis: Analysis, path: str | Path) -> None:
    """Refuse regions of more cells than a machine can hold: before anything is made of them."""
    total = 0
    for index, region in enumerate(analysis.regions):
        cells = 1
        for axis in region.axes:
            cells *= (len(axis.edges) - 1 if axis.edges else axis.bins) + 2
        if not region.axes:
            raise ConfigError(
                f"{path}: $.regions[{index}].axes: region {region.name!r} has none; it needs one at least"
            )
        total += cells
        if total > MOST_CELLS:
            many = f"{cells}" if cells < 10**15 else f"about 10^{len(str(cells)) - 1}"
            memory = 8e-9 * min(total, 10**300)
            raise ConfigError(
                f"{path}: $.regions[{index}].axes: region {region.name!r} has {many} cells with flow, and one template"
                f" of all regions would take {memory:.3g} GB; at most {MOST_CELLS} cells are made:"
                " take fewer bins or axes"
            )
