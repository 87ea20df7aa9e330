"""Weights of the events of an ntuple for a value of a coupling, written as a friend tree.

The friend has an entry for every entry of the ntuple, so that ROOT's ``AddFriend`` or a sample's `friends` puts both
together:

* `weight`: dsigma(value) / dsigma_SM at the entry's flavour, neutrino energy and electron energy; 1 for background;
* `coefficient_1`, ...: the part of the weight for each power of kappa, at the value `unit` of the coupling; 0 for
  background. So weight(v) = 1 + sum_p coefficient_p (kappa(v) / kappa(unit))^p. For a magnetic moment kappa is mu^2 up
  to a factor, and `coefficient_1` is the mu^2 coefficient for mu = 1e-10 mu_B.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from spectrafit.arraytypes import Floats, Values
from spectrafit.config import Column, Sample, SampleSet
from spectrafit.errors import ConfigError, nearest
from spectrafit.events import read
from spectrafit.events.files import expand, open_tree, tree_names
from spectrafit.events.presets import PRESETS, matching
from spectrafit.events.schema import ENTRY
from spectrafit.output import replacing
from spectrafit.physics.constants import SIN2_THETA_W
from spectrafit.physics.couplings import COUPLINGS, Coupling, FittedCoupling
from spectrafit.physics.weighing import weigh

__all__ = ["factors", "reweight"]

_UNITS = {"magnetic_moment": 1e-10}
"""Value of the coupling at which the coefficients are given, where it is not one unit of kappa."""


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
    found = _coupling(coupling)
    flat, nest = _flatten(pdg, e_nu, t)
    rows = weigh([FittedCoupling.of(found, carriers=carriers)], *flat, sin2_theta_w_generated=sin2_theta_w)
    weight, coefficients = _at(found, rows, value, unit)
    return nest(weight), tuple(nest(c) for c in coefficients)


def reweight(
    source: str | Path,
    destination: str | Path,
    *,
    coupling: str = "magnetic_moment",
    value: float = 1e-9,
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
        As in `factors`.
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
    found, target = _coupling(coupling), Path(destination)
    if on_bad not in ("error", "drop"):
        raise ConfigError(f"on_bad: {on_bad!r}; use 'error' or 'drop'")
    paths = expand(str(source), Path.cwd(), "reweight")
    if len(paths) != 1:
        raise ConfigError(f"reweight: {source} names {len(paths)} files; a friend is made of one file at a time")
    path, wanted = paths[0][0], paths[0][1] or tree
    if path == str(target.absolute()) or (target.exists() and Path(path).exists() and target.samefile(path)):
        raise ConfigError(f"reweight: {target} is the ntuple itself; write the friend to another file")
    _refuse_foreign(target)
    sample = Sample(
        name="reweight",
        role="signal",
        files=path,
        tree=wanted,
        preset=preset or _preset(path, wanted),
        columns=dict(columns or {}),
        on_bad="drop" if on_bad == "drop" else "error",
    )
    sample_set = SampleSet(samples=(sample,))
    inventory = read.scan(sample_set, sample, chunk_entries=chunk_entries)
    branches = ["weight", *(f"coefficient_{p}" for p in range(1, found.powers + 1))]
    carrying = found.carriers if carriers is None else tuple(carriers)
    given = f"{coupling} = {value:g} {found.unit}".rstrip()
    of = ", ".join(map(str, carrying))
    title = f"{given} of {of}; coefficients at {_unit(found, unit):g}; sin2_theta_w = {sin2_theta_w:g}"
    flavours: Counter[int] = Counter()
    total, extremes = 0.0, [1.0, 1.0]
    with replacing(target) as part, uproot.recreate(part, compression=uproot.ZSTD(3)) as out:
        friend = out.mktree(name, dict.fromkeys(branches, np.dtype(np.float64)), title=title)
        for chunk in inventory.chunks:
            events, _ = read.read(chunk, sample_set, sample, columns=(), extra=[ENTRY])
            rows = np.zeros((1 + found.powers, chunk.entries))
            rows[0] = 1.0
            rows[:, events[ENTRY].to_numpy() - chunk.first] = weigh(
                [FittedCoupling.of(found, carriers=carrying)],
                events["pdg"].to_numpy(),
                events["e_nu"].to_numpy(),
                events["t"].to_numpy(),
                sin2_theta_w_generated=sin2_theta_w,
            )
            weight, coefficients = _at(found, rows, value, unit)
            codes, counts = np.unique(events["pdg"].to_numpy(), return_counts=True)
            flavours.update(dict(zip(codes.tolist(), counts.tolist(), strict=True)))
            total += float(np.sum(weight))
            extremes = [min(extremes[0], float(np.min(weight))), max(extremes[1], float(np.max(weight)))]
            friend.extend(dict(zip(branches, (weight, *coefficients), strict=True)))
    nu_e = sum(count for code, count in flavours.items() if code)
    tell(
        f"{inventory.entries} entries, {nu_e} of them nu-e events; mean weight {total / inventory.entries:.6g}, from"
        f" {extremes[0]:.6g} to {extremes[1]:.6g}, relative to sin^2 theta_W = {sin2_theta_w:g}"
    )
    if extremes == [1.0, 1.0] and value != 0.0:
        seen = ", ".join(f"{count} of PDG code {code}" for code, count in flavours.items() if code) or "none"
        warnings.warn(
            f"{path}: every weight is 1: {coupling} is carried by {of}, and the nu-e events are {seen}; say with"
            " carriers which flavours have it, or take another file",
            stacklevel=2,
        )
    return target


def _refuse_foreign(target: Path) -> None:
    """Refuse to overwrite a file that holds anything but a friend tree that this module wrote."""
    if target.suffix != ".root":
        raise ConfigError(f"reweight: {target}: a friend is kept in a .root file; call the file {target.stem}.root")
    if not target.exists():
        return
    ours = False
    # A file that cannot be read was not written by this module.
    with suppress(Exception), uproot.open({str(target): None}) as file:
        held = [file[key] for key in file.keys(cycle=False)]
        names = [set(tree.keys()) for tree in held if isinstance(tree, uproot.TTree)]
        ours = len(held) == len(names) == 1 and "coefficient_1" in names[0]
        ours = ours and all(name == "weight" or name.startswith("coefficient_") for name in names[0])
    if not ours:
        raise ConfigError(
            f"reweight: {target}: exists already, and reweight did not write it; remove it, or name another file"
        )


def _coupling(name: str) -> Coupling:
    if name not in COUPLINGS:
        raise ConfigError(f"no coupling {name!r}{nearest(name, COUPLINGS)} (there are: {', '.join(COUPLINGS)})")
    return COUPLINGS[name]


def _unit(coupling: Coupling, unit: float | None) -> float:
    if unit is not None:
        return unit
    return _UNITS.get(coupling.name, coupling.reported(1.0))


def _at(coupling: Coupling, rows: Floats, value: float, unit: float | None) -> tuple[Floats, list[Floats]]:
    kappa, kappa_unit = coupling.kappa(value), coupling.kappa(_unit(coupling, unit))
    weight = rows[0] + sum(kappa**p * row for p, row in enumerate(rows[1:], start=1))
    return weight, [kappa_unit**p * row for p, row in enumerate(rows[1:], start=1)]


def _preset(path: str, tree: str) -> str:
    for name in [tree] if tree else tree_names(path):
        found = matching(name.rpartition("/")[2], open_tree(path, name).keys())
        if found:
            return found.name
    known = ", ".join(PRESETS)
    raise ConfigError(
        f"{path}: no preset reads its trees ({', '.join(tree_names(path)) or 'none'}); give one of {known} as preset,"
        " and columns for branches with other names"
    )


def _flatten(*arrays: Any) -> tuple[list[Values], Any]:
    """Return broadcast arrays as one-dimensional numpy, and a function that restores their structure in a result."""
    if not any(isinstance(array, ak.Array) for array in arrays):
        whole = np.broadcast_arrays(*arrays)
        shape = whole[0].shape
        return [np.ravel(a) for a in whole], lambda values: values.reshape(shape) if shape else values[0]
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
