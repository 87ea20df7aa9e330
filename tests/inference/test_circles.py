import ast
import graphlib
from pathlib import Path

import spectrafit

ROOT = Path(spectrafit.__file__).parent


def imported(path, modules):
    """Return what a module imports anywhere: at its top, in functions, under TYPE_CHECKING."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & modules


def test_no_module_of_inference_imports_itself_in_a_circle():
    paths = {
        ".".join(("spectrafit", *path.relative_to(ROOT).with_suffix("").parts)): path
        for path in (ROOT / "inference").rglob("*.py")
        if path.name != "__init__.py"
    }
    assert len(paths) > 20
    graph = {name: imported(path, set(paths)) for name, path in paths.items()}
    # Raises CycleError with the circle if there is one.
    order = list(graphlib.TopologicalSorter(graph).static_order())
    assert order.index("spectrafit.inference.model") < order.index("spectrafit.inference.likelihood")


def test_models_are_plain_data():
    loaded = imported(ROOT / "inference" / "model.py", {"numba", "spectrafit.inference.likelihood"})
    kernels = {name for name in imported(ROOT / "inference" / "model.py", {"spectrafit.inference.kernels"})}
    assert not loaded | kernels


def test_the_methods_of_a_limit_are_those_the_toml_knows():
    from typing import get_args, get_type_hints

    from spectrafit.config.options import LimitOptions
    from spectrafit.inference.intervals.limits import METHODS, Method

    assert set(get_args(get_type_hints(LimitOptions)["method"])) == set(METHODS) == set(get_args(Method))
