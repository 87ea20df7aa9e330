"""Chooses the fill colour of a sample from what it is, so that it looks the same in every analysis and on every page.

Signal is blue: a hue by flavour, pale for antineutrinos. Backgrounds have a hue by channel. A sample that says neither
takes a hue by its name. What is on hydrogen is paler than what is on a nucleus. Only where two samples of one analysis
would have the same colour does the later name take the next lighter tint.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

__all__ = ["components"]

# Okabe and Ito's hues, and three of Tol's muted ones for what no rule names. Vermilion is the coupling's alone.
_SIGNAL = {"numu": "#0072B2", "nue": "#56B4E9", "nutau": "#332288"}
_BACKGROUND = {"nue_cc": "#E69F00", "numu_cc": "#009E73", "nc": "#F0E442", "outside": "#8C8C8C"}
_OTHER = ("#CC79A7", "#882255", "#44AA99", "#999933", "#AA4499")
# Shares of white, in the order in which tints are tried.
_TINTS = (0.0, 0.45, 0.7, 0.25, 0.85)
_PALE = 0.6

# Flavours as names of samples (`numubar`, `anti_nu_e`) and titles (`anti-nu_mu e`) write them.
_FLAVOUR = re.compile(r"(?P<anti>anti[-_ ]?)?nu[-_ ]?(?P<kind>mu|e|tau)(?P<bar>[-_ ]?bar)?(?=[^a-z]|cc|nc|bar|$)")
_OUTSIDE = re.compile(r"cosmic|rock|dirt|external|pile|beam[-_ ]?off")


def components(names: Sequence[str], roles: Sequence[str], titles: Sequence[str] = ()) -> list[str]:
    """Return a fill colour per sample.

    Parameters
    ----------
    names, roles : of every sample; a role is "signal" or "background".
    titles : printed titles, which say the flavour where a name does not.
    """
    shown = titles or [""] * len(names)
    wanted = {name: _hue(name, role, title) for name, role, title in zip(names, roles, shown, strict=True)}
    taken: set[str] = set()
    found: dict[str, str] = {}
    for name in sorted(wanted):
        hue, pale = wanted[name]
        tints = dict.fromkeys((_PALE if pale else 0.0, *_TINTS))
        free = (shade for tint in tints if (shade := _lighter(hue, tint)) not in taken)
        colour = next(free, _lighter(hue, _TINTS[-1]))
        taken.add(colour)
        found[name] = colour
    return [found[name] for name in names]


def _hue(name: str, role: str, title: str) -> tuple[str, bool]:
    """Return a sample's hue, and whether it is pale."""
    texts = [text.lower() for text in (name, title) if text]
    flavour = next((match for text in texts if (match := _FLAVOUR.search(text))), None)
    if role == "signal":
        if flavour is None:
            return _by_name(name, tuple(_SIGNAL.values())), False
        return _SIGNAL["nu" + flavour["kind"]], bool(flavour["anti"] or flavour["bar"])
    pale = any(re.search(r"hydrogen|free|(?<![a-z])h(?![a-z])", text) for text in texts)
    for text in texts:
        if _OUTSIDE.search(text):
            return _BACKGROUND["outside"], pale
        if re.search(r"(?<![a-z])nc|nc(?![a-z])|pi0", text):
            return _BACKGROUND["nc"], pale
        if "cc" in text and (match := _FLAVOUR.search(text)):
            kind = "numu_cc" if match["kind"] == "mu" else "nue_cc"
            return _BACKGROUND[kind], pale or bool(match["anti"] or match["bar"])
    return _by_name(name, _OTHER), pale


def _by_name(name: str, hues: tuple[str, ...]) -> str:
    return hues[zlib.crc32(name.encode(errors="surrogateescape")) % len(hues)]


def _lighter(colour: str, white: float) -> str:
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(part + (255 - part) * white):02X}" for part in parts)
