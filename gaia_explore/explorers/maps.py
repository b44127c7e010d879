"""What lies behind the points of a plane: how realistic its stimuli are, and how dense the data."""

import numpy as np
from jaxtyping import Float, Float64, Shaped
from scipy.ndimage import gaussian_filter

from gaia_explore.explorers.planes import USUAL, Neighbours, Plane
from gaia_explore.latent import Codec, Judge
from gaia_explore.stimuli import Stimuli
from gaia_explore.stimuli.scaling import to_unit

SHARES = (0.25, 0.5, 0.75, 0.95)
"""Shares of the stimuli that the density's contours hold."""

SAMPLE = 200
"""Stimuli of the data that are judged, to know what is usual."""

CORNERS = ((0, 0), (0, 1), (1, 1), (1, 0))


def judged_by(codec: object) -> str:
    """What tells how far a decoded stimulus is from the data: the discriminator where there is one, else its code."""
    return "discriminator's error" if isinstance(codec, Judge) else "distance to the nearest code"


def realism_of(
    codec: Codec,
    neighbours: Neighbours,
    codes: Float[np.ndarray, "m d"],
    decoded: Shaped[np.ndarray, "m *x"] | None = None,
) -> Float64[np.ndarray, " m"]:
    """How far what codes decode to is from the data, by what :func:`judged_by` says: small on the manifold.

    What is ``decoded`` already is not decoded again.
    """
    if isinstance(codec, Judge):
        decoded = codec.decode(codes.astype(np.float32)) if decoded is None else decoded
        return np.asarray(codec.realism(decoded), np.float64)
    return neighbours(codes)[0]


def usual_realism(stimuli: Stimuli, neighbours: Neighbours, judge: object) -> float:
    """What the error, by what :func:`judged_by` says, of 95 % of the data does not exceed."""
    if not isinstance(judge, Judge):
        return neighbours.largest_usual
    rows = np.unique(np.linspace(0, len(stimuli) - 1, SAMPLE).astype(int))
    return float(np.quantile(judge.realism(np.asarray(to_unit(stimuli.x[rows]), np.float32)), USUAL))


def density(plane: Plane, n: int = 96) -> Float64[np.ndarray, "n n"]:
    """Share of the points near each cell of the extent, from the top left: counts under a Gaussian of Scott's width.

    Source: Scott 1992, Multivariate Density Estimation, for two dimensions.
    """
    left, right, bottom, top = plane.extent
    counts = np.histogram2d(plane.points[:, 1], plane.points[:, 0], bins=n, range=((bottom, top), (left, right)))[0]
    width = len(plane.points) ** (-1 / 6) * plane.points.std(axis=0)[::-1] * n / (right - left)
    return gaussian_filter(counts[::-1], np.maximum(width[:2] / 2, 0.8)) / len(plane.points)


def levels(values: Float64[np.ndarray, "n n"], shares: tuple[float, ...] = SHARES) -> Float64[np.ndarray, " k"]:
    """Densities above which these shares of the points lie."""
    ranked = np.sort(values, axis=None)[::-1]
    held = np.cumsum(ranked) / (ranked.sum() or 1)
    return ranked[np.minimum(np.searchsorted(held, shares), len(ranked) - 1)]


def contour(
    values: Float64[np.ndarray, "n n"], level: float, extent: tuple[float, float, float, float]
) -> Float64[np.ndarray, "s 4"]:
    """Line segments (from x, y to x, y) where a map from the top left crosses a level: marching squares.

    Source: Lorensen & Cline 1987, in two dimensions; a saddle is cut in two ways, both drawn.
    """
    left, right, _, top = extent
    n = len(values)
    step = (right - left) / n
    i, j = np.mgrid[: n - 1, : n - 1].reshape(2, -1)
    corners = np.stack([values[i + down, j + along] - level for down, along in CORNERS])
    places = [np.stack([left + (j + along + 0.5) * step, top - (i + down + 0.5) * step]) for down, along in CORNERS]
    crossings, crossed = [], []
    for side in range(4):
        a, b = corners[side], corners[(side + 1) % 4]
        cross = (a > 0) != (b > 0)
        share = np.divide(a, a - b, out=np.zeros_like(a), where=cross)
        crossings.append(places[side] + share * (places[(side + 1) % 4] - places[side]))
        crossed.append(cross)
    segments = []
    for first in range(4):
        for second in range(first + 1, 4):
            both = crossed[first] & crossed[second]
            segments.append(np.concatenate([crossings[first][:, both], crossings[second][:, both]]).T)
    return np.concatenate(segments)
