"""Measures speed beside other tools: `spectrafit bench templates`, `inference` and `sensitivity`."""

from spectrafit.bench.building import templates
from spectrafit.bench.fitting import inference
from spectrafit.bench.scanning import sensitivity
from spectrafit.bench.timing import Row, plain, show

__all__ = ["Row", "inference", "plain", "sensitivity", "show", "templates"]
