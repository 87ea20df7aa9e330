import dataclasses

from spectrafit.inference.results import Goodness
from spectrafit.report.alarms import alarms


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
