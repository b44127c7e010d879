"""Neighbourhoods: the shortest ways along the codes of data."""

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from gaia_explore.paths import Neighbourhood


def grid(n: int) -> np.ndarray:
    return np.stack(np.meshgrid(np.arange(n), np.arange(n), indexing="ij"), -1).reshape(-1, 2).astype(np.float32)


def length(corners: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(corners.astype(float), axis=0), axis=1).sum())


def shortest_by_brute_force(codes: np.ndarray, k: int, start: np.ndarray, end: np.ndarray) -> float:
    """Floyd and Warshall's lengths of all ways, of a graph joined by sorting all distances."""
    own = cdist(codes, codes)
    edges = np.full((len(codes) + 2,) * 2, np.inf)
    for row, distances in enumerate(own):
        for column in np.argsort(distances, kind="stable")[1 : k + 1]:
            edges[row, column] = edges[column, row] = distances[column]
    for node, code in ((-2, start), (-1, end)):
        distances = np.linalg.norm(codes - code, axis=1)
        for column in np.argsort(distances, kind="stable")[:k]:
            edges[node, column] = edges[column, node] = distances[column]
    apart = np.linalg.norm(start - end)
    if min((np.linalg.norm(codes - code, axis=1) < apart).sum() for code in (start, end)) < k:
        edges[-1, -2] = edges[-2, -1] = apart
    for middle in range(len(edges)):
        edges = np.minimum(edges, edges[:, middle, None] + edges[None, middle])
    return edges[-2, -1]


def test_on_a_small_grid_the_way_goes_along_its_edges_with_the_length_of_city_blocks():
    codes = grid(5) * np.array([1.0, 1.1], np.float32)
    neighbourhood = Neighbourhood(codes, n_neighbours=4)
    way = neighbourhood.way(codes[6], codes[18])
    np.testing.assert_array_equal(way[[0, -1]], codes[[6, 18]])
    # Inside the grid four neighbours are those along its lines; to (3, 3) there are 2 blocks each way.
    assert length(way) == pytest.approx(2 * 1.0 + 2 * 1.1, rel=1e-6)
    assert all(np.any(np.all(codes == corner, axis=1)) for corner in way)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**31), n=st.integers(8, 25), k=st.integers(3, 30), on_data=st.booleans())
def test_ways_are_as_short_as_brute_force_finds(seed: int, n: int, k: int, on_data: bool):
    rng = np.random.default_rng(seed)
    codes = rng.normal(size=(n, 3)).astype(np.float32)
    start, end = codes[:2] if on_data else rng.normal(size=(2, 3)).astype(np.float32)
    expected = shortest_by_brute_force(codes.astype(float), k, start.astype(float), end.astype(float))
    found = length(Neighbourhood(codes, n_neighbours=k).way(start, end))
    if np.isfinite(expected):  # else a bridge is crossed, of which there is a test below
        assert found == pytest.approx(expected, rel=1e-6)


def test_pieces_are_bridged_by_their_nearest_pairs():
    left, right, far = (grid(3) + np.array(shift) for shift in ([0, 0], [10, 0], [5, 30]))
    codes = np.concatenate([left, right, far]).astype(np.float32)
    neighbourhood = Neighbourhood(codes, n_neighbours=2)
    crossed = {tuple(sorted(pair)) for pair in pairwise(neighbourhood.route(codes[0], codes[17]).tolist())}
    bridges = [(i, j) for i, j in crossed if (i < 9) != (j < 9)]
    assert len(bridges) == 1
    assert np.linalg.norm(codes[bridges[0][0]] - codes[bridges[0][1]]) == pytest.approx(8)
    over = neighbourhood.way(codes[0], codes[26])
    np.testing.assert_array_equal(over[[0, -1]], codes[[0, 26]])


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**31), pieces=st.integers(1, 7), k=st.integers(1, 3))
def test_there_is_always_a_way(seed: int, pieces: int, k: int):
    rng = np.random.default_rng(seed)
    centres = 100 * rng.normal(size=(pieces, 1, 2))
    codes = (centres + rng.normal(size=(pieces, 6, 2))).reshape(-1, 2).astype(np.float32)
    neighbourhood = Neighbourhood(codes, n_neighbours=k)
    for start, end in pairwise(codes[::5]):
        way = neighbourhood.way(start, end)
        np.testing.assert_array_equal(way[[0, -1]], [start, end])
        assert length(way) < np.inf


def test_equal_codes_are_one_and_its_first_row_stands_for_all():
    # Twelve copies of each would be each other's only neighbours.
    codes = np.repeat(np.arange(6, dtype=np.float32)[:, None], 12, axis=0)
    neighbourhood = Neighbourhood(codes, n_neighbours=2)
    route = neighbourhood.route(np.array([0.5], np.float32), np.array([4.5], np.float32))
    assert set(route.tolist()) <= set(range(0, 72, 12))
    np.testing.assert_array_equal(neighbourhood.way(codes[0], codes[-1])[[0, -1]], [[0], [5]])


def test_where_all_codes_are_one_the_way_goes_past_it_or_straight():
    neighbourhood = Neighbourhood(np.ones((4, 2)))
    np.testing.assert_array_equal(neighbourhood.way(np.array([0.0, 0.0]), np.array([3.0, 0.0])), [[0, 0], [3, 0]])
    np.testing.assert_array_equal(neighbourhood.way(np.ones(2), np.ones(2)), [[1, 1]])


def test_distance_is_that_to_the_nearest_code_and_zero_at_one():
    rng = np.random.default_rng(0)
    codes, z = rng.normal(size=(50, 20)).astype(np.float32), rng.normal(size=(7, 20)).astype(np.float32)
    neighbourhood = Neighbourhood(codes)
    np.testing.assert_allclose(neighbourhood.distance(z), cdist(z, codes).min(1), rtol=1e-6)
    np.testing.assert_array_equal(neighbourhood.distance(codes), 0)
    np.testing.assert_allclose(neighbourhood.centre, codes.astype(float).mean(0))


@pytest.mark.parametrize(
    ("codes", "n_neighbours", "message"),
    [
        (np.zeros(3), 1, "codes must be at least 1 code, (n, d), got shape (3,)"),
        (np.zeros((0, 3)), 1, "codes must be at least 1 code, (n, d), got shape (0, 3)"),
        (np.array([[0.0], [np.nan]]), 1, "codes must be finite, got NaN or infinity at row 1"),
        (np.zeros((3, 2)), 0, "n_neighbours must be at least 1, got 0"),
    ],
)
def test_what_makes_no_neighbourhood_is_named(codes: np.ndarray, n_neighbours: int, message: str):
    with pytest.raises(ValueError, match=re.escape(message)):
        Neighbourhood(codes, n_neighbours=n_neighbours)
