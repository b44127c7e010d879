"""Continua: paths through anchors in equal steps."""

import re
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gaia_explore.paths import KINDS, SPACINGS, Neighbourhood, continuum, curve
from gaia_explore.paths.continua import allot

ANCHORS = np.array([[0.2, 0.1], [1.0, 0.4], [0.3, 2.0]], np.float32)
DATA = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)


class Identity:
    def encode(self, x: np.ndarray, /) -> np.ndarray:
        return x

    def decode(self, z: np.ndarray, /) -> np.ndarray:
        return z


def circle(n: int) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spacing", SPACINGS)
def test_every_anchor_is_a_step_exactly_whatever_the_path(kind: Any, spacing: Any, squares):
    found = continuum(squares, ANCHORS, DATA, n_steps=12, kind=kind, spacing=spacing)
    assert len(found) == 12 and found.kind == kind and found.spacing == spacing
    np.testing.assert_array_equal(found.codes[found.anchors], ANCHORS)
    np.testing.assert_array_equal(found.t[found.anchors], [0, 1, 2])
    np.testing.assert_array_equal(found.stimuli, squares.decode(found.codes))
    assert np.all(np.diff(found.t) > 0) and found.leg.tolist() == [min(int(t), 1) for t in found.t]


@pytest.mark.parametrize("kind", KINDS)
def test_the_curve_passes_all_steps_of_a_continuum_at_their_t(kind: Any):
    found = continuum(Identity(), ANCHORS, DATA, n_steps=12, kind=kind)
    at = curve(ANCHORS, Neighbourhood(DATA), kind=kind)
    np.testing.assert_allclose(at(found.t), found.codes, atol=1e-6)
    np.testing.assert_allclose(at(np.array([2.0, 0.0, 1.0])), ANCHORS[[2, 0, 1]], atol=1e-6)
    with pytest.raises(ValueError, match=r"kind must be one of linear, spherical, neighbours, got 'curly'"):
        curve(ANCHORS, DATA, kind="curly")
    with pytest.raises(ValueError, match=r"anchors must be at least 2 codes, \(a, d\), got shape \(2,\)"):
        curve(ANCHORS[0], DATA)


def lengths_along(path: Any, codec: Any, spacing: str, anchors: np.ndarray) -> np.ndarray:
    """Lengths of a path between its steps, measured a thousand times finer than a continuum measures it."""
    lengths = []
    for leg, n in enumerate(np.diff(path.anchors)):
        t = path.t[path.anchors[leg] : path.anchors[leg + 1] + 1] - leg
        start, end = anchors[leg : leg + 2].astype(float)
        for low, high in pairwise(t):
            u = np.linspace(low, high, 1000)[:, None]
            points = (1 - u) * start + u * end
            if spacing != "latent":
                points = codec.decode(points)
            if spacing == "perceptual":
                points = codec.features(points)
            steps = np.diff(points, axis=0)
            one = np.abs(steps).mean(1) if spacing == "pixels" else np.linalg.norm(steps, axis=1)
            lengths.append((leg, one.sum()))
        assert n == len(t) - 1
    return np.array(lengths)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_steps_are_equally_long_along_each_leg(spacing: Any, squares):
    found = continuum(squares, ANCHORS, DATA, n_steps=12, spacing=spacing)
    lengths = lengths_along(found, squares, spacing, ANCHORS)
    for leg in (0, 1):
        own = lengths[lengths[:, 0] == leg, 1]
        np.testing.assert_allclose(own, own.mean(), rtol=2e-3)


def test_equal_steps_in_z_on_a_line_are_those_of_interpolate(linear):
    found = continuum(linear, ANCHORS[:2], DATA, n_steps=5)
    np.testing.assert_allclose(found.t, np.linspace(0, 1, 5), atol=1e-12)
    np.testing.assert_allclose(found.step_latent[1:], np.linalg.norm(ANCHORS[1] - ANCHORS[0]) / 4, rtol=1e-5)
    # A linear decoder makes equal steps in pixels of equal steps in Z, and mixes pixels as it mixes codes.
    by_pixels = continuum(linear, ANCHORS[:2], DATA, n_steps=5, spacing="pixels")
    np.testing.assert_allclose(by_pixels.codes, found.codes, atol=1e-5)
    np.testing.assert_allclose(found.mixed, found.stimuli, atol=1e-6)
    np.testing.assert_allclose(linear.encode(found.mixed), found.codes, atol=1e-5)


