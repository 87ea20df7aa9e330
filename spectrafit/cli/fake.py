"""The options that fit fake data in place of the expectation, for every command that takes them.

A command has the five options as parameters, makes `choice` of them, and hands it to `with_data` in the place of
`sf.assemble`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import spectrafit as sf
from spectrafit.errors import ConfigError

if TYPE_CHECKING:
    from spectrafit.config import Analysis
    from spectrafit.inference.fake import Asimov, Fake, Simulated
    from spectrafit.inference.model import Model
    from spectrafit.templates.templates import Templates

__all__ = [
    "AsimovAt",
    "Auxiliary",
    "DataFrom",
    "ThrowNuisances",
    "ToySeed",
    "choice",
    "inputs",
    "parsed",
    "truth",
    "with_data",
]

AsimovAt = Annotated[
    list[str] | None,
    typer.Option(
        "--asimov",
        metavar="NAME=VALUE,...",
        help="fake data: the expectation at these parameters, as kappa=2,flux=+1 (nuisances in widths of their prior)",
    ),
]
ToySeed = Annotated[
    int | None,
    typer.Option(
        "--toy", metavar="SEED", help="fake data: Poisson counts of the expectation (of --asimov's, if given)"
    ),
]
ThrowNuisances = Annotated[
    bool, typer.Option("--throw-nuisances", help="with --toy: throw the true nuisances from their constraints, too")
]
Auxiliary = Annotated[
    str,
    typer.Option(
        metavar="stay|follow",
        help="with --asimov or --toy: what constrains the nuisances stays as it is, or is measured at that truth, too",
    ),
]
DataFrom = Annotated[
    list[Path] | None,
    typer.Option("--data-from", metavar="SAMPLES.toml", help="fake data: the events of another simulated sample set"),
]


def parsed(texts: list[str]) -> dict[str, float]:
    """Return the parameters of ``kappa=2,flux=+1``; a name may have commas in it.

    Raises
    ------
    ConfigError
        What is no name=number, or a name that stands there twice.
    """
    found: dict[str, float] = {}
    for text in texts:
        name = ""
        for part in text.split(","):
            before, equals, after = part.rpartition("=")
            name += before if equals else f"{part},"
            if not equals:
                continue
            try:
                value = float(after)
            except ValueError:
                raise ConfigError(f"--asimov {text!r}: {after!r} is no number; give NAME=VALUE,NAME=VALUE") from None
            name = name.strip()
            if not name or name in found:
                what = f"{name!r} stands there twice" if name else "a name is missing"
                raise ConfigError(f"--asimov {text!r}: {what}; give NAME=VALUE,NAME=VALUE")
            found[name], name = value, ""
        if name:
            raise ConfigError(f"--asimov {text!r}: {name.rstrip(',')!r} has no value; give NAME=VALUE,NAME=VALUE")
    return found


def choice(
    asimov: list[str] | None,
    toy: int | None,
    throw_nuisances: bool,
    auxiliary: str,
    data_from: list[Path] | None,
    *,
    unblind: bool = False,
) -> Fake | None:
    """Return what the options ask for, None without any of them.

    Raises
    ------
    ConfigError
        Options that do not go together.
    """
    said = [
        name for name, given in (("--asimov", asimov), ("--toy", toy is not None), ("--data-from", data_from)) if given
    ]
    if said and unblind:
        raise ConfigError(f"--unblind fits the real data, and {said[0]} makes fake ones; choose one of them")
    if throw_nuisances and toy is None:
        raise ConfigError("--throw-nuisances goes with --toy SEED, which throws an experiment")
    if auxiliary not in ("stay", "follow"):
        raise ConfigError(f"--auxiliary {auxiliary}: use stay or follow")
    if not said:
        if auxiliary != "stay":
            raise ConfigError(f"--auxiliary {auxiliary} goes with --asimov or --toy")
        return None
    if data_from and (asimov or auxiliary != "stay"):
        raise ConfigError("--data-from is an expectation of its own; leave out --asimov and --auxiliary")
    of: Asimov | Simulated
    if data_from:
        of = sf.Simulated(tuple(str(path) for path in data_from))
    else:
        of = sf.Asimov(parsed(asimov or []), "follow" if auxiliary == "follow" else "stay")
    return of if toy is None else sf.Toy(toy, of, throw_nuisances)


def truth(
    model: Model, asimov: list[str] | None, kappa: list[float] | None, *, thrown: bool
) -> tuple[list[float] | None, Any]:
    """Return true values of the parameter of interest, and the shifts of the others, for thrown experiments.

    Raises
    ------
    ConfigError
        The parameter of interest is given twice; true nuisances beside thrown ones; as `point`.
    """
    from spectrafit.inference.faking.counts import point

    values: Mapping[str, float] = parsed(asimov or [])
    others = {name: value for name, value in values.items() if name != model.poi}
    if model.poi in values:
        if kappa:
            raise ConfigError(f"--kappa and --asimov both give {model.poi}; leave one of them out")
        kappa = [values[model.poi]]
    if not thrown:
        shifts = point(model, others, where="--asimov") - model.initial
        return kappa, {name: float(shifts[model.index(name)]) for name in others}
    if others:
        raise ConfigError(f"--throw-nuisances: {', '.join(others)} would be thrown, and --asimov gives it; choose one")
    return kappa, "thrown"


def inputs(data_from: list[Path] | None) -> tuple[Path, ...]:
    """Return the files that --data-from reads, so that no output is written over them."""
    from spectrafit.config import inputs_of_samples, load_samples

    return tuple(path for name in data_from or () for path in inputs_of_samples(load_samples(name)))


def with_data(
    analysis: Analysis, templates: Templates, data: Fake | None, *, unblind: bool = False, **options: Any
) -> Model:
    """Return the model with the data that were chosen; `options` say how the ntuples of --data-from are read."""
    if data is None:
        return sf.assemble(analysis, templates, unblind=unblind)
    from spectrafit.inference.assemble import resolved

    return sf.assemble(analysis, templates, unblind=unblind, data=resolved(analysis, templates, data, **options))
