import io
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from spectrafit import kept
from spectrafit.cli.compile import compile_
from spectrafit.compiling import announce
from spectrafit.kept import discard_stale, make_room

PROJECT = Path(__file__).parents[1]


def test_kernels_go_when_a_source_that_compiles_is_newer_and_only_then(tmp_path) -> None:
    names = ["a.py", "room/b.py", "room/c.py"]
    # b compiles, a holds a constant of it, c only calls.
    text = {"b.py": "from numba import njit\nfrom package.a import LENGTH\n", "c.py": "from package.room.b import f\n"}
    root = tmp_path / "package"
    kept = [root / "room/__pycache__" / name for name in ("b.f-1.py311.nbi", "b.f-1.py311.1.nbc", "b.pyc")]
    kept.append(root / "__pycache__/a.g-1.py311.1.nbc")

    def put(*dates: float) -> None:
        for path, date in zip([*map(root.__truediv__, names), *kept], [*dates, *[1.5e9] * 4], strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.get(path.name, ""))
            os.utime(path, (date, date))

    put(1e9, 1e9, 2e9)
    assert not discard_stale(str(root))
    assert all(path.exists() for path in kept)
    put(1.6e9, 1e9, 1e9)
    assert discard_stale(str(root))
    assert [path.exists() for path in kept] == [False, False, True, False]
    assert not discard_stale(str(root))


KEEPS = """
import os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
if sys.argv[3] == "numba first": import numba
from spectrafit.kept import make_room
place = make_room(sys.argv[1])
from mine import answer
assert answer() == 42
print(place, *(path.name for path in Path(place).rglob("*.nbi")))
"""


