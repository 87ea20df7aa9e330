"""The commands of the shell: each calls the verb of the same name, and a user's mistake becomes one line.

No work is done here, and no room is imported before a command needs it.
"""

from __future__ import annotations

import gc
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NoReturn

import typer

import spectrafit as sf
from spectrafit.cli import (
    analyses,
    bench,
    binnings,
    caches,
    charts,
    contours,
    coverages,
    exports,
    hypotheses,
    injection,
    limits,
    ntuples,
    referees,
    results,
    reweighting,
    scans,
    starting,
    theory,
    tuning,
)
from spectrafit.cli.arguments import checked
from spectrafit.cli.compile import compile_
from spectrafit.cli.examples import EXIT_CODES, epilog
from spectrafit.cli.lists import lists_of, spread
from spectrafit.cli.options import interactive
from spectrafit.cli.spelling import speak_any
from spectrafit.cli.verbosity import LEVELS, speaking, taken
from spectrafit.errors import SpectrafitError
from spectrafit.progress import showing

__all__ = ["app", "main"]

app = typer.Typer(
    help="From simulated neutrino-electron scattering to a limit on the muon-neutrino magnetic moment.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(asked: bool) -> None:
    if asked:
        typer.echo(f"spectrafit {sf.__version__}")
        raise typer.Exit


@app.callback()
def _top(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Tell each stage and its time; -vv its parts.")
    ] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Tell no progress and no stages.")] = False,
    log_level: Annotated[
        str | None, typer.Option(metavar="|".join(LEVELS), help="Tell what is of this level; batch jobs have info.")
    ] = None,
) -> None:
    # `main` takes these words out, wherever they stand.
    pass


for _command in (
    starting.demo,
    starting.new,
    ntuples.generate,
    ntuples.inspect,
    analyses.check,
    analyses.build,
    analyses.fit,
    limits.limit,
    hypotheses.hypotest,
    hypotheses.significance,
    contours.contour,
    scans.scan,
    scans.sensitivity,
    scans.breakdown,
    binnings.binning,
    tuning.tune,
    coverages.coverage,
    results.status,
    results.compare,
    results.yields,
    exports.export,
    referees.referee,
    injection.inject,
    reweighting.reweight,
    theory.xsec,
    theory.moment,
    charts.chart,
    starting.schema,
):
    app.command(epilog=epilog(_command.__name__))(checked(_command))
app.command(name="compile", epilog=epilog("compile"))(compile_)
app.add_typer(caches.app, name="cache")
app.add_typer(bench.app, name="bench")


class _Stopped(BaseException):
    """Ctrl-C or SIGTERM (a batch job's time is over) as an exception, so that half-written files are removed."""


def _teller() -> Callable[..., None]:
    """Return a function that prints a warning as a note on stderr, in one line and only once."""
    told: set[str] = set()

    def tell(message: Warning | str, *_: Any, **__: Any) -> None:
        line = f"note: {' '.join(str(message).split())}"
        if line not in told:
            told.add(line)
            print(line, file=sys.stderr)

    return tell


@contextmanager
def _stoppable() -> Iterator[list[int]]:
    """Let ctrl-C and SIGTERM raise `_Stopped` within the block; yield the list of signals that came."""
    came: list[int] = []

    def stop(number: int, frame: object) -> NoReturn:
        came.append(number)
        raise _Stopped(number)

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _spread(words: list[str]) -> list[str]:
    """Return the words with several values of one option behind an option each."""
    for command in app.registered_commands:
        if command.callback is not None and words[:1] == [command.name or command.callback.__name__]:
            return spread(words, lists_of(command.callback))
    return words


def main(arguments: list[str] | None = None) -> None:
    """Run a command; a user's mistake is one line on stderr and exit code 2, a traceback only with --debug."""
    if arguments is None:
        # Imports and figures make many objects that stay. Collecting garbage after every 700 new objects would take
        # 0.3 s of the 4.5 s of a fit, so it is done less often.
        gc.set_threshold(20_000, 20, 50)
        speak_any()
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    batch = arguments is None and not sys.stderr.isatty()
    with _stoppable() as came, warnings.catch_warnings():
        warnings.showwarning = _teller()
        try:
            rest, level = taken([word for word in words if word != "--debug"])
            with speaking(level, batch=batch), showing(interactive()):
                app(_spread(rest), prog_name="spectrafit")
        except (Exception, _Stopped) as error:
            if debug:
                raise
            # Compiled code may have turned the stop into another error.
            if came:
                print("stopped: no unfinished output was written, and earlier outputs are untouched", file=sys.stderr)
                sys.exit(128 + came[0])
            if isinstance(error, SpectrafitError):
                print(f"error: {error}", file=sys.stderr)
                sys.exit(2)
            if isinstance(error, OSError):
                # Errors of our own files name the file. An error without a name comes from a stream or numba's cache.
                name = error.filename or "standard output, or a compiled kernel (kept where NUMBA_CACHE_DIR says)"
                print(f"error: {name}: {error.strerror or error}", file=sys.stderr)
                sys.exit(1)
            raise
