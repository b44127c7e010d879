"""Sweeps whose kernels are pretended: what is done, what is done again, and what is told of it."""

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest

from gaia_explore import batch
from gaia_explore.batch import running, scheduling, sweeping
from gaia_explore.batch.folders import alone

GRID = {"a": [1, 2, 3]}


@pytest.fixture
def sweep(notebook: Path, tmp_path: Path) -> Callable[..., batch.Sweep]:
    """Sweeps the notebook over three values, in silence."""

    def sweep(**changes: Any) -> batch.Sweep:
        options = {"out": tmp_path / "out", "progress": False, **changes}
        return batch.sweep(notebook, options.pop("grid", GRID), **options)

    return sweep


def statuses(swept: batch.Sweep) -> list[str]:
    return swept.table["status"].tolist()


def test_every_run_is_done_once_and_collected(sweep: Any, kernel: Any, tmp_path: Path):
    swept = sweep(jobs=2)
    assert swept.table["run"].tolist() == ["a=1", "a=2", "a=3"] and statuses(swept) == ["finished"] * 3
    assert batch.collect(tmp_path / "out")["square"].tolist() == [1, 4, 9]
    assert statuses(sweep()) == ["done"] * 3 and len(kernel.calls) == 3
    # Only what is finished lies there, and locks, out of sight.
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [".locks", "a=1", "a=2", "a=3", "table.csv", "table.parquet"]


def test_what_is_missing_is_done_and_nothing_else(sweep: Any, kernel: Any):
    sweep(grid={"a": [2]})
    assert statuses(sweep()) == ["finished", "done", "finished"] and len(kernel.calls) == 3


def test_a_sweep_knows_the_commit_and_all_parameters_of_its_runs(
    sweep: Any, kernel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sweeping, "commit", lambda folder: {"hash": "abc", "clean": folder == tmp_path})
    sweep(seeds=[5], parameters={"scale": 2})
    record = json.loads((tmp_path / "out" / "a=1,seed=5" / "run.json").read_text())
    assert record["commit"] == {"hash": "abc", "clean": True}
    assert record["parameters"] == {"a": 1, "scale": 2.0, "name": "x", "seed": 5, "quick": False}
    assert record["set"] == {"a": 1, "scale": 2.0, "seed": 5}


def change_source(notebook: Path, tmp_path: Path, patch: pytest.MonkeyPatch):
    content = nbformat.read(notebook, as_version=4)
    content.cells[-1].source += "\n# changed"
    nbformat.write(content, notebook)


def change_package(notebook: Path, tmp_path: Path, patch: pytest.MonkeyPatch):
    patch.setattr(running, "package_hash", lambda: "changed")
    patch.setattr(sweeping, "package_hash", lambda: "changed")


@pytest.mark.parametrize(("change", "why"), [(change_source, "notebook"), (change_package, "package")])
def test_what_was_made_from_other_code_is_made_again(
    sweep: Any, kernel: Any, notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, why: str
):
    sweep()
    change(notebook, tmp_path, monkeypatch)
    planned = sweep(dry_run=True).table
    assert planned["status"].tolist() == ["changed"] * 3 and planned["why"].tolist() == [why] * 3
    kernel.does = lambda parameters, folder: (folder / "scores.json").write_text('{"square": -1}')
    assert statuses(sweep()) == ["finished"] * 3 and len(kernel.calls) == 6
    assert set(batch.collect(tmp_path / "out")["square"]) == {-1}


def test_other_values_for_all_runs_make_them_again(sweep: Any, kernel: Any):
    sweep()
    assert sweep(parameters={"quick": True}, dry_run=True).table["why"].tolist() == ["parameters"] * 3
    # The default, said out loud, is no other value.
    assert statuses(sweep(parameters={"quick": False})) == ["done"] * 3


def test_outputs_and_metadata_of_the_notebook_do_not_count(sweep: Any, kernel: Any, notebook: Path):
    sweep()
    content = nbformat.read(notebook, as_version=4)
    content.cells[1].outputs = [nbformat.v4.new_output("stream", text="told")]
    content.cells[1].execution_count = 4
    content.metadata["language_info"] = {"name": "python"}
    nbformat.write(content, notebook)
    assert statuses(sweep()) == ["done"] * 3


