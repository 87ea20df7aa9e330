"""Compares answers with those of others: minima of workspaces with the fitters installed, and published intervals.

Nothing of others is shipped: the workspaces are made here, and those of a user are files of theirs, such as the test
workspaces of pyhf's repository. The published intervals are numbers of a table, with their source.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spectrafit.bench.workspaces import make
from spectrafit.inference.intervals.limits import upper_limit
from spectrafit.inference.model import Component, Factor, Model, Parameter, Span
from spectrafit.interop.referee import referee

__all__ = ["FELDMAN_COUSINS", "counting", "peers"]

FELDMAN_COUSINS: dict[tuple[float, int], float] = {
    (3.0, 1): 1.88,
    (3.0, 2): 3.04,
    (3.0, 3): 4.42,
    (3.0, 4): 5.60,
    (3.0, 5): 6.99,
    (3.0, 6): 8.47,
    (3.0, 7): 9.53,
    (3.0, 8): 10.99,
    (3.0, 9): 12.30,
    (3.0, 10): 13.50,
}
"""Upper ends of 90 % intervals by background and count: G. J. Feldman, R. D. Cousins, PRD 57, 3873, Table IV.

A count of 0 is left out: the paper lengthens its interval, so that limits fall when the background grows.
"""

# Bins and shapes of the workspaces that are made.
_MADE = ((4, 2), (10, 4), (25, 6))


def counting(background: float, seen: int) -> Model:
    """Return a count of a signal `mu` over a known background."""
    return Model(
        parameters=(Parameter(name="mu", kind="interest", initial=0.0, constraint="free"),),
        components=(
            Component(sample="signal", start=0, nominal=np.array([1.0]), factors=(Factor(parameter="mu"),)),
            Component(sample="background", start=0, nominal=np.array([background])),
        ),
        regions=(Span(name="count", start=0, stop=1),),
        data=np.array([float(seen)]),
        asimov=False,
        poi="mu",
        floor=np.zeros(1),
    )


def peers(*, workspaces: Sequence[Path] = (), quick: bool = False) -> list[dict[str, Any]]:
    """Return rows of comparisons.

    Parameters
    ----------
    workspaces : sequence of path
        Files, or folders in which every *.json and *.json.gz is a workspace, to compare beside those made here.
    quick : bool
        Fewer cases.

    Returns
    -------
    list of dict
        `case`, `peer`, `theirs` and `ours` (values), and `said`: who is lower, or the difference.
    """
    rows: list[dict[str, Any]] = []
    for (background, seen), published in list(FELDMAN_COUSINS.items())[:: 5 if quick else 1]:
        limit = upper_limit(counting(background, seen), level=0.90, method="feldman-cousins", expected=False)
        rows.append(
            {
                "case": f"n = {seen}, b = {background:g}, upper end at 90 %",
                "peer": "Feldman and Cousins 1998",
                "theirs": published,
                "ours": limit.kappa,
                "said": f"apart by {abs(limit.kappa - published):.3f}",
            }
        )
    with tempfile.TemporaryDirectory() as folder:
        files = [_made(Path(folder), bins, shapes) for bins, shapes in _MADE[: 1 if quick else None]]
        for path in [*files, *_listed(workspaces)]:
            found = referee(path)
            rows += [
                {
                    "case": path.name,
                    "peer": each.fitter,
                    "theirs": None if each.failure else each.ours,
                    "ours": 0.0,
                    "said": each.failure or found.words,
                }
                for each in found.opinions[1:]
            ]
    return rows


def _made(folder: Path, bins: int, shapes: int) -> Path:
    path = folder / f"made_{bins}_bins_{shapes}_shapes.json"
    path.write_text(json.dumps(make(bins, shapes)), encoding="utf-8")
    return path


def _listed(paths: Sequence[Path]) -> list[Path]:
    """Return the files, with those of folders in place of the folders."""
    found: list[Path] = []
    for path in paths:
        inside = [*path.rglob("*.json"), *path.rglob("*.json.gz")] if path.is_dir() else [path]
        found += sorted(inside)
    return found
