import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
from rich.console import Console

from spectrafit.config import Sample
from spectrafit.errors import DataError
from spectrafit.events.inspect import inspect
from tests.events.ntuples import native, truth

Write = Callable[..., Path]

# What is known of each file from elsewhere: the README beside the files and the generators' own logs.
# file: (preset, tree, entries, nu-e events, {flavour: events}, E_nu range, POT)
KNOWN: dict[str, Any] = {
    "genie_gst/carbon12_CCDIS_G18_02a_Default.gst.root": ("gst", "gst", 10_000, 0, {}, (1.0, 1.0), None),
    "genie_gst/gntp.NuMI_C12_dilepton_inclusive.gst.root": ("gst", "gst", 2000, 0, {}, None, None),
    "nuisance_flat/NuWro_FlatTree_ND_CC0pi.root": ("flattree", "FlatTree_VARS", 18_616, 0, {}, None, None),
    "nuisance_flat/NuWro_FlatTree_ND_NC1pi0.root": ("flattree", "FlatTree_VARS", 1487, 0, {}, None, None),
    "nuisance_flat/NuWro_nue_x_nue_FlatTree_Beam.root": ("flattree", "FlatTree_VARS", 50_014, 0, {}, None, None),
    "nuisance_flat/NuWro_numu_x_numu_FlatTree_Beam.root": ("flattree", "FlatTree_VARS", 49_996, 0, {}, None, None),
    "nuisance_flat/NuWro_numubar_x_numubar_FlatTree_Beam.root": (
        "flattree",
        "FlatTree_VARS",
        49_994,
        0,
        {},
        None,
        None,
    ),
    "nuwro/bkg_nuecc_C12_0.root": ("nuwro", "events", 110_000, 0, {}, None, None),
    "nuwro/bkg_nuecc_H1.root": ("nuwro", "events", 22_000, 0, {}, None, None),
    "nuwro/bkg_numunc_C12_0.root": ("nuwro", "events", 160_000, 0, {}, None, None),
    "nuwro/bkg_numunc_H1.root": ("nuwro", "events", 32_000, 0, {}, None, None),
    "nuwro/nue_mu_numu.root": ("nuwro", "events", 53_504, 0, {}, None, None),
    "nuwro/nue_el_numu.root": ("nuwro", "events", 346_496, 346_496, {"nu_mu": 346_496}, (0.0, 20.0), None),
    "nuwro/nue_el_nue.root": ("nuwro", "events", 60_000, 60_000, {"nu_e": 60_000}, (0.0, 20.0), None),
    "nuwro/flattree_nue_el_numu.root": ("flattree", "FlatTree_VARS", 200_000, 200_000, {"nu_mu": 200_000}, None, None),
    "sbn_flatcaf/test.flat.root": ("flatcaf", "recTree", 2, 2, {"nu_mu": 2}, (0.578, 0.798), 5.752e18),
}


@pytest.mark.parametrize("name", KNOWN)
def test_files_of_others(shared_events: Path, name: str) -> None:
    preset, tree, entries, nu_e, flavours, e_nu, pot = KNOWN[name]
    found = inspect(shared_events / name)
    assert (found.preset, found.tree, found.entries, found.nu_e) == (preset, tree, entries, nu_e)
    assert found.flavours == flavours
    assert found.e_nu is not None
    # Muons and neutrinos are not taken for electrons.
    lonely = any(kind in name for kind in ("numu_x_", "numubar_x_", "CC0pi", "NC1pi0", "numunc", "nue_mu", "genie_gst"))
    assert (found.t is None) == lonely
    assert 0 < found.e_nu[0] <= found.e_nu[1] < 21
    if e_nu and nu_e == 2:
        assert found.e_nu == pytest.approx(e_nu, abs=6e-4)
    elif e_nu:
        assert e_nu[0] <= found.e_nu[0] <= found.e_nu[1] <= e_nu[1]
    if nu_e:
        assert found.t is not None
        assert 0 < found.t[0] < found.t[1] < found.e_nu[1]
        assert found.theta_deviation is not None
        assert found.theta_deviation < 1e-6
    assert found.report.bad == {}
    assert (found.pot is None) if pot is None else found.pot == pytest.approx(pot, rel=1e-3)
    text = str(found)
    assert f"{nu_e} of {entries} entries" in text
    assert f'preset = "{preset}"' in text
    assert ("nothing to reweight" in text) == (nu_e == 0)


