"""Says what a folder of results holds: of which analysis and data, when it was made, and whether it is out of date."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from spectrafit.errors import DataError
from spectrafit.events.identity import is_same
from spectrafit.report.keeping import kind_of
from spectrafit.report.saved_results import read_result
from spectrafit.report.tables import Table

__all__ = ["status", "status_table"]


def status(results: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return what is known of the result in a folder, or of each result in the folders inside.

    Raises
    ------
    DataError
        There is no result, or the only one cannot be read.
    """
    target = Path(results)
    if target.is_dir() and not (target / "result.json").exists():
        inside = sorted(place.parent for place in target.glob("*/result.json"))
        if inside:
            return [_one_of_several(place) for place in inside]
    return [_status(target)]


def _one_of_several(folder: Path) -> dict[str, Any]:
    """Return what is known of a result, or what is wrong with it: the others are still worth knowing."""
    try:
        return _status(folder)
    except DataError as error:
        return {"folder": str(folder), "problem": str(error)}


def _status(target: Path) -> dict[str, Any]:
    folder = target if target.is_dir() else target.parent
    found = read_result(target)
    provenance, limit = found["provenance"], found["limit"]
    return {
        "folder": str(folder),
        "title": found["title"],
        "analysis": provenance["configuration"]["path"],
        "made": provenance["made"],
        "version": provenance["versions"].get("spectrafit-numm"),
        "configuration_digest": provenance["configuration_digest"],
        "templates_digest": provenance["templates_digest"],
        "data": found["data"]["what"],
        "kind": kind_of(found),
        "valid": found["fit"]["valid"],
        "limit": limit["value"],
        "unit": limit["unit"],
        "symbol": limit["symbol"],
        "level": limit["level"],
        "method": limit["method"],
        "empty": limit["empty"],
        "expected": None if limit["expected"] is None else limit["expected"]["values"][2],
        "templates": (folder / "templates.root").exists(),
        "page": (folder / "index.html").exists(),
        "figures": len(list((folder / "figures").glob("*.png"))),
        "newer": _newer(provenance),
        "missing": _missing(provenance),
    }


def _files(provenance: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    files = [file for record in provenance["inputs"] for file in record.get("files", ())]
    return {file["path"]: file for file in files if "://" not in file["path"]}


def _newer(provenance: Mapping[str, Any]) -> list[str]:
    """Return the inputs that are other files now, and the TOML files that were written to since."""
    changed = [
        path
        for path, file in _files(provenance).items()
        if Path(path).exists() and not is_same(path, size=file["size"], uuid=file["uuid"], changed=file.get("changed"))
    ]
    made = datetime.fromisoformat(provenance["made"]).timestamp()
    said = provenance["configuration"]
    texts = [said["path"], *(each["path"] for each in said.get("sample_sets", ()))]
    # The time of a result is kept in whole seconds.
    texts += [said["patch"]] if said.get("patch") else []
    return changed + [text for text in texts if Path(text).is_file() and Path(text).stat().st_mtime > made + 1.0]


def _missing(provenance: Mapping[str, Any]) -> list[str]:
    path = provenance["configuration"]["path"]
    known = [*_files(provenance), *([] if provenance["inputs"] else [path])]
    return [each for each in known if not Path(each).exists()]


def _limit(row: Mapping[str, Any]) -> str:
    if row["limit"] is None:
        return "none"
    value = f"{row['symbol']} < {row['limit']:.4g} {row['unit']}".rstrip()
    value = f"none: empty interval, boundary {row['limit']:.4g}" if row["empty"] else value
    expected = "" if row["expected"] is None else f", expected {row['expected']:.4g}"
    return f"{value} at {100 * row['level']:g} % CL ({row['method']}){expected}"


def status_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    """Return what is known of each result as a table of two columns."""
    cells: list[tuple[str, str]] = []
    rules: list[int] = []
    for row in rows:
        rules.append(len(cells))
        cells.append(("folder", row["folder"]))
        if "problem" in row:
            cells.append(("problem", row["problem"]))
            continue
        state = "valid" if row["valid"] else "NOT VALID"
        there = [name for name in ("templates", "page") if row[name]]
        cells += [
            ("title", row["title"] or ""),
            ("analysis", f"{row['analysis']}, digest {row['configuration_digest'][:12]}"),
            ("made", f"{row['made']} by spectrafit {row['version'] or '?'}"),
            ("data", row["data"] if row["data"].startswith(row["kind"]) else f"{row['kind']}: {row['data']}"),
            ("fit", state),
            ("limit", _limit(row)),
            ("holds", ", ".join([*there, f"{row['figures']} figures"])),
        ]
        cells += [(what, _listed(row[what])) for what in ("newer", "missing") if row[what]]
        if not row["newer"] and not row["missing"]:
            cells.append(("inputs", "as they were"))
    return Table(title="", columns=("", ""), rows=tuple(cells), rules=tuple(rules[1:]))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