@pytest.mark.parametrize("order", ["numba first", "numba last"])
@pytest.mark.parametrize("taken", [False, True], ids=["free", "taken"])
def test_without_a_home_kernels_are_kept_in_a_folder_of_ones_own(tmp_path, order, taken) -> None:
    # Below a file nobody can write, not even who may write everywhere.
    (tmp_path / "file").write_text("")
    (tmp_path / "mine.py").write_text("from numba import njit\n@njit(cache=True)\ndef answer(): return 42\n")
    own = tmp_path / "tmp" / f"spectrafit-{os.geteuid()}"
    own.parent.mkdir()
    if taken:
        # Somebody else might have put kernels of theirs there.
        own.mkdir()
        own.chmod(0o777)
    nowhere = str(tmp_path / "file" / "home")
    removed = ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in removed}
    environment |= {"HOME": nowhere, "TMPDIR": str(own.parent), "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, "-B", "-c", KEEPS, nowhere, str(tmp_path), order],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    place, *kept = done.stdout.split()
    assert (place == str(own)) != taken
    assert Path(place).parent == own.parent
    assert Path(place).stat().st_mode & 0o777 == 0o700
    assert [name.split("-")[0] for name in kept] == ["mine.answer"]


def test_where_numba_can_write_it_is_left_alone(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    assert make_room(str(tmp_path)) is None
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not" / "yet"))
    assert make_room(str(tmp_path / "gone")) is None
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert make_room(str(tmp_path / "gone")) is None


def test_a_kernel_follows_what_is_compiled_into_it(tmp_path) -> None:
    """The mistake this is for: numba alone answers 1 after the change."""
    code = {
        "inner.py": "from numba import njit\n@njit\ndef one(): return {}\n",
        "outer.py": "from numba import njit\nfrom inner import one\n@njit(cache=True)\ndef answer(): return one()\n",
    }
    run = textwrap.dedent(
        """
        import sys
        from spectrafit.kept import discard_stale
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


def test_kernels_call_each_other_without_being_compiled_into_each_other(tmp_path) -> None:
    """Each is compiled once, a change of the callee alone reaches the caller, and an optional one waits."""
    code = """
        import numpy as np
        from numba import types
        from spectrafit.jit import inlined, kernel
        VECTOR = types.float64[::1]

        @inlined
        def square(x):
            return x * x

        @kernel(types.float64(VECTOR), fastmath=True)
        def total(x):
            result = 0.0
            for i in range(x.size):
                result += square(x[i])
            return result

        @kernel(types.float64(VECTOR), optional=True)
        def seldom(x):
            return -total(x)

        @kernel(types.float64(VECTOR, types.boolean), entry=True)
        def outer(x, rare):
            return seldom(x) if rare else 2.0 * total(x)

        x = np.arange(4.0)
        print(outer(x, False), "square" in outer.dispatcher.inspect_llvm(outer.dispatcher.signatures[0]))
        print(len(seldom.dispatcher.signatures), len(total.dispatcher.signatures))
        seldom.prepare()
        print(outer(x, True), sum(total.dispatcher.stats.cache_hits.values()))
        """
    (tmp_path / "mine.py").write_text(textwrap.dedent(code))
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    said = [
        subprocess.run(
            [sys.executable, "-B", "mine.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    ]
    assert said[0] == ["28.0", "False", "0", "1", "-14.0", "0"]
    # From the cache, in another process with other addresses.
    assert said[1][:1] + said[1][2:] == ["28.0", "0", "1", "-14.0", "1"]


def test_nothing_is_said_while_nothing_is_compiled() -> None:
    stream = io.StringIO()
    announce(stream)
    assert stream.getvalue() == ""


def test_compiling_is_told_once_with_a_count(tmp_path) -> None:
    code = """
        import sys
        from numba import njit
        from spectrafit.compiling import announce
        announce(sys.stdout)
        if sys.argv[1] == "compile":
            njit(lambda x: x + 1)(1)
            njit(lambda x: x + 2)(1)
        """
    (tmp_path / "mine.py").write_text(textwrap.dedent(code))
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}

    def say(how: str) -> list[str]:
        command = [sys.executable, "-B", "mine.py", how]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    begun, ended = say("compile")
    assert begun.startswith("compiling kernels, once")
    assert ended.startswith("compiled 2 kernels in ")
    assert say("nothing") == []


def test_loops_are_compiled_for_the_types_that_come(tmp_path) -> None:
    code = """
        import numpy as np
        from numba import types
        from spectrafit.jit import loop
        OUT = types.float64[::1]

        @loop(*(types.void(types.Array(x, 1, "C", readonly=True), OUT) for x in (types.float32, types.float64)))
        def double(x, out):
            for i in range(x.size):
                out[i] = 2.0 * x[i]

        out = np.zeros(3)
        if __name__ == "__main__":
            double(np.arange(3, dtype=np.float32), out)
            print(*out, len(double._ready))
            double(np.ones(3), out)
            print(*out, len(double._ready))
            try:
                double(np.ones(3, int), out)
            except TypeError as error:
                print(error)
            try:
                double(np.ones((3, 3)), out)
            except TypeError as error:
                print("refused")
        """
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "mine.py").write_text(textwrap.dedent(code))
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(tmp_path), str(PROJECT))),
        "NUMBA_CACHE_DIR": str(tmp_path / "kept"),
    }

    def run(*command: str) -> list[str]:
        done = subprocess.run(
            [sys.executable, "-B", *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.splitlines()

    kept = "from spectrafit.jit import prepare_all; print(*prepare_all('package'))"
    # One kernel for two types; the second time the cache has both.
    assert run("-c", kept) == ["1 2"]
    assert run("-c", kept) == ["1 0"]
    said = run("package/mine.py")
    assert said[0] == "0.0 2.0 4.0 1"
    assert said[1] == "2.0 2.0 2.0 2"
    assert said[2] == "double: elements of type int64; needed float32; float64"
    assert said[3:] == ["refused"]


def test_commands_that_look_and_tell_compile_nothing(tmp_path) -> None:
    """In one process, with an empty folder for kernels: whatever is compiled there is seen."""
    code = """
        import sys
        from numba.core import event
        from spectrafit.cli import main
        with event.install_recorder("numba:compile") as made:
            for command in sys.argv[1].split(";"):
                try:
                    main(command.split())
                except SystemExit as ended:
                    assert not ended.code, command
        print("compiled", len(made.buffer))
        """
    (tmp_path / "mine.py").write_text(textwrap.dedent(code))
    samples = PROJECT / "samples" / "nuwro"
    commands = (
        "--help",
        "xsec",
        "xsec --sm bks --flavour nuebar",
        f"inspect {samples / 'elastic_nue.root'} {samples / 'nc_carbon.root'}",
        f"check {PROJECT / 'fits' / 'nova_nd_nuwro.toml'}",
    )
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "NUMBA_CACHE_DIR": str(tmp_path / "kept")}
    done = subprocess.run(
        [sys.executable, "-B", "mine.py", ";".join(commands)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines()[-1:] == ["compiled 0"], done.stderr


def test_a_look_at_newer_sources_is_remembered(tmp_path, monkeypatch) -> None:
    root = tmp_path / "package"
    (root / "__pycache__").mkdir(parents=True)
    kernel, plain, compiled = root / "__pycache__/a.g-1.py311.1.nbc", root / "c.py", root / "a.py"
    for path, text, date in ((kernel, "", 1.5e9), (plain, "", 2e9), (compiled, "from numba import njit\n", 1e9)):
        path.write_text(text)
        os.utime(path, (date, date))
    looks = []
    look = kept.compiled_sources
    monkeypatch.setattr(kept, "compiled_sources", lambda paths: looks.append(1) or look(paths))
    assert not discard_stale(str(root))
    assert not discard_stale(str(root))
    assert looks == [1]
    # Another date, another look.
    os.utime(plain, (2.1e9, 2.1e9))
    assert not discard_stale(str(root))
    assert len(looks) == 2
    os.utime(compiled, (2.2e9, 2.2e9))
    assert discard_stale(str(root))
    assert not kernel.exists()


@pytest.mark.parametrize(
    ("compiled", "said"), [(3, "7 kernels are ready"), (0, "; all of them had been compiled before")]
)
def test_compile_says_whether_there_was_anything_to_do(monkeypatch, capsys, compiled, said) -> None:
    monkeypatch.setattr("spectrafit.jit.prepare_all", lambda package: (7, compiled))
    compile_()
    assert capsys.readouterr().out.endswith(f"{said}\n")


def test_a_kernel_that_cannot_be_kept_is_used_all_the_same(tmp_path: Path) -> None:
    code = (
        "import resource, signal\nimport numpy as np\nfrom spectrafit.inference.kernels import cholesky\n"
        "from spectrafit.physics import kinematics\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))\n"
        "cholesky.factorise.prepare()\nprint(kinematics.t_max(np.full(10**5, 2.0))[0])"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stderr == ""
    assert float(done.stdout) == pytest.approx(8.0 / 4.00051099895, rel=1e-9)
    assert not list(tmp_path.rglob("*.nbc"))
