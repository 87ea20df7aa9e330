"""Collects the result of a workspace's fit as the plain values that `result.json` holds, in the layout of all results.

The parameter of interest stands where an analysis has kappa, a channel where it has a region.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from spectrafit.config import LimitOptions
from spectrafit.interop import workspace as ws
from spectrafit.interop.measurements import described
from spectrafit.interop.patch import split
from spectrafit.report.contents import expected_at
from spectrafit.report.expectation import moving
from spectrafit.report.layout import LAYOUT
from spectrafit.report.plain import plain
from spectrafit.report.record import fit_summary, provenance_of
from spectrafit.report.tables import nuisance_rows

if TYPE_CHECKING:
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import Impact, Limit, Profile
    from spectrafit.interop.bounded import Bounded

__all__ = ["Source", "channels_of", "workspace_record"]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """What a workspace's result is of: the files that were read and the choices that were made.

    Attributes
    ----------
    path : str
    measurement : str
        The one that was fitted.
    patch : str
        As it was given; empty without one.
    interest : str
    limit : LimitOptions
    """

    path: str
    measurement: str
    patch: str
    interest: str
    limit: LimitOptions

    @classmethod
    def of(
        cls,
        path: str | os.PathLike[str],
        interest: str,
        limit: LimitOptions,
        *,
        measurement: str | None = None,
        patch: str | os.PathLike[str] | None = None,
    ) -> Source:
        """Return the source of a result; the measurement is the first if none is named."""
        name = described(path, measurement=measurement, patch=patch).measurement
        said = "" if patch is None else os.fspath(patch)
        return cls(path=os.fspath(path), measurement=name, patch=said, interest=interest, limit=limit)

    @property
    def title(self) -> str:
        """The file's name, the measurement's if there are several, and the patch's."""
        several = len(described(self.path, measurement=self.measurement, patch=self.patch or None).measurements) > 1
        words = [Path(self.path).name, *([self.measurement] if several else [])]
        if self.patch:
            file, name = split(self.patch)
            words.append(name or file.name)
        return ", ".join(words)

    @property
    def digest(self) -> str:
        """SHA-256 of the patched workspace's content and of the choices."""
        held = msgspec.json.encode(ws.load(self.path, patch=self.patch or None), order="deterministic")
        chosen = msgspec.json.encode((self.measurement, self.interest, self.limit), order="deterministic")
        return hashlib.sha256(held + chosen).hexdigest()

    @property
    def inputs(self) -> list[Path]:
        """The files that were read."""
        return [Path(self.path), *([split(self.patch)[0]] if self.patch else [])]


def channels_of(model: Model, found: Bounded, axes: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return what stands in the bins of every channel, as `result.json` keeps it for a region.

    Parameters
    ----------
    model : Model
        With the factors of bins as parameters.
    found : Bounded
        Its fit.
    axes : mapping of channel to axes
        Labels and edges; the bins of a channel without them are numbered.

    Returns
    -------
    list of dict
        As `spectrafit.report.contents.contents`, but `before` the fit all parameters have their initial values, the one
        of interest among them, as HistFactory's nominal expectation has it.
    """
    best = found.best
    places = moving(model, best)
    before = expected_at(model, model.initial, places, best, before=True)
    free = [place for place in range(len(best.errors)) if best.errors[place] > 0]
    after = expected_at(model, best.values, free, best)
    result = []
    for span in model.regions:
        bins = slice(span.start, span.stop)
        numbered = [("bin", np.arange(span.stop - span.start + 1.0))]
        given = axes.get(span.name)
        result.append(
            {
                "name": span.name,
                "title": span.title,
                "axes": [
                    {"observable": label.split(" [")[0] or "x", "label": label, "edges": np.asarray(edges, dtype=float)}
                    for label, edges in given or numbered
                ],
                "partition": None,
                "fitted": True,
                "data": model.data[bins],
                "before": before.within(bins),
                "after": after.within(bins),
            }
        )
    return result


def workspace_record(
    source: Source,
    model: Model,
    found: Bounded,
    limit: Limit,
    curve: Profile,
    impacts: Sequence[Impact],
    channels: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return the content of `result.json`; `spectrafit.report.layout` describes each key.

    Keys that a workspace has nothing for are empty or null: it has neither samples' files nor couplings.
    """
    best = found.best
    samples = list(dict.fromkeys(component.sample for component in model.components))
    digest = source.digest
    return dict(
        plain(
            {
                "layout": LAYOUT,
                "title": source.title,
                "experiment": None,
                "alarms": [*found.notes, *([] if best.valid else [f"NOT VALID: {best.message}"])],
                "coupling": {"name": "", "symbol": model.poi, "unit": "", "parameter": model.poi, "carriers": []},
                "couplings": [],
                "monomials": [],
                "limit": limit.summary() | {"symbol": model.poi, "points": limit.points},
                "best_fit": {
                    "kappa": best.kappa,
                    "error": best.kappa_error,
                    "minos": best.minos.get(best.poi),
                    "unit_of_kappa": "",
                    "reported": best.kappa,
                    "reported_unit": "",
                },
                "nuisances": nuisance_rows(model, best, impacts),
                "constraints": None,
                "validation": [],
                "sources": [],
                "smoothing": [],
                "error_budget": {impact.name: impact.size for impact in impacts if impact.group},
                "correlation": {"parameters": list(best.names), "matrix": best.correlation},
                "fit": fit_summary(best, model)
                | {
                    "at_limit": found.at_limit,
                    "mc_statistics": "histfactory",
                    "dropped_bins": [],
                },
                "profile": {
                    "parameter": curve.parameter,
                    "kappa": curve.grid,
                    "delta_2nll": curve.delta_2nll,
                    "valid": curve.valid,
                },
                "regions": channels,
                "data": {
                    "blinded": model.fake is not None,
                    "unblinded": model.fake is None,
                    "what": "the workspace's observations" if model.fake is None else model.called,
                    "fake": None if model.fake is None else model.fake.summary(),
                    "events": {span.name: float(model.data[span.start : span.stop].sum()) for span in model.regions},
                },
                "samples": samples,
                "provenance": provenance_of(
                    digest=digest,
                    templates=hashlib.sha256(b"".join(path.read_bytes() for path in source.inputs)).hexdigest(),
                    configuration=msgspec.to_builtins(source),
                    seeds={"limit": source.limit.seed},
                ),
            }
        )
    )
