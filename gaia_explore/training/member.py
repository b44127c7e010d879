"""One training among those that run together: what it is, and what it has come to between two steps."""

import json
import logging
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import torch
from jaxtyping import Float, Integer, Shaped, UInt8
from torch import Tensor

from gaia_explore.models import Config, over_all
from gaia_explore.training.augmenting import Augmentation
from gaia_explore.training.board import Board
from gaia_explore.training.checkpoint import read_checkpoint
from gaia_explore.training.feeding import fits
from gaia_explore.training.health import PINNED_STEPS, Health, loss_of_numbers, pinned_pace
from gaia_explore.training.precision import Precision
from gaia_explore.training.processes import is_first, share_of

LOG = logging.getLogger("gaia_explore")

MOST_STEPS = 50
"""Steps between two looks from the host at what the device recorded, which say how the run is."""

Result = tuple[dict[str, Tensor], dict[str, Any]]
"""A run's tensors and its description."""


@final
@dataclass(frozen=True, kw_only=True)
class Course:
    """What trainings that run together share: how long they are, and when somebody looks (see :func:`fit`)."""

    steps: int
    batch_size: int
    evaluate_every: int = 250
    patience: int = 0
    checkpoint_every: int = 1000
    precision: Precision = "fp32"
    augmentation: Augmentation | None = None
    compile: bool = False


@final
@dataclass(frozen=True, kw_only=True)
class Task:
    """What one training is, before it begins (see :func:`fit`)."""

    config: Config
    x: Shaped[np.ndarray, "n *x"]
    seed: int
    rows: Integer[np.ndarray, " b"] | None = None
    stream: bool | Literal["auto"] = "auto"
    held_out: Shaped[np.ndarray, "m *x"] | None = None
    checkpoint: Path | None = None
    about: dict[str, Any] = field(default_factory=dict)


