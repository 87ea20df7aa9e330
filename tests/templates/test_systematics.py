import itertools

import boost_histogram as bh
import msgspec
import numpy as np
import pytest
import uproot

from spectrafit.errors import ConfigError, DataError
from spectrafit.physics.couplings import COUPLINGS
from spectrafit.physics.weighing import weigh
from spectrafit.templates.build import build

EXPOSURE = {"numu": 2.0, "nue": 1.0, "background": 2.0}


def coupling_of(columns, name):
    """What multiplies an event's weight for each power of kappa, (1+P, N)."""
    if name == "background":
        return np.stack([np.ones_like(columns["t"]), np.zeros_like(columns["t"])])
    return weigh(COUPLINGS["magnetic_moment"], columns["pdg"], columns["e_nu"], columns["t"])


def brute(columns, name, ratio=1.0, *, weight=None, t_reco=None, scale=None):
    """All bins of both regions by boost-histogram, (1+P, B), from the columns in memory."""
    t_reco = columns["t_reco"] if t_reco is None else t_reco
    t_theta2 = t_reco * columns["theta_reco"] ** 2
    above = columns["score"] > 0.2
    powers = coupling_of(columns, name)
    weight = columns["weight"] * ratio if weight is None else weight
    rows = []
    for power in powers * weight * (EXPOSURE[name] if scale is None else scale):
        nd = bh.Histogram(bh.axis.Regular(6, 0.3, 3.0), bh.axis.Variable([0.0, 0.0003, 0.0007, 0.0015, 0.003]))
        side = bh.Histogram(bh.axis.Variable([0.3, 1.0, 1.7, 4.0]))
        nd.fill(t_reco[above], t_theta2[above], weight=power[above])
        side.fill(t_reco[~above], weight=power[~above])
        rows.append(np.concatenate([nd.values().ravel(), side.values().ravel()]))
    return np.stack(rows)


def nominal(ntuples):
    return np.stack([brute(ntuples.columns[name], name) for name in EXPOSURE])


def made(ntuples, *tables, **options):
    text = "".join(f"[[systematics]]\n{table}\n" for table in tables)
    return build(ntuples.analysis(text, **options))


def at(templates, parameter, sigma):
    index = [(v.parameter, v.sigma) for v in templates.variations].index((parameter, sigma))
    return templates.counts[:, index]


def covariance(templates, kappa=0.0, parameters=None):
    """Covariance of the sum over samples that the parameters carry, (B, B)."""
    at_kappa = np.array([1.0, kappa])
    total = 0.0
    for parameter in templates.parameters if parameters is None else parameters:
        move = ((at(templates, parameter, 1.0) - at(templates, parameter, -1.0)) / 2).sum(axis=0)
        total = total + np.outer(at_kappa @ move, at_kappa @ move)
    return total


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10 * np.abs(expected).max())


def test_weights_relative_absolute_and_in_arrays(ntuples):
    templates = made(
        ntuples,
        'kind = "weight"\nname = "ratio"\nweights = ["w_down", "w_up"]',
        'kind = "weight"\nname = "absolute"\nweights = ["2 * absolute_up"]\nsigmas = [1.0]\nratio = false',
        'kind = "weight"\nname = "knob"\narray = "knobs"\nsigmas = [-2, -1, 1, 2]',
    )
    base = nominal(ntuples)
    close(templates.counts[:, 0], base)
    for i, name in enumerate(EXPOSURE):
        columns = ntuples.columns[name]
        for sigma, branch in ((-1.0, "w_down"), (1.0, "w_up")):
            close(at(templates, "ratio", sigma)[i], brute(columns, name, columns[branch].astype(float)))
        up = brute(columns, name, weight=2 * columns["absolute_up"])
        close(at(templates, "absolute", 1.0)[i], up)
        close(at(templates, "absolute", -1.0)[i], 2 * base[i] - up)
        for k, sigma in enumerate((-2.0, -1.0, 1.0, 2.0)):
            close(at(templates, "knob", sigma)[i], brute(columns, name, columns["knobs"][:, k].astype(float)))
    # What is said of the interpolation, or follows from the sigmas.
    assert {v.parameter: v.interpolation for v in templates.variations[1:]} == {
        "ratio": "code4p",
        "absolute": "code4p",
        "knob": "spline",
    }
    knob = [v for v in templates.variations if v.parameter == "knob"]
    assert [v.sigma for v in knob] == [-2.0, -1.0, 1.0, 2.0]
    assert {v.interpolation for v in knob} == {"spline"}


