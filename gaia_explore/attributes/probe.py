"""A small reader of attributes, trained on stimuli in which they do not go together."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Shaped

from gaia_explore.attributes.columns import read_columns

FEWEST = 5
"""Stimuli with, and without, a binary attribute that a probe must learn from: the folds of its cross-validation."""


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Probe:
    """Reads attributes off stimuli, from :func:`fit_probe`: ``probe(x)`` is (n, k).

    Attributes
    ----------
    names
        What the columns of ``probe(x)`` are about.
    binary
        Which of them are probabilities. The others are values of continuous attributes, from the mean over the set
        that the probe was fitted on, in units of two standard deviations: as much as from absent to present for an
        attribute that half of the stimuli have (Gelman 2008, Statistics in Medicine 27).
    shape
        Of one stimulus.
    report
        A row an attribute, on stimuli held out from training: ``score``, which is the share read right of a binary
        attribute and R² of a continuous one, and ``chance``, what the score would be without looking.
    """

    names: tuple[str, ...]
    binary: Bool[np.ndarray, " k"]
    shape: tuple[int, ...]
    report: pd.DataFrame
    features: Any
    readers: tuple[Any, ...]

    def __call__(self, x: Shaped[np.ndarray, "n ..."]) -> Float64[np.ndarray, "n k"]:
        if x.shape[1:] != self.shape:
            raise ValueError(f"x must have shape (n, {', '.join(map(str, self.shape))}), got {x.shape}")
        features = self.features.transform(_flat(x))
        return np.column_stack(
            [
                reader.predict_proba(features)[:, 1] if is_binary else reader.predict(features)
                for reader, is_binary in zip(self.readers, self.binary, strict=True)
            ]
        )

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {score:.2f}" for name, score in self.report["score"].items())
        return f"Probe({scores})"


def fit_probe(
    x: Shaped[np.ndarray, "n ..."],
    attributes: pd.DataFrame,
    *,
    seed: int = 0,
    n_components: int = 64,
    held_out: float = 0.2,
) -> Probe:
    """Train a probe: logistic regression of each binary attribute, ridge regression of each continuous one.

    It should learn from stimuli in which attributes are balanced; on others it learns to take one for another. To read
    decoded stimuli, train it on reconstructions, ``codec.decode(codec.encode(x))``, whose blur it then knows.

    Parameters
    ----------
    x
        Stimuli, one a row.
    attributes
        One row a stimulus, as for :func:`attribute_vectors`.
    n_components
        Principal components of the stimuli to read from, or as many as there are.
    held_out
        Share of the stimuli that are kept for the report and not learnt from.

    Raises
    ------
    TypeError, ValueError
        If the table is not as for :func:`attribute_vectors`, does not fit `x`, or has a class too few to learn.
    """
    from sklearn.decomposition import PCA
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    columns = read_columns(attributes)
    if len(x) != len(columns.values):
        raise ValueError(f"attributes must have one row a stimulus, {len(x)} here, got {len(columns.values)}")
    if n_components < 1:
        raise ValueError(f"n_components must be at least 1, got {n_components}")
    if not 0 < held_out < 1:
        raise ValueError(f"held_out must lie between 0 and 1, got {held_out}")
    flat = _flat(x)
    scores = (columns.values - columns.values.mean(axis=0)) / (2 * columns.values.std(axis=0))
    targets = np.where(columns.binary, columns.values, scores)
    train, test = train_test_split(np.arange(len(flat)), test_size=held_out, random_state=seed)
    components = min(n_components, flat.shape[1], len(train) - 1)
    features = make_pipeline(PCA(components, random_state=seed), StandardScaler()).fit(flat[train])
    seen, unseen = features.transform(flat[train]), features.transform(flat[test])
    readers, rows = [], []
    for name, target, is_binary in zip(columns.names, targets.T, columns.binary, strict=True):
        readers.append(_reader(name, seen, target[train], bool(is_binary)))
        # Both kinds of reader call it score: the share read right, or R².
        chance = max(target[test].mean(), 1 - target[test].mean()) if is_binary else 0.0
        kind = "binary" if is_binary else "continuous"
        rows.append({"kind": kind, "score": float(readers[-1].score(unseen, target[test])), "chance": float(chance)})
    report = pd.DataFrame(rows, index=pd.Index(columns.names, name="attribute"))
    return Probe(
        names=columns.names,
        binary=columns.binary,
        shape=x.shape[1:],
        report=report,
        features=features,
        readers=tuple(readers),
    )


def _reader(name: str, features: Float64[np.ndarray, "n p"], target: Float64[np.ndarray, " n"], is_binary: bool) -> Any:
    """The regression of one attribute, its penalty chosen by cross-validation."""
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.model_selection import GridSearchCV

    if not is_binary:
        return RidgeCV(alphas=np.logspace(-1, 4, 11)).fit(features, target)
    fewest = min(target.sum(), len(target) - target.sum())
    if fewest < FEWEST:
        raise ValueError(
            f"attributes must have at least {FEWEST} stimuli of either kind for a probe to learn from, "
            f"got {fewest:.0f} of {name!r}"
        )
    penalties = {"C": [0.001, 0.01, 0.1, 1.0]}
    search = GridSearchCV(LogisticRegression(max_iter=1000), penalties, scoring="neg_log_loss", cv=FEWEST)
    return search.fit(features, target).best_estimator_


def _flat(x: Shaped[np.ndarray, "n ..."]) -> Float64[np.ndarray, "n p"]:
    return x.reshape(len(x), -1).astype(np.float64)
