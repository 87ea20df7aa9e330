"""Makes the HistFactory workspaces that every fitter of the benchmark is given."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["load", "make", "two_sided"]

_CHANNEL = "spectrum"
# Events per 100 bins, and width or slope of the shapes: a peak on three falling backgrounds.
_SAMPLES = {"signal": 200.0, "first": 4000.0, "second": 2500.0, "third": 1500.0}
_MC_ERROR = 0.03


def make(bins: int, shapes: int, seed: int = 1) -> dict[str, Any]:
    """Return a workspace of one channel: four samples, each with `shapes` histosys shared by all, and a staterror.

    The parameter of interest `mu` scales the signal. Observed counts are one Poisson draw, off the nominal by a few per
    cent.
    """
    rng = np.random.default_rng(seed)
    position = (np.arange(bins) + 0.5) / bins
    samples: list[dict[str, Any]] = []
    total = np.zeros(bins)
    for number, (name, events) in enumerate(_SAMPLES.items()):
        density = (
            np.exp(-0.5 * ((position - 0.3) / 0.12) ** 2) if number == 0 else np.exp(-position * (0.5 + 0.7 * number))
        )
        nominal = events * bins / 100.0 * density / density.sum()
        total += nominal
        modifiers: list[dict[str, Any]] = []
        for shape in range(shapes):
            change = 0.04 * np.sin((shape + 1) * np.pi * position + 0.7 * number + shape) + 0.02 * (shape % 3 - 1)
            templates = {
                "lo_data": (nominal * (1 - 0.9 * change)).tolist(),
                "hi_data": (nominal * (1 + change)).tolist(),
            }
            modifiers.append({"name": f"shape{shape}", "type": "histosys", "data": templates})
        errors = _MC_ERROR * nominal * (1 + 0.3 * rng.random(bins))
        modifiers.append({"name": f"staterror_{_CHANNEL}", "type": "staterror", "data": errors.tolist()})
        if number == 0:
            modifiers.append({"name": "mu", "type": "normfactor", "data": None})
        samples.append({"name": name, "data": nominal.tolist(), "modifiers": modifiers})
    observed = rng.poisson(total * (1 + 0.03 * np.sin(3 * position))).astype(np.float64)
    return {
        "channels": [{"name": _CHANNEL, "samples": samples}],
        "observations": [{"name": _CHANNEL, "data": observed.tolist()}],
        "measurements": [{"name": "bench", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


def two_sided(seed: int) -> dict[str, Any]:
    """Return a workspace of two bins, whose background grows at both ends of its shape: 2NLL often has two minima.

    One minimum lies on each side of the nominal shape, and a fit that walks downhill from there sees one of them.
    """
    rng = np.random.default_rng(seed)
    low, high, excess = (rng.uniform(*ends, 2).round().tolist() for ends in ((5, 40), (5, 40), (10, 70)))
    shape = {"lo_data": [100.0 + each for each in low], "hi_data": [100.0 + each for each in high]}
    signal = {
        "name": "signal",
        "data": [10.0, 30.0],
        "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
    }
    background = {
        "name": "background",
        "data": [100.0, 100.0],
        "modifiers": [{"name": "shape", "type": "histosys", "data": shape}],
    }
    return {
        "channels": [{"name": "two_bins", "samples": [signal, background]}],
        "observations": [{"name": "two_bins", "data": [100.0 + each for each in excess]}],
        "measurements": [{"name": "bench", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }


def load(path: str) -> Any:
    """Return the workspace of a .json or .json.gz file, at its top or under the key `workspace`, as plain values."""
    data = Path(path).read_bytes()
    found = json.loads(gzip.decompress(data) if path.endswith(".gz") else data)
    return found.get("workspace", found)