def test_a_shift_moves_events_between_bins_and_through_cuts(ntuples):
    templates = made(
        ntuples,
        'kind = "shift"\nname = "scale"\nscale = 0.03',
        'kind = "shift"\nname = "offset"\noffset = 0.02\ncolumn = "t_reco"',
        'kind = "shift"\nname = "score"\ncolumn = "score"\noffset = 0.05',
    )
    for i, name in enumerate(EXPOSURE):
        columns = ntuples.columns[name]
        for sigma in (-1.0, 1.0):
            scaled = columns["t_reco"] * (1.0 + sigma * 0.03)
            close(at(templates, "scale", sigma)[i], brute(columns, name, t_reco=scaled))
            close(at(templates, "offset", sigma)[i], brute(columns, name, t_reco=columns["t_reco"] + sigma * 0.02))
            cut = {**columns, "score": columns["score"] + sigma * 0.05}
            close(at(templates, "score", sigma)[i], brute(cut, name))


def test_smearing_is_gaussian_and_the_same_however_the_work_is_cut(ntuples, monkeypatch):
    table = 'kind = "shift"\nname = "smear"\nsmear = 0.1'
    templates = made(ntuples, table)
    base = nominal(ntuples)
    up = at(templates, "smear", 1.0)
    close(at(templates, "smear", -1.0), 2 * base - up)
    # An independent smearing of the same events agrees within the statistics of what it moves.
    rng = np.random.default_rng(0)
    columns = ntuples.columns["numu"]
    tries = [
        brute(columns, "numu", t_reco=columns["t_reco"] * (1 + 0.1 * rng.normal(size=30_000)))[0] for _ in range(40)
    ]
    pulls = (up[0, 0] - np.mean(tries, axis=0)) / np.std(tries, axis=0)
    assert np.sum(pulls**2) < 27 + 5 * np.sqrt(2 * 27)
    from spectrafit.templates import plan as module

    monkeypatch.setattr(module, "_ENTRIES", 5_000)
    again = made(ntuples, table)
    assert again.provenance["chunks"] > templates.provenance["chunks"]
    close(at(again, "smear", 1.0), up)


def test_a_shifted_ntuple_set_stands_for_another(ntuples):
    table = 'kind = "sample"\nname = "calib"\nup = { numu = "numu_up" }'
    templates = made(ntuples, table)
    assert templates.samples == tuple(EXPOSURE)
    base = nominal(ntuples)
    # Its own exposure counts: 5e19 POT scaled to 2e20.
    up = brute(ntuples.columns["numu_up"], "numu", scale=4.0)
    close(at(templates, "calib", 1.0), np.stack([up, base[1], base[2]]))
    close(at(templates, "calib", -1.0), np.stack([2 * base[0] - up, base[1], base[2]]))
    assert [v.samples for v in templates.variations if v.parameter == "calib"] == [("numu",)] * 2
    down = made(ntuples, 'kind = "sample"\nname = "calib"\ndown = { numu = "numu_up" }')
    close(at(down, "calib", -1.0)[0], up)
    with pytest.raises(ConfigError, match="give them the same role"):
        made(ntuples, 'kind = "sample"\nname = "calib"\nup = { background = "numu_up" }')


@pytest.mark.parametrize("source", ['branch = "universes"', f"branches = {[f'u{k}' for k in range(20)]}"])
def test_universes_become_parameters_that_carry_the_covariance(ntuples, source):
    templates = made(ntuples, f'kind = "universes"\nname = "multisim"\n{source}\nvariance = 0.99')
    universes = np.stack(
        [
            np.stack(
                [brute(c, n, c["universes"][:, u].astype(float)) for n, c in ntuples.columns.items() if n in EXPOSURE]
            )
            for u in range(20)
        ]
    )
    moves = (universes - nominal(ntuples)).sum(axis=1)
    report = templates.components["multisim"]
    assert report["directions"] == 20
    assert report["kept"] == len(templates.parameters) < 20
    assert report["fraction"] >= 0.99
    for kappa in (0.0, 1.0, 30.0):
        expected = np.einsum("ub,uc->bc", *[moves[:, 0] + kappa * moves[:, 1]] * 2) / 20
        found = covariance(templates, kappa)
        assert np.trace(found) >= 0.97 * np.trace(expected)
        assert np.linalg.norm(found - expected) <= 0.02 * np.linalg.norm(expected)
        # What no parameter carries is in the residual: together the variance of every bin is exact.
        residual = kappa ** np.arange(3) @ templates.residual
        np.testing.assert_allclose(np.diag(found) + residual, np.diag(expected), rtol=1e-6)
    everything = made(ntuples, f'kind = "universes"\nname = "multisim"\n{source}\nvariance = 1.0')
    np.testing.assert_allclose(everything.residual, 0, atol=1e-9 * np.diag(expected).max())


