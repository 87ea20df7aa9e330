"""Measures speed, and compares answers, beside other tools: `spectrafit bench templates`, `inference`, and others."""

from spectrafit.bench.binning import binning
from spectrafit.bench.building import templates
from spectrafit.bench.comparing import peers, tally
from spectrafit.bench.fitting import inference
from spectrafit.bench.scanning import sensitivity
from spectrafit.bench.timing import Row, plain, show

__all__ = ["Row", "binning", "inference", "peers", "plain", "sensitivity", "show", "tally", "templates"]
