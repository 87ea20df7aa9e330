import numpy as np
import pytest

import spectrafit as sf
from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.assemble import assemble
from spectrafit.interop.pyhf import read_workspace
from spectrafit.templates.partition import fitted_regions, merge_to, read_partition, write_partition
from tests.templates.conftest import GRID

TEXT = """
[[systematics]]
kind = "shift"
name = "scale"
column = "t_reco"
scale = 0.03
[[systematics]]
kind = "weight"
name = "knob"
weights = ["w_down", "w_up"]
"""
# A checkerboard of three bins with a corner that is in none: no edges make it.
NUMBERS = (np.add.outer(np.arange(6), np.arange(4)) % 3) + 1
NUMBERS[0, 0] = 0
PARTED = GRID.replace('cut = "score > 0.2"', 'cut = "score > 0.2"\npartition = "bins.csv"')


@pytest.fixture(scope="module")
def parted(ntuples):
    write_partition(ntuples.folder / "bins.csv", NUMBERS)
    return ntuples.analysis(TEXT, regions=PARTED)


@pytest.fixture(scope="module")
def grid(ntuples):
    return sf.build(ntuples.analysis(TEXT))


def added(rows):
    """Add up a plane's 24 bins, and leave the other region's three as they are."""
    plane = [rows[..., np.flatnonzero(NUMBERS.ravel() == n)].sum(axis=-1) for n in (1, 2, 3)]
    return np.concatenate([np.stack(plane, axis=-1), rows[..., 24:]], axis=-1)


def test_bins_of_one_number_are_added_up(parted, grid):
    found = sf.build(parted)
    region = found.region("nd")
    assert region.shape == (3,)
    assert region.partition.shape == (6, 4)
    np.testing.assert_array_equal(region.partition.numbers, NUMBERS.ravel())
    assert [v.parameter for v in found.variations] == [v.parameter for v in grid.variations]
    for name in ("counts", "squares"):
        np.testing.assert_allclose(getattr(found, name), added(getattr(grid, name)), rtol=1e-12)
    np.testing.assert_array_equal(found.entries, added(grid.entries))
    np.testing.assert_allclose(found.data, added(grid.data))
    # The corner without a bin joins what lies outside.
    lost = grid.counts[:, 0, :, 0]
    np.testing.assert_allclose(found.flow[..., 0] - grid.flow[..., 0], lost, rtol=1e-9, atol=1e-12)


def test_saved_cells_of_the_grid_serve_a_partition(parted, grid, ntuples, tmp_path):
    path = grid.save(tmp_path / "grid.npz")
    served = sf.Templates.load(path, analysis=parted)
    built = sf.build(parted)
    np.testing.assert_array_equal(served.counts, built.counts)
    assert served.digest != grid.digest
    again = sf.Templates.load(served.save(tmp_path / "parted.npz"), analysis=parted)
    assert again.digest == served.digest
    np.testing.assert_array_equal(again.region("nd").partition.numbers, NUMBERS.ravel())
    with pytest.raises(ConfigError, match="its bins are those of a partition"):
        sf.Templates.load(tmp_path / "parted.npz", analysis=ntuples.analysis(TEXT))
    with pytest.raises(ConfigError, match="has no edges to change"):
        again.rebinned({"nd": [[0.5, 1.5, 3.5]]})
    side = again.rebinned({"side": {"t_reco": [0.3, 1.7, 4.0]}})
    assert [region.size for region in side.regions] == [3, 2]
    np.testing.assert_array_equal(side.region("nd").partition.numbers, NUMBERS.ravel())


def test_a_partition_is_fitted_and_exported(parted, tmp_path):
    templates = sf.build(parted)
    model = assemble(parted, templates)
    assert sf.fit(model).valid
    assert sf.constraints(model, templates).information.error("kappa") > 0
    sf.export(model, tmp_path / "workspace.json")
    channels = {
        region.name: region.stop - region.start for region in read_workspace(tmp_path / "workspace.json").regions
    }
    assert channels == {"nd": 3, "side": 3}


@pytest.mark.parametrize(
    ("text", "kind", "message"),
    [
        ("1,2\n2,1\n", ConfigError, r"has 2 x 2 numbers, the axes of region 'nd' have 6 x 4 bins"),
        ("1,1,1,3\n" * 6, ConfigError, "no bin has number 2, yet there is 3"),
        ("0,0,0,0\n" * 6, ConfigError, "every bin has number 0"),
        ("1,1,1,0.5\n" * 6, DataError, "holds 0.5; needs whole numbers from 0"),
        ("1,1,-1,1\n" * 6, DataError, "holds -1; needs"),
        ("1,1,1,one\n" * 6, DataError, "no matrix of numbers"),
    ],
)
def test_files_that_do_not_fit_are_refused(ntuples, text, kind, message):
    (ntuples.folder / "wrong.csv").write_text(text)
    analysis = ntuples.analysis(TEXT, regions=PARTED.replace("bins.csv", "wrong.csv"))
    with pytest.raises(kind, match=message):
        sf.build(analysis)


def test_a_missing_file_and_bins_of_another_place_are_told(ntuples, parted, grid):
    absent = ntuples.analysis(TEXT, regions=PARTED.replace("bins.csv", "absent.csv"))
    with pytest.raises(DataError, match=r"absent\.csv cannot be read"):
        fitted_regions(absent)
    np.testing.assert_array_equal(read_partition(parted, 0), NUMBERS.ravel())
    merge = merge_to(grid.cells.regions, parted)
    assert merge.changes
    assert not merge_to(merge.regions, parted).changes
