"""The keys of `[[tables]]` and of data in files: spectra known as numbers, not as events."""

from __future__ import annotations

from typing import Literal

from msgspec import field

from spectrafit.config.numbers import Finite, Natural, NotNegative, Positive
from spectrafit.config.samples import Keys

__all__ = ["DataFile", "TableSample"]


class _Source(Keys, frozen=True, kw_only=True):
    """Where the numbers of a table stand: in a file.

    Attributes
    ----------
    file
        A text file of columns (.csv, .txt, .dat; separated by commas, semicolons or blanks, `#` begins a comment), a
        table of HEPData (.yaml), or `file.root:name` of a TH1 or TH2; relative to the analysis' file.
        Example: ``file = "background.csv"``
    columns : number of a column
        Which column of a text file is what, by its heading or its number from 1: `low` and `high` (edges of a bin) or
        `x` (a point), and `value`, `error`; headings of these names need no key. Of a HEPData table `value` names the
        dependent variable, where there are several; its independent variables are the region's axes in their order.
        Example: ``columns = { x = 1, value = "rate" }``
    unit
        The unit of edges and points, of several axes perhaps one each: "MeV, mrad"; without the key, the unit of the
        region's axis. Example: ``unit = "keV"``
    """

    file: str = ""
    columns: dict[str, str | Natural] = field(default_factory=dict)
    unit: str = ""


class TableSample(_Source, frozen=True, kw_only=True):
    """A sample, or a part of one, that is known as a table: `[[tables]]`.

    Tables of one name are one sample: a table for each region, and one for each power of the coupling.

    Attributes
    ----------
    name
        As of a sample. Example: ``name = "xenon_136"``
    role
        "background", or "signal" for a sample that the coupling changes. Example: ``role = "signal"``
    title
        What legends and tables show. Example: ``title = "136Xe"``
    region
        The region whose bins are filled; without the key, the only one. Example: ``region = "er"``
    power : no unit
        The power of the fitted coupling's kappa that the table is multiplied by: 0 for the Standard Model, 1 for a
        magnetic moment. Of several couplings a table, by their parameters. A sample may have its coupling's part
        alone. Example: ``power = 1``
    at : unit of the coupling
        The coupling's value that a table of power 1 or 2 was made with; without the key, kappa = 1.
        Example: ``at = 1e-11``
    edges : unit of the table
        Edges of the bins, in place of a file. Example: ``edges = [1.0, 2.0, 4.0]``
    points : unit of the table
        Points between which the values are joined by straight lines, in place of edges.
        Example: ``points = [0.0, 10.0, 30.0]``
    values : events, or events per what `per` says
        The numbers: one per bin or point; without edges and points one for each bin of the region, in C order (the last
        axis runs fastest). Example: ``values = [12.0, 3.5]``
    errors : as the values
        Standard deviations of the values, from simulation; or "poisson" for counts that were measured, as with the
        source off. Example: ``errors = "poisson"``
    per
        What the values are given per: "bin" (events per bin, at the exposure of the analysis), or a product of units,
        of the exposure, of the axis or of both. Example: ``per = "t yr keV"``
    factor : no unit
        Multiplies values and errors: the ratio of livetimes of measured counts. Example: ``factor = 0.25``
    outside
        What a table means beyond its ends, where the region goes further: "error", or "zero".
        Example: ``outside = "zero"``
    set
        The sample set whose exposure the values are multiplied by, where there are several.
        Example: ``set = "borexino"``
    """

    name: str
    role: Literal["background", "signal"] = "background"
    title: str = ""
    region: str = ""
    power: Natural | dict[str, Natural] = 0
    at: Positive | None = None
    edges: tuple[Finite, ...] = ()
    points: tuple[Finite, ...] = ()
    values: tuple[Finite, ...] = ()
    errors: tuple[NotNegative, ...] | Literal["poisson"] = ()
    per: str = "bin"
    factor: Positive = 1.0
    outside: Literal["error", "zero"] = "error"
    set: str = ""

    def __post_init__(self) -> None:
        """Refuse numbers given twice or not at all."""
        if bool(self.file) == bool(self.values):
            raise ValueError(f"table {self.name!r}: give either a file, or values")
        if self.file and (self.edges or self.points):
            raise ValueError(f"table {self.name!r}: edges and points stand in its file")
        if self.edges and self.points:
            raise ValueError(f"table {self.name!r}: give edges or points, not both")
        for key, found, wanted in (
            ("edges", len(self.edges), len(self.values) + 1),
            ("points", len(self.points), len(self.values)),
            ("errors", 0 if isinstance(self.errors, str) else len(self.errors), len(self.values)),
        ):
            if found and self.values and found != wanted:
                raise ValueError(f"table {self.name!r}: {found} {key} for {len(self.values)} values, needs {wanted}")


class DataFile(_Source, frozen=True, kw_only=True):
    """Observed counts of a region in a file: a histogram, or a list of events.

    Attributes
    ----------
    columns : number of a column
        As of a table; `event` is a column with the observable of each event, which is counted in the region's bins.
        Example: ``columns = { event = 1 }``
    per
        What the values are given per: "bin", or a product of units as of a table, of binned data.
        Example: ``per = "t yr keV"``
    """

    per: str = "bin"
