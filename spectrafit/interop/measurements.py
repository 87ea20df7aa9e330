"""Says what a workspace offers to a fit: its measurements, its channels and samples, and what a reader must know."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from typing import TYPE_CHECKING

from spectrafit.errors import nearest
from spectrafit.interop import workspace as ws
from spectrafit.interop.edges import edges_of

if TYPE_CHECKING:
    from spectrafit.interop.hs3 import Axis

__all__ = ["About", "described"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class About:
    """A workspace in short.

    Attributes
    ----------
    where : str
        JSON path of the measurement's configuration.
    measurement, poi : str
        The chosen measurement, and the parameter of interest that it names, "" for none.
    measurements : tuple of str
        All of them.
    modifiers : mapping of str to int
        How many modifiers there are of each type.
    notes : tuple of str
        Which of several measurements is taken, in words.
    unknown : str
        That no modifier has the parameter of interest, in words; "" if one has.
    axes : mapping of channel to axes
        Labels and edges of the bins, where the workspace keeps them (`spectrafit.interop.edges`).
    """

    where: str
    measurement: str
    poi: str
    measurements: tuple[str, ...]
    modifiers: dict[str, int]
    notes: tuple[str, ...]
    unknown: str
    axes: dict[str, list[Axis]]


def described(
    path: str | os.PathLike[str], *, measurement: str | None = None, patch: str | os.PathLike[str] | None = None
) -> About:
    """Return what a workspace offers.

    Parameters
    ----------
    path, measurement, patch
        As in `read_workspace`.

    Raises
    ------
    DataError, ConfigError
        As `spectrafit.interop.workspace.load`.
    """
    spec = ws.load(path, patch=patch)
    position, chosen = ws.chosen(spec, measurement, path)
    every = tuple(each.name for each in spec.measurements)
    modifiers = [modifier for channel in spec.channels for sample in channel.samples for modifier in sample.modifiers]
    names = {modifier.name for modifier in modifiers}
    notes: tuple[str, ...] = ()
    if measurement is None and len(every) > 1:
        notes = (f"measurement {chosen.name!r} is taken, the first of {', '.join(every)}; --measurement names another",)
    poi = chosen.config.poi
    unknown = ""
    if poi and poi not in names:
        unknown = f"the parameter of interest {poi!r} is in no modifier{nearest(poi, names)}"
    return About(
        where=f"$.measurements[{position}].config",
        measurement=chosen.name,
        poi=poi,
        measurements=every,
        modifiers=dict(Counter(str(modifier.__struct_config__.tag) for modifier in modifiers)),
        notes=notes,
        unknown=unknown,
        axes=edges_of(
            chosen.config.parameters,
            {channel.name: len(channel.samples[0].data) if channel.samples else 0 for channel in spec.channels},
            f"{os.fspath(path)}: $.measurements[{position}].config.parameters",
        ),
    )
