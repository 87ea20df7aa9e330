from pathlib import Path

import numpy as np
import pytest
import uproot

from spectrafit.errors import DataError
from spectrafit.events import flux

TABLES = Path("samples/flux/nova_2017")
SHARED = Path("../shared/data/flux")


def test_the_shipped_tables_hold_the_published_integrals():
    # Integrals stated by an independent copy of the release (NUISANCE's ROOT file).
    expected = {"FHC_numu": 118.5, "FHC_numubar": 10.0, "FHC_nue": 1.60, "FHC_nuebar": 0.277, "RHC_numubar": 96.3}
    expected["RHC_numu"] = 11.2
    for name, integral in expected.items():
        assert flux.load(TABLES / f"{name}.dat").integral == pytest.approx(integral, rel=5e-3)


@pytest.mark.parametrize("mode", ["FHC", "RHC"])
@pytest.mark.parametrize("flavour", ["numu", "numubar", "nue", "nuebar"])
def test_table_and_histogram_of_one_flux_agree(mode, flavour):
    path = SHARED / f"nuisance/NOvA_{mode}_Flux_ND_2017.root"
    if not path.exists():
        pytest.skip(f"{path} is not here: the shared inputs are not part of the project")
    table = flux.load(TABLES / f"{mode}_{flavour}.dat")
    histogram = flux.load(f"{path}:flux_{flavour}")
    np.testing.assert_allclose(histogram.edges, table.edges, rtol=1e-12)
    np.testing.assert_allclose(histogram.values, table.values, rtol=2e-3, atol=6e-5)
    np.testing.assert_allclose(histogram.uncertainty, table.uncertainty, atol=6e-4)


def test_density_is_the_bin_content_over_its_width_and_zero_outside(tmp_path):
    path = tmp_path / "flux.dat"
    path.write_text("# a comment\n0.5 1.0 3.0 0.1\n1.0 3.0 4.0 0.2 # another\n")
    read = flux.load(path)
    assert read.integral == 7.0
    assert read.density([0.0, 0.5, 0.99, 1.0, 2.9, 3.0, 9.0]).tolist() == [0.0, 6.0, 6.0, 2.0, 2.0, 0.0, 0.0]
    assert float(read.density(0.7)) == 6.0
    assert read.uncertainty.tolist() == [0.1, 0.2]
    assert not read.values.flags.writeable


def test_a_histogram_without_uncertainties_beside_it_has_its_bin_errors(tmp_path):
    path = tmp_path / "flux.root"
    with uproot.recreate(path) as file:
        file["numu"] = (np.array([4.0, 1.0]), np.array([0.0, 0.5, 2.5]))
    read = flux.load(f"{path}:numu")
    assert read.values.tolist() == [2.0, 2.0]
    assert read.uncertainty.tolist() == [0.5, 1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1 2\n1 2\n", r"line 2: found '1 2'"),
        ("0 1 two\n", r"line 1: found '0 1 two'"),
        ("0 1 2\n1.5 2 3\n", "line 2: bin begins at 1.5 GeV, the one before ends at 1 GeV"),
        ("0 1 2\n1 1 3\n", "increasing"),
        ("0 1 -2\n", "bin 0: flux must be finite and not negative"),
        ("0 1 2 nan\n", "bin 0: uncertainty"),
        ("0 1 0\n", "every bin is empty"),
        ("# nothing\n", "no bins"),
    ],
)
def test_a_bad_table_is_refused_with_the_line(tmp_path, text, message):
    path = tmp_path / "flux.dat"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        flux.load(path)


def test_missing_files_and_histograms_are_named(tmp_path):
    with pytest.raises(DataError, match=r"absent\.dat: cannot be read"):
        flux.load(tmp_path / "absent.dat")
    with pytest.raises(DataError, match=r"absent\.root: cannot be read"):
        flux.load(f"{tmp_path}/absent.root:flux")
    path = tmp_path / "some.root"
    with uproot.recreate(path) as file:
        file["flux_numu"] = (np.array([4.0, 1.0]), np.array([0.0, 0.5, 2.5]))
        file["tree"] = {"x": np.arange(3)}
    with pytest.raises(DataError, match="did you mean 'flux_numu'"):
        flux.load(f"{path}:flux_nue")
    with pytest.raises(DataError, match="must be a TH1"):
        flux.load(f"{path}:tree")
    path.write_bytes(b"not a ROOT file at all")
    with pytest.raises(DataError, match="cannot be read as a ROOT file"):
        flux.load(f"{path}:flux_numu")


def test_a_damaged_root_file_is_said_to_be(tmp_path):
    path = tmp_path / "flux.root"
    with uproot.recreate(path) as file:
        file["flux_numu"] = (np.linspace(1.0, 2.0, 500), np.linspace(0.0, 20.0, 501))
    content = path.read_bytes()
    for spoil in (content[:300], content[:-400], b"root" + bytes(500)):
        path.write_bytes(spoil)
        with pytest.raises(DataError, match=r"flux.root") as caught:
            flux.load(f"{path}:flux_numu")
        assert "skip-bad-files" not in str(caught.value)


def test_a_table_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "flux.dat"
    path.write_bytes("\ufeff0.5 1.0 3.0\n1.0 3.0 4.0 # ν\n".encode())
    assert flux.load(path).integral == 7.0
