import os
import subprocess
import sys
import textwrap
from pathlib import Path

from spectrafit.kernels import discard_stale

PROJECT = Path(__file__).parents[1]


def test_kernels_go_when_a_source_beside_kernels_is_newer_and_only_then(tmp_path) -> None:
    names = ["a.py", "room/b.py", "other/c.py"]
    kept = [tmp_path / "room/__pycache__" / name for name in ("b.f-1.py311.nbi", "b.f-1.py311.1.nbc", "b.pyc")]
    kept.append(tmp_path / "__pycache__/a.g-1.py311.1.nbc")

    def put(*dates: float) -> None:
        for path, date in zip([*map(tmp_path.__truediv__, names), *kept], [*dates, *[1.5e9] * 4], strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("")
            os.utime(path, (date, date))

    put(1e9, 1e9, 2e9)
    assert not discard_stale(str(tmp_path))
    assert all(path.exists() for path in kept)
    put(1.6e9, 1e9, 1e9)
    assert discard_stale(str(tmp_path))
    assert [path.exists() for path in kept] == [False, False, True, False]
    assert not discard_stale(str(tmp_path))


def test_a_kernel_follows_what_is_compiled_into_it(tmp_path) -> None:
    """The mistake this is for: numba alone answers 1 after the change."""
    code = {
        "inner.py": "from numba import njit\n@njit\ndef one(): return {}\n",
        "outer.py": "from numba import njit\nfrom inner import one\n@njit(cache=True)\ndef answer(): return one()\n",
    }
    run = textwrap.dedent(
        """
        import sys
        from spectrafit.kernels import discard_stale
        if sys.argv[1] == "look": discard_stale(".")
        from outer import answer
        print(answer())
        """
    )

    def say(value: int, date: float, how: str) -> str:
        for name, text in code.items():
            (tmp_path / name).write_text(text.format(value))
        os.utime(tmp_path / "inner.py", (date, date))
        os.utime(tmp_path / "outer.py", (1e9, 1e9))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(PROJECT)))}
        done = subprocess.run(
            [sys.executable, "-B", "-c", run, how], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        return done.stdout.strip() or done.stderr

    assert say(1, 1.1e9, "look") == "1"
    assert say(2, 4e9, "blindly") == "1"
    assert say(2, 4e9, "look") == "2"
