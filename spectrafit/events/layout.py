"""Finds out how each column of a sample is made from the branches of its tree."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from spectrafit.config import Column, Response, Sample, SampleSet
from spectrafit.errors import ConfigError, DataError, nearest
from spectrafit.events import expressions, presets
from spectrafit.events import response as responses
from spectrafit.events.expressions import Expression
from spectrafit.events.functions import is_text, passes
from spectrafit.events.schema import CANONICAL, CANONICAL_UNITS, DRAW, EFFICIENCY, ENTRY, convert
from spectrafit.events.shower import Quantity
from spectrafit.events.targets import refuse_nuclei

__all__ = ["ColumnSource", "Columns", "Layout", "response_of", "solve"]

_NEEDED = {"signal": ("pdg", "e_nu", "t"), "background": (), "data": ()}
_READ = {"signal": CANONICAL, "background": CANONICAL[1:], "data": ("t_reco", "theta_reco", "weight")}


@dataclass(frozen=True, slots=True)
class ColumnSource:
    """How one column is computed: an expression of branches in a unit, or one number for all entries."""

    expression: Expression | Quantity | None
    number: float
    unit: str | None
    where: str
    preset: bool = False

    @property
    def is_branch(self) -> bool:
        """Whether the column is a branch without any change."""
        return self.expression is not None and self.expression.is_column

    def is_named(self, name: str) -> bool:
        """Tell whether it is the branch called `name`, in a unit that changes nothing."""
        return (
            self.is_branch
            and self.expression is not None
            and self.expression.text == name
            and self.unit in CANONICAL_UNITS
        )

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches it reads."""
        return self.expression.variables if self.expression else ()


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How the columns of one sample come from one tree.

    Attributes
    ----------
    preset : Preset
    sources : dict of column to ColumnSource
    role : str
        Role of the sample: a signal needs `pdg`, `e_nu` and `t`, and data have no truth.
    elastic, selection : Expression or None
    response : Response or None
        Makes `t_reco` and `theta_reco` where the files hold truth only.
    shower : bool
        Whether `t` and `theta` are those of the sample's `shower`.
    nuclear : bool
        Whether neutrinos scatter on nuclei.
    branches : frozenset of str
    ambiguous : dict of name to str
        Names that could mean two branches and are refused, with the reason.
    where : str
        Sample set and sample, for messages.
    """

    preset: presets.Preset
    sources: Mapping[str, ColumnSource]
    role: str
    elastic: Expression | None
    selection: Expression | None
    response: Response | None
    branches: frozenset[str]
    where: str
    shower: bool = False
    nuclear: bool = False
    ambiguous: Mapping[str, str] = field(default_factory=dict)

    def canonical(self, wanted: Collection[str] = CANONICAL) -> tuple[str, ...]:
        """Return the canonical columns to read: those `wanted` that the files have, and those the sample needs."""
        must = (
            *_NEEDED[self.role],
            "weight",
            *(("t", "theta") if self.response else ()),
            *(("t",) if self.shower else ()),
        )
        return tuple(name for name in _READ[self.role] if name in self.sources and (name in wanted or name in must))

    def needed(self, extra: Collection[str] = (), canonical: Collection[str] = CANONICAL) -> set[str]:
        """Return the branches to read for canonical columns, the selection and `extra` columns or expressions.

        Raises
        ------
        ConfigError
            An expression names something that is neither a column nor a branch.
        """
        wanted: set[str] = set()
        for name in self.canonical(canonical):
            wanted.update(self.sources[name].branches)
        if self.elastic:
            wanted.update(self.elastic.variables)
        texts = [self.expression(text) for text in (*extra, *(["nucleus"] if self.nuclear else []))]
        for expression in [*texts, *([self.selection] if self.selection else [])]:
            for name in expression.variables:
                self.refuse_hidden(name, expression.text)
                wanted.update(self._branches_of(name, expression.text))
        if self.preset.companions:
            wanted |= self.preset.companions(wanted, self.branches)
        return wanted

    def expression(self, text: str) -> Expression:
        """Return the column or branch of this name, or else the compiled expression."""
        return expressions.column(text) if self.has(text) else expressions.compile(text)

    def has(self, name: str) -> bool:
        """Tell whether `name` is a column or a branch, not an expression."""
        return name in self.sources or name in self.branches or self._made(name)

    def refuse_hidden(self, name: str, text: str, *, lists: bool = False) -> None:
        """Refuse a name within an expression that could mean a column of the preset or another branch.

        Parameters
        ----------
        name, text : str
            The name, and the expression it stands in.
        lists : bool
            Refuse only branches that are lists of the final state: a cut on all samples means columns, not lists.

        Raises
        ------
        ConfigError
            With the remedy.
        """
        source = self.sources.get(name)
        if name == text or name not in self.branches or source is None or not source.preset:
            return
        nothing = name == "pdg" and self.role != "signal"
        listed = self.preset.final is not None and name in self.preset.final.lists
        if (source.is_named(name) and not nothing) or (lists and not listed):
            return
        meant = f"{source.expression.text!r}" if source.expression else "a number"
        meant = f"0, as the sample is {self.role}" if nothing else meant if len(meant) < 40 else "other branches"
        raise ConfigError(
            f"{self.where}: {text!r}: {name!r} is a branch of the tree, and also a column that preset"
            f" {self.preset.name!r} makes of {meant}; for the branch give it a name of its own, columns.my_{name} ="
            f" {name!r}, and write my_{name}; for the column, define columns.{name}"
        )

    @property
    def draws(self) -> int:
        """How often the response smears each entry, 1 without one."""
        return self.response.draws if self.response else 1

    def _made(self, name: str) -> bool:
        return name in (ENTRY, EFFICIENCY, DRAW) or (self.response is not None and name in ("t_reco", "theta_reco"))

    def _branches_of(self, name: str, text: str) -> tuple[str, ...]:
        if self._made(name):
            return ()
        if name in self.sources:
            return self.sources[name].branches
        if name in self.branches:
            return (name,)
        if name in ("pdg", "weight"):
            # Every sample has pdg and weight: pdg is 0 for events that are not nu-e, weight is 1 without a branch.
            return ()
        if name in self.ambiguous:
            raise ConfigError(f"{self.where}: {name!r} in {text!r} {self.ambiguous[name]}")
        known = {*CANONICAL, *self.sources, *self.branches} - {name}
        near = nearest(name, known)
        what = f"no column or branch {name!r}{near}" + ("" if text == name else f", wanted by {text!r}")
        remedy = "; these files do not hold it: define it under columns" if name in CANONICAL else ""
        raise ConfigError(f"{self.where}: {what}{remedy}")


class Columns(Mapping[str, Any]):
    """The columns of one chunk, each computed when it is first asked for; names are columns first, then branches.

    Where the response smears an entry several times, `raw` holds it as often, and `rows` counts all of its draws.
    """

    def __init__(self, layout: Layout, raw: Mapping[str, Any], first: int, rows: int) -> None:
        self._layout, self._raw, self._first, self._rows = layout, raw, first, rows
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Return a column, or a branch unchanged."""
        if name in self._known:
            return self._known[name]
        if name in self._layout.sources:
            self._known[name] = self._compute(name, self._layout.sources[name])
            return self._known[name]
        if name == ENTRY:
            return self._first + np.arange(self._rows) // self._layout.draws
        if name == DRAW:
            return np.arange(self._rows) % self._layout.draws
        return np.ones(self._rows) if name == EFFICIENCY else self._raw[name]

    def __setitem__(self, name: str, values: Any) -> None:
        """Put a column that was made otherwise, such as one from a response."""
        self._known[name] = values

    def __iter__(self) -> Iterator[str]:
        """Name everything that can be asked for."""
        return iter(dict.fromkeys((ENTRY, EFFICIENCY, DRAW, *self._known, *self._layout.sources, *self._raw)))

    def __len__(self) -> int:
        """Return how many names there are."""
        return len(list(iter(self)))

    def evaluate(self, expression: Expression) -> Any:
        """Evaluate an expression of columns and branches; a constant becomes (N,)."""
        return self._full(expression(self))

    def extra(self, text: str) -> Any:
        """Return the column or branch of this name, or else the value of the expression."""
        return self[text] if self._layout.has(text) else self.evaluate(expressions.compile(text))

    def passes(self, expression: Expression, what: str) -> Any:
        """Return which entries a condition of columns and branches takes, (N,) bool; NaN takes none."""
        try:
            return passes(self.evaluate(expression))
        except ValueError as error:
            raise ConfigError(f"{what}: {expression.text!r} {error}") from None

    def of_branches(self, expression: Expression | Quantity) -> Any:
        """Evaluate an expression of branches, as those of a column's definition are."""
        return self._full(expression(self._raw))

    def _full(self, values: Any) -> Any:
        return values if getattr(values, "ndim", 0) else np.full(self._rows, values)

    def _compute(self, name: str, source: ColumnSource) -> Any:
        values = self._raw[source.expression.text] if source.expression and source.expression.is_column else None
        # An unchanged branch stays in single precision; computed columns are double.
        single = isinstance(values, np.ndarray) and values.dtype == np.float32 and source.unit in CANONICAL_UNITS
        if values is None or not (single or name == "pdg"):
            values = self.of_branches(source.expression) if source.expression else self._full(source.number)
        if name in CANONICAL and is_text(values):
            raise DataError(f"{source.where}: holds text, but {name} must be a number; name a branch of numbers")
        values = convert(values, name, source.unit, source.where)
        if name in CANONICAL and not isinstance(values, np.ndarray):
            text = source.expression.text if source.expression else name
            raise DataError(
                f"{source.where}: {text!r} holds a list per entry, but {name} must be one number; reduce the list with"
                " [0], Max$(...) or Sum$(...)"
            )
        return values


