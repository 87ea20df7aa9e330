from pathlib import Path

import pytest

from spectrafit.errors import DataError
from spectrafit.templates import matrices

ODD = Path(__file__).parents[1] / "events" / "root_answers"


def test_matrices_of_root() -> None:
    """TMatrixD and TMatrixDSym, as `root_answers/make.py` writes them."""
    here = str(ODD / "set.toml")
    assert matrices.load("matrices.root:square", here, "x").tolist() == [[1, 2], [3, 4]]
    wanted = [[10.0 * min(i, j) + max(i, j) for j in range(3)] for i in range(3)]
    assert matrices.load("matrices.root:symmetric", here, "x").tolist() == wanted
    with pytest.raises(DataError, match=r"is a TVectorT<double>; a covariance must be a TH2 or a TMatrixD"):
        matrices.load("matrices.root:vector", here, "x")


def test_a_matrix_with_a_byte_order_mark_and_in_a_variable_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "m.csv").write_bytes("\ufeff1,2\n3,4\n".encode())
    monkeypatch.setenv("MATRICES", str(tmp_path))
    assert matrices.load("$MATRICES/m.csv", "/nowhere/fit.toml", "x").tolist() == [[1, 2], [3, 4]]


def test_a_damaged_root_file_is_said_to_be(tmp_path: Path) -> None:
    content = (ODD / "matrices.root").read_bytes()
    for name, spoil in (("a", content[:500]), ("b", b"no")):
        path = tmp_path / f"{name}.root"
        path.write_bytes(spoil)
        with pytest.raises(DataError, match=path.name) as caught:
            matrices.load(f"{path}:square", str(tmp_path / "fit.toml"), "x")
        assert "skip-bad-files" not in str(caught.value)
