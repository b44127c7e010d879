"""Frontiers: how much of one score a swept model can have at a given cost in another."""

import numpy as np
import pandas as pd

_COLUMNS = ("stimuli", "seed", "on_support", "pixel_error")


def share_at(sweep: pd.DataFrame, pixel_error: float) -> float:
    """Largest share on support that a sweep reaches at no more than a pixel error.

    Parameters
    ----------
    sweep
        Columns ``on_support`` and ``pixel_error``, a row a setting. Between settings that are neighbours in pixel error
        the frontier is a straight line, and it never falls: who may err more need not.
    pixel_error
        In units of the scaled stimuli.

    Returns
    -------
    float
        The share; NaN below the sweep's smallest pixel error.
    """
    points = sweep.sort_values("pixel_error")
    errors, shares = points["pixel_error"].to_numpy(), points["on_support"].to_numpy()
    if pixel_error < errors[0]:
        return np.nan
    reached = shares[errors <= pixel_error].max()
    return float(max(reached, np.interp(pixel_error, errors, shares)))


def beyond_frontier(scores: pd.DataFrame, sweep: pd.DataFrame) -> pd.DataFrame:
    """In how many of its seeds a model lies beyond the frontier of another, set by set.

    A seed does if its share on support is larger than what the sweep reaches, on average over the sweep's seeds, at
    that seed's pixel error; a seed with a smaller pixel error than the whole sweep cannot be compared and does not.

    Parameters
    ----------
    scores
        The model's scores: columns ``stimuli``, ``seed``, ``on_support`` and ``pixel_error``, a row a seed.
    sweep
        The same columns and ``setting``, a row a setting and seed; e.g. the VAE's over β, and the AE's at its end.

    Returns
    -------
    pandas.DataFrame
        A row a set: ``n_seeds``, ``beyond`` (how many of them), the means of ``on_support`` and ``pixel_error``, and
        ``frontier``, the mean share that the sweep reaches at the seeds' pixel errors.
    """
    for argument, table, columns in (("scores", scores, _COLUMNS), ("sweep", sweep, (*_COLUMNS, "setting"))):
        missing = [column for column in columns if column not in table.columns]
        if missing or table.empty:
            raise ValueError(f"{argument} must have rows and the columns {columns}, missing {missing}")
    sweeps = dict(iter(sweep.groupby("stimuli")))
    rows = []
    for name, seeds in scores.groupby("stimuli", sort=False):
        if name not in sweeps:
            raise ValueError(f"sweep must have the stimuli of scores, missing {name!r}")
        means = (
            sweeps[name].groupby("setting").agg(on_support=("on_support", "mean"), pixel_error=("pixel_error", "mean"))
        )
        reached = np.array([share_at(means, error) for error in seeds["pixel_error"]])
        rows.append(
            {
                "stimuli": name,
                "n_seeds": len(seeds),
                "beyond": int((seeds["on_support"].to_numpy() > reached).sum()),
                "on_support": seeds["on_support"].mean(),
                "frontier": reached.mean(),
                "pixel_error": seeds["pixel_error"].mean(),
            }
        )
    return pd.DataFrame(rows)
