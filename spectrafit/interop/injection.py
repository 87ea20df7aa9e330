"""Writes fake data to files that an analysis reads back as its data: counts per bin, or an ntuple of single events."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import uproot

from spectrafit.arraytypes import Floats
from spectrafit.config import Analysis, chosen, inputs_of
from spectrafit.config.injected import FIRST_WORDS, quoted, toml
from spectrafit.errors import ConfigError
from spectrafit.execution import Pool
from spectrafit.execution import executor as opened
from spectrafit.inference.assemble import fake_data
from spectrafit.inference.fake import Asimov, Fake, Simulated, Toy
from spectrafit.inference.faking.counts import Made
from spectrafit.inference.model import Model
from spectrafit.output import refuse_inputs, replacing
from spectrafit.random import stream_key
from spectrafit.templates.drawing import Wanted, draw
from spectrafit.templates.regions import lay_out
from spectrafit.templates.templates import Templates

__all__ = ["NAME", "check_name", "inject"]

NAME = "injected"
"""Name of the data sample that an injected ntuple is read back as."""

_TREE = "events"
_TITLE = "NOT MEASURED, injected"


def check_name(path: str | os.PathLike[str], data: Fake) -> None:
    """Refuse an output of another kind, and fake data that its kind cannot hold.

    Raises
    ------
    ConfigError
        The suffix is neither .toml nor .root; auxiliary measurements that follow the truth, which no file of counts
        holds; events that are no whole number.
    """
    target = Path(path)
    of = data.of if isinstance(data, Toy) else data
    if target.suffix not in (".toml", ".root"):
        raise ConfigError(f"inject: {target}: needs NAME.toml for counts, or NAME.root for an ntuple")
    if isinstance(of, Asimov) and of.auxiliary == "follow":
        raise ConfigError("inject: counts hold no auxiliary measurements, so they cannot follow the truth; use 'stay'")
    if target.suffix == ".root" and not isinstance(data, Toy):
        raise ConfigError(
            f"inject: {target}: an ntuple holds whole events; throw them with --toy SEED, or write *.toml"
        )
    if target.suffix == ".root" and isinstance(of, Simulated):
        raise ConfigError(
            f"inject: {target}: the events of another simulation are in its files; write its counts (*.toml)"
        )


def inject(
    output: str | os.PathLike[str],
    analysis: Analysis,
    templates: Templates,
    data: Fake,
    *,
    executor: str | Executor | Pool = "serial",
    workers: int | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> tuple[Path, ...]:
    """Write fake data as a file that reads back as data, labelled as what it is.

    Parameters
    ----------
    output : str or path
        ``NAME.toml``: counts per bin. An analysis takes them with ``data = "NAME.toml"``. Or ``NAME.root``: an ntuple
        of single events, drawn from the simulation by their weight, the numbers per bin those of the toy; beside it
        stands ``NAME.toml``, a sample set to add to the samples of the analysis. Events outside all bins are not there.
    analysis, templates : Analysis, Templates
        As for `assemble`.
    data : Asimov, Toy or Simulated
        What to write; an ntuple needs a `Toy` of this analysis' own simulation.
    executor, workers
        Who reads the ntuples; see `spectrafit.execution.executor`. The drawn events are the same for all.
    tell : callable, optional
        Is called with a sentence about an ntuple: how many events were drawn more than once, and what to add where.

    Returns
    -------
    tuple of Path
        The files that were written.

    Raises
    ------
    ConfigError, DataError
        As `check_name`, `assemble` and `draw`; an input would be overwritten; samples that have no events to draw.
    """
    check_name(output, data)
    target = Path(output)
    beside = target.with_suffix(".toml")
    for path in {target, beside}:
        refuse_inputs(path, inputs_of(analysis))
        _refuse_foreign(path)
    model, made = fake_data(analysis, templates, data)
    text = f"{made.fake.label}, for {Path(analysis.path).name or 'an analysis'}"
    if target.suffix == ".toml":
        counts = {span.name: made.counts[span.start : span.stop].tolist() for span in model.regions}
        with replacing(target) as part:
            part.write_text(toml(counts, injected=text), encoding="utf-8")
        return (target,)
    if not isinstance(data, Toy) or made.yields is None:
        raise ConfigError(f"inject: {target}: an ntuple needs a toy of the analysis' own simulation")
    wanted = _wanted(analysis, templates, model, made, data)
    with opened(executor, workers, preload=("spectrafit.templates.drawing",)) as pool:
        columns = _write(target, analysis, wanted, pool, data.seed, text, tell)
    with replacing(beside) as part:
        part.write_text(_sample_set(target.name, columns, text), encoding="utf-8")
    for region in analysis.regions:
        if not chosen(region.samples, (NAME,)):
            tell(f"region {region.name!r} takes {', '.join(region.samples)}; add {NAME!r} to its samples")
    return target, beside


def _refuse_foreign(path: Path) -> None:
    """Refuse to write over a file that holds anything but what was written here."""
    if not path.exists():
        return
    ours = False
    # What cannot be read was not written here.
    with suppress(Exception):
        if path.suffix == ".root":
            with uproot.open({str(path): None}) as file:
                ours = file[_TREE].title.startswith(_TITLE)
        else:
            ours = path.read_text(encoding="utf-8").startswith(FIRST_WORDS)
    if not ours:
        raise ConfigError(f"inject: {path}: is there already, and inject did not write it; name another file")


def _wanted(analysis: Analysis, templates: Templates, model: Model, made: Made, data: Toy) -> Wanted:
    """Return how many events of each sample make the counts of a toy: shares thrown by what each sample expects."""
    here = lay_out(analysis.regions)
    if len(here) != len(templates.regions) or not all(map(type(here[0]).same, here, templates.regions)):
        raise ConfigError(f"{analysis.path}: the templates have other bins than the analysis; build them with these")
    expected = {name: np.zeros(model.n_bins) for name in templates.samples}
    for component, yields in zip(model.components, made.yields or (), strict=True):
        known = expected.setdefault(component.sample, np.zeros(model.n_bins))
        known[component.start : component.stop] += yields
    eventless = [
        name
        for name, mean in expected.items()
        if mean.any() and name not in set(templates.samples) - {*templates.tabulated}
    ]
    if eventless:
        raise ConfigError(
            f"inject: {', '.join(eventless)}: known by the expected counts alone, and no event can be drawn from those;"
            " write counts (*.toml)"
        )
    generator = np.random.Generator(np.random.Philox(key=stream_key(data.seed, "fake data", "shares")))
    names = tuple(name for name in templates.samples if name not in templates.tabulated)
    means = np.maximum(np.array([expected[name] for name in names]), 0.0)
    counts = np.zeros(means.shape, dtype=np.int64)
    for index in np.flatnonzero(made.counts > 0):
        total = means[:, index].sum()
        if not total > 0:
            raise ConfigError(f"inject: {model.bin_name(int(index))}: no sample has an event there to draw; merge bins")
        counts[:, index] = generator.multinomial(int(made.counts[index]), means[:, index] / total)
    couplings = _couplings(templates, data)
    rows = [templates.sample(name) for name in names]
    lengths = np.maximum(np.einsum("m,smb->sb", couplings, templates.counts[rows, 0]), 0.0)
    return Wanted(names=names, counts=counts, lengths=lengths, couplings=couplings)


def _couplings(templates: Templates, data: Toy) -> Floats:
    """Return the value of each monomial at the truth, (M,)."""
    values = data.of.values if isinstance(data.of, Asimov) else {}
    at = np.array([values.get(name, 0.0) for name in templates.monomials.parameters], dtype=np.float64)
    return np.array([float(np.prod(at ** np.array(exponent))) for exponent in templates.monomials.exponents])


def _write(
    target: Path,
    analysis: Analysis,
    wanted: Wanted,
    pool: Pool,
    seed: int,
    text: str,
    tell: Callable[[str], None],
) -> Mapping[str, str]:
    """Write the ntuple; return which branch holds which column, where their names differ."""
    generator = np.random.Generator(np.random.Philox(key=stream_key(seed, "fake data", "events")))
    branches: dict[str, str] = {}
    events = repeated = 0
    with replacing(target) as part, uproot.recreate(part, compression=uproot.ZSTD(3)) as file:
        tree: Any = None
        for columns, again in draw(analysis, wanted, pool, generator):
            if tree is None:
                branches = {
                    name: name if name.isidentifier() else f"column_{index}" for index, name in enumerate(columns)
                }
                kinds = {branches[name]: np.dtype(np.float64) for name in columns}
                tree = file.mktree(_TREE, kinds, title=f"{_TITLE}: {text}")
            tree.extend({branches[name]: np.asarray(values, dtype=np.float64) for name, values in columns.items()})
            size = len(next(iter(columns.values())))
            events, repeated = events + size, repeated + again
        if tree is None:
            raise ConfigError(
                f"inject: {target}: the toy has no event; take a larger exposure, or write counts (*.toml)"
            )
        if isinstance(analysis.pot, float):
            file["TotalPOT"] = (np.array([analysis.pot]), np.array([0.0, 1.0]))
    tell(f"{events} events, {repeated} of them drawn more than once, because the simulation has few there")
    return {name: branch for name, branch in branches.items() if name != branch}


def _sample_set(file: str, columns: Mapping[str, str], text: str) -> str:
    """Return the sample set by which an analysis reads the ntuple."""
    own = ", ".join(f"{quoted(name)} = {quoted(branch)}" for name, branch in columns.items())
    lines = [
        f"{FIRST_WORDS} Add this file to the samples of the analysis, and --unblind.",
        "[[samples]]",
        f"name = {quoted(NAME)}",
        'role = "data"',
        f"files = {quoted(file)}",
        f"tree = {quoted(_TREE)}",
        f"injected = {quoted(text)}",
        *([f"columns = {{ {own} }}"] if own else []),
    ]
    return "\n".join(lines) + "\n"
