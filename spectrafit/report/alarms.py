"""Collects the warnings above a report: sentences about the fit, its limit and its inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spectrafit.inference.fitting.constraints import Constraints
    from spectrafit.inference.model import Model
    from spectrafit.inference.results import FitResult, Limit
    from spectrafit.templates.templates import Templates

__all__ = ["alarms"]

# A fit describes the data badly if the probability of a worse goodness of fit is below this.
_BAD = 0.01
# A nuisance parameter that the fit moves by more prior widths than this is named.
_PULL = 2.5
# How many times as many events of a sample, or how much fewer, one standard deviation may make.
_VIOLENT = 20.0


def alarms(
    best: FitResult,
    model: Model,
    templates: Templates,
    limit: Limit | None = None,
    constraints: Constraints | None = None,
) -> list[str]:
    """Return what stands above the tables.

    Fake data, an invalid or bad fit, the notes of the limit, constraints that are noise of the simulation, files left
    out or read twice, ntuples that have changed since the templates were made, empty bins.
    """
    found = [] if model.fake is None else [f"The data are fake, not measured: {model.fake.label}"]
    found += [] if best.valid else [f"The fit is not valid: {best.message}"]
    if best.goodness.p_value < _BAD:
        found.append(
            f"The fit describes the data badly ({best.goodness}, below {_BAD:g}): do not trust a limit from such a "
            "fit; look at the spectra and the pulls"
        )
    pulled = [(name, float(pull)) for name, pull in zip(best.names, best.pulls, strict=True) if abs(pull) > _PULL]
    if pulled:
        listed = ", ".join(f"{name} {pull:+.1f}" for name, pull in sorted(pulled, key=lambda one: -abs(one[1])))
        found.append(
            f"The fit pulls {listed} prior widths away, more than {_PULL:g}: the data and this prior do not agree; "
            "look for what the model lacks before the limit is used"
        )
    if limit is not None:
        found += [f"The limit: {note}" for note in limit.notes]
    if constraints is not None:
        found += constraints.alarms
    skipped = [f"{file} ({why})" for record in templates.inventories for file, why in record["skipped"]]
    if skipped:
        found.append(f"{len(skipped)} files were left out; the exposure is that of the others: {', '.join(skipped)}")
    changed = _changed(templates)
    if changed:
        listed = ", ".join(changed[:3]) + (f" and {len(changed) - 3} more" if len(changed) > 3 else "")
        found.append(f"The templates are older than {listed}; build them again to use what changed")
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
    found += _violent(templates)
    if model.zero_bins:
        found.append(f"Bins without expectation, handled by the declared rule: {', '.join(model.zero_bins)}")
    return found


def _violent(templates: Templates) -> list[str]:
    """Return the variations of one standard deviation or less that take away nearly all of a sample, or multiply it."""
    found = []
    totals = templates.counts[:, :, 0].sum(axis=-1)
    for index, variation in enumerate(templates.variations):
        if not 0.0 < abs(variation.sigma) <= 1.0:
            continue
        for sample, sums in zip(templates.samples, totals.tolist(), strict=True):
            nominal, varied = sums[0], sums[index]
            if nominal > 0.0 and not nominal / _VIOLENT < varied < nominal * _VIOLENT:
                found.append(
                    f"{variation.parameter} at {variation.sigma:+g} sigma makes {varied:.4g} of {nominal:.4g} events "
                    f"of {sample}: check its size and its unit"
                )
    return found


def _changed(templates: Templates) -> list[str]:
    """Return the ntuples that are other files now than when the templates were filled."""
    from spectrafit.events.identity import is_same

    files = [file for record in templates.inventories for file in record.get("files", ())]
    return [
        Path(file["path"]).name
        for file in {file["path"]: file for file in files}.values()
        if not is_same(file["path"], size=file["size"], uuid=file["uuid"], changed=file.get("changed"))
    ]
