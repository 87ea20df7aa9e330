"""Ask ROOT which entries a selection takes and what an expression is: `python make.py` writes answers.json beside it.

Needs ROOT (`pip install root`, 6.40 was used). The tree of eight entries is made here too, with `array` leaves ROOT
itself fills; tests make the same columns from `COLUMNS` without ROOT.
"""

import json
import os
import tempfile
from array import array
from pathlib import Path

NAN = float("nan")
# x and y are lists per entry, some empty; z is a number that is NaN in one entry; k is whole; w is a list of three.
COLUMNS = {
    "x": [[], [0.2], [0.9, 0.1], [0.7], [], [-1.0, -2.0, -0.5], [0.0], [3.0]],
    "y": [[1.0], [], [0.3, 0.8], [0.7], [], [2.0, 1.0, 0.5], [5.0], [-3.0]],
    "z": [1.0, 2.0, NAN, 0.0, -1.0, 0.5, NAN, 3.0],
    "k": [7, -7, 0, 1, 2, 3, 4, -5],
    "w": [[1.0, 2.0, 3.0], [0.0, 0.0, 0.0], [-1.0, 5.0, 2.0], [4.0, 4.0, 4.0]] * 2,
    "s": ["nue", "numu", "", "nue", "NuE", "nuebar", "nue ", "x"],
}

SELECTIONS = [
    "x[0]",
    "x[1]",
    "x[0] > 0.5",
    "!x[0]",
    "!(x[0] > 0.5)",
    "!(x[0] > 0.5) || k > 0",
    "x[0] > 0.5 || k > 0",
    "k > 0 || x[0] > 0.5",
    "x[0] > 0.5 && k > 0",
    "x[0] && k > -100",
    "k > -100 && x[0]",
    "!(x[0] && k > 0)",
    "!(x[0] || k > 0)",
    "x[0] == 0",
    "x[0] != 0",
    "x[0] != 0.2",
    "(x[0] > 0.5) + (k > 0)",
    "(x[0] > 0.5) == 0",
    "x[0] > 0.5 || y[0] > 0.5",
    "!(x[0] > 0.5 || y[0] > 0.5)",
    "x[0] - x[1] > 0",
    "Length$(x) > 0 && x[0] > 0.5",
    "Length$(x) == 0 || x[0] > 0.5",
    "Length$(x) == 0",
    "!Length$(x)",
    "Max$(x) > 0.5",
    "Max$(x) < 0.5",
    "Max$(x)",
    "Max$(x) == 0",
    "Min$(x) == 0",
    "Min$(x) > -0.9",
    "!(Max$(x) > 0.5)",
    "!(Min$(x) < 0)",
    "Sum$(x) > 0.5",
    "Sum$(x) == 0",
    "Sum$(x > 0.5) == 0",
    "Sum$(x > 0.5) == 1",
    "Sum$(!(x > 0.5))",
    "Sum$(x*(x > 0.5)) > 0",
    "Max$(x*(x > 0.5)) > 0",
    "Min$(x*(x < 0)) < 0",
    "Sum$(x > x[0])",
    "Sum$(x > y[0])",
    "Max$(x) > Max$(y)",
    "Sum$(x > 0.5) > 0 || k == 2",
    "w[0] > 0",
    "w[2] > 2 && k > 0",
    "!w[0]",
    "Max$(w) > 3",
    "k",
    "!k",
    "k && z > 0",
    "!(k > 0)",
    "k % 2 == 0",
    "k % 2 == 1",
    "k / 2 > 3",
    "k^2 > 20",
    "-k^2 < 0",
    "k > 0 == 1",
    "!k == 0",
    "-k > 0",
    "k > 0 && k < 5 || k < -5",
    "k > 0 || k < -5 && k > -8",
    "abs(k) > 4",
    "min(k, 2) > 1",
    "max(k, 2) > 2",
    "TMath::Max(k, 2) > 2",
    "1",
    "0",
    's == "nue"',
    's != "nue"',
    '!(s == "nue")',
    's == "nue" && k > 1',
    's == "nue" || k < 0',
    's == ""',
]
"""Selections whose answer is ROOT's in every entry."""

STRICTER = [
    "k || z > 0",
    "k > 0 && k < 5 || z > 2",
    "k > 0 || k < -5 && z > 1",
    "sqrt(k) > 1",
    "z",
    "!z",
    "z > 0",
    "!(z > 0)",
    "z > 0 || k > 0",
    "k > 0 || z > 0",
    "z && k > -100",
    "z || k > 0",
    "z == z",
    "z != 1",
    "sqrt(z) >= 0",
    "!(sqrt(z) >= 0)",
    "!(log(k) > 0)",
]
"""Selections with a number that is NaN without being a missing element: spectrafit takes no such entry, ROOT may.

ROOT's own root and logarithm of a negative number are those of its absolute value and 0.
"""

REFUSED = ["Sum$(x > 0.5 && y > 0.5)", "Max$(x*(y > 0.5)) > 0", "2^3^2 == 512", "x > 0.5", "x", "s", "s > 1"]
"""What ROOT has an answer to that is easily mistaken: lists cut to the shorter, powers from the left, an entry"
" twice."""

VALUES = [
    "x[0]",
    "Max$(x)",
    "Min$(x)",
    "Sum$(x)",
    "Length$(x)",
    "Max$(x*(x > 0.5))",
    "Min$(x*(x < 0))",
    "Sum$(x*(x > 0.5))",
    "Sum$((x > 0.5)*(x < 1))",
    "x[0] + k",
    "k / 2",
    "k % 3",
    "k^2",
    "-k^2",
    "(k > 0) + (k > 2)",
    "!k",
    "2 - 3 - 4",
    "12 / 3 / 2",
    "Max$(w) - Min$(w)",
    "Length$(w)",
    "abs(k)",
    "min(k, 2)",
    "max(k, 2)",
]
"""Expressions, whose value in every entry that has one is asked for."""


