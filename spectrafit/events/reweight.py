"""Weights of the events of an ntuple for a value of a coupling, written as a friend tree, or of arrays in memory.

The friend has an entry for every entry of the ntuple, so that ROOT's ``AddFriend`` or a sample's `friends` puts both
together:

* `weight`: dsigma(value) / dsigma_SM at the entry's flavour, neutrino energy and electron energy; 1 for background;
* `coefficient_1`, ...: the part of the weight for each power of kappa, at the value `unit` of the coupling; 0 for
  background. So weight(v) = 1 + sum_p coefficient_p (kappa(v) / kappa(unit))^p. For a magnetic moment kappa is mu^2 up
  to a factor, and `coefficient_1` is the mu^2 coefficient for mu = 1e-10 mu_B.

With several values or couplings there is a branch for each; `spectrafit.events.points.Points` says their names.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import awkward as ak
import numpy as np

from spectrafit.arraytypes import Floats, Values
from spectrafit.config import Column, Sample, SampleSet
from spectrafit.errors import ConfigError, DataError, nearest
from spectrafit.events.domain import classify
from spectrafit.events.files import expand, open_tree, tree_names
from spectrafit.events.friend_file import FriendTask, Weighed, refuse_foreign, write
from spectrafit.events.points import Points, Value
from spectrafit.events.presets import PRESETS, matching
from spectrafit.events.targets import process_of
from spectrafit.physics.constants import SIN2_THETA_W
from spectrafit.physics.flavours import FLAVOURS
from spectrafit.physics.kinematics import t_max

__all__ = ["factors", "preset_of", "process_of_file", "reweight", "told", "weights"]


def factors(
    pdg: Any,
    e_nu: Any,
    t: Any,
    *,
    coupling: str = "magnetic_moment",
    value: float = 1e-9,
    unit: float | None = None,
    sin2_theta_w: float = SIN2_THETA_W,
    carriers: Iterable[int | str] | None = None,
) -> tuple[Any, tuple[Any, ...]]:
    """Return the weight of events for a value of a coupling, and its coefficients.

    Parameters
    ----------
    pdg, e_nu, t : arrays of one structure, jagged or not
        Neutrino (0 for events that are not nu-e), neutrino energy and electron kinetic energy, GeV. They are broadcast.
    coupling : str
        One of `spectrafit.physics.COUPLINGS`.
    value : float
        Of the coupling, in its reported unit (mu_B for the magnetic moment).
    unit : float, optional
        Value the coefficients are for; default 1e-10 mu_B for the magnetic moment, one unit of kappa for the others.
    sin2_theta_w : float
        What the events were generated with.
    carriers : flavours that have the coupling; default the coupling's.

    Returns
    -------
    weight, coefficients : array and tuple of P arrays
        In the structure of the input; float64. Exactly 1 and 0 for background, for flavours without the coupling, and
        for events outside the domain.

    Raises
    ------
    ConfigError
        For an unknown coupling.
    """
    points = Points.of(coupling, value, carriers=carriers, unit=unit)
    flat, nest = _flatten(pdg, e_nu, t)
    weight, *coefficients = points(*flat, sin2_theta_w=sin2_theta_w).values()
    return nest(weight), tuple(nest(coefficient) for coefficient in coefficients)


def reweight(
    source: str | Path,
    destination: str | Path,
    *,
    coupling: str = "magnetic_moment",
    value: Value = 1e-9,
    unit: float | None = None,
    preset: str | None = None,
    tree: str = "",
    columns: Mapping[str, str | float | Column] | None = None,
    sin2_theta_w: float = SIN2_THETA_W,
    carriers: Iterable[int | str] | None = None,
    on_bad: str = "error",
    name: str = "spectrafit",
    chunk_entries: int = 1_000_000,
    tell: Callable[[str], None] = lambda _: None,
) -> Path:
    """Write the friend tree of an ntuple; see the top of this module for its branches.

    The ntuple is streamed chunk by chunk. The friend appears under its name when it is whole, or not at all.

    Parameters
    ----------
    source : str or Path
        ROOT file or URL, maybe followed by ``:tree``.
    destination : str or Path
        ROOT file to write.
    coupling, value, unit, sin2_theta_w, carriers
        As in `factors`; `value` may also be a mapping of couplings that act together.
    preset : str, optional
        Layout of the ntuple; by default the preset that its branches match.
    tree : str
        The ntuple's tree; default the preset's.
    columns : mapping, optional
        Columns laid over the preset's, as in a sample set.
    on_bad : {"error", "drop"}
        What to do with nu-e entries outside the domain; "drop" leaves them with weight 1.
    name : str
        Name of the tree that is written.
    chunk_entries : int
        Entries held at once.
    tell : callable, optional
        Function that is called with a sentence about the tree: entries, mean weight, and reference of the weights.

    Warns
    -----
    UserWarning
        No event has a neutrino that carries the coupling, so every weight is 1.

    Returns
    -------
    Path
        `destination`.

    Raises
    ------
    ConfigError, DataError
        The ntuple cannot be read, an entry is outside the domain, or the output cannot be written.
    """
    points, target = Points.of(coupling, value, carriers=carriers, unit=unit), Path(destination)
    if on_bad not in ("error", "drop"):
        raise ConfigError(f"on_bad: {on_bad!r}; use 'error' or 'drop'")
    paths = expand(str(source), Path.cwd(), "reweight")
    if len(paths) != 1:
        raise ConfigError(
            f"reweight: {source} names {len(paths)} files; a friend is made of one file at a time, name a folder for"
            " the friends of many"
        )
    path, wanted = paths[0][0], paths[0][1] or tree
    if path == str(target.absolute()) or (target.exists() and Path(path).exists() and target.samefile(path)):
        raise ConfigError(f"reweight: {target} is the ntuple itself; write the friend to another file")
    refuse_foreign(target)
    layout = preset or preset_of(path, wanted)
    sample = Sample(
        name="reweight",
        role="signal",
        files=path,
        tree=wanted,
        preset=layout,
        process=process_of_file(path, wanted, layout),
        columns=dict(columns or {}),
        on_bad="drop" if on_bad == "drop" else "error",
    )
    found = write(
        FriendTask(
            source=path,
            target=target,
            sample_set=SampleSet(samples=(sample,)),
            sample=sample,
            points=points,
            sin2_theta_w=sin2_theta_w,
            tree=name,
            chunk_entries=chunk_entries,
        )
    )
    tell(told(found, points, sin2_theta_w))
    return target


def told(found: Weighed, points: Points, sin2_theta_w: float) -> str:
    """Return a sentence about a friend with one weight, and warn if no event carries the coupling."""
    if found.least == found.most == 1.0 and points.changes:
        seen = ", ".join(f"{count} of PDG code {code}" for code, count in found.flavours.items()) or "none"
        of = ", ".join(map(str, points.carrying))
        warnings.warn(
            f"{found.source}: every weight is 1: {', '.join(points.couplings)} is carried by {of}, and the nu-e events"
            f" are {seen}; say with carriers which flavours have it, or take another file",
            stacklevel=3,
        )
    (mean,) = found.means.values()
    return (
        f"{found.entries} entries, {found.nu_e} of them nu-e events; mean weight {mean:.6g}, from {found.least:.6g} to"
        f" {found.most:.6g}, relative to sin^2 theta_W = {sin2_theta_w:g}"
    )


def weights(
    events: Any,
    coupling: str = "magnetic_moment",
    value: Value = 1e-9,
    *,
    columns: Mapping[str, str] | None = None,
    sin2_theta_w: float = SIN2_THETA_W,
    carriers: Iterable[int | str] | None = None,
    on_bad: str = "error",
) -> Any:
    """Return the weight of events in memory for a value of a coupling.

    Parameters
    ----------
    events : awkward record array, numpy structured array, or mapping of arrays
        With `pdg` (the neutrino's code; what is no neutrino's is background), `e_nu` and `t`, the true electron kinetic
        energy, in GeV. The arrays may be jagged.
    coupling : str
        One of `spectrafit.physics.COUPLINGS`.
    value : float or mapping of coupling to float
        Of the coupling, in its reported unit; or of several couplings that act together.
    columns : mapping of str to str, optional
        What `pdg`, `e_nu` or `t` is called in `events`, where that is otherwise.
    sin2_theta_w, carriers
        As in `factors`.
    on_bad : {"error", "drop"}
        What to do with nu-e events outside the kinematics; "drop" leaves them with weight 1.

    Returns
    -------
    array
        In the structure of the columns; float64. 1 for background and for flavours without the coupling.

    Raises
    ------
    ConfigError
        An unknown coupling; a column that is not there.
    DataError
        A nu-e event is outside the kinematics.
    """
    if on_bad not in ("error", "drop"):
        raise ConfigError(f"on_bad: {on_bad!r}; use 'error' or 'drop'")
    points = Points.of(coupling if isinstance(value, float | int) else (), [value], carriers=carriers)
    names = {name: (columns or {}).get(name, name) for name in ("pdg", "e_nu", "t")}
    dtype = getattr(events, "dtype", None)
    known = tuple(getattr(events, "fields", None) or getattr(dtype, "names", None) or events)
    for name, called in names.items():
        if called not in known:
            raise ConfigError(
                f"weights: no column {called!r} for {name}{nearest(called, known)} (there are:"
                f" {', '.join(map(str, known))}); say with columns what {name} is called"
            )
    flat, nest = _flatten(*(events[called] for called in names.values()))
    pdg = np.where(np.isin(flat[0], list(FLAVOURS.values())), flat[0], 0).astype(np.int32)
    e_nu, t = (np.asarray(values, dtype=np.float64) for values in flat[1:])
    codes, within = classify(pdg, e_nu, t, None)
    bad = np.flatnonzero(codes > 1)
    if bad.size and on_bad == "error":
        entry = int(bad[0])
        limit = (
            f"needs 0 < t <= {float(t_max(abs(e_nu[entry]))):.6g} GeV" if np.isfinite(e_nu[entry]) else "needs numbers"
        )
        raise DataError(
            f"weights: event {entry}: t = {t[entry]:g} GeV at e_nu = {e_nu[entry]:g} GeV is no nu-e scattering"
            f' ({limit}; {bad.size} such events); check the units, or leave them at weight 1 with on_bad = "drop"'
        )
    return nest(points(pdg, e_nu, within, sin2_theta_w=sin2_theta_w)[points.weights[0]])


def preset_of(path: str, tree: str) -> str:
    """Return the preset that reads a file by its branches; ConfigError if none does."""
    for name in [tree] if tree else tree_names(path):
        found = matching(name.rpartition("/")[2], open_tree(path, name).keys())
        if found:
            return found.name
    known = ", ".join(PRESETS)
    raise ConfigError(
        f"{path}: no preset reads its trees ({', '.join(tree_names(path)) or 'none'}); give one of {known} as preset,"
        " and columns for branches with other names"
    )


def process_of_file(path: str, tree: str, preset: str) -> Literal["electron", "nucleus"]:
    """Return what the neutrinos of a file scattered on; `tree` may be "" for the tree that the preset reads."""
    for name in [tree] if tree else tree_names(path):
        branches = open_tree(path, name).keys()
        found = matching(name.rpartition("/")[2], branches)
        if tree or (found and found.name == preset):
            return process_of(branches, preset)
    return "electron"


def _flatten(*arrays: Any) -> tuple[list[Values], Any]:
    """Return broadcast arrays as one-dimensional numpy, and a function that restores their structure in a result."""
    if not any(isinstance(array, ak.Array) for array in arrays):
        whole = np.broadcast_arrays(*arrays)
        shape = whole[0].shape
        return [np.ravel(array) for array in whole], lambda values: values.reshape(shape) if shape else values[0]
    broadcast = ak.broadcast_arrays(*arrays)
    counts = []
    layers = list(broadcast)
    while layers[0].ndim > 1:
        counts.append(ak.num(layers[0], axis=1))
        layers = [ak.flatten(layer, axis=1) for layer in layers]

    def nest(values: Floats) -> Any:
        nested: Any = ak.Array(values)
        for count in reversed(counts):
            nested = ak.unflatten(nested, count)
        return nested

    return [ak.to_numpy(layer) for layer in layers], nest
