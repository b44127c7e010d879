"""Several processes that train one model: together they take the steps that one would."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import gaia_explore as ge
from gaia_explore.losses import mix_pairs
from gaia_explore.models import Share, draw
from gaia_explore.models.gaia import _fill_dirichlet
from gaia_explore.networks import FullyConnected
from gaia_explore.runs import Run
from gaia_explore.training import processes

SMALL: dict[str, Any] = {"network": FullyConnected(hidden_units=16, hidden_layers=2)}
CONFIGS = {
    "ae": ge.AEConfig(**SMALL),
    "vae": ge.VAEConfig(**SMALL),
    "gaia": ge.GAIAConfig(**SMALL, averaging=0.99),
    "published": ge.GAIAConfig.published(**SMALL),
    "mixed": ge.GAIAConfig(**SMALL, mixing="minibatch", discriminator_noise=0.05, rule="capped"),
}
TRAINING: dict[str, Any] = {"batch_size": 16, "seed": 3, "evaluate_every": 20, "device": "cpu", "progress": False}
STEPS = 40

WORKER = """
import json, sys
from pathlib import Path
import torch
import gaia_explore as ge
from gaia_explore.models import config_from_dict
from gaia_explore.training import is_first

folder = Path(sys.argv[1])
plan = json.loads((folder / "plan.json").read_text())
moons = ge.stimuli.moons(n=200, seed=0).split(0.75, seed=0)

def train(name, steps=plan["steps"], **options):
    options = plan["training"] | {"held_out": moons[1]} | options
    return ge.train(config_from_dict(plan["configs"][name]), moons[0], steps=steps, **options)

class Stop:
    stop_reason = "enough" if is_first() else None
    def __call__(self, run):
        pass

told = {}
for name in plan["configs"]:
    train(name, out=folder / name)
train("ae", stream=True, out=folder / "streamed")
train("gaia", resume=folder / "resumed")
told["rank"] = torch.distributed.get_rank()
told["stopped"] = str(train("ae", steps=500, watch=Stop(), watch_every=500).health)
for name, call in {"batch": lambda: train("ae", batch_size=12), "many": lambda: ge.train_many(
    config_from_dict(plan["configs"]["ae"]), moons[0], seeds=[0, 1], steps=1, batch_size=16)}.items():
    try:
        call()
    except ValueError as error:
        told[name] = str(error)
(folder / f"told{told['rank']}.json").write_text(json.dumps(told))
"""


def one_process(name: str, steps: int = STEPS, **options: Any) -> Run:
    shown, held_out = ge.stimuli.moons(n=200, seed=0).split(0.75, seed=0)
    everything: dict[str, Any] = TRAINING | {"held_out": held_out} | options
    return ge.train(CONFIGS[name], shown, steps=steps, **everything)


def torchrun(*command: str) -> str:
    """Run a program in two processes as torchrun does, and return what they say."""
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *start, *command], capture_output=True, text=True, env=environment, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes of torchrun made of the same trainings."""
    folder = tmp_path_factory.mktemp("processes")
    configs = {name: config.to_dict() for name, config in CONFIGS.items()}
    (folder / "plan.json").write_text(json.dumps({"configs": configs, "training": TRAINING, "steps": STEPS}))
    # Cut short, as a killed training is: its checkpoint is that of step 20 of 40.
    watch = StopAt(20)
    one_process("gaia", resume=folder / "resumed", watch=watch, watch_every=20)
    (folder / "worker.py").write_text(WORKER)
    torchrun(str(folder / "worker.py"), str(folder))
    return folder


class StopAt:
    """Ends a training after so many steps."""

    def __init__(self, step: int):
        self.step = step
        self.stop_reason: str | None = None

    def __call__(self, run: Run):
        if run.description["step"] >= self.step:
            self.stop_reason = "cut"


def assert_alike(run: Run, other: Run):
    assert run.tensors.keys() == other.tensors.keys()
    for name, tensor in run.tensors.items():
        np.testing.assert_allclose(tensor.double(), other.tensors[name].double(), rtol=0, atol=1e-4, err_msg=name)
    errors = (np.array(list(r.description["held_out_error"].values())) for r in (run, other))
    np.testing.assert_allclose(*errors, rtol=1e-4)
    assert {**run.description, "held_out_error": {}} == {**other.description, "held_out_error": {}}


