"""Keeps the edges of bins in a HistFactory workspace, whose JSON has no place for edges.

A measurement may set parameters that no modifier has, and every reader passes over such a setting. The edges of an
axis are the `inits` of one, which is called `CHANNEL.axis[0] LABEL`; a channel of two axes has a second one, and its
bins are numbered with the last axis fastest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spectrafit.errors import ConfigError

if TYPE_CHECKING:
    from spectrafit.interop.hs3 import Axis
    from spectrafit.interop.workspace import Setting
    from spectrafit.templates.templates import Templates

__all__ = ["edges_of", "labelled_axes", "settings_of"]


def labelled_axes(templates: Templates) -> dict[str, list[Axis]]:
    """Return the axes of each region with their labels; none of a region whose bins are no rectangles."""
    return {
        region.name: [(label, axis.edges.tolist()) for label, axis in zip(region.labels, region.axes, strict=True)]
        for region in templates.regions
        if region.partition is None
    }


def settings_of(channel: str, axes: Sequence[Axis], bins: int) -> list[dict[str, Any]]:
    """Return the settings that keep the axes of a channel; none if its bins are not all of those of the axes.

    Parameters
    ----------
    channel : str
    axes : sequence of (label, edges)
    bins : int
        Of the channel in the workspace, which leaves out bins without events.
    """
    if int(np.prod([len(edges) - 1 for _, edges in axes])) != bins or not axes:
        return []
    return [
        {"name": f"{channel}.axis[{place}] {label}".rstrip(), "inits": list(edges)}
        for place, (label, edges) in enumerate(axes)
    ]


def edges_of(settings: Sequence[Setting], channels: Mapping[str, int], where: str) -> dict[str, list[Axis]]:
    """Return the axes of the channels that have them.

    Parameters
    ----------
    settings : sequence of Setting
        Those of a measurement.
    channels : mapping of str to int
        Numbers of bins.
    where : str
        The measurement's place, for messages.

    Raises
    ------
    ConfigError
        Edges do not increase, or are not those of the channel's number of bins.
    """
    found: dict[str, list[Axis]] = {}
    for channel, bins in channels.items():
        axes: list[Axis] = []
        while True:
            key = f"{channel}.axis[{len(axes)}]"
            said = next((each for each in settings if each.name == key or each.name.startswith(f"{key} ")), None)
            if said is None:
                break
            edges = said.inits or []
            if len(edges) < 2 or min(np.diff(edges)) <= 0:
                raise ConfigError(f"{where}: {said.name!r}: inits are edges of bins, and must increase; found {edges}")
            axes.append((said.name.removeprefix(key).strip(), edges))
        size = int(np.prod([len(edges) - 1 for _, edges in axes]))
        if axes and size != bins:
            raise ConfigError(f"{where}: {channel}.axis: edges of {size} bins, channel {channel!r} has {bins}")
        if axes:
            found[channel] = axes
    return found
