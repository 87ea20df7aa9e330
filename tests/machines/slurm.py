"""The trial of `scripts/try_slurm`: a SLURM cluster of one machine fills templates with dask-jobqueue and throws toys.

python -m tests.machines.slurm [--events N] [--draws N] [--toys N]
"""

from __future__ import annotations

import argparse
import contextlib
import getpass
import importlib
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import spectrafit as sf
from tests.machines.daemons import Absent, Failed, daemon, free_port, main, need, told, until
from tests.machines.trials import PROJECT, same_bits, write

CONFIGURATION = """\
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={controller}
SlurmdPort={node}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/builtin
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MpiDefault=none
ReturnToService=2
SwitchType=switch/none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/none
KillWait=1
MinJobAge=300
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 RealMemory=16000 State=UNKNOWN
PartitionName=trial Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


@contextlib.contextmanager
def slurm(folder: Path) -> Iterator[None]:
    """Run a SLURM of this one machine: munge, a controller and a node, with all their files in `folder`."""
    programs = need(["munged", "slurmctld", "slurmd", "sinfo", "sbatch", "squeue", "scancel"], "slurm-wlm munge")
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    text = CONFIGURATION.format(
        host=socket.gethostname().partition(".")[0],
        user=getpass.getuser(),
        folder=folder,
        controller=free_port(),
        node=free_port(),
    )
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    (folder / "slurm.conf").write_text(text, encoding="utf-8")
    files = [f"--{name}={folder / f'munge.{name[:-5]}'}" for name in ("pid-file", "seed-file", "log-file")]
    munge = [programs["munged"], "--foreground", "--force", f"--key-file={key}", f"--socket={folder / 'munge.socket'}"]
    with contextlib.ExitStack() as stack:
        for words, name in (
            ([*munge, *files], "munged"),
            ([programs["slurmctld"], "-D", "-c"], "slurmctld"),
            ([programs["slurmd"], "-D"], "slurmd"),
        ):
            stack.enter_context(daemon(words, folder / f"{name}.log"))
            if name == "munged":
                until((folder / "munge.socket").exists, seconds=10, what="munge's socket")
        until(lambda: "idle" in said("sinfo", "--noheader"), seconds=30, what="an idle node; see slurmctld.log")
        yield
        said("scancel", "--user", getpass.getuser())
        until(lambda: not queue(), seconds=20, what="the jobs to end")


def said(*words: str) -> str:
    """Return what a command of SLURM prints."""
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=60).stdout


def queue() -> dict[str, str]:
    """Return the state of every job that waits, runs or ends, by its number."""
    pairs = (line.split(maxsplit=1) for line in said("squeue", "--noheader", "--format=%i %T").splitlines())
    return {number: state.strip() for number, state in pairs}


def jobqueue(folder: Path) -> Any:
    """Return the module dask_jobqueue; where the environment lacks it, it is installed into `folder`."""
    if find_spec("distributed") is None:
        raise Absent("the Python package distributed is not installed (pip install 'spectrafit-numm[dask]')")
    if find_spec("dask_jobqueue") is None:
        words = ["install", "--quiet", "--no-deps", "--target", str(folder), "dask-jobqueue"]
        done = subprocess.run([sys.executable, "-m", "pip", *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Absent(f"dask-jobqueue cannot be installed ({done.stderr.strip().splitlines()[-1:]})")
        sys.path.append(str(folder))
        importlib.invalidate_caches()
    return importlib.import_module("dask_jobqueue")


class Watched:
    """A cluster of dask jobs in SLURM, and what became of every chunk that it was given."""

    def __init__(self, cluster: Any) -> None:
        self.cluster = cluster
        self.scheduler = cluster.scheduler

    def workers(self) -> dict[str, str]:
        """Return the address of the worker of each job, by the job's number."""
        names = {str(one.name): address for address, one in list(self.scheduler.workers.items())}
        jobs = {str(name): str(job.job_id) for name, job in list(self.cluster.workers.items())}
        return {jobs[name]: address for name, address in names.items() if name in jobs}

    def done(self) -> Counter[str]:
        """Return how often each chunk was filled."""
        moves = list(self.scheduler.transition_log)
        return Counter(str(move[0]) for move in moves if move[1] == "processing" and move[2] == "memory")

    def holds(self, address: str) -> list[str]:
        """Return the chunks that a worker has been given and has not finished."""
        worker = self.scheduler.workers.get(address)
        return [str(task.key) for task in list(worker.processing)] if worker else []

    def keeps(self, address: str) -> list[str]:
        """Return the chunks whose sums a worker still keeps."""
        worker = self.scheduler.workers.get(address)
        return [str(task.key) for task in list(worker.has_what)] if worker else []


@contextlib.contextmanager
def jobs(module: Any, folder: Path) -> Iterator[Watched]:
    """Start two jobs of one worker each and wait until both are there."""
    with module.SLURMCluster(
        queue="trial",
        cores=1,
        memory="2GB",
        walltime="00:20:00",
        interface="lo",
        log_directory=str(folder / "logs"),
        local_directory=str(folder / "local"),
        scheduler_options={"dashboard_address": "127.0.0.1:0"},
    ) as cluster:
        cluster.scale(jobs=2)
        watched = Watched(cluster)
        until(lambda: len(watched.workers()) == 2, seconds=180, what="two jobs to start", every=0.2)
        yield watched


