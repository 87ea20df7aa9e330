import dataclasses
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spectrafit.errors import ConfigError, DataError
from spectrafit.inference.fitting.minimum import Problem
from spectrafit.inference.kernels.fields import Observed, workspace
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.model import Component, Factor, Model, Parameter, Span, Variance
from spectrafit.inference.toys import bank as banks
from spectrafit.inference.toys import ensemble as toys
from spectrafit.inference.toys.bank import Bank, merge
from spectrafit.inference.toys.options import ToyOptions
from spectrafit.random import stream_key
from tests.inference.models import spectrum


def thrown(of, count):
    """Return counts, centres and local centres of the first toys of an ensemble."""
    model = of.model
    key, work, d = stream_key(of.digest, "toys"), workspace(Likelihood(model).arrays), toys.scratch(model)
    found = []
    for i in range(count):
        toys.throw(Likelihood(model).arrays, of.truth, key, i, d, work)
        found.append(Observed(*(values.copy() for values in d)))
    return [np.stack(values) for values in zip(*found, strict=True)]


def truth_of(model):
    return np.array([1.0, 0.3, -0.4, 0.2, 0.1, -0.2])


def test_profiled_toys_throw_counts_and_auxiliary_measurements():
    model = spectrum(mc=0.3)
    values = truth_of(model)
    counts, centres, local = thrown(toys.ensemble(model, values), 4000)
    at = Likelihood(model).predict(values)
    # The simulation's noise is thrown for what does not depend on kappa: what is left at kappa = 0.
    without = Likelihood(model).predict(np.append(0.0, values[1:]))
    noise, noisy = without.variance, without.mean
    assert np.all(noisy < at.mean)
    shift = (at.fitted - at.mean) * noise / at.variance
    np.testing.assert_allclose(counts.mean(axis=0), at.mean + shift, rtol=0.02)
    np.testing.assert_allclose(counts.var(axis=0), at.mean + shift, rtol=0.1)
    np.testing.assert_allclose(centres.mean(axis=0)[1:], values[1:], atol=0.06)
    np.testing.assert_allclose(centres.std(axis=0)[1:], 1.0, atol=0.05)
    np.testing.assert_allclose(local.mean(axis=0), 1.0 + shift / noisy, atol=0.01)
    np.testing.assert_allclose(local.std(axis=0), np.sqrt(noise) / noisy, rtol=0.06)


@pytest.mark.parametrize("factors", ["barlow-beeston-lite", "barlow-beeston"])
def test_the_noise_of_a_background_does_not_bias_the_signal(factors):
    """If the noise scaled the signal too, the mean best kappa of these toys would be more than one error too low."""
    background = np.full(12, 12.5)
    parameters = (
        Parameter(name="kappa", kind="interest", initial=0.0, constraint="free"),
        Parameter(name="rate", initial=1.0, centre=1.0, width=0.3, constraint="gaussian"),
    )
    shapes = {"kappa": np.linspace(8.0, 0.5, 12), "rate": background}
    model = Model(
        parameters=parameters,
        components=tuple(
            Component(sample=name, start=0, nominal=shape, factors=(Factor(parameter=name, values=(1.0,)),))
            for name, shape in shapes.items()
        ),
        regions=(Span(name="r", start=0, stop=12),),
        data=background,
        # Five simulated events in each bin of the background.
        variances=(Variance(first=1, second=1, values=background**2 / 5.0),),
        mc_statistics=factors,
    )
    rows, _ = toys.run(toys.ensemble(model, model.initial, lower=-10.0), toys=400)
    kappas = rows[:, toys.KAPPA]
    assert abs(kappas.mean()) < 3.5 * kappas.std() / np.sqrt(len(kappas)) + 0.05 * kappas.std()


def test_prior_toys_vary_the_truth_and_nothing_measured():
    model = spectrum(mc=0.3)
    values = truth_of(model)
    counts, centres, local = thrown(toys.ensemble(model, values, kind="prior"), 4000)
    assert np.all(centres == 0.0)
    assert np.all(local == 1.0)
    rng = np.random.default_rng(1)
    expected = []
    for _ in range(4000):
        at = Likelihood(model).predict(np.append(1.0, rng.normal(size=5)))
        expected.append(rng.poisson(np.maximum(rng.normal(at.mean, np.sqrt(at.variance)), 0.0)))
    np.testing.assert_allclose(counts.mean(axis=0), np.mean(expected, axis=0), rtol=0.03)
    np.testing.assert_allclose(counts.std(axis=0), np.std(expected, axis=0), rtol=0.08)


