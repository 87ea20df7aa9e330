"""The part of an analysis that its cells and templates depend on, as plain values to keep and compare."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Any

import msgspec

from spectrafit.config import Analysis, Covariance, FluxUncertainty
from spectrafit.templates.matrices import tables_of
from spectrafit.templates.systematics import EFFECTS, effects

__all__ = ["VERSION", "configuration", "differing_key", "of_the_fill"]

VERSION = version("spectrafit-numm")
"""Of spectrafit: part of the identity of templates and caches. Looked up once, which takes a millisecond."""

# Keys of an analysis that act on filled templates or after them, and what only says where files lie.
_AFTER = (
    "exposure",
    "title",
    "coupling",
    "counts",
    "normalise",
    "data",
    "injected",
    "fit",
    "limit",
    "samples",
    "path",
    "include",
    "without",
)
# Keys of an axis that say its edges: bins may be merged after the fill.
_EDGES = ("edges", "bins", "range", "log")


def configuration(analysis: Analysis) -> dict[str, Any]:
    """Return what of the analysis shapes its templates, as plain values, with digests of its matrices and flux tables.

    Left out: fit and limit options, `norm` systematics, counts, data and normalisation (all applied to filled
    templates), titles and labels, and the folders files lie in.
    """
    plain: dict[str, Any] = msgspec.to_builtins(analysis)
    plain["couplings"] = msgspec.to_builtins(analysis.fitted_couplings)
    # By name: positions in the file count those of `norm` too, which may come and go.
    plain["systematics"] = {key: msgspec.to_builtins(effect.systematic) for key, effect in effects(analysis).items()}
    plain["sample_sets"] = {
        sample_set.name: {
            key: value
            for key, value in msgspec.to_builtins(sample_set).items()
            if key not in ("title", "path", "include")
        }
        for sample_set in analysis.sample_sets
    }
    for sample_set in plain["sample_sets"].values():
        for sample in sample_set["samples"]:
            # How the files came to be is said by a recipe, or `injected`; their own identities describe their content.
            for key in ("title", "generate", "injected"):
                del sample[key]
    for region in plain["regions"]:
        del region["fit"]
        for axis in region["axes"]:
            del axis["label"], axis["scale"], axis["written_in"]
        if not region["partition"]:
            del region["partition"]
    plain["tables"] = tables_of(analysis)
    return {key: value for key, value in plain.items() if key not in _AFTER}


def of_the_fill(plain: Mapping[str, Any], *, edges: bool) -> dict[str, Any]:
    """Return that part of a `configuration` which the pass over the events depends on, with or without the edges.

    Left out is what `vary` and its tables take from the analysis anew: which part of a systematic is kept, how it is
    smoothed and interpolated, the sizes of flux uncertainties, covariances from files, and partitions of the grid; and
    the exposure, to which all sums are proportional.
    """
    after = {_tag(kind): effect.after for kind, effect in EFFECTS.items()}
    covariance, flux = (_tag(kind) for kind in (Covariance, FluxUncertainty))
    kept = {key: said for key, said in plain["systematics"].items() if said["kind"] != covariance}
    matrices = {said["file"] for said in plain["systematics"].values() if said["kind"] == covariance}
    matrices |= {said["covariance"] for said in plain["systematics"].values() if said["kind"] == flux}
    matrices |= {said.get("knobs", "") for said in plain["systematics"].values()}
    matrices |= {region["partition"] for region in plain["regions"] if "partition" in region}
    regions = [
        {
            **{key: value for key, value in region.items() if key != "partition"},
            "axes": [
                {key: value for key, value in axis.items() if edges or key not in _EDGES} for axis in region["axes"]
            ],
        }
        for region in plain["regions"]
    ]
    return {
        **{key: value for key, value in plain.items() if key not in ("prune", "pot")},
        "systematics": {
            key: {name: value for name, value in said.items() if name not in after[said["kind"]]}
            for key, said in kept.items()
        },
        "regions": regions,
        "tables": {name: digest for name, digest in plain["tables"].items() if name not in matrices},
    }


@functools.cache
def _tag(kind: type) -> str:
    """Return what a TOML calls a kind of systematic."""
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    return str(info.tag)


def differing_key(made: Mapping[str, Any], needed: Mapping[str, Any]) -> str:
    """Return where two nested plain mappings first differ, with both values, or an empty string."""
    # A round trip through JSON makes tuples lists and keys text, as they are in the file.
    return next(_differences("$", json.loads(json.dumps(made)), json.loads(json.dumps(needed))), "")


def _differences(where: str, made: Any, needed: Any) -> Iterator[str]:
    if isinstance(made, dict) and isinstance(needed, dict):
        for key in dict.fromkeys([*needed, *made]):
            if key not in made:
                yield f"{where}.{key} is {_short(needed[key])} in the analysis, absent in the templates"
            elif key not in needed:
                yield f"{where}.{key} is absent in the analysis, {_short(made[key])} in the templates"
            else:
                yield from _differences(f"{where}.{key}", made[key], needed[key])
    elif isinstance(made, list) and isinstance(needed, list) and len(made) == len(needed):
        for place, (one, other) in enumerate(zip(made, needed, strict=True)):
            yield from _differences(f"{where}[{place}]", one, other)
    elif made != needed:
        yield f"{where} is {_short(needed)} in the analysis, {_short(made)} in the templates"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
