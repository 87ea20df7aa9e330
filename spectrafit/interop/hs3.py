"""Converts a HistFactory workspace to HS3, the HEP Statistics Serialization Standard.

ROOT (RooJSONFactoryWSTool, 6.40), pyhs3 (0.4.2) and NextStat (0.10.1) read the file, and each asks for something:

* ROOT reads limits from a domain called `default_domain`, and observables from there too. Its names have no brackets,
  so the factor of bin 3 is `NAME_bin_3`.
* The constraint of the bins' factors stands with one sample (staterror), with its errors for ROOT and its
  `uncertainties` for pyhs3; the other samples have the factors alone (shapefactor of the same parameters).
* ROOT and NextStat want the constraint of each nuisance as a distribution of its own, named by `constraint_name`.
  pyhs3 reads `constraint`.
* A luminosity is a normfactor with a constraint. The errors of a shapesys are relative.

Where powers of kappa must move together, the factors of the higher powers are expressions of the one of kappa.

Names that had to change stand under `misc.spectrafit.names`, with what each was called.

ROOT 6.40 gives the factors of a channel of two axes to other bins than their errors. The bins of such a channel are
therefore numbered, last axis fastest, and its axes stand under `misc.spectrafit.axes`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spectrafit.errors import ConfigError

if TYPE_CHECKING:
    from spectrafit.templates.templates import Templates

__all__ = ["Axis", "axes_of", "to_hs3"]

Json = dict[str, Any]

Axis = tuple[str, Sequence[float]]
"""Name and edges of one axis of a channel."""

VERSION = "0.2.9"
# pyhf's default start and limits.
DEFAULTS = {
    "normfactor": (1.0, (0.0, 10.0)),
    "normsys": (0.0, (-5.0, 5.0)),
    "histosys": (0.0, (-5.0, 5.0)),
    "staterror": (1.0, (1e-10, 10.0)),
    "shapesys": (1.0, (1e-10, 10.0)),
    "shapefactor": (1.0, (0.0, 10.0)),
    "lumi": (1.0, (0.0, 10.0)),
}
# Types whose parameter has a Gaussian constraint that is a distribution of its own.
_NAMED = ("normsys", "histosys", "lumi")
# The error of a bin that has none, relative to its events: its factor is a constant, but readers divide by the error.
_NOTHING = 1e-9
# The constant that takes a sample away.
_MINUS = "minus_one"


def to_hs3(
    workspace: Json,
    *,
    axes: Mapping[str, Sequence[Axis]] | None = None,
    tied: Mapping[str, tuple[str, int]] | None = None,
) -> Json:
    """Return a workspace of one measurement as HS3, in plain JSON values.

    Parameters
    ----------
    workspace : dict
        Plain values of pyhf's JSON.
    axes : mapping of channel to axes, optional
        The bins of a channel without axes are numbered: HistFactory knows no edges.
    tied : mapping of str to (str, int), optional
        Normfactors that are a power of another one, which is then of interest where the measurement names none.

    Raises
    ------
    ConfigError
        ROOT's HS3 cannot say it: two staterrors in one channel, or other constraints of a shapesys or staterror than
        its errors.
    """
    config = workspace["measurements"][0]["config"]
    writer = _Writer({setting["name"]: setting for setting in config["parameters"]}, dict(tied or {}))
    writer.count(workspace["channels"])
    observed = {channel["name"]: channel["data"] for channel in workspace["observations"]}
    distributions: list[Json] = []
    data: list[Json] = []
    for channel in workspace["channels"]:
        name, counts = writer.word(channel["name"]), observed[channel["name"]]
        given = writer.signed(channel["samples"])
        bins = writer.observables(name, len(counts), (axes or {}).get(channel["name"], ()), given)
        samples = [writer.sample(sample) for sample in given]
        writer.add_staterrors(channel, given, samples)
        distributions.append(
            {
                "type": "histfactory_dist",
                "name": name,
                "axes": bins,
                "barlow_beeston_method": "full",
                "staterror": {"constraint_type": "Gauss", "relThreshold": 0.0},
                "samples": samples,
            }
        )
        data.append({"type": "binned", "name": f"observed_{name}", "axes": bins, "contents": counts})
    names, seen = ([part["name"] for part in parts] for parts in (distributions, data))
    analysis: Json = {"name": "spectrafit", "likelihood": "likelihood", "domains": ["default_domain"], "init": "start"}
    interest = config["poi"] or next((base for base, _ in writer.tied.values()), "")
    if interest:
        analysis["parameters_of_interest"] = [writer.word(interest)]
    content: Json = {
        "metadata": {"hs3_version": VERSION},
        "distributions": distributions + list(writer.constraints.values()),
        "data": data,
        "likelihoods": [{"name": "likelihood", "distributions": names, "data": seen}],
        "domains": [{"type": "product_domain", "name": "default_domain", "axes": list(writer.axes.values())}],
        "parameter_points": [{"name": "start", "parameters": list(writer.parameters.values())}],
        "analyses": [analysis],
    }
    if writer.functions:
        content["functions"] = list(writer.functions.values())
    # ROOT takes what is constant, and how bins are fitted, from here.
    attributes: Json = {
        name: {"tags": ["Constant"]} for name, parameter in writer.parameters.items() if parameter["const"]
    }
    content["misc"] = {"ROOT_internal": {"attributes": attributes}}
    renamed = {word: name for name, word in writer.words.items() if word != name and word in writer.parameters}
    if writer.grids or renamed:
        content["misc"]["spectrafit"] = {"axes": writer.grids, "names": renamed}
    if len(names) > 1:
        # Data of several channels are one data set in ROOT, whose category is that of the analysis.
        together = {"index_cat": "spectrafit_categoryIndex", "indices": list(range(len(names))), "labels": names}
        content["misc"]["ROOT_internal"]["combined_datasets"] = {"observed": together}
    return content


def axes_of(templates: Templates) -> dict[str, list[Axis]]:
    """Return names and edges of the axes of each region; none of a region whose bins are no rectangles."""
    return {
        region.name: [(name, axis.edges.tolist()) for name, axis in zip(region.observables, region.axes, strict=True)]
        for region in templates.regions
        if region.partition is None
    }


class _Writer:
    """Writes samples, and collects their parameters' starts and limits."""

    def __init__(self, settings: dict[str, Json], tied: dict[str, tuple[str, int]]) -> None:
        self.settings, self.tied = settings, tied
        self.parameters: dict[str, Json] = {}
        self.axes: dict[str, Json] = {}
        self.constraints: dict[str, Json] = {}
        self.functions: dict[str, Json] = {}
        self.words: dict[str, str] = {}
        self.grids: dict[str, list[Json]] = {}
        self.begins: dict[str, int] = {}

    def count(self, channels: Sequence[Json]) -> None:
        """Note where the bins of each channel begin in its staterror: pyhf counts in the order of channels' names."""
        bins: dict[str, int] = {}
        for channel in sorted(channels, key=lambda one: str(one["name"])):
            for name in sorted({modifier["name"] for modifier in _staterrors(channel["samples"])}):
                self.begins[channel["name"]] = bins.get(name, 0)
                bins[name] = self.begins[channel["name"]] + len(channel["samples"][0]["data"])

    def word(self, name: str) -> str:
        """Return a name without brackets and other signs that ROOT takes for its own, another for each name."""
        if name not in self.words:
            found = re.sub(r"\W", "_", re.sub(r"\[(\d+)\]$", r"_bin_\1", name))
            while found in self.words.values():
                found += "_"
            self.words[name] = found
        return self.words[name]

    def observables(self, channel: str, bins: int, axes: Sequence[Axis], given: Sequence[Json]) -> list[Json]:
        """Return the axes of a channel: its own, or the numbers of its bins where readers would mix them up."""
        known = bool(axes) and math.prod(len(edges) - 1 for _, edges in axes) == bins
        if known and len(axes) > 1 and _staterrors(list(given)):
            self.grids[channel] = [{"name": name, "edges": [float(edge) for edge in edges]} for name, edges in axes]
            known = False
        if not known:
            found: list[Json] = [{"name": f"bin_{channel}", "min": 0.0, "max": float(bins), "nbins": bins}]
        else:
            found = [
                {"name": self.word(f"{name} {channel}"), "edges": [float(edge) for edge in edges]}
                for name, edges in axes
            ]
        for axis in found:
            edges = axis.get("edges", (0.0, float(bins)))
            self.axes[axis["name"]] = {"name": axis["name"], "min": edges[0], "max": edges[-1]}
        return found

    def declare(self, name: str, kind: str, *, bin_: int | None = None, const: bool = False) -> str:
        """Collect a parameter, that of a bin if one is given, and return its name."""
        setting = self.settings.get(name, {})
        if bin_ is not None and any(setting.get(key) for key in ("auxdata", "sigmas", "factors")):
            raise ConfigError(f"HS3 takes the constraint of {name!r} from its errors; the measurement sets another")
        initial, limits = DEFAULTS[kind]
        place = bin_ or 0
        low, high = setting["bounds"][place] if setting.get("bounds") else limits
        value = setting["inits"][place] if setting.get("inits") else initial
        word = self.word(name if bin_ is None else f"{name}[{bin_}]")
        fixed = const or bool(setting.get("fixed"))
        self.parameters.setdefault(word, {"name": word, "value": value, "const": fixed})
        self.axes.setdefault(word, {"name": word, "min": low, "max": high})
        if kind in _NAMED and f"{word}_constraint" not in self.constraints:
            centre, middle = f"nominal_{word}", (setting.get("auxdata") or [0.0])[0]
            self.parameters[centre] = {"name": centre, "value": middle, "const": True}
            self.axes[centre] = {"name": centre, "min": middle - 10.0, "max": middle + 10.0}
            self.constraints[f"{word}_constraint"] = {
                "type": "gaussian_dist",
                "name": f"{word}_constraint",
                "x": word,
                "mean": centre,
                "sigma": (setting.get("sigmas") or [1.0])[0],
            }
        return word

    def factor(self, name: str) -> str:
        """Collect a normfactor, which may be a power of another one, and return what multiplies the sample."""
        if name == _MINUS:
            return name
        if name not in self.tied:
            return self.declare(name, "normfactor")
        base, power = self.tied[name]
        word = self.declare(base, "normfactor")
        if power == 1:
            return word
        product = self.word(name)
        # A product of ROOT takes each of its factors once.
        expression = "*".join([word] * power)
        self.functions[product] = {"type": "generic_function", "name": product, "expression": expression}
        return product

    def signed(self, samples: list[Json]) -> list[Json]:
        """Return samples of which none has a negative bin, and, if there are factors of bins, one has events in all.

        ROOT cuts an interpolated bin off at 0, and the template of an interference is negative in some bins. So events
        are added to such a sample, and taken away by a second one, which has the same factors and one of -1.
        """
        lowest = [min(min(values) for values in _templates(sample)) for sample in samples]
        lifted = [low < 0.0 for low in lowest]
        shared = [place for place, sample in enumerate(samples) if _staterrors([sample])]
        if shared and not any(lifted[place] or min(samples[place]["data"]) > 0.0 for place in shared):
            lifted[shared[0]] = True
        return [
            part
            for sample, low in zip(samples, lifted, strict=True)
            for part in (self.raised(sample) if low else [sample])
        ]

    def raised(self, given: Json) -> list[Json]:
        """Return a sample as the difference of two whose bins are positive."""
        sides = _templates(given)[1:]
        self.parameters[_MINUS] = {"name": _MINUS, "value": -1.0, "const": True}
        self.axes[_MINUS] = {"name": _MINUS, "min": -2.0, "max": 0.0}
        # Enough for five standard deviations of every shape at once.
        columns = zip(given["data"], *sides, strict=True)
        added = [1.0 + abs(first) + 5.0 * sum(abs(other - first) for other in others) for first, *others in columns]

        def raised(values: list[float]) -> list[float]:
            return [value + more for value, more in zip(values, added, strict=True)]

        first = [
            modifier | {"data": {side: raised(values) for side, values in modifier["data"].items()}}
            if modifier["type"] == "histosys"
            else modifier
            for modifier in given["modifiers"]
        ]
        # The constraint of a shapesys stands with one of the two.
        second = [
            modifier | {"type": "shapefactor"} if modifier["type"] == "shapesys" else modifier
            for modifier in given["modifiers"]
            if modifier["type"] != "histosys"
        ]
        second.append({"name": _MINUS, "type": "normfactor", "data": None})
        return [
            {"name": given["name"], "data": raised(given["data"]), "nominal": given["data"], "modifiers": first},
            {"name": f"{given['name']}_less", "data": added, "modifiers": second},
        ]

    def sample(self, given: Json) -> Json:
        """Return a sample without its staterror."""
        modifiers = [self.modifier(one, given) for one in given["modifiers"] if one["type"] != "staterror"]
        data = {"contents": given["data"], "errors": [0.0] * len(given["data"])}
        return {"name": re.sub(r"\W", "_", given["name"]), "data": data, "modifiers": modifiers}

    def modifier(self, given: Json, sample: Json) -> Json:
        """Return what one modifier of a sample is in HS3."""
        name, kind, content = given["name"], given["type"], given["data"]
        if kind in ("shapesys", "shapefactor"):
            return self.factors(name, kind, content, sample)
        word = self.factor(name) if kind == "normfactor" else self.declare(name, kind)
        # ROOT takes a normfactor's parameter from its name.
        called = word if kind == "normfactor" else self.word(name)
        entry: Json = {"name": called, "type": "normfactor" if kind == "lumi" else kind, "parameter": word}
        if kind in _NAMED:
            entry |= {"constraint": "Gauss", "constraint_name": f"{word}_constraint"}
        if kind == "normsys":
            entry["data"] = {"hi": content["hi"], "lo": content["lo"]}
        elif kind == "histosys":
            entry["data"] = {"hi": {"contents": content["hi_data"]}, "lo": {"contents": content["lo_data"]}}
        return entry

    def factors(self, name: str, kind: str, content: list[float] | None, sample: Json) -> Json:
        """Return factors of the bins of one sample: with errors of their own, or free."""
        size = len(sample["data"])
        if kind == "shapefactor" or content is None:
            # A shapesys of the other part of a raised sample was declared with that part.
            parameters = [self.declare(name, "shapefactor", bin_=place) for place in range(size)]
            return {"name": f"{self.word(name)}_factors", "type": "shapefactor", "parameters": parameters}
        nominal: list[float] = sample["nominal"] if "nominal" in sample else sample["data"]
        pairs = zip(nominal, content, strict=True)
        relative = [error / events if events > 0 and error > 0 else 0.0 for events, error in pairs]
        parameters = [
            self.declare(name, "shapesys", bin_=place, const=not width) for place, width in enumerate(relative)
        ]
        entry: Json = {"name": self.word(name), "type": "shapesys", "parameters": parameters}
        return entry | {"constraint": "Poisson", "constraint_type": "Poisson", "data": {"vals": relative}}

    def add_staterrors(self, channel: Json, given: list[Json], samples: list[Json]) -> None:
        """Add the factors of the bins: their constraint to a sample with events in every bin, to others the factors.

        Readers divide a sample's error by its contents.
        """
        found = _staterrors(channel["samples"])
        if not found:
            return
        name = found[0]["name"]
        if any(modifier["name"] != name for modifier in found):
            raise ConfigError(f"HS3 has one staterror in a channel; {channel['name']!r} has several")
        original = [sample for sample in channel["samples"] if _staterrors([sample])]
        totals = [sum(contents) for contents in zip(*(sample["data"] for sample in original), strict=True)]
        sigmas = [math.hypot(*errors) for errors in zip(*(modifier["data"] for modifier in found), strict=True)]
        widths = [sigma / total if total > 0 else 0.0 for sigma, total in zip(sigmas, totals, strict=True)]
        begin = self.begins[channel["name"]]
        parameters = [
            self.declare(name, "staterror", bin_=begin + place, const=not width) for place, width in enumerate(widths)
        ]
        shared = [sample for one, sample in zip(given, samples, strict=True) if _staterrors([one])]
        carrier = next(sample for sample in shared if min(sample["data"]["contents"]) > 0.0)
        for sample in shared:
            factor: Json = {"name": f"{self.word(name)}_factors", "type": "shapefactor", "parameters": parameters}
            if sample is carrier:
                contents = sample["data"]["contents"]
                errors = [(width or _NOTHING) * content for width, content in zip(widths, contents, strict=True)]
                sample["data"]["errors"] = errors
                factor |= {
                    "name": self.word(name),
                    "type": "staterror",
                    "constraint": "Gauss",
                    "constraint_type": "Gauss",
                    "data": {"uncertainties": errors},
                }
            sample["modifiers"].append(factor)


def _staterrors(samples: list[Json]) -> list[Json]:
    return [modifier for sample in samples for modifier in sample["modifiers"] if modifier["type"] == "staterror"]


def _templates(sample: Json) -> list[list[float]]:
    """Return the nominal bins of a sample, and those at one sigma of its shapes."""
    shapes = [modifier["data"] for modifier in sample["modifiers"] if modifier["type"] == "histosys"]
    return [sample["data"], *(values for shape in shapes for values in shape.values())]
