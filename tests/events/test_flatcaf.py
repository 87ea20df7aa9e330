from typing import Any

import awkward as ak
import numpy as np
import pytest

from spectrafit.errors import DataError
from spectrafit.events.flatcaf import INTERACTION, MODE, choose, companions

# Records in plain Python: neutrinos with mode, interaction, energy, primaries (pdg, energy, daughters) and weights.
ELASTIC = (MODE, INTERACTION)
RECORDS: list[list[dict[str, Any]]] = [
    [],
    [{"kind": (0, 1001), "E": 3.0, "prim": [(13, 2.0, [7])], "wgt": [[1.1], [1.2, 1.3]]}],
    [
        {"kind": (0, 1001), "E": 9.0, "prim": [(11, 8.0, []), (2212, 1.0, [])], "wgt": [[2.1]]},
        {"kind": ELASTIC, "E": 1.0, "prim": [(14, 0.6, []), (11, 0.4, [3, 4])], "wgt": [[2.2], [2.3, 2.4]]},
        {"kind": ELASTIC, "E": 5.0, "prim": [(11, 0.7, [5]), (14, 4.3, [])], "wgt": []},
    ],
    [{"kind": ELASTIC, "E": 2.0, "prim": [], "wgt": [[4.1, 4.2]]}],
    [{"kind": ELASTIC, "E": 2.5, "prim": [(11, 0.5, [])], "wgt": [[5.1]]}],
]


def flat_caf() -> dict[str, Any]:
    """The records as a flat CAF lays them out."""
    nu, prim, wgt = "rec.mc.nu", "rec.mc.nu.prim", "rec.mc.nu.wgt"
    raw: dict[str, list[Any]] = {}

    def add(name: str, values: Any) -> None:
        raw.setdefault(name, []).append(values)

    for record in RECORDS:
        prims = [p for v in record for p in v["prim"]]
        weights = [w for v in record for w in v["wgt"]]
        add(f"{nu}..length", len(record))
        add(f"{nu}.E", [v["E"] for v in record])
        add(f"{nu}.genie_mode", [v["kind"][0] for v in record])
        add(f"{nu}.genie_inttype", [v["kind"][1] for v in record])
        for name, members in ((prim, "prim"), (wgt, "wgt")):
            counts = [len(v[members]) for v in record]
            add(f"{name}..length", counts)
            add(f"{name}..idx", [sum(counts[:i]) for i in range(len(counts))])
        add(f"{prim}.pdg", [p[0] for p in prims])
        add(f"{prim}.genE", [p[1] for p in prims])
        for name, lists in ((f"{prim}.daughters", [p[2] for p in prims]), (f"{wgt}.univ", weights)):
            counts = [len(x) for x in lists]
            add(f"{name}..length", counts)
            add(f"{name}..idx", [sum(counts[:i]) for i in range(len(counts))])
            add(name, [x for members in lists for x in members])
        add("rec.slc.n", [1, 2])
    arrays = {name: ak.Array(values) for name, values in raw.items()}
    arrays[f"{nu}..length"] = ak.to_numpy(arrays[f"{nu}..length"])
    return arrays


def by_hand() -> list[tuple[Any, Any]]:
    """The rule in plain loops: (neutrino, electron) of each record."""
    out = []
    for record in RECORDS:
        candidates = [(p[1], v, p) for v in record if v["kind"] == ELASTIC for p in v["prim"] if p[0] == 11]
        if candidates:
            _, v, p = max(candidates, key=lambda c: c[0])
            out.append((v, p))
        else:
            out.append((record[0] if record else None, None))
    return out


def test_one_candidate_by_the_rule() -> None:
    chosen, wanted = choose(flat_caf()), by_hand()
    energies = [v["E"] if v else np.nan for v, _ in wanted]
    np.testing.assert_array_equal(chosen["rec.mc.nu.E"], energies)
    np.testing.assert_array_equal(chosen["rec.mc.nu.prim.genE"], [p[1] if p else np.nan for _, p in wanted])
    assert energies == pytest.approx([np.nan, 3.0, 5.0, 2.0, 2.5], nan_ok=True)


def test_deeper_vectors_follow_the_candidate() -> None:
    chosen, wanted = choose(flat_caf()), by_hand()
    assert chosen["rec.mc.nu.wgt.univ"].to_list() == [v["wgt"] if v else [] for v, _ in wanted]
    assert chosen["rec.mc.nu.prim.daughters"].to_list() == [p[2] if p else [] for _, p in wanted]


def test_other_branches_stay() -> None:
    raw = flat_caf()
    assert choose(raw)["rec.slc.n"] is raw["rec.slc.n"]
    assert choose({"rec.slc.n": raw["rec.slc.n"]}) == {"rec.slc.n": raw["rec.slc.n"]}


def test_companions_are_those_of_the_rule_and_of_nested_vectors() -> None:
    available = set(flat_caf())
    assert companions(["rec.slc.n"], available) == set()
    found = companions(["rec.mc.nu.wgt.univ"], available)
    assert {"rec.mc.nu.prim.genE", "rec.mc.nu.wgt..idx", "rec.mc.nu.wgt.univ..length"} <= found
    assert found <= available


def test_broken_bookkeeping_is_refused() -> None:
    raw = flat_caf()
    raw["rec.mc.nu.prim..idx"] = raw["rec.mc.nu.prim..idx"] + 1
    with pytest.raises(DataError, match="do not partition"):
        choose(raw)
    raw = flat_caf()
    raw["rec.mc.nu.E"] = raw["rec.mc.nu.E"][:, :0]
    with pytest.raises(DataError, match=r"fewer elements than its \.\.length"):
        choose(raw)


def test_a_chunk_without_neutrinos() -> None:
    raw = {name: values[:1] for name, values in flat_caf().items()}
    chosen = choose(raw)
    assert np.isnan(chosen["rec.mc.nu.E"]).all()
    assert chosen["rec.mc.nu.wgt.univ"].to_list() == [[]]