def test_correlated_priors_are_thrown_correlated():
    model = dataclasses.replace(spectrum(), correlations=(("shape0", "shape1", 0.7), ("shape1", "shape2", -0.4)))
    _, centres, _ = thrown(toys.ensemble(model, model.initial), 4000)
    found = np.corrcoef(centres[:, 3:].T)
    assert found[0, 1] == pytest.approx(0.7, abs=0.03)
    assert found[1, 2] == pytest.approx(-0.4, abs=0.04)


@pytest.mark.parametrize("executor", ["threads", "processes", "dask"])
def test_a_toy_is_the_same_whoever_throws_it(executor):
    if executor == "dask":
        pytest.importorskip("distributed", reason="dask.distributed is not installed: whose workers throw")
    of = toys.ensemble(spectrum(), truth_of(None))
    serial, _ = toys.run(of, [0.0], toys=600)
    other, _ = toys.run(of, [0.0], toys=600, executor=executor, workers=2)
    assert np.array_equal(serial, other, equal_nan=True)
    alone, _ = toys.run(of, [0.0], toys=3, first=410)
    assert np.array_equal(alone, serial[410:413], equal_nan=True)


def test_another_seed_is_another_toy():
    model = spectrum()
    one, two = (toys.run(toys.ensemble(model, model.initial, seed=s), toys=20)[0] for s in (1, 2))
    assert not np.any(one[:, toys.BEST] == two[:, toys.BEST])


def test_toy_fits_are_minuits():
    model = spectrum(mc=0.1)
    of = toys.ensemble(model, truth_of(model))
    rows, _ = toys.run(of, [0.5], toys=25)
    counts, centres, local = thrown(of, 25)
    for i, row in enumerate(rows):
        problem = Problem(model, measured=Observed(counts[i], centres[i], local[i]))
        best = problem.migrad(model.initial, problem.free)
        assert row[toys.BEST] == pytest.approx(best.two_nll, abs=1e-4)
        assert row[toys.KAPPA] == pytest.approx(best.values[0], abs=2e-2)
        start = best.values.copy()
        start[0] = 0.5
        assert row[toys.TESTED] == pytest.approx(problem.migrad(start, problem.held(0)).two_nll, abs=1e-4)


def test_failures_go_to_minuit_and_into_the_ledger(monkeypatch):
    model = spectrum()
    of = toys.ensemble(model, model.initial)
    right, _ = toys.run(of, [0.0], toys=10)
    real = toys.fit_toys

    def failing(a, truth, key, first, kappas, lower, rows, bad, free, d, w):
        fits = real(a, truth, key, first, kappas, lower, rows, bad, free, d, w)
        bad[3] = 1
        rows[3] = -1.0
        return fits

    monkeypatch.setattr(toys, "fit_toys", failing)
    rows, ledger = toys.run(of, [0.0], toys=10)
    assert (ledger.refitted, ledger.failed, ledger.checked, ledger.disagreed) == (1, 0, 1, 0)
    np.testing.assert_allclose(rows[:, toys.BEST], right[:, toys.BEST], atol=1e-4)
    np.testing.assert_allclose(rows[3, toys.ERROR], right[3, toys.ERROR], rtol=0.2)

    monkeypatch.setattr(toys, "_again", lambda task, d, row, *, referee: (row, False))
    rows, ledger = toys.run(of, [0.0], toys=10)
    assert (ledger.failed, ledger.toys, ledger.rate) == (1, (3,), 1 / ledger.fits)
    assert np.isnan(rows[3]).all()
    assert "1 failed" in str(ledger)


def test_banks_are_saved_topped_up_and_merged(tmp_path):
    model = spectrum()
    of = toys.ensemble(model, model.initial)
    whole, _ = toys.run(of, [0.0, 1.0], toys=60)
    first, bank = Bank(digest=Likelihood(model).digest).topped_up(of, [0.0, 1.0], 20)
    path = bank.save(tmp_path / "one.npz")
    loaded = Bank.load(path, model=model)
    more, _ = loaded.topped_up(of, [0.0, 1.0], 60)
    assert len(first.rows) == 20
    assert np.array_equal(more.rows, whole, equal_nan=True)
    _, other = Bank(digest=Likelihood(model).digest, first=20).topped_up(of, [0.0, 1.0], 40)
    other.save(tmp_path / "two.npz")
    both = merge([path, tmp_path / "two.npz"])
    (record,) = both.records.values()
    assert np.array_equal(record.rows, whole, equal_nan=True)
    assert np.array_equal(record.numbers, np.arange(60))
    # A toy that is in both banks counts once.
    (record,) = (both + bank).records.values()
    assert len(record.numbers) == 60


