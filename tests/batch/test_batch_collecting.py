"""One table of many runs: tidy, ordered, the same whenever it is made."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gaia_explore import batch
from gaia_explore.batch.folders import Place

DEFAULTS = {"model": "GAIA", "n": 10, "seed": 0}


def finished(out: Path, name: str, chosen: dict[str, Any], scores: Any, *, package: str = "p"):
    """A run as a sweep leaves it."""
    place = Place(out=out, name=name)
    identity = {"parameters": DEFAULTS | chosen, "notebook": {"name": "n.ipynb", "hash": "h"}, "package": package}
    place.prepare(identity, {"status": "running", "sweep": "s"})
    if scores is not None:
        (place.unfinished / "scores.json").write_text(scores if isinstance(scores, str) else json.dumps(scores))
    place.complete({**identity, "set": chosen, "seconds": len(name)})
    place.publish()


def test_parameters_and_scores_are_one_table_ordered_by_the_parameters(tmp_path: Path):
    finished(tmp_path, "10", {"seed": 10, "model": "AE"}, {"error": 0.25, "health": "well"})
    finished(tmp_path, "9", {"seed": 9, "model": "AE"}, {"error": 0.5, "health": "well"})
    finished(tmp_path, "0", {"model": "VAE"}, {"error": 1, "more": 2})
    finished(tmp_path, "1", {"model": "AE"}, None)
    (tmp_path / "notes.txt").write_text("not a run")
    Place(out=tmp_path, name="2").prepare({"parameters": {}, "notebook": {}, "package": ""}, {"status": "running"})
    table = batch.collect(tmp_path)
    assert list(table.columns) == ["run", "model", "seed", "error", "more", "health"]
    assert table["run"].tolist() == ["1", "9", "10", "0"] and table["seed"].tolist() == [0, 9, 10, 0]
    assert table["error"].tolist()[1:] == [0.5, 0.25, 1.0] and bool(table["error"].isna()[0])
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "table.parquet"), table)
    assert (tmp_path / "table.csv").read_text().splitlines()[2] == "9,AE,9,0.5,,well"


def test_a_list_of_scores_is_a_row_each_in_its_order(tmp_path: Path):
    finished(tmp_path, "b", {"n": 2}, [{"of": "z", "r": 1}, {"of": "y", "r": 2}])
    finished(tmp_path, "a", {"n": 1}, [{"of": "x", "r": 3}])
    table = batch.collect(tmp_path)
    assert table[["n", "of", "r"]].to_numpy().tolist() == [[1, "x", 3], [2, "z", 1], [2, "y", 2]]


def test_a_score_with_a_parameters_name_is_told_from_it_or_left_out(tmp_path: Path):
    finished(tmp_path, "a", {"model": "ae", "seed": 1}, {"model": "AE", "seed": 1, "run": "inner", "r": 0.5})
    table = batch.collect(tmp_path)
    assert list(table.columns) == ["run", "model", "seed", "scores.model", "scores.run", "r"]
    assert table["scores.model"].tolist() == ["AE"] and table["run"].tolist() == ["a"]


def test_the_table_has_the_same_bytes_whenever_and_in_whatever_order_runs_finished(tmp_path: Path):
    one, other = tmp_path / "one", tmp_path / "other"
    runs = [(f"seed={i}", {"seed": i}, {"error": i / 7}) for i in range(12)]
    for run in runs:
        finished(one, *run)
    for run in reversed(runs):
        finished(other, *run)
    batch.collect(one)
    batch.collect(other)
    batch.collect(other)
    for name in ("table.csv", "table.parquet"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_runs_of_different_code_are_warned_of(tmp_path: Path):
    finished(tmp_path, "a", {"n": 1}, {"r": 1})
    finished(tmp_path, "b", {"n": 2}, {"r": 1}, package="q")
    with pytest.warns(
        UserWarning, match="the runs were made by 2 versions of the package: the same sweep again does them anew"
    ):
        assert len(batch.collect(tmp_path)) == 2


def test_a_folder_without_runs_is_named(tmp_path: Path):
    message = re.escape(f"out must hold finished runs of a sweep (*/run.json), got {tmp_path}")
    with pytest.raises(FileNotFoundError, match=message):
        batch.collect(tmp_path)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ("{", "scores.json must be JSON: Expecting property name"),
        ([1], "scores.json must hold names with numbers or words, or a list of such, got 1"),
        ({"r": [1]}, "scores.json must hold names with numbers or words, or a list of such, got {'r': [1]}"),
    ],
)
def test_scores_that_are_none_are_named(tmp_path: Path, scores: Any, message: str):
    finished(tmp_path, "a", {"n": 1}, scores)
    with pytest.raises(ValueError, match=re.escape(str(tmp_path / "a" / message))):
        batch.collect(tmp_path)