@pytest.mark.slow
@pytest.mark.traced
@pytest.mark.parametrize("name", CONFIGS)
def test_two_processes_take_the_steps_of_one(folder: Path, name: str):
    run, alone = ge.load(folder / name), one_process(name)
    assert_alike(run, alone)
    # They did share: sums of halves round otherwise than sums of the whole.
    assert any(not torch.equal(tensor, alone.tensors[part]) for part, tensor in run.tensors.items())


@pytest.mark.slow
@pytest.mark.traced
def test_each_process_reads_its_share_of_what_is_streamed(folder: Path):
    assert_alike(ge.load(folder / "streamed"), one_process("ae", stream=True))


@pytest.mark.slow
@pytest.mark.traced
def test_what_one_process_began_two_go_on_with_and_one_finishes(folder: Path, tmp_path: Path):
    resumed = ge.load(folder / "resumed")
    assert resumed.description["step"] == STEPS
    assert_alike(resumed, one_process("gaia"))
    # And the other way round: the finished run is returned as it is, in one process.
    again = one_process("gaia", resume=folder / "resumed")
    assert_alike(again, resumed)


@pytest.mark.slow
@pytest.mark.traced
def test_processes_stop_together_and_refuse_what_they_cannot_share(folder: Path):
    told = [json.loads((folder / f"told{rank}.json").read_text()) for rank in (0, 1)]
    assert [own.pop("rank") for own in told] == [0, 1]
    assert told[0] == told[1]
    assert told[0]["stopped"] == "stopped: enough at step 20 of 500"
    assert told[0]["batch"] == "batch_size must be a multiple of 4 × 2 processes, got 12"
    assert told[0]["many"].startswith("train_many must run in one process, got 2")


@pytest.mark.slow
def test_the_command_line_trains_in_two_processes_and_tells_once(tmp_path: Path):
    small = "network=" + json.dumps(SMALL["network"].to_dict())
    rest = ["--steps", "4", "--batch-size", "8", "--sample", "40", "--device", "cpu", "--out", str(tmp_path / "run")]
    told = torchrun("-m", "gaia_explore", "train", "GAIA", "moons", "-c", "alpha=0", "-c", small, *rest)
    run = ge.load(tmp_path / "run")
    assert told.splitlines() == [f"{run}: {tmp_path / 'run'}"]
    assert run.description["step"] == 4 and run.config == ge.GAIAConfig(**SMALL, alpha=0.0)


def shares(batch_size: int, size: int) -> list[Share]:
    return [Share(torch.Generator().manual_seed(0), batch_size, rank, size) for rank in range(size)]


@pytest.mark.parametrize(("batch_size", "size"), [(8, 1), (8, 2), (24, 3), (64, 4)])
def test_shares_are_a_minibatch_and_keep_its_pairs(batch_size: int, size: int):
    z = torch.randn(batch_size, 3)
    beta = torch.rand(batch_size, 1)
    own = shares(batch_size, size)
    assert sorted(torch.cat([share.rows for share in own]).tolist()) == list(range(batch_size))
    pairs = mix_pairs(z, beta)
    for share in own:
        torch.testing.assert_close(mix_pairs(z[share.rows], beta[share.rows]), pairs[share.rows])


@pytest.mark.parametrize("fill", [Tensor.normal_, Tensor.uniform_, partial(_fill_dirichlet, concentration=0.1)])
def test_shares_draw_what_one_process_draws(fill: Any):
    # Three minibatches under one another, as the discriminator sees them.
    drawn = draw(fill, (24, 5), torch.Generator().manual_seed(0), torch.empty(0))
    for share in shares(8, 2):
        own = draw(fill, (12, 5), share, torch.empty(0))
        torch.testing.assert_close(own, drawn.view(3, 8, 5)[:, share.rows].flatten(0, 1))


def test_one_process_alone_agrees_with_itself(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WORLD_SIZE", "2")  # as schedulers set it that are not torchrun
    processes.join()
    generator = torch.Generator()
    assert processes.size() == 1 and processes.is_first() and processes.share_of(generator, 6) is generator
    assert processes.agreed("why") == "why"
    assert processes.agreed(None) is None
    processes.meet()
