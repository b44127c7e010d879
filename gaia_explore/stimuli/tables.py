"""The attribute table that every set of stimuli carries: what it must be like, and how a notebook shows it."""

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
from pandas.api import types

_MOST_CLASSES = 20
_CLASS_KINDS = ("category", "boolean", "text", "integer")


def check_attributes(table: pd.DataFrame, n: int, names: tuple[str, ...] = ()) -> None:
    """Raise unless the table has `n` rows and unique names, none of them that of a stimulus dimension."""
    if len(table) != n:
        raise ValueError(f"attributes must have one row a stimulus, {n} here, got {len(table)}")
    for position, name in enumerate(table.columns):
        if not isinstance(name, str):
            raise TypeError(f"attribute names must be strings, got {name!r}")
        if name in table.columns[:position]:
            raise ValueError(f"attribute names must be unique, got {name!r} more than once")
        if name in names:
            raise ValueError(f"an attribute must not have the name of a stimulus dimension, got {name!r}")


def kind(column: pd.Series) -> str:
    """category, boolean, integer, number, text or other."""
    tests = {
        "category": lambda dtype: isinstance(dtype, pd.CategoricalDtype),
        "boolean": types.is_bool_dtype,
        "integer": types.is_integer_dtype,
        "number": types.is_float_dtype,
    }
    for name, is_kind in tests.items():
        if is_kind(column.dtype):
            return name
    # For a column of objects the dtype does not tell, its values do.
    return "text" if types.is_string_dtype(column) else "other"


def has_classes(column: pd.Series) -> bool:
    """Whether an attribute sorts stimuli into 2 to 20 classes: a name of each stimulus does not."""
    if kind(column) not in _CLASS_KINDS or column.isna().any():
        return False
    return 2 <= column.nunique() <= min(_MOST_CLASSES, len(column) - 1)


def kinds(table: pd.DataFrame) -> str:
    """The attributes in one line, each with its kind."""
    return ", ".join(f"{name} ({kind(column)})" for name, column in table.items()) or "none"


def html_card(title: str, rows: Mapping[str, Any]) -> str:
    """A small table with a caption, for notebooks."""
    body = "".join(f"<tr><th>{heading}</th><td>{escape(str(text))}</td></tr>" for heading, text in rows.items())
    return f"<table><caption>{escape(title)}</caption>{body}</table>"
