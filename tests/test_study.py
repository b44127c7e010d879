"""The planar study: its plan, its runs, its table."""

import json
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gaia_explore import scores, stimuli, study
from gaia_explore.models import AEConfig, Config, GAIAConfig, VAEConfig
from gaia_explore.networks import FullyConnected
from gaia_explore.runs import FILE, load, train, train_many
from gaia_explore.training.stop import StopRequest

SMALL: dict[str, Any] = {"network": FullyConnected(hidden_units=8, hidden_layers=1)}
SETTINGS: dict[tuple[str, str], Config] = {
    ("AE", "default"): AEConfig(**SMALL),
    ("GAIA α=1", "default"): GAIAConfig(**SMALL),
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("study")
    study.execute(study.plan(SETTINGS, [0, 1], ["circles", "moons"], quick=True), out, progress=False)
    return out


def test_the_plan_goes_seed_by_seed_over_the_five_sets():
    cells = study.plan(study.MODELS, [3, 4])
    assert len(cells) == 2 * len(study.MODELS) * 5
    assert [cell.seed for cell in cells] == [3] * 20 + [4] * 20
    assert {cell.stimuli for cell in cells} == set(stimuli.PLANAR_SETS)
    assert {(cell.steps, cell.n) for cell in cells} == {(6000, 4096)}


def test_every_cell_has_a_folder_of_its_own_that_any_file_system_takes():
    cells = study.plan(study.MODELS | study.PUBLISHED | study.FRONTIER, [0, 1])
    folders = [cell.folder for cell in cells]
    assert len(set(folders)) == len(cells)
    assert all(folder.isascii() and not set(folder) & set(' /\\:*?"<>|') for folder in folders)


def test_table_one_has_its_four_models_and_the_frontier_both_kinds_of_trade():
    assert [model for model, _ in study.MODELS] == list(scores.PAPER_TABLE_ONE.index)
    assert study.PUBLISHED["GAIA α=1", "published"] == GAIAConfig.published()
    betas = [config.beta for config in study.FRONTIER.values() if isinstance(config, VAEConfig)]
    weights = [config.adversarial_weight for config in study.FRONTIER.values() if isinstance(config, GAIAConfig)]
    assert min(betas) < VAEConfig().beta < max(betas)
    assert min(weights) < GAIAConfig().adversarial_weight < max(weights)


def test_every_run_is_scored_and_kept_without_its_optimisers(executed: Path):
    table = study.collect(executed)
    assert list(table["model"]) == ["AE"] * 4 + ["GAIA α=1"] * 4
    assert list(table["stimuli"]) == ["circles", "circles", "moons", "moons"] * 2
    assert list(table["seed"]) == [0, 1] * 4
    assert np.isfinite(table[["r", "ll_interpolations", "on_support", "pixel_error"]].to_numpy()).all()
    run = load(executed / "moons-AE-default-seed0")
    assert "autoencoder/exp_avg" not in run.tensors
    train, held_out = study.split("moons", 256, 0)
    expected = scores.planar(run.codec, train, held_out, seed=0)
    got = table.query("model == 'AE' and stimuli == 'moons' and seed == 0").iloc[0]
    np.testing.assert_allclose(got[list(expected.index)].to_numpy(float), expected.to_numpy(float))


def test_what_is_finished_is_not_trained_again_and_what_is_missing_is(executed: Path):
    cells = study.plan(SETTINGS, [0], ["moons"], quick=True)
    kept, lost = (executed / cell.folder for cell in cells)
    before = study.collect(executed)
    stamp = (kept / FILE).stat().st_mtime_ns
    for path in lost.iterdir():
        path.unlink()
    study.execute(cells, executed, progress=False)
    assert (kept / FILE).stat().st_mtime_ns == stamp
    assert study.collect(executed).equals(before)


def test_a_run_cut_short_between_its_training_and_its_scores_is_scored(executed: Path):
    (cell,) = study.plan({("AE", "default"): AEConfig(**SMALL)}, [7], ["blobs"], quick=True)
    study.execute([cell], executed, progress=False)
    expected = json.loads((executed / cell.folder / "scores.json").read_text())
    for path in (executed / cell.folder).iterdir():
        path.unlink()
    shown, _ = study.split("blobs", cell.n, 7)
    train(cell.config, shown, steps=cell.steps, seed=7, device="cpu", resume=executed / cell.folder, progress=False)
    study.execute([cell], executed, progress=False)
    assert json.loads((executed / cell.folder / "scores.json").read_text()) == expected


def test_a_quick_study_is_not_taken_for_a_full_one(executed: Path):
    before = study.collect(executed)
    message = r"^out must hold trainings of 6000 steps on 4096 stimuli, or none, got one of 30 on 256 in .*circles-AE-"
    with pytest.raises(ValueError, match=message):
        study.execute(study.plan(SETTINGS, [0], ["circles"]), executed, progress=False)
    assert study.collect(executed).equals(before)


def test_panels_hold_the_codecs_of_one_seed_in_the_order_of_the_study(executed: Path):
    panels = study.panels(executed, seed=1)
    assert list(panels) == [
        ("circles", "AE"),
        ("circles", "GAIA α=1"),
        ("moons", "AE"),
        ("moons", "GAIA α=1"),
    ]
    codec, held_out = panels["moons", "AE"]
    expected = load(executed / "moons-AE-default-seed1").codec
    np.testing.assert_array_equal(codec.encode(held_out.x), expected.encode(held_out.x))
    assert len(held_out) == 64 and held_out.title == "moons"


def test_a_folder_without_runs_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=f"out must hold runs of the study .*, got {tmp_path}"):
        study.collect(tmp_path)


