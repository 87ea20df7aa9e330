"""Several sample sets in one analysis: samples of one name are told apart, and parameters where that is asked for.

Where two sets have a sample of one name, every sample of the analysis is called ``set/sample``, by the name of its
set's file. Patterns without a slash then match the part after it: ``samples = ["nue*"]`` means the nue of every set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from spectrafit.config.analysis import Analysis
from spectrafit.config.patterns import chosen
from spectrafit.config.samples import SampleSet
from spectrafit.config.systematics import ShiftedSample, Systematic
from spectrafit.errors import ConfigError

__all__ = ["apart", "qualified"]


def qualified(analysis: Analysis) -> Analysis:
    """Return an analysis whose samples are called ``set/sample``, if two of its sets share a sample name.

    Raises
    ------
    ConfigError
        Two sets that share a sample name share their own name, too.
    """
    sets = analysis.sample_sets
    names = Counter(name for sample_set in sets for name in {sample.name for sample in sample_set.samples})
    shared = next((name for name, count in names.items() if count > 1), None)
    if shared is None:
        return analysis
    called = Counter(sample_set.name for sample_set in sets)
    twins = next((name for name, count in called.items() if count > 1), None)
    if twins is not None:
        raise ConfigError(
            f"{analysis.path}: $.samples: two sample sets are called {twins!r} and both have a sample {shared!r}; name"
            " each set once, in files of different names"
        )
    plain = {sample_set.name: {sample.name for sample in sample_set.samples} for sample_set in sets}
    systematics = tuple(
        replace(one, up=_in_sets(one.up, plain), down=_in_sets(one.down, plain))
        if isinstance(one, ShiftedSample)
        else one
        for one in analysis.systematics
    )
    return replace(
        analysis, sample_sets=tuple(_prefixed(sample_set) for sample_set in sets), systematics=tuple(systematics)
    )


def _prefixed(sample_set: SampleSet) -> SampleSet:
    """Return a set whose samples have its name before theirs, and after their titles."""
    return replace(
        sample_set,
        samples=tuple(
            replace(
                sample,
                name=f"{sample_set.name}/{sample.name}",
                title=f"{sample.title or sample.name} ({sample_set.name})",
            )
            for sample in sample_set.samples
        ),
    )


def _in_sets(variants: Mapping[str, str], sets: Mapping[str, set[str]]) -> dict[str, str]:
    """Return the stand-ins of samples with the set before both names, for every set that has both."""
    found: dict[str, str] = {}
    for name, stand_in in variants.items():
        holding = [one for one, names in sets.items() if {name, stand_in} <= names]
        found |= {f"{one}/{name}": f"{one}/{stand_in}" for one in holding} or {name: stand_in}
    return found


def apart(analysis: Analysis) -> Analysis:
    """Return an analysis in which a systematic with ``per_set = true`` is one systematic for each sample set.

    Its parameter is called ``set/name``.
    """
    if not any(systematic.per_set for systematic in analysis.systematics):
        return analysis
    return replace(
        analysis, systematics=tuple(one for systematic in analysis.systematics for one in _apart(systematic, analysis))
    )


def _apart(systematic: Systematic, analysis: Analysis) -> Iterator[Systematic]:
    if not systematic.per_set:
        yield systematic
        return
    for sample_set in analysis.sample_sets:
        mine = chosen(systematic.samples, tuple(sample.name for sample in sample_set.samples))
        if not mine:
            continue
        changed = {"name": f"{sample_set.name}/{systematic.name}", "samples": mine, "per_set": False}
        if isinstance(systematic, ShiftedSample):
            changed |= {
                key: {name: stand_in for name, stand_in in variants.items() if name in mine}
                for key, variants in (("up", systematic.up), ("down", systematic.down))
            }
        yield replace(systematic, **changed)
