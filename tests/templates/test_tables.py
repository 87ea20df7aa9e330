import msgspec
import numpy as np
import pytest

from spectrafit import config
from spectrafit.errors import ConfigError
from spectrafit.templates.build import build
from spectrafit.templates.tables import tabulate
from spectrafit.templates.templates import vary

REGION = (
    '[[regions]]\nname = "one"\nsamples = ["known"]\naxes = [{ observable = "t_reco", edges = [0.3, 1.0, 1.7, 4.0] }]\n'
)
COUNTS = '[[counts]]\nname = "known"\ncounts = { one = [1.0, 2.0, 3.0] }\nerrors = { one = [0.1, 0.2, 0.3] }\n'


@pytest.fixture
def analysis(ntuples):
    return ntuples.analysis(COUNTS, regions=REGION)


def test_counts_are_a_sample_like_any_other(analysis):
    templates = build(analysis)
    np.testing.assert_array_equal(templates.counts[0, 0, 0], [1.0, 2.0, 3.0])
    np.testing.assert_allclose(templates.squares[0, 0], [0.01, 0.04, 0.09])
    assert templates.titles == ("known",)
    merged = templates.rebinned({"one": [[0.3, 1.7, 4.0]]})
    np.testing.assert_array_equal(merged.counts[0, 0, 0], [3.0, 3.0])
    np.testing.assert_allclose(merged.squares[0, 0], [0.05, 0.09])


def test_other_counts_take_the_place_of_the_first(ntuples, analysis):
    templates = build(analysis)
    other = ntuples.analysis(COUNTS.replace("2.0", "5.0"), regions=REGION)
    assert templates.with_counts(analysis) is templates
    np.testing.assert_array_equal(templates.with_counts(other).counts[0, 0, 0], [1.0, 5.0, 3.0])
    with pytest.raises(ConfigError, match="3 values for region 'one', which has 2 bins"):
        templates.rebinned({"one": [[0.3, 1.7, 4.0]]}).with_counts(other)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"on": (1.0, 2.0, 3.0)}, r"\$\.counts\[0\] \('new'\): no region 'on'; did you mean 'one'"),
        ({"one": (1.0, 2.0)}, "2 values for region 'one', which has 3 bins; give one per bin"),
    ],
)
def test_counts_that_do_not_fit_are_named(analysis, counts, message):
    cells = build(analysis).cells
    wrong = msgspec.structs.replace(analysis, counts=(config.CountsSample(name="new", counts=counts),))
    with pytest.raises(ConfigError, match=message):
        vary(tabulate(wrong, cells))
