"""Support of the data: whether points lie among the training stimuli."""

import numpy as np
from jaxtyping import Float64, Shaped
from scipy.spatial import KDTree

from gaia_explore.scores.points import flat_points


def support_radius(
    train: Shaped[np.ndarray, "n ..."], held_out: Shaped[np.ndarray, "m ..."], *, quantile: float = 0.99
) -> float:
    """Distance to the nearest training stimulus that this share of held-out stimuli does not exceed.

    What lies farther from all training stimuli is off the support of the data.
    """
    if not 0 < quantile <= 1:
        raise ValueError(f"quantile must be above 0 and at most 1, got {quantile}")
    return float(np.quantile(_nearest("held_out", held_out, train), quantile, method="inverted_cdf"))


def on_support(points: Shaped[np.ndarray, "n ..."], train: Shaped[np.ndarray, "m ..."], radius: float) -> float:
    """Share of points within `radius` (see :func:`support_radius`) of a training stimulus."""
    if not radius >= 0:
        raise ValueError(f"radius must be at least 0, got {radius}")
    return float((_nearest("points", points, train) <= radius).mean())


def _nearest(
    argument: str, points: Shaped[np.ndarray, "..."], train: Shaped[np.ndarray, "..."]
) -> Float64[np.ndarray, " n"]:
    """Distance of each point to the nearest training stimulus."""
    flat, stimuli = flat_points(argument, points), flat_points("train", train)
    if flat.shape[1] != stimuli.shape[1]:
        raise ValueError(f"{argument} must have the {stimuli.shape[1]} dimensions of train, got {flat.shape[1]}")
    return KDTree(stimuli).query(flat)[0]
