"""Tables into numbers: which columns are the stimulus, and errors that point at the cell that cannot be read."""

import csv
import io
import warnings
from collections.abc import Iterable

import numpy as np
import pandas as pd
from jaxtyping import Shaped
from pandas.api import types


def choose_columns(
    frame: pd.DataFrame, columns: Iterable[str] | None, attributes: Iterable[str] | None
) -> tuple[list[str], list[str]]:
    """Names of the stimulus's own columns and of its attributes, both checked; a single name may come bare.

    Without `columns`, every column that is no attribute belongs to the stimulus: none is dropped unseen.
    """
    known = list(frame.columns)
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise ValueError(f"column names must be unique, got {repeated[0]!r} more than once")
    kept = _as_list(attributes)
    chosen = [name for name in known if name not in kept] if columns is None else _as_list(columns)
    for argument, names in (("attributes", kept), ("columns", chosen)):
        for name in names:
            if name not in known:
                raise ValueError(f"{argument} must be among {', '.join(known)}, got {name!r}")
            if names.count(name) > 1:
                raise ValueError(f"{argument} must name each column once, got {name!r} more than once")
            if name in kept and name in chosen:
                raise ValueError(f"a column must be a stimulus dimension or an attribute, got {name!r} as both")
    if not chosen:
        raise ValueError("columns must name at least 1 stimulus dimension, got none")
    return chosen, kept


def numbers(frame: pd.DataFrame, columns: list[str]) -> Shaped[np.ndarray, "n p"]:
    """The chosen columns as one array, NaN where a value is missing."""
    chosen = frame.filter(items=columns)
    unreadable = [
        f"{name!r} ({column.dtype})"
        for name, column in chosen.items()
        if not types.is_numeric_dtype(column) or types.is_complex_dtype(column)
    ]
    if unreadable:
        raise ValueError(
            f"stimulus columns must hold real numbers, got {', '.join(unreadable)}; "
            "list them in attributes, or choose columns without them"
        )
    values = chosen.to_numpy()
    # Mixed and nullable columns come out as objects.
    return chosen.to_numpy(dtype=np.dtype(np.float64), na_value=np.nan) if values.dtype == object else values


def parse_csv(text: str, *, names: str = "") -> pd.DataFrame:
    """The table in a comma-separated text with a header line; the column `names` is read as text, even if it is 007."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            # Left alone, pandas would take the first column of too long rows for an index.
            return pd.read_csv(
                io.StringIO(text),
                index_col=False,
                skipinitialspace=True,
                low_memory=False,
                dtype={names: "str"} if names else None,
            )
        except pd.errors.ParserWarning as warning:
            raise ValueError("rows must not have more fields than the header") from warning


def check_cells(text: str, frame: pd.DataFrame, columns: list[str]) -> None:
    """Raise for the first cell without a finite number, with its line, in a column that has numbers elsewhere.

    A column without a single number is left to `numbers`, which says that it is no stimulus dimension.
    """
    for name, column in frame.filter(items=columns).items():
        readable = np.isfinite(np.asarray(pd.to_numeric(column, errors="coerce"), dtype=np.float64))
        if readable.any() and not readable.all():
            row = int(np.argmin(readable))
            cell = column.iloc[row]
            got = "an empty cell" if pd.isna(cell) else f"'{cell}'"
            raise ValueError(f"line {row_lines(text)[row]}: {name!r} must be a finite number, got {got}")


def row_lines(text: str) -> list[int]:
    """Line on which each data row ends, counted from 1 as editors do; blank lines are no rows, as for pandas."""
    records = csv.reader(io.StringIO(text), skipinitialspace=True)
    return [records.line_num for cells in records if "".join(cells).strip() or len(cells) > 1][1:]


def _as_list(names: Iterable[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or ())
