"""Two-dimensional pictures of latent codes, for eyes: PCA and UMAP, with their ways back to codes."""

import threading
from dataclasses import dataclass
from typing import Any, Protocol, final, runtime_checkable

import numpy as np
from jaxtyping import Float, Float64, Shaped
from scipy.spatial import KDTree

FEWEST = 4
"""Codes that UMAP needs at least: its spectral start takes three eigenvectors of their graph, which must have more."""

COMPUTING = threading.Lock()
"""Held while UMAP works, whoever asks: the workqueue layer that Numba falls back on is not thread-safe.

Source: Numba's documentation, "The threading layers".
"""


@runtime_checkable
class Embedding(Protocol):
    """Codes laid out in a plane, with a way there and a way back."""

    @property
    def points(self) -> np.ndarray:
        """Where the embedded codes lie, ``(n, 2)``."""
        ...

    def embed(self, z: np.ndarray, /) -> np.ndarray:
        """Points ``(m, 2)`` of codes ``(m, d)``."""
        ...

    def invert(self, points: np.ndarray, /) -> np.ndarray:
        """Codes ``(m, d)`` of points ``(m, 2)``."""
        ...


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class LinearEmbedding:
    """The shadow of codes on a plane, which leads back on to the plane exactly.

    Attributes
    ----------
    points
        The embedded codes.
    origin
        The code at (0, 0).
    directions
        Two orthonormal directions.
    """

    points: Float64[np.ndarray, "n 2"]
    origin: Float64[np.ndarray, " d"]
    directions: Float64[np.ndarray, "2 d"]

    def embed(self, z: Float[np.ndarray, "m d"]) -> Float64[np.ndarray, "m 2"]:
        """Project codes on to the plane at right angles."""
        return (z - self.origin) @ self.directions.T

    def invert(self, points: Float[np.ndarray, "m 2"]) -> Float64[np.ndarray, "m d"]:
        """The codes on the plane at these points."""
        return self.origin + points @ self.directions


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class UMAPEmbedding:
    """Codes as UMAP lays them out: near codes lie near each other, and far distances mean little.

    Attributes
    ----------
    points
        The embedded codes.
    reducer
        UMAP's own object.
    """

    points: Float64[np.ndarray, "n 2"]
    reducer: Any

    def embed(self, z: Float[np.ndarray, "m d"]) -> Float64[np.ndarray, "m 2"]:
        """Lay further codes out among the embedded ones. The first call may take half a minute."""
        with COMPUTING:
            return np.asarray(self.reducer.transform(np.asarray(z, np.float32)), np.float64)

    def invert(self, points: Float[np.ndarray, "m 2"]) -> Float64[np.ndarray, "m d"]:
        """Codes that UMAP takes for the points': seconds each. :func:`back_project` is for live use."""
        with COMPUTING:
            return np.asarray(self.reducer.inverse_transform(np.asarray(points, np.float32)), np.float64)


def pca(z: Shaped[np.ndarray, "n d"]) -> LinearEmbedding:
    """Lay codes out along the two directions in which they vary most.

    Each direction points where its largest coefficient is positive, so that the same codes give the same picture.
    """
    codes = _codes(z)
    origin = codes.mean(axis=0)
    # The covariance rather than the codes, of which there may be many more than dimensions.
    directions = np.linalg.eigh((codes - origin).T @ (codes - origin))[1][:, :-3:-1].T
    largest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[[0, 1], largest])[:, None]
    return LinearEmbedding(points=(codes - origin) @ directions.T, origin=origin, directions=directions)


def umap(
    z: Shaped[np.ndarray, "n d"], *, n_neighbours: int = 15, min_dist: float = 0.1, seed: int = 0
) -> UMAPEmbedding:
    """Lay codes out by UMAP (McInnes, Healy & Melville 2018, arXiv:1802.03426), 4 or more.

    It takes seconds to half a minute; of two calls from two threads, one waits for the other.

    Parameters
    ----------
    n_neighbours
        Neighbours that each code keeps: few for fine detail, many for the whole; from 2 to n − 1.
    min_dist
        How close points may be packed.
    seed
        One seed gives one picture, at the price of UMAP's parallel threads.
    """
    codes = _codes(z)
    if len(codes) < FEWEST:
        raise ValueError(f"z must hold {FEWEST} codes or more for UMAP, got {len(codes)}")
    if not 2 <= n_neighbours < len(codes):
        raise ValueError(
            f"n_neighbours must be from 2 to {len(codes) - 1}, one less than the codes, got {n_neighbours}"
        )
    with COMPUTING:
        # Half a minute where nothing is compiled yet: only who asks for it pays.
        from umap import UMAP

        reducer = UMAP(n_neighbors=n_neighbours, min_dist=min_dist, random_state=seed, n_jobs=1)
        points = reducer.fit_transform(codes.astype(np.float32))
    return UMAPEmbedding(points=np.asarray(points, np.float64), reducer=reducer)


def back_project(
    embedding: Embedding, z: Shaped[np.ndarray, "n d"], points: Float[np.ndarray, "m 2"], *, n_neighbours: int = 8
) -> Float64[np.ndarray, "m d"]:
    """Codes of any points of an embedding, as mixtures of the codes whose points are nearest: under a millisecond.

    Parameters
    ----------
    z
        The embedded codes, one a point of the embedding.
    n_neighbours
        Codes in a mixture. They weigh as the inverse square of their distance, and a point of the embedding gets its
        own code.
    """
    codes = _codes(z)
    if len(codes) != len(embedding.points):
        raise ValueError(f"z must hold the {len(embedding.points)} embedded codes, got {len(codes)}")
    distances, rows = _nearest(embedding.points, points, min(n_neighbours, len(codes)))
    # On a point, its own weight is so large that the others vanish.
    weights = 1 / np.maximum(distances, 1e-9 * (np.ptp(embedding.points) or 1)) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    return np.einsum("mk,mkd->md", weights, codes[rows])


def _nearest(
    points: Float[np.ndarray, "n 2"], others: Float[np.ndarray, "m 2"], n_neighbours: int
) -> tuple[Float64[np.ndarray, "m k"], Shaped[np.ndarray, "m k"]]:
    distances, rows = KDTree(points).query(others, k=n_neighbours)
    return np.reshape(distances, (len(others), -1)), np.reshape(rows, (len(others), -1))


def _codes(z: Shaped[np.ndarray, "n d"]) -> Float64[np.ndarray, "n d"]:
    """Check codes, and return them in double precision."""
    if z.dtype.kind not in "fiu" or z.ndim != 2 or len(z) < 3 or z.shape[1] < 2:
        raise ValueError(f"z must hold numbers, 3 codes or more of 2 dimensions or more, got {z.dtype} {z.shape}")
    bad = int((~np.isfinite(z)).any(axis=1).sum())
    if bad:
        raise ValueError(f"z must be finite, got {bad} of {len(z)} codes that are not")
    return z.astype(np.float64)
