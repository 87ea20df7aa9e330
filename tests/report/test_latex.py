"""Tabulars are what LaTeX reads: every special sign is escaped, every row has its cells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit.report.latex import escaped, power, tabular


@given(st.text("ab&%$#_{}~^\\\\"))
def test_no_sign_keeps_its_meaning(text):
    said = escaped(text)
    for word in (r"\textbackslash{}", r"\textasciitilde{}", r"\textasciicircum{}"):
        said = said.replace(word, "")
    for sign in "&%$#_{}":
        said = said.replace(f"\\{sign}", "")
    assert set(said) <= set("ab")


@pytest.mark.parametrize(
    ("value", "said"), [(6.8e-10, r"6.8\times 10^{-10}"), (0.25, "0.25"), (0.0, "0"), (2e12, r"2\times 10^{12}")]
)
def test_numbers_are_set_with_powers_of_ten(value, said):
    assert power(value) == said


def test_blocks_are_ruled_and_a_lone_cell_spans_the_columns():
    assert (
        tabular("lr", ("a", "b"), [[("all",), ("x", "1")], [("y", "2")]]).splitlines()
        == [
            r"\begin{tabular}{lr}",
            r"\hline",
            r"a & b \\",
            r"\hline",
            r"\multicolumn{2}{l}{all} \\",
            r"x & 1 \\",
            r"\hline",
            r"y & 2 \\",
            r"\hline",
            r"\end{tabular}",
            "",
        ][:-1]
    )
