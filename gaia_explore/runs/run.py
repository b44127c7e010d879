"""A run: one executed training with its codec, history and health; kept in a folder."""

import io
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, final

import pandas as pd
import torch
from torch import Tensor
from torch.nn.utils import vector_to_parameters

from gaia_explore.latent import ModelCodec, codec_of
from gaia_explore.models import Config, config_from_dict
from gaia_explore.stimuli import Scaler
from gaia_explore.training import Health, choose_device, read_checkpoint, write_atomically, write_checkpoint
from gaia_explore.version import __version__

FILE = "run.safetensors"
"""The one file that a run is loaded from; what lies beside it is for people."""


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
        return self.codec_on("auto")

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

    def codec_on(self, device: str) -> ModelCodec:
        """A :attr:`codec` on the named device, instead of on a GPU wherever there is one."""
        return self._codec("average" if self.config.averaging else "weights", device)

    def _codec(self, which: Literal["weights", "average", "best"], device: str = "auto") -> ModelCodec:
        if self.weights_step is None:
            raise ValueError("this run is still before its first checkpoint: it has a history, but no weights yet")
        shape = tuple(self.description["shape"])
        model = self.config.build(shape, torch.Generator())
        for name, module in model.players().items():
            vector_to_parameters(self.tensors[f"{name}/{which}"], module.parameters())
        model.requires_grad_(False)
        return codec_of(model.eval().to(choose_device(device)), shape)

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
        self.describe(folder)
        write_checkpoint(folder / FILE, tensors, dict(self.description))

    def describe(self, folder: str | Path):
        """Write what is for people, beside the file that :func:`train` or :meth:`save` writes."""
        write_atomically(Path(folder) / "history.csv", _csv(self.history))
        readable = json.dumps({**self.description, "versions": _versions()}, indent=2, ensure_ascii=False)
        write_atomically(Path(folder) / "run.json", readable.encode())

    def __repr__(self) -> str:
        d = self.description
        return f"Run({d['config']['model']} on {d['about']['title']}, seed {d['seed']}, {self.health})"


def load(folder: str | Path) -> Run:
    """The run that lies in a folder. Nothing in it is executed, whoever it is from."""
    return Run(*read_checkpoint(Path(folder) / FILE))


def _csv(history: pd.DataFrame) -> bytes:
    """By Arrow, which takes a fifth of the time that pandas takes: many that were trained at once end at once."""
    import pyarrow
    import pyarrow.csv

    table = pyarrow.Table.from_pandas(history.reset_index(), preserve_index=False)
    rows = io.BytesIO()
    # Arrow would put the names in quotes.
    pyarrow.csv.write_csv(table, rows, pyarrow.csv.WriteOptions(include_header=False))
    return ",".join(table.column_names).encode() + b"\n" + rows.getvalue()


def _versions() -> dict[str, str]:
    own = {"python": platform.python_version(), "gaia-explore": __version__}
    return own | {package: version(package) for package in ("torch", "numpy", "pandas")}
