"""Planar sets: the classic five of scikit-learn's clustering comparison, and two curves.

A seed draws another sample of the same set: the shapes and the centres of the blobs never move.

Source
------
Sainburg et al. 2018, arXiv:1807.06650, section 3.1, which uses five sets of scikit-learn's without naming them. These
are the five that scikit-learn's comparison of clusterings has made familiar.
"""

from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from gaia_explore.stimuli.splitting import check_seed
from gaia_explore.stimuli.stimuli import Stimuli

PLANAR_SETS = ("circles", "moons", "blobs", "aniso", "varied")

# Where make_blobs puts three centres for random_state=8 (blobs) and 170 (aniso and varied), the comparison's own seeds.
_BLOBS = (
    (7.4685880558363245, 9.37081325641864),
    (7.383890804278398, 0.617113831111979),
    (-5.345433440454186, -9.772023914451403),
)
_SLANTED_BLOBS = (
    (-8.947091648044037, -5.462764348304834),
    (-4.5893898890314855, 0.08876178234712206),
    (1.938754323521918, 0.5051361256709956),
)
_SHEAR = ((0.6, -0.6), (-0.4, 0.8))


def circles(n: int = 4096, seed: int = 0) -> Stimuli:
    """Two circles, one in the other at half its radius, noise 0.05. Attribute `label`: 0 outer, 1 inner."""
    from sklearn.datasets import make_circles

    _check(n, 2, seed)
    x, label = make_circles(n, factor=0.5, noise=0.05, random_state=seed)
    return Stimuli.from_array(x, attributes={"label": label}, title="circles")


def moons(n: int = 4096, seed: int = 0) -> Stimuli:
    """Two half circles that reach into each other, noise 0.05. Attribute `label`: 0 upper, 1 lower."""
    from sklearn.datasets import make_moons

    _check(n, 2, seed)
    x, label = make_moons(n, noise=0.05, random_state=seed)
    return Stimuli.from_array(x, attributes={"label": label}, title="moons")


def blobs(n: int = 4096, seed: int = 0) -> Stimuli:
    """Three round normal clusters of standard deviation 1. Attribute `label`: 0, 1, 2."""
    x, label = _clusters(n, seed, _BLOBS)
    return Stimuli.from_array(x, attributes={"label": label}, title="blobs")


def aniso(n: int = 4096, seed: int = 0) -> Stimuli:
    """Three clusters, sheared into parallel ellipses. Attribute `label`: 0, 1, 2."""
    x, label = _clusters(n, seed, _SLANTED_BLOBS)
    return Stimuli.from_array(x @ np.array(_SHEAR), attributes={"label": label}, title="aniso")


def varied(n: int = 4096, seed: int = 0) -> Stimuli:
    """Three clusters of standard deviations 1, 2.5 and 0.5. Attribute `label`: 0, 1, 2."""
    x, label = _clusters(n, seed, _SLANTED_BLOBS, spread=[1.0, 2.5, 0.5])
    return Stimuli.from_array(x, attributes={"label": label}, title="varied")


def s_curve(n: int = 4096, seed: int = 0) -> Stimuli:
    """A curve shaped like an S, noise 0.05. Attribute `position`: along the curve, −1.5 π to 1.5 π."""
    from sklearn.datasets import make_s_curve

    _check(n, 2, seed)
    x, position = make_s_curve(n, noise=0.05, random_state=seed)
    return Stimuli.from_array(x[:, [0, 2]], attributes={"position": position}, title="s_curve")


def swiss_roll(n: int = 4096, seed: int = 0) -> Stimuli:
    """A spiral of one and a half turns. Attribute `position`: angle along it, 1.5 π to 4.5 π.

    The noise is 0.5, which beside the spiral's width of 24 is what 0.05 is beside the S's.
    """
    from sklearn.datasets import make_swiss_roll

    _check(n, 2, seed)
    x, position = make_swiss_roll(n, noise=0.5, random_state=seed)
    return Stimuli.from_array(x[:, [0, 2]], attributes={"position": position}, title="swiss_roll")


_BY_NAME = {make.__name__: make for make in (circles, moons, blobs, aniso, varied, s_curve, swiss_roll)}


def planar(name: str, n: int = 4096, seed: int = 0) -> Stimuli:
    """Draw `n` stimuli of a planar set by its name: one of `PLANAR_SETS`, "s_curve" or "swiss_roll"."""
    if name not in _BY_NAME:
        raise ValueError(f"name must be one of {', '.join(_BY_NAME)}, got {name!r}")
    return _BY_NAME[name](n, seed)


def _clusters(
    n: int, seed: int, centres: tuple[tuple[float, float], ...], spread: Any = 1.0
) -> tuple[Float[np.ndarray, "n 2"], Integer[np.ndarray, " n"]]:
    from sklearn.datasets import make_blobs

    _check(n, len(centres), seed)
    x, label, *_ = make_blobs(n, centers=np.array(centres), cluster_std=spread, random_state=seed)
    return np.asarray(x), np.asarray(label)


def _check(n: int, least: int, seed: int) -> None:
    if n < least:
        raise ValueError(f"n must be at least {least}, got {n}")
    check_seed(seed)
