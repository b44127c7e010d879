"""The command line, in process; and the whole demo, quick."""

import json
import re
import runpy
import sys
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from PIL import Image

import gaia_explore as ge
from gaia_explore import batch, cli, stimuli, study
from gaia_explore.models import AEConfig
from gaia_explore.networks import FullyConnected

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_quick_demo_leaves_notebooks_pages_and_figures_and_prints_five_numbers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "demo"
    assert cli.main(["demo", "--quick", "--out", str(out), "--notebooks", str(ROOT / "notebooks")]) == 0
    told = capsys.readouterr().out
    assert told.count("%") == 2 and "make lab" in told
    ae, gaia = (json.loads((out / name / "scores.json").read_text()) for name in ("AE", "GAIA"))
    for number in (ae["pixel_error"], gaia["pixel_error"]):
        assert f"{number:.4f}" in told
    for page in ("1-stimuli.html", "AE/2-train.html", "GAIA/2-train.html", "3-planar-study.html"):
        assert (out / page).is_file() and (out / page).with_suffix(".ipynb").is_file()
    assert (out / "figures" / "figure2.html").is_file()
    # Two trainings by one notebook make one study.
    table = (out / "figures" / "table1_summary.csv").read_text()
    assert re.search(r"^AE,on_support,", table, re.MULTILINE) and re.search(r"^GAIA α=1,r,", table, re.MULTILINE)


def test_the_study_writes_one_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    small = {("AE", "default"): AEConfig(network=FullyConnected(hidden_units=4, hidden_layers=1))}
    monkeypatch.setattr(study, "MODELS", small)
    command = ["study", "--quick", "--seeds", "2", "--jobs", "1", "--sets", "moons", "--out", str(tmp_path)]
    assert cli.main([*command, "--device", "cpu"]) == 0
    table = pd.read_csv(tmp_path / "scores.csv")
    assert list(table["seed"]) == [0, 1] and set(table["model"]) == {"AE"}
    assert "on_support" in capsys.readouterr().out


def test_a_notebook_is_run_with_typed_parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    seen: list[Any] = []
    monkeypatch.setattr(batch, "execute", lambda *arguments: seen.append(arguments))
    options = ["-p", "steps=30", "-p", "model=AE", "-p", "alpha=0.5", "--quick", "--out", str(tmp_path)]
    assert cli.main(["run", "notebooks/2-train.ipynb", *options]) == 0
    parameters = {"steps": 30, "model": "AE", "alpha": 0.5, "quick": True}
    assert seen == [(Path("notebooks/2-train.ipynb"), tmp_path, parameters)]


def test_a_folder_of_pictures_is_packed(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    folder, out = tmp_path / "pictures", tmp_path / "out"
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (40, 50), (number, 0, 0)).save(folder / f"{number}.png")
    (folder / "about.csv").write_text("picture,age\n0,20\n1,30\n2,40\n3,50\n")
    command = ["pack", str(folder), "--out", str(out), "--crop", "0", "32", "8", "40", "--jobs", "1"]
    assert cli.main(command) == 2
    assert "about.csv: line 5: 3 is not in" in capsys.readouterr().err
    assert cli.main([*command, "--size", "16", "--grey", "--partial"]) == 0
    assert capsys.readouterr().out == f"3 stimuli of 16 × 16 × 1, 2 attributes: {out}\n"
    assert json.loads((out / "pack.json").read_text())["crop"] == [0, 32, 8, 40]
    packed = stimuli.open_pack(out)
    assert (packed.attributes["age"].tolist(), packed.shape) == ([20, 30, 40], (16, 16, 1))


def test_a_training_is_begun_and_continued_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    small = json.dumps(FullyConnected(hidden_units=4, hidden_layers=1).to_dict())
    command = ["train", "AE", "moons", "--quick", "-c", f"network={small}", "--sample", "40", "--device", "cpu"]
    command += ["--batch-size", "8", "--out", str(tmp_path)]
    told = []
    for _ in range(2):
        assert cli.main(command) == 0
        told.append(capsys.readouterr().out)
    assert told == [f"{ge.load(tmp_path)}: {tmp_path}\n"] * 2
    assert ge.load(tmp_path).description["step"] == 30
    assert [*ge.load(tmp_path).description["held_out_error"]] == []
    assert cli.main([*command, "--held-out", "0", "--seed", "1"]) == 2
    told = "resume: seed must be the run's own, 0, got 1: another run needs another folder"
    assert told in capsys.readouterr().err


