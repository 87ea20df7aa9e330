import resource
import subprocess
import sys

import pytest

from spectrafit.errors import DataError
from spectrafit.output import replacing


def test_what_is_written_appears_at_once_and_whole(tmp_path) -> None:
    target = tmp_path / "new" / "file"
    with replacing(target) as part:
        part.write_text("half")
        assert not target.exists()
        part.write_text("whole")
    assert target.read_text() == "whole"
    assert [p.name for p in target.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_whatever_stops_the_writing_the_old_file_stays_and_nothing_else(tmp_path, error) -> None:
    target = tmp_path / "file"
    target.write_text("old")

    def stopped() -> None:
        with replacing(target) as part:
            part.write_text("half")
            raise error

    with pytest.raises(error):
        stopped()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_is_an_error_with_the_remedy(tmp_path) -> None:
    code = (
        "import resource, signal, sys\nfrom pathlib import Path\nfrom spectrafit.output import replacing\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (1000, {resource.RLIM_INFINITY}))\n"
        "with replacing(Path(sys.argv[1]), remedy='make room') as part:\n    part.write_bytes(bytes(2000))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "file")], capture_output=True, text=True, check=False
    )
    assert "file: cannot be written (File too large); make room" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="cannot be written"), replacing(tmp_path / "file" / "below"):
        pass
