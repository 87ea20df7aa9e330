"""What the tuning page shows of a choice: the numbers that the Python verbs give, and the spectra to draw."""

from __future__ import annotations

import dataclasses
import time
from collections import OrderedDict
from collections.abc import Mapping

import numpy as np

from spectrafit.arraytypes import Floats
from spectrafit.config import Analysis
from spectrafit.inference.assemble import assemble
from spectrafit.inference.fitting.constraints import Constraints, constraints
from spectrafit.inference.intervals.limits import METHODS, Method, upper_limit
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Model
from spectrafit.inference.results import Limit
from spectrafit.report.tuning.choice import Choice, applied
from spectrafit.templates.cells import Cells
from spectrafit.templates.serving import served
from spectrafit.templates.templates import Templates, vary

__all__ = ["Numbers", "Workbench"]

# Choices whose numbers are kept: for undo, and for going to and fro.
_KEPT = 64


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Numbers:
    """All that the page shows of one choice, whatever values its sliders of parameters have.

    Attributes
    ----------
    analysis : Analysis
        With the choice applied.
    templates : Templates
    model : Model
        With Asimov data at kappa = 0.
    limit : Limit
        Expected, with its bands, by the method of the analysis.
    constraints : Constraints
    seconds : float
        What all this took.
    """

    analysis: Analysis
    templates: Templates
    model: Model
    limit: Limit
    constraints: Constraints
    seconds: float

    def by_sample(self, values: Mapping[str, float]) -> Floats:
        """Return the expected events, (S, B), at values of parameters; those that are not named stay at their initial.

        Parameters
        ----------
        values : mapping of str to float
            Names that the model lacks are passed over: their systematic is left out.
        """
        at = self.model.initial.copy()
        for name, value in values.items():
            if name in self.model.names:
                at[self.model.index(name)] = value
        found = np.zeros((len(self.templates.samples), self.model.n_bins))
        for component, events in zip(self.model.components, Likelihood(self.model).predict(at).components, strict=True):
            found[self.templates.sample(component.sample), component.start : component.stop] += events
        return found


class Workbench:
    """An analysis with the cells of its fine grid, ready to answer for any choice.

    Attributes
    ----------
    method : str
        How limits are found: as the analysis says, or "profile" where its method throws toys, which take too long for
        a page that follows the hand.
    """

    def __init__(self, analysis: Analysis, cells: Cells) -> None:
        # The halves of the simulation are for the search of a binning alone.
        self.analysis, self.cells = analysis, dataclasses.replace(cells, halves=())
        said = analysis.limit.method
        self.method: Method = "profile" if METHODS[said].throws else said
        self._kept: OrderedDict[Choice, Numbers] = OrderedDict()

    def fine_edges(self, region: int, axis: int) -> Floats:
        """Return the edges of the grid along one axis: those a bin can have."""
        return np.asarray(self.cells.regions[region].axes[axis].edges, dtype=np.float64)

    def numbers(self, choice: Choice) -> Numbers:
        """Return the numbers of a choice, from the cells and nothing else.

        Raises
        ------
        ConfigError, DataError
            What the verbs raise: edges that the grid lacks, bins without a prediction.
        """
        if choice not in self._kept:
            self._kept[choice] = self._worked_out(choice)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(choice)
        return self._kept[choice]

    def _worked_out(self, choice: Choice) -> Numbers:
        began = time.perf_counter()
        analysis = applied(self.analysis, choice)
        templates = vary(served(self.cells, analysis))
        model = assemble(analysis, templates)
        said = analysis.limit
        limit = upper_limit(
            model, level=said.level, method=self.method, sides=said.sides if self.method == said.method else None
        )
        return Numbers(
            analysis=analysis,
            templates=templates,
            model=model,
            limit=limit,
            constraints=constraints(model, templates),
            seconds=time.perf_counter() - began,
        )
