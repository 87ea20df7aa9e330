"""Collects the warnings above a report: sentences about the fit, its limit and its inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spectrafit.inference.fitting.constraints import Constraints
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import FitResult, Limit
    from spectrafit.templates.templates import Templates

__all__ = ["alarms"]

# A fit describes the data badly if the probability of a worse goodness of fit is below this.
_BAD = 1e-4


def alarms(
    best: FitResult,
    model: Model,
    templates: Templates,
    limit: Limit | None = None,
    constraints: Constraints | None = None,
) -> list[str]:
    """Return what stands above the tables.

    Fake data, an invalid or bad fit, the notes of the limit, constraints that are noise of the simulation, files left
    out or read twice, empty bins.
    """
    found = [] if model.fake is None else [f"The data are fake, not measured: {model.fake.label}"]
    found += [] if best.valid else [f"The fit is not valid: {best.message}"]
    if best.goodness.p_value < _BAD:
        found.append(
            f"The fit describes the data badly ({best.goodness}): do not trust a limit from such a fit; "
            "look at the spectra and the pulls"
        )
    if limit is not None:
        found += [f"The limit: {note}" for note in limit.notes]
    if constraints is not None:
        found += constraints.alarms
    skipped = [f"{file} ({why})" for record in templates.inventories for file, why in record["skipped"]]
    if skipped:
        found.append(f"{len(skipped)} files were left out; the exposure is that of the others: {', '.join(skipped)}")
    for record in templates.inventories:
        for file, times in record["repeated"]:
            found.append(f"{record['sample']}: {file} is named {times} times, and its events count as often")
        if record.get("eventless"):
            found.append(
                f"{record['sample']}: {len(record['eventless'])} files have an exposure and no tree of events; they"
                f" count as jobs in which no event passed: {', '.join(record['eventless'])}"
            )
        found += [f"{record['sample']}: {note}" for note in record.get("notes", ())]
        bad = record["dropped"]["bad"]
        if bad:
            kinds = "; ".join(f"{kind}, {count} (first: {first})" for kind, (count, first) in bad.items())
            total = sum(count for count, _ in bad.values())
            found.append(
                f"{record['sample']}: {total} of {record['entries']} entries are bad and were left out: {kinds}"
            )
    if model.zero_bins:
        found.append(f"Bins without expectation, handled by the declared rule: {', '.join(model.zero_bins)}")
    return found
