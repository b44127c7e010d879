"""Training one model or many on stimuli, into runs."""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from gaia_explore.models import Config
from gaia_explore.networks import check_whole
from gaia_explore.runs.run import FILE, Run
from gaia_explore.stimuli import PackedStimuli, Stimuli
from gaia_explore.training import (
    Augmentation,
    Course,
    Precision,
    Stopper,
    Task,
    fit,
    fit_many,
    is_first,
    meet,
    write_many,
)

MOST_HELD_OUT = 2**24
"""Pixel values of a held-out pack that a training looks at: 341 pictures of 128 pixels in colour, 5461 of 32."""

rehearsed: ContextVar[Callable[[Mapping[str, Any]], object] | None] = ContextVar("rehearsed", default=None)
"""Who is told the arguments of each training before it begins; it may raise, and only have wanted to know them."""


def train(
    config: Config,
    stimuli: Stimuli | PackedStimuli,
    *,
    steps: int = 6000,
    batch_size: int = 128,
    seed: int = 0,
    held_out: Stimuli | PackedStimuli | None = None,
    evaluate_every: int = 250,
    patience: int = 0,
    device: str = "auto",
    threads: int = 1,
    precision: Precision = "fp32",
    augmentation: Augmentation | None = None,
    compile: bool = False,
    stream: bool | Literal["auto"] = "auto",
    out: str | Path | None = None,
    resume: str | Path | None = None,
    checkpoint_every: int = 1000,
    progress: bool = True,
    watch: Callable[[Run], None] | None = None,
    watch_every: int = 500,
) -> Run:
    """Train a model.

    Parameters
    ----------
    config
        ``AEConfig``, ``VAEConfig`` or ``GAIAConfig``.
    stimuli
        What to train on, in memory or packed.
    steps, batch_size, seed
        Number of minibatches, stimuli in each (drawn with replacement), and the seed of weights, minibatches and noise.
        One seed gives one result, on one kind of device.
    held_out, evaluate_every, patience
        Held-out stimuli, looked at every so many steps: the best weights are kept beside the last (``run.best``), and
        with ``patience`` > 0 the training stops after that many looks without a new best. All are looked at, a piece
        at a time; of a pack, as many, evenly spaced, as have ``MOST_HELD_OUT`` values together.
    device, threads, precision
        ``"auto"`` takes a GPU where there is one; number of CPU threads; ``"fp32"``, ``"tf32"``, or ``"bf16"`` for
        mixed precision. With ``"tf32"`` a GPU (Ampere or later) multiplies matrices and convolves with ten bits of the
        numbers' 23, and adds in full; with the others what is left in single precision is so in full, also where
        PyTorch's settings say otherwise. On a CPU it is ``"fp32"``. A resumed training may have another precision.
    augmentation
        How pictures are varied each time they are trained on, e.g. ``Augmentation(mirror=True, shift=0.05)``.
    compile
        Have ``torch.compile`` join what lies between the convolutions of image networks into fewer kernels. For GPUs:
        it takes minutes before the first step, and on two CPU cores it gained nothing. Where there is no compiler (C++,
        and Triton for a GPU), the log says so and networks run as usual. Codecs, snapshots and files of the run are not
        compiled, and a resumed training may be or not. Results differ by rounding.
    stream
        False keeps the stimuli on the device for the whole training, of a pack the bytes; True reads each minibatch
        from memory or from the pack's file, a few steps ahead, and copies it to a GPU while that computes. ``"auto"``
        does so where the stimuli would take more than half of the memory that is free on the device. The two draw
        different minibatches from one seed; a resumed training goes on as it began.
    out
        Folder to keep the run in, with a checkpoint every ``checkpoint_every`` steps. ``request_stop(folder)`` in any
        process ends the training cleanly.
    resume
        Such a folder: training continues from its last checkpoint (on the CPU, bit for bit as if it had never
        stopped; on another kind of device than before, with other draws), or begins where there is none yet. A
        finished run is returned as it is, even if it was saved without its optimisers.
    progress
        Show a progress bar with the loss terms and, in a notebook, a Stop button. Ctrl-C, too, ends the training
        cleanly after the step that is running.
    watch, watch_every
        Called every so many steps and at the end with the run as of then, in copies on the CPU: its ``codec`` and
        ``history`` can be looked at while the training stands still. What ``watch`` does changes no result; an error
        in it is warned about, and it is not called again. A ``watch`` that has a ``stop_reason`` (:class:`Stopper`) may
        end the training after any step by saying why.

    Raises
    ------
    ValueError, TypeError, FileExistsError
        For arguments out of range, for ``out`` that holds a run already, for ``resume`` with another run's arguments.
    """
    _rehearse(locals())
    _check_counts(
        {"steps": steps, "batch_size": batch_size, "evaluate_every": evaluate_every, "threads": threads}
        | {"checkpoint_every": checkpoint_every, "watch_every": watch_every},
        {"patience": patience, "seed": seed},
    )
    if stream not in (True, False, "auto"):
        raise ValueError(f"stream must be True, False or auto, got {stream!r}")
    _check_course(stimuli, precision, augmentation)
    _check_task(config, stimuli, held_out, patience=patience, out=out, resume=resume)
    if compile and not config.network.compilable:
        raise ValueError(
            f"compile must be False with a {config.network.kind} network, which it makes no faster, got True"
        )
    folder = resume if out is None else out
    result = fit(
        config,
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        stream=stream,
        evaluate_every=evaluate_every,
        patience=patience,
        device=device,
        threads=threads,
        precision=precision,
        augmentation=augmentation,
        compile=compile,
        checkpoint=None if folder is None else Path(folder) / FILE,
        checkpoint_every=checkpoint_every,
        progress=progress,
        watch=None if watch is None else lambda tensors, description: watch(Run(tensors, description)),
        watch_every=watch_every,
        stopper=watch if isinstance(watch, Stopper) else None,
        **_arrays(stimuli, held_out),
    )
    run = Run(*result)
    _warn_of_death(run)
    _describe(run, None if folder is None else Path(folder))
    meet()
    return run