def test_the_coupling_moves_with_the_universes(ntuples):
    templates = made(ntuples, 'kind = "universes"\nname = "multisim"\nbranch = "universes"')
    move = at(templates, "multisim[0]", 1.0) - templates.counts[:, 0]
    numu = move[templates.sample("numu")]
    assert np.abs(numu[0]).max() > 0
    assert np.abs(numu[1]).max() > 0
    alone = made(ntuples, 'kind = "universes"\nname = "multisim"\nbranch = "universes"\npowers = "sm"')
    assert np.all(at(alone, "multisim[0]", 1.0)[:, 1] == alone.counts[:, 0, 1])


def flux_uncertainty(pdg, e_nu):
    low = np.floor(np.asarray(e_nu) / 0.5) * 0.5
    return np.where(pdg == 12, 0.12, 0.08) + 0.01 * low


def test_a_fully_correlated_flux_is_one_weight(ntuples):
    templates = made(ntuples, 'kind = "flux"\nname = "flux"')
    assert templates.parameters == ("flux[0]",)
    for i, name in enumerate(EXPOSURE):
        columns = ntuples.columns[name]
        ratio = 1 + flux_uncertainty(columns["nu_pdg"], columns["e_nu"])
        close(at(templates, "flux[0]", 1.0)[i], brute(columns, name, ratio))
        close(at(templates, "flux[0]", -1.0)[i], brute(columns, name, 2 - ratio))


def test_flux_correlations_are_those_asked_for(ntuples, tmp_path):
    options = "correlation = 0.6\nflavours = 0.3\nvariance = 1.0"
    templates = made(ntuples, f'kind = "flux"\nname = "flux"\n{options}')
    edges = np.arange(0.0, 7.5, 0.5)
    bins, uncertainties = [], []
    for pdg in (14, 12):
        for low, high in itertools.pairwise(edges):
            moved = np.zeros(27)
            for name in EXPOSURE:
                columns = ntuples.columns[name]
                inside = (columns["nu_pdg"] == pdg) & (columns["e_nu"] >= low) & (columns["e_nu"] < high)
                moved += brute(columns, name, inside.astype(float))[0]
            bins.append(moved)
            uncertainties.append((pdg, float(flux_uncertainty(pdg, low))))
    matrix = np.array(
        [
            [u * v * (1.0 if i == j else 0.6 if f == g else 0.6 * 0.3) for j, (g, v) in enumerate(uncertainties)]
            for i, (f, u) in enumerate(uncertainties)
        ]
    )
    expected = np.array(bins).T @ matrix @ np.array(bins)
    np.testing.assert_allclose(covariance(templates), expected, rtol=1e-6, atol=1e-9 * expected.max())
    # The same from a file.
    np.save(ntuples.folder / "flux.npy", matrix)
    again = made(ntuples, 'kind = "flux"\nname = "flux"\nvariance = 1.0\ncovariance = "flux.npy"')
    np.testing.assert_allclose(covariance(again), expected, rtol=1e-6, atol=1e-9 * expected.max())


