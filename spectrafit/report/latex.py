"""Writes tables as LaTeX tabulars that need no package."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["escaped", "power", "tabular"]

_SIGNS = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"} | {
    sign: f"\\{sign}" for sign in "&%$#_{}"
}


def escaped(text: str) -> str:
    """Return text as LaTeX sets it."""
    return "".join(_SIGNS.get(sign, sign) for sign in text)


def power(value: float) -> str:
    """Return a number to three digits for the inside of a formula, with its power of ten."""
    mantissa, _, exponent = f"{value:.3g}".partition("e")
    return rf"{mantissa}\times 10^{{{int(exponent)}}}" if exponent else mantissa


def tabular(columns: str, head: Sequence[str], blocks: Iterable[Iterable[Sequence[str]]]) -> str:
    """Return a tabular with a line above each block of rows.

    Parameters
    ----------
    columns : alignment of the columns, such as "llr".
    head, blocks : cells that are LaTeX already. A row of one cell spans all columns.
    """
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\hline", " & ".join(head) + r" \\"]
    for block in blocks:
        lines.append(r"\hline")
        for row in block:
            whole = len(row) == 1 < len(columns)
            words = rf"\multicolumn{{{len(columns)}}}{{l}}{{{row[0]}}}" if whole else " & ".join(row)
            lines.append(words + r" \\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}", ""])
