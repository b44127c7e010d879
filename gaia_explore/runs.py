"""A run: one executed training with its codec, history and health; made by `train`, kept in a folder."""

import json
import math
import platform
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.utils import vector_to_parameters

from gaia_explore.latent import ModelCodec, codec_of
from gaia_explore.models import Config, config_from_dict
from gaia_explore.networks import check_whole
from gaia_explore.stimuli import PackedStimuli, Scaler, Stimuli
from gaia_explore.training import (
    Health,
    Stopper,
    choose_device,
    fit,
    read_checkpoint,
    write_atomically,
    write_checkpoint,
)

FILE = "run.safetensors"
"""The one file that a run is loaded from; what lies beside it is for people."""
MOST_HELD_OUT = 2**24
"""Pixel values of a held-out pack that a training looks at: 341 pictures of 128 pixels in colour, 5461 of 32."""


@final
@dataclass(frozen=True, repr=False)
class Run:
    """One executed training.

    Parameters
    ----------
    tensors
        Weights, optimisers, generator and history by name, as in the run's file (see :func:`training.fit`).
    description
        Everything else, as in its JSON: config, stimuli, steps, seed, held-out errors, health.
    """

    tensors: Mapping[str, Tensor]
    description: Mapping[str, Any]

    @cached_property
    def config(self) -> Config:
        """What the model was built from."""
        return config_from_dict(self.description["config"])

    @cached_property
    def health(self) -> Health:
        """How the run is, and why."""
        return Health(**self.description["health"])

    @cached_property
    def scaler(self) -> Scaler:
        """From the stimuli's own units to [0, 1], and back."""
        return Scaler.from_dict(self.description["about"]["scaler"])

    @cached_property
    def history(self) -> pd.DataFrame:
        """Every loss term, pace and balance, a row a step; ``held_out_error`` at the steps that looked at it."""
        values = self.tensors["history"].numpy()
        steps = pd.RangeIndex(1, len(values) + 1, name="step")
        history = pd.DataFrame(values, index=steps, columns=self.description["terms"])
        errors = self.description["held_out_error"]
        if errors:
            history["held_out_error"] = pd.Series({int(step): error for step, error in errors.items()})
        return history

    @cached_property
    def codec(self) -> ModelCodec:
        """The trained model seen from NumPy: its last weights, or their running average where the config has one."""
        return self._codec("average" if self.config.averaging else "weights")

    @cached_property
    def best(self) -> ModelCodec:
        """The codec with the smallest held-out error of the run."""
        if not self.description["held_out_error"]:
            raise ValueError("this run looked at no held-out stimuli: pass held_out= to train")
        if not any(name.endswith("/best") for name in self.tensors):
            raise ValueError("this run was saved without its best weights: see codec for the last ones")
        return self._codec("best")

    @property
    def weights_step(self) -> int | None:
        """The step that the weights are from: the run's last. Of a run that is followed an earlier one, or none yet."""
        return self.description.get("weights_step", self.description["step"])

    def _codec(self, which: Literal["weights", "average", "best"]) -> ModelCodec:
        if self.weights_step is None:
            raise ValueError("this run is still before its first checkpoint: it has a history, but no weights yet")
        shape = tuple(self.description["shape"])
        model = self.config.build(shape, torch.Generator())
        for name, module in model.players().items():
            vector_to_parameters(self.tensors[f"{name}/{which}"], module.parameters())
        model.requires_grad_(False)
        return codec_of(model.eval().to(choose_device("auto")), shape)

    def save(self, folder: str | Path, *, resumable: bool = True, best: bool = True):
        """Keep the run in a folder: ``run.safetensors``, and for people ``run.json`` and ``history.csv``.

        Parameters
        ----------
        folder
            Made where it is missing; a run that is there already is replaced.
        resumable
            Whether to keep what only a continued training needs (the optimisers: two thirds of the size).
        best
            Whether to keep the weights of the smallest held-out error beside the last.
        """
        folder = Path(folder)
        needless = (() if resumable else ("generator", "/exp_avg", "/exp_avg_sq", "/step")) + (
            () if best else ("/best",)
        )
        tensors = {name: tensor for name, tensor in self.tensors.items() if not name.endswith(needless)}
        write_atomically(folder / "history.csv", self.history.to_csv().encode())
        readable = json.dumps({**self.description, "versions": _versions()}, indent=2, ensure_ascii=False)
        write_atomically(folder / "run.json", readable.encode())
        write_checkpoint(folder / FILE, tensors, dict(self.description))

    def __repr__(self) -> str:
        d = self.description
        return f"Run({d['config']['model']} on {d['about']['title']}, seed {d['seed']}, {self.health})"


