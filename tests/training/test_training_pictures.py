"""A step on pictures with the style–content network: at the paper's sizes, and in mixed precision."""

from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch.nn.utils import parameters_to_vector

from gaia_explore.models import GAIAConfig
from gaia_explore.networks import StyleContent
from gaia_explore.training import fit


def fitted(
    config: GAIAConfig, size: int, *, batch_size: int, precision: Literal["fp32", "bf16"] = "fp32"
) -> dict[str, torch.Tensor]:
    x = np.random.default_rng(0).integers(256, size=(batch_size, size, size, 3), dtype=np.uint8)
    options: dict[str, Any] = {"steps": 1, "batch_size": batch_size, "seed": 0, "progress": False, "device": "cpu"}
    return fit(config, x, **options, precision=precision)[0]


def assert_players_moved(tensors: dict[str, torch.Tensor], config: GAIAConfig, size: int):
    assert bool(tensors["history"].isfinite().all())
    with torch.no_grad():
        model = config.build((size, size, 3), torch.Generator().manual_seed(0))
        for name, module in model.players().items():
            weights = tensors[f"{name}/weights"]
            # What is not finite survives the sum, which needs no memory of its own.
            assert bool(weights.sum().isfinite())
            moved = (weights != parameters_to_vector(module.parameters())).count_nonzero()
            assert moved > 0.5 * len(weights)


@pytest.mark.slow
def test_a_step_at_the_papers_sizes_moves_both_players():
    # Sainburg et al. 2018, appendix 5.1, but two stimuli a minibatch. Half a minute, and 10 GB of memory.
    network = StyleContent(filters=64, residual_blocks=4, style_dim=512)
    config = GAIAConfig.published(network=network, latent_dim=1024, alpha=2e-5, clip=1.0, learning_rate=1e-4)
    assert_players_moved(fitted(config, 128, batch_size=2), config, 128)


def test_a_step_in_mixed_precision_moves_both_players():
    network = StyleContent(filters=4, residual_blocks=1, style_dim=3)
    config = GAIAConfig.published(network=network, latent_dim=8, alpha=2e-5, clip=1.0, learning_rate=1e-4)
    mixed, exact = (fitted(config, 32, batch_size=4, precision=precision) for precision in ("bf16", "fp32"))
    assert_players_moved(mixed, config, 32)
    assert mixed["generator/weights"].dtype == torch.float32
    torch.testing.assert_close(mixed["history"], exact["history"], rtol=0.1, atol=0.02)
    assert not torch.equal(mixed["history"], exact["history"])
