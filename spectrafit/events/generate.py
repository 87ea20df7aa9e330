"""Making the ROOT files of a sample set's recipes: scattering of a real flux, with a stated response.

Entry i of a sample is made from the random numbers at index i of the sample's own stream. A file therefore holds the
same arrays, bit for bit, whatever the number of workers or the size of chunks (its bytes differ: ROOT files carry a
date and a UUID). Every event on an electron has weight 1 before the response; coherent events on nuclei have the
weights of `recoils`. The efficiency of the response multiplies `weight`, and events that the response puts below its
threshold are not written. The exposure, `TotalPOT`, is that of all generated events: POT, or seconds of a source that
is given per second.

A file names the recipe that made it. A file that names another recipe, or none, is never overwritten.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import uproot

from spectrafit import execution
from spectrafit.arraytypes import Values
from spectrafit.config import Recipe, Response, Sample, SampleSet
from spectrafit.config.paths import is_url, local
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import response
from spectrafit.events.recoils import recoil_spectrum, recoil_theta, recoil_weights
from spectrafit.events.sources import beam_of
from spectrafit.events.spectrum import Spectrum, spectrum
from spectrafit.events.targets import Nucleus, electrons_of, nuclei_of, steps_of
from spectrafit.output import replacing
from spectrafit.physics import kinematics
from spectrafit.random import stream_key
from spectrafit.stages import stage

__all__ = ["expected", "generate"]

Branches = dict[str, Values]

# True columns are in double precision: single precision may round T above the kinematic limit.
_BRANCHES: dict[str, np.dtype[Any]] = {
    "pdg": np.dtype(np.int32),
    "nucleus": np.dtype(np.int32),
    "e_nu": np.dtype(np.float64),
    "t": np.dtype(np.float64),
    "theta": np.dtype(np.float64),
    "t_reco": np.dtype(np.float32),
    "theta_reco": np.dtype(np.float32),
    "weight": np.dtype(np.float32),
}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Piece:
    """Events `first` to `first` + `count` of a sample, to be made by a worker."""

    sample: str
    spectrum: Spectrum
    nuclei: tuple[Nucleus, ...]
    form_factor: str
    sin2_theta_w: float
    couplings: dict[str, float]
    response: Response | None
    seed: int
    first: int
    count: int

    def __str__(self) -> str:
        """Name the piece in a message."""
        return f"{self.sample}: events {self.first} to {self.first + self.count}"


@dataclass(frozen=True, kw_only=True, eq=False)
class _Job:
    """A checked recipe: what to draw from, how many, and the file to write."""

    sample: Sample
    spectrum: Spectrum
    nuclei: tuple[Nucleus, ...]
    form_factor: str
    sin2_theta_w: float
    response: Response | None
    events: int
    pot: float
    target: Path

    def pieces(self, seed: int, size: int) -> Iterator[_Piece]:
        """Cut the events into chunks of at most `size`."""
        for first in range(0, self.events, size):
            count = min(size, self.events - first)
            yield _Piece(
                sample=self.sample.name,
                spectrum=self.spectrum,
                nuclei=self.nuclei,
                form_factor=self.form_factor,
                sin2_theta_w=self.sin2_theta_w,
                couplings=self.sample.generate.values if self.sample.generate else {},
                response=self.response,
                seed=seed,
                first=first,
                count=count,
            )


@stage("generated the ntuples")
def generate(
    sample_set: SampleSet,
    *,
    seed: int | None = None,
    folder: str | Path | None = None,
    executor: str | Executor = "threads",
    workers: int | None = None,
    chunk_events: int = 250_000,
    progress: bool = False,
) -> list[Path]:
    """Make the files of every sample that has a recipe.

    Parameters
    ----------
    sample_set : SampleSet
        With `flux`, and `detector` or `target`. For a sample without a `response` of its own, the set's response is
        applied here. A sample with its own is written as truth only, because its response is applied when the file is
        read.
    seed : int, optional
        Instead of the set's.
    folder : path, optional
        Where to write ``<sample>.root``; default the sample's `files`, relative to the set's TOML.
    executor : {"serial", "threads", "processes", "dask"} or concurrent.futures.Executor
    workers : int, optional
        Chunks made at once; default one per core.
    chunk_events : int
        Events in a chunk, which is also a cluster of the tree.
    progress : bool
        Show a progress bar on the terminal's error stream.

    Returns
    -------
    list of Path
        One file per sample with a recipe, each with a tree ``events`` (pdg, e_nu, t, theta, t_reco, theta_reco, weight,
        and nucleus for coherent scattering; GeV, rad), ``TotalPOT`` (exposure the events stand for: POT, or seconds)
        and ``TotalEvents`` (events made).

    Raises
    ------
    ConfigError
        The set has no recipe, or a recipe cannot be followed.
    DataError
        A flux cannot be read, or a file cannot be written; an old file is then untouched.
    """
    if chunk_events < 1:
        raise ConfigError(f"chunk_events = {chunk_events}: at least one is needed")
    # All mistakes are found before the first event is made.
    jobs = [
        _job(sample_set, sample, recipe, folder)
        for sample in sample_set.samples
        if (recipe := sample.generate) is not None
    ]
    _refuse_others(jobs, sample_set.name)
    if not jobs:
        raise ConfigError(
            f"{sample_set.path}: no sample has a recipe; add generate = {{ flavour = ..., events = ... }}"
        )
    if sample_set.response is not None:
        response.check(sample_set.response, where=f"{sample_set.path}: $.response")
    with execution.executor(executor, workers) as pool, _bar(progress) as advance:
        for job in jobs:
            pieces = job.pieces(sample_set.seed if seed is None else seed, chunk_events)
            _write(job, sample_set.name, execution.imap(pool, _make, pieces), advance)
    return [job.target for job in jobs]


def expected(
    sample_set: SampleSet,
    pot: float,
    *,
    t_min: float = 0.0,
    t_max: float = np.inf,
    coupling: str = "",
    kappa: float = 0.0,
) -> dict[str, float]:
    """Return the true nu-e events of each flavour of a set's flux on its detector or target, at efficiency 1.

    Parameters
    ----------
    sample_set : SampleSet
        With `flux`, and `detector` or `target`.
    pot : float
        Protons on target, or seconds for sources that are given per second.
    t_min, t_max : float
        Range of true electron kinetic energy, GeV.
    coupling, kappa : str, float
        A coupling every flavour is given, and its value in the fit's units; "" for the Standard Model alone.
    """
    electrons, steps = electrons_of(sample_set), steps_of(sample_set)
    return {
        name: spectrum(
            beam_of(sample_set, name),
            name,
            sin2_theta_w=sample_set.sin2_theta_w,
            t_min=t_min,
            t_max=t_max,
            coupling=coupling,
            kappa=kappa,
            steps=steps,
        ).rate
        * electrons
        * pot
        for name in sample_set.flux
    }


def _target(sample_set: SampleSet, sample: Sample, folder: str | Path | None) -> Path:
    """Return the file that a sample's recipe writes, which no other recipe may write.

    In `folder` the file has the sample's name, which must be a plain file name. Without `folder` the sample's `files`
    names the file; this must be one file.
    """
    where = f"{sample_set.path}: sample {sample.name!r}"
    if folder is not None:
        if sample.name in ("", ".", "..") or any(sign in sample.name for sign in "/\\\0") or len(sample.name) > 200:
            raise ConfigError(
                f"{where}: its file in {folder} would have this name, which is no plain file name; rename the sample,"
                " or leave out the folder, so that the file goes where files says"
            )
        return Path(folder) / f"{sample.name}.root"
    files = (sample.files,) if isinstance(sample.files, str) else sample.files
    if len(files) != 1 or not files[0].endswith(".root") or is_url(files[0]) or any(mark in files[0] for mark in "*?["):
        raise ConfigError(
            f"{where} is generated, so its files must name the one .root file to write, found {sample.files!r}"
        )
    return Path(os.path.normpath(local(files[0], sample_set.folder, where)))


def _refuse_others(jobs: Sequence[_Job], set_name: str) -> None:
    """Refuse two recipes for one file, and a recipe whose file exists and was not made by the same recipe."""
    owners: dict[Path, str] = {}
    for job in jobs:
        other = owners.setdefault(job.target.resolve(), job.sample.name)
        if other != job.sample.name:
            raise ConfigError(
                f"the recipes of {other!r} and {job.sample.name!r} both write {job.target}; give each a file of its own"
            )
        try:
            if job.target.exists() and not _made_by(job.target, set_name, job):
                raise ConfigError(
                    f"{job.target}: exists already, and was not made by the recipe of {job.sample.name!r} in"
                    f" {set_name!r}; remove the file, or name another one"
                )
        except OSError as error:
            raise DataError(f"{job.target}: cannot be read ({error.strerror or error})") from None


def _made_by(path: Path, set_name: str, job: _Job) -> bool:
    """Return whether this recipe made the file before, perhaps with other numbers."""
    if path.is_dir():
        return False
    try:
        with uproot.open({str(path): None}) as file:
            names = set(file.keys(cycle=False, recursive=False))
            if "recipe" in names:
                return str(file["recipe"]) == _recipe(set_name, job.sample.name)
            # Old versions did not write the recipe's name. Their files hold just these objects, only our branches, and
            # this neutrino.
            ours = names == {"events", "TotalPOT", "TotalEvents"} and set(file["events"].keys()) <= set(_BRANCHES)
            return ours and set(file["events"]["pdg"].array(entry_stop=10).tolist()) <= {job.spectrum.pdg}
    except Exception:
        # The reader cannot read the file, so no recipe made it.
        return False


def _recipe(set_name: str, sample: str) -> str:
    return f"spectrafit generate: {sample} of {set_name}"


def _job(sample_set: SampleSet, sample: Sample, recipe: Recipe, folder: str | Path | None) -> _Job:
    where = f"{sample_set.path}: sample {sample.name!r}"
    if recipe.events < 1:
        raise ConfigError(f"{where}: events = {recipe.events}; at least one is needed")
    if recipe.flavour not in sample_set.flux:
        raise ConfigError(f"{where}: no flux of {recipe.flavour}; [flux] has {', '.join(sample_set.flux) or 'none'}")
    angle = sample_set.sin2_theta_w if sample.sin2_theta_w is None else sample.sin2_theta_w
    t_min, t_max = recipe.range
    nuclei = nuclei_of(sample_set) if sample.process == "nucleus" else ()
    targets = sum(nucleus.number for nucleus in nuclei) if nuclei else electrons_of(sample_set)
    beam = beam_of(sample_set, recipe.flavour)
    try:
        if nuclei:
            found = recoil_spectrum(beam, recipe.flavour, nuclei, sin2_theta_w=angle, t_min=t_min, t_max=t_max)
        else:
            found = spectrum(
                beam,
                recipe.flavour,
                sin2_theta_w=angle,
                t_min=t_min,
                t_max=t_max,
                couplings=recipe.values,
                steps=steps_of(sample_set),
            )
    except ConfigError as problem:
        raise ConfigError(f"{where}: {problem}") from None
    own = sample_set.response if sample.response is None else None
    return _Job(
        sample=sample,
        spectrum=found,
        nuclei=nuclei,
        form_factor=sample_set.target.form_factor if sample_set.target else "point",
        sin2_theta_w=angle,
        response=own and response.resolved(own, sample_set.folder, f"{sample_set.path}: $.response"),
        events=recipe.events,
        pot=recipe.events / (found.rate * targets),
        target=_target(sample_set, sample, folder),
    )


def _make(piece: _Piece) -> tuple[int, Branches]:
    """Return how many events were made, and the columns of those above the threshold."""
    name, seed = piece.sample, piece.seed
    e_nu, t, row = piece.spectrum.draw_with_rows(stream_key(seed, "events", name), piece.first, piece.count)
    pdg = np.full(piece.count, piece.spectrum.pdg)
    columns: Branches = {"pdg": pdg, "e_nu": e_nu, "t": t}
    if piece.nuclei:
        columns["theta"] = recoil_theta(e_nu, t, np.array([one.mass for one in piece.nuclei])[row])
        columns["nucleus"] = np.array([one.code for one in piece.nuclei])[row]
        columns["weight"] = recoil_weights(
            piece.spectrum.pdg,
            e_nu,
            t,
            row,
            piece.nuclei,
            form_factor=piece.form_factor,
            sin2_theta_w=piece.sin2_theta_w,
            couplings=piece.couplings,
        )
    else:
        columns["theta"] = np.asarray(kinematics.theta(e_nu, t))
    if piece.response is not None:
        key = stream_key(seed, "response", name)
        t_reco, theta_reco, weight = response.apply(
            piece.response,
            response.visible(piece.response, t, columns.get("nucleus")),
            columns["theta"],
            key=key,
            first=piece.first,
        )
        columns |= {"t_reco": t_reco, "theta_reco": theta_reco, "weight": weight * columns.get("weight", 1.0)}
        columns = {branch: column[weight > 0.0] for branch, column in columns.items()}
    return piece.count, {branch: column.astype(_BRANCHES[branch]) for branch, column in columns.items()}


def _write(
    job: _Job, set_name: str, made: Iterator[tuple[int, Branches]], advance: Callable[[str, int, int], None]
) -> None:
    """Write one file under a temporary name and put it in place when it is whole."""
    done = 0
    with replacing(job.target) as part, uproot.recreate(part, compression=uproot.LZ4(1)) as file:
        for count, columns in made:
            if done == 0:
                types = {branch: column.dtype for branch, column in columns.items()}
                file.mktree("events", types, title=job.sample.title)
            file["events"].extend(columns)
            done += count
            advance(job.sample.name, done, job.events)
        edge = np.array([0.0, 1.0])
        file["TotalPOT"] = (np.array([job.pot]), edge)
        file["TotalEvents"] = (np.array([float(done)]), edge)
        file["recipe"] = _recipe(set_name, job.sample.name)


@contextmanager
def _bar(show: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Yield a function of (sample, events made, events wanted) that moves the progress bar."""
    if not show:
        yield lambda sample, made, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as progress:
        tasks: dict[str, Any] = {}

        def advance(sample: str, made: int, total: int) -> None:
            if sample not in tasks:
                tasks[sample] = progress.add_task(sample, total=total)
            progress.update(tasks[sample], completed=made)

        yield advance
