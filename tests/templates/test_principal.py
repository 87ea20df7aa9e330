import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrafit.templates.principal import directions_of, fewer_rows, principal


def places(monomials):
    return np.add.outer(np.arange(monomials), np.arange(monomials))


def full(rows):
    flat = rows.reshape(len(rows), -1)
    return flat.T @ flat


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 30),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 12),
    st.floats(0.5, 1.0),
    st.integers(0, 999),
)
def test_the_stated_fraction_is_kept_and_nothing_is_lost(rows, samples, powers, bins, fraction, seed):
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-4, 4, (rows, 1, powers, 1))
    deviations = rng.normal(0, 1, (rows, samples, powers, bins)) * scale
    found = principal(deviations, fraction, places(powers))
    for power in range(powers):
        kept = np.trace(full(found.kept[:, :, power]))
        everything = np.trace(full(deviations[:, :, power]))
        assert kept >= fraction * everything * (1 - 1e-9)
        assert kept <= everything * (1 + 1e-9)
    if len(found.kept) > 1:
        fewer = principal(deviations, fraction, places(powers)).kept[:-1]
        shares = [np.trace(full(fewer[:, :, p])) / np.trace(full(deviations[:, :, p])) for p in range(powers)]
        assert min(shares) < fraction
    # Every bin's variance, at any kappa, is what is carried plus what is left.
    for kappa in (0.0, -0.7, 3.0):
        at = kappa ** np.arange(powers)
        before = np.einsum("rspb,p->rb", deviations, at)
        after = np.einsum("kspb,p->kb", found.kept, at)
        left = kappa ** np.arange(2 * powers - 1) @ found.residual
        assert np.all(left >= -1e-9 * np.sum(before**2, axis=0).max())
        np.testing.assert_allclose(
            np.sum(after**2, axis=0) + left, np.sum(before**2, axis=0), rtol=1e-7, atol=1e-9 * np.sum(before**2)
        )


def test_everything_kept_is_the_covariance():
    rng = np.random.default_rng(0)
    deviations = rng.normal(0, 1, (8, 2, 2, 5))
    found = principal(deviations, 1.0, places(2))
    np.testing.assert_allclose(full(found.kept), full(deviations), atol=1e-10)
    np.testing.assert_allclose(found.residual, 0, atol=1e-10)
    assert np.all(found.kept[:, :, 0].sum(axis=(1, 2)) > 0)


def test_directions_are_independent_and_ordered():
    rng = np.random.default_rng(1)
    found = principal(rng.normal(0, 1, (12, 1, 1, 30)), 1.0, places(1)).kept.reshape(12, 30)
    gram = found @ found.T
    np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-9)
    assert np.all(np.diff(np.diag(gram)) <= 1e-9)


def test_nothing_moves():
    found = principal(np.zeros((5, 2, 3, 4)), 0.999, places(3))
    assert found.kept.shape == (0, 2, 3, 4)
    assert found.residual.shape == (5, 4)
    assert principal(np.zeros((0, 2, 3, 4)), 0.999, places(3)).kept.shape == (0, 2, 3, 4)


def test_rows_of_a_covariance():
    rng = np.random.default_rng(2)
    root = rng.normal(0, 1, (3, 9))
    matrix = root.T @ root
    rows = directions_of(matrix)
    assert len(rows) == 3
    np.testing.assert_allclose(rows.T @ rows, matrix, atol=1e-10)
    # Rounded to four digits, as published matrices are, it is still accepted.
    rounded = np.round(matrix, 4)
    rows = directions_of(rounded)
    np.testing.assert_allclose(rows.T @ rows, rounded, atol=1e-3)
    for wrong, message in [
        (np.zeros((2, 3)), "square"),
        (np.array([[1.0, 0.3], [0.1, 1.0]]), "symmetric"),
        (np.diag([1.0, -1.0]), "positive semi-definite"),
        (np.diag([1.0, np.inf]), "not finite"),
    ]:
        with pytest.raises(ValueError, match=message):
            directions_of(wrong)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(1, 4), st.integers(1, 9), st.integers(0, 999))
def test_fewer_rows_say_the_same(rows, samples, bins, seed):
    rng = np.random.default_rng(seed)
    parts = {f"s{k}": rng.normal(0, 10.0 ** rng.uniform(-3, 3), (rows, 2, bins)) for k in range(samples)}
    for part in parts.values():
        part[..., rng.random(bins) < 0.3] = 0.0
    fewer = fewer_rows(parts)
    numbers = sum(int(np.any(part != 0, axis=0).sum()) for part in parts.values())
    assert len({len(part) for part in fewer.values()}) == 1
    assert len(fewer["s0"]) == min(rows, numbers)
    before, after = (
        np.concatenate([p.reshape(len(p), 2 * bins) for p in found.values()], axis=1) for found in (parts, fewer)
    )
    scale = np.sqrt(np.outer(np.sum(before**2, axis=0), np.sum(before**2, axis=0)))
    assert np.all(np.abs(after.T @ after - before.T @ before) <= 1e-12 * scale.max(initial=0) + 1e-12 * scale)


def test_one_large_variance_takes_nothing_from_the_others() -> None:
    # A bin without information, marked by a variance of 1e10, as in published matrices.
    matrix = np.array([[1e10, 0.0, 0.0], [0.0, 0.005, 0.002], [0.0, 0.002, 0.004]])
    rows = directions_of(matrix)
    np.testing.assert_allclose(rows.T @ rows, matrix, rtol=1e-12, atol=1e-12)
    # What the kept directions do not carry stays as variance.
    found = principal(rows.reshape(3, 1, 1, 3), 0.999, places(1))
    left = found.residual[0] + np.einsum("kspb,kspb->b", found.kept, found.kept)
    np.testing.assert_allclose(left, np.diag(matrix), rtol=1e-12)


def test_a_matrix_without_any_variance_has_no_direction_and_impossible_ones_are_refused() -> None:
    assert directions_of(np.zeros((3, 3))).shape == (0, 3)
    assert directions_of(np.zeros((0, 0))).shape == (0, 0)
    with pytest.raises(ValueError, match="positive semi-definite"):
        directions_of(np.array([[0.0, 0.1], [0.1, 1.0]]))
    with pytest.raises(ValueError, match="positive semi-definite"):
        directions_of(np.array([[1e10, 0.0, 0.0], [0.0, 1.0, 2.0], [0.0, 2.0, 1.0]]))
