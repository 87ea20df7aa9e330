"""Keeps toys in a file, the bank. Toys are added to a bank and banks are merged; toys of another model are refused.

A bank holds what was fitted to each toy, by truth and tested kappas. What a mixture needs besides is thrown again from
the number of the toy.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spectrafit.arraytypes import Floats, Integers
from spectrafit.errors import DAMAGE, ConfigError, DataError, SpectrafitError
from spectrafit.execution import Pool
from spectrafit.inference.identity import identity
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.inference.results import Ledger
from spectrafit.inference.toys.ensemble import TESTED, Ensemble, run
from spectrafit.output import locked, replacing

__all__ = ["Bank", "Record", "merge"]

_FORMAT = 3  # 2 held toys of 26 truths, each fitted at its own kappa


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Record:
    """Toys of one truth: their `numbers` (N,), what was fitted to them (N, 4 + G), and the ledger of the fits."""

    numbers: Integers
    rows: Floats
    ledger: Ledger

    def check(self) -> None:
        """Raise ValueError if the numbers of the toys do not increase, or if there is not one row for each toy."""
        numbers, rows = self.numbers, self.rows
        if numbers.ndim != 1 or numbers.dtype != np.int64 or np.any(np.diff(numbers) <= 0) or np.any(numbers < 0):
            raise ValueError("numbers of toys do not increase")
        if rows.ndim != 2 or rows.dtype != np.float64 or rows.shape[0] != numbers.size or rows.shape[1] < TESTED:
            raise ValueError("rows do not belong to toys")

    def __add__(self, other: Record) -> Record:
        fresh = ~np.isin(other.numbers, self.numbers)
        # A toy in both is the same toy: its fits count once.
        ledger = self.ledger + other.ledger if fresh.any() else self.ledger
        numbers = np.concatenate([self.numbers, other.numbers[fresh]])
        order = np.argsort(numbers)
        return Record(numbers=numbers[order], rows=np.concatenate([self.rows, other.rows[fresh]])[order], ledger=ledger)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Bank:
    """Toys of one model, by truth and tested values of kappa.

    Attributes
    ----------
    digest : str
        Digest of the model that the toys were thrown from.
    records : mapping of str to Record
    first : int
        Number of the first toy that is thrown here; give each machine a range of its own, then merge.
    """

    digest: str
    records: Mapping[str, Record] = dataclasses.field(default_factory=dict)
    first: int = 0

    def topped_up(
        self,
        of: Ensemble,
        kappas: npt.ArrayLike,
        toys: int,
        *,
        executor: str | Executor | Pool = "serial",
        workers: int | None = None,
    ) -> tuple[Record, Bank]:
        """Return at least `toys` toys of a truth, and the bank with them. Toys that the bank lacks are thrown."""
        _check(self.digest, of.model, "toys")
        tested = np.asarray(kappas, dtype=np.float64).reshape(-1)
        key = identity(of.digest, tested)
        record = self.records.get(key)
        have = 0 if record is None else len(record.numbers)
        if record is None or have < toys:
            begin = self.first if record is None else max(self.first, int(record.numbers[-1]) + 1)
            rows, ledger = run(of, tested, toys=toys - have, first=begin, executor=executor, workers=workers)
            new = Record(numbers=np.arange(begin, begin + len(rows)), rows=rows, ledger=ledger)
            record = new if record is None else record + new
        return record, dataclasses.replace(self, records={**self.records, key: record})

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the bank to `path` (.npz), whole or not at all, together with the toys that are in the file by now.

        Raises
        ------
        ConfigError
            The file there holds toys of another model.
        DataError
            The existing file is no bank, or the file cannot be written.
        """
        target = Path(path)
        with locked(target.parent):
            everything = self + Bank.load(target) if target.exists() else self
            everything._write(target)
        return target

    def _write(self, target: Path) -> None:
        header = {
            "format": _FORMAT,
            "digest": self.digest,
            "first": self.first,
            "ledgers": {key: dataclasses.asdict(record.ledger) for key, record in self.records.items()},
        }
        arrays: dict[str, Any] = {"header": np.frombuffer(json.dumps(header).encode(), np.uint8)}
        for key, record in self.records.items():
            arrays[f"{key}.numbers"], arrays[f"{key}.rows"] = record.numbers, record.rows
        with replacing(target, remedy="choose another place") as part, part.open("wb") as stream:
            np.savez(stream, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, model: Model | None = None) -> Bank:
        """Read a bank; ConfigError if it is of another `model`, DataError if it is no bank."""
        try:
            # The file is opened here, because numpy does not close a damaged file that it opened itself.
            with Path(path).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                header = json.loads(stored["header"].tobytes())
                if header["format"] != _FORMAT:
                    raise DataError(f"{path}: toys in format {header['format']}, needs {_FORMAT}; throw them again")
                records = {
                    key: Record(
                        numbers=stored[f"{key}.numbers"],
                        rows=stored[f"{key}.rows"],
                        ledger=Ledger(**{**ledger, "toys": tuple(ledger["toys"])}),
                    )
                    for key, ledger in header["ledgers"].items()
                }
                for record in records.values():
                    record.check()
                digest, first = str(header["digest"]), int(header["first"])
        except SpectrafitError:
            raise
        except DAMAGE as error:
            why = (error.strerror if isinstance(error, OSError) else None) or "damaged, or another kind of file"
            raise DataError(f"{path}: not a bank of toys ({why}); give a file that --bank wrote") from error
        if model is not None:
            _check(digest, model, str(path))
        return cls(digest=digest, records=records, first=first)

    def __add__(self, other: Bank) -> Bank:
        if other.digest != self.digest:
            raise ConfigError(
                f"toys of two models cannot be merged: {self.digest[:12]} and {other.digest[:12]}; templates, "
                "systematics or fit options differ"
            )
        records = dict(self.records)
        for key, record in other.records.items():
            records[key] = records[key] + record if key in records else record
        return dataclasses.replace(self, records=records)


def _check(digest: str, model: Model, where: str) -> None:
    own = Likelihood(model).digest
    if digest != own:
        raise ConfigError(
            f"{where}: toys of model {digest[:12]}, this one is {own[:12]}; templates, systematics or fit "
            "options changed: throw new toys into another file"
        )


def merge(paths: Iterable[str | os.PathLike[str]]) -> Bank:
    """Return the bank with the toys of several files; ConfigError if they are of different models."""
    banks = [Bank.load(path) for path in paths]
    if not banks:
        raise ConfigError("merge: no banks of toys given")
    total = banks[0]
    for bank in banks[1:]:
        total = total + bank
    return total
