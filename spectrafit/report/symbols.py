"""Turns plain text into HTML in which names of quantities (`mu_nu`, `kappa`) are symbols, and numbers of one format."""

from __future__ import annotations

import html
import re

__all__ = ["numbers", "symbols"]

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
    "rad^2": "rad²",
    "T_e": "<i>T</i><sub>e</sub>",
    "theta_e^2": "<i>θ</i><sub>e</sub>²",
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


_EXPONENT = re.compile(r"(?<![\w.])(-?\d+(?:\.\d+)?)e([+-]?\d+)(?![\w.])")
_MINUS = re.compile(r"(?<![\w\-.)])-(?=\d|\.\d)")


def numbers(text: str) -> str:
    """Return HTML with its numbers in one format: `1.26 × 10⁻⁹` for 1.26e-09, and a minus sign for a hyphen."""

    def power(found: re.Match[str]) -> str:
        raised = f"10<sup>{int(found[2])}</sup>".replace("-", "−")
        return raised if found[1] == "1" else f"{found[1]} × {raised}"

    return _MINUS.sub("−", _EXPONENT.sub(power, text))
