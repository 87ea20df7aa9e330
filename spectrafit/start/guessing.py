"""Guesses from the names of branches which quantity each may hold. The values then confirm or refute a guess."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Guess", "guess", "is_score", "is_weights", "match_key"]

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[A-Z]")
_TRUE = {"mc", "true", "truth", "gen", "genie", "sim"}
_RECO = {"reco", "rec", "shw", "shower", "meas", "measured", "vis", "smeared", "trk", "prong"}
_UNITS = {"gev": "GeV", "mev": "MeV", "kev": "keV", "rad": "rad", "mrad": "mrad", "deg": "deg", "degree": "deg"}
_UNITS |= {"degrees": "deg"}
# Of several versions of a quantity, which one: says nothing of what it is.
_VERSION = {"best", "cal", "calib", "calibrated", "corr", "corrected", "final", "fit", "fitted", "val", "value"}
_VERSION |= {"leading", "main", "primary"}
# Written together with a quantity: Ereco, ereco, thetatrue.
_GLUED = re.compile(r"(e|en|energy|t|th|theta|angle|cos|costheta)(reco|rec|true|vis|meas|smeared|gen|sim)")
_KINDS: dict[str, tuple[str, ...]] = {
    "pdg": ("pdg", "nupdg", "pdgnu", "neutrinopdg", "neu", "nucode", "nuflavour", "nuflavor", "nutype"),
    "e_nu": ("enu", "nue", "nuenergy", "energynu", "neutrinoenergy", "neutrinoe", "eneutrino", "ev", "nuen"),
    "t": (
        *("t", "te", "tel", "ke", "ekin", "tkin", "kinetic", "kineticenergy", "elke", "electronke", "electront"),
        *("lepke", "elt", "et"),
    ),
    "energy": (
        *("e", "energy", "ee", "eel", "ele", "elenergy", "electronenergy", "electrone", "elep", "lepe", "lepenergy"),
        *("leptonenergy", "leptone"),
    ),
    "theta": (
        *(
            "theta",
            "angle",
            "th",
            "thetae",
            "thetael",
            "eltheta",
            "etheta",
            "electrontheta",
            "electronangle",
            "elangle",
        ),
        *("leptheta", "thetalep", "leptontheta", "angletonu", "thetanu", "anglenu"),
    ),
    "cos": ("cos", "costheta", "costh", "cosangle", "elcos", "elcostheta", "coslep", "cosel", "cosnu"),
    "weight": ("weight", "wgt", "wt", "w", "eventweight", "evtweight", "evtwgt", "totalweight", "cvweight", "cvwgt"),
}
_OF_NAME = {word: kind for kind, words in _KINDS.items() for word in words}
_SCORES = {"bdt", "cvn", "mva", "score", "cnn", "prob", "lid", "pidscore", "eid", "likelihood"}
_UNIVERSES = {"univ", "universe", "universes", "ppfx", "multisim", "weights", "wgts", "knob", "knobs", "wgt", "genie"}
_KEYS = ("event", "evt", "eventid", "entry", "id", "subevt")


@dataclass(frozen=True, slots=True)
class Guess:
    """What a branch may hold, by its name.

    Attributes
    ----------
    branch : str
    kind : str
        pdg, e_nu, t (kinetic energy), energy (total), theta, cos or weight.
    reco : bool or None
        Whether it is reconstructed or true; None where the name says neither.
    unit : str
        As the name says; empty where it does not.
    """

    branch: str
    kind: str
    reco: bool | None
    unit: str


def _words(name: str) -> list[str]:
    spelled = _WORDS.findall(re.sub("(G|M|k)eV", lambda unit: f"_{unit[0].lower()}_", name))
    words = list[str]()
    for word in (each.lower() for each in spelled):
        glued = _GLUED.fullmatch(word)
        words += glued.groups() if glued else (word,)
    return words


def guess(branch: str) -> Guess | None:
    """Return what a branch may hold, or None where its name says nothing that is known."""
    words = _words(branch)
    unit = next((_UNITS[word] for word in words if word in _UNITS), "")
    true, reco = bool(_TRUE & {*words}), bool(_RECO & {*words})
    rest = [word for word in words if word not in _TRUE | _RECO | _VERSION | {*_UNITS}]
    # The record that the branch belongs to says less than its own words: rec.mc.nu.E, el_theta.
    for first in range(len(rest)):
        kind = _OF_NAME.get("".join(rest[first:]))
        if kind is not None:
            return Guess(branch, kind, True if reco and not true else False if true else None, unit)
    return None


def is_score(branch: str) -> bool:
    """Tell whether a branch is named as the output of a classifier, on which an analysis may cut."""
    return bool(_SCORES & {*_words(branch)})


def is_weights(branch: str) -> bool:
    """Tell whether a branch of lists is named as the weights of universes or knobs."""
    return bool(_UNIVERSES & {*_words(branch)})


def match_key(mine: Iterable[str], theirs: Iterable[str]) -> str:
    """Return a branch that two trees have and that is named as the number of an event, or an empty string."""
    common = {*mine} & {*theirs}
    return next((name for key in _KEYS for name in sorted(common) if "".join(_words(name)) == key), "")
