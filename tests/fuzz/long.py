"""The long run of `scripts/fuzz`: every kind of input in turn until the time is over; counts, and what failed is kept.

python -m tests.fuzz.long [--minutes N] [--kind KIND]... [--seed N] [--most N] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.targets import KINDS, prepare, run


def main() -> int:
    asked = argparse.ArgumentParser(
        prog="scripts/fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    asked.add_argument("--minutes", type=float, default=5.0, help="how long; default 5")
    asked.add_argument("--kind", action="append", choices=list(KINDS), help="which inputs; default all")
    asked.add_argument(
        "--seed", type=int, default=0, help="number of the first try; a try of a number is always the same"
    )
    asked.add_argument("--most", type=int, default=10**9, help="tries of each kind after which it is left out")
    asked.add_argument("--keep", type=Path, default=Path("fuzz-failures"), help="folder for inputs that failed")
    options = asked.parse_args()
    kinds = options.kind or list(KINDS)
    tries: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    places: Counter[tuple[str, str]] = Counter()
    begun = told = time.monotonic()
    end = begun + 60.0 * options.minutes
    # Ctrl-C ends the run as the clock does.
    with contextlib.suppress(KeyboardInterrupt), tempfile.TemporaryDirectory() as folder:
        prepared, place = Path(folder) / "prepared", Path(folder) / "try"
        prepare(prepared)
        while time.monotonic() < end and any(tries[kind] < options.most for kind in kinds):
            if time.monotonic() > told + 60.0:
                told = time.monotonic()
                print(f"{(told - begun) / 60:.0f} min: {tries.total()} tries, {failed.total()} failures", flush=True)
            for kind in kinds:
                if tries[kind] >= options.most or time.monotonic() >= end:
                    continue
                seed = options.seed + tries[kind]
                tries[kind] += 1
                found = run(kind, prepared, place, seed)
                if not found.failure:
                    continue
                failed[kind] += 1
                places[kind, found.place] += 1
                if places[kind, found.place] == 1:
                    kept = options.keep / f"{kind} {seed}".replace(" ", "_")
                    shutil.rmtree(kept, ignore_errors=True)
                    shutil.copytree(place, kept)
                    (kept / "failure.txt").write_text(f"{kind}, seed {seed}\n{found.failure}\n", encoding="utf-8")
                    print(f"{kind}, seed {seed}: {found.place}", flush=True)
    print(f"{'kind':24s}{'tries':>8s}{'clean':>8s}{'failures':>10s}")
    for kind in kinds:
        print(f"{kind:24s}{tries[kind]:8d}{tries[kind] - failed[kind]:8d}{failed[kind]:10d}")
    for (kind, where), count in places.most_common():
        print(f"  {kind}: {where}: {count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
