"""Runs: trained, kept, loaded, resumed; and killed at random moments."""

import inspect
import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gaia_explore import __version__
from gaia_explore import stimuli as sets
from gaia_explore.latent import Judge
from gaia_explore.models import AEConfig, GAIAConfig, VAEConfig
from gaia_explore.networks import Convolutional, FullyConnected
from gaia_explore.runs import FILE, Run, load, train
from gaia_explore.stimuli import PackedStimuli, Stimuli

SMALL: dict[str, Any] = {"network": FullyConnected(hidden_units=8, hidden_layers=2)}


@pytest.fixture(scope="module")
def halves() -> tuple[Stimuli, Stimuli]:
    return sets.moons(n=128, seed=0).split(0.75, seed=0)


def trained(stimuli: Stimuli | PackedStimuli, config: Any = None, **options: Any) -> Run:
    config = config or GAIAConfig(**SMALL)
    return train(config, stimuli, **({"steps": 12, "batch_size": 16, "progress": False, "device": "cpu"} | options))


def test_a_run_has_its_history_codec_health_and_scaler(halves):
    stimuli, held_out = halves
    run = trained(stimuli, held_out=held_out, evaluate_every=4)
    assert list(run.history.columns) == [
        "L_x",
        "L_i",
        "L_D",
        "L_G",
        "w_D",
        "pace_discriminator",
        "pixel_error",
        "structure_loss",
        "pace_generator",
        "held_out_error",
    ]
    assert run.history.index.name == "step" and list(run.history.index) == list(range(1, 13))
    assert list(run.history["held_out_error"].dropna().index) == [4, 8, 12]
    np.testing.assert_allclose(run.history["pace_generator"], 1 - run.history["pace_discriminator"], rtol=1e-6)
    assert run.codec.encode(held_out.x).shape == (32, 2)
    assert isinstance(run.codec, Judge)
    assert str(run.health) == "healthy: 12 of 12 steps"
    np.testing.assert_array_equal(run.scaler.inverse(held_out.x), held_out.unscale(held_out.x))
    assert repr(run) == "Run(GAIA on moons, seed 0, healthy: 12 of 12 steps)"


@pytest.mark.parametrize("config", [AEConfig(**SMALL), VAEConfig(**SMALL), GAIAConfig(**SMALL, averaging=0.9)])
@pytest.mark.parametrize("resumable", [True, False])
def test_a_loaded_run_is_the_saved_one(halves, config, resumable: bool, tmp_path: Path):
    stimuli, held_out = halves
    run = trained(stimuli, config, held_out=held_out, evaluate_every=4)
    run.save(tmp_path / "run", resumable=resumable)
    loaded = load(tmp_path / "run")
    assert loaded.config == config and loaded.health == run.health and loaded.scaler.to_dict() == run.scaler.to_dict()
    assert loaded.history.equals(run.history)
    for codec, other in ((run.codec, loaded.codec), (run.best, loaded.best)):
        z = codec.encode(held_out.x)
        np.testing.assert_array_equal(z, other.encode(held_out.x))
        np.testing.assert_array_equal(codec.decode(z), other.decode(z))


def test_a_run_without_its_optimisers_is_smaller_and_goes_no_further(halves, tmp_path: Path):
    run = trained(halves[0])
    run.save(tmp_path / "whole")
    run.save(tmp_path / "light", resumable=False)
    assert (tmp_path / "light" / FILE).stat().st_size < 0.7 * (tmp_path / "whole" / FILE).stat().st_size
    seen: list[Run] = []
    trained(halves[0], watch=seen.append, watch_every=4)
    seen[0].save(tmp_path / "begun", resumable=False)
    with pytest.raises(ValueError, match=r"resume: the run was saved without its optimisers and cannot go on"):
        trained(halves[0], resume=tmp_path / "begun")


def test_a_finished_run_without_its_optimisers_is_returned_as_it_is_but_not_prolonged(halves, tmp_path: Path):
    config = GAIAConfig(**SMALL, averaging=0.9, schedule="constant")
    options: dict[str, Any] = {"held_out": halves[1], "evaluate_every": 4}
    trained(halves[0], config, **options).save(tmp_path, resumable=False)
    before = load(tmp_path)
    seen: list[Run] = []
    again = trained(halves[0], config, **options, resume=tmp_path, watch=seen.append)
    for run in (again, load(tmp_path), *seen):
        assert run.description == before.description and run.tensors.keys() == before.tensors.keys()
        assert all(torch.equal(tensor, before.tensors[name]) for name, tensor in run.tensors.items())
    assert len(seen) == 1
    with pytest.raises(ValueError, match=r"resume: the run was saved without its optimisers and cannot go on"):
        trained(halves[0], config, **options, resume=tmp_path, steps=13)


