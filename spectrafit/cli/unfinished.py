"""Long jobs that were stopped go on: the option --resume, and what the commands keep meanwhile."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectrafit.errors import ConfigError, SpectrafitError

if TYPE_CHECKING:
    from spectrafit.config import LimitOptions
    from spectrafit.inference.model import Model
    from spectrafit.inference.toys.journal import Journal

__all__ = ["Resume", "going_on", "job_key", "limit_job", "toys_kept"]

Resume = Annotated[bool, typer.Option("--resume", help="go on with a run of this command that was stopped")]


def job_key(model: Model, **options: Any) -> dict[str, Any]:
    """Return what decides the numbers of a job: its model with the data, and the options."""
    from spectrafit.inference.likelihood import Likelihood

    data = hashlib.blake2b(model.data.tobytes(), digest_size=8).hexdigest()
    return {"model": Likelihood(model).digest, "data": data, **options}


def limit_job(
    model: Model, said: LimitOptions, methods: Sequence[str], first_toy: int = 0
) -> tuple[dict[str, Any], bool]:
    """Return what decides the numbers of a limit, and whether one of its methods throws toys."""
    from spectrafit.inference.intervals.limits import METHODS

    options = {name: getattr(said, name) for name in ("level", "sides", "toys", "seed", "ensemble")}
    key = job_key(model, methods=list(methods), first_toy=first_toy, **options)
    return key, any(METHODS[name].throws for name in methods)


@contextmanager
def going_on(subject: Path, command: str, key: Mapping[str, Any], *, resume: bool) -> Iterator[Journal]:
    """Open the journal of a job, and say how to go on if the job is stopped."""
    from spectrafit.inference.toys.journal import journal

    with journal(str(subject), command, key, resume=resume) as work:
        if resume:
            typer.echo(f"note: going on with {work.words}", err=True)
        try:
            yield work
        except BaseException as error:
            # Compiled code may have turned the stop into another error; a mistake is no stop.
            if not isinstance(error, SpectrafitError) and work.begun:
                typer.echo("note: what was finished is kept; the same command with --resume goes on", err=True)
            raise


@contextmanager
def toys_kept(
    subject: Path, command: str, key: Mapping[str, Any], bank: list[Path] | None, *, throws: bool, resume: bool
) -> Iterator[tuple[Path, ...]]:
    """Yield the banks of toys for a job that may throw: those that were named, or one that lasts as long as the job."""
    if bank and resume:
        raise ConfigError("--resume: toys of --bank are used again by themselves; leave --resume out")
    if bank or not throws:
        if resume:
            raise ConfigError("--resume: no method of this command throws toys: there is nothing to go on with")
        yield tuple(bank or ())
        return
    with going_on(subject, command, key, resume=resume) as work:
        yield (work.bank,)
