"""Gaussian kernel densities, and what they say of points: likelihood and divergence."""

from math import ceil, log, pi

import numpy as np
from jaxtyping import Float64, Integer, Shaped
from scipy.spatial.distance import cdist

from gaia_explore.scores.points import flat_points


def likelihood_bandwidth(reference: Shaped[np.ndarray, "n ..."], *, n_max: int = 1024) -> float:
    """Kernel bandwidth, in units of the stimuli, under which each stimulus is likeliest given all the others.

    Leave-one-out likelihood, over at most `n_max` stimuli evenly spread over the rows, on a grid of factors √2 from the
    standard deviation (root mean square over dimensions) down to a thousandth of it. The rules of Scott and Silverman
    take the data for one Gaussian, and are several times too wide for a thin or clustered support.
    Many repeated stimuli drive it to the narrow end of the grid: give a bandwidth by hand then.

    Source
    ------
    Habbema, Hermans, van den Broek 1974; Duin 1976 (IEEE Transactions on Computers C-25).
    """
    x = flat_points("reference", reference, at_least=3)
    if n_max < 1:
        raise ValueError(f"n_max must be at least 1, got {n_max}")
    widest = np.sqrt(x.var(axis=0).mean())
    if widest == 0:
        raise ValueError(f"reference must hold different stimuli, got {len(x)} times the same")
    rows = np.arange(0, len(x), ceil(len(x) / n_max))
    bandwidths = widest * 2.0 ** (-np.arange(21) / 2)
    # So few at a time that a processor's cache holds their distances.
    chunks = np.array_split(rows, ceil(len(rows) * len(x) / 2**17))
    log_sums = np.concatenate([_left_out(x, some, bandwidths) for some in chunks], axis=1)
    likelihoods = log_sums.mean(axis=1) - x.shape[1] * np.log(bandwidths)
    return float(bandwidths[np.argmax(likelihoods)])


def _left_out(
    x: Float64[np.ndarray, "n p"], rows: Integer[np.ndarray, " s"], bandwidths: Float64[np.ndarray, " h"]
) -> Float64[np.ndarray, "h s"]:
    """Logarithm of the sum of all others' kernels at each of some stimuli, for bandwidths in steps of √2 downwards."""
    distances = cdist(x[rows], x, "sqeuclidean")
    distances[np.arange(len(rows)), rows] = np.inf
    nearest = distances.min(axis=1)
    # Squared, a Gaussian kernel is one of bandwidth h/√2: a single exponential serves all bandwidths.
    kernel = np.exp((nearest[:, None] - distances) / (2 * bandwidths[0] ** 2))
    log_sums = []
    for h in bandwidths:
        log_sums.append(np.log(kernel.sum(axis=1)) - nearest / (2 * h**2))
        np.square(kernel, out=kernel)
    return np.stack(log_sums)


def log_density(
    points: Shaped[np.ndarray, "n ..."],
    reference: Shaped[np.ndarray, "m ..."],
    *,
    bandwidth: float | str = "likelihood",
) -> Float64[np.ndarray, " n"]:
    """Log density of each point, in nats, under a Gaussian kernel density fitted to `reference`.

    Parameters
    ----------
    bandwidth
        Standard deviation of the kernel in every direction, in units of the stimuli, or "likelihood" for
        :func:`likelihood_bandwidth` of `reference`.
    """
    x, centres = flat_points("points", points), flat_points("reference", reference)
    if x.shape[1] != centres.shape[1]:
        raise ValueError(f"points must have the {centres.shape[1]} dimensions of reference, got {x.shape[1]}")
    h = chosen_bandwidth(bandwidth, reference)
    log_sums = []
    # Not scikit-learn's KernelDensity: its tree sums in logarithms, and is wrong by up to thousands of nats far from
    # the centres, where interpolations may well fall.
    for chunk in np.array_split(x, ceil(len(x) * len(centres) / 2**20)):
        exponents = cdist(chunk, centres, "sqeuclidean") / (2 * h**2)
        nearest = exponents.min(axis=1)
        log_sums.append(np.log(np.exp(nearest[:, None] - exponents).sum(axis=1)) - nearest)
    return np.concatenate(log_sums) - log(len(centres)) - x.shape[1] / 2 * log(2 * pi * h**2)


def log_likelihood(
    points: Shaped[np.ndarray, "n ..."],
    reference: Shaped[np.ndarray, "m ..."],
    *,
    bandwidth: float | str = "likelihood",
) -> float:
    """Mean of :func:`log_density`, in nats a stimulus; times n it is the likelihood of n stimuli.

    A point off the support costs half its squared distance in bandwidths, so that the mean says above all how far
    astray the worst points are; :func:`on_support` says how many are astray.
    """
    return float(log_density(points, reference, bandwidth=bandwidth).mean())


def kl_divergence(
    held_out: Shaped[np.ndarray, "n ..."],
    train: Shaped[np.ndarray, "m ..."],
    decoded: Shaped[np.ndarray, "k ..."],
    *,
    bandwidth: float | str = "likelihood",
) -> float:
    """KL(P‖Q) in nats, from the data's distribution P to the distribution Q of decoded points.

    The mean of log p − log q over held-out stimuli, with p the kernel density of `train` and q that of `decoded`. It is
    large where Q misses data, and says little of what Q puts elsewhere.
    Both densities have the same bandwidth (that of `train` for "likelihood"), so that their blur is the same: the
    estimate is that of the blurred distributions, which is lower. Give as many decoded points as there are in `train`
    and the error from few points cancels too where P = Q. The estimate can be negative.
    Held-out stimuli must have no part in making `decoded`, or Q looks better than it is.
    """
    h = chosen_bandwidth(bandwidth, train)
    return log_likelihood(held_out, train, bandwidth=h) - log_likelihood(held_out, decoded, bandwidth=h)


def chosen_bandwidth(bandwidth: float | str, reference: Shaped[np.ndarray, "..."]) -> float:
    """The bandwidth that was given, or the likeliest one of `reference`."""
    if bandwidth == "likelihood":
        return likelihood_bandwidth(reference)
    if isinstance(bandwidth, str) or not 0 < bandwidth < np.inf:
        raise ValueError(f"bandwidth must be a positive number or 'likelihood', got {bandwidth!r}")
    return float(bandwidth)