def test_a_run_without_its_best_weights_says_so(halves, tmp_path: Path):
    run = trained(halves[0], held_out=halves[1], evaluate_every=4)
    run.save(tmp_path / "last", best=False)
    last = load(tmp_path / "last")
    np.testing.assert_array_equal(last.codec.encode(halves[1].x), run.codec.encode(halves[1].x))
    with pytest.raises(ValueError, match="this run was saved without its best weights: see codec for the last ones"):
        _ = last.best


def test_a_network_of_tuples_is_its_own_when_its_run_goes_on(tmp_path: Path):
    pictures = Stimuli.from_array(np.random.default_rng(0).random((32, 8, 8, 1)))
    config = GAIAConfig(network=Convolutional(filters=(4, 8), hidden_units=8), schedule="constant")
    for steps in (6, 12):
        resumed = trained(pictures, config, steps=steps, resume=tmp_path / "run")
    whole = trained(pictures, config)
    torch.testing.assert_close(resumed.tensors, dict(whole.tensors), rtol=0, atol=0)
    assert resumed.description == whole.description == load(tmp_path / "run").description


def test_a_run_folder_can_be_read_by_people(halves, tmp_path: Path):
    trained(halves[0], out=tmp_path / "run")
    described = json.loads((tmp_path / "run" / "run.json").read_text())
    assert described["config"]["model"] == "GAIA"
    assert described["about"]["title"] == "moons"
    assert described["versions"].keys() >= {"python", "torch", "gaia-explore"}
    assert (tmp_path / "run" / "history.csv").read_text().startswith("step,L_x,")
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["history.csv", "run.json", FILE]


@pytest.mark.usefixtures("not_installed")
def test_a_run_tells_the_package_s_version_where_it_is_only_on_the_path(halves, tmp_path: Path):
    trained(halves[0], steps=1, out=tmp_path / "run")
    described = json.loads((tmp_path / "run" / "run.json").read_text())
    assert described["versions"]["gaia-explore"] == __version__


def test_the_codec_uses_the_averaged_weights_where_the_config_has_them(halves):
    run = trained(halves[0], GAIAConfig(**SMALL, averaging=0.9))
    weights = run.codec.model.get_parameter("generator.encoder.layers.0.weight").flatten().numpy()
    np.testing.assert_array_equal(weights, run.tensors["generator/average"][: len(weights)].numpy())
    assert not np.array_equal(weights, run.tensors["generator/weights"][: len(weights)].numpy())


def test_a_run_that_saw_no_held_out_stimuli_has_no_best(halves):
    run = trained(halves[0])
    with pytest.raises(ValueError, match=r"this run looked at no held-out stimuli: pass held_out= to train"):
        _ = run.best


def test_a_run_that_died_warns_in_words(halves):
    with pytest.warns(UserWarning, match=r"AE died: pixel_error is (nan|inf) at step \d+: lower the learning rate"):
        run = trained(halves[0], AEConfig(**SMALL, learning_rate=1e30), steps=100)
    assert run.health.status == "died"


def test_resume_begins_where_there_is_nothing_yet_and_returns_what_is_finished(halves, tmp_path: Path):
    first = trained(halves[0], resume=tmp_path / "run")
    again = trained(halves[0], resume=tmp_path / "run")
    assert first.history.equals(again.history)


def test_a_new_run_does_not_overwrite_an_old_one(halves, tmp_path: Path):
    trained(halves[0], out=tmp_path)
    with pytest.raises(FileExistsError, match=r"out must be a folder without a run, got .*: resume= would continue"):
        trained(halves[0], out=tmp_path)


def test_loading_nothing_names_the_path(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=f"no run at {tmp_path / FILE}"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"watch_every": 0}, "watch_every must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"patience": 2}, "patience must be 0 without held_out, got 2"),
        (
            {"out": "a", "resume": "b"},
            "out and resume must not both be given, got a and b: resume writes to its folder",
        ),
    ],
)
def test_arguments_out_of_range_are_named(halves, options: dict[str, Any], message: str):
    with pytest.raises(ValueError) as error:
        trained(halves[0], **options)
    assert str(error.value) == message


def test_choices_are_named_also_where_nobody_checks_types(halves):
    unchecked = inspect.unwrap(train)
    with pytest.raises(ValueError, match=r"^stream must be True, False or auto, got 'yes'$"):
        unchecked(AEConfig(**SMALL), halves[0], stream="yes")
    with pytest.raises(ValueError, match=r"^precision must be one of fp32, tf32, bf16, got 'fp8'$"):
        unchecked(AEConfig(**SMALL), halves[0], precision="fp8")


def test_only_image_networks_are_compiled(halves):
    told = "^compile must be False with a fully connected network, which it makes no faster, got True$"
    with pytest.raises(ValueError, match=told):
        trained(halves[0], compile=True)


