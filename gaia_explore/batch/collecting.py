"""The finished runs of a sweep as one tidy table."""

import io
import json
import warnings
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_explore.batch.folders import read_record
from gaia_explore.training import write_atomically

SCORES = "scores.json"


def collect(out: str | Path) -> pd.DataFrame:
    """The parameters and scores of every finished run of a sweep, which are also written as ``table.csv`` and Parquet.

    A notebook's scores are what it writes as ``scores.json`` to its ``out_dir``: an object of names and numbers or
    words, for one row, or a list of such objects, for a row each. Equal runs make equal tables, whenever and wherever
    they were done.

    Parameters
    ----------
    out
        The sweep's folder.

    Returns
    -------
    ``run`` (its folder), the parameters that a run of the sweep sets, and the scores, ordered by the parameters. A
    score that is named as a parameter and differs from it is called ``scores.…``; one that never differs is left out.

    Raises
    ------
    FileNotFoundError
        Where there is no finished run.
    ValueError
        For a ``scores.json`` that is something else; the message names it.
    """
    out = Path(out)
    records = {path: record for path in sorted(out.glob("*")) if (record := read_record(path)) is not None}
    if not records:
        raise FileNotFoundError(f"out must hold finished runs of a sweep (*/run.json), got {out}")
    _warn_of_mixtures(list(records.values()))
    # In the notebook's order, which every record has.
    chosen = {name for record in records.values() for name in record["set"]}
    names = [name for name in next(iter(records.values()))["parameters"] if name in chosen]
    rows: list[dict[str, Any]] = []
    for path, record in records.items():
        parameters = {name: record["parameters"].get(name) for name in names}
        for scores in _scores(path / SCORES):
            rows.append({"run": path.name, **parameters, **{f"scores.{name}": scores[name] for name in scores}})
    table = _tidy(pd.DataFrame(rows), names)
    parquet = io.BytesIO()
    table.to_parquet(parquet, index=False)
    write_atomically(out / "table.parquet", parquet.getvalue())
    write_atomically(out / "table.csv", table.to_csv(index=False).encode())
    return table


def _tidy(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    scores = [column.removeprefix("scores.") for column in table.columns if column.startswith("scores.")]
    same = [name for name in scores if name in names and table[name].equals(table[f"scores.{name}"])]
    table = table.drop(columns=[f"scores.{name}" for name in same])
    table = table.rename(columns={f"scores.{name}": name for name in scores if name not in [*names, "run"]})
    # Stable, so that several rows of one run stay as they were written.
    return table.sort_values([*names, "run"], kind="stable", ignore_index=True)


def _scores(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return [{}]
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} must be JSON: {error}") from error
    rows = found if isinstance(found, list) else [found]
    for row in rows:
        if not isinstance(row, dict) or any(isinstance(value, dict | list) for value in row.values()):
            raise ValueError(f"{path} must hold names with numbers or words, or a list of such, got {row!r}")
    return rows


def _warn_of_mixtures(records: list[dict[str, Any]]):
    """Warn where rows were made by different code: they may not compare."""
    for part in ("notebook", "package"):
        versions = {json.dumps(record[part]) for record in records}
        if len(versions) > 1:
            warnings.warn(
                f"the runs were made by {len(versions)} versions of the {part}: the same sweep again does them anew",
                stacklevel=3,
            )
