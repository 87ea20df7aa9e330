import itertools
from pathlib import Path

import msgspec
import numpy as np
import pytest
import uproot
from scipy import integrate, special

from spectrafit.config import Detector, Recipe, Response, Sample, SampleSet
from spectrafit.errors import ConfigError, DataError
from spectrafit.events import flux
from spectrafit.events.generate import expected, generate
from spectrafit.physics import cross_sections, kinematics
from spectrafit.physics.couplings import COUPLINGS, FittedCoupling
from spectrafit.physics.flavours import flavour
from spectrafit.physics.weighing import weigh

S2W = 0.23863
RESPONSE = Response(
    energy_stochastic=0.07,
    energy_constant=0.03,
    angle_constant=0.004,
    angle_stochastic=0.009,
    threshold=0.15,
    efficiency=0.4,
    efficiency_turn_on=0.25,
    efficiency_width=0.05,
)


def sample_set(tmp_path, *recipes, **options):
    samples = tuple(
        Sample(name=f"sample{k}", role="signal", files=f"made/sample{k}.root", generate=recipe)
        for k, recipe in enumerate(recipes)
    )
    defaults = {
        "flux": {
            name: str(Path(f"samples/flux/nova_2017/FHC_{name}.dat").resolve()) for name in ("numu", "nue", "numubar")
        },
        "detector": Detector(electrons=1.74e31, origin="test"),
        "response": RESPONSE,
        "path": str(tmp_path / "set.toml"),
    }
    return SampleSet(samples=samples, **(defaults | options))


def columns(path):
    with uproot.open(path) as file:
        return file["events"].arrays(library="np"), float(file["TotalPOT"].values()[0]), file["TotalEvents"].values()[0]


def test_events_per_pot_close_with_an_independent_quadrature(tmp_path):
    # POT x flux x cross section x electrons x efficiency, by quadrature with the response's formulas written out.
    made = sample_set(tmp_path, Recipe(flavour="numu", events=60_000), Recipe(flavour="nue", events=40_000))
    for path, name in zip(generate(made), ("numu", "nue"), strict=True):
        events, pot, count = columns(path)
        table, code = flux.load(made.flux[name]), flavour(name)
        assert count == (60_000 if name == "numu" else 40_000)

        def passing(e_nu, code=code):
            top = float(kinematics.t_max(e_nu))
            edges = np.unique(np.clip([0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 1.0, top], 0.0, top))

            def integrand(t):
                sigma = t * (0.07 / np.sqrt(t) + 0.03)
                above = special.ndtr((t - 0.15) / sigma)
                return cross_sections.dsigma_dt_sm(code, e_nu, t, S2W) * above * 0.4 * special.expit((t - 0.25) / 0.05)

            return sum(integrate.fixed_quad(integrand, a, b, n=16)[0] for a, b in itertools.pairwise(edges))

        nodes, weights = np.polynomial.legendre.leggauss(12)
        rate = 0.0
        for low, high in itertools.pairwise(np.unique(np.concatenate([table.edges, [0.1, 0.2, 0.3, 0.4]]))):
            e_nu = low + 0.5 * (high - low) * (1 + nodes)
            averaged = sum(w * passing(e) for e, w in zip(e_nu, weights, strict=True)) * 0.5 * (high - low)
            rate += float(table.density(0.5 * (low + high))) * 1e-4 * 1e-6 * averaged
        found = events["weight"].astype(float)
        # Events weigh their efficiency: the spread of the sum of weights per event made.
        error = np.sqrt(np.sum(found**2) - found.sum() ** 2 / count)
        assert found.sum() == pytest.approx(rate * 1.74e31 * pot, abs=4 * error)
        assert error / found.sum() < 0.01


def test_every_event_is_on_the_exact_kinematics_and_has_its_branches(tmp_path):
    (path,) = generate(sample_set(tmp_path, Recipe(flavour="numubar", events=5_000)))
    assert path == tmp_path / "made/sample0.root"
    events, _, _ = columns(path)
    assert set(events) == {"pdg", "e_nu", "t", "theta", "t_reco", "theta_reco", "weight"}
    assert np.all(events["pdg"] == -14)
    m = 0.51099895069e-3
    # Energy and momentum conservation for an electron at rest, not the formula the generator uses.
    e, t = events["e_nu"], events["t"]
    p = np.sqrt(t * (t + 2 * m))
    outgoing2 = e**2 + p**2 - 2 * e * p * np.cos(events["theta"])
    np.testing.assert_allclose(np.sqrt(outgoing2), e - t, atol=2e-11)
    assert np.all(events["t_reco"] >= np.float32(0.15))
    assert np.all((events["weight"] > 0) & (events["weight"] <= 0.4))