def test_banks_of_another_model_are_refused(tmp_path):
    model, other = spectrum(), spectrum(scale=1.01)
    of = toys.ensemble(model, model.initial)
    _, bank = Bank(digest=Likelihood(model).digest).topped_up(of, [], 5)
    path = bank.save(tmp_path / "toys.npz")
    with pytest.raises(ConfigError, match="throw new toys into another file"):
        Bank.load(path, model=other)
    with pytest.raises(ConfigError, match="two models cannot be merged"):
        bank + Bank(digest=Likelihood(other).digest)
    with pytest.raises(ConfigError, match="this one is"):
        bank.topped_up(toys.ensemble(other, other.initial), [], 5)
    (tmp_path / "no.npz").write_bytes(b"not a bank")
    with pytest.raises(DataError, match=r"not a bank of toys \(damaged, or another kind of file\); give a file"):
        Bank.load(tmp_path / "no.npz")


def test_a_bank_of_toys_of_every_kappa_is_refused(tmp_path, monkeypatch):
    model = spectrum()
    _, kept = Bank(digest=Likelihood(model).digest).topped_up(toys.ensemble(model, model.initial), [], 5)
    with monkeypatch.context() as before:
        before.setattr(banks, "_FORMAT", 2)
        kept.save(tmp_path / "toys.npz")
    with pytest.raises(DataError, match="toys in format 2, needs 3; throw them again"):
        Bank.load(tmp_path / "toys.npz")


def test_a_bank_makes_the_second_limit_free(tmp_path):
    from spectrafit.inference.intervals.limits import upper_limit

    model = spectrum(bins=5, shapes=1)
    path = tmp_path / "toys.npz"
    one = upper_limit(model, method="feldman-cousins", toys=ToyOptions(toys=200, bank=(path,)), expected=False)
    two = upper_limit(model, method="feldman-cousins", toys=ToyOptions(toys=200, bank=(path,)), expected=False)
    assert one.kappa == two.kappa
    assert list(tmp_path.iterdir()) == [path]


def test_banks_of_two_machines_make_one_limit(tmp_path):
    from spectrafit.inference.intervals.limits import upper_limit

    model = spectrum(bins=5, shapes=1)
    options = {"method": "feldman-cousins", "expected": False, "simulation": False}
    whole = upper_limit(model, toys=200, **options)
    here, there = tmp_path / "here.npz", tmp_path / "there.npz"
    upper_limit(model, toys=ToyOptions(toys=100, bank=(here,)), **options)
    upper_limit(model, toys=ToyOptions(toys=100, bank=(there,), first_toy=100), **options)
    both = upper_limit(model, toys=ToyOptions(toys=200, bank=(here, there)), **options)
    assert both.kappa == pytest.approx(whole.kappa, abs=3 * whole.kappa_error)
    # Truths and tested kappas lie on a lattice: on either side of the interval's end, both machines' toys are the
    # numbers 0 to 199, which a single one throws.
    records = Bank.load(here).records.values()
    assert {r.rows.shape[1] - toys.TESTED for r in records} == {20, 3}
    tails = [r.numbers for r in records if r.rows.shape == (200, toys.TESTED + 3)]
    assert len(tails) == 2
    assert all(np.array_equal(numbers, np.arange(200)) for numbers in tails)
    with pytest.raises(DataError, match=r"absent\.npz: not a bank of toys"):
        upper_limit(model, toys=ToyOptions(toys=100, bank=(here, tmp_path / "absent.npz")), **options)


@pytest.mark.parametrize("statistic", ["poisson", "dembinski-abdelmotteleb", "neyman-pearson", "gaussian"])
def test_every_statistic_of_thrown_simulations_is_a_chi_square(statistic):
    # Half of each bin's variance is the simulation's: without it 2NLL would come out near 13.
    model = spectrum(bins=20, mc=0.5, scale=20.0, statistic=statistic)
    rows, ledger = toys.run(toys.ensemble(model, model.initial), [], toys=600)
    assert ledger.failed == ledger.disagreed == 0
    # 20 bins and one free parameter; neyman-pearson and the fixed covariance are chi-squares to some per cent only.
    assert rows[:, toys.BEST].mean() == pytest.approx(19.0, abs=4 * np.sqrt(2 * 19 / 600))
    assert (rows[:, toys.KAPPA] / rows[:, toys.ERROR]).std() == pytest.approx(1.0, abs=0.1)


def test_without_mc_the_templates_are_the_truth():
    model = spectrum(mc=0.3)
    data = np.random.default_rng(4).poisson(model.data)
    of = toys.ensemble(model, model.initial, mc=False, measured=Likelihood(model).observed(data))
    counts, _, local = thrown(of, 2000)
    assert np.all(local == 1.0)
    np.testing.assert_allclose(counts.mean(axis=0), model.data, rtol=0.03)


