"""Writes a result as a HEPData submission: a zip of tables with the limit, the profile, every bin and the parameters.

HEPData reads YAML, of which JSON is a part: the files are JSON, one document each.
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from spectrafit.errors import ConfigError
from spectrafit.output import replacing, slugs

__all__ = ["check_submission_name", "submission", "write_submission"]

_QUANTILES = ("-2 sigma", "-1 sigma", "median", "+1 sigma", "+2 sigma")
# HEPData's longest name of a table.
_LONGEST = 64
# Times are left out of the zip, so that the same result gives the same file.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def check_submission_name(path: Path) -> None:
    """Raise ConfigError if a submission cannot have this name."""
    if path.suffix.lower() != ".zip":
        raise ConfigError(f"{path}: a HEPData submission is a zip; give a name that ends in .zip")


def write_submission(path: str | os.PathLike[str], result: Mapping[str, Any]) -> Path:
    """Write a result as a HEPData submission, whole or not at all, and return the file.

    Parameters
    ----------
    path : the file, `*.zip`.
    result : the content of a `result.json`.

    Raises
    ------
    ConfigError
        The name has another suffix.
    DataError
        The file cannot be written.
    """
    target = Path(path)
    check_submission_name(target)
    with replacing(target, remedy="choose another place") as part, zipfile.ZipFile(part, "w") as archive:
        for name, text in submission(result).items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), text, zipfile.ZIP_DEFLATED)
    return target


def submission(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the files of a submission with their content: `submission.yaml`, and one for each table."""
    tables = list(_tables(result))
    names = slugs(name for name, _, _ in tables)
    symbol = result["coupling"]["symbol"]
    title = result["title"] or "Result"
    made = result["provenance"]
    comment = f"{title}. Made by spectrafit {made['versions'].get('spectrafit-numm', '')}, {made['made']}."
    if not result["data"]["unblinded"]:
        comment += f" NOT OF REAL DATA: {result['data']['what']}."
    documents: list[Mapping[str, Any]] = [{"comment": comment}]
    files: dict[str, str] = {}
    for name, description, content in tables:
        place = f"{names[name]}.yaml"
        files[place] = json.dumps(content, indent=1, allow_nan=False) + "\n"
        documents.append(
            {
                "name": name[:_LONGEST],
                "location": "Made from result.json",
                "description": f"{title}: {description}",
                "keywords": [
                    {"name": "reactions", "values": ["NU E- --> NU E-"]},
                    {"name": "observables", "values": [symbol]},
                    {"name": "phrases", "values": ["Neutrino magnetic moment", "Neutrino-electron scattering"]},
                ],
                "data_file": place,
            }
        )
    whole = "".join(f"---\n{json.dumps(document, indent=1, allow_nan=False)}\n" for document in documents)
    return {"submission.yaml": whole, **files}


def _tables(result: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield name, description and content of every table."""
    limit, best = result["limit"], result["best_fit"]
    called = "Observed" if result["data"]["unblinded"] else "Fitted (not real data)"
    about = [_qualifier("Confidence level", limit["level"]), _qualifier("Statistic", limit["statistic"])]
    limits = [("observed" if result["data"]["unblinded"] else "fitted, not real data", limit["value"])]
    if limit["expected"] is not None:
        limits += [
            (f"expected, {name}", value) for name, value in zip(_QUANTILES, limit["expected"]["values"], strict=True)
        ]
    yield (
        "Limit",
        f"upper limit on {limit['symbol']} by the method {limit['method']}, {limit['sides']}-sided.",
        _table(
            [_variable("Limit", "", [{"value": name} for name, _ in limits])],
            [_variable(limit["symbol"], limit["unit"], [{"value": _number(value)} for _, value in limits], about)],
        ),
    )
    curve = result["profile"]
    yield (
        "Profile",
        f"2NLL above its minimum along {curve['parameter']}, all other parameters refitted.",
        _table(
            [_variable(curve["parameter"], best["unit_of_kappa"], [{"value": value} for value in curve["kappa"]])],
            [_variable("-2 Delta ln L", "", [{"value": _number(value)} for value in curve["delta_2nll"]])],
        ),
    )
    for region in result["regions"]:
        places: list[tuple[tuple[float, float], ...]] = [()]
        for axis in region["axes"]:
            sides = list(zip(axis["edges"][:-1], axis["edges"][1:], strict=True))
            places = [(*place, side) for place in places for side in sides]
        columns = [_variable(called, "events", [{"value": _number(value)} for value in region["data"]])]
        for when, words in (("before", "before the fit"), ("after", "after the fit")):
            for row in region[when]:
                name = "all samples" if row["sample"] is None else row["sample"]
                columns.append(_variable(name, "events", list(_yields(row)), [_qualifier("Expectation", words)]))
        yield (
            f"Region {region['name']}",
            f"events of region {region['name']}, and their expectation before and after the fit.",
            _table(
                [
                    _variable(axis["observable"], "", [{"low": place[at][0], "high": place[at][1]} for place in places])
                    for at, axis in enumerate(region["axes"])
                ],
                columns,
            ),
        )
    if result["nuisances"]:
        rows = result["nuisances"]
        yield (
            "Parameters",
            "fitted nuisance parameters, and their impact on kappa.",
            _table(
                [_variable("Parameter", "", [{"value": row["name"]} for row in rows])],
                [
                    _variable("Fitted", "", [_valued(row["value"], {"fit": row["error"]}) for row in rows]),
                    _variable("Pull", "", [{"value": _number(row["pull"])} for row in rows]),
                    _variable("Impact", best["unit_of_kappa"], [{"value": _number(row["impact_up"])} for row in rows]),
                ],
            ),
        )
    names, matrix = result["correlation"]["parameters"], result["correlation"]["matrix"]
    pairs = [(one, other) for one in range(len(names)) for other in range(len(names))]
    yield (
        "Correlations",
        "correlations of the fitted parameters.",
        _table(
            [
                _variable(f"Parameter {side + 1}", "", [{"value": names[pair[side]]} for pair in pairs])
                for side in (0, 1)
            ],
            [_variable("Correlation", "", [{"value": _number(matrix[one][other])} for one, other in pairs])],
        ),
    )


def _yields(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for events, error, simulation in zip(row["events"], row["error"], row["simulation_error"], strict=True):
        yield _valued(events, {"parameters": error, "templates": simulation})


def _valued(value: float | None, errors: Mapping[str, float | None]) -> dict[str, Any]:
    """Return a value with those of its errors that are not 0."""
    said = [{"symerror": error, "label": label} for label, error in errors.items() if error]
    return {"value": _number(value)} | ({"errors": said} if said else {})


def _number(value: float | None) -> float | str:
    """Return a number; a dash, as HEPData has it, where there is none."""
    return value if value is not None and math.isfinite(value) else "-"


def _qualifier(name: str, value: Any) -> dict[str, Any]:
    return {"name": name, "value": value}


def _variable(
    name: str, units: str, values: Sequence[Mapping[str, Any]], qualifiers: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    header = {"name": name} | ({"units": units} if units else {})
    return {"header": header, **({"qualifiers": list(qualifiers)} if qualifiers else {}), "values": list(values)}


def _table(independent: Sequence[Mapping[str, Any]], dependent: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"independent_variables": list(independent), "dependent_variables": list(dependent)}