def test_who_watches_sees_the_run_as_it_is_and_changes_nothing(halves):
    stimuli, held_out = halves
    seen: list[Run] = []

    def watch(run: Run):
        seen.append(Run({name: tensor.clone() for name, tensor in run.tensors.items()}, run.description))
        codes = run.codec.encode(held_out.x)
        assert len(run.history) == run.description["step"] and codes.shape == (32, 2)
        # Spoils what it was given, and the global stream.
        torch.manual_seed(0)
        for tensor in run.tensors.values():
            tensor.zero_()

    options: dict[str, Any] = {"steps": 70, "held_out": held_out, "evaluate_every": 20}
    undisturbed = trained(stimuli, **options)
    watched = trained(stimuli, **options, watch=watch, watch_every=30)
    assert [run.description["step"] for run in seen] == [30, 60, 70]
    for name, tensor in undisturbed.tensors.items():
        assert torch.equal(watched.tensors[name], tensor) and torch.equal(seen[-1].tensors[name], tensor), name
    assert undisturbed.description == watched.description == seen[-1].description
    assert str(seen[0].health) == "healthy: 30 of 70 steps"
    assert list(seen[0].history["held_out_error"].dropna().index) == [20]


def test_who_watches_may_stop_the_training_and_is_shown_how_it_ended(halves):
    class Explorer:
        stop_reason: str | None = None
        seen: list[Run]

        def __call__(self, run: Run):
            self.seen = [*getattr(self, "seen", []), run]
            self.stop_reason = "seen enough"

    explorer = Explorer()
    run = trained(halves[0], watch=explorer, watch_every=4)
    assert str(run.health) == "stopped: seen enough at step 5 of 12"
    assert [str(seen.health) for seen in explorer.seen] == ["healthy: 4 of 12 steps", str(run.health)]


def test_a_stop_reason_that_fails_is_told_and_the_training_goes_on(halves):
    class Explorer:
        closed = False

        def __call__(self, run: Run):
            self.closed = len(run.history) == 1

        @property
        def stop_reason(self) -> str | None:
            if self.closed:
                raise LookupError("no button")

    told = r"^stop_reason failed and is not looked at again: LookupError\('no button'\)$"
    with pytest.warns(UserWarning, match=told):
        run = trained(halves[0], watch=Explorer(), watch_every=1)
    assert str(run.health) == "healthy: 12 of 12 steps"


def test_the_run_that_is_watched_is_that_of_a_training_that_ends_there(halves):
    config = GAIAConfig(**SMALL, schedule="constant")
    seen: list[Run] = []
    trained(halves[0], config, steps=12, watch=seen.append, watch_every=5)
    shorter = trained(halves[0], config, steps=5)
    np.testing.assert_array_equal(seen[0].codec.encode(halves[1].x), shorter.codec.encode(halves[1].x))
    assert seen[0].history.equals(shorter.history)


def test_held_out_stimuli_must_have_the_shape_of_the_others(halves):
    other = Stimuli.from_array(np.random.default_rng(0).random((8, 3)))
    with pytest.raises(ValueError, match=r"held_out must have the stimuli's shape \(2,\), got \(3,\)"):
        trained(halves[0], held_out=other)


# --- packs


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> PackedStimuli:
    x = np.random.default_rng(0).integers(256, size=(40, 4, 4, 3), dtype=np.uint8)
    path = tmp_path_factory.mktemp("pack") / "x.npy"
    np.save(path, x)
    table = pd.DataFrame({"label": np.arange(40) % 2})
    return PackedStimuli(
        pixels=np.load(path, mmap_mode="r"), rows=np.arange(40), attributes=table, title="noise", digest="d"
    )


@pytest.mark.parametrize("config", [VAEConfig(**SMALL), GAIAConfig(**SMALL)], ids=lambda config: config.name)
@pytest.mark.parametrize("stream", [False, True])
def test_packed_stimuli_train_to_the_last_bit_as_in_memory(pictures: PackedStimuli, config, stream: bool):
    packed, held_out = pictures.split(0.75, seed=0)
    oracle = trained(packed.stimuli(), config, held_out=held_out.stimuli(), evaluate_every=4, stream=stream)
    for shown, looked_at in ((packed, held_out), (packed, held_out.stimuli()), (packed.stimuli(), held_out)):
        run = trained(shown, config, held_out=looked_at, evaluate_every=4, stream=stream)
        for name, tensor in oracle.tensors.items():
            assert torch.equal(run.tensors[name], tensor), name
        assert run.description["held_out_error"] == oracle.description["held_out_error"]
        assert run.description["stream"] is stream


