"""The command line as a whole: lists, verbosity, examples, exit codes, completion of words."""

import logging
import os
import shlex
import signal
import sys
import threading
from pathlib import Path

import pytest

import spectrafit as sf
from spectrafit import cli
from spectrafit.cli import examples, lists, verbosity
from spectrafit.cli.options import interactive
from spectrafit.errors import ConfigError
from spectrafit.stages import LOGGER, stage
from tests.events.ntuples import native
from tests.test_bad_input import FIT, SET, write_tree

COMMANDS = {c.name or c.callback.__name__: c for c in cli.app.registered_commands}
LISTS = {"--kappa": True, "--method": False}


@pytest.mark.parametrize(
    ("words", "result"),
    [
        ("coverage f --kappa 1,2", "coverage f --kappa 1 --kappa 2"),
        ("coverage --kappa 0 1 -0.5 f", "coverage --kappa 0 --kappa 1 --kappa -0.5 f"),
        ("coverage --kappa 0,1 2 f --kappa=3,4", "coverage --kappa 0 --kappa 1 --kappa 2 f --kappa 3 --kappa 4"),
        ("coverage f --method profile,cls --toys 5", "coverage f --method profile --method cls --toys 5"),
        ("coverage f --method profile cls", "coverage f --method profile cls"),
        ("coverage f --kappa 1 --edges a=1,2", "coverage f --kappa 1 --edges a=1,2"),
        ("coverage f --kappa", "coverage f --kappa"),
        ("coverage f --kappa ,", "coverage f --kappa ,"),
    ],
)
def test_values_of_a_list_are_written_in_three_ways(words, result):
    assert lists.spread(words.split(), LISTS) == result.split()


def test_the_options_that_take_lists_are_those_of_the_signatures():
    found = {name: lists.lists_of(command.callback) for name, command in COMMANDS.items()}
    assert found["sensitivity"] == {"--exposure": True, "--systematics": True}
    assert found["coverage"] == {"--kappa": True, "--method": False}
    assert found["xsec"].keys() >= {"--mu", "--t"}
    assert found["limit"] == {"--method": False}


def test_a_list_reaches_the_command(capsys):
    def table(*words):
        with pytest.raises(SystemExit) as left:
            cli.main(["xsec", "--e-nu", "2", *words])
        assert not left.value.code
        return capsys.readouterr().out

    said = table("--mu", "1e-9", "--t", "0.5", "--t", "1")
    assert table("--mu", "1e-9", "--t", "0.5,1") == said
    assert table("--t", "0.5", "1", "--mu", "1e-9") == said


@pytest.mark.parametrize(
    ("words", "rest", "level"),
    [
        ("fit x -v", "fit x", "info"),
        ("-v fit x -v", "fit x", "debug"),
        ("fit -vv x", "fit x", "debug"),
        ("--quiet fit x", "fit x", "error"),
        ("fit x --log-level warning", "fit x", "warning"),
        ("fit x --log-level=INFO", "fit x", "info"),
        ("fit x", "fit x", ""),
        ("fit -- -v", "fit -- -v", ""),
    ],
)
def test_verbosity_is_said_before_or_after_the_command(words, rest, level):
    assert verbosity.taken(words.split()) == (rest.split(), level)


def test_a_level_that_is_none_is_refused(capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["xsec", "--log-level", "loud"])
    assert left.value.code == 2
    assert "--log-level 'loud': no such level (there are: debug, info, warning, error)" in capsys.readouterr().err
    with pytest.raises(ConfigError):
        verbosity.taken(["fit", "--log-level"])


def test_a_batch_job_tells_one_line_for_each_stage_and_quiet_tells_none(capsys):
    inner = stage("did a part")(lambda: 1)
    outer = stage("did the whole")(lambda: inner())
    for level, batch, count in (
        ("", True, 1),
        ("", False, 0),
        ("info", False, 1),
        ("error", True, 0),
        ("debug", True, 4),
    ):
        with verbosity.speaking(level, batch=batch):
            assert verbosity.quiet() == (level == "error")
            assert outer() == 1
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == count
        assert all(" did " in line for line in lines)
    assert not LOGGER.isEnabledFor(logging.INFO) or LOGGER.level == logging.NOTSET
    assert not verbosity.quiet()


def test_a_stage_that_fails_is_closed_and_a_program_hears_stages_by_its_own_logging(caplog):
    def fail():
        raise ValueError("it failed")

    with pytest.raises(ValueError, match="it failed"):
        stage("failed")(fail)()
    with caplog.at_level(logging.INFO, logger="spectrafit"):
        thread = threading.Thread(target=stage("worked")(lambda: None))
        thread.start()
        thread.join()
    assert [record.getMessage().split(" in ")[0] for record in caplog.records] == ["worked"]


def test_quiet_shows_no_progress(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert interactive()
    with verbosity.speaking("error", batch=False):
        assert not interactive()


def test_every_command_has_examples_and_the_shell_reads_them(capsys):
    import typer.main

    assert set(examples.EXAMPLES) == set(COMMANDS)
    click = typer.main.get_command(cli.app)
    for name, lines in examples.EXAMPLES.items():
        for line in lines:
            words = shlex.split(line)
            assert words[:2] == ["spectrafit", name]
            command = click.commands[name]
            with command.make_context(name, lists.spread(words[1:], lists.lists_of(COMMANDS[name].callback))[1:]):
                pass
        with pytest.raises(SystemExit):
            cli.main([name, "--help"])
        shown = " ".join(capsys.readouterr().out.split())
        assert "Examples:" in shown
        assert " ".join(lines[0].split())[:60] in shown
    assert examples.epilog("nothing") is None


@pytest.fixture
def analysis(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_tree(tmp_path / "nue.root", native(500))
    Path("set.toml").write_text(SET)
    Path("fit.toml").write_text(FIT)
    return "fit.toml"


def test_exit_codes_are_those_that_the_help_says(analysis, monkeypatch, capsys):
    def code(*words):
        with pytest.raises(SystemExit) as left:
            cli.main([*words])
        return left.value.code or 0

    assert code("--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    for number in ("0 done", "1 a fit is not valid", "2 a mistake", "130 stopped by ctrl-C", "143 by the end"):
        assert number in said
    assert code("fit", analysis, "--no-figures") == 0
    assert code("fit", analysis, "--no-figures", "--set", "fit.term=shape") == 2
    best = sf.fit

    def invalid(*words, **options):
        import dataclasses

        return dataclasses.replace(best(*words, **options), valid=False, message="a test says so")

    monkeypatch.setitem(vars(sf), "fit", invalid)
    assert code("fit", analysis, "--no-figures") == 1
    assert Path("results/fit/result.json").exists()
    for number in (signal.SIGINT, signal.SIGTERM):
        monkeypatch.setitem(vars(sf), "fit", lambda *_, number=number, **__: os.kill(os.getpid(), number))
        assert code("fit", analysis, "--no-figures") == 128 + number
        assert "stopped: no unfinished output was written" in capsys.readouterr().err


def test_the_shell_completes_commands_and_options(monkeypatch, capsys):
    def completed(line):
        words = line.split(" ")
        for name, value in {
            "_SPECTRAFIT_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        }.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit):
            cli.main([])
        return capsys.readouterr().out.split()

    assert completed("spectrafit li") == ["limit"]
    assert {"coverage", "contour", "check", "compile"} <= set(completed("spectrafit c"))
    assert "--exposure" in completed("spectrafit sensitivity --ex")
