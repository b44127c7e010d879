from typing import Any

import numpy as np
import pandas as pd
import pytest

from gaia_explore.attributes import agreement, attribute_vectors

GAIN = "OLS − means"


def planted(n: int, *, confounded: bool, seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Codes in which Young moves dimension 0, Male dimension 1, and both their noise; old men prevail if confounded."""
    rng = np.random.default_rng(seed)
    young = rng.random(n) < 0.5
    male = rng.random(n) < (np.where(young, 0.1, 0.9) if confounded else 0.5)
    z = np.column_stack([young, male, np.zeros(n)]) + 0.1 * rng.standard_normal((n, 3))
    return z, pd.DataFrame({"Young": young, "Male": male})


def planted_agreement(**changes: Any) -> pd.DataFrame:
    confounded, balanced = planted(2000, confounded=True, seed=0), planted(1000, confounded=False, seed=1)
    return agreement(*confounded, *balanced, **({"n_resamples": 20, "progress": False} | changes))


def cosines(table: pd.DataFrame, method: str) -> np.ndarray:
    """Cosine, low and high, a column an attribute."""
    return table[[(method, name) for name in ("cosine", "low", "high")]].to_numpy().T


def test_ols_finds_a_planted_vector_and_difference_of_means_the_confound():
    table = planted_agreement()

    # Male differs by .8 between the young and the old, so that the vector of means is (1, −.8).
    confounded = 1 / np.hypot(1, 0.8)
    np.testing.assert_allclose(cosines(table, "difference of means")[0], confounded, atol=0.02)
    assert cosines(table, "OLS")[0].min() > 0.999
    np.testing.assert_allclose(cosines(table, GAIN)[0], 1 - confounded, atol=0.02)
    assert cosines(table, GAIN)[1].min() > 0.15
    assert list(table.index) == ["Young", "Male"]


def test_without_a_confound_neither_method_is_nearer():
    sets = planted(2000, confounded=False, seed=2), planted(1000, confounded=False, seed=3)
    gain, low, high = cosines(agreement(*sets[0], *sets[1], n_resamples=40, progress=False), GAIN)
    assert np.abs(gain).max() < 0.002
    assert low.max() < 0.002 and high.min() > -0.002


def test_intervals_hold_their_cosines_and_narrow_with_more_stimuli():
    sets = planted(100, confounded=True, seed=4), planted(100, confounded=False, seed=5)
    few = agreement(*sets[0], *sets[1], n_resamples=40, progress=False)
    many = planted_agreement(n_resamples=40)

    for method in ("difference of means", GAIN):
        widths = [cosines(table, method)[2] - cosines(table, method)[1] for table in (few, many)]
        assert np.all(widths[1] < widths[0] / 2)
        cosine, low, high = cosines(many, method)
        assert np.all(low < cosine) and np.all(cosine < high)


def test_the_order_of_columns_does_not_matter_and_a_seed_gives_one_table():
    z, attributes = planted(300, confounded=False, seed=6)
    turned = attributes.reindex(columns=["Male", "Young"])
    one, other = (agreement(z, attributes, z, table, n_resamples=5, progress=False) for table in (attributes, turned))

    pd.testing.assert_frame_equal(one, other)
    np.testing.assert_allclose(cosines(one, "difference of means")[0], 1)


def test_intervals_are_those_of_vectors_fitted_to_each_resample():
    rng = np.random.default_rng(8)
    codes = [(100 + rng.standard_normal((n, 4))).astype(np.float32) for n in (80, 60)]
    tables = [pd.DataFrame({"Male": rng.random(n) < 0.4, "Age": 50 + 9 * rng.standard_normal(n)}) for n in (80, 60)]
    table = agreement(codes[0], tables[0], codes[1], tables[1], n_resamples=6, seed=3, progress=False)

    drawn, resampled = np.random.default_rng(3), []
    for _ in range(6):
        rows = [drawn.integers(n, size=n) for n in (80, 60)]
        (z, own), (true_z, true) = ((c[r], t.iloc[r]) for c, t, r in zip(codes, tables, rows, strict=True))
        truth = attribute_vectors(true_z, true, method="means")
        found = [attribute_vectors(z, own, method=method) for method in ("means", "ols")]
        cosine = [[cosine_of(*pair) for pair in zip(f.vectors, truth.vectors, strict=True)] for f in found]
        resampled.append([*cosine, np.subtract(cosine[1], cosine[0])])
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    for i, method in enumerate(("difference of means", "OLS", GAIN)):
        np.testing.assert_allclose(cosines(table, method)[1:], [low[i], high[i]], rtol=1e-5)


def cosine_of(vector: np.ndarray, other: np.ndarray) -> float:
    return float(vector @ other / np.linalg.norm(vector) / np.linalg.norm(other))


def test_an_attribute_that_a_resample_may_lack_is_named():
    z, attributes = planted(50, confounded=False, seed=7)
    attributes["Beard"] = np.arange(50) == 3
    message = (
        r"^attributes must vary in every resample, but in one Beard did not: "
        r"leave out with attributes.drop\(columns=\['Beard'\]\)$"
    )
    with pytest.raises(ValueError, match=message):
        agreement(z, attributes, z, attributes, n_resamples=20, progress=False)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"n_resamples": 1}, "n_resamples must be at least 2, got 1"),
        ({"balanced_z": np.zeros((4, 2))}, "balanced_z must have 3 latent dimensions, got 2"),
        (
            {"balanced_attributes": pd.DataFrame({"Old": [1, 0, 1, 0]})},
            "balanced_attributes must have the columns Young, Male, got Old",
        ),
    ],
)
def test_bad_input_names_argument_rule_and_value(changes, rule):
    z, attributes = planted(50, confounded=False, seed=7)
    arguments = {"z": z, "attributes": attributes, "balanced_z": z, "balanced_attributes": attributes} | changes
    with pytest.raises(ValueError, match=rule):
        agreement(**arguments)
