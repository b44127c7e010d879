from typing import Any

import numpy as np
import pandas as pd
import pytest

import gaia_explore as ge
from gaia_explore.attributes import Entanglement, attribute_vectors, entanglement, fit_probe

NAMES = ["Male", "Young", "fatness"]
PIXELS = np.random.default_rng(5).normal(size=(3, 48))
PIXELS /= np.linalg.norm(PIXELS, axis=1, keepdims=True)


class LinearCodec:
    """Pictures of 4 × 4 pixels in 3 colours that are sums of one pattern a latent dimension."""

    matrix = np.linalg.qr(np.random.default_rng(6).normal(size=(48, 8)))[0].T

    def encode(self, x):
        return ((x.reshape(len(x), -1) - 0.5) @ self.matrix.T).astype(np.float32)

    def decode(self, z):
        return 0.5 + (z @ self.matrix).reshape(-1, 4, 4, 3)


TRUTH = np.random.default_rng(7).normal(size=(3, 8))


def attributes(n, confounded, seed=0):
    rng = np.random.default_rng(seed)
    male = rng.random(n) < 0.5
    young = rng.random(n) < (np.where(male, 0.28 / 1.28, 8.49 / 9.49) if confounded else 0.5)
    return pd.DataFrame({"Male": male, "Young": young, "fatness": rng.normal(size=n) + confounded * 1.0 * male})


def codes(table, seed=0):
    return table.to_numpy(float) @ TRUTH + 0.3 * np.random.default_rng(seed).normal(size=(len(table), 8))


def true_probe(x):
    """Reads linear attributes off a picture without error."""
    return LinearCodec().encode(x).astype(np.float64) @ np.linalg.pinv(TRUTH)


def fitted(method):
    table = attributes(4000, confounded=True)
    return attribute_vectors(codes(table), table, method=method)


def measured(method, probe=true_probe, n=300, **options) -> Any:
    held_out = codes(attributes(n, confounded=True, seed=1), seed=1)
    return entanglement(LinearCodec(), held_out, fitted(method), probe, **options)


def made(changes, **options) -> Any:
    given = {"names": ("a", "b"), "strength": 1.0, "n_resamples": 400, "seed": 0}
    return Entanglement(changes=np.asarray(changes, np.float64), **(given | options))


# Planted answers


@pytest.mark.parametrize("method", ["ols", "means"])
@pytest.mark.parametrize("strength", [0.5, 2])
def test_a_linear_probe_reads_what_each_vector_holds_of_each_attribute(method, strength):
    held = measured(method, strength=strength)
    expected = 2 * strength * fitted(method).vectors @ np.linalg.pinv(TRUTH)
    assert np.allclose(held.matrix, expected, atol=1e-5)
    # It reads the same change in every stimulus, which leaves no interval.
    assert np.allclose(held.low, held.high, atol=1e-5)
    off = np.abs(expected[~np.eye(3, dtype=bool)]).mean() / np.trace(expected) * 3
    assert held.mean_off_diagonal["mean"] == pytest.approx(off, abs=1e-5)


def test_ols_vectors_leave_other_attributes_alone_and_means_do_not():
    ols, means = measured("ols"), measured("means")
    sd = attributes(4000, confounded=True)["fatness"].std()
    assert np.allclose(ols.matrix, np.diag([2, 2, 2 * sd]), atol=0.1)
    assert means.matrix.loc["Young", "Male"] < -1
    assert means.matrix.loc["Male", "fatness"] > 1.8
    assert ols.mean_off_diagonal["mean"] < 0.05 < 0.5 < means.mean_off_diagonal["mean"]
    ratio = ols.relative_to(means)
    assert ratio["mean"] == pytest.approx(ols.mean_off_diagonal["mean"] / means.mean_off_diagonal["mean"])
    assert ratio["low"] <= ratio["mean"] <= ratio["high"] < 0.1


def test_a_probe_from_balanced_stimuli_finds_the_same():
    codec, balanced = LinearCodec(), attributes(1000, confounded=False, seed=2)
    probe = fit_probe(codec.decode(codes(balanced, seed=2)), balanced)
    assert np.all(probe.report["score"].to_numpy() > probe.report["chance"].to_numpy() + 0.3)
    ols, means = (measured(method, probe) for method in ("ols", "means"))
    assert (np.diag(ols.matrix) > 0.5).all()
    assert ols.relative_to(means)["high"] < 0.5


def test_stimuli_are_encoded_first():
    codec, table = LinearCodec(), attributes(200, confounded=True, seed=1)
    z = codes(table, seed=1)
    stimuli = ge.Stimuli.from_array(np.clip(codec.decode(z) / 8, 0, 1), attributes=table, scaling="common")
    held = entanglement(codec, stimuli, fitted("ols"), true_probe)
    expected = entanglement(codec, codec.encode(stimuli.x), fitted("ols"), true_probe)
    assert np.array_equal(held.changes, expected.changes)
    assert held.changes.shape == (200, 3, 3)


