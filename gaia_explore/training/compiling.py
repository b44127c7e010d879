"""Networks compiled by torch.compile: what lies between their convolutions becomes a few kernels."""

import logging
from collections.abc import Iterable

import torch
from torch import nn

BACKEND = "inductor"
"""What torch.compile hands the networks to: it needs a C++ compiler, and Triton for GPUs."""

LOG = logging.getLogger("gaia_explore")


def compile_networks(players: Iterable[nn.Module], device: torch.device):
    """Have the players' networks compiled when they are first used, or say in the log why they cannot be.

    In place, so that weights keep their names and places. What is copied, pickled, or built from a run's file is not
    compiled.
    """
    try:
        torch.compile(torch.neg, backend=BACKEND)(torch.ones(2, device=device))
    except RuntimeError as error:
        # The first paragraph; what follows is about debugging PyTorch.
        why = " ".join(str(error).strip().split("\n\n")[0].split())
        LOG.warning("networks are not compiled, and steps may take longer: %s", why)
        return
    for player in players:
        # Some models call a player as a whole, others its parts.
        for network in (player, *player.children()):
            # Sizes never change: a general program would only be slower.
            network.compile(backend=BACKEND, dynamic=False)
