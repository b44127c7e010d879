import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import logsumexp
from sklearn.neighbors import KernelDensity

from gaia_explore.scores import (
    PAPER_TABLE_ONE,
    beyond_frontier,
    differences,
    kl_divergence,
    likelihood_bandwidth,
    log_density,
    log_likelihood,
    on_support,
    pixel_error,
    planar,
    share_at,
    structure_r,
    support_over_t,
    support_radius,
    table_one,
)

COLUMNS = [
    "r",
    "ll_interpolations",
    "ll_reconstructions",
    "kl_interpolations",
    "kl_reconstructions",
    "on_support",
    "pixel_error",
]


class IsometricCodec:
    """Turns and scales: codes keep the structure of stimuli, and decode to them."""

    turn = np.array([[0.6, -0.8], [0.8, 0.6]])

    def encode(self, x):
        return 3 * x.reshape(len(x), 2) @ self.turn

    def decode(self, z):
        return z @ self.turn.T / 3


class StretchingCodec:
    """Stretches one of two dimensions."""

    def encode(self, x):
        return x * np.array([1, 5])

    def decode(self, z):
        return z / np.array([1, 5])


class ConstantCodec:
    """Has forgotten everything but the middle of the square."""

    def encode(self, x):
        return np.zeros((len(x), 2))

    def decode(self, z):
        return np.full((len(z), 2), 0.5)


def normal_points(n, p=2, seed=0):
    return np.random.default_rng(seed).normal(size=(n, p))


def square_points(n, seed=0):
    return np.random.default_rng(seed).random((n, 2))


def ring_points(n, seed=0):
    rng = np.random.default_rng(seed)
    angle, radius = rng.uniform(0, 2 * np.pi, n), rng.normal(0.4, 0.01, n)
    return 0.5 + radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def scores_frame(n_seeds=4, models=("GAIA α=1", "AE", "VAE"), sets=("moons", "circles", "blobs")):
    rng = np.random.default_rng(0)
    rows = [
        {"model": model, "stimuli": stimuli, "seed": seed, "r": rng.normal(i, 1 + j), "on_support": rng.random()}
        for i, model in enumerate(models)
        for j, stimuli in enumerate(sets)
        for seed in range(n_seeds)
    ]
    return pd.DataFrame(rows)


# Densities


def test_log_density_is_that_of_a_mixture_of_gaussians():
    points, reference = normal_points(30), normal_points(50, seed=1)
    kernels = [stats.norm.logpdf(points, centre, 0.3).sum(axis=1) for centre in reference]
    expected = logsumexp(kernels, axis=0) - np.log(50)
    assert np.allclose(log_density(points, reference, bandwidth=0.3), expected)


def test_log_density_agrees_with_scikit_learn_among_the_data():
    points, reference = ring_points(3000), ring_points(1500, seed=1)
    expected = KernelDensity(bandwidth=0.02).fit(reference).score_samples(points)
    assert np.allclose(log_density(points, reference, bandwidth=0.02), expected, atol=1e-5)


def test_log_density_stays_right_far_from_the_data():
    reference = np.array([[0.0, 0.0], [0.0, 1e-3], [500.0, 0.0]])
    expected = stats.norm.logpdf([100.0, 0.0], scale=0.1).sum() + np.log(2 / 3)
    assert log_density(np.array([[-100.0, 5e-4]]), reference, bandwidth=0.1)[0] == pytest.approx(expected)


def test_log_density_sees_pictures_flat():
    points, reference = normal_points(20, 12), normal_points(40, 12, seed=1)
    flat = log_density(points, reference, bandwidth=1.0)
    assert np.array_equal(log_density(points.reshape(20, 3, 2, 2), reference.reshape(40, 3, 2, 2), bandwidth=1.0), flat)
    assert log_likelihood(points, reference, bandwidth=1.0) == flat.mean()


def test_bandwidth_is_the_best_of_its_grid_by_leaving_each_point_out():
    x = ring_points(80)
    grid = np.sqrt(x.var(axis=0).mean()) * 2.0 ** (-np.arange(21) / 2)
    likelihoods = [
        np.mean([log_likelihood(x[i : i + 1], np.delete(x, i, axis=0), bandwidth=float(h)) for i in range(80)])
        for h in grid
    ]
    assert likelihood_bandwidth(x) == pytest.approx(grid[np.argmax(likelihoods)])
    assert 0 < np.argmax(likelihoods) < 20


