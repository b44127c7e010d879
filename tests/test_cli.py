"""The command line, in process; and the whole demo, quick."""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
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


def test_the_study_writes_one_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    small = {("AE", "default"): AEConfig(network=FullyConnected(hidden_units=4, hidden_layers=1))}
    monkeypatch.setattr(study, "MODELS", small)
    command = ["study", "--quick", "--seeds", "2", "--jobs", "1", "--sets", "moons", "--out", str(tmp_path)]
    assert cli.main(command) == 0
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
    assert "resume: seed must be the run's own, 0, got 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["run", "none.ipynb"], "gaia-explore: notebook must be a file, got none.ipynb\n"),
        (["run", "none.ipynb", "-p", "steps"], "gaia-explore: -p and -c must be name=value, got 'steps'\n"),
        (["run", "none.ipynb", "-p", "a b=3"], "gaia-explore: -p and -c must be name=value, got 'a b=3'\n"),
        (["train", "AE", "birds"], "gaia-explore: stimuli must be faces, the folder of a pack, or one of circles, "),
        (["train", "AE", "moons", "-c", "alpha=1"], "gaia-explore: AE has no field 'alpha'; it has latent_dim, "),
    ],
)
def test_bad_input_is_told_in_one_line(options: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main(options) == 2
    told = capsys.readouterr().err
    assert told.startswith(message) and told.count("\n") == 1


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
