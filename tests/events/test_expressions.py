import math
import pickle
import time
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectrafit.errors import ConfigError
from spectrafit.events import expressions
from spectrafit.events.expressions import evaluate

COLUMNS = {
    "a": np.array([1, 2, 3], dtype=np.int32),
    "b": np.array([0.5, 2.0, 5.0], dtype=np.float32),
    "flag": np.array([True, False, True]),
    "rec.mc.nu..length": np.array([2, 0, 1]),
    "rec.mc.nu.E": ak.Array([[1.0, 4.0], [], [3.0]]),
    "deep": ak.Array([[[1.0, 2.0], [3.0]], [], [[]]]),
}


# Python is the oracle for what it shares with C++: + - * / ** and their precedence, comparisons, and "and" above "or".
@st.composite
def texts(draw: st.DrawFn, depth: int = 3) -> str:
    atom = st.one_of(
        st.sampled_from(["x", "y", "z"]), st.integers(0, 9).map(str), st.sampled_from(["1.5", "2e-1", ".5"])
    )
    if depth == 0:
        return draw(atom)
    inner = texts(depth=depth - 1)
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return draw(atom)
    if kind == 1:
        return f"({draw(inner)})"
    if kind == 2:
        return f"-{draw(inner)}"
    return f"{draw(inner)} {draw(st.sampled_from('+-*/'))} {draw(inner)}"


@given(texts(), st.lists(st.floats(0.5, 3.0), min_size=3, max_size=3))
def test_arithmetic_has_the_precedence_of_python_and_c(text: str, values: list[float]) -> None:
    names = dict(zip("xyz", values, strict=True))
    try:
        wanted = eval(text, {}, names)
    except ZeroDivisionError:
        return
    found = evaluate(text, {k: np.array([v]) for k, v in names.items()})
    assert np.ravel(found)[0] == pytest.approx(wanted, rel=1e-12, abs=1e-12)


@given(
    st.lists(
        st.sampled_from(["x < y", "x == 1", "y >= z", "z != 2", "(x > 2 || y < 1)", "x + 1 > y"]),
        min_size=1,
        max_size=6,
    ),
    st.lists(st.sampled_from(["&&", "||"]), min_size=6, max_size=6),
    st.lists(st.integers(0, 3), min_size=3, max_size=3),
)
def test_conditions_have_the_precedence_of_python_and_c(parts: list[str], joins: list[str], values: list[int]) -> None:
    text = parts[0] + "".join(f" {j} {p}" for j, p in zip(joins, parts[1:], strict=False))
    names = dict(zip("xyz", values, strict=True))
    wanted = eval(text.replace("&&", "and").replace("||", "or"), {}, names)
    assert bool(evaluate(text, {k: np.array([v]) for k, v in names.items()})[0]) is bool(wanted)


# What C++ (or ROOT) has otherwise than Python.
@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a / 2", [0.5, 1.0, 1.5]),  # a TTreeFormula counts in doubles
        ("a % 2", [1, 0, 1]),
        ("-7 % 4 + 0*a", [-3, -3, -3]),  # the sign of the dividend, as in C
        ("-a^2", [-1, -4, -9]),
        ("(2^3)^2 + 0*a", [64, 64, 64]),
        ("pow(2, 3^2) + 0*a", [512, 512, 512]),
        ("2^-1 * a", [0.5, 1.0, 1.5]),
        ("a**2", [1, 4, 9]),
        ("!a == 0", [1, 1, 1]),  # ! binds tighter than ==
        ("!(a == 1)", [0, 1, 1]),
        ("(a > 1) + (b > 1)", [0, 2, 2]),  # conditions count
        ("(a > 1) * 3 - (a > 2)", [0, 3, 2]),
        ("-(a > 1)", [0, -1, -1]),
        ("a > 1 == b > 1", [1, 1, 1]),  # == binds looser than >
        ("a > 1 || a < 3 && b > 9", [0, 1, 1]),
        ("flag && a", [1, 0, 1]),
        ("!flag", [0, 1, 0]),
        ("true + a", [2, 3, 4]),
        ("where(flag, a, -1)", [1, -1, 3]),
        ("TMath::Sqrt(a*a)", [1, 2, 3]),
        ("TMath::Power(a, 2)", [1, 4, 9]),
        ("TMath::Max(a, b)", [1, 2, 5]),
        ("min(a, b)", [0.5, 2, 3]),
        ("fabs(-b)", [0.5, 2, 5]),
        ("TMath::ATan2(a, 0)", [math.pi / 2] * 3),
        ("TMath::Pi() * a", [math.pi, 2 * math.pi, 3 * math.pi]),
        ("pi * a", [math.pi, 2 * math.pi, 3 * math.pi]),
        ("m_e * a", [0.51099895069e-3, 2 * 0.51099895069e-3, 3 * 0.51099895069e-3]),
        ("1e-3*a", [0.001, 0.002, 0.003]),
        ("rec.mc.nu..length + 1", [3, 1, 2]),
        ("Sum$(rec.mc.nu.E)", [5, 0, 3]),
        ("Max$(rec.mc.nu.E)", [4, 0, 3]),
        ("Min$(rec.mc.nu.E * a)", [1, 0, 9]),
        ("Length$(rec.mc.nu.E)", [2, 0, 1]),
        ("Sum$(rec.mc.nu.E > 1)", [1, 0, 1]),
        ("rec.mc.nu.E[0]", [1, math.nan, 3]),
        ("rec.mc.nu.E[1]", [4, math.nan, math.nan]),
        ("deep[0][1]", [2, math.nan, math.nan]),
        ("Sum$(deep)", [6, 0, 0]),
        ("Length$(deep)", [3, 0, 0]),
        ("Sum$(a)", [1, 2, 3]),
        ("Length$(a)", [1, 1, 1]),
        ("Sum$(rec.mc.nu.E * (rec.mc.nu.E == Max$(rec.mc.nu.E)))", [4, 0, 3]),
    ],
)
def test_root_spelling(text: str, wanted: list[float]) -> None:
    found = evaluate(text, COLUMNS)
    assert isinstance(found, np.ndarray)
    np.testing.assert_allclose(found.astype(float), wanted, rtol=1e-15)