@pytest.mark.parametrize(
    "options",
    [
        {"executor": "serial"},
        {"executor": "threads", "workers": 4, "chunk_events": 700},
        {"executor": "processes", "workers": 2, "chunk_events": 1_000},
    ],
    ids=lambda options: options["executor"],
)
def test_the_same_file_whatever_the_number_of_workers(tmp_path, options):
    made = sample_set(tmp_path, Recipe(flavour="numu", events=3_000), Recipe(flavour="nue", events=1_500))
    one = [columns(path) for path in generate(made, folder=tmp_path / "one", executor="threads", workers=1)]
    two = [columns(path) for path in generate(made, folder=tmp_path / "two", **options)]
    for (a, pot_a, n_a), (b, pot_b, n_b) in zip(one, two, strict=True):
        assert (pot_a, n_a) == (pot_b, n_b)
        for name in a:
            assert a[name].tobytes() == b[name].tobytes()


def test_seeds_and_samples_have_numbers_of_their_own(tmp_path):
    made = sample_set(tmp_path, Recipe(flavour="numu", events=500), Recipe(flavour="numu", events=500))
    first, second = (columns(path)[0]["e_nu"] for path in generate(made, folder=tmp_path / "a"))
    other, _ = (columns(path)[0]["e_nu"] for path in generate(made, folder=tmp_path / "b", seed=2))
    assert not np.any(np.isin(first, second))
    assert not np.any(np.isin(first, other))


def test_without_a_response_and_with_one_of_its_own_a_sample_is_truth_only(tmp_path):
    recipe = Recipe(flavour="numu", events=400)
    (path,) = generate(sample_set(tmp_path, recipe, response=None))
    truth, _, _ = columns(path)
    assert set(truth) == {"pdg", "e_nu", "t", "theta"}
    assert truth["t"].size == 400
    made = sample_set(tmp_path, recipe)
    own = msgspec.structs.replace(made.samples[0], response=True)
    (path,) = generate(msgspec.structs.replace(made, samples=(own,)))
    assert columns(path)[0]["t"].tobytes() == truth["t"].tobytes()


@pytest.mark.parametrize("coupling", list(COUPLINGS))
@pytest.mark.parametrize("flavour", ["numu", "numubar"])
def test_a_sample_made_with_a_coupling_is_the_reweighted_standard_model(tmp_path, coupling, flavour):
    t_min, found = 0.05, COUPLINGS[coupling]
    # A moment of 1.4e-9 mu_B, or a shift of g_V at 1 GeV.
    kappa = 2.0 if found.family == "dipole" else 0.1 / (found.constant + found.inverse_t)
    made = sample_set(
        tmp_path,
        Recipe(flavour=flavour, events=60_000, t_min=t_min),
        Recipe(flavour=flavour, events=60_000, t_min=t_min, coupling=coupling, kappa=kappa),
    )
    (plain, plain_pot, _), (coupled, coupled_pot, _) = (columns(path) for path in generate(made))
    fitted = [FittedCoupling.of(COUPLINGS[coupling], carriers=[flavour])]
    rows = weigh(fitted, plain["pdg"], plain["e_nu"], plain["t"])
    ratio = np.polynomial.polynomial.polyval(kappa, rows)
    x = plain["t_reco"] * plain["theta_reco"] ** 2, coupled["t_reco"] * coupled["theta_reco"] ** 2
    edges = [np.array([0.15, 0.2, 0.3, 0.4, 0.6, 0.9, 1.4, 2.2, 4.0]), np.array([0, 0.0005, 0.001, 0.002, 0.004])]

    def histogram(events, x, weights):
        sums = [np.histogram2d(events["t_reco"], x, edges, weights=w)[0].ravel() for w in (weights, weights**2)]
        return sums[0], sums[1]

    reweighted, variance = histogram(plain, x[0], plain["weight"] * ratio * (coupled_pot / plain_pot))
    direct, direct_variance = histogram(coupled, x[1], coupled["weight"].astype(float))
    chi2 = np.sum((reweighted - direct) ** 2 / (variance + direct_variance))
    assert special.chdtrc(reweighted.size, chi2) > 1e-3
    # The coupling is not a trifle here: without it the same comparison fails.
    unweighted, variance = histogram(plain, x[0], plain["weight"] * (coupled_pot / plain_pot))
    assert special.chdtrc(direct.size, np.sum((unweighted - direct) ** 2 / (variance + direct_variance))) < 1e-6


def test_expected_events_are_flux_times_cross_section_times_electrons(tmp_path):
    made = sample_set(tmp_path, Recipe(flavour="numu", events=1))
    found = expected(made, 3.62e20, t_min=0.3, t_max=0.9)
    for name, events in found.items():
        table, code = flux.load(made.flux[name]), flavour(name)
        fine = np.unique(np.concatenate([np.linspace(a, b, 200) for a, b in itertools.pairwise(table.edges)]))
        middle = 0.5 * (fine[1:] + fine[:-1])
        sigma = cross_sections.sigma_sm(code, middle, 0.3, 0.9, S2W)
        assert events == pytest.approx(
            np.sum(table.density(middle) * sigma * np.diff(fine)) * 1.74e31 * 3.62e10, rel=1e-3
        )


