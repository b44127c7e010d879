"""Planar sets: scikit-learn's own numbers, one geometry whatever the seed."""

from collections.abc import Callable

import numpy as np
import pytest
from sklearn import datasets
from sklearn.preprocessing import minmax_scale

from gaia_explore.stimuli import PLANAR_SETS, Stimuli, aniso, blobs, circles, moons, planar, s_curve, swiss_roll, varied
from gaia_explore.stimuli import planar_sets as module

EVERY_SET = (*PLANAR_SETS, "s_curve", "swiss_roll")


@pytest.mark.parametrize(
    ("make", "oracle"),
    [
        (circles, lambda: datasets.make_circles(101, factor=0.5, noise=0.05, random_state=3)),
        (moons, lambda: datasets.make_moons(101, noise=0.05, random_state=3)),
    ],
)
def test_circles_and_moons_are_scikit_learns_own_between_0_and_1(
    make: Callable[[int, int], Stimuli], oracle: Callable[[], tuple[np.ndarray, np.ndarray]]
) -> None:
    x, label = oracle()
    stimuli = make(101, 3)
    np.testing.assert_allclose(stimuli.x, minmax_scale(x), atol=1e-7)
    np.testing.assert_array_equal(stimuli.attributes["label"], label)


@pytest.mark.parametrize(
    ("make", "oracle"),
    [
        (s_curve, lambda: datasets.make_s_curve(101, noise=0.05, random_state=3)),
        (swiss_roll, lambda: datasets.make_swiss_roll(101, noise=0.5, random_state=3)),
    ],
)
def test_curves_are_two_columns_of_scikit_learns_own(
    make: Callable[[int, int], Stimuli], oracle: Callable[[], tuple[np.ndarray, np.ndarray]]
) -> None:
    x, position = oracle()
    stimuli = make(101, 3)
    np.testing.assert_allclose(stimuli.unscale(stimuli.x), x[:, [0, 2]], atol=1e-5)
    np.testing.assert_array_equal(stimuli.attributes["position"], position)


@pytest.mark.parametrize(("centres", "random_state"), [(module._BLOBS, 8), (module._SLANTED_BLOBS, 170)])
def test_the_blobs_stand_where_scikit_learns_comparison_puts_them(centres: tuple, random_state: int) -> None:
    *_, drawn = datasets.make_blobs(3, random_state=random_state, return_centers=True)
    np.testing.assert_array_equal(np.array(centres), drawn)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("make", "random_state", "spread", "shear"),
    [
        (blobs, 8, [1, 1, 1], np.eye(2)),
        (aniso, 170, [1, 1, 1], np.array([[0.6, -0.6], [-0.4, 0.8]])),
        (varied, 170, [1, 2.5, 0.5], np.eye(2)),
    ],
)
def test_every_seed_draws_from_the_same_three_clusters(
    make: Callable[[int, int], Stimuli], random_state: int, spread: list[float], shear: np.ndarray, seed: int
) -> None:
    stimuli = make(6000, seed)
    x = stimuli.unscale(stimuli.x) @ np.linalg.inv(shear)
    *_, centres = datasets.make_blobs(3, random_state=random_state, return_centers=True)
    for label in range(3):
        cluster = x[stimuli.attributes["label"] == label]
        np.testing.assert_allclose(cluster.mean(axis=0), centres[label], atol=5 * spread[label] / np.sqrt(2000))
        np.testing.assert_allclose(cluster.std(axis=0), spread[label], rtol=0.08)


@pytest.mark.parametrize("name", EVERY_SET)
def test_a_set_is_called_by_its_name_and_fills_the_unit_square(name: str) -> None:
    stimuli = planar(name, 50)
    assert (stimuli.title, len(stimuli), stimuli.shape, stimuli.names) == (name, 50, (2,), ("x1", "x2"))
    np.testing.assert_array_equal([stimuli.x.min(axis=0), stimuli.x.max(axis=0)], [[0, 0], [1, 1]])


@pytest.mark.parametrize("name", EVERY_SET)
def test_a_seed_gives_the_same_sample_again_and_another_seed_another(name: str) -> None:
    first, again, other = (planar(name, 50, seed).fingerprint for seed in (7, 7, 8))
    assert first == again != other


@pytest.mark.parametrize("name", EVERY_SET)
def test_no_set_draws_from_the_global_stream(name: str) -> None:
    before = np.random.get_state(legacy=False)
    planar(name, 50).split(0.5)
    after = np.random.get_state(legacy=False)
    np.testing.assert_equal(after, before)


def test_the_five_sets_of_the_paper_come_in_its_order() -> None:
    assert PLANAR_SETS == ("circles", "moons", "blobs", "aniso", "varied")


def test_the_smallest_sets_have_one_stimulus_a_class() -> None:
    assert sorted(circles(2).attributes["label"]) == [0, 1]
    assert sorted(blobs(3).attributes["label"]) == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "n", "seed", "message"),
    [
        ("moons", 1, 0, "n must be at least 2, got 1"),
        ("s_curve", 0, 0, "n must be at least 2, got 0"),
        ("varied", 2, 0, "n must be at least 3, got 2"),
        ("moons", 9, -1, "seed must be from 0 to 4294967295, got -1"),
        ("blobs", 9, 2**32, "seed must be from 0 to 4294967295, got 4294967296"),
        (
            "spiral",
            9,
            0,
            "name must be one of circles, moons, blobs, aniso, varied, s_curve, swiss_roll, got 'spiral'",
        ),
    ],
)
def test_a_set_that_cannot_be_drawn_is_refused(name: str, n: int, seed: int, message: str) -> None:
    with pytest.raises(ValueError) as error:
        planar(name, n, seed)
    assert str(error.value) == message
