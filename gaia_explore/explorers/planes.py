"""The plane that an explorer walks in: where its codes lie there, and which code each of its points stands for."""

from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from jaxtyping import Float, Float64, Integer
from scipy.spatial import ConvexHull, KDTree, QhullError

from gaia_explore.embeddings import Embedding, LinearEmbedding, back_project, pca, umap
from gaia_explore.geometry import span_plane

USUAL = 0.95
"""What so large a share of the data is called usual."""

MARGIN = 0.08
"""Free space around the points, as a share of their extent."""


@final
@dataclass(frozen=True, eq=False)
class Plane:
    """Codes laid out in a plane.

    Attributes
    ----------
    z
        The codes of the stimuli.
    embedding
        Where they lie.
    axes
        What to write along the two sides.
    flat
        Whether a point stands for the code on the plane there; otherwise, for a mixture of the codes that lie nearest
        to it, which stays among the data.
    """

    z: Float64[np.ndarray, "n d"]
    embedding: Embedding
    axes: tuple[str, str]
    flat: bool = False

    @property
    def points(self) -> Float64[np.ndarray, "n 2"]:
        """Where the codes lie."""
        return self.embedding.points

    @cached_property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of the square that shows every point."""
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        middle, half = (low + high) / 2, ((high - low).max() / 2 or 1) * (1 + 2 * MARGIN)
        (left, bottom), (right, top) = middle - half, middle + half
        return float(left), float(right), float(bottom), float(top)

    def lift(self, points: Float[np.ndarray, "m 2"]) -> Float64[np.ndarray, "m d"]:
        """The codes that points of the plane stand for."""
        if self.flat:
            return self.embedding.invert(points)
        return back_project(self.embedding, self.z, points)

    def grid(self, n: int) -> Float64[np.ndarray, "n_n 2"]:
        """The middles of n × n cells of the extent, from the top left, row by row."""
        left, right, _, top = self.extent
        step = (right - left) / n
        across = left + step * (np.arange(n) + 0.5)
        down = top - step * (np.arange(n) + 0.5)
        return np.stack(np.meshgrid(across, down), axis=-1).reshape(-1, 2)

    @cached_property
    def hull(self) -> Float64[np.ndarray, "h 2"]:
        """Corners of the points' convex hull in order; none where they lie on a line."""
        try:
            return self.points[ConvexHull(self.points).vertices]
        except QhullError:
            return np.zeros((0, 2))


def check_place(argument: str, place: tuple[float, ...]):
    """Raise unless this is a place in a plane."""
    if len(place) != 2 or not np.isfinite(place).all():
        raise ValueError(f"{argument} must be two finite numbers, got {place}")


@final
class Neighbours:
    """Finds the stimuli whose codes are nearest, and knows how near is usual.

    Parameters
    ----------
    z
        The codes of the stimuli.

    Attributes
    ----------
    usual, largest_usual
        How far a code's nearest other is: the median, and what 95 % of them do not exceed.
    """

    def __init__(self, z: Float64[np.ndarray, "n d"]):
        self._tree = KDTree(z)
        some = z[:: max(len(z) // 500, 1)]
        distances = self._tree.query(some, k=2)[0][:, 1]
        self.usual = float(np.median(distances))
        self.largest_usual = float(np.quantile(distances, USUAL))

    def __call__(self, codes: Float[np.ndarray, "m d"]) -> tuple[Float64[np.ndarray, " m"], Integer[np.ndarray, " m"]]:
        """Distance to the nearest code, and its row."""
        distances, rows = self._tree.query(codes)
        return np.asarray(distances), np.asarray(rows)

    def of(self, row: int, k: int) -> tuple[Float64[np.ndarray, " k"], Integer[np.ndarray, " k"]]:
        """Distances to the k other codes that are nearest to one, and their rows, in order."""
        distances, rows = self._tree.query(self._tree.data[row], k=min(k + 1, self._tree.n))
        others = np.asarray(rows) != row
        return np.asarray(distances)[others][:k], np.asarray(rows)[others][:k]


def make_plane(
    z: Float64[np.ndarray, "n d"], kind: str, dimensions: tuple[int, ...], anchors: tuple[int, ...]
) -> Plane:
    """Lay codes out along two "dimensions", by "PCA", by "UMAP", or on the plane of three "stimuli" (their rows)."""
    if kind == "PCA":
        return Plane(z, pca(z), ("first principal component", "second principal component"))
    if kind == "UMAP":
        return Plane(z, umap(z, n_neighbours=min(15, len(z) - 1)), ("UMAP, first axis", "UMAP, second axis"))
    if kind == "stimuli":
        axes = (f"from stimulus {anchors[0]} to {anchors[1]}", f"towards stimulus {anchors[2]}")
        origin, directions = span_plane(z, z[list(anchors)])
    else:
        across, up = dimensions
        axes = (f"z{across + 1}", f"z{up + 1}")
        origin, directions = span_plane(z, (across, up))
    flat = LinearEmbedding(points=(z - origin) @ directions.T, origin=origin, directions=directions)
    return Plane(z, flat, axes, flat=True)


def far_apart(z: Float64[np.ndarray, "n d"]) -> tuple[int, int, int]:
    """Rows of three codes: the one farthest from the middle, the one farthest from it, and the one from both."""
    distances = np.linalg.norm(z - z.mean(axis=0), axis=1)
    first = int(distances.argmax())
    distances = np.linalg.norm(z - z[first], axis=1)
    second = int(distances.argmax())
    along = (z[second] - z[first]) / (distances[second] or 1)
    off = z - z[first]
    third = int(np.linalg.norm(off - np.outer(off @ along, along), axis=1).argmax())
    return first, second, third
