"""Inspects a ROOT file: its trees, the preset that reads it, nu-e events and showers, ranges, exposure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrafit.config import Sample, SampleSet
from spectrafit.events import read
from spectrafit.events.exposure import pot_of
from spectrafit.events.files import expand, open_file, open_tree, refusing, tree_names
from spectrafit.events.layout import solve
from spectrafit.events.linked import link
from spectrafit.events.presets import PRESETS, Preset, matching
from spectrafit.events.schema import DropReport
from spectrafit.events.targets import process_of
from spectrafit.physics.compiled import interpreted
from spectrafit.physics.kinematics import theta

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Inspection", "TreeSummary", "inspect"]

_NEUTRINOS = {12: "nu_e", -12: "anti-nu_e", 14: "nu_mu", -14: "anti-nu_mu", 16: "nu_tau", -16: "anti-nu_tau"}
# How many events are compared with the kinematics.
_COMPARED = 1000
# A direction in float32 leaves theta good to a few 1e-3 at the smallest angles; a wrong axis is off by far more.
_THETA_TOLERANCE = 0.02
_POT = "pot = ...  # a number, or a table with histogram, branch, or flux, cross_section and targets"
_LISTED = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class TreeSummary:
    """One tree: its name, entries, branches as (name, type), and the preset that reads it, if any."""

    name: str
    entries: int
    branches: tuple[tuple[str, str], ...]
    preset: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """The contents of a file.

    Attributes
    ----------
    path : str
    size : int
        Bytes.
    trees : tuple of TreeSummary
    objects : tuple of (name, class)
        Everything else in the file.
    tree, preset : str or None
        The tree that was read and the preset it was read with; None where no preset fits.
    entries, nu_e : int
        Entries of that tree, and how many of them are nu-e elastic events in the domain of the cross section.
    flavours : dict of str to int
        nu-e events per neutrino; empty if the tree does not name the neutrino.
    e_nu, t : (low, high) or None
        Ranges in GeV, over the nu-e events if there are any, else over all entries; `t` over those with an electron.
    electrons : int
        Entries with an electron that the preset takes `t` from, nu-e or not.
    process : "electron" or "nucleus"
        What the neutrinos scattered on.
    showers : dict of str to int
        For a file without nu-e events: how many of its first entries have a particle of each kind that `shower` knows.
    reconstructed : bool
        Whether the tree has `t_reco` as well.
    theta_deviation : float or None
        Median of abs(theta / theta(e_nu, t) - 1) over the first nu-e events, a thousand at most.
    pot : float or None
    report : DropReport
    notes : tuple of str
        Sentences on what to know or to do.
    """

    path: str
    size: int
    trees: tuple[TreeSummary, ...]
    objects: tuple[tuple[str, str], ...] = ()
    tree: str | None = None
    preset: str | None = None
    entries: int = 0
    nu_e: int = 0
    flavours: dict[str, int] = field(default_factory=dict)
    e_nu: tuple[float, float] | None = None
    t: tuple[float, float] | None = None
    electrons: int = 0
    process: str = "electron"
    showers: dict[str, int] = field(default_factory=dict)
    reconstructed: bool = False
    theta_deviation: float | None = None
    pot: float | None = None
    report: DropReport = field(default_factory=DropReport)
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the contents as plain text, one fact a line."""
        lines = [f"{self.path}  ({self.size / 1e6:.3g} MB)"]
        width = max((len(t.name) for t in self.trees), default=0)
        for tree in self.trees:
            preset = f"  preset {tree.preset}" if tree.preset else ""
            lines.append(f"  tree {tree.name:{width}}  {tree.entries} entries, {len(tree.branches)} branches{preset}")
        if self.objects:
            lines.append("  also " + ", ".join(f"{name} ({kind})" for name, kind in self.objects))
        lines += [f"  {label:<7}{text}" for label, text in self._facts()]
        lines += [f"  note   {note}" for note in self.notes]
        if self.preset:
            lines += ["", *self._snippet()]
        elif self.trees:
            lines += ["", *self._branches(), "", *self._skeleton()]
        return "\n".join(lines)

    @property
    def start(self) -> str:
        """The `[[samples]]` table to start a sample set from, "" for a file without trees."""
        return "\n".join(self._snippet() if self.preset else self._skeleton() if self.trees else [])

    def __rich__(self) -> RenderableType:
        """Give rich the plain text, so that brackets are not taken for markup."""
        from rich.text import Text

        return Text(str(self))

    def _facts(self) -> list[tuple[str, str]]:
        if not self.preset:
            return []
        flavours = ", ".join(f"{count} {name}" for name, count in self.flavours.items())
        facts = [
            (
                "nu-e" if self.process == "electron" else "nu-A",
                f"{self.nu_e} of {self.entries} entries" + (f" ({flavours})" if flavours else ""),
            )
        ]
        of = f"{facts[0][0]} events" if self.nu_e else "all entries"
        if self.e_nu:
            facts.append(("E_nu", f"{self.e_nu[0]:.4g} to {self.e_nu[1]:.4g} GeV"))
        if self.t:
            of = of if self.nu_e or self.electrons == self.entries else f"E_nu of {of}, T of {self.electrons} electrons"
            facts.append(("T", f"{self.t[0]:.4g} to {self.t[1]:.4g} GeV  ({'both of ' if self.nu_e else ''}{of})"))
        if self.showers:
            counted = ", ".join(f"{kind} {count}" for kind, count in self.showers.items())
            facts.append(("shower", f"entries with a particle that showers, of the first ones: {counted}"))
        if self.theta_deviation is not None:
            facts.append(("theta", f"agrees with the exact kinematics to {self.theta_deviation:.1e} (median)"))
        facts.append(("POT", f"{self.pot:.6g}" if self.pot else "not in the file"))
        return facts

    def _snippet(self) -> list[str]:
        role = "signal" if self.nu_e else "background"
        name = Path(self.path).name.split(".")[0]
        lines = ["[[samples]]", f'name = "{name}"', f'role = "{role}"', f'files = "{self.path}"']
        lines.append(f'preset = "{self.preset}"')
        if self.process == "nucleus":
            lines.append('process = "nucleus"  # coherent scattering: t is the recoil of the nucleus')
        if self.preset and self.tree not in PRESETS[self.preset].trees:
            lines.append(f'tree = "{self.tree}"')
        if not self.nu_e and 2 * self.electrons < self.entries and max(self.showers.values(), default=0):
            lines.append(
                f'shower = "{max(self.showers, key=self.showers.__getitem__)}"  # the particle taken for an electron'
            )
        elif not self.nu_e and not self.electrons and PRESETS[self.preset or ""].electron:
            lines.append("columns.t = ...  # of the particle seen as an electron, GeV; and columns.theta, rad")
        elif self.electrons < self.entries and PRESETS[self.preset or ""].electron:
            lines.append(f'selection = "{PRESETS[self.preset or ""].electron}"  # only these have an electron')
        if self.nu_e and not self.flavours:
            lines.append("columns.pdg = 14  # the neutrino these files were made with")
        if not self.pot:
            lines.append(_POT)
        if not self.reconstructed:
            lines.append("response = true  # truth only: reconstructed columns come from the set's [response]")
        return lines

    def _skeleton(self) -> list[str]:
        """Return what to fill in for trees that no preset reads."""
        largest = max(self.trees, key=lambda t: t.entries)
        return [
            "[[samples]]",
            f'name = "{Path(self.path).name.split(".")[0]}"',
            'role = "signal"  # or "background"',
            f'files = "{self.path}"',
            f'tree = "{largest.name}"',
            _POT,
            '[samples.columns]  # each a branch, { branch = "...", unit = "MeV" } or { expression = "..." }',
            "pdg = ...  # of the neutrino",
            "e_nu = ...  # true energy of the neutrino, GeV",
            "t = ...  # true kinetic energy of the electron, GeV: its energy less 0.000511",
            "theta = ...  # true angle of the electron to the neutrino, rad",
            "t_reco = ...  # reconstructed, GeV; without these two: response = true",
            "theta_reco = ...",
        ]

    def _branches(self) -> list[str]:
        largest = max(self.trees, key=lambda t: t.entries)
        shown = [f"    {name}  {kind}" for name, kind in largest.branches[:_LISTED]]
        rest = len(largest.branches) - len(shown)
        return [f"  branches of {largest.name}:", *shown, *([f"    ... and {rest} more"] if rest > 0 else [])]