def test_many_codes_are_decoded_in_blocks():
    assert np.allclose(measured("ols", n=2500).matrix, measured("ols", n=300).matrix, atol=1e-4)


def test_columns_of_a_probe_with_names_are_found_by_them():
    class Named:
        names = ("hat", "fatness", "Young", "Male")

        def __call__(self, x):
            return np.column_stack([np.zeros(len(x)), true_probe(x)[:, ::-1]])

    assert np.allclose(measured("means", Named()).matrix, measured("means").matrix)


# Intervals


def test_intervals_hold_the_mean_as_often_as_they_should():
    rng = np.random.default_rng(0)
    hits = []
    for seed in range(200):
        held = made(rng.normal(0.3, 1, size=(80, 2, 2)), seed=seed)
        hits.append((held.low <= 0.3) & (held.high >= 0.3))
    assert 0.9 < np.mean(hits) < 0.98


def test_off_diagonals_are_counted_by_their_size_against_the_diagonal():
    held = made(np.tile([[[0.8, -0.2], [0.1, 0.4]]], (10, 1, 1)))
    assert held.mean_off_diagonal.to_numpy() == pytest.approx(np.full(3, 0.25))
    assert held.matrix.loc["a", "b"] == pytest.approx(-0.2)


def test_the_interval_of_the_off_diagonal_holds_it_where_all_of_it_is_noise():
    rng = np.random.default_rng(0)
    names = tuple("abcdefgh")
    for seed in range(20):
        held = made(np.eye(8) + rng.normal(size=(60, 8, 8)), names=names, seed=seed)
        mean, low, high = held.mean_off_diagonal
        assert low < mean < high


def test_edits_that_do_not_raise_their_own_attribute_are_infinitely_entangled():
    against = made(np.tile([[[-0.8, -0.2], [0.1, 0.4]]], (10, 1, 1)))
    assert against.mean_off_diagonal.tolist() == [np.inf] * 3
    assert made(np.tile([np.eye(2)], (10, 1, 1))).relative_to(against).tolist() == [0, 0, 0]


def test_comparisons_draw_the_same_stimuli():
    changes = np.random.default_rng(0).normal(1, 1, size=(50, 2, 2))
    ratio = made(changes).relative_to(made(2 * changes))
    assert ratio.to_numpy() == pytest.approx(np.ones(3))
    with pytest.raises(ValueError, match=r"^other must share the stimuli, n_resamples and seed \(50, 400, 0\), got "):
        made(changes).relative_to(made(changes, seed=1))


def test_the_long_table_has_a_row_a_pair():
    held = measured("means", n=50)
    table = held.to_frame()
    assert len(table) == 9
    row = table[(table["edited"] == "Young") & (table["read"] == "Male")].iloc[0]
    assert row["change"] == held.matrix.loc["Young", "Male"]
    assert (row["low"], row["high"]) == (held.low.loc["Young", "Male"], held.high.loc["Young", "Male"])


def test_the_matrix_in_a_notebook_says_what_it_is():
    html = made(np.tile([[[0.8, -0.2], [0.1, 0.4]]], (1000, 1, 1)), names=("<a>", "b"))._repr_html_()
    assert "edited from −1 to +1, over 1,000 stimuli" in html
    assert "Off the diagonal 0.25 of it (95 % 0.25–0.25)" in html
    assert "+0.80" in html
    assert "<a>" not in html


# Errors


@pytest.mark.parametrize(
    ("probe", "options", "message"),
    [
        (true_probe, {"strength": 0}, "^strength must be above 0, got 0$"),
        (true_probe, {"n_resamples": 0}, "^n_resamples must be at least 1, got 0$"),
        (true_probe, {"n": 1}, "^entanglement needs at least 2 attributes and 2 stimuli, got 3 and 1$"),
        (lambda x: true_probe(x)[:, :2], {}, r"^probe must read \(300, 3\) values, got \(300, 2\)$"),
        (lambda x: np.full((len(x), 3), np.nan), {}, "^probe must read finite values, got others after editing Male$"),
    ],
)
def test_bad_input_is_named(probe, options, message):
    with pytest.raises(ValueError, match=message):
        measured("ols", probe, **options)


def test_a_probe_must_read_every_attribute():
    class Partial:
        names = ("Young", "hat")

        def __call__(self, x):
            return np.zeros((len(x), 2))

    with pytest.raises(ValueError, match=r"^probe must read every attribute, missing Male, fatness$"):
        measured("ols", Partial())


def test_the_package_offers_it_by_name():
    assert ge.entanglement is entanglement
    assert ge.attributes.Entanglement is Entanglement