def test_a_run_stays_until_the_one_that_replaces_it_has_finished(
    sweep: Any, kernel: Any, notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    sweep()
    change_source(notebook, tmp_path, monkeypatch)
    kernel.does = lambda parameters, folder: 1 / 0
    assert statuses(sweep()) == ["failed"] * 3
    assert batch.collect(tmp_path / "out")["square"].tolist() == [1, 4, 9]


def fails_for_two(parameters: dict[str, Any], folder: Path):
    if parameters["a"] == 2:
        raise ZeroDivisionError("two")


def test_failures_do_not_stop_the_others_and_are_told_by_cell_and_message(sweep: Any, kernel: Any, tmp_path: Path):
    kernel.does = fails_for_two
    swept = sweep()
    assert statuses(swept) == ["finished", "failed", "finished"]
    assert swept.failed[["run", "cell", "message"]].to_numpy().tolist() == [
        ["a=2", "cell 2 of 4", "ZeroDivisionError: two"]
    ]
    assert (
        str(swept)
        == repr(swept)
        == (
            f"3 runs in {tmp_path / 'out'}: 2 finished, 1 failed\n"
            "  a=2: cell 2 of 4: ZeroDivisionError: two\n"
            f"What failed lies in {tmp_path / 'out' / 'unfinished'}; the same sweep again tries it again."
        )
    )
    assert "<table" in swept._repr_html_() and "ZeroDivisionError" in swept._repr_html_()
    planned = sweep(dry_run=True)
    assert "\n  a=2: cell 2 of 4: ZeroDivisionError: two\n" in str(planned)
    assert planned.table.to_numpy().tolist()[1] == [
        "a=2",
        "failed",
        "cell 2 of 4: ZeroDivisionError: two",
    ]
    kernel.does = kernel.scores
    again = sweep()
    assert statuses(again) == ["done", "finished", "done"]
    assert str(again) == f"3 runs in {tmp_path / 'out'}: 2 done, 1 finished"


def test_a_dry_run_leaves_nothing(sweep: Any, kernel: Any, tmp_path: Path):
    planned = sweep(dry_run=True).table
    expected = pd.DataFrame({"run": ["a=1", "a=2", "a=3"], "status": "new", "why": ""})
    pd.testing.assert_frame_equal(planned, expected, check_dtype=False)
    assert not (tmp_path / "out").exists() and not kernel.calls


def test_a_run_that_dask_gave_up_on_has_failed(sweep: Any, kernel: Any, monkeypatch: pytest.MonkeyPatch):
    def lost(task: Any, gpu: str | None):
        raise ConnectionError("four workers were lost")

    monkeypatch.setattr(scheduling, "run", lost)
    assert sweep().failed["message"].tolist() == ["ConnectionError: four workers were lost"] * 3


def test_ctrl_c_ends_every_kernel_and_says_how_to_go_on(
    sweep: Any, kernel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    ended: list[int] = []
    monkeypatch.setattr(running, "end_kernel", ended.append)
    monkeypatch.setattr(running, "LOOK", 0.01)

    def until_ended(parameters: dict[str, Any], folder: Path):
        deadline = time.monotonic() + 60
        while parameters["a"] > 1 and not ended and time.monotonic() < deadline:
            time.sleep(0.01)
        if ended:
            raise RuntimeError("the kernel died")

    kernel.does = until_ended
    completed = sweeping.as_completed

    def ctrl_c(futures: Any):
        yield next(completed(futures))
        deadline = time.monotonic() + 60
        while len(kernel.calls) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(sweeping, "as_completed", ctrl_c)
    with pytest.raises(KeyboardInterrupt, match="1 of 3 runs are finished; the same sweep again goes on"):
        sweep()
    assert ended
    monkeypatch.setattr(sweeping, "as_completed", completed)
    assert sweep(dry_run=True).table["status"].tolist() == [
        "done",
        *(["unfinished", "new"] if ended else ["new", "new"]),
    ]
    kernel.does = kernel.scores
    assert statuses(sweep()) == ["done", "finished", "finished"]


def test_a_marker_that_was_left_is_cleared(sweep: Any, kernel: Any, tmp_path: Path):
    marker = tmp_path / "out" / ".locks" / "earlier.interrupted"
    marker.parent.mkdir(parents=True)
    marker.touch()
    sweep()
    assert not marker.exists()


def test_only_one_sweep_writes_to_a_folder(sweep: Any, kernel: Any, tmp_path: Path):
    with (
        alone(tmp_path / "out"),
        pytest.raises(RuntimeError, match="out must be a folder that no other sweep is writing to"),
    ):
        sweep()
    assert not kernel.calls


def test_a_folder_of_somebody_else_is_never_replaced(sweep: Any, kernel: Any, tmp_path: Path):
    theirs = tmp_path / "out" / "a=2"
    theirs.mkdir(parents=True)
    with pytest.raises(
        ValueError, match=re.escape(f"out must hold no folders named as runs that are none, got {theirs}")
    ):
        sweep()
    assert theirs.exists() and not kernel.calls


def test_one_folder_is_for_one_notebook(sweep: Any, kernel: Any, notebook: Path, tmp_path: Path):
    sweep()
    other = notebook.rename(tmp_path / "other.ipynb")
    message = f"out must hold runs of other.ipynb only, got {tmp_path / 'out' / 'a=1'}, one of square.ipynb"
    with pytest.raises(ValueError, match=re.escape(message)):
        batch.sweep(other, GRID, out=tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jobs": 0}, "jobs must be a whole number of at least 1, got 0"),
        ({"jobs": True}, "jobs must be a whole number of at least 1, got True"),
        ({"retries": -1}, "retries must be a whole number of at least 0, got -1"),
    ],
)
def test_counts_are_checked(sweep: Any, options: dict[str, int], message: str):
    with pytest.raises(ValueError, match=message):
        sweep(**options)
