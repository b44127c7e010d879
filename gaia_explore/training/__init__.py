"""One loop for any number of players: steps, history, checkpoints, resume, health."""

from gaia_explore.training.board import PROGRESS, request_stop
from gaia_explore.training.checkpoint import read_checkpoint, write_atomically, write_checkpoint
from gaia_explore.training.health import Health
from gaia_explore.training.loop import choose_device, fit
from gaia_explore.training.stop import Stopper

__all__ = [
    "PROGRESS",
    "Health",
    "Stopper",
    "choose_device",
    "fit",
    "read_checkpoint",
    "request_stop",
    "write_atomically",
    "write_checkpoint",
]