def test_fluxes_of_root_with_their_covariance(ntuples):
    """TH1 of two flavours with other bins each, and the TH2 over all of them, which has no structure to lean on."""
    edges = {14: np.array([0.0, 1.0, 2.5, 7.0]), 12: np.array([0.0, 3.0, 7.0])}
    rows = np.random.default_rng(7).normal(0.0, 0.08, (4, 5))
    with uproot.recreate(ntuples.folder / "flux.root") as file:
        for pdg, name in ((14, "numu"), (12, "nue")):
            file[name] = (np.linspace(5.0, 1.0, edges[pdg].size - 1), edges[pdg])
        file["covariance"] = (rows.T @ rows, np.arange(6.0), np.arange(6.0))
    bins = []
    for pdg, places in edges.items():
        for low, high in itertools.pairwise(places):
            moved = np.zeros(27)
            for name in EXPOSURE:
                columns = ntuples.columns[name]
                inside = (columns["nu_pdg"] == pdg) & (columns["e_nu"] >= low) & (columns["e_nu"] < high)
                moved += brute(columns, name, inside.astype(float))[0]
            bins.append(moved)
    expected = np.array(bins).T @ (rows.T @ rows) @ np.array(bins)
    assert expected.max() > 0
    said = '[[systematics]]\nkind = "flux"\nname = "flux"\nvariance = 1.0\ncovariance = "flux.root:covariance"\n'
    analysis = ntuples.analysis(said)
    (sample_set,) = analysis.sample_sets
    of_root = msgspec.structs.replace(sample_set, flux={"numu": "flux.root:numu", "nue": "flux.root:nue"})
    templates = build(msgspec.structs.replace(analysis, sample_sets=(of_root,)))
    np.testing.assert_allclose(covariance(templates), expected, rtol=1e-6, atol=1e-9 * expected.max())


@pytest.mark.parametrize("kind", ["csv", "npy", "root"])
@pytest.mark.parametrize("fractional", [True, False])
def test_a_covariance_from_a_file_is_carried(ntuples, kind, fractional):
    rng = np.random.default_rng(5)
    rows = rng.normal(0, 0.05, (3, 24))
    fraction = rows.T @ rows
    total = nominal(ntuples).sum(axis=0)[:, :24]
    matrix = fraction if fractional else fraction * np.outer(total[0], total[0])
    name = {"csv": "m.csv", "npy": "m.npy", "root": "m.root:cov"}[kind]
    if kind == "csv":
        np.savetxt(ntuples.folder / "m.csv", matrix, delimiter=",", fmt="%.17g")
    elif kind == "npy":
        np.save(ntuples.folder / "m.npy", matrix)
    else:
        with uproot.recreate(ntuples.folder / "m.root") as file:
            file["cov"] = (matrix, np.arange(25.0), np.arange(25.0))
    said = f'kind = "covariance"\nname = "det"\nfile = "{name}"\nfractional = {str(fractional).lower()}'
    templates = made(ntuples, f'{said}\nregions = ["nd"]\nvariance = 1.0')
    assert len(templates.parameters) == 3
    for kappa in (0.0, 5.0):
        at_kappa = total[0] + kappa * total[1]
        expected = fraction * np.outer(at_kappa, at_kappa)
        np.testing.assert_allclose(
            covariance(templates, kappa)[:24, :24], expected, rtol=1e-6, atol=1e-9 * expected.max()
        )
    assert np.all(covariance(templates)[24:] == 0)


def test_scopes(ntuples):
    said = 'kind = "weight"\nname = "w"\nweights = ["w_down", "w_up"]\n'
    base = nominal(ntuples)
    everywhere = at(made(ntuples, said), "w", 1.0)
    templates = made(ntuples, said + 'samples = ["nu*"]\nregions = ["side"]\npowers = "sm"')
    expected = base.copy()
    expected[:2, 0, 24:] = everywhere[:2, 0, 24:]
    close(at(templates, "w", 1.0), expected)
    assert templates.variations[1].samples == ("numu", "nue")


def test_shape_and_norm_share_out_the_change(ntuples):
    said = 'kind = "weight"\nname = "w"\nweights = ["w_down * (1 + 0.1 * t)", "w_up * (1 + 0.2 * t)"]\n'
    base = nominal(ntuples)
    both = at(made(ntuples, said), "w", 1.0)
    shape = at(made(ntuples, said + 'shape = "shape"'), "w", 1.0)
    norm = at(made(ntuples, said + 'shape = "norm"'), "w", 1.0)
    np.testing.assert_allclose(shape.sum(axis=-1), base.sum(axis=-1), rtol=1e-12)
    np.testing.assert_allclose(norm.sum(axis=-1), both.sum(axis=-1), rtol=1e-12)
    for sample, power in np.argwhere(base.sum(axis=-1) > 0):
        one, all_of_it = base[sample, power], both[sample, power]
        np.testing.assert_allclose(norm[sample, power], one * (all_of_it.sum() / one.sum()), rtol=1e-12)
        np.testing.assert_allclose(shape[sample, power], all_of_it * (one.sum() / all_of_it.sum()), rtol=1e-12)
    linear = made(ntuples, 'kind = "universes"\nname = "m"\nbranch = "universes"\nshape = "shape"')
    moves = at(linear, "m[0]", 1.0) - base
    np.testing.assert_allclose(moves.sum(axis=-1), 0, atol=1e-9 * base.sum())


