"""Fits an HS3 file with RooFit, and writes where the minimum is: the text of a program for a Python that has ROOT.

That Python need not have spectrafit, so this module imports nothing of it. Words: the HS3 file, and the JSON file that
is written. ROOT's own messages may go to both streams.
"""

import json
import math
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

__all__ = ["minimum"]


def minimum(path: str) -> dict[str, Any]:
    """Return all parameters at RooFit's minimum (Minuit2's MIGRAD, strategy 1, tolerance 0.01), and ROOT's version.

    Raises
    ------
    RuntimeError
        ROOT reads no likelihood in the file, or finds no finite minimum.
    """
    root: Any = import_module("ROOT")
    root.gErrorIgnoreLevel = root.kFatal
    root.RooMsgService.instance().setGlobalKillBelow(root.RooFit.FATAL)
    workspace = root.RooWorkspace("workspace")
    if not root.RooJSONFactoryWSTool(workspace).importJSON(path):
        raise RuntimeError("ROOT does not read the HS3 file")
    pdf = workspace.obj("spectrafit").GetPdf()
    # Several channels have one data set together; a single channel has its own.
    data = workspace.data("observed") or next(iter(workspace.allData()))
    nll = pdf.createNLL(
        data,
        root.RooFit.Constrain(pdf.getParameters(data)),
        root.RooFit.EvalBackend("cpu"),
        root.RooFit.Offset("initial"),
    )
    minimizer = root.RooMinimizer(nll)
    minimizer.setPrintLevel(-1)
    minimizer.setStrategy(1)
    # ROOT's tolerance of 1 may stop 0.001 above the minimum in 2NLL.
    minimizer.setEps(0.01)
    status = minimizer.minimize("Minuit2", "Migrad")
    values = {each.GetName(): float(each.getVal()) for each in pdf.getVariables() if each.InheritsFrom("RooRealVar")}
    if not math.isfinite(nll.getVal()) or not all(math.isfinite(value) for value in values.values()):
        raise RuntimeError(f"MIGRAD ended with status {status} at a likelihood that is not finite")
    return {"values": values, "version": str(root.__version__), "status": int(status)}


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(minimum(sys.argv[1])), encoding="utf-8")