def test_jagged_stays_jagged() -> None:
    assert evaluate("rec.mc.nu.E * a", COLUMNS).tolist() == [[1.0, 4.0], [], [9.0]]


def test_a_record_array_will_do() -> None:
    events = ak.Array({"t": [1.0, 2.0], "theta": [0.1, 0.2]})
    np.testing.assert_allclose(evaluate("t * theta^2", events), [0.01, 0.08])


def test_float32_is_computed_in_double() -> None:
    columns = {"x": np.array([1.0], dtype=np.float32), "y": np.array([1e-9], dtype=np.float32)}
    assert evaluate("x + y - 1", columns)[0] == pytest.approx(1e-9, rel=1e-6)


def test_variables_in_order_and_no_constants() -> None:
    found = expressions.compile("El - m_e + a.b..c*El + pi + TMath::Pi() + Sum$(k)")
    assert found.variables == ("El", "a.b..c", "k")


def test_any_name_can_be_a_column() -> None:
    # Words that formulate or Python take for something else.
    columns = {name: np.array([float(i)]) for i, name in enumerate(["lambda", "tau", "e_num", "is", "nan", "column_0"])}
    assert evaluate("lambda + 10*tau + 100*e_num + 1000*is + 10000*nan + 100000*column_0", columns)[0] == 543210
    assert expressions.column("a-b/c [d]")({"a-b/c [d]": np.array([7])})[0] == 7


def test_pickles_by_its_text() -> None:
    for expression in (expressions.compile("a + b > 2"), expressions.column("a"), expressions.column("a + b")):
        assert pickle.loads(pickle.dumps(expression)) == expression


EVIL = [
    "__import__('os').system('touch {}')",
    '__import__("os").system("touch {}")',
    'eval(\'open("{}", "w")\')',
    "open('{}', 'w')",
    "exec(compile(\"open('{}', 'w')\", 'x', 'exec'))",
    "().__class__.__bases__[0].__subclasses__()",
    "a.__class__",
    "a.__class__()",
    "a.tofile('{}')",
    "[x for x in (1, 2)]",
    "lambda: a",
    "(lambda: a)()",
    "a if b else a",
    "a := 3",
    "{{a}}",
    "f'{{a}}'",
    "a; b",
    "a:b",
    "import os",
    "os.system(a)",
    "np.save('{}', a)",
    'gSystem->Exec("touch {}")',
    "TMath::System(a)",
    "@a",
    "`a`",
    "$(a)",
    "a, b",
]


@pytest.mark.parametrize("text", EVIL)
def test_nothing_runs_code(text: str, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    with pytest.raises(ConfigError):
        evaluate(text.format(trap), COLUMNS)
    assert not trap.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a & b", "&&"),
        ("a | b", r"\|\|"),
        ("a < b < 3", "a < b && b < c"),
        ("a ? b : 1", r"where\(condition"),
        ("sqr(a)", r"no function 'sqr'; did you mean 'sqrt'"),
        ("sqrt(a, b)", "sqrt takes 1 arguments, found 2"),
        ("gaus(a, 0, 1)", "no function 'gaus'"),
        ("aa + bb", "no column 'aa'; did you mean 'a'"),
        ("rec.mc.nu.e", "did you mean 'rec.mc.nu.E'"),
        ("a[b]", "an index must be a number"),
        ("a[0]", "do not fit together"),
        ("rec.mc.nu.E + deep[0]", "do not fit together"),
        ("", "is not an expression"),
        ("a +", "is not an expression"),
        ("(a", "is not an expression"),
    ],
)
def test_mistakes_are_explained(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        evaluate(text, COLUMNS)
    assert repr(text) in str(caught.value)


def test_long_and_deep_expressions_do_not_recurse() -> None:
    assert evaluate(" || ".join(f"a == {n}" for n in range(3, 3000)), COLUMNS).tolist() == [False, False, True]
    assert evaluate("(" * 3000 + "a" + ")" * 3000, COLUMNS).tolist() == [1, 2, 3]


def test_compiling_is_quick() -> None:
    start = time.perf_counter()
    for n in range(50):
        expressions.compile(f"a + {n}*b > TMath::Sqrt(a^2 + b^2) && flag")
    assert time.perf_counter() - start < 2.0