def filled(watched: Watched, analysis: sf.Analysis, path: Path) -> None:
    sf.build(analysis, executor="dask", scheduler=watched.cluster.scheduler_address).save(path)


def trial(events: int, draws: int, toys: int, folder: Path) -> None:
    with slurm(folder / "slurm"):
        told("SLURM runs on this machine")
        module = jobqueue(folder / "python")
        write(folder, folder / "data", events)
        analysis = sf.load(folder / "fit_local.toml")
        sf.build(analysis).save(folder / "serial.npz")
        long = sf.load(folder / "fit_local.toml", overrides=[f"samples:response.draws={draws}"])
        sf.build(long).save(folder / "long_serial.npz")
        with jobs(module, folder) as watched:
            filled(watched, analysis, folder / "jobs.npz")
            same_bits(folder, "serial.npz", "jobs.npz")
            told(f"two jobs filled {watched.done().total()} chunks: the same bits as serial")
        with jobs(module, folder) as watched:
            cancelled(watched, long, folder)
        banks(folder, toys)


def cancelled(watched: Watched, analysis: sf.Analysis, folder: Path) -> None:
    """Cancel the job of one of two workers while it fills a chunk: only what it held or kept is filled again."""
    lost: dict[str, list[str]] = {}

    def cancel() -> None:
        (job, address), _ = sorted(watched.workers().items())
        with contextlib.suppress(Failed):
            until(lambda: watched.done().total() and watched.holds(address), seconds=120, what="work", every=0.002)
            said("scancel", job)
            lost["held"], lost["kept"] = watched.holds(address), watched.keeps(address)
            until(lambda: address not in watched.scheduler.workers, seconds=60, what="the end of a job", every=0.01)

    canceller = threading.Thread(target=cancel)
    canceller.start()
    filled(watched, analysis, folder / "long_jobs.npz")
    canceller.join()
    if not lost.get("held"):
        raise Failed("the job was cancelled when the worker held no chunk; give more --draws")
    same_bits(folder, "long_serial.npz", "long_jobs.npz")
    again = {key for key, times in watched.done().items() if times > 1}
    if not again <= set(lost["held"]) | set(lost["kept"]):
        raise Failed(f"chunks that the cancelled job did not have were filled again: {again}")
    told(
        f"scancel of one job with {len(lost['held'])} of {len(watched.done())} chunks in its hands: the same bits as"
        f" serial; finished chunks whose sums it still kept, filled again: {len(again)}"
    )


def banks(folder: Path, toys: int) -> None:
    """Throw toys by the array of jobs that README shows, and take the banks together."""
    text = (PROJECT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```sh\n(#!/bin/bash\n#SBATCH.*?)```\n.*?```sh\n(.*?)```", text, re.DOTALL)
    if found is None:
        raise Failed("README shows no array of jobs")
    (folder / "templates.npz").write_bytes((folder / "serial.npz").read_bytes())
    few = "fits/nova_nd_fhc.toml", f"fit_local.toml --set limit.toys={toys}"
    array, together = (part.replace(*few) for part in found.groups())
    (folder / "toys.sh").write_text(re.sub(r"--array=\S+", "--array=0-1", array), encoding="utf-8")
    command = together.splitlines()
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    submitted = subprocess.run(
        ["bash", "-c", command[0]], cwd=folder, capture_output=True, text=True, check=False, env=environment
    )
    if submitted.returncode:
        raise Failed(f"{command[0]}: {submitted.stderr}")
    until(lambda: not queue(), seconds=600, what="the array of jobs", every=0.5)
    made = sorted(folder.glob("bank_*.npz"))
    if len(made) != 2:
        raise Failed(f"banks: {made}; {''.join(p.read_text() for p in folder.glob('slurm-*.out'))}")
    began = time.monotonic()
    done = subprocess.run(
        ["bash", "-c", "\n".join(command[1:])],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode:
        raise Failed(f"{command[1:]}: {done.stderr}")
    numbers = [set(thrown(path)) for path in made]
    if numbers[0] & numbers[1] or not numbers[0] | numbers[1] <= set(thrown(folder / "all.npz")):
        raise Failed("the banks were not merged")
    told(
        f"an array of 2 jobs threw {len(numbers[0])} and {len(numbers[1])} toys; merged in"
        f" {time.monotonic() - began:.1f} s\n{done.stdout.strip()}"
    )


def thrown(path: Path) -> list[tuple[str, int]]:
    """Return truth and number of every toy in a bank."""
    with np.load(path) as bank:
        return [(name, int(n)) for name in bank.files if name.endswith("numbers") for n in bank[name]]


if __name__ == "__main__":
    asked = argparse.ArgumentParser(
        prog="scripts/try_slurm", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    asked.add_argument("--events", type=int, default=300_000, help="events generated of each signal")
    asked.add_argument("--draws", type=int, default=100, help="draws of each event while a job is cancelled")
    asked.add_argument("--toys", type=int, default=1000, help="toys of each truth in each job of the array")
    options = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="try_slurm_") as made:
        place = Path(made)
        place.chmod(0o755)
        sys.exit(main("try_slurm", lambda: trial(options.events, options.draws, options.toys, place)))
