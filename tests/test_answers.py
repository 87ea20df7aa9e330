"""The answers of the shipped analyses, as the program gave them before templates were made in two steps.

`answers.json` was written by the commit before that change (November 2026). Every number here is held for good: whoever
changes one of them on purpose says so in the commit and writes the new number here.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import spectrafit as sf
from spectrafit.inference.likelihood import Likelihood

ANSWERS = json.loads((Path(__file__).parent / "answers.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", ANSWERS)
def test_answers_stay(walk, case):
    name, *settings = case.split(" ")
    known = ANSWERS[case]
    analysis = sf.load(walk.folder / f"fits/{name}.toml", overrides=settings)
    templates = sf.build(analysis)
    # Samples of `[[counts]]` were no part of the templates then.
    filled = [i for i, name in enumerate(templates.samples) if name not in templates.tabulated]
    np.testing.assert_array_equal(templates.entries[filled].sum(axis=-1), known["entries"])
    np.testing.assert_allclose(templates.counts[filled].sum(axis=-1).ravel(), known["sums"], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(templates.squares[filled].sum(axis=-1).ravel(), known["squares"], rtol=1e-12, atol=1e-18)
    model = sf.assemble(analysis, templates)
    likelihood, rng = Likelihood(model), np.random.default_rng(7)
    for point, expected in enumerate(known["two_nll"]):
        values = model.initial + rng.normal(size=len(model.initial)) * (0.5 if point else 0.0)
        assert likelihood.two_nll(values) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(sf.fit(model).errors, known["errors"], rtol=1e-6)
    limit = sf.upper_limit(model, level=0.90)
    assert limit.value == pytest.approx(known["limit"], rel=1e-6)
    assert limit.expected.kappas == pytest.approx(known["bands"], rel=1e-6, abs=1e-9)
    for method in ("cls", "bayes", "bayes-mu"):
        if method in known:
            found = sf.upper_limit(model, level=0.90, method=method).value
            # The posterior is interpolated in other points than it was.
            assert found == pytest.approx(known[method], rel=1e-6 if method == "cls" else 1e-4), method