def test_a_run_on_a_pack_has_its_scaler_and_is_resumed(pictures: PackedStimuli, tmp_path: Path):
    run = trained(pictures, AEConfig(**SMALL), resume=tmp_path, stream=True)
    assert repr(run) == "Run(AE on noise, seed 0, healthy: 12 of 12 steps)"
    assert run.description["about"]["fingerprint"] == "d" and run.description["about"]["names"] == []
    assert run.scaler.to_dict() == pictures.scaler.to_dict()
    assert trained(pictures, AEConfig(**SMALL), resume=tmp_path).history.equals(run.history)
    with pytest.raises(ValueError, match=r"resume: about must be the run's own"):
        trained(pictures.subset(np.arange(39)), AEConfig(**SMALL), resume=tmp_path)


def test_of_a_large_held_out_pack_some_are_looked_at(pictures: PackedStimuli, monkeypatch: pytest.MonkeyPatch):
    config = AEConfig(**SMALL)
    monkeypatch.setattr("gaia_explore.runs.training.MOST_HELD_OUT", 4 * 48 + 47)
    packed, few = pictures.subset(np.arange(20)), pictures.subset([20, 25, 30, 35])
    all_twenty = trained(packed, config, held_out=pictures.subset(np.arange(20, 40)), evaluate_every=12)
    only_four = trained(packed, config, held_out=few.stimuli(), evaluate_every=12)
    assert all_twenty.description["held_out_error"] == only_four.description["held_out_error"]


def test_held_out_stimuli_must_be_scaled_as_the_others(pictures: PackedStimuli):
    other = Stimuli.from_array(np.random.default_rng(0).random((8, 4, 4, 3)), scaling="common")
    with pytest.raises(ValueError, match=r"held_out must be scaled as the stimuli are, {'low': 0\.0, 'high'"):
        trained(pictures, held_out=other)


def test_stimuli_that_changed_are_not_trained_on_under_the_old_runs_name(halves, tmp_path: Path):
    trained(halves[0], out=tmp_path)
    with pytest.raises(ValueError, match=r"resume: about must be the run's own"):
        trained(replace(halves[0], title="other moons"), resume=tmp_path)


# --- kill −9

NURSERY = """
import os, sys
from gaia_explore import stimuli
from gaia_explore.models import GAIAConfig
from gaia_explore.runs import train

train_set, held_out = stimuli.moons(n=256, seed=0).split(0.75, seed=0)
from gaia_explore.networks import Convolutional, FullyConnected
config = GAIAConfig(network=FullyConnected(hidden_units=16, hidden_layers=2), averaging=0.9)
# The imports, and those of a first step, take longer than the training: they are paid once, before the forks.
train(config, train_set, steps=1, progress=False, device="cpu")
for folder in sys.stdin:
    child = os.fork()
    if not child:
        train(
            config, train_set, steps=1500, batch_size=16, seed=5, held_out=held_out, evaluate_every=20,
            checkpoint_every=10, resume=folder.strip(), progress=False, device="cpu",
        )
        os._exit(0)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@pytest.mark.slow
def test_a_training_killed_at_random_moments_ends_as_if_nothing_had_happened(tmp_path: Path):
    command = [sys.executable, "-W", "error", "-c", NURSERY]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as nursery:
        orders, answers = nursery.stdin, nursery.stdout
        assert orders is not None and answers is not None

        def start(name: str) -> int:
            print(tmp_path / name, file=orders, flush=True)
            return int(answers.readline())

        began = time.monotonic()
        start("undisturbed")
        assert int(answers.readline()) == 0
        whole = time.monotonic() - began
        moments = random.Random(0)
        # So short that twenty kills fall all over the training, and inside its writes too.
        for _ in range(20):
            child = start("killed")
            time.sleep(moments.uniform(0, whole / 50))
            os.kill(child, signal.SIGKILL)
            assert int(answers.readline()) == signal.SIGKILL
            if (tmp_path / "killed" / FILE).exists():
                load(tmp_path / "killed")
        unfinished = load(tmp_path / "killed").description["step"]
        start("killed")
        assert int(answers.readline()) == 0
    assert 0 < unfinished < 1500
    assert (tmp_path / "killed" / FILE).read_bytes() == (tmp_path / "undisturbed" / FILE).read_bytes()
    assert load(tmp_path / "killed").health.status == "healthy"
    assert not list((tmp_path / "killed").glob("*.partial"))


def test_the_history_as_csv_reads_back_with_gaps_where_nobody_looked(halves, tmp_path: Path):
    shown, held_out = halves
    run = trained(shown, held_out=held_out, evaluate_every=5, out=tmp_path)
    read = pd.read_csv(tmp_path / "history.csv", index_col="step")
    pd.testing.assert_frame_equal(read, run.history, check_dtype=False, check_index_type=False, rtol=1e-6)
    assert 0 < np.isnan(read["held_out_error"].to_numpy()).sum() < len(read)
