"""Scores of a codec on a set of stimuli."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Shaped
from scipy.spatial.distance import pdist

from gaia_explore.latent import Codec
from gaia_explore.scores.densities import chosen_bandwidth, log_likelihood
from gaia_explore.scores.points import arrays, flat_points
from gaia_explore.scores.support import on_support, support_radius
from gaia_explore.stimuli import Stimuli

STEPS = tuple(np.linspace(0, 1, 21).tolist())
"""t from one end of an interpolation to the other."""


def planar(
    codec: Codec,
    train: Stimuli | Shaped[np.ndarray, "n ..."],
    held_out: Stimuli | Shaped[np.ndarray, "m ..."],
    *,
    seed: int = 0,
    n_pairs: int = 2048,
    bandwidth: float | str = "likelihood",
) -> pd.Series:
    """Score a codec by the columns of the paper's Table 1, and by its share on support and pixel error.

    An interpolation is t = 0 to 1, uniform, between the codes of a random pair of stimuli, decoded.

    Parameters
    ----------
    train, held_out
        The stimuli that the codec was trained on, and at least 3 that it has not seen; or their arrays.
    n_pairs
        Interpolations of held-out stimuli to draw.
    bandwidth
        Of every density: a positive number in units of the stimuli, or "likelihood" for
        :func:`likelihood_bandwidth` of `train`.

    Returns
    -------
    pandas.Series
        In this order:

        - ``r``: :func:`structure_r` of held-out stimuli and their codes;
        - ``ll_interpolations``, ``ll_reconstructions``: :func:`log_likelihood` of what the codec makes of held-out
          stimuli, under the density of `train`;
        - ``kl_interpolations``, ``kl_reconstructions``: :func:`kl_divergence` from the data to what the codec makes
          of `train`, which gives both densities as many points;
        - ``on_support``: share of the interpolations within :func:`support_radius` of a training stimulus;
        - ``pixel_error``: of the held-out reconstructions.

    Source
    ------
    Sainburg et al. 2018 (arXiv:1807.06650), Table 1, for the first five.

    Departs from it
    ---------------
    The estimators are ours, and so are the last two scores.
    """
    train, held_out = arrays(train, held_out)
    rng = np.random.default_rng(seed)
    h = chosen_bandwidth(bandwidth, train)
    z_train, z = codec.encode(train), codec.encode(held_out)
    r = structure_r(held_out, z, seed=seed)
    interpolations = codec.decode(_interpolations(z, n_pairs, rng))
    train_interpolations = codec.decode(_interpolations(z_train, len(train), rng))
    x_hat, train_hat = codec.decode(z), codec.decode(z_train)
    # The data's own likelihood, for both divergences.
    ll_data = log_likelihood(held_out, train, bandwidth=h)
    return pd.Series(
        {
            "r": r,
            "ll_interpolations": log_likelihood(interpolations, train, bandwidth=h),
            "ll_reconstructions": log_likelihood(x_hat, train, bandwidth=h),
            "kl_interpolations": ll_data - log_likelihood(held_out, train_interpolations, bandwidth=h),
            "kl_reconstructions": ll_data - log_likelihood(held_out, train_hat, bandwidth=h),
            "on_support": on_support(interpolations, train, support_radius(train, held_out)),
            "pixel_error": pixel_error(held_out, x_hat),
        }
    )


def support_over_t(
    codec: Codec,
    train: Stimuli | Shaped[np.ndarray, "n ..."],
    held_out: Stimuli | Shaped[np.ndarray, "m ..."],
    t: Sequence[float] | Float[np.ndarray, " s"] = STEPS,
    *,
    n_pairs: int = 1024,
    seed: int = 0,
) -> pd.Series:
    """Share of interpolations on the support of the data at each t, from one end (0) to the other (1).

    All t share the same random pairs of held-out stimuli, so that the curve is smooth in t.
    """
    train, held_out = arrays(train, held_out)
    steps = np.asarray(t)
    if steps.ndim != 1 or not np.isfinite(steps).all():
        raise ValueError(f"t must be finite numbers in one row, got {t}")
    radius = support_radius(train, held_out)
    z_start, z_end = _pairs(codec.encode(held_out), n_pairs, np.random.default_rng(seed))
    shares = [on_support(codec.decode((1 - step) * z_start + step * z_end), train, radius) for step in steps]
    return pd.Series(shares, index=pd.Index(steps, name="t"), name="on_support")


def pixel_error(x: Shaped[np.ndarray, "..."], x_hat: Shaped[np.ndarray, "..."]) -> float:
    """Mean absolute difference between stimuli and their reconstructions, over every dimension of every stimulus."""
    if x.shape != x_hat.shape:
        raise ValueError(f"x_hat must have the shape of x, {x.shape}, got {x_hat.shape}")
    return float(np.abs(flat_points("x", x) - flat_points("x_hat", x_hat)).mean())


def structure_r(
    x: Shaped[np.ndarray, "n ..."], z: Shaped[np.ndarray, "m ..."], *, n_max: int = 1000, seed: int = 0
) -> float:
    """Pearson's r of the Euclidean distances between stimuli and the distances between their codes.

    Over all distinct pairs of at most `n_max` stimuli, drawn without replacement if there are more. The scales of x and
    of z do not matter. NaN if all codes, or all stimuli, are equally far apart.

    Not the distance correlation of Székely et al. 2007, which is a measure of dependence.

    Source
    ------
    Sainburg et al. 2018 (arXiv:1807.06650), Table 1, r(d_x, d_z).
    """
    stimuli, codes = flat_points("x", x, at_least=3), flat_points("z", z, at_least=3)
    if len(stimuli) != len(codes):
        raise ValueError(f"z must hold one code for each of {len(stimuli)} stimuli, got {len(codes)}")
    if n_max < 3:
        raise ValueError(f"n_max must be at least 3, got {n_max}")
    if len(stimuli) > n_max:
        drawn = np.random.default_rng(seed).choice(len(stimuli), n_max, replace=False)
        stimuli, codes = stimuli[drawn], codes[drawn]
    d_x, d_z = pdist(stimuli), pdist(codes)
    if np.ptp(d_x) == 0 or np.ptp(d_z) == 0:
        return float("nan")
    return float(np.corrcoef(d_x, d_z)[0, 1])


def _pairs(
    z: Float[np.ndarray, "n d"], n_pairs: int, rng: np.random.Generator
) -> tuple[Float[np.ndarray, "s d"], Float[np.ndarray, "s d"]]:
    """Random pairs of two different codes each."""
    if n_pairs < 1:
        raise ValueError(f"n_pairs must be at least 1, got {n_pairs}")
    if len(z) < 2:
        raise ValueError(f"held_out must hold at least 2 stimuli, got {len(z)}")
    first = rng.integers(len(z), size=n_pairs)
    second = (first + rng.integers(1, len(z), size=n_pairs)) % len(z)
    return z[first], z[second]


def _interpolations(z: Float[np.ndarray, "n d"], n_pairs: int, rng: np.random.Generator) -> Float[np.ndarray, "s d"]:
    z_start, z_end = _pairs(z, n_pairs, rng)
    t = rng.random((n_pairs, 1))
    return (1 - t) * z_start + t * z_end
