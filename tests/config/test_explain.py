"""What msgspec finds wrong is told with the key's path, the value and the nearest choice."""

import msgspec
import pytest

from spectrafit.config import Analysis
from spectrafit.config.explain import explain

SOUND = {
    "samples": "a.toml",
    "pot": 1e20,
    "regions": [{"name": "nd", "axes": [{"observable": "t", "edges": [0.0, 1.0]}]}],
}


def told(changes):
    raw = SOUND | changes
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(raw, Analysis, strict=True)
    return explain(str(caught.value), raw, Analysis)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"titel": "x"}, "$.titel: unknown key; did you mean 'title'?"),
        ({"regions": 3}, "$.regions: Expected a list, got a whole number; found 3"),
        (
            {"fit": {"terms": "shap"}},
            "$.fit.terms: no choice 'shap'; did you mean 'shape' or 'shape+norm'? (there are: ",
        ),
        ({"limit": {"method": "baies"}}, "$.limit.method: no choice 'baies'; did you mean 'bayes'"),
        (
            {"systematics": [{"kind": "nrom", "name": "x"}]},
            "$.systematics[0].kind: no choice 'nrom'; did you mean 'norm'",
        ),
        ({"systematics": [{"name": "x"}]}, "$.systematics[0]: kind is missing (there are: "),
        ({"data": {"nd": "x"}}, "$.data.nd: Expected a table or a list, got text"),
    ],
)
def test_the_key_and_the_remedy_are_named(changes, message):
    assert told(changes).startswith(message), told(changes)