def test_every_file_of_others_is_known(shared_events: Path) -> None:
    there = {str(path.relative_to(shared_events)) for path in shared_events.glob("**/*.root")}
    assert there == {*KNOWN, "genie_ghep/gntp.0.ghep.root"}


def test_ghep_is_refused_with_the_remedy(shared_events: Path) -> None:
    with pytest.raises(DataError, match=r"only GENIE can read; convert it with gntpc -i gntp.0.ghep.root -f gst"):
        inspect(shared_events / "genie_ghep" / "gntp.0.ghep.root")


def test_our_own_tree(write_tree: Write) -> None:
    columns = native(1000)
    columns["pdg"][:100] = -12
    columns["pdg"][-50:] = 0
    found = inspect(write_tree("a.root", columns, pot=3e20))
    assert (found.preset, found.nu_e, found.pot) == ("native", 950, 3e20)
    assert found.flavours == {"nu_mu": 850, "anti-nu_e": 100}
    assert found.t == (columns["t"][:-50].min(), columns["t"][:-50].max())
    assert found.reconstructed
    assert found.notes == ()


def test_several_trees_and_one_asked_for(write_tree: Write) -> None:
    path = write_tree("a.root", native(10))
    with uproot.update(path) as file:
        file.mktree("ana/other", {"x": np.dtype("f8")}).extend({"x": np.zeros(99)})
    assert [(t.name, t.entries, t.preset) for t in inspect(path).trees] == [
        ("events", 10, "native"),
        ("ana/other", 99, None),
    ]
    other = inspect(f"{path}:ana/other")
    assert (other.preset, other.nu_e) == (None, 0)
    assert "no preset reads these trees; `spectrafit new FOLDER FILES` proposes columns" in str(other)
    _, _, skeleton = str(other).partition("[[samples]]")
    filled = tomllib.loads("[[samples]]" + skeleton.replace("= ...", '= "x"'))["samples"][0]
    assert {"pdg", "e_nu", "t", "theta", "t_reco", "theta_reco"} == set(filled.pop("columns"))
    Sample(**filled)
    assert "x  double" in str(other)


def test_a_wrong_axis_is_noticed(write_tree: Write) -> None:
    columns = truth(100)
    columns["theta"] = columns["theta"] + 0.058  # measured from a detector axis, not from the beam
    assert "theta disagrees with the kinematics" in str(inspect(write_tree("a.root", columns)))


def test_bad_entries_are_counted_not_hidden(write_tree: Write) -> None:
    columns = truth(100)
    columns["t"][3] = 99.0
    found = inspect(write_tree("a.root", columns))
    assert found.nu_e == 99
    assert "1 dropped: t above the kinematic limit (first: " in str(found)


def test_empty_tree_and_no_tree(write_tree: Write, tmp_path: Path) -> None:
    empty = inspect(write_tree("a.root", {k: v[:0] for k, v in native(1).items()}))
    assert "the tree is empty" in str(empty)
    with uproot.recreate(tmp_path / "flux.root") as file:
        file["flux_numu"] = np.histogram(np.zeros(1))
    found = inspect(tmp_path / "flux.root")
    assert "there is no tree in this file" in str(found)
    assert ("flux_numu", "TH1D") in found.objects


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.root").write_bytes(b"not at all")
    with pytest.raises(DataError, match=r"a.root: is not a ROOT file|a.root: is truncated or damaged"):
        inspect(tmp_path / "a.root")
    with pytest.raises(DataError, match=r"b.root: no such file; did you mean 'a.root'"):
        inspect(tmp_path / "b.root")


def test_rich_shows_the_same_text(write_tree: Write) -> None:
    found = inspect(write_tree("a.root", native(10)))
    console = Console(width=500, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as capture:
        console.print(found)
    assert [line.rstrip() for line in capture.get().splitlines()] == [line.rstrip() for line in str(found).splitlines()]
    assert "[[samples]]" in capture.get()