@pytest.mark.parametrize(
    ("recipe", "options", "message"),
    [
        (Recipe(flavour="numu", events=0), {}, "events = 0"),
        (Recipe(flavour="nutau", events=1), {}, "no flux of nutau"),
        (Recipe(flavour="numu", events=1), {"detector": None}, r"or \[detector\]"),
        (
            Recipe(flavour="numu", events=1, coupling="magnetic_moment", kappa=1.0),
            {},
            "'sample0': magnetic_moment: the",
        ),
        (Recipe(flavour="numu", events=1), {"response": Response(efficiency=2.0)}, "efficiency = 2.0"),
        (Recipe(flavour="numu", events=1), {"flux": {"numu": "absent.dat"}}, r"absent\.dat"),
        (None, {}, "no sample has a recipe"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(tmp_path, recipe, options, message):
    with pytest.raises((ConfigError, DataError), match=message):
        generate(sample_set(tmp_path, recipe, **options))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("files", ["made/*.root", ("a.root", "b.root"), "a.txt", "https://somewhere/a.root"])
def test_the_one_file_to_write_must_be_named(tmp_path, files):
    made = sample_set(tmp_path, Recipe(flavour="numu", events=1))
    renamed = msgspec.structs.replace(made.samples[0], files=files)
    with pytest.raises(ConfigError, match=r"must name the one \.root file"):
        generate(msgspec.structs.replace(made, samples=(renamed,)))


@pytest.mark.parametrize("problem", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_file_leaves_what_was_there(tmp_path, monkeypatch, problem):
    made = sample_set(tmp_path, Recipe(flavour="numu", events=1_000))
    (path,) = generate(made)
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise problem

    monkeypatch.setattr(uproot.writing.writable.WritableTree, "extend", fail)
    with pytest.raises((DataError, KeyboardInterrupt)) as raised:
        generate(made)
    if isinstance(problem, OSError):
        assert "No space left on device" in str(raised.value)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_progress_goes_to_the_error_stream(tmp_path, capsys):
    generate(sample_set(tmp_path, Recipe(flavour="numu", events=10)), progress=True)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "sample0" in captured.err


def test_a_file_of_another_recipe_is_not_written_over(tmp_path):
    made = sample_set(tmp_path, Recipe(flavour="numu", events=50))
    (path,) = generate(made)
    before = path.read_bytes()
    assert generate(msgspec.structs.replace(made, seed=2)) == [path]
    assert path.read_bytes() != before
    other = msgspec.structs.replace(made, path=str(tmp_path / "other.toml"))
    with pytest.raises(ConfigError, match=r"sample0.root: exists already, and was not made by the recipe of 'sample0'"):
        generate(other)
    # Nor an ntuple of the user's, nor what is no ROOT file.
    with uproot.recreate(path) as file:
        file.mktree("events", {"pdg": np.int32})
        file["events"].extend({"pdg": np.full(3, 14, np.int32)})
    for content in (path.read_bytes(), b"mine"):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match="exists already"):
            generate(made)
        assert path.read_bytes() == content


@pytest.mark.parametrize("signed", [True, False])
def test_files_of_versions_that_did_not_sign_them_are_made_again(tmp_path, signed):
    made = sample_set(tmp_path, Recipe(flavour="numu", events=50))
    (path,) = generate(made)
    with uproot.open(path) as file:
        events, pot = file["events"].arrays(library="np"), file["TotalPOT"].values()
    edge = np.array([0.0, 1.0])
    with uproot.recreate(path) as file:
        file.mktree("events", {name: values.dtype for name, values in events.items()})
        file["events"].extend(events)
        file["TotalPOT"], file["TotalEvents"] = (pot, edge), (np.array([50.0]), edge)
        if signed:
            file["recipe"] = "spectrafit generate: sample0 of another"
    if signed:
        with pytest.raises(ConfigError, match="exists already"):
            generate(made)
    else:
        assert generate(made) == [path]
        (swapped,) = (msgspec.structs.replace(made.samples[0], generate=Recipe(flavour="nue", events=50)),)
        path.unlink()
        generate(made)
        with uproot.open(path) as file:
            assert file["recipe"] == "spectrafit generate: sample0 of set"
        assert generate(msgspec.structs.replace(made, samples=(swapped,))) == [path]


@pytest.mark.parametrize("name", ["../../OUTSIDE", "a/b", "..", "", "a\0b", "x" * 300])
def test_in_a_folder_a_file_is_called_by_a_plain_name(tmp_path, name):
    made = sample_set(tmp_path, Recipe(flavour="numu", events=50))
    made = msgspec.structs.replace(made, samples=(msgspec.structs.replace(made.samples[0], name=name),))
    with pytest.raises(ConfigError, match="no plain file name; rename the sample"):
        generate(made, folder=tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


def test_two_recipes_do_not_write_one_file(tmp_path):
    made = sample_set(tmp_path, Recipe(flavour="numu", events=50), Recipe(flavour="nue", events=50))
    both = tuple(
        msgspec.structs.replace(sample, files=name)
        for sample, name in zip(made.samples, ("x.root", "a/../x.root"), strict=True)
    )
    with pytest.raises(ConfigError, match=r"recipes of 'sample0' and 'sample1' both write .*x.root"):
        generate(msgspec.structs.replace(made, samples=both))
    assert list(tmp_path.iterdir()) == []
