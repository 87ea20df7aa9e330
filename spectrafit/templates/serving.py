"""Which analyses filled cells can answer, and the cells as each of them needs them.

What acts on filled cells may differ without another pass over the events: the exposure, sizes and smoothing of
systematics where no event is weighed anew, systematics that are left out, covariances from files, counts, options of
the fit, and edges that merge bins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from spectrafit.config import Analysis
from spectrafit.errors import ConfigError
from spectrafit.templates.cells import Cells
from spectrafit.templates.configuration import configuration, differing_key, of_the_fill
from spectrafit.templates.partition import merge_to
from spectrafit.templates.systematics import effects
from spectrafit.templates.tables import tabulate

__all__ = ["attach", "difference", "in_own_bins", "served"]


def served(cells: Cells, analysis: Analysis) -> Cells:
    """Return cells for another analysis: what a fill for it would have added up.

    Parameters
    ----------
    cells : Cells
    analysis : Analysis
        It may differ in what acts on filled cells.

    Raises
    ------
    ConfigError
        Anything else differs; the message names the first such key with both values.
    """
    bare = in_own_bins(cells, analysis)
    return attach(bare.merged(merge_to(cells.regions, analysis)), analysis)


def in_own_bins(cells: Cells, analysis: Analysis) -> Cells:
    """Return cells with the samples and the exposure of another analysis, in the bins that they were filled in.

    What an analysis lays beside its cells (see `attach`) is left out. Parameters and errors as for `served`.
    """
    needed = configuration(analysis)
    key = difference(cells, analysis, needed)
    if key:
        raise ConfigError(key)
    wanted = _samples(needed)

    def mine(cells: Cells) -> Cells:
        kept = replace(
            cells,
            samples=tuple(sample for sample in cells.samples if sample.name in wanted),
            inventories=tuple(inventory for inventory in cells.inventories if inventory["sample"] in wanted),
            halves=tuple(map(mine, cells.halves)),
        )
        return replace(_exposed(kept, analysis), configuration=needed)

    return mine(cells.without_tables())


def difference(cells: Cells, analysis: Analysis, needed: Mapping[str, Any] | None = None) -> str:
    """Return the first key in which an analysis differs so that cells cannot serve it, with both values, or "".

    Parameters
    ----------
    cells : Cells
    analysis : Analysis
    needed : mapping, optional
        The analysis' `configuration`, if it is known.
    """
    needed = configuration(analysis) if needed is None else needed
    made, wanted = (of_the_fill(plain, edges=False) for plain in (cells.configuration, needed))
    kept = _samples(needed)
    unused = {sample.name for sample in cells.samples if sample.name != sample.stands_for and sample.name not in kept}
    # What was filled for a systematic that the analysis lacks is left alone. Not so for shifted ntuple sets: without
    # their systematic they are samples of the expectation, unless they are left out with it.
    made["systematics"] = {
        key: said
        for key, said in made["systematics"].items()
        if key in wanted["systematics"]
        or (said["kind"] == "sample" and not {*said["up"].values(), *said["down"].values()} <= unused)
    }
    made["sample_sets"] = {
        name: {**said, "samples": [said_sample for said_sample in said["samples"] if said_sample["name"] not in unused]}
        for name, said in made["sample_sets"].items()
    }
    made["tables"] = {name: digest for name, digest in made["tables"].items() if name in wanted["tables"]}
    key = differing_key(made, wanted)
    if key:
        return key
    try:
        merge_to(cells.regions, analysis)
    except ConfigError as error:
        made, wanted = (of_the_fill(plain, edges=True) for plain in (cells.configuration, needed))
        return differing_key({"regions": made["regions"]}, {"regions": wanted["regions"]}) or str(error)
    return ""


def attach(cells: Cells, analysis: Analysis) -> Cells:
    """Return filled cells with all that an analysis lays beside them: counts, covariances and flux tables.

    Raises
    ------
    ConfigError, DataError
        Counts or matrices that do not fit the bins.
    """
    cells = tabulate(analysis, replace(cells, analysis=analysis))
    every = effects(analysis)
    tables = {key: found for key, effect in every.items() if (found := effect.tables(analysis))}
    fractions = {key: rows for key, effect in every.items() if (rows := effect.fractions(cells)) is not None}
    halves = tuple(attach(half, analysis) for half in cells.halves)
    return replace(cells, fractions=fractions, tables=tables, halves=halves)


def _samples(plain: Mapping[str, Any]) -> set[str]:
    """Return the names of all samples in the sample sets of a configuration."""
    return {sample["name"] for sample_set in plain["sample_sets"].values() for sample in sample_set["samples"]}


def _exposed(cells: Cells, analysis: Analysis) -> Cells:
    """Return cells at the exposure of an analysis; data are of their own exposure."""
    growth = {
        sample.name: analysis.exposure_of(sample_set) / _exposure(cells.configuration, sample_set.name)
        for sample_set in analysis.sample_sets
        for sample in sample_set.samples
        if sample.role != "data"
    }
    if all(factor == 1.0 for factor in growth.values()):
        return cells
    return replace(
        cells,
        samples=tuple(sample.scaled(growth.get(sample.name, 1.0)) for sample in cells.samples),
        inventories=tuple(
            {**inventory, "scale": inventory["scale"] * growth.get(inventory["sample"], 1.0)}
            for inventory in cells.inventories
        ),
    )


def _exposure(plain: Mapping[str, Any], name: str) -> float:
    """Return the exposure of a sample set in a configuration."""
    pot = plain["pot"]
    return float(pot[name] if isinstance(pot, Mapping) else pot)
