"""The room that shows results: tables, figures and one HTML page. `spectrafit.report(...)` is the verb for all of them.

The package `spectrafit` gives the name `report` to the verb, `spectrafit.report.write.write`. The modules of this room
are imported as `from spectrafit.report.tables import ...` or `from spectrafit.report import tables`.
"""