@final
class Member:
    """The state of one training between two steps: all but its players, which the :class:`Program` holds for many.

    Parameters
    ----------
    task, course
        What it is, and how long. Where the task's checkpoint exists, it goes on from there.
    device
        Where it is trained.
    among
        Number of trainings that run together.
    """

    def __init__(self, task: Task, course: Course, device: torch.device, among: int):
        self.task, self.course, self.device = task, course, device
        self.rows = np.arange(len(task.x)) if task.rows is None else task.rows
        path = task.checkpoint
        saved = read_checkpoint(path) if path is not None and path.is_file() else None
        begun: bool = saved[1].get("stream", False) if saved else not fits(task.x, self.rows, device)
        self.streamed = begun if task.stream == "auto" else task.stream
        varied = course.augmentation
        identity = {"config": task.config.to_dict(), "batch_size": course.batch_size, "seed": task.seed}
        identity |= {"augmentation": None if varied is None else varied.to_dict()}
        # As a checkpoint gives it back: JSON knows no tuples.
        self._identity = json.loads(json.dumps(identity | {"about": task.about, "stream": self.streamed}))
        self.shape = task.x.shape[1:]
        # Weights are drawn on the CPU, so that a seed gives the same ones on every device.
        self.model = task.config.build(self.shape, torch.Generator().manual_seed(task.seed)).to(device)
        self.rng = torch.Generator(device).manual_seed(task.seed)
        self.chance = share_of(self.rng, course.batch_size)
        # All processes read a checkpoint, one writes.
        self.checkpoint = path if is_first() else None
        self.board = Board(None if self.checkpoint is None else self.checkpoint.parent, among)
        self.step = 0
        self.terms: list[str] = []
        self.history: list[Float[np.ndarray, "s t"]] = []
        self.best: dict[str, Tensor] = {}
        self.held_out_error: dict[int, float] = {}
        self.saved: dict[str, Tensor] | None = None
        if saved is not None:
            self._restore(*saved)
        self.health = self.look(None)
        self.result: Result | None = None
        if saved is not None and self.over:
            # It has nothing left to do, and wants no optimisers.
            self.saved, self.result = None, (saved[0], self.description(self.health))
        elif saved is not None and "generator" not in saved[0]:
            raise ValueError("resume: the run was saved without its optimisers and cannot go on")

    @property
    def over(self) -> bool:
        """Whether it has no step left to take."""
        return self.step >= self.course.steps or self.health.status != "healthy"

    def latest(self) -> dict[str, float]:
        """The errors' means over the last block: without balances, paces and the sums that they weigh."""
        means = self.history[-1].mean(0)
        hidden = ("w_", "pace_", "L_D", "L_G")
        return {n: float(v) for n, v in zip(self.terms, means, strict=True) if not n.startswith(hidden)}

    def evaluate(self, held_out: Float[Tensor, "m p"], weights: dict[str, Tensor]):
        """Look at held-out stimuli with a generator of its own, so that looking changes nothing.

        Where they are reproduced better than before, keep copies of the players' weights.
        """
        looked = self.model.held_out_error(held_out, torch.Generator(self.device).manual_seed(self.task.seed))
        # Processes that see it rounded differently must not stop at different steps.
        error = float(over_all(looked, self.chance))
        if error < min(self.held_out_error.values(), default=math.inf):
            self.best = {name: tensor.clone() for name, tensor in weights.items()}
        self.held_out_error[self.step] = error

    def look(self, wish: str | None) -> Health:
        """How it is between two blocks, where somebody perhaps wishes it to stop."""
        steps = self.course.steps
        # What was lost earlier ended the run then.
        death = loss_of_numbers(self.terms, self._last(MOST_STEPS), self.step)
        if death is None and self.step >= steps:
            death = pinned_pace(self.terms, self._last(PINNED_STEPS))
        if death is not None:
            return Health("died", death)
        early = self._early()
        if early is not None:
            return Health("stopped", early)
        if wish is not None and self.step < steps:
            return Health("stopped", f"{wish} at step {self.step} of {steps}")
        return Health("healthy", f"{self.step} of {steps} steps")

    def _early(self) -> str | None:
        """Why to stop early: the best held-out error is ``patience`` looks old."""
        patience = self.course.patience
        if not patience or not self.held_out_error:
            return None
        best = min(self.held_out_error, key=self.held_out_error.__getitem__)
        looks = sum(step > best for step in self.held_out_error)
        if looks < patience:
            return None
        error = self.held_out_error[best]
        return f"early at step {self.step}: {looks} looks since the best held-out error, {error:.4f} at step {best}"

    def state(self, players: dict[str, dict[str, Tensor]]) -> dict[str, Tensor]:
        """Copies on the CPU of everything that a later process needs to go on, by name; of its players, their own."""
        tensors = {"generator": self.rng.get_state(), "history": self._recorded()}
        for name, state in players.items():
            tensors |= {f"{name}/{part}": tensor for part, tensor in state.items()}
        tensors |= {f"{name}/best": weights for name, weights in self.best.items()}
        return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}

    def progress(self, health: Health) -> Result:
        """The history and the description, without the state."""
        return {"history": self._recorded()}, self.description(health)

    def description(self, health: Health) -> dict[str, Any]:
        """What the training is and how far it is, in JSON."""
        return {
            **self._identity,
            "shape": list(self.shape),
            "steps": self.course.steps,
            "step": self.step,
            "terms": list(self.terms),
            "held_out_error": {str(step): error for step, error in self.held_out_error.items()},
            "health": health.to_dict(),
        }

    def _restore_generator(self, state: UInt8[Tensor, " _"]):
        """Draw on where the run stopped, or, on another kind of device, from a stream of this run and step alone."""
        if len(state) == len(self.rng.get_state()):
            self.rng.set_state(state)
            return
        seed = np.random.SeedSequence((self.task.seed, self.step)).generate_state(1, np.uint64)[0]
        # PyTorch takes a seed below 2⁶³.
        self.rng.manual_seed(int(seed >> 1))
        LOG.warning(
            "resumed on another kind of device: it draws other minibatches and noise from step %d on", self.step
        )

    def _last(self, steps: int) -> Float[np.ndarray, "s t"]:
        """The last blocks of the history, which hold so many steps or more, where it has them."""
        first = len(self.history)
        while first > 0 and steps > 0:
            first -= 1
            steps -= len(self.history[first])
        return np.concatenate(self.history[first:]) if self.history else np.empty((0, 0), np.float32)

    def _recorded(self) -> Float[Tensor, "s t"]:
        """The history so far, a row a step."""
        return torch.from_numpy(np.concatenate(self.history) if self.history else np.empty((0, 0), np.float32))

    def _restore(self, tensors: dict[str, Tensor], description: dict[str, Any]):
        """Go on where a checkpoint stopped."""
        steps = self.course.steps
        # Before there were streams and augmentation, runs had neither.
        own = {"stream": False, "augmentation": None, **description}
        for part, value in self._identity.items():
            if own[part] != value:
                raise ValueError(
                    f"resume: {part} must be the run's own, {own[part]}, got {value}: another run needs another folder"
                )
        if self.task.config.schedule != "constant" and description["steps"] != steps:
            raise ValueError(
                f"steps must be the run's own, {description['steps']}, got {steps}: its schedule ends there, "
                "and another run needs another folder"
            )
        self.step = description["step"]
        self.terms = description["terms"]
        self.held_out_error = {int(step): error for step, error in description["held_out_error"].items()}
        if "generator" in tensors:
            self._restore_generator(tensors["generator"])
        self.history = [tensors["history"].numpy()] if self.step else []
        ending = "/best"
        self.best = {n.removesuffix(ending): t.to(self.device) for n, t in tensors.items() if n.endswith(ending)}
        self.saved = tensors