def test_bandwidth_is_near_silvermans_for_a_gaussian_and_far_below_it_for_a_ring():
    def silverman(x):
        return len(x) ** (-1 / 6) * x.std(axis=0).mean()

    assert likelihood_bandwidth(normal_points(2000)) == pytest.approx(silverman(normal_points(2000)), rel=0.5)
    assert likelihood_bandwidth(ring_points(2000)) < silverman(ring_points(2000)) / 4


def test_bandwidth_of_a_share_of_the_points_is_much_the_same():
    x = ring_points(2000)
    assert likelihood_bandwidth(x, n_max=200) == pytest.approx(likelihood_bandwidth(x, n_max=2000), rel=0.5)


@given(st.floats(0.01, 100), st.floats(-10, 10))
def test_bandwidth_scales_with_the_stimuli(scale, shift):
    x = ring_points(60)
    assert likelihood_bandwidth(scale * x + shift) == pytest.approx(scale * likelihood_bandwidth(x))


def test_default_bandwidth_is_that_of_the_reference():
    points, reference = ring_points(50), ring_points(100, seed=1)
    h = likelihood_bandwidth(reference)
    assert log_likelihood(points, reference) == log_likelihood(points, reference, bandwidth=h)
    assert kl_divergence(points, reference, square_points(100)) == kl_divergence(
        points, reference, square_points(100), bandwidth=h
    )


# Divergence


@pytest.mark.parametrize(("shift", "scale"), [(0.0, 1.0), (0.7, 1.0), (0.0, 2.0), (0.5, 2.0)])
def test_divergence_of_gaussians_is_the_closed_form(shift, scale):
    h = 0.3
    held_out, train = normal_points(4000), normal_points(4000, seed=1)
    decoded = shift + scale * normal_points(4000, seed=2)
    p, q = 1 + h**2, scale**2 + h**2  # variances of the blurred distributions
    # E_P[log p_h − log q_h], with P itself not blurred.
    expected = np.log(q / p) + (1 + shift**2) / q - 1 / p
    assert kl_divergence(held_out, train, decoded, bandwidth=h) == pytest.approx(expected, abs=0.05)


def test_divergence_from_the_training_stimuli_themselves_is_zero():
    train = ring_points(200)
    assert kl_divergence(ring_points(50, seed=1), train, train[::-1].copy()) == pytest.approx(0)


# Structure and pixels


def test_structure_is_the_correlation_of_all_pairs():
    x, z = normal_points(40, 5), normal_points(40, 2, seed=1)
    i, j = np.triu_indices(40, 1)
    expected = stats.pearsonr(np.linalg.norm(x[i] - x[j], axis=1), np.linalg.norm(z[i] - z[j], axis=1))
    assert structure_r(x, z) == pytest.approx(expected[0])


@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_structure_does_not_depend_on_scale(scale_x, scale_z):
    x, z = normal_points(20, 3), normal_points(20, 2, seed=1)
    assert structure_r(scale_x * x, scale_z * z) == pytest.approx(structure_r(x, z))


