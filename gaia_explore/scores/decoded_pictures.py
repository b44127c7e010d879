"""Scores of a codec on pictures: whether what it decodes passes for pictures that it has not seen."""

import numpy as np
import pandas as pd
from jaxtyping import Float64, Shaped
from scipy.stats import binomtest

from gaia_explore.latent import Codec, Judge
from gaia_explore.scores.points import arrays, flat_points
from gaia_explore.stimuli import Stimuli

_CELLS = 4
_SMALLEST = 16
_DRAWS = 1000


def pictures(
    codec: Codec,
    train: Stimuli | Shaped[np.ndarray, "n ..."],
    held_out: Stimuli | Shaped[np.ndarray, "m ..."],
    *,
    judge: Codec | None = None,
    t: float = 0.5,
    n_max: int = 1000,
    seed: int = 0,
) -> pd.DataFrame:
    """Score reconstructions and interpolations of held-out pictures by judges that are independent of the codec.

    A third of the held-out pictures is shown as it is; the others make pairs, of which each gives the reconstruction of
    its first picture and one interpolation. So no picture that is compared comes from another, and one seed gives all
    codecs the same pairs. What reconstructions lose (they are blurred) is not the interpolations' fault: compare the
    two rows.

    Parameters
    ----------
    train, held_out
        The pictures that the codec was trained on, and at least 30 that it has not seen.
    judge
        The codec of a GAIA; the same one for every codec that is compared.
    t
        Where on each interpolation: 0.5 is farthest from both ends.
    n_max
        Pairs, at most. Of the training pictures ten times as many are looked at.

    Returns
    -------
    pandas.DataFrame
        A row a kind and score: ``shown`` ("reconstructions" or "interpolations"), ``score``, ``value``, and ``low`` and
        ``high``, its 95 % interval over pictures (of accuracies Wilson's, else by bootstrap). The scores:

        - ``pixel_error``: of the reconstructions;
        - ``told_apart``: accuracy of a classifier that tells what is decoded from real pictures (:func:`told_apart`);
        - ``told_from_reconstructions``: the same for interpolations and reconstructions of other pictures, by which
          the blur of both says nothing;
        - ``nearest_ratio``: mean distance to the nearest training picture (:func:`nearest_distances`), relative to
          held-out pictures'. Blur alone moves it: up where edges are sharp, down towards the mean of all pictures;
        - ``realism_ratio``: mean error of the judge relative to held-out pictures'; 1 is as real as those.
    """
    train, held_out = arrays(train, held_out)
    if judge is not None and not isinstance(judge, Judge):
        raise TypeError(f"judge must tell realism, as the codec of a GAIA does, got {judge!r}")
    if not 0 <= t <= 1:
        raise ValueError(f"t must be at least 0 and at most 1, got {t}")
    if n_max < 10:
        raise ValueError(f"n_max must be at least 10, got {n_max}")
    if len(held_out) < 30:
        raise ValueError(f"held_out must hold at least 30 pictures, got {len(held_out)}")
    rng = np.random.default_rng(seed)
    n = min(len(held_out) // 3, n_max)
    real, first, second = (held_out[rows] for rows in rng.permutation(len(held_out))[: 3 * n].reshape(3, n))
    z_first, z_second = codec.encode(first), codec.encode(second)
    shown = {"reconstructions": codec.decode(z_first), "interpolations": codec.decode((1 - t) * z_first + t * z_second)}
    flat_error = np.abs(flat_points("held_out", first) - flat_points("decoded", shown["reconstructions"])).mean(axis=1)
    rows = [("reconstructions", "pixel_error", *_ratio(flat_error, np.ones(n), rng))]
    near = train[rng.permutation(len(train))[: 10 * n_max]]
    nearest = nearest_distances(real, near)
    if not nearest.any():
        raise ValueError("held_out must be pictures that are not in train, got none but those")
    realism = np.ones(n) if judge is None else judge.realism(real)
    for kind, decoded in shown.items():
        rows.append((kind, "told_apart", *told_apart(real, decoded, seed=seed)))
        if kind == "interpolations":
            others = codec.decode(codec.encode(real))
            rows.append((kind, "told_from_reconstructions", *told_apart(others, decoded, seed=seed)))
        rows.append((kind, "nearest_ratio", *_ratio(nearest_distances(decoded, near), nearest, rng)))
        if judge is not None:
            rows.append((kind, "realism_ratio", *_ratio(judge.realism(decoded), realism, rng)))
    return pd.DataFrame(rows, columns=["shown", "score", "value", "low", "high"])


def told_apart(real: Shaped[np.ndarray, "n ..."], decoded: Shaped[np.ndarray, "m ..."], *, seed: int = 0) -> pd.Series:
    """How well a classifier tells pictures from real ones: its accuracy on pictures that it was not trained on.

    Half of each set trains it, the other half tests it. 0.5 is chance: nobody could tell by what it sees. It is a
    logistic regression on how strong spatial differences are, in 4 × 4 cells, at full and at half size, and on the
    cells' colours.

    Parameters
    ----------
    real, decoded
        At least 10 pictures each, in [0, 1], of at least 16 pixels a side. None should be made from another, lest the
        classifier know pictures by those that trained it.

    Returns
    -------
    pandas.Series
        ``accuracy``, the mean of both sets', and ``low`` and ``high``, its 95 % interval (Wilson's).

    Source
    ------
    Lopez-Paz & Oquab 2017 (arXiv:1610.06545), classifier two-sample tests.

    Departs from it
    ---------------
    The classifier is ours. Sets of unlike size weigh alike, and the interval is that of the smaller.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(seed)
    halves = []
    for argument, points in (("real", real), ("decoded", decoded)):
        if np.ndim(points) != 4 or min(np.shape(points)[1:3]) < _SMALLEST:
            rule = f"pictures of at least {_SMALLEST} pixels a side, shape (n, h, w, c)"
            raise ValueError(f"{argument} must hold {rule}, got {np.shape(points)}")
        flat_points(argument, points, at_least=10)
        halves.append(np.array_split(_features(points)[rng.permutation(len(points))], 2))
    if np.shape(real)[1:] != np.shape(decoded)[1:]:
        raise ValueError(f"decoded must be pictures of {np.shape(real)[1:]} as real, got {np.shape(decoded)[1:]}")
    learnt = np.concatenate([half[0] for half in halves])
    is_decoded = np.repeat([False, True], [len(half[0]) for half in halves])
    weights = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", max_iter=1000))
    classifier = weights.fit(learnt, is_decoded)
    right = [(classifier.predict(half[1]) == answer).mean() for half, answer in zip(halves, (False, True), strict=True)]
    accuracy, n = float(np.mean(right)), 2 * min(len(half[1]) for half in halves)
    interval = binomtest(round(accuracy * n), n).proportion_ci(method="wilson")
    return pd.Series({"accuracy": accuracy, "low": interval.low, "high": interval.high})


def nearest_distances(
    points: Shaped[np.ndarray, "n ..."], train: Shaped[np.ndarray, "m ..."]
) -> Float64[np.ndarray, " n"]:
    """Mean absolute difference of each stimulus to the training stimulus where it is smallest."""
    from sklearn.metrics import pairwise_distances_argmin_min

    flat, stimuli = (flat_points(name, x).astype(np.float32) for name, x in (("points", points), ("train", train)))
    if flat.shape[1] != stimuli.shape[1]:
        raise ValueError(f"points must have the {stimuli.shape[1]} dimensions of train, got {flat.shape[1]}")
    return pairwise_distances_argmin_min(flat, stimuli, metric="manhattan")[1].astype(np.float64) / flat.shape[1]


def _features(pictures: Shaped[np.ndarray, "n h w c"]) -> Float64[np.ndarray, "n features"]:
    """What the classifier sees. Blur weakens strong differences, cross-fades add weak ones: hence three powers."""
    values = np.asarray(pictures, np.float64)
    features = [_cells(values)]
    for _ in range(2):
        for axis in (1, 2):
            steps = np.abs(np.diff(values, axis=axis))
            means = [_cells((steps**power).mean(axis=-1, keepdims=True)) for power in (0.5, 1, 2)]
            features += [np.log(mean + 1e-3) for mean in means]
        values = _blocks(values, values.shape[1] // 2, values.shape[2] // 2)
    return np.concatenate(features, axis=1)


def _cells(values: Float64[np.ndarray, "n h w c"]) -> Float64[np.ndarray, "n k"]:
    return _blocks(values, _CELLS, _CELLS).reshape(len(values), -1)


def _blocks(values: Float64[np.ndarray, "n h w c"], down: int, across: int) -> Float64[np.ndarray, "n i j c"]:
    """Means over equal blocks, so many down and across; a remainder at the edge is cut."""
    n, h, w, c = values.shape
    high, wide = h // down, w // across
    return values[:, : down * high, : across * wide].reshape(n, down, high, across, wide, c).mean(axis=(2, 4))


def _ratio(
    errors: Shaped[np.ndarray, " n"], reference: Shaped[np.ndarray, " m"], rng: np.random.Generator
) -> tuple[float, float, float]:
    """Ratio of two means, and its 95 % interval by the bootstrap over both."""
    means = [
        values[rng.integers(len(values), size=(_DRAWS, len(values)))].mean(axis=1) for values in (errors, reference)
    ]
    low, high = np.quantile(means[0] / means[1], [0.025, 0.975])
    return float(errors.mean() / reference.mean()), float(low), float(high)
