"""Shows results as tables, figures and one HTML page; the verb `spectrafit.report(...)` writes all of them.

The package `spectrafit` gives the name `report` to the verb, `spectrafit.report.write.write`. The modules of this room
are imported as `from spectrafit.report.tables import ...` or `from spectrafit.report import tables`.
"""
