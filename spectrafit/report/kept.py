"""Saves the figures of a result, and keeps those of an earlier run whose inputs have not changed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spectrafit.progress import bar

if TYPE_CHECKING:
    from spectrafit.report.figures import Planned

__all__ = ["DRAWN", "Saved", "save_all"]

# What the figures of a folder were drawn from.
DRAWN = "drawn.json"
_KINDS = ("png", "pdf")


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Saved:
    """A figure that is saved: its plan, its bytes as PNG, its width in inches, and whether it was drawn in this run."""

    planned: Planned
    png: bytes
    width: float
    drawn: bool


def save_all(folder: Path, before: Path, planned: Mapping[str, Planned], *, dpi: int) -> dict[str, Saved]:
    """Save figures as PNG and PDF to a folder that is there, with `drawn.json`, which says what each was drawn from.

    Parameters
    ----------
    folder : where the figures go.
    before : folder of an earlier run. Its figures are copied where inputs, code and files are those of that run.
    planned : the figures by the names of their files.
    dpi : pixels per inch of the PNG.
    """
    known = _known(before)
    found: dict[str, Saved] = {}
    entries: dict[str, dict[str, Any]] = {}
    with bar(len(planned), doing="drawing", unit="figures") as advance:
        for name, one in planned.items():
            identity = f"{one.fingerprint} at {dpi} dpi"
            entry = known.get(name, {})
            kept = _kept(before, name, entry) if entry.get("from") == identity else None
            if kept is None:
                width = _drawn(folder, name, one, dpi)
            else:
                width = float(entry["width"])
                for kind, content in kept.items():
                    (folder / f"{name}.{kind}").write_bytes(content)
            contents = {kind: (folder / f"{name}.{kind}").read_bytes() for kind in _KINDS}
            sums = {kind: hashlib.sha256(content).hexdigest() for kind, content in contents.items()}
            entries[name] = {"from": identity, "width": width, **sums}
            found[name] = Saved(planned=one, png=contents["png"], width=width, drawn=kept is None)
            advance(1)
    (folder / DRAWN).write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    return found


def _known(before: Path) -> dict[str, Any]:
    """Return what an earlier run says of its figures; nothing if there is none, or its file is not ours."""
    try:
        said = json.loads((before / DRAWN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: entry for name, entry in said.items() if isinstance(entry, dict)} if isinstance(said, dict) else {}


def _kept(before: Path, name: str, entry: Mapping[str, Any]) -> dict[str, bytes] | None:
    """Return the files of an earlier figure, None if one is missing or is not the one that was saved."""
    found = {}
    for kind in _KINDS:
        try:
            content = (before / f"{name}.{kind}").read_bytes()
        except OSError:
            return None
        if hashlib.sha256(content).hexdigest() != entry.get(kind):
            return None
        found[kind] = content
    return found


def _drawn(folder: Path, name: str, one: Planned, dpi: int) -> float:
    """Draw a figure, save it, and return its width."""
    # matplotlib takes half a second to import: only drawing pays for it.
    from spectrafit.report.figures.saving import carried
    from spectrafit.report.figures.style import look

    with look(), carried(one.figure) as figure:
        figure.savefig(folder / f"{name}.png", dpi=dpi, pil_kwargs={"compress_level": 3})
        # Without a date the same figure is the same file.
        figure.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None})
        return float(figure.get_figwidth())
