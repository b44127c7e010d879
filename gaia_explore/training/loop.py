"""The loop: any number of players, one forward and one backward pass a step."""

import json
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import torch
from jaxtyping import Float, Integer, Shaped
from torch import Tensor
from tqdm.auto import tqdm

from gaia_explore.models import Config
from gaia_explore.training.board import Board
from gaia_explore.training.checkpoint import read_checkpoint, write_checkpoint
from gaia_explore.training.feeding import Resident, Streamed, feed_of, fits, resident, scaled
from gaia_explore.training.health import PINNED_STEPS, Health, loss_of_numbers, pinned_pace
from gaia_explore.training.memory import keep_freed_memory
from gaia_explore.training.player import Player
from gaia_explore.training.stop import Stopper, StopRequest
from gaia_explore.training.watching import Watch

BLOCK = 50
"""Steps between two looks from the host at what the device recorded: for the progress bar and the run's health."""

Result = tuple[dict[str, Tensor], dict[str, Any]]
"""A run's tensors and its description."""


def fit(
    config: Config,
    x: Shaped[np.ndarray, "n *x"],
    *,
    steps: int,
    batch_size: int,
    seed: int,
    rows: Integer[np.ndarray, " b"] | None = None,
    stream: bool | Literal["auto"] = "auto",
    held_out: Shaped[np.ndarray, "m *x"] | None = None,
    evaluate_every: int = 250,
    patience: int = 0,
    device: str = "auto",
    threads: int = 1,
    precision: Literal["fp32", "bf16"] = "fp32",
    checkpoint: Path | None = None,
    checkpoint_every: int = 1000,
    about: dict[str, Any] | None = None,
    progress: bool = True,
    watch: Callable[[dict[str, Tensor], dict[str, Any]], object] | None = None,
    watch_every: int = 500,
    stopper: Stopper | None = None,
) -> Result:
    """Train a model on stimuli.

    Parameters
    ----------
    config, x
        The model, and the stimuli: float32 in [0, 1], or uint8 in [0, 255]; perhaps mapped from a file.
    steps, batch_size, seed
        Number of minibatches, stimuli in each (drawn with replacement), and the seed of weights, minibatches and noise.
    rows
        Row numbers of the stimuli that are trained on; None for all.
    stream
        Whether stimuli are read step by step (:class:`Streamed`) or live on the device for the whole training
        (:class:`Resident`). ``"auto"`` goes on as the checkpoint began, and begins with what :func:`fits`. The two
        draw different minibatches.
    held_out, evaluate_every, patience
        Stimuli for the held-out error (see :meth:`Model.held_out_error`), the steps between two looks at it, and after
        how many looks without a new best the training stops (0: never).
    device, threads, precision
        ``"auto"`` takes a GPU where there is one; CPU threads; bf16 runs the networks in mixed precision. The process
        keeps memory that a training on the CPU has used, for the next one (:func:`keep_freed_memory`).
    checkpoint, checkpoint_every
        A file, written every so many steps and at the end; where it exists, training continues from it, bit for bit on
        the CPU. In its folder other processes read the history so far, and ask for a stop (:class:`Board`).
    about
        JSON that the checkpoint carries, e.g. the stimuli's name; a checkpoint that carries another is refused.
    progress
        Show a progress bar with the loss terms and, in a notebook, a Stop button.
    watch, watch_every
        Called every so many steps and at the end, with what would be returned if the training ended there.
    stopper
        Looked at after every step: it may end the training.

    Returns
    -------
    The run's tensors (on the CPU) and its description: what the checkpoint's file holds. Of each player, by name:
    ``<player>/weights`` flat in the order of the module's parameters, Adam's moments, ``<player>/average`` where the
    config asks for one, ``<player>/best`` where held-out stimuli were given; and ``history``, a row a step.
    """
    place = choose_device(device)
    keep_freed_memory()
    watching = Watch(watch, watch_every)
    rows = np.arange(len(x)) if rows is None else rows
    saved = read_checkpoint(checkpoint) if checkpoint is not None and checkpoint.is_file() else None
    begun: bool = saved[1].get("stream", False) if saved else not fits(x, rows, place)
    streamed = begun if stream == "auto" else stream
    identity = {"config": config.to_dict(), "batch_size": batch_size, "seed": seed, "about": about or {}}
    # As a checkpoint gives it back: JSON knows no tuples.
    identity = json.loads(json.dumps(identity | {"stream": streamed}))
    with _cpu_threads(threads), feed_of(x, rows, batch_size, seed, place, stream=streamed) as feed:
        training = _Training(config, x.shape[1:], feed, seed, place)
        shown = None if held_out is None else scaled(resident(held_out, np.arange(len(held_out)), place))
        if saved is not None:
            training.restore(*saved, identity, steps)
        folder = None if checkpoint is None else checkpoint.parent
        with (
            _bar(training, steps, progress) as bar,
            Board(folder) as board,
            StopRequest(button=progress, stopper=stopper) as stop,
        ):
            health = training.health(steps, patience, None)
            board.show(partial(training.progress, identity, steps, health))
            while training.step < steps and health.status == "healthy":
                # A block ends at the next look, whichever it is, so that looks fall on the same steps after a resume.
                started = training.step
                ends = {steps} | {started // k * k + k for k in (BLOCK, evaluate_every, checkpoint_every)}
                training.advance(min(ends | watching.ends(started)), steps, precision, stop)
                bar.update(training.step - started)
                bar.set_postfix({name: f"{value:.3f}" for name, value in training.latest().items()}, refresh=False)
                if shown is not None and training.step % evaluate_every == 0:
                    training.evaluate(shown)
                wish = stop.reason or board.wish()
                seen = training.health(steps, patience, wish)
                # Where a lost training ends must not depend on whether somebody watches.
                if wish is not None or training.step in ends:
                    health = seen
                board.show(partial(training.progress, identity, steps, seen))
                if checkpoint is not None and training.step % checkpoint_every == 0 and health.status == "healthy":
                    write_checkpoint(checkpoint, *training.result(identity, steps, health))
                if training.step in watching.ends(started) and training.step < steps and health.status == "healthy":
                    watching.show(training.step, partial(training.result, identity, steps, seen))
            result = training.result(identity, steps, health)
            if checkpoint is not None:
                write_checkpoint(checkpoint, *result)
            watching.show(training.step, partial(training.result, identity, steps, health))
    return result


@final
class _Training:
    """The state of a training between two steps."""

    def __init__(
        self,
        config: Config,
        shape: tuple[int, ...],
        feed: Resident | Streamed,
        seed: int,
        device: torch.device,
    ):
        self.config = config
        self.feed = feed
        self.seed = seed
        self.device = device
        self.shape = shape
        # Weights are drawn on the CPU, so that a seed gives the same ones on every device.
        self.model = config.build(self.shape, torch.Generator().manual_seed(seed)).to(device)
        rates = config.learning_rates()
        self.players = {
            name: Player(module, rates[name], config.averaging) for name, module in self.model.players().items()
        }
        self.rng = torch.Generator(device).manual_seed(seed)
        self.step = 0
        self.terms: list[str] = []
        self.history: list[Float[np.ndarray, "s t"]] = []
        self.best: dict[str, Tensor] = {}
        self.held_out_error: dict[int, float] = {}

    def advance(self, until: int, steps: int, precision: str, stop: StopRequest):
        """Take steps up to ``until``, or to the first after a wish to stop; nothing here waits for the device."""
        recorded: list[Tensor] = []
        while self.step < until:
            x = self.feed.minibatch(self.step, self.rng)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bf16"):
                played = self.model.play(x, self.rng)
            torch.stack([objective.loss for objective in played.objectives.values()]).sum().backward()
            factor = 1.0
            if self.config.schedule == "cosine":
                factor = 0.5 * (1 + math.cos(math.pi * self.step / steps))
            for name, player in self.players.items():
                player.step(played.objectives[name].pace.detach(), factor)
            self.terms = self.terms or list(played.terms)
            recorded.append(torch.stack([played.terms[name].float() for name in self.terms]))
            self.step += 1
            if stop.asked():
                break
        self.history.append(torch.stack(recorded).cpu().numpy())

    def latest(self) -> dict[str, float]:
        """The errors' means over the last block: without balances, paces and the sums that they weigh."""
        means = self.history[-1].mean(0)
        hidden = ("w_", "pace_", "L_D", "L_G")
        return {n: float(v) for n, v in zip(self.terms, means, strict=True) if not n.startswith(hidden)}

    def evaluate(self, held_out: Float[Tensor, "m p"]):
        """Look at held-out stimuli with a generator of its own, so that looking changes nothing."""
        rng = torch.Generator(self.device).manual_seed(self.seed)
        with ExitStack() as averaged, torch.no_grad():
            for player in self.players.values():
                averaged.enter_context(player.averaged())
            error = float(self.model.held_out_error(held_out, rng))
            if error < min(self.held_out_error.values(), default=math.inf):
                self.best = {name: player.weights.detach().clone() for name, player in self.players.items()}
        self.held_out_error[self.step] = error

    def early(self, patience: int) -> str | None:
        """Why to stop early: the best held-out error is ``patience`` looks old."""
        if not patience or not self.held_out_error:
            return None
        best = min(self.held_out_error, key=self.held_out_error.__getitem__)
        looks = sum(step > best for step in self.held_out_error)
        if looks < patience:
            return None
        error = self.held_out_error[best]
        return f"early at step {self.step}: {looks} looks since the best held-out error, {error:.4f} at step {best}"

    def health(self, steps: int, patience: int, wish: str | None) -> Health:
        """How the run is between two blocks."""
        # The last blocks are enough, each of one step or more: what was lost earlier ended the run then.
        tail = np.concatenate(self.history[-PINNED_STEPS:]) if self.history else np.empty((0, 0), np.float32)
        death = loss_of_numbers(self.terms, tail, self.step)
        if death is None and self.step >= steps:
            death = pinned_pace(self.terms, tail)
        if death is not None:
            return Health("died", death)
        early = self.early(patience)
        if early is not None:
            return Health("stopped", early)
        if wish is not None and self.step < steps:
            return Health("stopped", f"{wish} at step {self.step} of {steps}")
        return Health("healthy", f"{self.step} of {steps} steps")

    def state(self) -> dict[str, Tensor]:
        """Copies on the CPU of everything that a later process needs to go on, by name."""
        tensors = {"generator": self.rng.get_state(), "history": self.recorded()}
        for name, player in self.players.items():
            tensors |= {f"{name}/{part}": tensor for part, tensor in player.state().items()}
        tensors |= {f"{name}/best": weights for name, weights in self.best.items()}
        return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}

    def recorded(self) -> Float[Tensor, "s t"]:
        """The history so far, a row a step."""
        return torch.from_numpy(np.concatenate(self.history) if self.history else np.empty((0, 0), np.float32))

    def result(self, identity: dict[str, Any], steps: int, health: Health) -> Result:
        """The state, and beside it its description in JSON."""
        return self.state(), self.description(identity, steps, health)

    def progress(self, identity: dict[str, Any], steps: int, health: Health) -> Result:
        """The history and the description, without the state."""
        return {"history": self.recorded()}, self.description(identity, steps, health)

    def description(self, identity: dict[str, Any], steps: int, health: Health) -> dict[str, Any]:
        """What the training is and how far it is, in JSON."""
        return {
            **identity,
            "shape": list(self.shape),
            "steps": steps,
            "step": self.step,
            "terms": list(self.terms),
            "held_out_error": {str(step): error for step, error in self.held_out_error.items()},
            "health": health.to_dict(),
        }

    def restore(self, tensors: dict[str, Tensor], description: dict[str, Any], identity: dict[str, Any], steps: int):
        """Go on where a checkpoint stopped."""
        # Runs of before there were streams lived on the device.
        own = {"stream": False, **description}
        for part, value in identity.items():
            if own[part] != value:
                raise ValueError(f"resume: {part} must be the run's own, {own[part]}, got {value}")
        if self.config.schedule != "constant" and description["steps"] != steps:
            raise ValueError(
                f"steps must be the run's own, {description['steps']}, got {steps}: its schedule ends there"
            )
        if "generator" not in tensors:
            raise ValueError("resume: the run was saved without its optimisers and cannot go on")
        self.step = description["step"]
        self.terms = description["terms"]
        self.held_out_error = {int(step): error for step, error in description["held_out_error"].items()}
        self.rng.set_state(tensors["generator"])
        self.history = [tensors["history"].numpy()] if self.step else []
        for name, player in self.players.items():
            player.restore({part: tensors[f"{name}/{part}"] for part in player.state()})
            if f"{name}/best" in tensors:
                self.best[name] = tensors[f"{name}/best"].to(self.device)


@contextmanager
def _bar(training: _Training, steps: int, progress: bool) -> Iterator[tqdm]:
    bar = tqdm(
        total=steps,
        initial=training.step,
        desc=training.config.name,
        unit="step",
        disable=not progress,
        mininterval=0.5,
        dynamic_ncols=True,
    )
    with bar:
        yield bar
        # A training that was stopped is not a bar that failed.
        bar.total = training.step
        bar.refresh()


@contextmanager
def _cpu_threads(threads: int) -> Iterator[None]:
    """So many CPU threads for PyTorch inside, as many as before outside."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_device(device: str) -> torch.device:
    """The named device; ``"auto"`` is the GPU where there is one, otherwise the CPU."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)