def inspect(path: str | Path) -> Inspection:
    """Look into a ROOT file.

    Parameters
    ----------
    path : str or Path
        File or URL, maybe followed by ``:tree``.

    Returns
    -------
    Inspection
        `print` it to read it.

    Raises
    ------
    DataError
        The file cannot be read, or only by another program; the message says what to do.
    """
    found = expand(str(path), Path.cwd(), "inspect")
    file, wanted = found[0]
    opened = open_file(file)
    names = tree_names(file)
    trees = tuple(_summary(file, name) for name in ([wanted] if wanted else names))
    with refusing(file):
        classes = opened.classnames(cycle=False)
        size = int(opened.file.source.num_bytes)
    objects = tuple((name, kind) for name, kind in classes.items() if name not in names and kind != "TDirectory")
    chosen = next((tree for tree in trees if tree.preset), None)
    common: dict[str, Any] = {"path": file, "size": size, "trees": trees, "objects": objects}
    if chosen is None or chosen.preset is None:
        note = (
            "no preset reads these trees; `spectrafit new FOLDER FILES` proposes columns from their names and values"
            if trees
            else "there is no tree in this file"
        )
        return Inspection(**common, notes=(note,))
    if not chosen.entries:
        notes = ("the tree is empty; check the job that wrote it",)
        return Inspection(**common, tree=chosen.name, preset=chosen.preset, notes=notes)
    return Inspection(**common, **_contents(file, chosen, PRESETS[chosen.preset]))


def _summary(path: str, name: str) -> TreeSummary:
    tree = open_tree(path, name)
    with refusing(path):
        names = tree.keys()
        branches = tuple((branch, _kind(tree[branch])) for branch in names)
        preset = matching(name.rpartition("/")[2], names)
        return TreeSummary(
            name=name,
            entries=int(tree.num_entries),
            branches=branches,
            preset=preset.name if preset else None,
        )