def fill(path: str) -> None:
    import ROOT

    file = ROOT.TFile(path, "RECREATE")
    tree = ROOT.TTree("t", "")
    nx, ny = array("i", [0]), array("i", [0])
    x, y, w = array("d", [0.0] * 10), array("d", [0.0] * 10), array("d", [0.0] * 3)
    z, k, s = array("d", [0.0]), array("i", [0]), ROOT.std.string()
    tree.Branch("nx", nx, "nx/I")
    tree.Branch("ny", ny, "ny/I")
    tree.Branch("x", x, "x[nx]/D")
    tree.Branch("y", y, "y[ny]/D")
    tree.Branch("w", w, "w[3]/D")
    tree.Branch("z", z, "z/D")
    tree.Branch("k", k, "k/I")
    tree.Branch("s", s)
    for entry in range(len(COLUMNS["k"])):
        for name, values, count in (("x", x, nx), ("y", y, ny)):
            numbers = COLUMNS[name][entry]
            count[0] = len(numbers)
            for i, number in enumerate(numbers):
                values[i] = number
        for i, number in enumerate(COLUMNS["w"][entry]):
            w[i] = number
        z[0], k[0] = COLUMNS["z"][entry], COLUMNS["k"][entry]
        s.assign(COLUMNS["s"][entry])
        tree.Fill()
    tree.Write()
    file.Close()


def ask(path: str) -> dict[str, object]:
    import ROOT

    file = ROOT.TFile(path)
    tree = file.Get("t")

    def selected(text: str) -> list[int]:
        found = tree.Draw("Entry$", text, "goff")
        return [int(tree.GetV1()[i]) for i in range(found)]

    def values(text: str) -> list[list[float]]:
        found = tree.Draw(f"Entry$:{text}", "", "goff")
        return [[int(tree.GetV1()[i]), tree.GetV2()[i]] for i in range(found)]

    return {
        "ROOT": str(ROOT.gROOT.GetVersion()),
        "selections": {text: selected(text) for text in [*SELECTIONS, *STRICTER]},
        "values": {text: values(text) for text in VALUES},
    }


def odd(folder: Path) -> None:
    """Write files that only ROOT writes: leaf lists and texts, a file that was never closed, matrices."""
    import ROOT

    file = ROOT.TFile(str(folder / "leaves.root"), "RECREATE")
    tree = ROOT.TTree("events", "")
    ROOT.gInterpreter.Declare("struct Leaves { double t_reco; int n; float b[3]; char c; }; Leaves leaves;")
    tree.Branch("reco", ROOT.addressof(ROOT.leaves), "t_reco/D:n/I:b[3]/F:c/B")
    vertex, text, plain = array("d", [0.0] * 4), ROOT.std.string(), array("d", [0.0])
    momentum, names = ROOT.TLorentzVector(), ROOT.std.vector("string")()
    tree.Branch("vertex", vertex, "x[2]/D:y[2]/D")
    tree.Branch("process", text)
    tree.Branch("names", names)
    tree.Branch("p4", "TLorentzVector", momentum, 32000, 0)
    tree.Branch("weight", plain, "weight/D")
    for entry in range(5):
        ROOT.leaves.t_reco, ROOT.leaves.n, ROOT.leaves.b[0], ROOT.leaves.b[2] = (
            entry + 0.5,
            2 * entry,
            entry + 0.25,
            9.0,
        )
        vertex[0], vertex[1], vertex[2], vertex[3] = entry, entry + 0.1, entry + 0.2, entry + 0.3
        text.assign(["nue", "numu"][entry % 2])
        names.push_back(f"name {entry}")
        momentum.SetPxPyPzE(entry, 0, 0, entry + 1)
        plain[0] = entry + 1.0
        tree.Fill()
    tree.Write()
    file.Close()

    file = ROOT.TFile(str(folder / "matrices.root"), "RECREATE")
    square, symmetric = ROOT.TMatrixD(2, 2), ROOT.TMatrixDSym(3)
    for i in range(2):
        for j in range(2):
            square[i][j] = 1 + 2 * i + j
    for i in range(3):
        for j in range(3):
            symmetric[i][j] = 10 * min(i, j) + max(i, j)
    square.Write("square")
    symmetric.Write("symmetric")
    ROOT.TVectorD(3).Write("vector")
    file.Close()

    child = os.fork()
    if not child:
        file = ROOT.TFile(str(folder / "unclosed.root"), "RECREATE")
        tree = ROOT.TTree("events", "")
        tree.Branch("t_reco", plain, "t_reco/D")
        for entry in range(100):
            plain[0] = entry
            tree.Fill()
        tree.AutoSave()
        os._exit(0)
    os.waitpid(child, 0)


def main() -> None:
    odd(Path(__file__).parent)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/answers.root"
        fill(path)
        answers = ask(path)
    lines = [f'{{\n"ROOT": {json.dumps(answers["ROOT"])}']
    for kind in ("selections", "values"):
        rows = ",\n".join(f"  {json.dumps(text)}: {json.dumps(found)}" for text, found in answers[kind].items())
        lines.append(f'"{kind}": {{\n{rows}\n}}')
    Path(__file__).with_name("answers.json").write_text(",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
