"""Reading the channels of a workspace: regions as spans of flattened bins, and the bins and modifiers of samples."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.errors import ConfigError
from spectrafit.inference.model import Span
from spectrafit.interop import workspace as ws

__all__ = ["Part", "divide"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """One sample of one channel.

    Attributes
    ----------
    channel, sample : str
    where : str
        JSON path.
    start : int
        First of its bins, of all channels flattened.
    nominal : (n,) array
    modifiers : dict of (class, name) to modifier
    """

    channel: str
    sample: str
    where: str
    start: int
    nominal: Floats
    modifiers: dict[tuple[type, str], ws.Modifier]

    @property
    def bins(self) -> range:
        """Its bins, of all channels flattened."""
        return range(self.start, self.start + len(self.nominal))

    def of(self, kind: type) -> Iterator[Any]:
        """Return its modifiers of one class."""
        return (modifier for modifier in self.modifiers.values() if isinstance(modifier, kind))


def divide(spec: ws.Workspace) -> tuple[tuple[Span, ...], list[Part]]:
    """Return the channels as spans of bins, in alphabetical order, and their samples.

    Raises
    ------
    ConfigError
        A channel or sample is defined twice, numbers of bins differ, or a sample has two modifiers of one type and name
        (pyhf keeps the last of them; newer versions of pyhf refuse them too).
    """
    if not spec.channels:
        raise ConfigError("$.channels: the list is empty; a fit needs at least one channel with its samples")
    order = sorted(range(len(spec.channels)), key=lambda i: spec.channels[i].name)
    spans: list[Span] = []
    parts: list[Part] = []
    start = 0
    for place in order:
        channel, at = spec.channels[place], f"$.channels[{place}]"
        if not channel.samples or not channel.samples[0].data:
            raise ConfigError(f"{at}.samples: channel {channel.name!r} has no bins")
        if spans and spans[-1].name == channel.name:
            raise ConfigError(f"{at}.name: channel {channel.name!r} stands there twice")
        size = len(channel.samples[0].data)
        spans.append(Span(name=channel.name, start=start, stop=start + size))
        seen: set[str] = set()
        for row, sample in enumerate(channel.samples):
            where = f"{at}.samples[{row}]"
            if sample.name in seen:
                raise ConfigError(f"{where}.name: sample {sample.name!r} stands twice in channel {channel.name!r}")
            seen.add(sample.name)
            _check_lengths(sample, size, where, channel.name)
            modifiers: dict[tuple[type, str], ws.Modifier] = {}
            for column, modifier in enumerate(sample.modifiers):
                key = (type(modifier), modifier.name)
                if key in modifiers:
                    kind = modifier.__struct_config__.tag
                    raise ConfigError(
                        f"{where}.modifiers[{column}]: sample {sample.name!r} has two {kind} called {modifier.name!r};"
                        " combine them, or rename one of them"
                    )
                modifiers[key] = modifier
            parts.append(
                Part(
                    channel=channel.name,
                    sample=sample.name,
                    where=where,
                    start=start,
                    nominal=np.array(sample.data),
                    modifiers=modifiers,
                )
            )
        start += size
    return tuple(spans), parts


def _check_lengths(sample: ws.Sample, n: int, where: str, channel: str) -> None:
    found = [("data", len(sample.data))]
    for place, modifier in enumerate(sample.modifiers):
        if isinstance(modifier, ws.Histosys):
            found += [(f"modifiers[{place}].data.lo_data", len(modifier.data.lo_data))]
            found += [(f"modifiers[{place}].data.hi_data", len(modifier.data.hi_data))]
        elif isinstance(modifier, ws.Staterror | ws.Shapesys):
            found += [(f"modifiers[{place}].data", len(modifier.data))]
    for key, length in found:
        if length != n:
            raise ConfigError(f"{where}.{key}: {length} bins, channel {channel!r} has {n}")
