"""What every score asks of a set of points."""

import numpy as np
from jaxtyping import Float64, Shaped

from gaia_explore.stimuli import Stimuli


def arrays(*stimuli: Stimuli | Shaped[np.ndarray, "..."]) -> list[Shaped[np.ndarray, "..."]]:
    """The arrays of sets of stimuli; arrays stay what they are."""
    return [s.x if isinstance(s, Stimuli) else s for s in stimuli]


def flat_points(argument: str, points: Shaped[np.ndarray, "..."], *, at_least: int = 1) -> Float64[np.ndarray, "n p"]:
    """Check a set of points, and return it with each point flat."""
    points = np.asarray(points)
    if points.dtype.kind not in "fiu":
        raise TypeError(f"{argument} must be an array of numbers, got {points.dtype}")
    if points.ndim < 2:
        raise ValueError(f"{argument} must hold one point a row, got shape {points.shape}")
    if len(points) < at_least:
        raise ValueError(f"{argument} must hold at least {at_least} points, got {len(points)}")
    flat = points.reshape(len(points), -1).astype(np.float64)
    bad = (~np.isfinite(flat)).any(axis=1).sum()
    if bad:
        raise ValueError(f"{argument} must be finite, got {bad} of {len(flat)} points that are not")
    return flat