def test_toys_are_named_by_decimals_so_that_the_last_bits_of_a_fit_do_not_part_banks():
    model = spectrum()
    values = model.initial + 0.1234567
    one = toys.ensemble(model, values)
    other = toys.ensemble(model, values * (1 + 1e-12))
    assert one.digest == other.digest
    assert one.digest != toys.ensemble(model, values + 1e-4).digest
    assert one.digest != dataclasses.replace(one, seed=2).digest
    bank = Bank(digest=Likelihood(model).digest)
    _, first = bank.topped_up(one, [0.5, 1.0], 3)
    record, both = first.topped_up(other, [0.5, 1.0 + 1e-12], 3)
    assert len(both.records) == 1
    assert len(record.numbers) == 3


MACHINE = """
import sys
import numpy as np
from spectrafit.inference.fitting.minimum import Problem
from spectrafit.inference.likelihood import Likelihood
from spectrafit.inference.toys import ensemble as toys
from spectrafit.inference.toys.bank import Bank
from tests.inference.models import spectrum
model = spectrum()
problem = Problem(model, np.round(model.data * 1.03))
best = problem.newton(model.initial, problem.held(model.index("kappa")))
of = toys.ensemble(model, best.values, measured=problem.observed)
_, bank = Bank(digest=Likelihood(model).digest, first=int(sys.argv[2])).topped_up(of, [0.0, 1.0], 5)
bank.save(sys.argv[1])
"""


def test_banks_of_two_kinds_of_processor_merge(tmp_path):
    for name, first, kind in (("native", "0", {}), ("generic", "5", {"NUMBA_CPU_NAME": "generic"})):
        environment = {**os.environ, **kind, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        done = subprocess.run(
            [sys.executable, "-c", MACHINE, str(tmp_path / f"{name}.npz"), first],
            env=environment,
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    native, generic = (Bank.load(tmp_path / f"{name}.npz") for name in ("native", "generic"))
    assert native.records.keys() == generic.records.keys()
    (record,) = merge([tmp_path / "native.npz", tmp_path / "generic.npz"]).records.values()
    assert record.numbers.tolist() == list(range(10))


def test_a_bank_that_was_topped_up_meanwhile_keeps_both_parts_and_another_model_is_refused(tmp_path):
    model = spectrum()
    of = toys.ensemble(model, model.initial)
    path = tmp_path / "toys.npz"
    _, one = Bank(digest=Likelihood(model).digest).topped_up(of, [1.0], 3)
    _, other = Bank(digest=Likelihood(model).digest, first=3).topped_up(of, [1.0], 2)
    one.save(path)
    other.save(path)
    (record,) = Bank.load(path).records.values()
    assert record.numbers.tolist() == [0, 1, 2, 3, 4]
    assert [p.name for p in tmp_path.iterdir()] == ["toys.npz"]
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="two models"):
        Bank(digest="0" * 32).save(path)
    assert path.read_bytes() == before


def topping_up(path, toys_asked, first, ready):
    """Top up the bank as `upper_limit` does: load, throw, save; both processes have loaded before one saves."""
    model = spectrum()
    bank = dataclasses.replace(Bank.load(path, model=model), first=first)
    ready.wait(60)
    for kappa in (1.0, 2.0):
        _, bank = bank.topped_up(toys.ensemble(model, model.initial), [kappa], toys_asked)
        bank.save(path)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
@pytest.mark.parametrize("firsts", [(0, 0), (0, 100)])
def test_two_processes_that_top_up_one_bank_lose_and_double_nothing(firsts, tmp_path):
    model, path = spectrum(), tmp_path / "toys.npz"
    of = toys.ensemble(model, model.initial)
    _, bank = Bank(digest=Likelihood(model).digest).topped_up(of, [1.0], 5)
    bank.save(path)
    processes = multiprocessing.get_context("fork")
    ready = processes.Barrier(2)
    both = [
        processes.Process(target=topping_up, args=(path, asked, first, ready))
        for asked, first in zip((20, 30), firsts, strict=True)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join(60)
    assert [one.exitcode for one in both] == [0, 0]
    again = firsts[0] == firsts[1]
    one, two = Bank.load(path).records.values()
    # Toys of one number are the same toy: two runs that both begin at 0 throw them twice and keep them once.
    assert one.numbers.tolist() == list(range(30)) if again else [*range(20), *range(100, 125)]
    assert two.numbers.tolist() == list(range(30)) if again else [*range(20), *range(100, 130)]
    rows, _ = toys.run(of, [1.0], toys=30)
    if again:
        np.testing.assert_array_equal(one.rows, rows)
    assert [p.name for p in tmp_path.iterdir()] == ["toys.npz"]
