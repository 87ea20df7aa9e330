"""Turns plain text into HTML in which the names of quantities (`mu_nu`, `kappa`) are their symbols."""

from __future__ import annotations

import html
import re

__all__ = ["symbols"]

_SYMBOLS = {
    "mu_B": "<i>μ</i><sub>B</sub>",
    "mu_nu": "<i>μ</i><sub>ν</sub>",
    "q_nu": "<i>q</i><sub>ν</sub>",
    "sin^2": "sin²",
    "theta_W": "<i>θ</i><sub>W</sub>",
    "kappa": "<i>κ</i>",
    "pi0": "<i>π</i>⁰",
    "chi2": "<i>χ</i>²",
    "cm^2": "cm²",
    "&lt;r^2&gt;": "⟨<i>r</i>²⟩",
    "&gt;=": "≥",
} | {
    f"{anti}nu_{name}": f"<i>{'ν̄' if anti else 'ν'}</i><sub>{letter}</sub>"
    for anti in ("", "anti-")
    for name, letter in (("e", "e"), ("mu", "μ"), ("tau", "τ"))
}
_SYMBOL = re.compile(
    r"(?<![\w-])(" + "|".join(re.escape(word) for word in sorted(_SYMBOLS, key=len, reverse=True)) + r")(?!\w)"
)


def symbols(text: str) -> str:
    """Return plain text as HTML, with the names of quantities (`mu_nu`, `kappa`, `nu_mu`) as their symbols."""
    return _SYMBOL.sub(lambda found: _SYMBOLS[found[1]], html.escape(text, quote=False))
