"""The sets of parameters that the modifiers of a workspace ask for, as its measurement configures them.

A set is all parameters of one name: one for a normalisation, one per bin for a shape. Modifiers of one name share it,
in whatever sample and channel they stand, if they ask for the same.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

from spectrafit.errors import ConfigError
from spectrafit.inference.model import Parameter
from spectrafit.interop import workspace as ws
from spectrafit.interop.channels import Part

__all__ = ["GAMMA", "Set", "collect", "configure"]

# pyhf's limits of pulls, free factors and constrained factors per bin.
PULL, FACTOR, GAMMA = (-5.0, 5.0), (0.0, 10.0), (1e-10, 10.0)
# Types that have the same parameter.
PULLS = ("histosys", "normsys")


@dataclasses.dataclass(kw_only=True)
class Set:
    """The parameters of one name: first as the modifiers ask for them, then as the measurement changes them.

    Attributes
    ----------
    constraint, group : str
        Kind of constraint; type of the modifier.
    scalar : bool
        Whether the set is one parameter called like the set; else they are `name[0]`, `name[1]`, ...
    inits, bounds, fixed : list
    auxdata, widths : list
        Auxiliary measurements, and their sigmas (gaussian) or events per unit of the parameter (poisson).
    widths_key : str
        What the measurement calls the widths; "" if it may not change them.
    bins : list of int
        The bin of each parameter; empty if they are counted anew in each channel, or scalar.
    """

    constraint: Literal["gaussian", "poisson", "free"]
    group: str
    scalar: bool
    inits: list[float]
    bounds: list[tuple[float, float]]
    fixed: list[bool]
    auxdata: list[float]
    widths: list[float]
    widths_key: Literal["", "sigmas", "factors"] = ""
    bins: list[int] = dataclasses.field(default_factory=list)

    def same(self, other: Set) -> bool:
        """Whether modifiers of two types may share these parameters."""
        return dataclasses.replace(self, group=other.group) == other

    def names(self, name: str) -> list[str]:
        """Return the names of its parameters, the set's being `name`."""
        return [name] if self.scalar else [f"{name}[{index}]" for index in range(len(self.inits))]

    def parameters(self, name: str, poi: str) -> list[Parameter]:
        """Return its parameters; `poi` is the name of the parameter of interest."""
        free = self.constraint == "free"
        return [
            Parameter(
                name=full,
                kind="interest" if full == poi else "nuisance",
                initial=self.inits[index],
                constraint=self.constraint,
                centre=0.0 if free else self.auxdata[index],
                width=1.0 if free else self.widths[index],
                lower=self.bounds[index][0],
                upper=self.bounds[index][1],
                group=self.group,
                fixed=self.fixed[index],
            )
            for index, full in enumerate(self.names(name))
        ]


def _pull(group: str) -> Set:
    return Set(
        constraint="gaussian",
        group=group,
        scalar=True,
        inits=[0.0],
        bounds=[PULL],
        fixed=[False],
        auxdata=[0.0],
        widths=[1.0],
    )


def _free(group: str, n: int, *, scalar: bool) -> Set:
    return Set(
        constraint="free",
        group=group,
        scalar=scalar,
        inits=[1.0] * n,
        bounds=[FACTOR] * n,
        fixed=[False] * n,
        auxdata=[],
        widths=[],
    )


def _lumi() -> Set:
    # The measurement gives all numbers of the luminosity.
    return Set(
        constraint="gaussian",
        group="lumi",
        scalar=True,
        inits=[],
        bounds=[],
        fixed=[False],
        auxdata=[],
        widths=[],
        widths_key="sigmas",
    )


def _shapesys(part: Part, data: list[float]) -> Set:
    pairs = list(zip(part.nominal.tolist(), data, strict=True))
    events = [(nominal / error) ** 2 if nominal > 0 and error > 0 else 1.0 for nominal, error in pairs]
    size = len(pairs)
    return Set(
        constraint="poisson",
        group="shapesys",
        scalar=False,
        inits=[1.0] * size,
        bounds=[GAMMA] * size,
        fixed=[not (nominal > 0 and error > 0) for nominal, error in pairs],
        auxdata=list(events),
        widths=events,
        widths_key="factors",
        bins=list(part.bins),
    )


def _staterrors(parts: list[Part]) -> dict[str, Set]:
    """Return the set of each name: bins of the channels it stands in, in order."""
    squares: dict[str, dict[int, float]] = {}
    totals: dict[str, dict[int, float]] = {}
    for part in parts:
        for modifier in part.of(ws.Staterror):
            square, total = squares.setdefault(modifier.name, {}), totals.setdefault(modifier.name, {})
            for place, nominal, error in zip(part.bins, part.nominal.tolist(), modifier.data, strict=True):
                square[place] = square.get(place, 0.0) + error**2
                total[place] = total.get(place, 0.0) + nominal
    result = {}
    for name in sorted(squares):
        bins = sorted(squares[name])
        sigmas = [
            squares[name][place] ** 0.5 / totals[name][place] if totals[name][place] > 0 else 0.0 for place in bins
        ]
        size = len(bins)
        result[name] = Set(
            constraint="gaussian",
            group="staterror",
            scalar=False,
            inits=[1.0] * size,
            bounds=[GAMMA] * size,
            fixed=[sigma == 0.0 for sigma in sigmas],
            auxdata=[1.0] * size,
            widths=[sigma or 1.0 for sigma in sigmas],
            widths_key="sigmas",
            bins=bins,
        )
    return result