def test_each_sample_may_keep_its_own_part_of_the_change(ntuples):
    kinds = {
        "w": 'kind = "weight"\nname = "w"\nweights = ["w_down", "w_up"]\n',
        "s": 'kind = "shift"\nname = "s"\ncolumn = "t_reco"\nscale = 0.05\n',
    }
    for name, said in kinds.items():
        parts = [made(ntuples, said + key) for key in ("", 'shape = "shape"\n', 'shape = "norm"\n')]
        mixed = made(ntuples, said + 'shape = { nue = "shape", "num*" = "norm" }\n')
        names = list(mixed.samples)
        both, shape, norm, found = (at(one, name, 1.0) for one in (*parts, mixed))
        for i, sample in enumerate(names):
            wanted = {"nue": shape, "numu": norm}.get(sample, both)
            np.testing.assert_allclose(found[i], wanted[i], rtol=1e-12)
    linear = made(ntuples, 'kind = "universes"\nname = "m"\nbranch = "universes"\nshape = { nue = "shape" }')
    moved = (at(linear, "m[0]", 1.0) - nominal(ntuples)).sum(axis=-1)[:, 0]
    i = list(linear.samples).index("nue")
    assert abs(moved[i]) < 1e-9 * np.abs(moved).max()
    with pytest.raises(ConfigError, match="names no sample"):
        made(ntuples, kinds["w"] + 'shape = { nothing = "norm" }\n')


def test_parts_of_one_parameter(ntuples):
    up = 'kind = "weight"\nname = "w"\nweights = ["w_down", "w_up"]\nsamples = ["numu"]'
    other = 'kind = "weight"\nname = "w"\nweights = ["1 - 0.1 * t", "1 + 0.1 * t"]\nsamples = ["nue"]'
    templates = made(ntuples, up, other)
    assert templates.parameters == ("w",)
    assert templates.variations[1].samples == ("numu", "nue")
    c = ntuples.columns
    close(at(templates, "w", 1.0)[0], brute(c["numu"], "numu", c["numu"]["w_up"].astype(float)))
    close(at(templates, "w", 1.0)[1], brute(c["nue"], "nue", 1 + 0.1 * c["nue"]["t"]))
    with pytest.raises(ConfigError, match="acts on the same samples"):
        made(ntuples, up, up)
    spline = 'kind = "weight"\nname = "w"\nweights = ["w_up"]\nsigmas = [1.0]\nsamples = ["nue"]'
    with pytest.raises(ConfigError, match="same sigmas"):
        made(ntuples, up, f'{spline}\ninterpolation = "spline"')


def test_smoothing_leaves_less_noise(ntuples):
    noisy = 'kind = "weight"\nname = "w"\nweights = ["1 - 0.05 * t", "1 + 0.05 * t"]\nsamples = ["background"]\n'
    smooth = at(made(ntuples, noisy + "smooth = true"), "w", 1.0)
    rough = at(made(ntuples, noisy), "w", 1.0)
    base = nominal(ntuples)
    assert not np.allclose(smooth, rough)
    ratios = [np.diff(x[2, 0, :24] / base[2, 0, :24], 2).std() for x in (smooth, rough)]
    assert ratios[0] < ratios[1]
    np.testing.assert_array_equal(smooth[:2], rough[:2])


def test_pruning_is_off_by_default_and_lists_what_it_takes(ntuples):
    small = 'kind = "weight"\nname = "small"\nweights = ["0.999", "1.001"]'
    tilt = 'kind = "weight"\nname = "tilt"\nweights = ["1 - 0.2 * (t - 1.5)", "1 + 0.2 * (t - 1.5)"]'
    assert made(ntuples, small, tilt).pruned == ()
    templates = made(ntuples, small, tilt, overrides=("prune.norm=0.005", "prune.shape=0.005"))
    assert templates.parameters == ("tilt",)
    gone = {(p["sample"], p["region"], p["what"]) for p in templates.pruned if p["parameter"] == "small"}
    assert gone == {(s, r, w) for s in EXPOSURE for r in ("nd", "side") for w in ("norm", "shape")}
    assert all(0 <= p["size"] < 0.005 for p in templates.pruned)
    kept = made(ntuples, small, overrides=("prune.shape=0.005",))
    close(at(kept, "small", 1.0), 1.001 * nominal(ntuples))


