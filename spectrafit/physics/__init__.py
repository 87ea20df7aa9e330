"""Numbers in, numbers out: the physics of neutrino-electron scattering with electromagnetic properties of the neutrino.

No files and no events here: scalars, numpy arrays and, where events flow through, jagged awkward arrays.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# Searched in this order and imported when first asked: the table of couplings, which configuration needs, costs no
# numba.
_MODULES = (
    "constants",
    "couplings",
    "naturalness",
    "cross_sections",
    "kinematics",
    "angular",
    "electromagnetic",
    "radiative",
    "weighing",
    "mixing",
    "moments",
    "atoms",
)


def __getattr__(name: str) -> Any:
    """Find a public name in the module that has it."""
    if not name.startswith("_"):
        for module in (import_module(f"{__name__}.{stem}") for stem in _MODULES):
            if name in module.__all__:
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    modules = (import_module(f"{__name__}.{stem}") for stem in _MODULES)
    return sorted(name for module in modules for name in module.__all__)
