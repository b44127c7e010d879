"""Row numbers: those asked for, of a random split, and of a balanced part. No stimulus is touched here."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Integer, Shaped
from numpy.typing import ArrayLike

from gaia_explore.stimuli.tables import has_classes


def row_numbers(rows: ArrayLike, n: int) -> Integer[np.ndarray, " m"]:
    """Rows of a set of `n`, given as numbers (from the end if negative) or as a mask, as numbers from 0."""
    try:
        index = np.arange(n)[np.asarray(rows)]
    except IndexError as error:
        raise IndexError(f"rows must be row numbers below {n} or a mask of that length: {error}") from error
    if index.ndim != 1:
        raise ValueError(f"rows must be a flat list, got shape {index.shape}")
    return index


def split_rows(
    attributes: pd.DataFrame, fraction: float, *, seed: int, stratify: str
) -> tuple[Integer[np.ndarray, " a"], Integer[np.ndarray, " b"]]:
    """Split row numbers at random in two, as `Stimuli.split` says; the table has one row a stimulus."""
    from sklearn.model_selection import train_test_split

    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie between 0 and 1, got {fraction}")
    check_seed(seed)
    n = len(attributes)
    n_train = round(fraction * n)
    sizes = (n_train, n - n_train)
    if min(sizes) < 2:
        raise ValueError(f"both sides of a split must keep at least 2 stimuli, got {sizes[0]} and {sizes[1]}")
    strata = _strata(attributes, stratify, sizes)
    train, held_out = train_test_split(
        np.arange(n), train_size=sizes[0], test_size=sizes[1], random_state=seed, stratify=strata
    )
    return np.asarray(train), np.asarray(held_out)


def balanced_rows(attributes: pd.DataFrame, names: Sequence[str], *, seed: int) -> Integer[np.ndarray, " m"]:
    """Row numbers, in order, of equally many stimuli of every combination of the named attributes' classes."""
    check_seed(seed)
    names = list(names)
    unknown = [name for name in names if name not in attributes]
    if unknown or not names:
        raise ValueError(f"names must be attributes ({', '.join(attributes)}), got {', '.join(unknown) or 'none'}")
    columns = {name: column for name, column in attributes.items() if name in names}
    many = [name for name in names if not has_classes(columns[name])]
    if many:
        raise ValueError(f"names must be attributes of 2 to 20 classes, all known, got {', '.join(many)}")
    every = pd.MultiIndex.from_product([sorted(columns[name].unique()) for name in names], names=names)
    numbers = every.get_indexer(pd.MultiIndex.from_arrays([columns[name] for name in names]))
    counts = np.bincount(numbers, minlength=len(every))
    fewest = counts.min()
    if not fewest:
        missing = ", ".join(f"{name} {value}" for name, value in zip(names, every[counts.argmin()], strict=True))
        raise ValueError(f"names must be attributes whose combinations all occur, got no stimulus with {missing}")
    shuffled = np.random.default_rng(seed).permutation(len(attributes))
    chosen = [shuffled[numbers[shuffled] == number][:fewest] for number in range(len(every))]
    return np.sort(np.concatenate(chosen))


def check_seed(seed: int) -> None:
    """Raise unless `seed` is one that NumPy's and scikit-learn's generators both take."""
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be from 0 to {2**32 - 1}, got {seed}")


def _strata(attributes: pd.DataFrame, stratify: str, sizes: tuple[int, int]) -> Shaped[np.ndarray, " n"] | None:
    """Class number of each stimulus under the attribute to stratify by, or None."""
    if stratify == "auto":
        candidates = [str(name) for name, column in attributes.items() if has_classes(column)]
        stratify = "label" if "label" in candidates else candidates[0] if candidates else "none"
    if stratify == "none":
        return None
    if stratify not in attributes:
        known = ", ".join(["auto", "none", *attributes])
        raise ValueError(f"stratify must be one of {known}, got {stratify!r}")
    codes, classes = pd.factorize(attributes[stratify])
    if (codes < 0).any():
        raise ValueError(f"stratify={stratify!r} needs a class for every stimulus, got {(codes < 0).sum()} missing")
    counts = np.bincount(codes)
    if counts.min() < 2:
        raise ValueError(
            f"stratify={stratify!r} needs at least 2 stimuli of every class, "
            f"got {counts.min()} of class {classes[counts.argmin()]}; or choose stratify='none'"
        )
    if min(sizes) < len(classes):
        raise ValueError(
            f"stratify={stratify!r} needs room for its {len(classes)} classes on both sides, "
            f"got {sizes[0]} and {sizes[1]} stimuli; or choose stratify='none'"
        )
    return codes
