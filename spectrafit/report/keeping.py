"""Which folder a result goes to, and whether it may take the place of the one there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spectrafit.config import digest
from spectrafit.errors import ConfigError

if TYPE_CHECKING:
    from spectrafit.config import Analysis

__all__ = ["Kind", "default_folder", "kind_of", "refuse_other", "refuse_result"]

Kind = Literal["Asimov", "fake", "unblinded"]


def default_folder(name: str, kind: Kind) -> Path:
    """Return where a result goes if nobody says: results/NAME, or results/NAME-unblinded for one of the real data."""
    return Path("results") / (f"{name}-unblinded" if kind == "unblinded" else name)


def kind_of(result: Mapping[str, Any]) -> Kind:
    """Return what the data of a saved result were: the expectation itself, fake data or the real ones."""
    data = result.get("data", {})
    return "unblinded" if data.get("unblinded") else "fake" if data.get("fake") else "Asimov"


def refuse_result(target: Path, analysis: Analysis, kind: Kind) -> str:
    """Refuse to write over another analysis' result, or over one of other data; return what else there is to say.

    Results of one analysis replace each other, whatever its settings are: those are the same if the file is, or if
    all that it says is. A blinded result and one of fake data replace each other too: no real data are in them.

    Returns
    -------
    str
        A sentence if the result there had other settings, or "".

    Raises
    ------
    ConfigError
        The folder holds a result of another analysis, or real data are in one of the two results alone, or what is
        there cannot be read.
    """
    return refuse_other(target, str(analysis.path), digest(analysis), kind)


def refuse_other(target: Path, path: str, digest: str, kind: Kind) -> str:
    """Do what `refuse_result` does, for the result of a file that has a digest: an analysis or a workspace."""
    place = target / "result.json"
    if not place.exists():
        return ""
    remedy = "give another folder (-o), or force the change (--force)"
    try:
        found = json.loads(place.read_text(encoding="utf-8"))
        before = found["provenance"]
        digest_before, path_before = before["configuration_digest"], before["configuration"]["path"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(f"{place}: is no result of spectrafit fit, and would be overwritten; {remedy}") from None
    same = digest_before == digest
    if not same and Path(path_before).resolve() != Path(path).resolve():
        title = found.get("title") or Path(path_before).stem
        raise ConfigError(f"{target}: holds the result of another analysis, {path_before} ({title}); {remedy}")
    if (kind_of(found) == "unblinded") != (kind == "unblinded"):
        words = {"Asimov": "a blinded result", "fake": "a result of fake data", "unblinded": "an unblinded result"}
        raise ConfigError(f"{target}: holds {words[kind_of(found)]}, and this is {words[kind]}; {remedy}")
    return "" if same else f"{target}: the result there had other settings, and is replaced"
