"""The TOML files as frozen `Analysis` and `SampleSet`: the field names of the structs are the keys of the files."""

from spectrafit.config.analysis import Analysis, Axis, CountsSample, Normalise, Region
from spectrafit.config.couplings import Coupling
from spectrafit.config.describing import schema
from spectrafit.config.inputs import inputs_of, inputs_of_samples
from spectrafit.config.loading import digest, limit_options, load, load_samples
from spectrafit.config.options import Correlation, FitOptions, LimitOptions, Prune
from spectrafit.config.patterns import chosen
from spectrafit.config.responses import Response
from spectrafit.config.samples import (
    Column,
    Detector,
    Flavour,
    Friend,
    PotSource,
    Recipe,
    Sample,
    SampleSet,
    Target,
)
from spectrafit.config.systematics import (
    Covariance,
    FluxUncertainty,
    Norm,
    Shift,
    ShiftedSample,
    Systematic,
    Universes,
    Weight,
)
from spectrafit.config.tables import DataFile, TableSample
from spectrafit.config.variants import left_out, unit_at, varied

__all__ = [
    "Analysis",
    "Axis",
    "Column",
    "Correlation",
    "CountsSample",
    "Coupling",
    "Covariance",
    "DataFile",
    "Detector",
    "FitOptions",
    "Flavour",
    "FluxUncertainty",
    "Friend",
    "LimitOptions",
    "Norm",
    "Normalise",
    "PotSource",
    "Prune",
    "Recipe",
    "Region",
    "Response",
    "Sample",
    "SampleSet",
    "Shift",
    "ShiftedSample",
    "Systematic",
    "TableSample",
    "Target",
    "Universes",
    "Weight",
    "chosen",
    "digest",
    "inputs_of",
    "inputs_of_samples",
    "left_out",
    "limit_options",
    "load",
    "load_samples",
    "schema",
    "unit_at",
    "varied",
]