def collect(parts: list[Part]) -> dict[str, Set]:
    """Return the sets of parameters the modifiers ask for, by name.

    Raises
    ------
    ConfigError
        Modifiers of one name cannot share their parameters, or a normsys is not positive.
    """
    sets = _staterrors(parts)
    for part in parts:
        for modifier in part.modifiers.values():
            kind = modifier.__struct_config__.tag
            if isinstance(modifier, ws.Normsys) and not (modifier.data.lo > 0 and modifier.data.hi > 0):
                found = f"{modifier.data.lo} and {modifier.data.hi}"
                raise ConfigError(f"{_where(part, modifier)}: lo and hi must be > 0 to have logarithms, found {found}")
            known = sets.get(modifier.name)
            # Thousands of modifiers share a hundred names: no new set is made for a known name.
            alike = PULLS if kind in PULLS else (kind,)
            if known is None or known.group not in alike or kind in ("shapefactor", "shapesys"):
                _join(sets, part, modifier, known)
    return sets


def _where(part: Part, modifier: ws.Modifier) -> str:
    return f"{part.where}.modifiers (sample {part.sample!r}, {modifier.name!r})"


def _join(sets: dict[str, Set], part: Part, modifier: ws.Modifier, known: Set | None) -> None:
    """Add the set a modifier asks for, or check that it can share the `known` one."""
    match modifier:
        case ws.Normsys() | ws.Histosys():
            asked = _pull(str(modifier.__struct_config__.tag))
        case ws.Normfactor():
            asked = _free("normfactor", 1, scalar=True)
        case ws.Shapefactor():
            # Bins are counted from the first of each channel: the longest channel sets the number.
            size = len(part.nominal)
            if known is not None and known.group == "shapefactor":
                size = max(size, len(known.inits))
                known = sets[modifier.name] = _free("shapefactor", size, scalar=False)
            asked = _free("shapefactor", size, scalar=False)
        case ws.Shapesys(data=data):
            if known is not None:
                raise ConfigError(
                    f"{_where(part, modifier)}: a shapesys cannot share its parameters; rename one of them"
                )
            asked = _shapesys(part, data)
        case _:
            asked = _lumi()
    if known is None:
        sets[modifier.name] = asked
    elif not known.same(asked):
        why = f"{len(asked.fixed)} {asked.group} and {len(known.fixed)} {known.group} parameters"
        raise ConfigError(f"{_where(part, modifier)}: {why} cannot share a name; rename one of them")


def configure(sets: dict[str, Set], settings: list[ws.Setting], where: str) -> None:
    """Change the sets as a measurement says; settings of parameters that no modifier uses have no effect.

    Raises
    ------
    ConfigError
        A setting stands there twice, has another number of values, does not apply, or is missing for a lumi; or a
        parameter starts outside its bounds.
    """
    seen: set[str] = set()
    for index, setting in enumerate(settings):
        at = f"{where}.parameters[{index}]"
        if setting.name in seen:
            raise ConfigError(f"{at}.name: {setting.name!r} is configured twice")
        seen.add(setting.name)
        if setting.name in sets:
            _set(sets[setting.name], setting, at)
    for name, found in sets.items():
        if found.group == "lumi" and not (found.inits and found.bounds and found.auxdata and found.widths):
            raise ConfigError(f"{where}.parameters: {name!r} needs inits, bounds, auxdata and sigmas")
        for full, init, (low, high) in zip(found.names(name), found.inits, found.bounds, strict=True):
            if not low <= init <= high:
                raise ConfigError(f"{where}.parameters: {full!r} starts at {init}, outside its bounds [{low}, {high}]")


def _set(found: Set, setting: ws.Setting, at: str) -> None:
    """Change one set."""
    size = len(found.fixed)
    for key in ("inits", "bounds", "auxdata", "sigmas", "factors"):
        values = getattr(setting, key)
        if values is None:
            continue
        if (key == "auxdata" and found.constraint == "free") or (
            key in ("sigmas", "factors") and key != found.widths_key
        ):
            raise ConfigError(f"{at}.{key}: {found.group} parameters have none")
        if len(values) != size:
            raise ConfigError(f"{at}.{key}: {len(values)} values for the {size} parameters of {setting.name!r}")
        if key in ("sigmas", "factors") and min(values) <= 0:
            raise ConfigError(f"{at}.{key}: must be positive, found {min(values)}")
        setattr(found, "widths" if key == found.widths_key else key, list(values))
    if setting.fixed is not None:
        found.fixed = [setting.fixed] * size
