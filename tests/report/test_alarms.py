import dataclasses

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
