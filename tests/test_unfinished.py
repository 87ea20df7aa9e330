"""The commands keep toys for as long as a job lasts, and say what --resume cannot go on with."""

import pytest

from spectrafit.cli.unfinished import going_on, job_key, limit_job, toys_kept
from spectrafit.config import LimitOptions
from spectrafit.errors import ConfigError
from spectrafit.inference.toys.journal import kept
from tests.inference.models import counting


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_key_is_all_that_decides_the_numbers():
    model, said = counting(), LimitOptions(method="feldman-cousins")
    key, throws = limit_job(model, said, ["feldman-cousins"])
    assert throws
    assert not limit_job(model, said, ["profile"])[1]
    assert key == limit_job(model, said, ["feldman-cousins"])[0]
    others = [
        limit_job(model, LimitOptions(method="feldman-cousins", toys=77), ["feldman-cousins"])[0],
        limit_job(model, said, ["feldman-cousins"], 5)[0],
        limit_job(model.with_data(model.data + 1.0), said, ["feldman-cousins"])[0],
        job_key(model, level=0.5),
    ]
    assert all(other != key for other in others)


def test_what_cannot_go_on(tmp_path):
    for bank, throws, words in (([tmp_path / "b.npz"], True, "used again by themselves"), (None, False, "throws toys")):
        with (
            pytest.raises(ConfigError, match=words),
            toys_kept(tmp_path / "f.toml", "limit", {}, bank, throws=throws, resume=True),
        ):
            pass
    with toys_kept(tmp_path / "f.toml", "limit", {}, None, throws=False, resume=False) as banks:
        assert banks == ()


def ended(path, error):
    """End a job by an error after its first piece."""
    with going_on(path, "scan", {}, resume=False) as work:
        work.put("0", 1)
        raise error


def test_a_mistake_is_no_stop(tmp_path, capsys):
    for error, told in ((ConfigError("wrong"), False), (SystemError("compiled code"), True)):
        with pytest.raises(type(error)):
            ended(tmp_path / "f.toml", error)
        assert ("--resume goes on" in capsys.readouterr().err) is told
    assert len(kept()) == 1
