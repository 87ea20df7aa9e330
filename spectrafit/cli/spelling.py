"""What is printed reaches every terminal: one that knows ASCII alone shows the signs it lacks spelled out."""

from __future__ import annotations

import codecs
import io
import sys

__all__ = ["speak_any", "spelled"]

_WORDS = {
    "\u00b1": "+-",
    "\u00b2": "^2",
    "\u2265": ">=",
    "\u2264": "<=",
    "\u2212": "-",
    "\u00d7": "x",
    "\u2026": "...",
    "\u03bc": "mu",
    "\u03bd": "nu",
    "\u03ba": "kappa",
    "\u03c3": "sigma",
    "\u03b8": "theta",
    "\u03c7": "chi",
}


def spelled(error: UnicodeError) -> tuple[str | bytes, int]:
    """Return words for the characters that an encoding lacks, and where to go on; the handler of an encoding's errors.

    Characters without a word, and bytes of a file name that are no characters, are shown by their number.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    words = "".join(
        _WORDS.get(character) or character.encode("ascii", "backslashreplace").decode() for character in lacking
    )
    return words, error.end


def speak_any() -> None:
    """Let standard output and error take every character; what their encoding lacks is spelled out."""
    codecs.register_error("spectrafit", spelled)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="spectrafit")
