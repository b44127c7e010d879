"""Compiled networks: trained as others are, compiled for nobody else, and done without where that is impossible."""

import logging
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jaxtyping
import numpy as np
import pytest
import torch
from torch import nn

from gaia_explore.models import AEConfig, Config, GAIAConfig
from gaia_explore.networks import Convolutional, StyleContent
from gaia_explore.networks.network import Layers
from gaia_explore.runs import Run, load, train
from gaia_explore.stimuli import Stimuli
from gaia_explore.training import compiling, fit
from gaia_explore.training.compiling import compile_networks

# What torch.compile does itself, and shows nobody: it looks at gradients of codes that lie between two compiled
# networks, and makes an instance of functions whose gradient is written by hand.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*Function.*should not be instantiated:DeprecationWarning"),
]

CPU = torch.device("cpu")
CONVOLUTIONAL: dict[str, Any] = {"network": Convolutional(filters=(4, 8), hidden_units=8), "latent_dim": 4}
STYLE_CONTENT: dict[str, Any] = {
    "network": StyleContent(filters=4, residual_blocks=1, style_dim=3),
    "latent_dim": 8,
}


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many operations each graph has that torch.compile was given, by a compiler that compiles nothing.

    So no test needs a C++ compiler. Shapes are not checked: torch.compile's stand-ins for tensors are none to beartype.
    """
    sizes: list[int] = []

    def backend(graph: torch.fx.GraphModule, _: Any) -> Any:
        sizes.append(sum(node.op.startswith("call") for node in graph.graph.nodes))
        return graph.forward

    monkeypatch.setattr(compiling, "BACKEND", backend)
    jaxtyping.config.update("jaxtyping_disable", True)
    yield sizes
    jaxtyping.config.update("jaxtyping_disable", False)
    torch.compiler.reset()


def fitted(config: Config, size: int, steps: int = 20, **options: Any) -> tuple[dict[str, torch.Tensor], Any]:
    x = np.random.default_rng(0).random((16, size, size, 3), dtype=np.float32)
    own = {"batch_size": 8, "seed": 0, "progress": False, "device": "cpu", "held_out": x, "evaluate_every": 10}
    return fit(config, x, steps=steps, **(own | options))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "size", "least"),
    [
        # A graph each: of the autoencoder; of encoder, decoder and discriminator.
        (AEConfig(**CONVOLUTIONAL), 16, [20]),
        (GAIAConfig(**CONVOLUTIONAL), 16, [8, 10, 20]),
        (AEConfig(**STYLE_CONTENT), 32, [80]),
    ],
    ids=["AE", "GAIA", "style–content"],
)
def test_a_compiled_training_is_the_same_training(config: Config, size: int, least: list[int], graphs: list[int]):
    usual, said = fitted(config, size)
    compiled, told = fitted(config, size, compile=True)
    # The first is of the trial whether compiling works.
    assert len(graphs) == 1 + len(least) and all(n >= m for n, m in zip(sorted(graphs[1:]), least, strict=True))
    assert compiled.keys() == usual.keys() and told.keys() == said.keys()
    torch.testing.assert_close(compiled["history"], usual["history"], rtol=1e-4, atol=1e-5)
    for name in said["held_out_error"]:
        assert told["held_out_error"][name] == pytest.approx(said["held_out_error"][name], rel=1e-4)


@pytest.mark.slow
def test_what_is_left_of_a_compiled_training_is_as_of_any_other(graphs: list[int], tmp_path: Path):
    x = np.random.default_rng(0).random((16, 8, 8, 1), dtype=np.float32)
    config = GAIAConfig(network=Convolutional(filters=(4,), hidden_units=8), latent_dim=4, schedule="constant")
    options: dict[str, Any] = {"batch_size": 8, "progress": False, "device": "cpu"}
    seen: list[Run] = []
    stimuli = Stimuli.from_array(x)
    run = train(config, stimuli, steps=6, out=tmp_path, compile=True, watch=seen.append, watch_every=3, **options)
    n_graphs = len(graphs)
    assert n_graphs == 4
    z = run.codec.encode(x)
    for codec in (seen[-1].codec, run.codec.snapshot(), deepcopy(run.codec), load(tmp_path).codec):
        np.testing.assert_array_equal(codec.encode(x), z)
        assert codec.decode(z).shape == x.shape
    assert len(graphs) == n_graphs
    # Begun compiled, it goes on without; and the other way round.
    resumed = train(config, stimuli, steps=12, resume=tmp_path, **options)
    whole = train(config, stimuli, steps=12, **options)
    torch.testing.assert_close(resumed.tensors["history"], whole.tensors["history"], rtol=1e-4, atol=1e-5)
    torch.compiler.reset()
    again = train(config, stimuli, steps=14, resume=tmp_path, compile=True, **options)
    assert again.description["step"] == 14 and len(graphs) == 2 * n_graphs


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Layers(nn.Linear(2, 2), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)


def test_players_and_their_parts_are_compiled_in_place(graphs: list[int]):
    player, x = Block(), torch.rand(3, 2, generator=torch.Generator().manual_seed(0))
    before = list(player.state_dict())
    usual = player(x)
    compile_networks([player], CPU)
    torch.testing.assert_close(player(x), usual)
    torch.testing.assert_close(player.inner(x), usual)
    assert graphs == [1, 2, 2]
    assert list(player.state_dict()) == before
    deepcopy(player)(x)
    assert graphs == [1, 2, 2]


def test_without_a_compiler_the_log_says_so_and_networks_run_as_usual(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def without(*_: Any) -> Any:
        raise RuntimeError("No working C++ compiler\nfound\n\nand how to debug PyTorch")

    monkeypatch.setattr(compiling, "BACKEND", without)
    player = Block()
    with caplog.at_level(logging.WARNING, logger="gaia_explore"):
        compile_networks([player], CPU)
    (told,) = caplog.messages
    assert told.startswith("networks are not compiled, and steps may take longer: ")
    assert told.endswith("RuntimeError: No working C++ compiler found")
    assert player(torch.zeros(1, 2)).shape == (1, 2)
    torch.compiler.reset()