def load(folder: str | Path) -> Run:
    """The run that lies in a folder. Nothing in it is executed, whoever it is from."""
    return Run(*read_checkpoint(Path(folder) / FILE))


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
    precision: Literal["fp32", "bf16"] = "fp32",
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
        with ``patience`` > 0 the training stops after that many looks without a new best. All are looked at in one
        piece; of a pack, as many, evenly spaced, as have ``MOST_HELD_OUT`` values together.
    device, threads, precision
        ``"auto"`` takes a GPU where there is one; number of CPU threads; ``"bf16"`` for mixed precision.
    stream
        False keeps the stimuli on the device for the whole training, of a pack the bytes; True reads each minibatch
        from memory or from the pack's file, a few steps ahead. ``"auto"`` does so where the stimuli would take more
        than half of the memory that is free on the device. The two draw different minibatches from one seed; a
        resumed training goes on as it began.
    out
        Folder to keep the run in, with a checkpoint every ``checkpoint_every`` steps. ``request_stop(folder)`` in any
        process ends the training cleanly.
    resume
        Such a folder: training continues from its last checkpoint (on the CPU, bit for bit as if it had never
        stopped), or begins where there is none yet. A finished run is returned as it is.
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
    counts = {"steps": steps, "batch_size": batch_size, "evaluate_every": evaluate_every, "threads": threads}
    for name, count in (counts | {"checkpoint_every": checkpoint_every, "watch_every": watch_every}).items():
        check_whole(name, count, minimum=1)
    for name, count in {"patience": patience, "seed": seed}.items():
        check_whole(name, count, minimum=0)
    if not isinstance(config, Config):
        raise TypeError(f"config must be an AEConfig, VAEConfig or GAIAConfig, got {config!r}")
    if precision not in ("fp32", "bf16"):
        raise ValueError(f"precision must be fp32 or bf16, got {precision!r}")
    if stream not in (True, False, "auto"):
        raise ValueError(f"stream must be True, False or auto, got {stream!r}")
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
    folder = resume if out is None else out
    result = fit(
        config,
        stimuli.pixels if isinstance(stimuli, PackedStimuli) else stimuli.x,
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        rows=stimuli.rows if isinstance(stimuli, PackedStimuli) else None,
        stream=stream,
        held_out=None if held_out is None else _looked_at(held_out),
        evaluate_every=evaluate_every,
        patience=patience,
        device=device,
        threads=threads,
        precision=precision,
        checkpoint=None if folder is None else Path(folder) / FILE,
        checkpoint_every=checkpoint_every,
        about=_about(stimuli),
        progress=progress,
        watch=None if watch is None else lambda tensors, description: watch(Run(tensors, description)),
        watch_every=watch_every,
        stopper=watch if isinstance(watch, Stopper) else None,
    )
    run = Run(*result)
    if run.health.status == "died":
        warnings.warn(f"{run.description['config']['model']} {run.health}", stacklevel=2)
    if folder is not None:
        run.save(folder)
    return run


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


def _versions() -> dict[str, str]:
    packages = ("gaia-explore", "torch", "numpy", "pandas")
    return {"python": platform.python_version(), **{package: version(package) for package in packages}}
