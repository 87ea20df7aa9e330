"""Lines to copy for each command, at the end of its --help. A test reads each as the shell would."""

from __future__ import annotations

__all__ = ["EXAMPLES", "EXIT_CODES", "epilog"]

_FIT = "fits/nova_nd_fhc.toml"

EXAMPLES: dict[str, tuple[str, ...]] = {
    "demo": ("spectrafit demo", "spectrafit demo my-folder"),
    "new": (
        "spectrafit new mine ntuples/nue_*.root ntuples/nc.root",
        "spectrafit new mine mine.root",
    ),
    "generate": (
        "spectrafit generate samples/nova_nd_fhc.toml",
        "spectrafit generate samples/nova_nd_rhc.toml --seed 7",
    ),
    "inspect": ("spectrafit inspect generated/nova_nd_fhc/nue.root", "spectrafit inspect *.root --json"),
    "check": (f"spectrafit check {_FIT}", f"spectrafit check {_FIT} --set pot=1e21"),
    "build": (f"spectrafit build {_FIT} -o templates.npz", f"spectrafit build {_FIT} -o templates.npz --cache columns"),
    "fit": (f"spectrafit fit {_FIT}", f"spectrafit fit {_FIT} --templates templates.npz -o results/mine"),
    "limit": (f"spectrafit limit {_FIT} --method all", f"spectrafit limit {_FIT} --method profile,cls -o limits.csv"),
    "contour": (
        f"spectrafit contour {_FIT} --x kappa --y energy_scale -o contour.png",
        "spectrafit contour fits/lsnd_plane.toml --range kappa=0:0.7 --range kappa_nue=0:1.5 -o plane.png",
    ),
    "scan": (
        f"spectrafit scan {_FIT} --over pot=1e20:3e21:log12 -o scan.png",
        f"spectrafit scan {_FIT} --over exposure=1,5",
    ),
    "sensitivity": (f"spectrafit sensitivity {_FIT} --exposure 1,10 --systematics 0,1",),
    "breakdown": (f"spectrafit breakdown {_FIT} --group group -o breakdown.png",),
    "binning": (f"spectrafit binning {_FIT} --optimise --most-bins 12 -o best.toml",),
    "tune": (f"spectrafit tune {_FIT}",),
    "coverage": (f"spectrafit coverage {_FIT} --kappa 0 1 2 --experiments 1000 -o coverage.png",),
    "export": (f"spectrafit export {_FIT} -o workspace.json",),
    "inject": (f"spectrafit inject {_FIT} --toy 7 --asimov kappa=2 -o fits/toy.toml",),
    "reweight": ("spectrafit reweight generated/nova_nd_fhc/nue.root -o friend.root --value 1e-9 --carriers nue",),
    "xsec": ("spectrafit xsec --mu 1e-9,1e-10 -o why_low_t.png", "spectrafit xsec --flavour nue --t 0.1 0.5 1"),
    "moment": ("spectrafit moment 1e-10 2e-10 3e-10",),
    "hypotest": ("spectrafit hypotest workspace.json --kappa 1,2", f"spectrafit hypotest {_FIT} --kappa 1 --toys 2000"),
    "significance": (f"spectrafit significance {_FIT} --asimov kappa=4 --signal 4",),
    "referee": ("spectrafit referee workspace.json",),
    "status": ("spectrafit status results",),
    "compare": ("spectrafit compare results/a results/b -o compare.png",),
    "yields": ("spectrafit yields results/nova_nd_fhc -o yields.tex -o yields.csv",),
    "chart": ("spectrafit chart results/nova_nd_fhc -o chart.png",),
    "schema": ("spectrafit schema analysis",),
    "compile": ("spectrafit compile",),
}
"""Lines for each command, by its name."""

EXIT_CODES = (
    "Exit codes: 0 done; 1 a fit is not valid (its result is written and says so), or the system refused (a full disk);"
    " 2 a mistake in the words or files given; 130 stopped by ctrl-C, 143 by the end of a batch job."
)


def epilog(name: str) -> str | None:
    """Return what stands at the end of a command's help: a paragraph for each line, None where there is none."""
    lines = EXAMPLES.get(name, ())
    return "\n\n".join(("Examples:", *lines)) if lines else None