def response_of(sample_set: SampleSet, sample: Sample) -> Response | None:
    """Return the response that makes the sample's reconstructed columns: its own, the set's (`true`), or none."""
    found = sample_set.response if sample.response is True else sample.response or None
    return found and responses.resolved(found, sample_set.folder, f"{sample_set.path or 'samples'}: response")


def solve(
    sample_set: SampleSet,
    sample: Sample,
    branches: Collection[str],
    where: str,
    *,
    ambiguous: Mapping[str, str] = MappingProxyType({}),
) -> Layout:
    """Find out how each column of a sample comes from the branches of its tree.

    Parameters
    ----------
    branches : collection of str
        What the tree and its friends have.
    where : str
        File and tree, for messages.
    ambiguous : mapping of name to str, optional
        Names that could mean two branches, and why; see `Linked`.

    Raises
    ------
    ConfigError
        A column has no clear definition, or an expression cannot be read.
    DataError
        A branch does not exist. The message has the nearest names.
    """
    home = f"{sample_set.path or 'samples'}: {sample.name}"
    preset = presets.find(sample.preset, f"{home}.preset")
    available = frozenset(branches)
    response = response_of(sample_set, sample)
    refuse_nuclei(sample, available, where)
    if response and sample.role == "data":
        raise ConfigError(f"{home}.response: data have no true columns that a response could smear; leave it out")
    sources = _shower(sample, preset, available, home, where) if sample.shower else {}
    for name, ways in preset.columns.items():
        if name in sample.columns or name in sources or (response and name in ("t_reco", "theta_reco")):
            continue
        for column in ways:
            source = replace(_source(column, f"{home}.columns.{name}"), preset=True)
            if available.issuperset(source.branches):
                sources[name] = source
                break
    for name, said in sample.columns.items():
        key = f"{home}.columns.{name}"
        if response and name in ("t_reco", "theta_reco"):
            raise ConfigError(f"{key}: the sample's response makes {name} too; remove the column or the response")
        source = _source(said, key)
        for branch in source.branches:
            if branch in ambiguous:
                raise ConfigError(f"{key}: {branch!r} {ambiguous[branch]}")
            if branch not in available:
                near = nearest(branch, available)
                if isinstance(said, str) and not branch.isidentifier():
                    near += "; an expression is written { expression = ... }"
                raise DataError(f"{where}: no branch {branch!r}{near}, wanted by {key}")
        sources[name] = source
    needed = (*_NEEDED[sample.role], *(("t", "theta") if response else ()))
    for name in needed:
        if name not in sources:
            ways = preset.columns.get(name, ())
            missing = sorted(
                {branch for way in ways for branch in _source(way, home).branches if branch not in available}
            )
            hint = f"preset {preset.name!r} needs {', '.join(map(repr, missing))}" if missing else "no preset gives it"
            near = nearest(missing[0], available) if missing else nearest(name, available)
            raise DataError(f'{where}: {name} cannot be read: {hint}{near}; set columns.{name} = "<branch>" in {home}')
    conditions = map(expressions.compile, preset.elastic if sample.role == "signal" else ())
    elastic = next((one for one in conditions if available.issuperset(one.variables)), None)
    if sample.role == "signal" and preset.elastic and elastic is None:
        missing = sorted(
            {variable for expression in map(expressions.compile, preset.elastic) for variable in expression.variables}
            - available
        )
        raise DataError(
            f"{where}: preset {preset.name!r} tells nu-e elastic events by {', '.join(map(repr, missing))}, which the"
            f' tree does not have; take preset = "native" with your own columns in {home}'
        )
    return Layout(
        preset=preset,
        sources=sources,
        role=sample.role,
        elastic=elastic,
        selection=expressions.compile(sample.selection) if sample.selection else None,
        response=response,
        branches=available,
        where=home,
        shower=bool(sample.shower),
        nuclear=sample.process == "nucleus" and sample.role != "data",
        ambiguous=ambiguous,
    )


