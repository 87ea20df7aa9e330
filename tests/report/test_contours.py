import matplotlib.image
import numpy as np
import pytest
from scipy.stats import chi2

from spectrafit.errors import ConfigError
from spectrafit.inference.results import Contour
from spectrafit.report.contours import LEVELS, draw_contour, rise, summary


@pytest.fixture
def found() -> Contour:
    """A bivariate normal: errors 2 and 1, correlation 0.6, best at (1, -0.5)."""
    x, y = np.linspace(-7, 9, 41), np.linspace(-4, 4, 33)
    inverse = np.linalg.inv([[4.0, 1.2], [1.2, 1.0]])
    a, b = np.meshgrid(x - 1.0, y + 0.5, indexing="ij")
    return Contour(
        parameters=("kappa", "energy_scale"),
        x=x,
        y=y,
        delta_2nll=inverse[0, 0] * a**2 + 2 * inverse[0, 1] * a * b + inverse[1, 1] * b**2,
        best=(1.0, -0.5),
        valid=np.ones((41, 33), dtype=bool),
    )


@pytest.mark.parametrize("level", LEVELS)
def test_the_rise_is_the_quantile_of_chi_square_with_two_degrees_of_freedom(level):
    assert rise(level) == pytest.approx(chi2.ppf(level, 2), rel=1e-12)


def test_regions_of_a_normal_reach_as_far_as_its_errors(found):
    for region in summary(found)["regions"]:
        reach = np.sqrt(region["rise"])
        # The grid steps over the exact profile by half a step at most.
        assert region["kappa"] == pytest.approx([1.0 - 2.0 * reach, 1.0 + 2.0 * reach], abs=0.03 * reach)
        assert region["energy_scale"] == pytest.approx([-0.5 - reach, -0.5 + reach], abs=0.03 * reach)


def test_a_region_that_leaves_the_grid_has_no_end(found):
    cut = Contour(
        parameters=found.parameters,
        x=found.x[:25],
        y=found.y,
        delta_2nll=found.delta_2nll[:25],
        best=found.best,
        valid=found.valid[:25],
    )
    low, high = summary(cut)["regions"][-1]["kappa"]
    assert low == pytest.approx(1.0 - 2.0 * np.sqrt(rise(0.95)), abs=0.1)
    assert high is None


def test_the_figure_is_drawn_with_the_unphysical_side_shaded(tmp_path, found):
    picture = matplotlib.image.imread(
        draw_contour(tmp_path / "c.png", found, couplings={"kappa": "magnetic_moment"}, title="toy")
    )
    assert picture.shape[:2] == (960, 1200)
    grey = np.all(np.abs(picture[..., :3] - 0xEF / 255) < 0.01, axis=-1)
    assert grey.mean() > 0.1
    plain = matplotlib.image.imread(draw_contour(tmp_path / "d.png", found))
    assert np.all(np.abs(plain[..., :3] - 0xEF / 255) < 0.01, axis=-1).mean() < 0.01


def test_a_suffix_that_is_no_format_is_refused(tmp_path, found):
    with pytest.raises(ConfigError, match="did you mean 'png'"):
        draw_contour(tmp_path / "contour.pngg", found)
    assert not list(tmp_path.iterdir())