def test_equal_pixel_steps_of_a_square_are_at_the_roots(squares):
    found = continuum(squares, np.array([[0.0], [2.0]]), np.zeros((3, 1)), n_steps=5, spacing="pixels")
    np.testing.assert_allclose(found.codes[:, 0], 2 * np.sqrt(np.linspace(0, 1, 5)), atol=1e-3)
    np.testing.assert_allclose(found.step_pixels[1:], 1, atol=2e-3)
    perceptual = continuum(squares, np.array([[0.0], [2.0]]), np.zeros((3, 1)), n_steps=5, spacing="perceptual")
    np.testing.assert_allclose(perceptual.codes[:, 0], 2 * np.linspace(0, 1, 5) ** 0.25, atol=2e-3)
    np.testing.assert_allclose(perceptual.step_perceptual[1:], 4, rtol=1e-2)


@pytest.mark.parametrize("spacing", ["pixels", "perceptual"])
def test_long_paths_are_measured_block_by_block_without_a_seam(spacing: Any, squares):
    found = continuum(squares, np.array([[0.0], [2.0]]), np.zeros((3, 1)), n_steps=201, spacing=spacing)
    steps = found.step_pixels if spacing == "pixels" else found.step_perceptual
    np.testing.assert_allclose(steps[1:], steps[1:].mean(), rtol=0.02)


@settings(deadline=None, max_examples=50)
@given(seed=st.integers(0, 2**31), d=st.integers(2, 6), shift=st.floats(-5, 5))
def test_spherical_paths_keep_the_distance_to_the_datas_mean(seed: int, d: int, shift: float):
    rng = np.random.default_rng(seed)
    data = np.concatenate([directions := rng.normal(size=(20, d)), -directions]) + shift
    anchors = rng.normal(size=(3, d))
    radii = np.array([2.0, 2.0, 5.0])
    anchors = shift + anchors / np.linalg.norm(anchors, axis=1, keepdims=True) * radii[:, None]
    found = continuum(Identity(), anchors, data, n_steps=15, kind="spherical")
    radius = np.linalg.norm(found.codes - shift, axis=1)
    np.testing.assert_allclose(radius, np.interp(found.t, [0, 1, 2], radii), rtol=1e-4)
    first = found.t <= 1
    np.testing.assert_allclose(np.diff(found.t[first]), 1 / (first.sum() - 1), rtol=1e-4)


@pytest.mark.parametrize("angle", [1e-9, 1e-7, 1e-5, 1e-3])
def test_a_spherical_leg_becomes_the_straight_line_as_anchors_become_parallel(angle: float):
    anchors = np.array([[1.0, 0.0], [3 * np.cos(angle), 3 * np.sin(angle)]])
    data = np.concatenate([circle(8), -circle(8)])
    spherical, straight = (continuum(Identity(), anchors, data, kind=kind) for kind in ("spherical", "linear"))
    np.testing.assert_allclose(spherical.codes, straight.codes, atol=max(angle, 1e-6))


def test_a_spherical_leg_from_the_centre_itself_is_straight():
    data = np.array([[-1.0, 0.0], [1.0, 0.0]])
    found = continuum(Identity(), np.array([[0.0, 0.0], [1.0, 1.0]]), data, kind="spherical")
    np.testing.assert_allclose(found.codes[:, 0], np.linspace(0, 1, 11), atol=1e-6)


def test_neighbours_stay_on_a_circle_that_straight_lines_leave():
    data = circle(200)
    anchors = data[[0, 90]]
    along, straight = (continuum(Identity(), anchors, data, n_steps=20, kind=kind) for kind in ("neighbours", "linear"))
    assert np.abs(np.linalg.norm(along.codes, axis=1) - 1).max() < 0.005
    assert np.linalg.norm(straight.codes, axis=1).min() < 0.2
    assert along.realism_by == "nearest code" and along.realism.max() < 0.04 < 0.5 < straight.realism.max()
    # Equal steps along the arc of 90/200 of a circle.
    np.testing.assert_allclose(along.step_latent[1:], 0.9 * np.pi / 19, rtol=0.02)
    np.testing.assert_allclose(along.t, np.linspace(0, 1, 20), atol=1e-6)


def test_a_neighbourhood_that_is_kept_gives_the_path_of_its_codes():
    data = circle(60)
    kept = continuum(Identity(), data[[0, 20]], Neighbourhood(data), kind="neighbours")
    np.testing.assert_array_equal(kept.codes, continuum(Identity(), data[[0, 20]], data, kind="neighbours").codes)
    few = continuum(Identity(), data[[0, 20]], Neighbourhood(data, n_neighbours=59), kind="neighbours")
    assert np.linalg.norm(few.codes, axis=1).min() < 0.6  # all are neighbours: straight


