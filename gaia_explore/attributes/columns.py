"""A table of attributes as numbers: which columns are binary, which continuous, and what is wrong with the others."""

from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64
from pandas.api import types

BINARY_CODES = ((0.0, 1.0), (-1.0, 1.0))
"""Absent and present, as tables write them; booleans are the first."""


@final
@dataclass(frozen=True, kw_only=True)
class Columns:
    """Attributes of n stimuli.

    Attributes
    ----------
    names
        One a column.
    values
        0 for absent and 1 for present in binary columns, whatever the table wrote; the table's own numbers in others.
    binary
        Which columns say no more than absent or present.
    """

    names: tuple[str, ...]
    values: Float64[np.ndarray, "n k"]
    binary: Bool[np.ndarray, " k"]


def read_columns(attributes: pd.DataFrame) -> Columns:
    """Take a table of booleans, 0/1, −1/1 or continuous numbers, one row a stimulus.

    Raises
    ------
    TypeError
        If a column's name is no text, or it holds something other than booleans or real numbers.
    ValueError
        If there is no column, two have one name, a value is missing or infinite, or a column never varies.
    """
    if attributes.empty:
        raise ValueError(f"attributes must have rows and columns, got {len(attributes)} and {attributes.shape[1]}")
    names = tuple(attributes.columns)
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"names of attributes must be text, got {name!r}")
        if names.count(name) > 1:
            raise ValueError(f"names of attributes must be unique, got {name!r} {names.count(name)} times")
    values = np.column_stack([_numbers(str(name), column) for name, column in attributes.items()])
    low, high = values.min(axis=0), values.max(axis=0)
    constant = [name for name, same in zip(names, low == high, strict=True) if same]
    if constant:
        raise ValueError(
            f"attributes must vary, but {', '.join(constant)} never {'do' if len(constant) > 1 else 'does'} here: "
            f"leave out with attributes.drop(columns={constant})"
        )
    binary = np.array([codes in BINARY_CODES for codes in zip(low, high, strict=True)])
    binary &= ((values == low) | (values == high)).all(axis=0)
    values[:, binary] = values[:, binary] == high[binary]
    return Columns(names=names, values=values, binary=binary)


def _numbers(name: str, column: pd.Series) -> Float64[np.ndarray, " n"]:
    column = column.infer_objects()
    if not types.is_numeric_dtype(column.dtype) or types.is_complex_dtype(column.dtype):
        kinds = column.dropna().unique()
        shown = ", ".join([*map(str, kinds[:3]), *(["…"] if len(kinds) > 3 else [])])
        raise TypeError(
            f"attributes must be booleans or real numbers, got {column.dtype} in {name!r} ({shown}): make columns of "
            f"its classes with pandas.get_dummies(attributes, columns=[{name!r}], drop_first=True), or leave it out"
        )
    numbers = column.to_numpy(np.float64, na_value=np.nan)
    bad = (~np.isfinite(numbers)).sum()
    if bad:
        raise ValueError(f"attributes must be finite, got {bad} of {len(numbers)} values of {name!r} that are not")
    return numbers
