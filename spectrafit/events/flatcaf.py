"""Chooses one neutrino and one electron per entry of a flat CAF, which has lists of both.

In a flat CAF every vector `P` of a record has a branch `P..length`; a vector inside another is flattened over the
whole record, with `P..length` and `P..idx` saying how many elements each parent has and where they begin. So the
primaries of neutrino i are elements ``prim..idx[i]`` to ``prim..idx[i] + prim..length[i]`` of every `prim` branch.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import awkward as ak
import numpy as np

from spectrafit.arraytypes import Integers, Values
from spectrafit.errors import DataError

__all__ = ["INTERACTION", "MODE", "NEEDS", "RULE", "choose", "companions"]

MODE, INTERACTION = 5, 1098
"""`genie_mode` and `genie_inttype` of neutrino-electron elastic scattering."""
RULE = "the candidate is the electron of highest energy among the primaries of the record's nu-e elastic interactions"
_NU, _PRIM = "rec.mc.nu", "rec.mc.nu.prim"
_RULED = (
    f"{_NU}..length",
    f"{_NU}.genie_mode",
    f"{_NU}.genie_inttype",
    f"{_PRIM}..idx",
    f"{_PRIM}..length",
    f"{_PRIM}.pdg",
    f"{_PRIM}.genE",
)
NEEDS = (*_RULED, f"{_NU}.E", f"{_NU}.pdg", f"{_NU}.momentum.x", f"{_PRIM}.genp.x")


@dataclass(frozen=True, slots=True)
class _Items:
    """Selected elements at one level of nesting.

    `entry` and `index` (M,) say which element of which record; `counts` the number of them per element of each level
    above, outermost (the record) first.
    """

    entry: Integers
    index: Integers
    counts: tuple[Integers, ...]


def companions(wanted: Collection[str], available: Collection[str]) -> set[str]:
    """Return the branches that `choose` needs besides the `wanted` ones, for its rule and for nested vectors."""
    inside = [name for name in wanted if name.startswith(_NU + ".")]
    if not inside:
        return set()
    vectors = {vector for name in inside for vector in _vectors(name, available)}
    return {*_RULED, *(f"{vector}..{what}" for vector in vectors for what in ("idx", "length"))}


def choose(raw: dict[str, Any]) -> dict[str, Any]:
    """Reduce every branch of `rec.mc.nu` to the candidate of its entry; leave the others as they are.

    `RULE` chooses the candidate electron; its neutrino is the candidate neutrino. An entry without a candidate keeps
    its first neutrino and has no electron.

    Parameters
    ----------
    raw : dict of branch to (N,) array of lists
        What was read, `companions` included.

    Returns
    -------
    dict
        Branches of the neutrino and of its primaries as (N,) float64, NaN where there is no candidate; those of deeper
        vectors as one list per entry.

    Raises
    ------
    DataError
        If the bookkeeping branches contradict each other.
    """
    if _RULED[0] not in raw:
        return raw
    neutrino, electron, entries = _candidates(raw)
    out = {}
    for name, values in raw.items():
        if not name.startswith(_NU + ".") or name.rpartition("..")[2] in ("idx", "length", "totarraysize"):
            out[name] = values
            continue
        items = neutrino
        for vector in _vectors(name, raw):
            items = electron if vector == _PRIM else _inside(items, raw, vector)
        out[name] = _nest(_take(values, items), items, entries)
    return out


def _vectors(name: str, available: Collection[str]) -> list[str]:
    """Return the vectors between the neutrino and a branch, outermost first, the branch itself if it is one."""
    parts = name.removeprefix(_NU + ".").split(".")
    paths = (".".join([_NU, *parts[: index + 1]]) for index in range(len(parts)))
    return [path for path in paths if f"{path}..length" in available and f"{path}..idx" in available]


def _candidates(raw: dict[str, Any]) -> tuple[_Items, _Items, int]:
    neutrinos = ak.to_numpy(raw[_RULED[0]]).astype(np.int64)
    entries = len(neutrinos)
    elastic = (raw[f"{_NU}.genie_mode"] == MODE) & (raw[f"{_NU}.genie_inttype"] == INTERACTION)
    counts = ak.to_numpy(ak.flatten(raw[f"{_PRIM}..length"])).astype(np.int64)
    primaries = ak.to_numpy(ak.num(raw[f"{_PRIM}.pdg"])).astype(np.int64)
    entry_of_nu = np.repeat(np.arange(entries), neutrinos)
    starts = ak.to_numpy(ak.flatten(raw[f"{_PRIM}..idx"])).astype(np.int64)
    before = np.cumsum(counts) - counts
    record = np.cumsum(primaries) - primaries
    if (
        len(counts) != len(entry_of_nu)
        or counts.sum() != primaries.sum()
        or np.any(before - record[entry_of_nu] != starts)
    ):
        raise DataError(
            f"{_PRIM}..idx and ..length do not partition {_PRIM}.pdg; the flat CAF was not filled by its writer"
        )
    owner = np.repeat(np.arange(len(counts)), counts)
    energy = ak.to_numpy(ak.flatten(raw[f"{_PRIM}.genE"])).astype(np.float64)
    is_electron = ak.to_numpy(ak.flatten(raw[f"{_PRIM}.pdg"])) == 11
    score = np.where(is_electron & ak.to_numpy(ak.flatten(elastic))[owner], energy, -np.inf)
    # Sorted by record, then by energy: the last of a record is its best.
    entry_of_primary = np.repeat(np.arange(entries), primaries)
    order = np.lexsort((score, entry_of_primary))
    last = np.cumsum(primaries) - 1
    best = np.full(entries, -1)
    best[primaries > 0] = order[last[primaries > 0]]
    found = (best >= 0) & (score[best] > -np.inf) if len(score) else np.zeros(entries, dtype=bool)
    chosen = np.zeros(entries, dtype=np.int64)
    first_nu = np.cumsum(neutrinos) - neutrinos
    chosen[found] = owner[best[found]] - first_nu[found]
    with_nu = neutrinos > 0
    neutrino = _Items(np.flatnonzero(with_nu), chosen[with_nu], (with_nu.astype(np.int64),))
    electron = _Items(np.flatnonzero(found), best[found] - record[found], (found.astype(np.int64),))
    return neutrino, electron, entries


def _take(values: ak.Array, items: _Items) -> Values:
    counts = ak.to_numpy(ak.num(values)).astype(np.int64)
    starts = np.cumsum(counts) - counts
    if np.any(items.index >= counts[items.entry]):
        raise DataError("a branch of rec.mc.nu has fewer elements than its ..length says; the flat CAF is damaged")
    taken: Values = ak.to_numpy(ak.flatten(values))[starts[items.entry] + items.index]
    return taken


def _inside(items: _Items, raw: dict[str, Any], vector: str) -> _Items:
    """Go one level down: all elements of `vector` inside the items."""
    starts = _take(raw[f"{vector}..idx"], items).astype(np.int64)
    counts = _take(raw[f"{vector}..length"], items).astype(np.int64)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    return _Items(np.repeat(items.entry, counts), np.repeat(starts, counts) + within, (*items.counts, counts))


def _nest(flat: Values, items: _Items, entries: int) -> Any:
    if len(items.counts) == 1:
        column = np.full(entries, np.nan)
        column[items.entry] = flat
        return column
    nested: Any = flat
    for counts in items.counts[:1:-1]:
        nested = ak.unflatten(nested, counts)
    per_entry = np.zeros(entries, dtype=np.int64)
    per_entry[items.counts[0] > 0] = items.counts[1]
    return ak.unflatten(nested, per_entry)
