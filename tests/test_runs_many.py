"""Training many models at once into ordinary runs."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import gaia_explore as ge
from gaia_explore.models import AEConfig, GAIAConfig, VAEConfig
from gaia_explore.networks import FullyConnected
from gaia_explore.runs import FILE, Run, load, train, train_many
from gaia_explore.stimuli import Stimuli, circles, moons

SMALL: dict[str, Any] = {"network": FullyConnected(hidden_units=8, hidden_layers=2)}
OPTIONS: dict[str, Any] = {"steps": 12, "batch_size": 16, "progress": False, "device": "cpu"}
MOONS, CIRCLES = moons(n=96, seed=0), circles(n=64, seed=1)


def many(configs: Any = None, stimuli: Any = MOONS, seeds: Any = 0, **options: Any) -> list[Run]:
    return train_many(AEConfig(**SMALL) if configs is None else configs, stimuli, seeds, **(OPTIONS | options))


def assert_same(run: Run, other: Run):
    assert run.description == other.description
    for name, tensor in run.tensors.items():
        torch.testing.assert_close(tensor, other.tensors[name], rtol=0, atol=1e-4)


def test_members_are_the_runs_that_train_gives_and_each_is_loaded_alone(tmp_path: Path):
    configs = [GAIAConfig(**SMALL), GAIAConfig(**SMALL, alpha=0.5), VAEConfig(**SMALL)]
    sets, seeds = [MOONS, CIRCLES, CIRCLES], [3, 4, 5]
    runs = ge.train_many(configs, sets, seeds, names=["a", "b", "c"], out=tmp_path, **OPTIONS)
    for config, stimuli, seed, name, run in zip(configs, sets, seeds, "abc", runs, strict=True):
        assert_same(run, train(config, stimuli, seed=seed, **OPTIONS))
        loaded = load(tmp_path / name)
        assert_same(run, loaded)
        np.testing.assert_array_equal(loaded.codec.encode(stimuli.x), run.codec.encode(stimuli.x))
        assert {path.name for path in (tmp_path / name).iterdir()} == {FILE, "run.json", "history.csv"}


def test_what_is_given_once_is_for_all():
    runs = many(seeds=range(3), held_out=MOONS.subset(range(20)), evaluate_every=6)
    assert [run.description["seed"] for run in runs] == [0, 1, 2]
    assert all(list(run.history["held_out_error"].dropna().index) == [6, 12] for run in runs)
    assert len(many()) == 1


def test_members_go_on_where_they_were_and_new_ones_join(tmp_path: Path):
    config = AEConfig(**SMALL, schedule="constant")
    many(config, seeds=[0, 1], out=tmp_path)
    runs = many(config, seeds=range(3), resume=tmp_path, steps=20)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2"]
    longer: dict[str, Any] = OPTIONS | {"steps": 20}
    for seed, run in enumerate(runs):
        assert_same(run, train(config, MOONS, seed=seed, **longer))


def test_finished_members_without_their_optimisers_are_returned_as_they_are(tmp_path: Path):
    finished = [run for run in many(seeds=range(2))]
    for seed, run in enumerate(finished):
        run.save(tmp_path / str(seed), resumable=False)
    runs = many(seeds=range(3), resume=tmp_path)
    for run, other in zip(runs, [*finished, train(AEConfig(**SMALL), MOONS, seed=2, **OPTIONS)], strict=True):
        assert run.description == other.description
        assert all(torch.equal(tensor, other.tensors[name]) for name, tensor in run.tensors.items())
    assert [len(run.tensors) for run in runs] == [2, 2, 6]


def test_a_member_that_dies_is_named():
    configs = [AEConfig(**SMALL), AEConfig(**SMALL, learning_rate=1e30)]
    told = r"^member 1 \(moons, seed 0\): AE died: pixel_error is .*: lower the learning rate$"
    with pytest.warns(UserWarning, match=told) as warned:
        runs = many(configs, steps=60)
    assert [run.health.status for run in runs] == ["healthy", "died"]
    assert len(warned) == 1


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"seeds": [0, 1], "stimuli": [MOONS] * 3}, ValueError, "seeds must be as many as stimuli, 3, got 2"),
        ({"seeds": []}, ValueError, "seeds must be as many as seeds, 1, got 0"),
        ({"seeds": [0, -1]}, ValueError, "seeds must be at least 0, got -1"),
        ({"at_once": 0}, ValueError, "at_once must be at least 1, got 0"),
        ({"seeds": [0, 1], "names": ["a", "a"]}, ValueError, "names must differ, got ['a', 'a']"),
        ({"names": ["../a"]}, ValueError, "names must be names of folders, got '../a'"),
        ({"patience": 2}, ValueError, "patience must be 0 without held_out, got 2"),
    ],
)
def test_arguments_that_are_out_of_range_are_named(options: dict[str, Any], error: type[Exception], message: str):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        many(**options)


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path):
    many(out=tmp_path)
    message = f"out must be a folder without a run, got {tmp_path / '0'}: resume= would continue its run"
    with pytest.raises(FileExistsError, match=f"^{re.escape(message)}$"):
        many(out=tmp_path)


def test_stimuli_of_different_shapes_are_trained_too():
    other = Stimuli.from_array(np.random.default_rng(0).random((40, 3)))
    runs = many(stimuli=[MOONS, other])
    assert [run.description["shape"] for run in runs] == [[2], [3]]