def train_many(
    configs: Config | Sequence[Config],
    stimuli: Stimuli | PackedStimuli | Sequence[Stimuli | PackedStimuli],
    seeds: int | Sequence[int] = 0,
    *,
    names: Sequence[str] | None = None,
    steps: int = 6000,
    batch_size: int = 128,
    held_out: Stimuli | PackedStimuli | Sequence[Stimuli | PackedStimuli] | None = None,
    evaluate_every: int = 250,
    patience: int = 0,
    device: str = "auto",
    threads: int = 1,
    precision: Precision = "fp32",
    augmentation: Augmentation | None = None,
    at_once: int | None = None,
    out: str | Path | None = None,
    resume: str | Path | None = None,
    checkpoint_every: int = 1000,
    progress: bool = True,
) -> list[Run]:
    """Train many models at once: each comes out as :func:`train` would have trained it, to within rounding.

    Of configs, stimuli, seeds and held-out stimuli give one for all, or a list with one a member. Members that differ
    in seeds, stimuli of one shape, learning rates and the numbers of their configs (β, α, slope, weights, margin …)
    are trained as one batched program. Those that differ in more (AE, VAE or GAIA, the networks, the rule, the
    schedule, a number that switches something off) are trained program after program.
    Convolutional networks, and stimuli that do not fit on the device, run one after another: a step of them fills a
    device by itself.

    Each member draws its weights, minibatches and noise from its own generator, and is a run of its own: it dies,
    stops early and is loaded alone. On the CPU a fully connected model's run usually equals that of :func:`train` bit
    for bit. On a GPU it has the same draws and differs by rounding, which adversarial training amplifies in time.

    Parameters
    ----------
    configs, stimuli, seeds
        The models, what each is trained on, and its seed.
    names
        Names of the members' folders in ``out``; their numbers where not given.
    steps, batch_size, held_out, evaluate_every, patience, device, threads, precision, augmentation
        As in :func:`train`, the same for all.
    at_once
        Most members of one program. Where not given, a few on a CPU, and all on a GPU: what a batched program keeps in
        memory grows with them.
    out
        Folder in which each run has a folder of its own. ``request_stop`` ends all of them, or of one folder that one.
    resume
        Such a folder: each member goes on from its last checkpoint or begins where it has none, and a finished one is
        returned as it is.
    checkpoint_every, progress
        As in :func:`train`; one progress bar and one Stop button for all. Where it takes long to write the checkpoints
        of many, they are left out so often that they take a twentieth of the time.

    Returns
    -------
    The runs, in the members' order. After a stop those that had not begun have taken one step.

    Raises
    ------
    ValueError, TypeError, FileExistsError
        As in :func:`train`, and for lists of different lengths.
    """
    _rehearse(locals())
    _check_counts(
        {"steps": steps, "batch_size": batch_size, "evaluate_every": evaluate_every, "threads": threads}
        | {"checkpoint_every": checkpoint_every, "at_once": 1 if at_once is None else at_once},
        {"patience": patience},
    )
    members = _one_each({"configs": configs, "stimuli": stimuli, "seeds": seeds, "held_out": held_out, "names": names})
    folder = resume if out is None else out
    folders = [
        None if folder is None else Path(folder) / (member["names"] or str(i)) for i, member in enumerate(members)
    ]
    tasks: list[Task] = []
    for member, own in zip(members, folders, strict=True):
        _check_counts({}, {"seeds": member["seeds"]})
        shown, looked_at = member["stimuli"], member["held_out"]
        written = None if out is None else own
        _check_course(shown, precision, augmentation)
        _check_task(member["configs"], shown, looked_at, patience=patience, out=written, resume=resume)
        checkpoint = None if own is None else own / FILE
        tasks.append(
            Task(
                config=member["configs"],
                seed=member["seeds"],
                checkpoint=checkpoint,
                **_arrays(shown, looked_at),
            )
        )
    results = fit_many(
        tasks,
        Course(
            steps=steps,
            batch_size=batch_size,
            evaluate_every=evaluate_every,
            patience=patience,
            checkpoint_every=checkpoint_every,
            precision=precision,
            augmentation=augmentation,
        ),
        device=device,
        threads=threads,
        at_once=at_once,
        progress=progress,
    )
    runs = [Run(*result) for result in results]
    for i, run in enumerate(runs):
        _warn_of_death(run, i)
    write_many(lambda one: _describe(*one), zip(runs, folders, strict=True))
    return runs


