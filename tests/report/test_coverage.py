import matplotlib.image
import numpy as np
import pytest

from spectrafit.errors import ConfigError
from spectrafit.inference.results import Ledger
from spectrafit.inference.studies.coverage import Coverage
from spectrafit.report.coverage import draw_coverage


@pytest.fixture
def found() -> Coverage:
    return Coverage(
        kappas=np.array([0.0, 1.0, 4.0]),
        methods=("profile (one)", "cls (one)"),
        level=0.9,
        accepted=np.array([[90, 100], [88, 95], [91, 90]]),
        experiments=np.full((3, 2), 100),
        truth="nominal",
        simulation="thrown",
        ledger=Ledger(),
        failed=0,
    )


def test_the_figure_is_drawn(tmp_path, found: Coverage) -> None:
    picture = matplotlib.image.imread(draw_coverage(tmp_path / "coverage.png", found))
    assert picture.shape[:2] == (880, 1240)
    assert picture[..., :3].std() > 0.05


def test_a_suffix_that_is_no_format_is_refused(tmp_path, found: Coverage) -> None:
    with pytest.raises(ConfigError, match="did you mean 'png'"):
        draw_coverage(tmp_path / "coverage.pngg", found)
    assert not list(tmp_path.iterdir())
