"""Measures speed beside other tools: `spectrafit bench templates`, `bench inference` and `bench sensitivity`."""

from spectrafit.bench.binning import binning
from spectrafit.bench.building import templates
from spectrafit.bench.fitting import inference
from spectrafit.bench.scanning import sensitivity
from spectrafit.bench.timing import Row, plain, show

__all__ = ["Row", "binning", "inference", "plain", "sensitivity", "show", "templates"]
