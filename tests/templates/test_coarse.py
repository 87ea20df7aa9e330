import numpy as np
import pytest

from spectrafit.templates.build import build
from spectrafit.templates.coarse import SHARE, coarse_grids, spread_out
from spectrafit.templates.noise import noise_of_change
from spectrafit.templates.systematics import effects

SHIFT = '[[systematics]]\nkind = "shift"\nname = "scale"\nscale = {size}\nsmooth = "auto"\nsamples = ["{sample}"]\n'


def grids_of(ntuples, size, sample):
    templates = build(ntuples.analysis(SHIFT.format(size=size, sample=sample)))
    (effect,) = effects(templates.cells.analysis).values()
    return templates, coarse_grids(templates.cells, effect)


def test_the_change_of_a_coarse_cell_is_kept_and_spread_in_proportion(ntuples):
    templates, grids = grids_of(ntuples, 0.2, "background")
    raw = build(ntuples.analysis(SHIFT.format(size=0.2, sample="background").replace('smooth = "auto"', "")))
    at = templates.sample("background")
    assert grids
    for (sample, r), grid in grids.items():
        assert sample == at
        bins = templates.regions[r].bins
        before, after, plain = (
            t[at, v, 0, bins] for t, v in ((templates.counts, 0), (templates.counts, 2), (raw.counts, 2))
        )
        for cell in range(grid.labels.max() + 1):
            inside = grid.labels == cell
            assert after[inside].sum() == pytest.approx(plain[inside].sum(), rel=1e-12)
            ratio = after[inside] / before[inside]
            np.testing.assert_allclose(ratio, ratio[0], rtol=1e-12)


def test_noise_stays_below_the_stated_share(ntuples):
    for size in (0.01, 0.2):
        _, grids = grids_of(ntuples, size, "background")
        assert sum(grid.noise for grid in grids.values()) <= SHARE or all(
            grid.shape == (1,) * len(grid.shape) for grid in grids.values()
        )


def test_the_grids_are_in_the_templates(ntuples):
    templates, grids = grids_of(ntuples, 0.2, "background")
    assert len(templates.smoothing) == len(grids)
    for said, grid in zip(templates.smoothing, grids.values(), strict=True):
        assert said["cells"] == " x ".join(map(str, grid.shape))
        assert said["sample"] == "background"


def test_merged_noise_is_that_of_the_merged_cells(ntuples):
    """Against cells that were merged before the noise was asked for."""
    templates, _ = grids_of(ntuples, 0.1, "background")
    cells = templates.cells
    merged = cells.rebinned({"nd": {"t_reco": [0.3, 1.2, 3.0], "t_theta2_reco": [0.0, 0.0007, 0.003]}})
    (effect,) = effects(cells.analysis).values()
    at = templates.sample("background")
    fine, coarse = (noise_of_change(one, effect, at) for one in (cells, merged))
    labels = np.add.outer(2 * np.repeat([0, 1], [2, 4]), np.repeat([0, 1], 2)).ravel()
    found = fine.part(slice(0, 24)).merged(labels, 4)
    np.testing.assert_allclose(found, coarse.variance[:4], rtol=1e-10)


def test_fluctuations_have_the_variances_and_covariances(ntuples):
    templates, _ = grids_of(ntuples, 0.1, "background")
    (effect,) = effects(templates.cells.analysis).values()
    noise = noise_of_change(templates.cells, effect, templates.sample("background"))
    thrown = noise.thrown(20_000, np.random.default_rng(1))
    wanted = np.diag(noise.variance)
    np.subtract.at(wanted, (noise.first, noise.second), noise.moved)
    np.subtract.at(wanted, (noise.second, noise.first), noise.moved)
    scale = np.sqrt(np.outer(noise.variance, noise.variance))
    np.testing.assert_allclose(np.cov(thrown.T) / scale, wanted / scale, atol=0.05)


def test_nothing_nominal_nothing_changed():
    from spectrafit.templates.coarse import Coarse

    grid = Coarse(sample="a", region="r", edges=((0.0, 2.0),), labels=np.zeros(2, np.int64), information=0.0, noise=0.0)
    nominal = np.array([[0.0, 0.0], [1.0, 3.0]])
    found = spread_out(grid, np.array([[0.0, 1.0], [2.0, 4.0]]), nominal)
    np.testing.assert_allclose(found, [[0.0, 0.0], [1.5, 4.5]])
