"""A small analysis with few background events, and the cells of its fine grid."""

import pytest

import spectrafit as sf
from spectrafit.report.tuning.numbers import Workbench
from tests.inference.simulated import ANALYSIS, NORM, SCALED, simulate

X, Y = [0.0, 0.3, 0.8, 1.6, 4.0], [0.0, 0.4, 1.0, 3.0]


@pytest.fixture(scope="session")
def tuned(tmp_path_factory):
    """The analysis of a file, and a workbench with it."""
    folder = tmp_path_factory.mktemp("tuned")
    simulate(folder, 1, 4000)
    path = folder / "fit.toml"
    path.write_text('title = "A toy"\n' + ANALYSIS.format(x=X, y=Y) + SCALED + NORM)
    analysis = sf.load(path)
    return analysis, Workbench(analysis, sf.fine_cells(analysis, fine=4))
