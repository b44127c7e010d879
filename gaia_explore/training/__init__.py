"""One loop for any number of players: steps, history, checkpoints, resume, health."""

from gaia_explore.training.augmenting import Augmentation
from gaia_explore.training.board import PROGRESS, request_stop
from gaia_explore.training.checkpoint import read_checkpoint, write_atomically, write_checkpoint, write_many
from gaia_explore.training.health import Health
from gaia_explore.training.loop import choose_device, fit, fit_many
from gaia_explore.training.member import Course, Task
from gaia_explore.training.precision import Precision
from gaia_explore.training.processes import is_first, meet
from gaia_explore.training.stop import Stopper, in_notebook

__all__ = [
    "PROGRESS",
    "Augmentation",
    "Course",
    "Health",
    "Precision",
    "Stopper",
    "Task",
    "choose_device",
    "fit",
    "fit_many",
    "in_notebook",
    "is_first",
    "meet",
    "read_checkpoint",
    "request_stop",
    "write_atomically",
    "write_checkpoint",
    "write_many",
]