def test_pictures_are_varied_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    config = ["-c", 'network={"kind": "convolutional", "filters": [2], "hidden_units": 4}', "-c", "latent_dim=2"]
    command = ["train", "AE", "faces", "--size", "16", "--quick", *config, "-a", "mirror=true", "-a", "shift=0.1"]
    assert cli.main([*command, "--held-out", "0", "--batch-size", "4", "--device", "cpu", "--out", str(tmp_path)]) == 0
    found = ge.load(tmp_path).description["augmentation"]
    assert found == ge.Augmentation(mirror=True, shift=0.1).to_dict()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["run", "none.ipynb"], "gaia-explore: notebook must be a file, got none.ipynb\n"),
        (["run", "none.ipynb", "-p", "steps"], "gaia-explore: -p must be name=value, got 'steps'\n"),
        (["run", "none.ipynb", "-p", "a b=3"], "gaia-explore: -p must be name=value, got 'a b=3'\n"),
        (["train", "AE", "birds"], "gaia-explore: stimuli must be faces, the folder of a pack, or one of circles, "),
        (["train", "AE", "moons", "-a", "blur=1"], "gaia-explore: -a must be one of mirror, shift, zoom, turn, "),
        (
            ["train", "AE", "moons", "-a", "mirror=true"],
            "gaia-explore: augmentation must be None for stimuli that are ",
        ),
        (["train", "AE", "moons", "-c", "alpha=1"], "gaia-explore: AE has no field 'alpha'; it has latent_dim, "),
    ],
)
def test_bad_input_is_told_in_one_line(options: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main(options) == 2
    told = capsys.readouterr().err
    assert told.startswith(message) and told.count("\n") == 1


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """A notebook with parameters that a sweep can set."""
    declared = (
        "a: int = 2  # any",
        'model: str = "AE"  # which',
        "seed: int = 0",
        "quick: bool = False",
        'out_dir: str = "x"',
    )
    source = "\n".join(declared)
    cell = new_code_cell(source, metadata={"tags": ["parameters"]})
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=[cell], metadata=metadata), tmp_path / "n.ipynb")
    return tmp_path / "n.ipynb"


def test_a_sweep_reads_values_by_their_declared_types(
    squares: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    seen: list[Any] = []
    table = pd.DataFrame({"run": ["a=1"], "status": ["finished"], "cell": "", "message": ""})

    def pretended(*arguments: Any, **options: Any) -> batch.Sweep:
        seen.append((arguments, options))
        return batch.Sweep(out=tmp_path, table=table)

    monkeypatch.setattr(batch, "sweep", pretended)
    options = ["-g", "a=1,2", "-g", "model=ae,1", "--seeds", "5", "-p", "quick=true", "--jobs", "3", "--retries", "1"]
    command = ["sweep", str(squares), *options, "--scheduler", "local", "--out", str(tmp_path)]
    assert cli.main(command) == 0
    assert capsys.readouterr().out == f"1 runs in {tmp_path}: 1 finished\n"
    (arguments, keywords) = seen[0]
    assert arguments == (squares, {"a": [1, 2], "model": ["ae", "1"]})
    expected = {"seeds": 5, "parameters": {"quick": True}, "out": tmp_path, "jobs": 3, "scheduler": "local"}
    assert keywords == {**expected, "retries": 1, "together": False, "dry_run": False}
    table["status"] = "failed"
    assert cli.main([*command, "--quick"]) == 1


def test_a_dry_run_prints_the_plan_and_needs_no_kernel(
    squares: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert cli.main(["sweep", str(squares), "-g", "a=1,2", "--dry-run", "--out", str(tmp_path / "out")]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["run", "status", "why"],
        ["a=1", "new"],
        ["a=2", "new"],
    ]
    assert not (tmp_path / "out").exists()


def test_a_sweep_of_what_is_not_declared_lists_what_is(squares: Path, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["sweep", str(squares), "-g", "b=1"]) == 2
    told = capsys.readouterr().err
    assert told.startswith(
        "gaia-explore: parameters must be declared by n.ipynb (a, model, seed, quick, out_dir), got ['b']"
    )
    assert "\n  a: int = 2  # any\n" in told
    assert cli.main(["sweep", str(squares), "-g", "b"]) == 2
    assert capsys.readouterr().err == "gaia-explore: -g and -p must be name=value, got 'b'\n"


def test_ctrl_c_says_how_to_go_on(squares: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def interrupted(*arguments: Any, **options: Any):
        raise KeyboardInterrupt("1 of 3 runs are finished; the same sweep again goes on")

    monkeypatch.setattr(batch, "sweep", interrupted)
    assert cli.main(["sweep", str(squares), "-g", "a=1"]) == 130
    told = "gaia-explore: interrupted: 1 of 3 runs are finished; the same sweep again goes on\n"
    assert capsys.readouterr().err == told


def test_a_sweep_is_collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(batch, "collect", lambda out: pd.DataFrame({"run": ["a=1", "a=2"], "r": [1, 2]}))
    assert cli.main(["collect", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"2 rows, 2 columns: {tmp_path / 'table.parquet'}, table.csv\n"


def test_an_unknown_command_shows_the_usage(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as exit_status:
        cli.main(["walk"])
    assert exit_status.value.code == 2
    assert "usage: gaia-explore" in capsys.readouterr().err


def test_the_package_runs_as_a_module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(sys, "argv", ["gaia-explore", "--help"])
    with pytest.raises(SystemExit) as exit_status:
        runpy.run_module("gaia_explore", run_name="__main__")
    assert exit_status.value.code == 0
    assert "study" in capsys.readouterr().out
