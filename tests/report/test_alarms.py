import dataclasses

import numpy as np
import uproot

from spectrafit.events.identity import identity
from spectrafit.inference.results import Goodness
from spectrafit.report.alarms import alarms
from spectrafit.templates.variations import NOMINAL, Variation


def test_nothing_is_said_of_a_good_fit_of_all_entries(case):
    inventories = tuple({**record, "dropped": {"bad": {}}} for record in case.templates.inventories)
    templates = dataclasses.replace(case.templates, inventories=inventories)
    assert alarms(case.best, case.model, templates) == []


def test_what_was_left_out_is_said(case):
    inventory = {
        **case.templates.inventories[0],
        "entries": 100,
        "skipped": [["b.root", "cut short"]],
        "repeated": [["c.root", 3]],
        "dropped": {"bad": {"no angle": [3, "a.root entry 7"]}},
    }
    templates = dataclasses.replace(case.templates, inventories=(inventory,))
    best = dataclasses.replace(case.best, valid=False, message="EDM 3")
    fit, files, repeated, entries = alarms(best, case.model, templates)
    assert fit == "The fit is not valid: EDM 3"
    assert "b.root (cut short)" in files
    name = inventory["sample"]
    assert repeated == f"{name}: c.root is named 3 times, and its events count as often"
    assert entries == f"{name}: 3 of 100 entries are bad and were left out: no angle, 3 (first: a.root entry 7)"


def test_notes_of_the_limit_and_a_bad_fit_are_said(case):
    inventories = tuple({**record, "dropped": {"bad": {}}} for record in case.templates.inventories)
    templates = dataclasses.replace(case.templates, inventories=inventories)
    limit = dataclasses.replace(case.limit, notes=("the interval is empty",))
    bad = dataclasses.replace(case.best, goodness=Goodness(chi2=900.0, ndof=10, p_value=1e-180))
    assert alarms(case.best, case.model, templates, limit) == ["The limit: the interval is empty"]
    (said,) = alarms(bad, case.model, templates)
    assert "describes the data badly (chi2/ndof = 900.00/10" in said


def test_ntuples_that_changed_since_the_templates_were_made_are_said(case, tmp_path):
    path = tmp_path / "new.root"
    with uproot.recreate(path) as file:
        file["events"] = {"x": np.ones(3)}
    known = dataclasses.asdict(identity(str(path), 3))

    def said(**other):
        inventory = {**case.templates.inventories[0], "dropped": {"bad": {}}, "files": [{**known, **other}]}
        return alarms(case.best, case.model, dataclasses.replace(case.templates, inventories=(inventory,)))

    # Written to, but the same file: touched, or copied back.
    assert said(changed=1) == said() == []
    told = ["The templates are older than new.root; build them again to use what changed"]
    assert said(changed=1, size=known["size"] + 1) == said(changed=1, uuid="another") == told
    path.write_bytes(b"no ROOT file".ljust(known["size"]))
    assert said(changed=1) == told
    path.unlink()
    assert said(changed=1) == []


def test_a_systematic_that_takes_a_sample_away_is_said(case):
    inventories = tuple({**record, "dropped": {"bad": {}}} for record in case.templates.inventories)
    nominal = case.templates.counts[:, :1]
    changed = nominal.copy()
    changed[0] *= 0.01
    gone = Variation(parameter="scale", sigma=1.0, group="", samples=case.templates.samples)
    made = {"variations": (NOMINAL, gone), "counts": np.concatenate([nominal, changed], axis=1)}
    (said,) = alarms(case.best, case.model, dataclasses.replace(case.templates, inventories=inventories, **made))
    assert said.startswith("scale at +1 sigma makes ")
    assert f"events of {case.templates.samples[0]}: check its size and its unit" in said


def test_pulls_beyond_two_and_a_half_and_a_goodness_below_one_percent_are_alarms(case):
    inventories = tuple({**record, "dropped": {"bad": {}}} for record in case.templates.inventories)
    templates = dataclasses.replace(case.templates, inventories=inventories)

    def said(pulls, p_value):
        goodness = Goodness(chi2=140.0, ndof=105, p_value=p_value)
        best = dataclasses.replace(case.best, pulls=np.array([np.nan, *pulls]), goodness=goodness)
        return alarms(best, case.model, templates)

    assert said([2.4, -2.4, 0.0, 0.0], 0.011) == []
    (bad,) = said([0.0, 0.0, 0.0, 0.0], 0.009)
    assert "describes the data badly (chi2/ndof = 140.00/105, p = 0.009 (asymptotic), below 0.01)" in bad
    (pulled,) = said([2.6, 0.0, -3.1, 0.0], 0.5)
    first, second = case.best.names[3], case.best.names[1]
    assert pulled.startswith(f"The fit pulls {first} -3.1, {second} +2.6 prior widths away, more than 2.5")
