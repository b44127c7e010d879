"""The loop: any number of players and of members, one forward and one backward pass a step."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Integer, Shaped
from torch import Tensor
from tqdm.auto import tqdm

from gaia_explore.models import Config
from gaia_explore.training.augmenting import Augmentation
from gaia_explore.training.checkpoint import write_checkpoint, write_many
from gaia_explore.training.health import Health
from gaia_explore.training.member import MOST_STEPS, Course, Member, Result, Task
from gaia_explore.training.memory import keep_freed_memory
from gaia_explore.training.precision import Precision, products_in
from gaia_explore.training.processes import agreed, is_first, join, size
from gaia_explore.training.program import Program
from gaia_explore.training.stop import Stopper, StopRequest
from gaia_explore.training.watching import Watch

AT_ONCE = {"cpu": 4}
"""Most members of one program by kind of device, elsewhere all: more of them no longer share a CPU's caches."""

MOST_SECONDS = 1.0
"""A block of steps is over after so long, so that the progress bar moves and a wish to stop is heard."""

LONG = 1.0
"""Seconds: where one round of checkpoints takes longer …"""

REST = 20
"""… none follows for so many times as long, so that they take a twentieth of the time of many members."""


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
    precision: Precision = "fp32",
    augmentation: Augmentation | None = None,
    compile: bool = False,
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
        ``"auto"`` takes a GPU where there is one; CPU threads; in what precision networks compute
        (:func:`products_in`; bf16 is mixed precision). The process keeps memory that a training on the CPU has used,
        for the next one (:func:`keep_freed_memory`).
    augmentation
        How pictures are varied.
    compile
        Whether the networks are compiled (:func:`compile_networks`).
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
    task = Task(
        config=config,
        x=x,
        seed=seed,
        rows=rows,
        stream=stream,
        held_out=held_out,
        checkpoint=checkpoint,
        about=about or {},
    )
    course = Course(
        steps=steps,
        batch_size=batch_size,
        evaluate_every=evaluate_every,
        patience=patience,
        checkpoint_every=checkpoint_every,
        precision=precision,
        augmentation=augmentation,
        compile=compile,
    )
    (result,) = fit_many(
        [task],
        course,
        device=device,
        threads=threads,
        progress=progress,
        watch=Watch(watch, watch_every),
        stopper=stopper,
    )
    return result


def fit_many(
    tasks: Sequence[Task],
    course: Course,
    *,
    device: str = "auto",
    threads: int = 1,
    at_once: int | None = None,
    progress: bool = True,
    watch: Watch | None = None,
    stopper: Stopper | None = None,
) -> list[Result]:
    """Train many models, as few batched programs.

    Members of one program share all that shapes a step: the kind of model and its networks, the shape and type of the
    stimuli, and how far they are. Each ends as if it were alone, and the programs run one after another. What cannot
    be stacked (convolutional networks, stimuli that are streamed) runs alone: a step of it fills a device by itself.

    Parameters
    ----------
    tasks, course
        What each training is, and what they share.
    device, threads, progress, stopper
        As in :func:`fit`; the progress bar counts the steps of all.
    at_once
        Most members of one program; None for ``AT_ONCE``.
    watch
        As in :func:`fit`, for one task alone.

    Returns
    -------
    What :func:`fit` returns, for each task.
    """
    join()
    if size() > 1 and len(tasks) > 1:
        raise ValueError(f"train_many must run in one process, got {size()}: they train one model together, by train")
    place = choose_device(device)
    keep_freed_memory()
    progress = progress and is_first()
    watch = watch if watch is not None and is_first() else Watch(None, 1)
    with _cpu_threads(threads), _current(place), products_in(course.precision):
        members = [Member(task, course, place, len(tasks)) for task in tasks]
        with (
            _bar(members, progress) as bar,
            ExitStack() as boards,
            StopRequest(button=progress, stopper=stopper) as stop,
        ):
            for member in members:
                boards.enter_context(member.board)
                member.board.show(partial(member.progress, member.health))
            unfinished = _unfinished(members, watch)
            for together in _programs(unfinished, at_once or AT_ONCE.get(place.type, len(members))):
                _run(together, course, stop, bar, watch)
    return [member.result for member in members if member.result is not None]


