"""What the CompareExplorer shows, as arrays: reconstructions, morphs and their realism, model by model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import final

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32, Float64, Shaped
from scipy.spatial.distance import cdist

from gaia_explore.explorers.sets import CodedStimuli
from gaia_explore.explorers.states import State
from gaia_explore.latent import Judge, interpolate
from gaia_explore.plots.template import MODEL_COLOURS, NEUTRAL, PALETTE
from gaia_explore.stimuli import Stimuli
from gaia_explore.stimuli.scaling import to_unit

MIXED = "pixels mixed"
"""What needs no model, and is on no manifold."""

MOST_STEPS = 15

MOST = 2000
"""Stimuli of which the pixel error is taken, evenly spaced."""


@final
@dataclass(frozen=True, kw_only=True)
class CompareState(State):
    """Where a CompareExplorer is.

    Attributes
    ----------
    anchors
        Rows of stimuli; the morph leads from the first to the second.
    position
        On the morph, from 0 to 1.
    n_steps
        Stimuli of a strip, ends included.
    selection
        Rows of stimuli; a few of them, or of all where there are none, are reconstructed.
    page
        Which few, from 0. It begins anew with another selection, and after the last comes the first.
    """

    anchors: tuple[int, ...] = ()
    position: float = 0.5
    n_steps: int = 9
    selection: tuple[int, ...] = ()
    page: int = 0


@final
@dataclass(frozen=True, eq=False)
class Judgement:
    """One measure of realism for what all models make, so that they can be compared.

    Attributes
    ----------
    what
        What is measured, in words.
    measure
        Realism ``(n,)`` of stimuli ``(n, *x)``: small on the manifold.
    """

    what: str
    measure: Callable[[np.ndarray], np.ndarray]

    def __call__(self, x: Shaped[np.ndarray, "n *x"]) -> Float64[np.ndarray, " n"]:
        """Realism of stimuli."""
        return np.asarray(self.measure(x), np.float64)


def judgement(sets: Mapping[str, CodedStimuli], judge: str) -> Judgement:
    """The judge of this name, the first that there is for "auto", or the distance to the nearest stimulus in pixels."""
    judges = [name for name, own in sets.items() if isinstance(own.codec, Judge)]
    if judge not in ("auto", "distance", *judges):
        raise ValueError(f"judge must be among {', '.join(['auto', 'distance', *judges])}, got {judge!r}")
    name = judge if judge != "auto" else [*judges, "distance"][0]
    if name in sets:
        codec = sets[name].codec
        assert isinstance(codec, Judge)
        return Judgement(f"error of {name}'s discriminator", codec.realism)
    data = flat(to_unit(next(iter(sets.values())).stimuli.x))
    return Judgement("pixel error to the nearest stimulus", lambda x: distance(flat(x), data))


def flat(x: Shaped[np.ndarray, "n *x"]) -> Float64[np.ndarray, "n p"]:
    """Stimuli as rows of numbers."""
    return np.asarray(x, np.float64).reshape(len(x), -1)


def distance(x: Float64[np.ndarray, "m p"], data: Float64[np.ndarray, "n p"]) -> Float64[np.ndarray, " m"]:
    """Mean absolute difference from each row to the nearest row of the data."""
    return cdist(x, data, "cityblock").min(axis=1) / x.shape[1]


def originals(stimuli: Stimuli, rows: tuple[int, ...]) -> Float32[np.ndarray, "k *x"]:
    """The stimuli themselves."""
    return np.asarray(to_unit(stimuli.x[list(rows)]), np.float32)


def reconstructions(own: CodedStimuli, rows: tuple[int, ...]) -> Float32[np.ndarray, "k *x"]:
    """What a model makes of stimuli."""
    return own.decode(own.z[list(rows)])


def errors(x: Shaped[np.ndarray, "n *x"], others: Shaped[np.ndarray, "n *x"]) -> Float64[np.ndarray, " n"]:
    """Mean absolute difference, stimulus by stimulus."""
    return np.abs(flat(x) - flat(others)).mean(axis=1)


def pixel_errors(sets: Mapping[str, CodedStimuli]) -> dict[str, float]:
    """The mean error of each model over the stimuli, or over many of them."""
    found = {}
    for name, own in sets.items():
        n = len(own.stimuli)
        rows = tuple(np.unique(np.linspace(0, n - 1, min(n, MOST)).astype(int)).tolist())
        found[name] = float(errors(originals(own.stimuli, rows), reconstructions(own, rows)).mean())
    return found


def morphed(
    sets: Mapping[str, CodedStimuli], start: int, end: int, t: Float[np.ndarray, " s"]
) -> dict[str, Float32[np.ndarray, "s *x"]]:
    """The morph from one stimulus to another at some positions, through each model and by mixing pixels."""
    found = {}
    for name, own in sets.items():
        ends = interpolate(own.z[start], own.z[end], 2)
        found[name] = own.decode((1 - t)[:, None] * ends[0] + t[:, None] * ends[1])
    first, last = originals(next(iter(sets.values())).stimuli, (start, end))
    share = t.reshape(-1, *[1] * first.ndim)
    found[MIXED] = ((1 - share) * first + share * last).astype(np.float32)
    return found


def colours(names: list[str]) -> list[str]:
    """A colour a model, the same as in every figure where it is a known one; grey for mixing."""
    free = cycle(colour for colour in PALETTE if colour not in MODEL_COLOURS.values())
    return [NEUTRAL if name == MIXED else MODEL_COLOURS.get(name) or next(free) for name in names]


def table(
    pixel_error: Mapping[str, float], here: Mapping[str, float], along: Mapping[str, Float64[np.ndarray, " s"]]
) -> pd.DataFrame:
    """A row a model: its pixel error, its realism at the position, and its mean and its worst along the morph."""
    rows = {name: (pixel_error.get(name, 0.0), here[name], own.mean(), own.max()) for name, own in along.items()}
    columns = ["pixel error", "here", "mean of the morph", "worst of the morph"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("model")
