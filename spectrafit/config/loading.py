"""Reading TOML files as a checked `Analysis` or `SampleSet`; every mistake is a ConfigError that names file and key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from spectrafit.config.analysis import Analysis
from spectrafit.config.axes import in_own_units
from spectrafit.config.checks import check, check_samples
from spectrafit.config.explain import explain
from spectrafit.config.including import Written, read
from spectrafit.config.injected import counts_of
from spectrafit.config.joining import apart, qualified
from spectrafit.config.keys import INTERNAL
from spectrafit.config.numbers import refuse_wild
from spectrafit.config.options import LimitOptions
from spectrafit.config.paths import local
from spectrafit.config.quantities import quantity
from spectrafit.config.samples import SampleSet
from spectrafit.config.settings import by_set, lay, of_the_samples, parsed
from spectrafit.config.variants import left_out
from spectrafit.errors import ConfigError

__all__ = ["digest", "limit_options", "load", "load_samples"]

Configured = TypeVar("Configured", Analysis, SampleSet)


def load(
    path: str | Path, *, overrides: Sequence[str] = (), without: Sequence[str] = (), interest: str | None = None
) -> Analysis:
    """Read an analysis and its sample sets, and check that they fit together.

    Parameters
    ----------
    path : path of a `fits/*.toml`.
    overrides : `key=value` settings laid over the file, keys as in the file (`fit.terms=shape`), tables of lists by
        their names (`systematics.flux.sigma=0.1`), keys of a sample set behind `samples:`.
    without : names or globs of systematics to leave out, beside those that the file leaves out.
    interest : parameter of the fitted coupling that limits are for; by default what the file says.

    Raises
    ------
    ConfigError
        For anything that is not understood, with file, key, what was found and what is needed.
    """
    mine, theirs = of_the_samples(overrides)
    analysis, written = _read(Path(path), Analysis, mine)
    sets = (analysis.samples,) if isinstance(analysis.samples, str) else analysis.samples
    files = [local(name, Path(analysis.path).parent, f"{path}: $.samples") for name in sets]
    settings = by_set(theirs, [file.stem for file in files])
    loaded = tuple(_samples(file, own) for file, own in zip(files, settings, strict=True))
    analysis = msgspec.structs.replace(analysis, sample_sets=loaded)
    analysis = qualified(analysis)
    try:
        check(analysis, path)
    except ConfigError as error:
        raise ConfigError(written.told(str(error))) from None
    analysis = apart(analysis)
    analysis = left_out(left_out(analysis, analysis.without, f"{path}: $.without:"), without, "--without")
    return analysis if interest is None else analysis.with_interest(interest)


def load_samples(path: str | Path) -> SampleSet:
    """Read a sample set. Raises ConfigError as `load` does."""
    return _samples(Path(path), ())


def _samples(path: Path, overrides: Sequence[str]) -> SampleSet:
    sample_set, written = _read(path, SampleSet, overrides)
    try:
        check_samples(sample_set, path)
    except ConfigError as error:
        raise ConfigError(written.told(str(error))) from None
    return sample_set


def digest(analysis: Analysis) -> str:
    """Return the SHA-256 of all that the analysis and its sample sets say; where the files lie does not count.

    What was left out is not in the analysis: the patterns that left it out do not count.
    """
    sets = tuple(msgspec.structs.replace(sample_set, path=sample_set.name) for sample_set in analysis.sample_sets)
    content = msgspec.structs.replace(analysis, path="", sample_sets=sets, without=())
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def limit_options(overrides: Sequence[str], *, where: str) -> LimitOptions:
    """Return the options of a limit for what has no `[limit]`, from overrides ``limit.KEY=VALUE`` alone.

    Raises
    ------
    ConfigError
        Other keys, or values that `[limit]` does not take.
    """
    raw: dict[str, Any] = {}
    for text in overrides:
        if not text.startswith("limit."):
            raise ConfigError(f"--set {text!r}: {where} has no such key; of a workspace only limit.KEY can be set")
        lay(raw, *parsed(text))
    refuse_wild(raw, "--set")
    try:
        return msgspec.convert(raw.get("limit", {}), LimitOptions, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"--set limit: {explain(str(error), raw.get('limit', {}), LimitOptions)}") from None


def _read(path: Path, kind: type[Configured], overrides: Sequence[str]) -> tuple[Configured, Written]:
    """Return what a file says, checked against the struct, and where each key is written."""
    written = read(path, names=_file_names)
    raw = written.plain
    for text in overrides:
        lay(raw, *parsed(text))
    if kind is Analysis and isinstance(raw.get("data"), str):
        raw |= counts_of(local(raw["data"], path.parent, f"{path}: $.data"))
    if kind is Analysis and "exposure" in raw:
        raw["pot"] = _pot(raw, f"{path}: $.exposure")
    if kind is Analysis:
        in_own_units(raw, str(path))
    refuse_wild(raw, str(path))
    for internal in INTERNAL:
        if internal in raw:
            raise ConfigError(f"{path}: $.{internal}: unknown key")
    try:
        value = msgspec.convert(raw, kind, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(written.told(f"{path}: {explain(str(error), raw, kind)}")) from None
    return msgspec.structs.replace(value, path=str(path.resolve())), written


def _pot(raw: dict[str, Any], where: str) -> Any:
    """Return the numbers of an exposure with units; ConfigError if `pot` is there too, or one of them is no number."""
    if "pot" in raw:
        raise ConfigError(f"{where}: is there beside pot; give one of them")
    said = raw["exposure"]
    if isinstance(said, dict):
        return {name: _exposure(text, f"{where}.{name}") for name, text in said.items()}
    return _exposure(said, where)


def _exposure(text: Any, where: str) -> float:
    if not isinstance(text, str):
        raise ConfigError(f"{where}: needs a text with a unit, as in '1.16 t yr'; found {text!r}. A number is pot")
    found = quantity(text, where)
    if not found.unit:
        raise ConfigError(f"{where}: {text!r} has no unit; write one, as in '1.16 t yr', or give the number as pot")
    return found.value


_TABLES = ("quenching", "energy_resolution", "energy_matrix", "efficiency_table")


def _file_names(raw: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the holder and the key of every name of a file in an analysis or a sample set."""
    found = raw.get("samples")
    tables = [table for key in ("samples", "systematics", "regions", "tables") for table in _tables(raw.get(key))]
    tables += _tables(list(raw["data"].values())) if isinstance(raw.get("data"), dict) else []
    tables += [friend for table in tables for friend in _tables(table.get("friends"))]
    for holder, keys in (
        (raw, [key for key in ("samples", "data") if isinstance(raw.get(key), str)]),
        *([(found, range(len(found)))] if isinstance(found, list) else []),
        *((table, ("file", "covariance", "knobs", "files", "partition")) for table in tables),
        *((table["files"], range(len(table["files"]))) for table in tables if isinstance(table.get("files"), list)),
        *_of_fluxes(raw.get("flux")),
        *(
            (table["response"], tuple(key for key in _TABLES if table["response"].get(key) not in ("", "lindhard")))
            for table in (raw, *_tables(raw.get("samples")))
            if isinstance(table.get("response"), dict)
        ),
    ):
        yield from ((holder, key) for key in keys if isinstance(holder, list) or key in holder)


def _of_fluxes(found: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield the holders of names of flux tables, and their keys."""
    if not isinstance(found, dict):
        return
    yield found, tuple(flavour for flavour, said in found.items() if isinstance(said, str))
    for said in found.values():
        if isinstance(said, list):
            yield said, tuple(index for index, one in enumerate(said) if isinstance(one, str))
        for one in said if isinstance(said, list) else (said,):
            if isinstance(one, dict):
                yield one, ("file",)


def _tables(found: Any) -> list[dict[str, Any]]:
    return [table for table in found if isinstance(table, dict)] if isinstance(found, list) else []
