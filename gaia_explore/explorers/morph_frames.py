"""What the MorphExplorer computes: a path with its steps, and the stimuli at a position on it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from jaxtyping import Float32, Float64

from gaia_explore.explorers.latent_frames import Frame, look_at
from gaia_explore.explorers.sets import CodedStimuli
from gaia_explore.explorers.states import State
from gaia_explore.latent import Judge
from gaia_explore.paths import Continuum, Neighbourhood, continuum, curve

MOST_STEPS = 101
"""Steps on a path that a page can show."""


@final
@dataclass(frozen=True, kw_only=True)
class MorphState(State):
    """Where a MorphExplorer is.

    Attributes
    ----------
    anchors
        Rows of stimuli that the path leads through, in this order. As long as there are fewer than two, others that lie
        far apart follow them.
    kind, spacing, n_steps
        As in :func:`gaia_explore.continuum`. There are always at least as many steps as anchors.
    position
        Where the morph is looked at: from 0, the first step, to 1, the last, equally far from step to step.
    chosen
        Place of the anchor, from 0, that the next stimulus replaces; −1: it is added at the end.
    page
        Which stimuli are suggested.
    animation
        What an export of pictures has beside them: "gif", "mp4" or "none".
    """

    anchors: tuple[int, ...] = ()
    kind: str = "linear"
    spacing: str = "latent"
    n_steps: int = 11
    position: float = 0.5
    chosen: int = -1
    page: int = 0
    animation: str = "gif"


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Path:
    """A path that is laid.

    Attributes
    ----------
    continuum
        Its steps.
    at
        Codes (m, d) at positions t (m,), see :class:`gaia_explore.Continuum`.
    realism
        By name, an error at every step: of the "morph"; of the straight "line" through the same anchors, where the path
        is another; of the "pixel mix", where there is a judge.
    """

    continuum: Continuum
    at: Callable[[Float64[np.ndarray, " m"]], Float32[np.ndarray, "m d"]]
    realism: dict[str, Float64[np.ndarray, " s"]]

    def t(self, position: float) -> float:
        """The t at a share of the steps."""
        n = len(self.continuum)
        return float(np.interp(position * (n - 1), np.arange(n), self.continuum.t))

    def step(self, position: float) -> int:
        """The step that is nearest to a position."""
        return round(position * (len(self.continuum) - 1))


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class MorphFrame:
    """The stimuli at a position of a path.

    Attributes
    ----------
    t
        See :class:`gaia_explore.Continuum`.
    morph
        Decoded there.
    mixed
        The two anchors around it as decoded, averaged pixel by pixel.
    text
        Where this is, in words.
    """

    t: float
    morph: Frame
    mixed: Float32[np.ndarray, "*x"]
    text: str


def lay(
    coded: CodedStimuli, data: Neighbourhood, state: MorphState, anchors: tuple[int, ...], judge: Judge | None
) -> Path:
    """Lay the path of a state through anchors."""
    z = coded.z[list(anchors)]
    steps = continuum(coded.codec, z, data, n_steps=state.n_steps, kind=state.kind, spacing=state.spacing, judge=judge)
    realism = {"morph": steps.realism}
    judge = coded.codec if judge is None and isinstance(coded.codec, Judge) else judge
    if state.kind != "linear":
        straight = curve(z, data)(steps.t)
        realism["straight line"] = (
            data.distance(straight) if judge is None else np.asarray(judge.realism(coded.decode(straight)), np.float64)
        )
    if judge is not None:
        realism["pixel mix"] = np.asarray(judge.realism(steps.mixed), np.float64)
    return Path(continuum=steps, at=curve(z, data, kind=state.kind), realism=realism)


def morph_at(
    coded: CodedStimuli, path: Path, position: float, anchors: tuple[int, ...], judge: Judge | None
) -> MorphFrame:
    """Decode the code at a position of a path, and mix its anchors there."""
    t = path.t(position)
    ends = path.continuum.stimuli[path.continuum.anchors]
    leg = min(int(t), len(ends) - 2)
    share = np.float32(t - leg)
    morph = look_at(coded.codec, coded.neighbours, path.at(np.array([t]))[0], judge)
    where = f"{share:.0%} of the way from stimulus {anchors[leg]} to {anchors[leg + 1]}."
    return MorphFrame(
        t=t,
        morph=replace(morph, text=f"{where} {morph.text}"),
        mixed=(1 - share) * ends[leg] + share * ends[leg + 1],
        text=where,
    )