@pytest.mark.parametrize(
    ("table", "kind", "message"),
    [
        ('kind = "weight"\nname = "w"\nweights = ["w_upp"]\nsigmas = [1.0]', ConfigError, "did you mean 'w_up'"),
        (
            'kind = "weight"\nname = "w"\narray = "knobs"\nsigmas = [-1, 1]',
            DataError,
            r"\.root:\w+ entries 0 to \d+: .*needs 2 weights per event",
        ),
        (
            'kind = "weight"\nname = "w"\nweights = ["log(score - 0.5)"]\nsigmas = [1.0]',
            DataError,
            "NaN or infinite for some",
        ),
        ('kind = "shift"\nname = "s"\nscale = 0.1\nsmear = 0.1', ConfigError, "either scale and offset, or smear"),
        ('kind = "shift"\nname = "s"', ConfigError, "either scale and offset, or smear"),
        ('kind = "shift"\nname = "s"\ncolumn = "t"\nscale = 0.1', ConfigError, "uses 't', so shifting this column"),
        ('kind = "universes"\nname = "u"', ConfigError, "either branch or branches"),
        ('kind = "universes"\nname = "u"\nbranch = "universes"\nvariance = 1.1', ConfigError, "<= 1.0; found 1.1"),
        ('kind = "covariance"\nname = "c"', ConfigError, "file.* missing|missing.*file"),
        ('kind = "norm"\nname = "n"\nsigma = 0.1\nshape = "shape"', ConfigError, "a normalisation has no shape"),
        ('kind = "norm"\nname = "kappa"\nsigma = 0.1', ConfigError, "cannot be a systematic's"),
        (
            'kind = "norm"\nname = "n"\nsigma = 0.1\nsamples = ["nue"]\n'
            '[[systematics]]\nkind = "norm"\nname = "n"\nfree = true\nsamples = ["numu"]',
            ConfigError,
            "free normalisation is one parameter with free ones only",
        ),
        (
            'kind = "weight"\nname = "w"\nweights = ["w_up"]\nsigmas = [2.0]\ninterpolation = "code4"',
            ConfigError,
            "code4 goes through sigmas -1 and \\+1, found \\[2.0\\]",
        ),
        ('kind = "universes"\nname = "u"\nbranch = "score"', DataError, "a list of weights per event"),
        ('kind = "covariance"\nname = "c"\nfile = "none.npy"', DataError, "none.npy cannot be read"),
        ('kind = "covariance"\nname = "c"\nfile = "numu_0.root:cov"', DataError, "has no 'cov'"),
        ('kind = "flux"\nname = "f"\ncorrelation = 1.5', ConfigError, "a number <= 1.0; found 1.5"),
        ('kind = "flux"\nname = "f"\nflavours = -1.5', ConfigError, "a number >= -1.0; found -1.5"),
        (
            'kind = "weight"\nname = "w"\nweights = ["w_up"]\nsigmas = [1.0]\nsamples = ["observed"]',
            ConfigError,
            "no sample",
        ),
    ],
)
def test_mistakes_are_named(ntuples, table, kind, message):
    with pytest.raises(kind, match=message):
        made(ntuples, table)


def test_covariances_that_are_none_are_refused(ntuples):
    said = 'kind = "covariance"\nname = "c"\nregions = ["side"]\nfile = "{}"'
    for name, matrix, message in [
        ("big", np.eye(4), "have 3 bins in all"),
        ("skew", np.array([[1.0, 0.5, 0], [0, 1, 0], [0, 0, 1]]), "not symmetric"),
        ("negative", np.diag([1.0, -0.5, 1.0]), "not positive semi-definite"),
        ("nan", np.diag([1.0, np.nan, 1.0]), "not finite"),
    ]:
        np.save(ntuples.folder / f"{name}.npy", matrix)
        with pytest.raises(DataError, match=message):
            made(ntuples, said.format(f"{name}.npy"))
