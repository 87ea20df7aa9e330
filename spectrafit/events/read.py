"""A sample in, the inventory of its files out (`scan`); one chunk of them in, `Events` out (`read`, `read_columns`).

What is read is streamed: a chunk is a range of entries, cut at the boundaries of the file's baskets; of it the branches
in use are read and no others, and nothing outlives the call.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import awkward as ak
import numpy as np

from spectrafit.config import Sample, SampleSet
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import friends
from spectrafit.events import response as responses
from spectrafit.events.domain import ROUNDED, bad_entries, classify
from spectrafit.events.exposure import pot_of
from spectrafit.events.files import Linked, expand, link, open_file, tree_names
from spectrafit.events.layout import Columns, Layout, solve
from spectrafit.events.presets import find
from spectrafit.events.schema import CANONICAL, EFFICIENCY, ENTRY, Chunk, DropReport, FileIdentity, Inventory
from spectrafit.physics.kinematics import t_max

__all__ = ["EFFICIENCY", "ENTRY", "read", "read_columns", "scan"]


def scan(
    sample_set: SampleSet,
    sample: Sample,
    *,
    chunk_entries: int = 1_000_000,
    skip_bad_files: bool = False,
    left_out: Mapping[str, str] = MappingProxyType({}),
) -> Inventory:
    """Open every file of a sample, check that it can be read and cut it into chunks.

    Parameters
    ----------
    sample_set, sample : SampleSet, Sample
        `sample` need not be one of the set's; the set gives its folder and response.
    chunk_entries : int
        Most entries of a chunk. Chunks end where the baskets of all branches end; only where a basket alone is longer
        are they cut inside it.
    skip_bad_files : bool
        Leave out files that cannot be read, and name them in the inventory, instead of raising.
    left_out : mapping of file to reason
        Files known to be bad, or whose friends are: to be left out and named, too.

    Raises
    ------
    ConfigError, DataError
        For anything that would fail later: files, trees, branches, expressions, exposure, friends; and for no entries.
    """
    where = f"{sample_set.path or 'samples'}: {sample.name}"
    if chunk_entries < 1:
        raise ConfigError(f"{where}: chunks need at least one entry, found chunk_entries = {chunk_entries}")
    files = expand(sample.files, sample_set.folder, f"{where}.files")
    rows = friends.beside(sample_set, sample, len(files))
    chunks: list[Chunk] = []
    identities: list[FileIdentity] = []
    others: list[FileIdentity] = []
    skipped: list[tuple[str, str]] = []
    first = 0
    for (path, tree), row in zip(files, rows, strict=True):
        known = [left_out[file] for file in (path, *(name for name, _ in row)) if file in left_out]
        if known:
            skipped.append((path, known[0]))
            continue
        if sample.generate and "://" not in path and not Path(path).exists():
            raise DataError(f"{path}: is not there yet; make it with spectrafit generate {sample_set.path}")
        try:
            linked = _link(sample, where, (path, tree), row)
            layout = solve(sample_set, sample, linked.branches, _label(sample_set, *linked.names[0]))
            offsets = linked.offsets(layout.needed())
            friends.check(sample, linked)
        except DataError as error:
            if not skip_bad_files:
                raise
            skipped.append((path, str(error)))
            continue
        for start, stop in _cut(offsets, chunk_entries):
            chunks.append(
                Chunk(
                    sample=sample.name,
                    file=path,
                    tree=linked.names[0][1],
                    start=start,
                    stop=stop,
                    first=first + start,
                    index=len(chunks),
                    friends=linked.names[1:],
                )
            )
        found = [_identity(name, t) for (name, _), t in zip(linked.names, linked.trees, strict=True)]
        identities.append(found[0])
        others += found[1:]
        first += linked.entries
    if not first:
        reasons = "".join(f"\n  {path}: {reason}" for path, reason in skipped)
        raise DataError(
            f"{where}: its {len(files)} files hold no entries that can be read; check files and tree{reasons}"
        )
    kept = [identity.path for identity in identities]
    return Inventory(
        sample=sample.name,
        pot=pot_of(sample_set, sample, kept, first, skipped=bool(skipped)),
        entries=first,
        chunks=tuple(chunks),
        identities=(*identities, *others),
        skipped=tuple(skipped),
    )


def read(
    chunk: Chunk,
    sample_set: SampleSet,
    sample: Sample,
    *,
    columns: Collection[str] = CANONICAL,
    extra: Sequence[str] = (),
    scale: float = 1.0,
) -> tuple[ak.Array, DropReport]:
    """Read one chunk into canonical columns, as one array of records; see `read_columns`.

    Returns
    -------
    events : awkward record array, length K <= N
        The entries that pass the selection and the response's threshold; see `spectrafit.events.schema`.
    report : DropReport
        What became of the others.
    """
    found, report = read_columns(chunk, sample_set, sample, columns=columns, extra=extra, scale=scale)
    return ak.Array(found), report


def read_columns(
    chunk: Chunk,
    sample_set: SampleSet,
    sample: Sample,
    *,
    columns: Collection[str] = CANONICAL,
    extra: Sequence[str] = (),
    scale: float = 1.0,
) -> tuple[dict[str, Any], DropReport]:
    """Read one chunk into canonical columns, each an array of its own.

    Parameters
    ----------
    chunk : Chunk
        One of `scan`'s.
    sample_set, sample : SampleSet, Sample
        Those it was scanned with.
    columns : collection of str
        The canonical columns to read, of those the files can give; `weight`, and of signal `pdg`, `e_nu` and `t`,
        always are. What is read must be sound.
    extra : sequence of str
        Further columns: names of columns or branches, or expressions; each becomes a field named by its text. A
        canonical name asked for here must be there. `ENTRY` and `EFFICIENCY` are always there.
    scale : float
        Multiplies the weights; see `Inventory.scale`.

    Returns
    -------
    dict of str to array, length K <= N
        The entries that pass the selection and the response's threshold; see `spectrafit.events.schema`. Numpy for a
        number per entry, awkward for a list. A canonical column the files cannot give is not there; `pdg` and `weight`
        always are.
    report : DropReport
        What became of the others.

    Raises
    ------
    ConfigError, DataError
        Also for the first entry outside the domain, unless the sample says ``on_bad = "drop"``.
    """
    linked = link([(chunk.file, chunk.tree), *chunk.friends])
    if chunk.stop > linked.entries:
        raise DataError(
            f"{chunk.file}:{chunk.tree}: has {linked.entries} entries, fewer than when it was scanned; let nothing"
            " write to files that are being read"
        )
    where = _label(sample_set, chunk.file, chunk.tree)
    layout = solve(sample_set, sample, linked.branches, where)
    wanted = layout.needed(extra, columns) | {name for pair in friends.matched(sample, linked) for name in pair}
    raw = linked.read(wanted, chunk.start, chunk.stop)
    friends.compare(sample, linked, raw, chunk)
    if layout.preset.choose:
        raw = layout.preset.choose(raw)
    source = Columns(layout, raw, chunk.first, chunk.entries)
    fields, codes = _canonical(source, layout, chunk.entries, columns)
    kept = _respond(source, fields, layout, chunk)
    below = chunk.entries - int(np.count_nonzero(kept))
    if layout.selection:
        kept &= np.asarray(source.evaluate(layout.selection)) != 0
    unselected = chunk.entries - below - int(np.count_nonzero(kept))
    rounded = int(np.count_nonzero(kept & (codes == ROUNDED))) if codes.any() else 0
    bad = _refuse(fields, codes, kept, chunk, where, layout, drop=sample.on_bad == "drop")
    everything: dict[str, Any] = dict(fields)
    for text in extra:
        if text not in everything:
            everything[text] = source.extra(text)
    if not kept.all():
        everything = {name: values[kept] for name, values in everything.items()}
    negative = int(np.count_nonzero(everything["weight"] < 0.0))
    if scale != 1.0:
        everything["weight"] = np.multiply(everything["weight"], scale, dtype=np.float64)
    report = DropReport(
        entries=chunk.entries,
        kept=int(np.count_nonzero(kept)),
        unselected=unselected,
        below_threshold=below,
        bad=bad,
        rounded=rounded,
        negative_weights=negative,
    )
    return everything, report


def _canonical(columns: Columns, layout: Layout, entries: int, wanted: Collection[str]) -> tuple[dict[str, Any], Any]:
    """Return the canonical columns, and what `domain.classify` says of each entry."""
    pdg = np.zeros(entries, dtype=np.int32)
    signal = layout.role == "signal"
    if signal:
        pdg = np.nan_to_num(columns["pdg"]).astype(np.int32, copy=False)
        if layout.elastic:
            pdg[np.asarray(columns.of_branches(layout.elastic)) == 0] = 0
    fields: dict[str, Any] = {"pdg": pdg}
    for name in layout.canonical(wanted):
        if name != "pdg":
            fields[name] = columns[name]
    if "weight" not in fields:
        fields["weight"] = np.ones(entries)
    codes = np.zeros(entries, dtype=np.uint8)
    if signal:
        codes, fields["t"] = classify(pdg, fields["e_nu"], fields["t"], fields.get("theta"))
    for name in ("pdg", "t", "weight"):
        if name in fields:
            columns[name] = fields[name]
    return fields, codes


def _respond(columns: Columns, fields: dict[str, Any], layout: Layout, chunk: Chunk) -> Any:
    """Make the reconstructed columns of a truth-only ntuple, if its sample has a response; return what passes it."""
    if not layout.response:
        return np.ones(chunk.entries, dtype=bool)
    fields["t_reco"], fields["theta_reco"], efficiency = responses.apply(
        layout.response,
        fields["t"],
        fields["theta"],
        key=responses.stream(layout.response, chunk.sample),
        first=chunk.first,
    )
    fields["weight"] = fields["weight"] * efficiency
    for name in ("t_reco", "theta_reco", "weight"):
        columns[name] = fields[name]
    columns[EFFICIENCY] = efficiency
    return efficiency > 0.0


def _refuse(
    fields: dict[str, Any], codes: Any, kept: Any, chunk: Chunk, where: str, layout: Layout, *, drop: bool
) -> dict[str, tuple[int, str]]:
    """Take bad entries out of `kept`, or raise for the first of them."""
    found: dict[str, tuple[int, str]] = {}
    always: dict[str, Any] = {name: fields[name] for name in ("t_reco", "theta_reco", "weight") if name in fields}
    worst: tuple[int, str] | None = None
    for kind, mask, sentence, column in bad_entries(codes, always):
        bad = mask & kept
        if not bad.any():
            continue
        entry = int(np.argmax(bad))
        values = {name: float(array[entry]) for name, array in fields.items()}
        if "e_nu" in values:
            values["limit"] = float(t_max(abs(values["e_nu"])))
        remedy = f"check the unit of columns.{column} in {layout.where}"
        if column not in layout.sources:
            remedy = f"check columns.t and the response in {layout.where}"
        message = f"{where} entry {chunk.start + entry}: {sentence.format(**values)}; {remedy}"
        found[kind] = (int(bad.sum()), message)
        if worst is None or entry < worst[0]:
            worst = (entry, message)
        kept &= ~bad
    if worst and not drop:
        total = sum(count for count, _ in found.values())
        others = f" ({total} such entries among entries {chunk.start} to {chunk.stop})" if total > 1 else ""
        raise DataError(f'{worst[1]}{others}, or leave them out with on_bad = "drop"')
    return found


def _label(sample_set: SampleSet, path: str, tree: str) -> str:
    """Name a tree as the user would: relative to the sample set where it lies below it."""
    folder = str(sample_set.folder.absolute())
    short = path.removeprefix(folder + "/") if path.startswith(folder + "/") else path
    return f"{short}:{tree}"


def _link(sample: Sample, where: str, name: tuple[str, str], row: list[tuple[str, str]]) -> Linked:
    path, tree = name
    tree = tree or sample.tree or _usual_tree(path, find(sample.preset, f"{where}.preset").trees, where)
    return link([(path, tree), *((p, t or _usual_tree(p, (), where)) for p, t in row)])


def _usual_tree(path: str, usual: Sequence[str], where: str) -> str:
    """Return the tree of a file nobody named: the one of the preset, or the only one."""
    names = tree_names(path)
    for name in usual:
        if name in names:
            return name
    if len(names) == 1:
        return names[0]
    listed = ", ".join(names) or "none"
    wanted = f" {' or '.join(map(repr, usual))}" if usual else ""
    raise DataError(f"{path}: no tree{wanted} (there are: {listed}); say which with tree in {where}")


def _identity(path: str, tree: Any) -> FileIdentity:
    opened = open_file(path).file
    return FileIdentity(
        path=path, size=int(opened.source.num_bytes), uuid=str(opened.uuid), entries=int(tree.num_entries)
    )


def _cut(offsets: Sequence[int], most: int) -> list[tuple[int, int]]:
    """Pack baskets into ranges of at most `most` entries; a basket longer than that is cut into equal parts."""
    cuts = [0]
    for low, high in itertools.pairwise(offsets):
        if high - cuts[-1] > most:
            parts = -(-(high - low) // most)
            cuts += [low + (high - low) * part // parts for part in range(parts)]
    if offsets[-1] > cuts[-1]:
        cuts.append(offsets[-1])
    return list(itertools.pairwise(dict.fromkeys(cuts)))
