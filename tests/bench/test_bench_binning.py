import pytest

from spectrafit.bench.binning import binning
from spectrafit.errors import ConfigError


def test_what_is_compared_agrees():
    """The bench raises where our templates and limit differ from boost-histogram's and pyhf's."""
    search, templates, limit = binning(quick=True)
    assert "6 x 6 cells" in search.name
    assert search.peer is None
    assert templates.peer > 0
    assert "uproot and boost-histogram" in templates.name
    assert limit.peer > 0
    assert limit.ratio == pytest.approx(limit.peer / limit.ours)
    with pytest.raises(ConfigError, match="did you mean 'pyhf'"):
        binning(peers=["pyhff"])
