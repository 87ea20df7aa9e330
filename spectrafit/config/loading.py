"""Reading TOML files as a checked `Analysis` or `SampleSet`; every mistake is a ConfigError that names file and key."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from spectrafit.config.analysis import Analysis, LimitOptions, chosen
from spectrafit.config.couplings import settle
from spectrafit.config.explain import explain
from spectrafit.config.numbers import MOST_CELLS, refuse_wild
from spectrafit.config.paths import is_url, local, substituted
from spectrafit.config.samples import SampleSet
from spectrafit.config.systematics import ShiftedSample
from spectrafit.errors import ConfigError, nearest

__all__ = ["digest", "limit_options", "load", "load_samples", "schema"]

T = TypeVar("T", Analysis, SampleSet)


def load(path: str | Path, *, overrides: Sequence[str] = (), interest: str | None = None) -> Analysis:
    """Read an analysis and its sample sets, and check that they fit together.

    Parameters
    ----------
    path : path of a `fits/*.toml`.
    overrides : `key=value` settings laid over the file, keys as in the file (`fit.terms=shape`).
    interest : parameter of the fitted coupling that limits are for; by default what the file says.

    Raises
    ------
    ConfigError
        For anything that is not understood, with file, key, what was found and what is needed.
    """
    analysis = _read(Path(path), Analysis, overrides)
    sets = (analysis.samples,) if isinstance(analysis.samples, str) else analysis.samples
    loaded = tuple(load_samples(local(name, Path(analysis.path).parent, f"{path}: $.samples")) for name in sets)
    analysis = msgspec.structs.replace(analysis, sample_sets=loaded)
    _check(analysis, Path(path))
    return analysis if interest is None else analysis.with_interest(interest)


def load_samples(path: str | Path) -> SampleSet:
    """Read a sample set. Raises ConfigError as `load` does."""
    sample_set = _read(Path(path), SampleSet, ())
    names = [sample.name for sample in sample_set.samples]
    _refuse_twins(f"{path}: $.samples", "sample", names)
    for index, sample in enumerate(sample_set.samples):
        where = f"{path}: $.samples[{index}]"
        if not sample.files:
            raise ConfigError(
                f"{where}: {sample.name!r} has no files; say where its ntuples are, or are to be generated"
            )
        for key, named in [
            ("files", sample.files),
            *((f"friends[{i}].files", f.files) for i, f in enumerate(sample.friends)),
        ]:
            for name in (named,) if isinstance(named, str) else named:
                substituted(name, f"{where}.{key}")
        if sample.response is True and sample_set.response is None:
            raise ConfigError(f"{where}.response: true takes the set's [response], and there is none")
        if sample.generate is not None:
            if sample.generate.flavour not in sample_set.flux:
                known = ", ".join(sample_set.flux) or "none"
                raise ConfigError(
                    f"{where}.generate.flavour: no flux for {sample.generate.flavour!r}; [flux] has {known}"
                )
            if sample_set.detector is None:
                raise ConfigError(f"{path}: generating {sample.name!r} needs [detector] with electrons and origin")
    _check_recipes(sample_set, path)
    return sample_set


def _check_recipes(sample_set: SampleSet, path: str | Path) -> None:
    """Refuse two recipes for one file: whichever is made last would be read for both."""
    owners: dict[Path, str] = {}
    for index, sample in enumerate(sample_set.samples):
        if sample.generate is None:
            continue
        where = f"{path}: $.samples[{index}].files"
        files = (sample.files,) if isinstance(sample.files, str) else sample.files
        if (
            len(files) != 1
            or not files[0].endswith(".root")
            or is_url(files[0])
            or any(mark in files[0] for mark in "*?[")
        ):
            raise ConfigError(f"{where}: {sample.name!r} is generated, so this must name the one .root file to write")
        target = local(files[0], sample_set.folder, where).resolve()
        other = owners.setdefault(target, sample.name)
        if other != sample.name:
            raise ConfigError(
                f"{where}: the recipes of {other!r} and {sample.name!r} both write {target}; give each a file of its"
                " own"
            )


def digest(analysis: Analysis) -> str:
    """Return the SHA-256 of all that the analysis and its sample sets say; where the files lie does not count."""
    sets = tuple(msgspec.structs.replace(s, path=s.name) for s in analysis.sample_sets)
    content = msgspec.structs.replace(analysis, path="", sample_sets=sets)
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def schema(kind: type[Analysis] | type[SampleSet]) -> dict[str, Any]:
    """Return the JSON Schema of a TOML file, for editors that complete and check as one types."""
    found = msgspec.json.schema(kind)
    properties = found["$defs"][kind.__name__]["properties"]
    for internal in ("path", "sample_sets"):
        properties.pop(internal, None)
    return found


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
        _override(raw, text)
    refuse_wild(raw, "--set")
    try:
        return msgspec.convert(raw.get("limit", {}), LimitOptions, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"--set limit: {explain(str(error), raw.get('limit', {}), LimitOptions)}") from None


def _read(path: Path, kind: type[T], overrides: Sequence[str]) -> T:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        near = nearest(path.name, (p.name for p in path.parent.glob("*.toml")))
        raise ConfigError(f"{path}: no such file{near}") from None
    except UnicodeDecodeError:
        look = "; `spectrafit inspect` shows what a ROOT file holds" if path.suffix == ".root" else ""
        raise ConfigError(f"{path}: is not text, and needed is a TOML file{look}") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from None
    except tomllib.TOMLDecodeError as error:
        look = (
            "; only `spectrafit fit` and `spectrafit limit` read workspaces" if path.suffix in (".json", ".gz") else ""
        )
        raise ConfigError(f"{path}: not valid TOML: {error}{look}") from None
    except ValueError:
        # Python refuses to read a whole number of more than some thousand digits.
        raise ConfigError(f"{path}: not valid TOML: a number has too many digits") from None
    except RecursionError:
        raise ConfigError(f"{path}: not valid TOML: lists or tables are nested too deeply") from None
    for text in overrides:
        _override(raw, text)
    refuse_wild(raw, str(path))
    for internal in ("path", "sample_sets"):
        if internal in raw:
            raise ConfigError(f"{path}: $.{internal}: unknown key")
    try:
        value = msgspec.convert(raw, kind, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {explain(str(error), raw, kind)}") from None
    return msgspec.structs.replace(value, path=str(path.resolve()))


def _override(raw: dict[str, Any], text: str) -> None:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"--set {text!r}: needs key=value, e.g. fit.terms=shape")
    try:
        parsed = tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        parsed = value
    except (ValueError, RecursionError):
        raise ConfigError(
            f"--set {key.strip()}: a number has too many digits, or lists are nested too deeply"
        ) from None
    *parents, last = key.strip().split(".")
    node: Any = raw
    for index, part in enumerate([*parents, last]):
        if isinstance(node, list):
            if not part.isdigit() or int(part) >= len(node):
                raise ConfigError(f"--set {text!r}: {part!r} is not an index below {len(node)}")
            position: Any = int(part)
        elif isinstance(node, dict):
            position = part
        else:
            raise ConfigError(f"--set {text!r}: {'.'.join([*parents, last][:index])} is a value, not a table")
        if index == len(parents):
            node[position] = parsed
        elif isinstance(node, list):
            node = node[position]
        else:
            node = node.setdefault(position, {})


def _refuse_twins(where: str, what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name.strip():
            raise ConfigError(f"{where}: a {what} has no name; give it one")
        if name in seen:
            raise ConfigError(f"{where}: two are called {name!r}; every {what} needs its own name")
        seen.add(name)


def _check(analysis: Analysis, path: Path) -> None:
    in_sets = tuple(sample.name for s in analysis.sample_sets for sample in s.samples)
    samples = (*in_sets, *(c.name for c in analysis.counts))
    regions = tuple(r.name for r in analysis.regions)
    if not regions:
        raise ConfigError(f"{path}: $.regions: an analysis needs at least one region")
    _check_size(analysis, path)
    _refuse_twins(f"{path}: $.samples", "sample", samples)
    _refuse_twins(f"{path}: $.regions", "region", regions)

    def known(where: str, what: str, names: Iterable[str], among: tuple[str, ...], *, globs: bool = False) -> None:
        for name in names:
            if not (chosen((name,), among) if globs else name in among):
                listed = ", ".join(among) or "none"
                raise ConfigError(
                    f"{path}: {where}: {name!r} names no {what}{nearest(name, among)} (there are: {listed})"
                )

    couplings, _ = settle(analysis.coupling, analysis.couplings, str(path))
    reserved = ("", "kappa", *(coupling.parameter for coupling in couplings))
    for index, region in enumerate(analysis.regions):
        known(f"$.regions[{index}].samples", "sample", region.samples, samples, globs=True)
    free: dict[str, bool] = {}
    for index, systematic in enumerate(analysis.systematics):
        where = f"$.systematics[{index}]"
        if systematic.name in reserved:
            raise ConfigError(
                f"{path}: {where}.name: {systematic.name!r} cannot be a systematic's name (a coupling's parameter has"
                " it, or it is empty); give the systematic a name of its own"
            )
        if free.setdefault(systematic.name, getattr(systematic, "free", False)) != getattr(systematic, "free", False):
            raise ConfigError(
                f"{path}: {where}.name: another systematic is called {systematic.name!r}, and a free normalisation is"
                " one parameter with free ones only; give it a name of its own"
            )
        for key in ("samples", "regions"):
            if not getattr(systematic, key):
                raise ConfigError(
                    f"{path}: {where}.{key}: {systematic.name!r} acts on none; name some, or leave it out"
                )
        known(f"{where}.samples", "sample", systematic.samples, samples, globs=True)
        known(f"{where}.regions", "region", systematic.regions, regions, globs=True)
        if isinstance(systematic, ShiftedSample):
            for key, variant in (("up", systematic.up), ("down", systematic.down)):
                known(f"{where}.{key}", "sample", (*variant, *variant.values()), in_sets)
    bins = {r.name: 0 if r.partition else _bins(r.axes) for r in analysis.regions}
    listed = [
        (f"$.counts[{i}].{key}", c_key)
        for i, c in enumerate(analysis.counts)
        for key, c_key in (("counts", c.counts), ("errors", c.errors))
    ]
    for where, numbers in [("$.data", analysis.data), *listed]:
        known(where, "region", numbers, regions)
        for region_name, values in numbers.items():
            # The bins of a partition are known when its file is read.
            if bins[region_name] and len(values) != bins[region_name]:
                raise ConfigError(f"{path}: {where}.{region_name}: {len(values)} numbers for {bins[region_name]} bins")
    for index, normalise in enumerate(analysis.normalise):
        known(f"$.normalise[{index}].region", "region", (normalise.region,), regions)
        known(f"$.normalise[{index}].samples", "sample", normalise.samples, samples, globs=True)
    for index, correlation in enumerate(analysis.fit.correlations):
        known(
            f"$.fit.correlations[{index}]",
            "systematic",
            correlation.parameters,
            tuple(s.name for s in analysis.systematics),
        )
        if len(correlation.parameters) != 2 or not -1 < correlation.value < 1:
            raise ConfigError(f"{path}: $.fit.correlations[{index}]: needs two parameters and -1 < value < 1")
    if isinstance(analysis.pot, dict):
        sets = tuple(s.name for s in analysis.sample_sets)
        known("$.pot", "sample set", analysis.pot, sets)
        missing = [s for s in sets if s not in analysis.pot]
        if missing:
            raise ConfigError(f"{path}: $.pot: no exposure for sample set {missing[0]!r}")


def _bins(axes: Sequence[Any]) -> int:
    total = 1
    for axis in axes:
        total *= len(axis.edges) - 1 if axis.edges else axis.bins
    return total


def _check_size(analysis: Analysis, path: Path) -> None:
    """Refuse regions of more cells than a machine can hold: before anything is made of them."""
    total = 0
    for index, region in enumerate(analysis.regions):
        cells = 1
        for axis in region.axes:
            cells *= (len(axis.edges) - 1 if axis.edges else axis.bins) + 2
        if not region.axes:
            raise ConfigError(
                f"{path}: $.regions[{index}].axes: region {region.name!r} has none; it needs one at least"
            )
        total += cells
        if total > MOST_CELLS:
            many = f"{cells}" if cells < 10**15 else f"about 10^{len(str(cells)) - 1}"
            memory = 8e-9 * min(total, 10**300)
            raise ConfigError(
                f"{path}: $.regions[{index}].axes: region {region.name!r} has {many} cells with flow, and one template"
                f" of all regions would take {memory:.3g} GB; at most {MOST_CELLS} cells are made:"
                " take fewer bins or axes"
            )