def _unfinished(members: Sequence[Member], watch: Watch) -> list[Member]:
    """The members with steps to take; of the others, what they came to is shown to who watches."""
    for member in members:
        if member.result is not None:
            result = member.result
            watch.show(member.step, lambda result=result: result)
    return [member for member in members if member.result is None]


def _programs(members: Sequence[Member], at_once: int) -> Iterator[list[Member]]:
    """Members that can be stacked, at most so many together, in the order of the first of each program."""
    kinds: dict[str, list[Member]] = {}
    for i, member in enumerate(members):
        config, stacked = member.task.config, member.task.config.network.stackable and not member.streamed
        kind = [config.program(), member.shape, str(member.task.x.dtype), member.step]
        kinds.setdefault(json.dumps(kind if stacked else i), []).append(member)
    for kind in kinds.values():
        for start in range(0, len(kind), at_once):
            yield kind[start : start + at_once]


def _run(members: Sequence[Member], course: Course, stop: StopRequest, bar: tqdm, watch: Watch):
    """Train members as one program to their ends, and leave each its result."""
    due = 0.0
    with Program(members) as program:
        while program.members:
            started = program.step
            # A look falls on the same steps after a resume, however long the blocks were.
            intervals = (MOST_STEPS, course.evaluate_every, course.checkpoint_every)
            ends = {course.steps} | {started // k * k + k for k in intervals}
            program.advance(min(ends | watch.ends(started)), stop, MOST_SECONDS)
            bar.update((program.step - started) * len(program.members))
            bar.set_postfix(_latest(program.members), refresh=False)
            if program.step % course.evaluate_every == 0:
                program.evaluate()
            is_due = program.step % course.checkpoint_every == 0 and time.monotonic() >= due
            looks: dict[Member, Health] = {}
            written: dict[Path, Callable[[], Result]] = {}
            for member in program.members:
                wish = agreed(stop.reason or member.board.wish())
                looks[member] = seen = member.look(wish)
                # Where a lost training ends must depend neither on its speed nor on whether somebody watches.
                if wish is not None or program.step in ends:
                    member.health = seen
                member.board.show(partial(member.progress, seen))
                if not member.over and member.checkpoint is not None and is_due:
                    written[member.checkpoint] = partial(program.result, member, seen)
            due = max(due, _written(written))
            for member, seen in looks.items():
                if not member.over and program.step in watch.ends(started):
                    watch.show(program.step, partial(program.result, member, seen))
            _let_go(program, watch)


def _written(checkpoints: dict[Path, Callable[[], Result]]) -> float:
    """Write a round of checkpoints, and return before what time no other is due."""
    began = time.monotonic()
    _write(checkpoints)
    ended = time.monotonic()
    return ended + REST * (ended - began) if len(checkpoints) > 1 and ended - began > LONG else 0.0


def _write(checkpoints: dict[Path, Callable[[], Result]]):
    write_many(lambda path: write_checkpoint(path, *checkpoints[path]()), checkpoints)


def _let_go(program: Program, watch: Watch):
    """Leave the members that are over their results, and go on without them."""
    over = [member for member in program.members if member.over]
    written: dict[Path, Callable[[], Result]] = {}
    for member in over:
        member.result = result = program.result(member, member.health)
        if member.checkpoint is not None:
            written[member.checkpoint] = lambda result=result: result
    _write(written)
    for member in over:
        watch.show(member.step, partial(program.result, member, member.health))
    if over:
        program.narrow()


def _latest(members: Sequence[Member]) -> dict[str, str]:
    """The errors of the last block, means over the members."""
    means = [member.latest() for member in members]
    return {name: f"{sum(own[name] for own in means) / len(means):.3f}" for name in means[0]}


@contextmanager
def _bar(members: Sequence[Member], progress: bool) -> Iterator[tqdm]:
    names = list(dict.fromkeys(member.task.config.name for member in members))
    bar = tqdm(
        total=sum(member.course.steps for member in members),
        initial=sum(member.step for member in members),
        desc=", ".join(names) + (f" × {len(members)}" if len(members) > 1 else ""),
        unit="step",
        disable=not progress,
        mininterval=0.5,
        dynamic_ncols=True,
    )
    with bar:
        yield bar
        # A training that was stopped is not a bar that failed.
        bar.total = sum(member.step for member in members)
        bar.refresh()


def _current(device: torch.device) -> AbstractContextManager[object]:
    """The GPU whose streams and events are meant inside where none is named."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


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
