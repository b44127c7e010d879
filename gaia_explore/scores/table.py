"""Table 1: scores summed up over sets of stimuli and seeds."""

import numpy as np
import pandas as pd
from jaxtyping import Float64
from scipy.stats import t as student_t

PAPER_TABLE_ONE = pd.DataFrame(
    {
        "r": [0.58, 0.64, 0.38, 0.91],
        "ll_interpolations": [3207.0, 3574.0, 3567.0, 3594.0],
        "ll_reconstructions": [3546.0, 3588.0, 3564.0, 3564.0],
        "kl_interpolations": [0.43, -0.05, 0.19, 0.36],
        "kl_reconstructions": [-0.57, -0.64, -0.36, -0.32],
    },
    index=pd.Index(["AE", "VAE", "GAIA α=0", "GAIA α=1"], name="model"),
)
"""The paper's own numbers: intercepts of an OLS regression with the data set as a factor.

How it estimated densities and divergences is not recorded, so that only the order of the models compares with ours:
its likelihoods are sums over an unknown number of stimuli, and its intercepts share one shift a column.

Source: Sainburg et al. 2018 (arXiv:1807.06650), Table 1.
"""


def table_one(scores: pd.DataFrame) -> pd.DataFrame:
    """Sum up scores over sets of stimuli and seeds, a row for each model and score.

    Parameters
    ----------
    scores
        One row for every combination of the columns ``model``, ``stimuli`` and ``seed``. Each other column is a score.

    Returns
    -------
    pandas.DataFrame
        Models in the paper's order, then others as they come, with the columns

        - ``model``, ``score``;
        - ``intercept``: the model's coefficient in the OLS regression score ~ model + stimuli, which is its fitted
          score on the set of stimuli named first. All models of a column share one shift from their means;
        - ``mean``: the marginal mean, in which every set counts the same;
        - ``low``, ``high``: 95 % interval of that mean over seeds, for these sets. Its error comes from the spread of
          seeds within each set alone, as the residuals of the regression would also hold how models differ from set to
          set; Student's t with Welch and Satterthwaite's degrees of freedom. NaN with a single seed;
        - ``n_seeds``: seeds of each model and set.

    Raises
    ------
    ValueError
        If a column or a combination is missing or doubled, or a score is not finite.

    Source
    ------
    Sainburg et al. 2018 (arXiv:1807.06650), Table 1, for the intercepts.

    Departs from it
    ---------------
    Means and intervals are ours.
    """
    models, combinations, names, values = _arranged(scores)
    means = values.mean(axis=(1, 2))
    intercepts = _intercepts(combinations, values)[: len(models)]
    halves = _half_interval(values)
    return pd.DataFrame(
        {
            "model": np.tile(models, len(names)),
            "score": np.repeat(names, len(models)),
            "intercept": intercepts.T.ravel(),
            "mean": means.T.ravel(),
            "low": (means - halves).T.ravel(),
            "high": (means + halves).T.ravel(),
            "n_seeds": values.shape[2],
        }
    )


def differences(scores: pd.DataFrame, model: str) -> pd.DataFrame:
    """How far a model's mean scores lie above every other model's, with 95 % intervals.

    Models of one seed saw the same samples, so that their differences vary less over seeds than their scores do.

    Parameters
    ----------
    scores
        As for :func:`table_one`.
    model
        The model that the others are taken from.

    Returns
    -------
    pandas.DataFrame
        A row for each other model and score: ``model``, ``score``, ``difference`` (the named model's marginal mean
        less the other's), ``low`` and ``high`` (its interval, as in :func:`table_one`).
    """
    models, _, names, values = _arranged(scores)
    if model not in models:
        raise ValueError(f"model must be one of {', '.join(models)}, got {model!r}")
    others = [name for name in models if name != model]
    gaps = values[models.index(model)] - values[[models.index(name) for name in others]]
    means, halves = gaps.mean(axis=(1, 2)), _half_interval(gaps)
    return pd.DataFrame(
        {
            "model": np.tile(others, len(names)),
            "score": np.repeat(names, len(others)),
            "difference": means.T.ravel(),
            "low": (means - halves).T.ravel(),
            "high": (means + halves).T.ravel(),
        }
    )


def _arranged(
    scores: pd.DataFrame,
) -> tuple[list[str], pd.MultiIndex, list[str], Float64[np.ndarray, "model stimuli seed score"]]:
    """Models, combinations with sets and seeds, the scores' names, and the scores; raises as table_one says."""
    keys = ["model", "stimuli", "seed"]
    names = [name for name in scores.columns if name not in keys]
    if len(scores.columns) != len(keys) + len(names) or not names or scores.empty:
        raise ValueError(f"scores must have rows, the columns {keys} and a column a score, got {list(scores.columns)}")
    paper = list(PAPER_TABLE_ONE.index)
    models = sorted(scores["model"].unique(), key=lambda name: paper.index(name) if name in paper else len(paper))
    combinations = pd.MultiIndex.from_product([models, *(scores[key].unique() for key in keys[1:])])
    table = scores.set_index(keys)
    missing = [key for key in combinations if key not in table.index]
    if missing or len(table) > len(combinations):
        doubled = list(table.index[table.index.duplicated()])
        raise ValueError(f"scores must have one row a model, stimuli and seed, missing {missing}, doubled {doubled}")
    values = table.loc[combinations, names].to_numpy(np.float64)
    if not np.isfinite(values).all():
        bad = [combinations[row] for row in np.flatnonzero(~np.isfinite(values).all(axis=1))]
        raise ValueError(f"scores must be finite, got others for {bad}")
    return models, combinations, names, values.reshape(*combinations.levshape, len(names))


def _intercepts(
    combinations: pd.MultiIndex, values: Float64[np.ndarray, "model stimuli seed score"]
) -> Float64[np.ndarray, "coefficient score"]:
    """Coefficients of score ~ model + stimuli: the models' first, then those of all sets but the first."""
    from statsmodels.api import OLS

    factors = combinations.to_frame(index=False).iloc[:, :2]
    levels = [pd.Categorical(factors[name], factors[name].unique()) for name in factors]
    design = pd.concat([pd.get_dummies(levels[0]), pd.get_dummies(levels[1], drop_first=True)], axis=1)
    flat = values.reshape(len(factors), -1)
    return np.column_stack([OLS(column, design.to_numpy(np.float64)).fit().params for column in flat.T])


def _half_interval(values: Float64[np.ndarray, "model stimuli seed score"]) -> Float64[np.ndarray, "model score"]:
    """Half the 95 % interval of means over sets, from the spread over seeds within each set."""
    _, n_sets, n_seeds, _ = values.shape
    if n_seeds == 1:
        return np.full((len(values), values.shape[-1]), np.nan)
    variances = values.var(axis=2, ddof=1) / n_seeds
    total = variances.sum(axis=1)
    varied = np.where(total > 0, total, 1)
    freedom = (n_seeds - 1) * varied**2 / np.where(total > 0, (variances**2).sum(axis=1), 1)
    return student_t.ppf(0.975, freedom) * np.sqrt(total) / n_sets