def test_making_the_shipped_folder_without_runs_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("sys.argv", ["make.py"])
    with pytest.raises(SystemExit):
        runpy.run_path(str(Path(__file__).parents[1] / "data/planar/make.py"), run_name="__main__")
    assert "the following arguments are required: runs" in capsys.readouterr().err


def test_cells_that_fit_together_are_trained_at_once_in_the_order_of_the_plan():
    cells = study.plan(SETTINGS, [0, 1], ["circles", "moons", "blobs"], quick=True)
    kinds = [[(cell.model, cell.seed) for cell in some] for some in study._together(cells, "cpu")]
    assert kinds == [
        [("AE", 0)] * 3 + [("AE", 1)],
        [("GAIA α=1", 0)] * 3 + [("GAIA α=1", 1)],
        [("AE", 1)] * 2,
        [("GAIA α=1", 1)] * 2,
    ]
    assert study._together(cells, "cuda") == [cells]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch):
    """The study takes the CPU for a GPU, which one process has to itself."""
    monkeypatch.setattr(study, "choose_device", lambda device: SimpleNamespace(type="cuda"))


@pytest.mark.usefixtures("gpu")
def test_on_a_gpu_all_are_trained_first_and_then_scored_from_their_folders(
    executed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cells = study.plan(SETTINGS, [0], ["circles", "moons"], quick=True)
    asked: list[dict[str, Any]] = []

    def trained(*arguments: Any, **options: Any) -> Any:
        asked.append(options)
        return train_many(*arguments, **options)

    monkeypatch.setattr(study, "train_many", trained)
    with monkeypatch.context() as killed:
        killed.setattr(study, "record", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            study.execute(cells, tmp_path, device="cpu", progress=False)
    assert [options["names"] for options in asked] == [[cell.folder for cell in cells]]
    assert not list(tmp_path.glob("*/scores.json"))
    scored = study.execute(cells, tmp_path, device="cpu", progress=False)
    # What had been trained was only scored, to what programs of other members come to.
    assert len(asked) == 1
    expected = study.collect(executed).query("seed == 0").reset_index(drop=True)
    pd.testing.assert_frame_equal(scored, expected, rtol=1e-3)
    assert "generator" not in load(tmp_path / cells[0].folder).tensors


@pytest.mark.usefixtures("gpu")
def test_a_study_that_is_stopped_scores_nothing_half_trained_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    cells = study.plan(SETTINGS, [0], ["moons"], quick=True)

    def asked(request: StopRequest) -> bool:
        request.reason = "interrupted by the user"
        return True

    with monkeypatch.context() as interrupted:
        interrupted.setattr(StopRequest, "asked", asked)
        with pytest.raises(KeyboardInterrupt, match="the trainings were stopped; the same study again goes on"):
            study.execute(cells, tmp_path, device="cpu", progress=False)
    assert [load(tmp_path / cell.folder).description["step"] for cell in cells] == [1, 1]
    assert not list(tmp_path.glob("*/scores.json"))
    assert list(study.execute(cells, tmp_path, device="cpu", progress=False)["steps"]) == [30, 30]


def test_a_run_that_died_is_scored_as_it_is_and_not_trained_again(tmp_path: Path):
    (cell,) = study.plan({("AE", "default"): AEConfig(**SMALL, learning_rate=1e30)}, [0], ["moons"], quick=True)
    shown, _ = study.split("moons", cell.n, 0)
    with pytest.warns(UserWarning, match="died"):
        run = train(cell.config, shown, steps=cell.steps, device="cpu", out=tmp_path / cell.folder, progress=False)
    before = (tmp_path / cell.folder / FILE).read_bytes()
    assert run.health.status == "died" and study._ended(cell, tmp_path / cell.folder)
    study._train([cell], tmp_path, "cpu", progress=False)
    assert (tmp_path / cell.folder / FILE).read_bytes() == before
