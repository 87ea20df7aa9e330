"""Converts a HistFactory workspace from `export` to HS3, the HEP Statistics Serialization Standard.

The dialect is what pyhs3 0.4.2 evaluates. It refuses staterrors that samples share, so a bin's factor is a staterror of
the sample with most events there, its constraint written once, and a shapefactor of the same name on all others.
"""

from __future__ import annotations

import math
from typing import Any

__all__ = ["to_hs3"]

Json = dict[str, Any]

VERSION = "0.2.9"
# pyhf's default start and limits.
DEFAULTS = {
    "normfactor": (1.0, (0.0, 10.0)),
    "normsys": (0.0, (-5.0, 5.0)),
    "histosys": (0.0, (-5.0, 5.0)),
    "staterror": (1.0, (1e-10, 10.0)),
}


def to_hs3(workspace: Json) -> Json:
    """Return a workspace of normfactors, normsys, histosys and staterrors as HS3, in plain JSON values.

    The channels' bins are numbered: HistFactory knows no edges.
    """
    config = workspace["measurements"][0]["config"]
    writer = _Writer({setting["name"]: setting for setting in config["parameters"]})
    observed = {observation["name"]: observation["data"] for observation in workspace["observations"]}
    distributions: list[Json] = []
    data: list[Json] = []
    for channel in workspace["channels"]:
        name, counts = channel["name"], observed[channel["name"]]
        bins = [{"name": f"bin_{name}", "min": 0.0, "max": float(len(counts)), "nbins": len(counts)}]
        samples = [writer.sample(sample) for sample in channel["samples"]]
        writer.add_staterrors(name, channel["samples"], samples)
        distributions.append(
            {
                "type": "histfactory_dist",
                "name": name,
                "axes": bins,
                "barlow_beeston_method": "full",
                "samples": samples,
            }
        )
        data.append({"type": "binned", "name": f"observed_{name}", "axes": bins, "contents": counts})
    names = [distribution["name"] for distribution in distributions]
    analysis: Json = {"name": "spectrafit", "likelihood": "likelihood", "domains": ["limits"], "init": "start"}
    if config["poi"]:
        analysis["parameters_of_interest"] = [config["poi"]]
    return {
        "metadata": {"hs3_version": VERSION},
        "distributions": distributions,
        "data": data,
        "likelihoods": [
            {"name": "likelihood", "distributions": names, "data": [measured["name"] for measured in data]}
        ],
        "domains": [{"type": "product_domain", "name": "limits", "axes": list(writer.axes.values())}],
        "parameter_points": [{"name": "start", "parameters": list(writer.parameters.values())}],
        "analyses": [analysis],
    }


class _Writer:
    """Writes samples, and collects their parameters' starts and limits."""

    def __init__(self, settings: dict[str, Json]) -> None:
        self.settings = settings
        self.parameters: dict[str, Json] = {}
        self.axes: dict[str, Json] = {}

    def declare(self, name: str, kind: str) -> None:
        setting = self.settings.get(name, {})
        initial, limits = DEFAULTS[kind]
        low, high = setting.get("bounds", [limits])[0]
        value, const = setting.get("inits", [initial])[0], setting.get("fixed", False)
        self.parameters.setdefault(name, {"name": name, "value": value, "const": const})
        self.axes.setdefault(name, {"name": name, "min": low, "max": high})

    def sample(self, given: Json) -> Json:
        """Return a sample without its staterror."""
        modifiers: list[Json] = []
        for modifier in given["modifiers"]:
            name, kind, content = modifier["name"], modifier["type"], modifier["data"]
            if kind == "staterror":
                continue
            self.declare(name, kind)
            entry: Json = {"name": name, "type": kind, "parameter": name}
            if kind == "normsys":
                entry |= {"constraint": "Gauss", "data": {"hi": content["hi"], "lo": content["lo"]}}
            elif kind == "histosys":
                shapes = {"hi": {"contents": content["hi_data"]}, "lo": {"contents": content["lo_data"]}}
                entry |= {"constraint": "Gauss", "data": shapes}
            modifiers.append(entry)
        return {"name": given["name"], "data": {"contents": given["data"]}, "modifiers": modifiers}

    def add_staterrors(self, channel: str, given: list[Json], samples: list[Json]) -> None:
        """Add the factors of the bins; all samples of a channel have them, or none."""
        errors = [
            modifier["data"] for sample in given for modifier in sample["modifiers"] if modifier["type"] == "staterror"
        ]
        if not errors:
            return
        contents = [sample["data"] for sample in given]
        totals = [sum(values) for values in zip(*contents, strict=True)]
        sigmas = [math.hypot(*values) for values in zip(*errors, strict=True)]
        widths = [sigma / total if total > 0 else 0.0 for sigma, total in zip(sigmas, totals, strict=True)]
        # The factor of bins without uncertainty, and of those another modifier is for.
        one = f"one_{channel}"
        self.parameters[one] = {"name": one, "value": 1.0, "const": True}
        name = next(modifier["name"] for modifier in given[0]["modifiers"] if modifier["type"] == "staterror")
        names = [f"{name}[{index}]" if width > 0 else one for index, width in enumerate(widths)]
        for full in names:
            if full != one:
                self.declare(full, "staterror")
        for row, sample in enumerate(samples):
            mine = [
                width > 0 and max(range(len(contents)), key=lambda j: contents[j][index]) == row
                for index, width in enumerate(widths)
            ]
            sample["modifiers"].append(
                {"name": name, "type": "shapefactor", "parameters": _either(mine, [one] * len(mine), names)}
            )
            if any(mine):
                bins = zip(mine, contents[row], widths, strict=True)
                sample["modifiers"].append(
                    {
                        "name": f"{name}_constraint",
                        "type": "staterror",
                        "parameters": _either(mine, names, [one] * len(mine)),
                        "constraint": "Gauss",
                        "data": {
                            "uncertainties": [
                                width * content if mean else abs(content) for mean, content, width in bins
                            ]
                        },
                    }
                )


def _either(chosen: list[bool], yes: list[str], no: list[str]) -> list[str]:
    return [first if choose else second for choose, first, second in zip(chosen, yes, no, strict=True)]
