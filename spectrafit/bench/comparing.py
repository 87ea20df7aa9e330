"""Compares answers with those of others: minima of workspaces with the fitters installed, and published numbers.

No file of another project is shipped. The workspaces are made here, or the user gives them: for example those that
`scripts/pyhf_workspaces.py` collects from a clone of pyhf's repository.
"""

from __future__ import annotations

import gzip
import json
import math
import tempfile
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from spectrafit.bench.published import cabinetry, feldman_cousins
from spectrafit.bench.timing import chosen
from spectrafit.bench.workspaces import make, two_sided
from spectrafit.errors import ConfigError, DataError
from spectrafit.interop.fitters import FITTERS
from spectrafit.interop.referee import referee

__all__ = ["OURS", "minima", "peers", "tally"]

OURS = "spectrafit"
"""The peer of a row that says why a workspace is not fitted here."""

# Bins and shapes of the workspaces that are made, and how many have two minima.
_MADE = ((4, 2), (10, 4), (25, 6))
_TWO_SIDED = 20
# In 2NLL: ours is lower by more than the first, or higher by more than the second.
_LOWER, _HIGHER = 1e-3, 1e-6


def peers(
    *,
    workspaces: Sequence[Path] = (),
    cabinetry_example: Path | None = None,
    fitters: Collection[str] | None = None,
    quick: bool = False,
) -> list[dict[str, Any]]:
    """Return rows of comparisons.

    Parameters
    ----------
    workspaces : sequence of path
        Files, or folders in which every *.json and *.json.gz that is a workspace is compared, beside those made here.
    cabinetry_example : path, optional
        The workspace that cabinetry makes of its own example.
    fitters : collection of str, optional
        Which other fitters to ask; by default all that are installed.
    quick : bool
        Fewer cases.

    Returns
    -------
    list of dict
        `case`, `peer`, `theirs` and `ours` (values), and `said`: who is lower, or the difference. Rows of workspaces
        have `above`: how much 2NLL of the peer's minimum is above ours, evaluated by pyhf where it is installed.

    Raises
    ------
    DataError, ConfigError
        A path names no file; a file that was named by itself, or the example, cannot be read; there is no such fitter.
    """
    chosen(fitters, tuple(FITTERS))
    rows = feldman_cousins(every=5 if quick else 1)
    if cabinetry_example is not None:
        rows += cabinetry(cabinetry_example)
    with tempfile.TemporaryDirectory() as folder:
        made = _made(Path(folder), quick=quick)
        for path, named in [*((path, True) for path in made), *_listed(workspaces)]:
            rows += minima(path, named=named, fitters=fitters)
    return rows


def minima(path: Path, *, named: bool = True, fitters: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Return a row for each other fitter of a workspace; for one of a folder that is refused here, why."""
    try:
        found = referee(path, fitters=fitters)
    except (ConfigError, DataError) as error:
        if named:
            raise
        said = f"refused here: {str(error).removeprefix(f'{path}: ')}"
        return [{"case": path.name, "peer": OURS, "theirs": None, "ours": None, "above": None, "said": said}]
    interest = found.opinions[0].values.get(found.interest, math.nan)
    rows = []
    for each in found.opinions[1:]:
        above = each.pyhf if math.isfinite(each.pyhf) else each.ours
        row: dict[str, Any] = {"case": path.name, "peer": each.fitter, "theirs": None, "ours": None, "above": None}
        if each.failure:
            row["said"] = each.failure
        else:
            theirs = each.values.get(found.interest, math.nan)
            row |= {name: value if math.isfinite(value) else None for name, value in _pair(theirs, interest)}
            row |= {"above": above, "said": f"{_who(above)} (2NLL {above:+.2g})"}
        rows.append(row)
    return rows


def _pair(theirs: float, ours: float) -> Iterator[tuple[str, float]]:
    yield "theirs", theirs
    yield "ours", ours


def _who(above: float) -> str:
    """Return who is lower."""
    return "ours is lower" if above > _LOWER else "ours is higher" if above < -_HIGHER else "the same minimum"


def tally(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Count the workspaces of each peer: where ours is lower, the same, higher, and where the peer has no minimum.

    Returns
    -------
    list of dict
        `peer`, `workspaces`, `lower`, `same`, `higher`, `failed`, and `least` and `most`: the range of 2NLL by which
        ours is lower, None if it never is. Ours is lower from 0.001 on, and higher from 1e-6 on.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        if "above" not in row:
            continue
        entry = found.setdefault(row["peer"], {"peer": row["peer"], "workspaces": 0, "lower": 0, "same": 0})
        for key, start in (("higher", 0), ("failed", 0), ("least", None), ("most", None)):
            entry.setdefault(key, start)
        entry["workspaces"] += 1
        above = row["above"]
        if above is None:
            entry["failed"] += 1
        elif above > _LOWER:
            entry["lower"] += 1
            entry["least"] = min(above, entry["least"] or above)
            entry["most"] = max(above, entry["most"] or above)
        else:
            entry["higher" if above < -_HIGHER else "same"] += 1
    return list(found.values())


def _made(folder: Path, *, quick: bool) -> list[Path]:
    specs = {f"made_{bins}_bins_{shapes}_shapes": make(bins, shapes) for bins, shapes in _MADE[: 1 if quick else None]}
    specs |= {f"made_two_sided_{seed}": two_sided(seed) for seed in range(_TWO_SIDED // 10 if quick else _TWO_SIDED)}
    for name, spec in specs.items():
        (folder / f"{name}.json").write_text(json.dumps(spec), encoding="utf-8")
    return [folder / f"{name}.json" for name in specs]


def _listed(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Yield files, with the workspaces of folders in place of the folders, and whether each was named by itself."""
    for path in paths:
        if not path.is_dir():
            yield path, True
            continue
        inside = sorted(each for each in (*path.rglob("*.json"), *path.rglob("*.json.gz")) if _is_workspace(each))
        if not inside:
            raise DataError(f"{path}: holds no workspace, a JSON object with channels and observations")
        yield from ((each, False) for each in inside)


def _is_workspace(path: Path) -> bool:
    """Return whether a file looks like a workspace: a folder also holds schemas, patches and settings."""
    try:
        data = path.read_bytes()
        content = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    except (OSError, EOFError, ValueError, zlib.error):
        return False
    return isinstance(content, dict) and {"channels", "observations"} <= content.keys()