def test_structure_of_many_points_is_that_of_a_seeded_draw():
    x = normal_points(3000, 3)
    z = x[:, :2]
    assert structure_r(x, z, seed=1) == structure_r(x, z, seed=1) != structure_r(x, z, seed=2)
    assert structure_r(x, z) == pytest.approx(structure_r(x, z, n_max=3000), abs=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_structure_draws_no_point_twice(seed):
    corners = np.eye(8)  # all equally far apart, but for a point and itself
    assert np.isnan(structure_r(corners, normal_points(8), n_max=6, seed=seed))


def test_structure_of_collapsed_codes_is_not_a_number():
    assert np.isnan(structure_r(normal_points(10), np.ones((10, 2))))


def test_pixel_error_is_the_mean_absolute_difference():
    x = np.zeros((2, 1, 2, 2), np.float32)
    x_hat = np.array([[0, 0, 0, 1], [0, -2, 0, 1]]).reshape(2, 1, 2, 2)
    assert pixel_error(x, x_hat) == 0.5


# Support


def test_held_out_stimuli_are_on_the_support_but_for_one_in_a_hundred():
    train, held_out = ring_points(1000), ring_points(500, seed=1)
    radius = support_radius(train, held_out)
    assert on_support(held_out, train, radius) == 0.99
    assert on_support(held_out, train, support_radius(train, held_out, quantile=0.5)) == 0.5
    assert on_support(held_out, train, support_radius(train, held_out, quantile=1.0)) == 1
    assert on_support(held_out + 5, train, radius) == 0


def test_a_few_held_out_stimuli_are_all_on_the_support():
    train, held_out = ring_points(100), ring_points(10, seed=1)
    assert on_support(held_out, train, support_radius(train, held_out)) == 1


def test_support_reaches_exactly_as_far_as_its_radius():
    train = np.zeros((1, 2))
    assert support_radius(train, np.array([[3.0, 4.0], [0.0, 1.0]]), quantile=1.0) == 5
    assert on_support(np.array([[3.0, 4.0], [3.0, 4.1], [0.0, 0.0], [9.0, 9.0]]), train, 5.0) == 0.5


def test_interpolations_across_a_ring_leave_the_support_in_the_middle():
    curve = support_over_t(IsometricCodec(), ring_points(1000), ring_points(500, seed=1))
    assert (curve.index.name, curve.name) == ("t", "on_support")
    assert np.allclose(curve.index, np.linspace(0, 1, 21))
    shares = curve.to_numpy()
    assert shares[0] > 0.97 < shares[-1]
    assert shares[10] < 0.3
    assert (np.diff(shares[:8]) < 0.02).all()


def test_interpolations_are_between_two_different_stimuli():
    ends = np.array([[0.0, 0.0], [1.0, 1.0]])
    curve = support_over_t(IsometricCodec(), ends, ends + 0.01, [0.0, 0.5, 1.0])
    assert list(curve) == [1, 0, 1]


def test_support_over_t_is_drawn_from_its_seed():
    arguments = IsometricCodec(), ring_points(300), ring_points(100, seed=1), np.array([0.1, 0.3])
    first = support_over_t(*arguments, seed=3)
    assert first.equals(support_over_t(*arguments, seed=3))
    assert not first.equals(support_over_t(*arguments, seed=4))


# All of them


def test_planar_scores_of_a_perfect_codec_of_a_convex_set():
    train, held_out = square_points(1500), square_points(700, seed=1)
    scores = planar(IsometricCodec(), train, held_out).to_dict()
    assert list(scores) == COLUMNS
    assert scores["r"] == pytest.approx(1)
    assert scores["pixel_error"] == pytest.approx(0, abs=1e-12)
    assert scores["kl_reconstructions"] == pytest.approx(0, abs=1e-9)
    assert scores["ll_reconstructions"] == pytest.approx(log_likelihood(held_out, train))
    assert scores["on_support"] > 0.98
    # Mixtures gather in the middle of the square, where their density is higher than the data's.
    assert 0.02 < scores["kl_interpolations"] < 0.5
    assert abs(scores["ll_interpolations"]) < 0.1


def test_planar_scores_of_a_ring_tell_interpolations_from_reconstructions():
    scores = planar(IsometricCodec(), ring_points(1000), ring_points(400, seed=1)).to_dict()
    assert scores["ll_interpolations"] < scores["ll_reconstructions"] - 10
    assert scores["kl_interpolations"] > scores["kl_reconstructions"] + 0.2
    assert scores["on_support"] < 0.5


def test_planar_scores_of_a_collapsed_codec():
    train, held_out = square_points(400), square_points(100, seed=1)
    scores = planar(ConstantCodec(), train, held_out).to_dict()
    assert np.isnan(scores["r"])
    assert scores["pixel_error"] == pytest.approx(np.abs(held_out - 0.5).mean())
    assert scores["kl_reconstructions"] == pytest.approx(scores["kl_interpolations"])
    assert scores["kl_reconstructions"] > 5


def test_planar_scores_are_drawn_from_their_seed():
    arguments = IsometricCodec(), ring_points(300), ring_points(100, seed=1)
    first, again, other = (planar(*arguments, seed=seed).to_dict() for seed in (3, 3, 4))
    assert first == again
    assert first["ll_interpolations"] != other["ll_interpolations"]
    assert first["kl_interpolations"] != other["kl_interpolations"]
    assert first["ll_reconstructions"] == other["ll_reconstructions"]


def test_planar_structure_is_drawn_from_the_same_seed():
    codec, held_out = StretchingCodec(), ring_points(1100, seed=1)
    scores = planar(codec, ring_points(300), held_out, seed=3).to_dict()
    assert scores["r"] == structure_r(held_out, codec.encode(held_out), seed=3)


def test_planar_divergence_has_as_many_points_on_both_sides():
    arguments = IsometricCodec(), square_points(1000), square_points(300, seed=1)
    few, many = (planar(*arguments, n_pairs=n_pairs).to_dict() for n_pairs in (1, 2048))
    assert few["kl_interpolations"] == pytest.approx(many["kl_interpolations"], abs=0.1)


def test_planar_takes_its_bandwidth_and_number_of_pairs():
    train, held_out = ring_points(300), ring_points(100, seed=1)
    scores = planar(IsometricCodec(), train, held_out, bandwidth=0.2, n_pairs=10).to_dict()
    assert scores["ll_reconstructions"] == pytest.approx(log_likelihood(held_out, train, bandwidth=0.2))
    assert 10 * scores["on_support"] == pytest.approx(round(10 * scores["on_support"]))


# Table 1


def rows_of(scores):
    return {(row["score"], row["model"]): row for row in table_one(scores).to_dict("records")}


def test_intercepts_are_those_of_least_squares():
    scores = scores_frame()
    rows = rows_of(scores)
    for score in ("r", "on_support"):
        fit = smf.ols(f"{score} ~ 0 + C(model) + C(stimuli, Treatment('moons'))", scores).fit()
        for model in ("AE", "VAE", "GAIA α=1"):
            assert rows[score, model]["intercept"] == pytest.approx(fit.params[f"C(model)[{model}]"])


def test_means_are_the_marginal_means_of_least_squares():
    scores = scores_frame()
    rows = rows_of(scores)
    fit = smf.ols("r ~ C(model) * C(stimuli)", scores).fit()
    for model in ("AE", "VAE", "GAIA α=1"):
        cells = pd.DataFrame({"model": model, "stimuli": ["moons", "circles", "blobs"]})
        assert rows["r", model]["mean"] == pytest.approx(fit.predict(cells).mean())


def test_interval_over_one_set_is_students():
    scores = scores_frame(sets=("moons",))
    row = rows_of(scores)["r", "AE"]
    expected = stats.ttest_1samp(scores.loc[scores["model"] == "AE", "r"], 0).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected))


