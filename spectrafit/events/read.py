"""Reading one chunk of a sample, as `spectrafit.events.scan` cuts it, into canonical columns.

A chunk is a range of entries, cut at the boundaries of the file's baskets. Only the branches in use are read, and
nothing is kept after the call.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import awkward as ak
import numpy as np

from spectrafit.config import Sample, SampleSet
from spectrafit.errors import DataError
from spectrafit.events import friends
from spectrafit.events import response as responses
from spectrafit.events.domain import ROUNDED, bad_entries, classify, heaviest
from spectrafit.events.functions import passes
from spectrafit.events.identity import unchanged
from spectrafit.events.layout import Columns, Layout, solve
from spectrafit.events.linked import link
from spectrafit.events.scan import label, scan
from spectrafit.events.schema import CANONICAL, DRAW, EFFICIENCY, ENTRY, Chunk, DropReport
from spectrafit.events.targets import masses_of, numbers_of
from spectrafit.physics.kinematics import t_max
from spectrafit.physics.nucleus import t_max_nucleus

__all__ = ["DRAW", "EFFICIENCY", "ENTRY", "read", "read_columns", "scan"]

_NO_WEIGHTS = {*CANONICAL, ENTRY, EFFICIENCY, DRAW}


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
        Counts of the entries that were left out, and why.
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
        The same as in the scan.
    columns : collection of str
        The canonical columns to read, if the files have them. `weight` is always read, and so are `pdg`, `e_nu` and
        `t` of a signal. All columns that are read are checked.
    extra : sequence of str
        Further columns: names of columns or branches, or expressions; each becomes a field named by its text. A
        canonical name given here must exist. `ENTRY`, `EFFICIENCY` and `DRAW` always exist.
    scale : float
        Multiplies the weights; see `Inventory.scale`.

    Returns
    -------
    dict of str to array, length K <= N
        The entries that pass the selection and the response's threshold; see `spectrafit.events.schema`. Numpy for a
        number per entry, awkward for a list. A canonical column that the files lack is missing; `pdg` and `weight` are
        always present. An entry that the response smears several times is there once for every draw that passes, one
        after the other, each with its part of the weight.
    report : DropReport
        What became of the others.

    Raises
    ------
    ConfigError, DataError
        Anything cannot be read, or an entry is outside the domain and the sample does not say ``on_bad = "drop"``.
    """
    unchanged(chunk)
    linked = link([(chunk.file, chunk.tree), *chunk.friends], friends.called(sample))
    if chunk.stop > linked.entries:
        raise DataError(
            f"{chunk.file}:{chunk.tree}: has {linked.entries} entries, fewer than when it was scanned; do not change"
            " files while they are read"
        )
    where = label(sample_set, chunk.file, chunk.tree)
    layout = solve(sample_set, sample, linked.branches, where, ambiguous=linked.ambiguous)
    wanted = layout.needed(extra, columns) | {name for pair in friends.matched(sample) for name in pair}
    raw = linked.read(wanted, chunk.start, chunk.stop)
    unchanged(chunk)
    friends.compare(sample, linked, raw, chunk)
    if layout.preset.choose:
        raw = layout.preset.choose(raw)
    draws, rows = layout.draws, chunk.entries * layout.draws
    if draws > 1:
        raw = {name: values[np.repeat(np.arange(chunk.entries), draws)] for name, values in raw.items()}
    source = Columns(layout, raw, chunk.first, rows)
    fields, codes = _canonical(source, layout, rows, columns)
    generated = float(np.sum(fields["weight"], dtype=np.float64)) / draws
    absent = _absent(fields, layout, rows)
    kept = _respond(source, fields, layout, chunk) | absent
    below = chunk.entries - _entries(kept, draws)
    if layout.selection:
        kept &= source.passes(layout.selection, f"{layout.where}.selection")
    unselected = chunk.entries - below - _entries(kept, draws)
    bad = _refuse_absent(kept, absent, chunk, where, layout, drop=layout.shower or sample.on_bad == "drop")
    without = bad.pop("no shower", (0, ""))[0]
    rounded = _entries(kept & (codes == ROUNDED), draws) if codes.any() else 0
    bad |= _refuse(source, fields, codes, kept, chunk, where, layout, drop=sample.on_bad == "drop")
    everything: dict[str, Any] = dict(fields)
    for text in extra:
        if text not in everything:
            everything[text] = source.extra(text)
    if not kept.all():
        everything = {name: values[kept] for name, values in everything.items()}
    weights = {name: everything[name] for name in ("weight", *extra) if name == "weight" or name not in _NO_WEIGHTS}
    once = kept
    if draws > 1:
        # The first draw that was kept stands for its entry.
        first = np.r_[True, np.diff(np.flatnonzero(kept) // draws) > 0][: np.count_nonzero(kept)]
        weights = {name: values[first] for name, values in weights.items()}
        weights["weight"] = weights["weight"] * draws
        once = kept.reshape(-1, draws).any(axis=1)
    negative = int(np.count_nonzero(weights["weight"] < 0.0))
    most = heaviest(weights, once, chunk.start, where)
    if scale != 1.0:
        everything["weight"] = np.multiply(everything["weight"], scale, dtype=np.float64)
    report = DropReport(
        entries=chunk.entries,
        kept=int(np.count_nonzero(once)),
        unselected=unselected,
        below_threshold=below,
        without_shower=without,
        bad=bad,
        rounded=rounded,
        negative_weights=negative,
        generated_weight=generated,
        heaviest=most,
    )
    return everything, report


def _entries(rows: Any, draws: int) -> int:
    """Return how many entries have a row, one of their draws, that is marked."""
    return int(np.count_nonzero(rows if draws == 1 else rows.reshape(-1, draws).any(axis=1)))


def _canonical(columns: Columns, layout: Layout, entries: int, wanted: Collection[str]) -> tuple[dict[str, Any], Any]:
    """Return the canonical columns, and the code that `domain.classify` gives to each entry."""
    pdg = np.zeros(entries, dtype=np.int32)
    signal = layout.role == "signal"
    if signal:
        pdg = np.nan_to_num(columns["pdg"]).astype(np.int32, copy=False)
        if layout.elastic:
            pdg[~passes(columns.of_branches(layout.elastic))] = 0
    fields: dict[str, Any] = {"pdg": pdg}
    for name in layout.canonical(wanted):
        if name != "pdg":
            fields[name] = columns[name]
    if "weight" not in fields:
        fields["weight"] = np.ones(entries)
    codes = np.zeros(entries, dtype=np.uint8)
    if signal:
        mass = _masses(columns) if layout.nuclear else None
        codes, fields["t"] = classify(pdg, fields["e_nu"], fields["t"], fields.get("theta"), mass=mass)
    for name in ("pdg", "t", "weight"):
        if name in fields:
            columns[name] = fields[name]
    return fields, codes


def _masses(columns: Columns) -> Any:
    """Return the mass of each entry's nucleus, GeV, (N,)."""
    return masses_of(*numbers_of(np.asarray(columns["nucleus"], dtype=np.int64)))


def _absent(fields: dict[str, Any], layout: Layout, entries: int) -> Any:
    """Return which entries have no electron or other shower for `t` and `theta`, (N,) bool.

    In a signal sample without a response only nu-e events need `t`; other entries may lack it.
    """
    absent = np.zeros(entries, dtype=bool)
    if layout.role == "data" or (layout.role == "signal" and not layout.response and not layout.shower):
        return absent
    for name in ("t", "theta"):
        if name in fields and layout.sources[name].preset | layout.shower:
            absent |= np.isnan(fields[name])
    return absent & (fields["pdg"] == 0)


def _refuse_absent(
    kept: Any, absent: Any, chunk: Chunk, where: str, layout: Layout, *, drop: bool
) -> dict[str, tuple[int, str]]:
    """Remove entries without a shower from `kept`, or raise an error about the first of them."""
    absent = absent & kept
    if not absent.any():
        return {}
    kept &= ~absent
    count, entry = _entries(absent, layout.draws), chunk.start + int(np.argmax(absent)) // layout.draws
    if layout.shower:
        return {"no shower": (count, "")}
    usual = f'shower = "pi0", "photon", "electron" or a condition on particles in {layout.where}'
    if not layout.preset.final:
        usual = f"columns.t and columns.theta in {layout.where}"
    cut = f", or take only the others, as with selection = {layout.preset.electron!r}" if layout.preset.electron else ""
    message = (
        f"{where} entry {entry}: has no electron whose energy and angle preset {layout.preset.name!r} could take for"
        f" t and theta ({count} such entries among entries {chunk.start} to {chunk.stop}); name the particle with"
        f" {usual}{cut}"
    )
    if not drop:
        raise DataError(message)
    return {"no electron": (count, message)}


def _respond(columns: Columns, fields: dict[str, Any], layout: Layout, chunk: Chunk) -> Any:
    """Make the reconstructed columns if the sample has a response; return which entries pass its threshold."""
    if not layout.response:
        return np.ones(chunk.entries, dtype=bool)
    nucleus = np.asarray(columns["nucleus"], dtype=np.int64) if layout.nuclear else None
    fields["t_reco"], fields["theta_reco"], efficiency = responses.apply(
        layout.response,
        responses.visible(layout.response, fields["t"], nucleus),
        fields["theta"],
        key=responses.stream(layout.response, chunk.sample),
        first=chunk.first,
        draws=layout.draws,
    )
    efficiency /= layout.draws
    fields["weight"] = fields["weight"] * efficiency
    for name in ("t_reco", "theta_reco", "weight"):
        columns[name] = fields[name]
    columns[EFFICIENCY] = efficiency
    return efficiency > 0.0


def _refuse(
    columns: Columns,
    fields: dict[str, Any],
    codes: Any,
    kept: Any,
    chunk: Chunk,
    where: str,
    layout: Layout,
    *,
    drop: bool,
) -> dict[str, tuple[int, str]]:
    """Remove bad entries from `kept`, or raise an error about the first of them."""
    found: dict[str, tuple[int, str]] = {}
    always: dict[str, Any] = {name: fields[name] for name in ("t_reco", "theta_reco", "weight") if name in fields}
    worst: tuple[int, str] | None = None
    masses = _masses(columns) if layout.nuclear else None
    for kind, mask, sentence, column in bad_entries(codes, always):
        bad = mask & kept
        if not bad.any():
            continue
        entry = int(np.argmax(bad))
        values = {name: float(array[entry]) for name, array in fields.items()}
        if "e_nu" in values:
            e_nu = abs(values["e_nu"])
            values["limit"] = float(t_max(e_nu) if masses is None else t_max_nucleus(e_nu, masses[entry]))
        remedy = f"check the unit of columns.{column} in {layout.where}"
        if column not in layout.sources:
            remedy = f"check columns.t and the response in {layout.where}"
        message = f"{where} entry {chunk.start + entry // layout.draws}: {sentence.format(**values)}; {remedy}"
        found[kind] = (_entries(bad, layout.draws), message)
        if worst is None or entry < worst[0]:
            worst = (entry, message)
        kept &= ~bad
    if worst and not drop:
        total = sum(count for count, _ in found.values())
        others = f" ({total} such entries among entries {chunk.start} to {chunk.stop})" if total > 1 else ""
        raise DataError(f'{worst[1]}{others}, or leave them out with on_bad = "drop"')
    return found
