"""The experiments of fits/EXPERIMENTS.md: the numbers that the page has, from the shipped samples and fits."""

import importlib.util
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

import spectrafit as sf
from spectrafit.config import load_samples
from spectrafit.events.generate import generate

PROJECT = Path(__file__).parents[1]
RELEASE = PROJECT.parent / "shared/data/xenonnt"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Return a function of a fit's name that generates its samples, in a copy of the project's files, and builds it."""
    project = tmp_path_factory.mktemp("project")
    for folder in ("samples", "fits"):
        (project / folder).mkdir()
        for path in (PROJECT / folder).glob("*.toml"):
            shutil.copy(path, project / folder)
    made: set[str] = set()
    kept = {}

    def build(name, **options):
        path = project / f"fits/{name}.toml"
        analysis = sf.load(path, **options)
        for sample_set in analysis.sample_sets:
            if sample_set.name not in made:
                generate(load_samples(sample_set.path))
                made.add(sample_set.name)
        key = (name, str(options))
        if key not in kept:
            kept[key] = sf.build(analysis, executor="serial")
        return analysis, kept[key]

    build.project = project
    return build


def limit(built, name, *, sides="one", **options):
    analysis, templates = built(name, **options)
    model = sf.assemble(analysis, templates, unblind=bool(analysis.data))
    found = sf.upper_limit(model, sides=sides, expected=False, simulation=False)
    return model, found


def mu(kappa):
    """Return a moment in 1e-12 mu_B."""
    return math.sqrt(max(kappa, 0.0)) * 1e3


def test_lsnd(built):
    _, numu = limit(built, "lsnd")
    assert mu(numu.kappa) == pytest.approx(730.0, rel=0.02)
    _, nue = limit(built, "lsnd", overrides=['coupling.carriers=["nue"]'])
    assert mu(nue.kappa) == pytest.approx(1060.0, rel=0.02)
    # Above 18 MeV nu_mu and anti-nu_mu together count 2.13 times nu_e, by quadrature of the cross section over Michel's
    # spectra and the line; LSND has 2.4.
    assert nue.kappa / numu.kappa == pytest.approx(2.13, rel=0.02)


def test_lsnd_plane(built):
    analysis, templates = built("lsnd_plane")
    model = sf.assemble(analysis, templates)
    best = sf.fit(model)
    assert best.valid
    # Events of one moment or of the other: what the spectrum does not tell apart.
    at = [best.names.index(name) for name in ("kappa", "kappa_nue")]
    covariance = best.covariance[np.ix_(at, at)]
    assert -1.0 < covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]) < -0.8


def test_gemma(built):
    _, found = limit(built, "gemma")
    assert mu(found.kappa) == pytest.approx(43.4, rel=0.02)


def test_xenon1t(built):
    _, found = limit(built, "xenon1t", sides="two")
    # Published: 1.4 to 2.9.
    assert mu(found.lower_kappa) == pytest.approx(13.1, rel=0.03)
    assert mu(found.kappa) == pytest.approx(29.6, rel=0.02)


def test_xenonnt_and_its_flavours(built):
    _, found = limit(built, "xenonnt")
    assert mu(found.kappa) == pytest.approx(8.74, rel=0.02)
    for flavour, value in (("nue", 11.9), ("numu", 19.4), ("nutau", 17.3)):
        _, found = limit(built, "xenonnt", overrides=[f'coupling.carriers=["{flavour}"]'])
        assert mu(found.kappa) == pytest.approx(value, rel=0.03)


@pytest.mark.skipif(
    not RELEASE.exists(), reason="XENONnT's release is not shipped; scripts/xenonnt_release.py reads it"
)
def test_xenonnt_released(built):
    limit(built, "xenonnt")
    spec = importlib.util.spec_from_file_location("xenonnt_release", PROJECT / "scripts/xenonnt_release.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    path = script.released(RELEASE, built.project / "generated/xenonnt/released.toml")
    analysis = sf.load(path)
    model = sf.assemble(analysis, sf.build(analysis, executor="serial"), unblind=True)
    one, two = (sf.upper_limit(model, sides=s, expected=False, simulation=False) for s in ("one", "two"))
    # Published: 6.4.
    assert mu(one.kappa) == pytest.approx(4.39, rel=0.05)
    assert mu(two.kappa) == pytest.approx(7.06, rel=0.03)


def test_conus_plus(built):
    _, templates = built("conus_plus")
    weak = templates.counts[templates.sample("nucleus"), 0, 0].sum()
    # Predicted by the experiment: 347 +- 59 (quenching, threshold, flux).
    assert weak == pytest.approx(334.0, rel=0.02)
    assert abs(weak - 347.0) < 59.0
    _, found = limit(built, "conus_plus")
    assert mu(found.kappa) == pytest.approx(84.6, rel=0.02)


def test_borexino(built):
    _, templates = built("borexino")
    names = [f"be7_{flavour}" for flavour in ("nue", "numu", "nutau")]
    inside = sum(templates.counts[templates.sample(name), 0, 0].sum() for name in names)
    # Published: 48.3 +- 1.1 a day and 100 t of both lines at all energies; from 0.25 MeV on six tenths of them.
    assert inside / 920.8 == pytest.approx(28.3, rel=0.02)
    _, found = limit(built, "borexino")
    assert mu(found.kappa) == pytest.approx(24.0, rel=0.03)
    _, free = limit(built, "borexino", overrides=["systematics.kr85.free=true", "systematics.be7.free=true"])
    assert mu(free.kappa) == pytest.approx(47.0, rel=0.03)