def test_interval_over_two_sets_is_welchs():
    scores = scores_frame(sets=("moons", "circles"))
    row = rows_of(scores)["r", "AE"]
    chosen = scores[scores["model"] == "AE"]
    moons, circles = (chosen.loc[chosen["stimuli"] == name, "r"].to_numpy() for name in ("moons", "circles"))
    # The mean of two sets is half the difference between the one and minus the other.
    expected = stats.ttest_ind(moons, -circles, equal_var=False).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx((expected.low / 2, expected.high / 2))


def test_a_difference_over_one_set_is_students_for_pairs():
    scores = scores_frame(sets=("moons",))
    rows = {(row["score"], row["model"]): row for row in differences(scores, "GAIA α=1").to_dict("records")}
    assert {model for _, model in rows} == {"AE", "VAE"}
    gaia, ae = (scores.loc[scores["model"] == name, "r"].to_numpy() for name in ("GAIA α=1", "AE"))
    row = rows["r", "AE"]
    assert row["difference"] == pytest.approx((gaia - ae).mean())
    expected = stats.ttest_rel(gaia, ae).confidence_interval(0.95)
    assert (row["low"], row["high"]) == pytest.approx(tuple(expected))


def test_what_a_seed_does_to_all_models_alike_leaves_differences_alone():
    scores = scores_frame()
    shaken = scores.assign(r=scores["r"] + 10.0 * scores["seed"] ** 2)
    pd.testing.assert_frame_equal(differences(shaken, "AE"), differences(scores, "AE"))


def test_a_difference_needs_a_model_that_is_there():
    with pytest.raises(ValueError, match="model must be one of AE, VAE, GAIA α=1, got 'PCA'"):
        differences(scores_frame(), "PCA")


