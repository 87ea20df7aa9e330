"""Measures speed beside other tools: `spectrafit bench templates` and `spectrafit bench inference`."""

from spectrafit.bench.building import templates
from spectrafit.bench.fitting import inference
from spectrafit.bench.timing import Row, plain, show

__all__ = ["Row", "inference", "plain", "show", "templates"]
