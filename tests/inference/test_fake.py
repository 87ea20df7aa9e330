import dataclasses

import pytest

import spectrafit as sf
from spectrafit.errors import ConfigError
from spectrafit.inference.fake import Injected, called


@pytest.mark.parametrize(
    ("fake", "label", "kind"),
    [
        (sf.Asimov({"kappa": 2, "flux": -1}), "Asimov data at kappa = 2, flux = -1", "asimov"),
        (sf.Asimov({"flux": 1}, "follow"), "Asimov data at flux = 1, auxiliary measurements there too", "asimov"),
        (sf.Toy(7), "toy 7 at the nominal parameters", "toy"),
        (sf.Toy(7, {"kappa": 2}, thrown=True), "toy 7 at kappa = 2, nuisances thrown", "toy"),
        (sf.Simulated("a.toml"), "the simulation of a.toml", "simulated"),
        (sf.Toy(3, sf.Simulated(("a.toml", "b.toml"))), "toy 3 of the simulation of a.toml, b.toml", "toy"),
        (Injected("toy 7"), "injected: toy 7", "injected"),
    ],
)
def test_every_choice_says_what_it_is(fake, label, kind):
    assert fake.label == label
    assert fake.summary()["kind"] == kind
    assert called(asimov=False, fake=fake) == f"fake data ({label})"
    assert fake.short in label or kind in ("simulated", "asimov")
    with pytest.raises(dataclasses.FrozenInstanceError):
        fake.seed = 3


def test_only_real_data_are_called_data():
    assert called(asimov=False, fake=None) == "data"
    assert called(asimov=True, fake=None) == "Asimov data"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: sf.Toy(-1), "seed -1: needs a whole number from 0 on"),
        (lambda: sf.Toy(True), "needs a whole number"),
        (lambda: sf.Toy(1, sf.Simulated("a.toml"), thrown=True), "has no nuisances to throw"),
        (lambda: sf.Asimov({}, "go"), "auxiliary = 'go'; use 'stay' or 'follow'"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