def test_intervals_cover_the_mean_nineteen_times_of_twenty():
    rng = np.random.default_rng(0)
    cells = scores_frame(n_seeds=3, models=("AE",))[["model", "stimuli", "seed"]]
    spread = np.where(cells["stimuli"] == "blobs", 2.0, 1.0)
    draws = pd.DataFrame(spread[:, None] * rng.normal(size=(len(cells), 400))).add_prefix("score")
    table = table_one(pd.concat([cells, draws], axis=1))
    covered = (table["low"].to_numpy() < 0) & (table["high"].to_numpy() > 0)
    assert 0.92 < covered.mean() < 0.98


def test_table_is_long_and_in_the_papers_order():
    table = table_one(scores_frame(models=("ACAI", "GAIA α=1", "AE", "GAIA α=0", "PCA", "VAE")))
    assert list(table.columns) == ["model", "score", "intercept", "mean", "low", "high", "n_seeds"]
    assert list(table["model"]) == ["AE", "VAE", "GAIA α=0", "GAIA α=1", "ACAI", "PCA"] * 2
    assert list(table["score"]) == ["r"] * 6 + ["on_support"] * 6
    assert list(table["n_seeds"]) == [4] * 12


@settings(max_examples=20)
@given(st.permutations(range(18)))
def test_means_do_not_depend_on_the_order_of_rows(order):
    scores = scores_frame(n_seeds=2)
    expected, rows = rows_of(scores), rows_of(scores.iloc[order])
    assert set(rows) == set(expected)
    for key, row in rows.items():
        for column in ("mean", "low", "high"):
            assert row[column] == pytest.approx(expected[key][column])


def test_one_seed_has_no_interval_and_equal_seeds_a_narrow_one():
    for row in rows_of(scores_frame(n_seeds=1)).values():
        assert np.isnan([row["low"], row["high"]]).all()
        assert np.isfinite([row["intercept"], row["mean"]]).all()
    row = rows_of(scores_frame(n_seeds=3).assign(r=0.25))["r", "AE"]
    assert [row[part] for part in ("intercept", "mean", "low", "high")] == pytest.approx([0.25] * 4)


def test_papers_table_puts_models_first_where_the_paper_does():
    best, worst = PAPER_TABLE_ONE.idxmax().to_dict(), PAPER_TABLE_ONE.idxmin().to_dict()
    assert list(best) == COLUMNS[:5]
    assert best["r"] == best["ll_interpolations"] == "GAIA α=1"
    assert worst["ll_interpolations"] == best["kl_interpolations"] == "AE"
    assert best["ll_reconstructions"] == "VAE"


# Errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: structure_r(x[:2], x[:2]), "^x must hold at least 3 points, got 2$"),
        (lambda x: structure_r(x, x[:5]), "^z must hold one code for each of 10 stimuli, got 5$"),
        (lambda x: structure_r(x, x, n_max=2), "^n_max must be at least 3, got 2$"),
        (lambda x: structure_r(x, x[:, 0]), r"^z must hold one point a row, got shape \(10,\)$"),
        (
            lambda x: pixel_error(x, x[:5]),
            r"^x_hat must have the shape of x, \(10, 2\), got \(5, 2\)$",
        ),
        (
            lambda x: pixel_error(x, np.full((10, 2), np.nan)),
            "^x_hat must be finite, got 10 of 10 points that are not$",
        ),
        (
            lambda x: likelihood_bandwidth(np.ones((4, 2))),
            "^reference must hold different stimuli, got 4 times the same$",
        ),
        (lambda x: likelihood_bandwidth(x, n_max=0), "^n_max must be at least 1, got 0$"),
        (lambda x: log_density(x, x[:0], bandwidth=1.0), "^reference must hold at least 1 points, got 0$"),
        (
            lambda x: log_density(x, x[:, :1], bandwidth=1.0),
            "^points must have the 1 dimensions of reference, got 2$",
        ),
        (lambda x: log_density(x, x, bandwidth=0.0), "^bandwidth must be a positive number or 'likelihood', got 0.0$"),
        (
            lambda x: log_density(x, x, bandwidth="scott"),
            "^bandwidth must be a positive number or 'likelihood', got 'scott'$",
        ),
        (lambda x: support_radius(x, x, quantile=0.0), "^quantile must be above 0 and at most 1, got 0.0$"),
        (lambda x: support_radius(x, x[:, :1]), "^held_out must have the 2 dimensions of train, got 1$"),
        (lambda x: on_support(x, x, -1.0), "^radius must be at least 0, got -1.0$"),
        (lambda x: on_support(x, x, np.nan), "^radius must be at least 0, got nan$"),
        (lambda x: support_over_t(IsometricCodec(), x, x[:1]), "^held_out must hold at least 2 stimuli, got 1$"),
        (
            lambda x: support_over_t(IsometricCodec(), x, x, [np.inf]),
            r"^t must be finite numbers in one row, got \[inf\]$",
        ),
        (lambda x: planar(IsometricCodec(), x, x, n_pairs=0), "^n_pairs must be at least 1, got 0$"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(normal_points(10))


def test_stimuli_that_are_no_numbers_are_refused():
    with pytest.raises(TypeError, match=r"^points must be an array of numbers, got <U1$"):
        log_density(np.array([["a", "b"]]), normal_points(5), bandwidth=1.0)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda scores: scores.drop(columns="seed"),
            r"^scores must have rows, the columns \['model', 'stimuli', 'seed'\]",
        ),
        (lambda scores: scores[["model", "stimuli", "seed"]], r"a column a score, got \['model', 'stimuli', 'seed'\]$"),
        (lambda scores: scores.iloc[:0], "^scores must have rows"),
        (
            lambda scores: scores.drop(index=1),
            r"^scores must have one row a model, stimuli and seed, "
            r"missing \[\('GAIA α=1', 'moons', 1\)\], doubled \[\]$",
        ),
        (
            lambda scores: pd.concat([scores, scores.iloc[2:3]]),
            r"^scores must have one row a model, stimuli and seed, "
            r"missing \[\], doubled \[\('GAIA α=1', 'moons', 2\)\]$",
        ),
        (
            lambda scores: scores.assign(r=scores["r"].where(scores["seed"] + scores["on_support"] > 0.3)),
            r"^scores must be finite, got others for \[\('",
        ),
    ],
)
def test_bad_tables_are_named(spoil, message):
    with pytest.raises(ValueError, match=message):
        table_one(spoil(scores_frame()))


# --- frontiers

SWEEP = pd.DataFrame(
    {
        "stimuli": "moons",
        "seed": [0, 1, 0, 1, 0, 1],
        "setting": ["a", "a", "b", "b", "c", "c"],
        "on_support": [0.5, 0.7, 0.8, 1.0, 0.6, 0.8],
        "pixel_error": [0.01, 0.01, 0.02, 0.02, 0.04, 0.04],
    }
)


def test_a_frontier_is_straight_between_settings_and_never_falls():
    means = SWEEP.groupby("setting").agg(on_support=("on_support", "mean"), pixel_error=("pixel_error", "mean"))
    shares = [share_at(means, error) for error in (0.01, 0.015, 0.02, 0.03, 0.5)]
    assert shares == pytest.approx([0.6, 0.75, 0.9, 0.9, 0.9])
    assert np.isnan(share_at(means, 0.009))


def test_a_seed_lies_beyond_a_frontier_with_a_larger_share_at_no_more_error():
    model = pd.DataFrame(
        {
            "stimuli": "moons",
            "seed": range(4),
            "on_support": [0.8, 0.7, 0.95, 0.99],
            "pixel_error": [0.015, 0.015, 0.03, 0.001],
        }
    )
    (row,) = beyond_frontier(model, SWEEP).to_dict("records")
    assert (row["stimuli"], row["n_seeds"], row["beyond"]) == ("moons", 4, 2)
    assert np.isnan(row["frontier"])  # the last seed errs less than the whole sweep
    (row,) = beyond_frontier(model.head(3), SWEEP).to_dict("records")
    assert row["frontier"] == pytest.approx((0.75 + 0.75 + 0.9) / 3)
    assert row["pixel_error"] == pytest.approx(0.02)


def test_a_frontier_needs_its_columns_and_the_same_sets():
    with pytest.raises(ValueError, match=r"sweep must have .* missing \['setting'\]"):
        beyond_frontier(SWEEP, SWEEP.drop(columns="setting"))
    with pytest.raises(ValueError, match="missing 'circles'"):
        beyond_frontier(SWEEP.assign(stimuli="circles"), SWEEP)