def _rehearse(arguments: Mapping[str, Any]):
    told = rehearsed.get()
    if told is not None:
        told(dict(arguments))


def _check_counts(positive: dict[str, Any], natural: dict[str, Any]):
    for name, count in positive.items():
        check_whole(name, count, minimum=1)
    for name, count in natural.items():
        check_whole(name, count, minimum=0)


def _check_course(stimuli: Stimuli | PackedStimuli, precision: str, augmentation: Any):
    """Raise where a course cannot be what it is asked to be, or not with these stimuli."""
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}, got {precision!r}")
    if augmentation is not None and not isinstance(augmentation, Augmentation):
        raise TypeError(f"augmentation must be an Augmentation or None, got {augmentation!r}")
    if augmentation is not None and len(stimuli.shape) != 3:
        raise ValueError(f"augmentation must be None for stimuli that are no pictures, shape (h, w, c), got {stimuli}")


def _check_task(
    config: Any,
    stimuli: Stimuli | PackedStimuli,
    held_out: Stimuli | PackedStimuli | None,
    *,
    patience: int,
    out: str | Path | None,
    resume: str | Path | None,
):
    """Raise where one training cannot be what it is asked to be; ``out`` is its own folder."""
    if not isinstance(config, Config):
        raise TypeError(f"config must be an AEConfig, VAEConfig or GAIAConfig, got {config!r}")
    if held_out is not None and held_out.shape != stimuli.shape:
        raise ValueError(f"held_out must have the stimuli's shape {stimuli.shape}, got {held_out.shape}")
    if held_out is not None and held_out.scaler.to_dict() != stimuli.scaler.to_dict():
        scaled, other = stimuli.scaler.to_dict(), held_out.scaler.to_dict()
        raise ValueError(f"held_out must be scaled as the stimuli are, {scaled}, got {other}")
    if patience and held_out is None:
        raise ValueError(f"patience must be 0 without held_out, got {patience}")
    if out is not None and resume is not None:
        raise ValueError(f"out and resume must not both be given, got {out} and {resume}: resume writes to its folder")
    if out is not None and (Path(out) / FILE).exists():
        raise FileExistsError(f"out must be a folder without a run, got {out}: resume= would continue its run")


def _one_each(arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """Of each argument one a member, from a list of them or one for all."""
    lengths = {name: len(value) for name, value in arguments.items() if isinstance(value, list | tuple | range)}
    n = next(iter(lengths.values()), 1)
    for name, length in lengths.items():
        if length != n or not length:
            raise ValueError(f"{name} must be as many as {next(iter(lengths))}, {max(n, 1)}, got {length}")
    names = arguments["names"]
    for name in names or ():
        if Path(name).name != name:
            raise ValueError(f"names must be names of folders, got {name!r}")
    if names is not None and len(set(names)) < len(names):
        raise ValueError(f"names must differ, got {names}")
    each = {name: value if name in lengths else [value] * n for name, value in arguments.items()}
    return [dict(zip(each, values, strict=True)) for values in zip(*each.values(), strict=True)]


def _warn_of_death(run: Run, member: int | None = None):
    """Warn of a run that died, from who called train."""
    if run.health.status == "died":
        d = run.description
        which = "" if member is None else f"member {member} ({d['about']['title']}, seed {d['seed']}): "
        warnings.warn(f"{which}{d['config']['model']} {run.health}", stacklevel=3)


def _describe(run: Run, folder: Path | None):
    """Complete the folder that a run's file was written to, if there is one, by one of several processes."""
    if folder is not None and is_first():
        run.describe(folder)


def _arrays(stimuli: Stimuli | PackedStimuli, held_out: Stimuli | PackedStimuli | None) -> dict[str, Any]:
    """The arguments of a training that are its data."""
    packed = isinstance(stimuli, PackedStimuli)
    return {
        "x": stimuli.pixels if packed else stimuli.x,
        "rows": stimuli.rows if packed else None,
        "held_out": None if held_out is None else _looked_at(held_out),
        "about": _about(stimuli),
    }


def _looked_at(held_out: Stimuli | PackedStimuli) -> np.ndarray:
    if isinstance(held_out, Stimuli):
        return held_out.x
    n = max(1, min(len(held_out), MOST_HELD_OUT // math.prod(held_out.shape)))
    return held_out.pixels[held_out.rows[np.arange(n) * len(held_out) // n]]


def _about(stimuli: Stimuli | PackedStimuli) -> dict[str, Any]:
    return {
        "title": stimuli.title,
        "n": len(stimuli),
        "names": list(stimuli.names),
        "scaler": stimuli.scaler.to_dict(),
        "fingerprint": stimuli.fingerprint,
    }