def _kind(branch: Any) -> str:
    """Return the type of a branch, or that there is none numbers can be read as: the others may be sound."""
    try:
        leaves = [leaf.member("fName") for leaf in branch.member("fLeaves")] if hasattr(branch, "member") else []
        if len(leaves) > 1:
            return f"leaves {', '.join(leaves)}"
        return str(branch.typename)
    except Exception as error:
        return f"not readable ({type(error).__name__})"


def _showers(path: str, tree: str, preset: Preset, branches: Collection[str]) -> dict[str, int]:
    """Count the entries of the first chunk that have a particle of each kind."""
    if preset.final is None or not set(branches).issuperset(preset.final.branches):
        return {}
    found = {}
    for kind in ("electron", "photon", "pi0"):
        sample = Sample(name="inspect", role="background", files=path, tree=tree, preset=preset.name, shower=kind)
        sample_set = SampleSet(samples=(sample,))
        chunk = read.scan(sample_set, sample).chunks[0]
        _, report = read.read(chunk, sample_set, sample, columns=("t",))
        found[kind] = report.kept
    return found


def _contents(path: str, tree: TreeSummary, preset: Preset) -> dict[str, Any]:
    """Read the tree through its preset and count."""
    branches = link([(path, tree.name)]).branches
    says_flavour = any(column.branch in branches for column in preset.columns.get("pdg", ()))
    # If the tree does not name the neutrino, any code will do to count the events.
    process = process_of(branches, preset.name)
    sample = Sample(
        name="inspect",
        role="signal",
        files=path,
        tree=tree.name,
        preset=preset.name,
        process=process,
        columns={} if says_flavour else {"pdg": 1.0},
        on_bad="drop",
    )
    sample_set = SampleSet(samples=(sample,))
    inventory = read.scan(sample_set, sample)
    counts: Counter[int] = Counter()
    ranges = {(name, of): (math.inf, -math.inf) for name in ("e_nu", "t") for of in (True, False)}
    deviation, electrons = None, 0
    report = DropReport()
    for chunk in inventory.chunks:
        events, dropped = read.read(chunk, sample_set, sample, columns=("pdg", "e_nu", "t", "theta"))
        report += dropped
        columns = {name: events[name].to_numpy() for name in events.fields}
        elastic = columns["pdg"] != 0
        electrons += int(np.count_nonzero(np.isfinite(columns["t"])))
        for code, count in zip(*np.unique(columns["pdg"][elastic], return_counts=True), strict=True):
            counts[int(code)] += int(count)
        for (name, of), (low, high) in ranges.items():
            values = columns[name][elastic] if of else columns[name]
            values = values[np.isfinite(values)]
            if len(values):
                ranges[name, of] = (min(low, float(values.min())), max(high, float(values.max())))
        if deviation is None and process == "electron" and "theta" in columns and elastic.any():
            some = np.flatnonzero(elastic)[:_COMPARED]
            with np.errstate(divide="ignore", invalid="ignore"), interpreted():
                exact = theta(columns["e_nu"][some], columns["t"][some])
                deviation = float(np.nanmedian(np.abs(columns["theta"][some] / exact - 1.0)))
    nu_e = sum(counts.values())
    shown = {name: ranges[name, nu_e > 0] for name in ("e_nu", "t")}
    return {
        "tree": tree.name,
        "preset": preset.name,
        "entries": tree.entries,
        "nu_e": nu_e,
        "flavours": {_NEUTRINOS.get(code, str(code)): count for code, count in counts.most_common()}
        if says_flavour
        else {},
        **{name: limits if limits[0] <= limits[1] else None for name, limits in shown.items()},
        "electrons": electrons,
        "process": process,
        "showers": {} if nu_e else _showers(path, tree.name, preset, branches),
        "reconstructed": "t_reco" in solve(sample_set, sample, branches, path).sources,
        "theta_deviation": deviation,
        "pot": pot_of(sample_set, sample, [path], tree.entries),
        "report": report,
        "notes": _notes(preset, nu_e, electrons, says_flavour=says_flavour, deviation=deviation, report=report),
    }


def _notes(
    preset: Preset, nu_e: int, electrons: int, *, says_flavour: bool, deviation: float | None, report: DropReport
) -> tuple[str, ...]:
    notes = []
    if not nu_e:
        notes.append("no nu-e elastic events here: nothing to reweight; it can serve as a background")
        if preset.electron and not electrons:
            notes.append("no entry has an electron: say which particle is seen instead, as below")
    elif not says_flavour:
        missing = ", ".join(column.branch for column in preset.columns["pdg"])
        notes.append(f"no branch {missing}: say which neutrino it was, as in columns.pdg = 14")
    if deviation is not None and deviation > _THETA_TOLERANCE:
        notes.append("theta disagrees with the kinematics; is it measured from the neutrino's direction, and in rad?")
    if report.bad:
        notes.append(str(report))
    return tuple(notes)
