import pytest

from spectrafit.bench.binning import binning
from spectrafit.errors import ConfigError


def test_what_is_compared_agrees():
    """The bench raises where our templates differ from boost-histogram's; a limit of pyhf takes too long for a test."""
    search, templates, limit = binning(quick=True, peers=["boost-histogram"])
    assert "6 x 6 cells" in search.name
    assert search.peer is None
    assert templates.peer > 0
    assert "uproot and boost-histogram" in templates.name
    assert templates.ratio == pytest.approx(templates.peer / templates.ours)
    assert limit.peer is None
    with pytest.raises(ConfigError, match="did you mean 'pyhf'"):
        binning(peers=["pyhff"])
