import dataclasses
from pathlib import Path

import msgspec
import pytest

import spectrafit as sf
from spectrafit.errors import ConfigError
from spectrafit.report.tuning.choice import Choice, applied, chosen_first, snippet

EDGES = (0.0, 0.15, 0.8, 4.0)


def test_the_first_choice_is_the_analysis(tuned):
    analysis, _ = tuned
    assert applied(analysis, chosen_first(analysis)) == analysis


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.with_edges(0, 0, EDGES),
        lambda c: c.with_width("rate", 2.5, 1.0),
        lambda c: c.with_systematic("scale", kept=False),
        lambda c: dataclasses.replace(c, exposure=3.0),
        lambda c: dataclasses.replace(
            c.with_edges(0, 1, EDGES).with_width("scale", 0.5, 1.0).with_systematic("rate", kept=False), exposure=0.1
        ),
    ],
    ids=["edges", "width", "without", "exposure", "all"],
)
def test_the_snippet_is_an_analysis_with_the_choice_applied(tuned, change):
    analysis, _ = tuned
    choice = change(chosen_first(analysis))
    expected = applied(analysis, choice)
    assert expected != analysis
    path = Path(analysis.path).with_name("pasted.toml")
    path.write_text(snippet(analysis, choice, path.parent), encoding="utf-8")
    pasted = sf.load(path)
    plain = [msgspec.to_builtins(one) for one in (pasted, expected)]
    for one in plain:
        for key in ("path", "include"):
            one.pop(key)
    assert plain[0] == plain[1]


def test_a_choice_goes_back_to_what_it_was(tuned):
    first = chosen_first(tuned[0])
    assert first.with_width("rate", 2.0, 1.0).with_width("rate", 1.0, 1.0) == first
    assert first.with_systematic("rate", kept=False).with_systematic("rate", kept=True) == first


def test_a_name_that_is_no_systematic_is_refused(tuned):
    with pytest.raises(ConfigError, match="names no systematic; did you mean 'scale'"):
        applied(tuned[0], Choice(edges=chosen_first(tuned[0]).edges, without=frozenset({"scal"})))
