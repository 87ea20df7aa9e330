"""`sf.report` is a plain function although the room has its name, whatever is imported before or after."""

import subprocess
import sys
from types import FunctionType

import pytest


@pytest.mark.parametrize(
    "imports",
    [
        "",
        "import spectrafit.report",
        "import spectrafit.report.tables",
        "from spectrafit.report import tables",
        "from spectrafit.report.write import write; import spectrafit.report.page",
        "from importlib import import_module; import_module('spectrafit.report.figures')",
        "import pickle; from spectrafit.report.tables import Table; pickle.loads(pickle.dumps(Table))",
    ],
)
def test_the_verb_is_a_function_after_any_import(imports):
    script = (
        f"{imports}\nimport sys, types, spectrafit as sf\nfrom spectrafit import report\n"
        "from spectrafit.report.write import write\n"
        "assert type(sf.report) is types.FunctionType\nassert sf.report is report is write\n"
        "assert type(sys.modules['spectrafit.report']) is types.ModuleType\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_package_stays_light():
    script = "import sys, spectrafit; assert not {'matplotlib', 'numba', 'uproot', 'msgspec'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_verb_of_the_package_is_a_function_or_a_type():
    import spectrafit as sf

    assert all(isinstance(getattr(sf, name), FunctionType | type) for name in sf.__all__)