def _shower(
    sample: Sample, preset: presets.Preset, available: frozenset[str], home: str, where: str
) -> dict[str, ColumnSource]:
    """Return `t` and `theta` of the particle that the sample calls its shower."""
    key = f"{home}.shower"
    if sample.role == "data" or (sample.role == "signal" and sample.shower != "electron"):
        what = "have no true shower" if sample.role == "data" else "is nu-e scattering, whose shower is its electron"
        raise ConfigError(f"{key}: {sample.role} {what}; leave it out, or give the sample the role of a background")
    said = [name for name in ("t", "theta") if name in sample.columns]
    if said:
        raise ConfigError(f"{key}: defines t and theta, and so does columns.{said[0]}; remove one of the two")
    if preset.final is None:
        raise ConfigError(
            f"{key}: preset {preset.name!r} has no list of an event's particles; only presets"
            f" {', '.join(name for name, known in presets.PRESETS.items() if known.final)} have one; otherwise give"
            " columns.t and columns.theta"
        )
    found: dict[str, ColumnSource] = {}
    for name in ("t", "theta"):
        quantity = Quantity(name, sample.shower, preset.final)
        quantity.check(key)
        for branch in quantity.variables:
            if branch not in available:
                raise DataError(f"{where}: no branch {branch!r}{nearest(branch, available)}, wanted by {key}")
        found[name] = ColumnSource(quantity, 0.0, None, key)
    return found


def _source(said: str | float | Column, where: str) -> ColumnSource:
    if isinstance(said, Column):
        if bool(said.branch) == bool(said.expression):
            raise ConfigError(f"{where}: give either branch or expression")
        expression = expressions.column(said.branch) if said.branch else expressions.compile(said.expression)
        return ColumnSource(expression, 0.0, said.unit, where)
    if isinstance(said, str):
        return ColumnSource(expressions.column(said), 0.0, None, where)
    return ColumnSource(None, float(said), None, where)