def test_a_judge_gives_realism_and_features_in_place_of_the_codec(linear, squares):
    alone = continuum(linear, ANCHORS, DATA)
    assert alone.realism_by == "nearest code" and np.isnan(alone.step_perceptual).all()
    np.testing.assert_allclose(alone.realism, Neighbourhood(DATA).distance(alone.codes))
    judged = continuum(linear, ANCHORS, DATA, judge=squares)
    assert judged.realism_by == "discriminator"
    np.testing.assert_allclose(judged.realism, squares.realism(judged.stimuli), rtol=1e-6)
    assert np.isnan(judged.step_perceptual[0]) and np.isfinite(judged.step_perceptual[1:]).all()
    expected = np.linalg.norm(np.diff(judged.stimuli**2, axis=0), axis=1)
    np.testing.assert_allclose(judged.step_perceptual[1:], expected, rtol=1e-5)
    assert continuum(squares, ANCHORS, DATA).realism_by == "discriminator"


def test_mixed_stimuli_are_averages_of_the_decoded_anchors(squares):
    found = continuum(squares, ANCHORS, DATA, n_steps=9)
    for t, mixed in zip(found.t, found.mixed, strict=True):
        leg = min(int(t), 1)
        expected = (leg + 1 - t) * ANCHORS[leg] ** 2 + (t - leg) * ANCHORS[leg + 1] ** 2
        np.testing.assert_allclose(mixed, expected, rtol=1e-5)


def test_a_decoder_that_shows_no_difference_still_gets_even_steps():
    class Blind(Identity):
        def decode(self, z: np.ndarray, /) -> np.ndarray:
            return np.zeros_like(z)

    found = continuum(Blind(), ANCHORS, DATA, n_steps=7, spacing="pixels")
    np.testing.assert_allclose(found.t, np.linspace(0, 2, 7), atol=1e-12)
    one = continuum(Identity(), ANCHORS[[0, 0, 1]], DATA, n_steps=4, kind="neighbours")
    np.testing.assert_array_equal(one.anchors, [0, 1, 3])


@given(
    lengths=st.lists(st.floats(0, 1e3).filter(lambda x: x == 0 or x > 1e-6), min_size=1, max_size=4),
    more=st.integers(0, 6),
)
@settings(deadline=None)
def test_steps_are_allotted_so_that_the_largest_is_smallest(lengths: list[float], more: int):
    steps = allot(np.array(lengths), len(lengths) + more)
    assert steps.sum() == len(lengths) + more and steps.min() >= 1
    best = min(
        max(length / n for length, n in zip(lengths, other, strict=True))
        for other in np.ndindex(*[more + 1] * len(lengths))
        if sum(other) == more
        for other in [[n + 1 for n in other]]
    )
    assert max(length / n for length, n in zip(lengths, steps, strict=True)) == pytest.approx(best)


def test_a_table_has_a_row_a_step(squares):
    found = continuum(squares, ANCHORS, DATA, n_steps=6)
    frame = found.to_frame()
    names = ["leg", "t", "z1", "z2", "realism", "step_latent", "step_pixels", "step_perceptual"]
    assert list(frame.columns) == names and frame.index.name == "step" and len(frame) == 6
    np.testing.assert_array_equal(frame[["z1", "z2"]].to_numpy(), found.codes)
    np.testing.assert_array_equal(frame["step_pixels"].to_numpy(), found.step_pixels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "cubic"}, "kind must be one of linear, spherical, neighbours, got 'cubic'"),
        ({"spacing": "even"}, "spacing must be one of latent, pixels, perceptual, got 'even'"),
        ({"anchors": ANCHORS[:1]}, "anchors must be at least 2 codes, (a, d), got shape (1, 2)"),
        ({"anchors": ANCHORS[0]}, "anchors must be at least 2 codes, (a, d), got shape (2,)"),
        ({"anchors": ANCHORS * np.nan}, "anchors must be finite, got NaN or infinity"),
        ({"data": np.zeros((4, 3))}, "anchors must have the 3 dimensions of the data, got 2"),
        ({"n_steps": 2}, "n_steps must be at least one an anchor, 3 here, got 2"),
        (
            {"spacing": "perceptual"},
            "spacing='perceptual' needs a codec or judge with features, such as a GAIA's, got Linear",
        ),
        (
            {"kind": "spherical", "anchors": np.array([[2.0, 0.0], [0.0, 1.0], [0.0, -3.0]]), "data": np.zeros((2, 2))},
            "anchors must not lie on opposite sides of the centre; put another anchor between them,"
            " got anchors 1 and 2",
        ),
        ({"anchors": np.full((2, 2), 3e38)}, "codec must decode the path to finite stimuli, got NaN or infinity"),
    ],
)
def test_what_makes_no_continuum_is_named(changes: dict[str, Any], message: str, linear):
    arguments: dict[str, Any] = {"anchors": ANCHORS, "data": DATA} | changes
    linear.a = linear.a * 1000 if "finite stimuli" in message else linear.a
    with (
        pytest.raises((ValueError, TypeError), match=re.escape(message) + "$"),
        np.errstate(over="ignore", invalid="ignore"),
    ):
        continuum(linear, **arguments)
