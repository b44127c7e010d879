"""Legs: ways from one anchor to the next, as curves."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

OPPOSITE = 1e-6
"""Anchors are opposite where the sine of their angle is less than this, and they lie on two sides of the centre."""


class Leg(NamedTuple):
    """A curve from an anchor to the next.

    Parameters
    ----------
    at
        Codes ``(m, d)`` at positions ``(m,)`` from 0, the first anchor, to 1, the second.
    corners
        Positions where the curve bends at once, which a measurement of its length must not cut.
    """

    at: Callable[[Float64[np.ndarray, " m"]], Float64[np.ndarray, "m d"]]
    corners: Float64[np.ndarray, " c"]


def linear(start: Float64[np.ndarray, " d"], end: Float64[np.ndarray, " d"]) -> Leg:
    """The straight line."""
    return Leg(lambda u: (1 - u)[:, None] * start + u[:, None] * end, np.zeros(0))


def spherical(
    start: Float64[np.ndarray, " d"], end: Float64[np.ndarray, " d"], centre: Float64[np.ndarray, " d"]
) -> Leg:
    """Around a centre: the direction turns by equal angles in one plane, the distance to the centre changes evenly.

    Anchors that are nearly in one direction are joined by nearly a straight line. An anchor at the centre has no
    direction, and is joined by a straight line.

    Source: White 2016 (arXiv:1609.04468), for Gaussian priors in many dimensions, whose mass is a shell that straight
    lines leave. Departs from it in the centre, which for codes without a prior need not be the origin, and where
    anchors lie at unequal distances from it: White's weights of the two anchors change the distance unevenly.

    Raises
    ------
    ValueError
        Where the anchors lie on opposite sides of the centre, so that all planes through it are as good.
    """
    a, b = start - centre, end - centre
    radii = np.linalg.norm(a), np.linalg.norm(b)
    if min(radii) == 0:
        return linear(start, end)
    first = a / radii[0]
    along = b @ first / radii[1]
    across = b / radii[1] - along * first
    sine = np.linalg.norm(across)
    if sine < OPPOSITE and along < 0:
        raise ValueError("anchors must not lie on opposite sides of the centre; put another anchor between them")
    angle = np.arctan2(sine, along)
    second = across / sine if sine > 0 else np.zeros_like(across)

    def at(u: Float64[np.ndarray, " m"]) -> Float64[np.ndarray, "m d"]:
        radius = (1 - u) * radii[0] + u * radii[1]
        direction = np.cos(u * angle)[:, None] * first + np.sin(u * angle)[:, None] * second
        return centre + radius[:, None] * direction

    return Leg(at, np.zeros(0))


def polyline(corners: Float64[np.ndarray, "v d"]) -> Leg:
    """Straight from corner to corner, positions in shares of the whole length."""
    reached = np.append(0.0, np.linalg.norm(np.diff(corners, axis=0), axis=1).cumsum())
    if reached[-1] == 0:
        return linear(corners[0], corners[-1])
    shares = reached / reached[-1]
    return Leg(lambda u: np.stack([np.interp(u, shares, axis) for axis in corners.T], axis=1), shares)
