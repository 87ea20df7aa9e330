"""Fits a workspace with RooFit, through ROOT's own HistFactory classes."""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from spectrafit.bench.workspaces import load

__all__ = ["fit"]

_numbers = itertools.count()


def _histogram(root: Any, values: Sequence[float]) -> Any:
    made = root.TH1D(f"h{next(_numbers)}", "", len(values), 0.0, float(len(values)))
    for index, value in enumerate(values):
        made.SetBinContent(index + 1, value)
    root.SetOwnership(made, False)
    return made


@functools.cache
def _model(path: str) -> tuple[Any, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root: Any = import_module("ROOT")
    root.gErrorIgnoreLevel = root.kError
    root.RooMsgService.instance().setGlobalKillBelow(root.RooFit.FATAL)
    root.TH1.AddDirectory(False)
    factory = root.RooStats.HistFactory
    spec = load(path)
    measurement = factory.Measurement("bench", "bench")
    measurement.SetPOI("mu")
    measurement.SetLumi(1.0)
    measurement.SetLumiRelErr(0.1)
    measurement.AddConstantParam("Lumi")
    observed = {one["name"]: one["data"] for one in spec["observations"]}
    for channel in spec["channels"]:
        made = factory.Channel(channel["name"])
        made.SetData(_histogram(root, observed[channel["name"]]))
        # pyhf's convention: a Gaussian factor in every bin.
        made.SetStatErrorConfig(0.0, "Gaussian")
        for sample in channel["samples"]:
            made.AddSample(_sample(root, factory, sample))
        measurement.AddChannel(made)
    workspace = factory.HistoToWorkspaceFactoryFast.MakeCombinedModel(measurement)
    config = workspace.obj("ModelConfig")
    data, pdf = workspace.data("obsData"), config.GetPdf()
    parameters = pdf.getParameters(data)
    initial = parameters.snapshot()
    nll = pdf.createNLL(
        data,
        root.RooFit.Constrain(config.GetNuisanceParameters()),
        root.RooFit.GlobalObservables(config.GetGlobalObservables()),
        root.RooFit.EvalBackend("cpu"),
        root.RooFit.Offset("initial"),
    )
    return root, workspace, parameters, initial, nll


def _sample(root: Any, factory: Any, sample: Any) -> Any:
    made = factory.Sample(sample["name"])
    made.SetHisto(_histogram(root, sample["data"]))
    made.SetNormalizeByTheory(False)
    for modifier in sample["modifiers"]:
        if modifier["type"] == "histosys":
            shape = factory.HistoSys()
            shape.SetName(modifier["name"])
            shape.SetHistoLow(_histogram(root, modifier["data"]["lo_data"]))
            shape.SetHistoHigh(_histogram(root, modifier["data"]["hi_data"]))
            made.AddHistoSys(shape)
        elif modifier["type"] == "normfactor":
            made.AddNormFactor(modifier["name"], 1.0, 0.0, 10.0)
        else:
            made.ActivateStatError()
            relative = [error / value for error, value in zip(modifier["data"], sample["data"], strict=True)]
            made.GetStatError().SetErrorHist(_histogram(root, relative))
    return made


def fit(path: str) -> tuple[float, float]:
    """Fit with RooFit's cpu backend at its fastest: MIGRAD with strategy 0, without HESSE."""
    root, workspace, parameters, initial, nll = _model(path)
    parameters.assign(initial)
    start = nll.getVal()
    minimizer = root.RooMinimizer(nll)
    minimizer.setPrintLevel(-1)
    minimizer.setStrategy(0)
    minimizer.migrad()
    return float(workspace.var("mu").getVal()), 2.0 * float(start - nll.getVal())
