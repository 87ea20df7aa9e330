"""Reads an HS3 file with ROOT and prints 2NLL at points, as JSON: run by a Python that has ROOT.

Arguments: the HS3 file, and a JSON file with a list of points, each a mapping of parameters to values.
"""

import json
import sys
from pathlib import Path

import ROOT

ROOT.RooMsgService.instance().setGlobalKillBelow(ROOT.RooFit.ERROR)
workspace = ROOT.RooWorkspace("workspace")
assert ROOT.RooJSONFactoryWSTool(workspace).importJSON(sys.argv[1])
config = workspace.obj("spectrafit")
pdf = config.GetPdf()
data = workspace.data("observed") or next(iter(workspace.allData()))
nll = pdf.createNLL(
    data,
    ROOT.RooFit.Constrain(config.GetNuisanceParameters()) if config.GetNuisanceParameters() else ROOT.RooCmdArg.none(),
    ROOT.RooFit.EvalBackend("cpu"),
)
result = []
for point in json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")):
    for name, value in point.items():
        workspace.var(name).setVal(value)
    result.append(2.0 * nll.getVal())
edges = {
    variable.GetName(): [
        variable.getBinning().binLow(0),
        *(variable.getBinning().binHigh(b) for b in range(variable.numBins())),
    ]
    for variable in config.GetObservables()
    if variable.InheritsFrom("RooRealVar")
}
print(
    json.dumps({"two_nll": result, "interest": [p.GetName() for p in config.GetParametersOfInterest()], "edges": edges})
)
