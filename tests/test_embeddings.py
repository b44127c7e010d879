"""Embeddings: PCA against scikit-learn, UMAP, and the ways back to codes."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from gaia_explore.embeddings import Embedding, back_project, pca, umap


def codes(n: int = 60, d: int = 5) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(n, d)) * np.arange(1, d + 1) + 3


def test_pca_is_that_of_scikit_learn_up_to_the_signs_of_its_axes():
    z = codes()
    ours, theirs = pca(z), PCA(2).fit_transform(z)
    assert isinstance(ours, Embedding)
    np.testing.assert_allclose(np.abs(ours.points), np.abs(theirs), atol=1e-9)
    assert (ours.directions[[0, 1], np.abs(ours.directions).argmax(axis=1)] > 0).all()


def test_the_plane_of_pca_leads_to_codes_and_back_exactly():
    ours = pca(codes().astype(np.float32))
    points = np.random.default_rng(1).normal(size=(9, 2))
    np.testing.assert_allclose(ours.embed(ours.invert(points)), points, atol=1e-12)
    flat = codes(d=2)
    np.testing.assert_allclose(pca(flat).invert(pca(flat).embed(flat)), flat, atol=1e-12)


def test_back_projection_gives_an_embedded_point_its_own_code_and_others_a_mixture():
    z = codes()
    embedding = pca(z)
    np.testing.assert_allclose(back_project(embedding, z, embedding.points), z, rtol=1e-6)
    between = back_project(embedding, z, embedding.points[:5] + 0.3, n_neighbours=3)
    assert (between >= z.min(axis=0)).all() and (between <= z.max(axis=0)).all()
    one = back_project(embedding, z, embedding.points[:5] + 1e-4, n_neighbours=1)
    np.testing.assert_array_equal(one, z[:5])
    few = pca(z[:4])
    assert back_project(few, z[:4], np.zeros((2, 2))).shape == (2, 5)


@pytest.mark.no_cover  # what Numba compiles takes twice as long under it
@pytest.mark.slow
def test_umap_keeps_two_clusters_apart_and_leads_back_near_the_codes():
    z = np.random.default_rng(0).normal(size=(80, 3), scale=0.3)
    z[40:] += 5
    embedding = umap(z, n_neighbours=8)
    assert isinstance(embedding, Embedding)
    first, second = embedding.points[:40], embedding.points[40:]
    apart = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
    assert apart > 3 * max(np.ptp(first, axis=0).max(), np.ptp(second, axis=0).max()) / 2
    np.testing.assert_array_equal(umap(z, n_neighbours=8).points, embedding.points)
    # A new code lies with its cluster, and a point of a cluster leads back there.
    assert np.linalg.norm(embedding.embed(z[:1] + 0.01) - first.mean(axis=0)) < apart / 2
    np.testing.assert_allclose(embedding.invert(second[:2]), z[40:42], atol=2)


@pytest.mark.parametrize(
    ("z", "message"),
    [
        (np.zeros((2, 3)), r"z must hold numbers, 3 codes or more of 2 dimensions or more, got float64 \(2, 3\)"),
        (np.zeros((5, 1)), r"got float64 \(5, 1\)"),
        (np.full((5, 2), "a"), r"got <U1 \(5, 2\)"),
        (np.array([[0, 1], [np.nan, 1], [2, 3]]), r"z must be finite, got 1 of 3 codes that are not"),
    ],
)
def test_codes_that_cannot_be_embedded_are_named(z: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        pca(z)


def test_one_umap_works_at_a_time_whoever_asks(monkeypatch: pytest.MonkeyPatch):
    at_work, most = [0], [0]

    class Busy:
        """UMAP's object, which notes how many of them work at once."""

        def __init__(self, **parameters: Any): ...

        def fit_transform(self, z: np.ndarray) -> np.ndarray:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
            time.sleep(0.02)
            at_work[0] -= 1
            return z[:, :2]

        transform = inverse_transform = fit_transform

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=Busy))
    z = codes()
    embedding = umap(z)
    with ThreadPoolExecutor(6) as pool:
        asked = [lambda: umap(z), lambda: embedding.embed(z), lambda: embedding.invert(z[:, :2])] * 2
        assert len([future.result() for future in [pool.submit(ask) for ask in asked]]) == 6
    assert most == [1]


def test_neighbours_and_codes_out_of_range_are_named():
    with pytest.raises(ValueError, match=r"z must hold 4 codes or more for UMAP, got 3"):
        umap(codes()[:3], n_neighbours=2)
    with pytest.raises(ValueError, match=r"n_neighbours must be from 2 to 59, one less than the codes, got 60"):
        umap(codes(), n_neighbours=60)
    with pytest.raises(ValueError, match=r"z must hold the 60 embedded codes, got 59"):
        back_project(pca(codes()), codes()[1:], np.zeros((1, 2)))
