"""Continua: stimuli in equal steps along a path through anchors."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple, final

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32, Float64, Integer, Shaped

from gaia_explore.latent import Codec, Judge, Perceiver
from gaia_explore.paths.legs import Leg, linear, polyline, spherical
from gaia_explore.paths.neighbourhoods import Neighbourhood

KINDS = ("linear", "spherical", "neighbours")
SPACINGS = ("latent", "pixels", "perceptual")

FINE = 16
"""Positions that a path is measured at, for one step on it."""

LEAST = 64
"""Positions that each leg is measured at, at least."""

BLOCK = 256
"""Stimuli that are measured at a time."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Continuum:
    """Stimuli in order along a path through anchors.

    Attributes
    ----------
    codes, stimuli
        Of every step; stimuli as decoded, not clipped. The code of an anchor's step is that anchor's, exactly.
    t
        Position from 0, the first anchor, over 1, the second, to the number of legs. Between two anchors: the share of
        the line between them, of the angle, or of the length of the way along neighbours.
    leg
        On which leg the step lies, from 0; an anchor counts to the leg that it begins, the last to the one it ends.
    realism
        The discriminator's error (``realism_by == "discriminator"``), or Euclidean distance to the nearest code of the
        data (``"nearest code"``): small on the manifold.
    step_latent, step_pixels, step_perceptual
        How far a step lies from the one before: Euclidean distance in Z; mean absolute difference of the stimuli;
        Euclidean distance of the discriminator's features. NaN at the first step, and where there are no features.
    mixed
        For comparison: the decoded stimuli of the two anchors, averaged pixel by pixel with the weights 1 − t and t.
    kind, spacing
        As in :func:`continuum`.
    """

    codes: Float32[np.ndarray, "s d"]
    stimuli: Float32[np.ndarray, "s *x"]
    t: Float64[np.ndarray, " s"]
    leg: Integer[np.ndarray, " s"]
    realism: Float64[np.ndarray, " s"]
    realism_by: Literal["discriminator", "nearest code"]
    step_latent: Float64[np.ndarray, " s"]
    step_pixels: Float64[np.ndarray, " s"]
    step_perceptual: Float64[np.ndarray, " s"]
    mixed: Float32[np.ndarray, "s *x"]
    kind: str
    spacing: str

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def anchors(self) -> Integer[np.ndarray, " a"]:
        """The steps that are anchors, in order."""
        return np.flatnonzero(self.t == np.floor(self.t))

    def to_frame(self) -> pd.DataFrame:
        """A row a step: leg, t, code (z1, z2, …), realism and distances to the step before."""
        d = self.codes.shape[1]
        own = pd.DataFrame({"leg": self.leg, "t": self.t}, index=pd.RangeIndex(len(self), name="step"))
        codes = pd.DataFrame(self.codes, index=own.index, columns=[f"z{i + 1}" for i in range(d)])
        columns = ("realism", "step_latent", "step_pixels", "step_perceptual")
        measured = pd.DataFrame({name: getattr(self, name) for name in columns}, index=own.index)
        return pd.concat([own, codes, measured], axis=1)


def continuum(
    codec: Codec,
    anchors: Shaped[np.ndarray, "..."],
    data: Shaped[np.ndarray, "..."] | Neighbourhood,
    *,
    n_steps: int = 11,
    kind: str = "linear",
    spacing: str = "latent",
    judge: Judge | Perceiver | None = None,
) -> Continuum:
    """Decode a path through anchors in equal steps. Every anchor is a step.

    Parameters
    ----------
    anchors
        Codes to pass in this order, (a, d), a at least 2.
    data
        The codes of the data, (n, d), or their neighbourhood, which is worth keeping where many paths are to come.
    n_steps
        Steps in all, anchors included. The legs share them so that the largest step is as small as can be; steps are
        equal within a leg.
    kind
        ``"linear"``; ``"spherical"``, around the mean of the data's codes, after White 2016 (arXiv:1609.04468); or
        ``"neighbours"``, the shortest way from neighbour to neighbour among the data's codes. GAIA is trained on
        straight lines: that is where its interpolations are best.
    spacing
        What is equal: ``"latent"``, length of the path in Z; ``"pixels"``, summed mean absolute difference of the
        stimuli along the path; or ``"perceptual"``, summed distance of the discriminator's features. The last two are
        found by decoding the path finely. A decoder that curves makes stimuli lie a little nearer to each other than
        the path between them is long.
    judge
        Gives realism and features in place of the codec: such as a GAIA's codec, for the path of an AE.

    Raises
    ------
    ValueError
        For unknown names, anchors or data that are no codes, fewer steps than anchors, spherical legs between opposite
        anchors, perceptual spacing without features, and stimuli that are not finite.
    """
    data = data if isinstance(data, Neighbourhood) else Neighbourhood(data)
    path = _checked(anchors, data, n_steps=n_steps, kind=kind, spacing=spacing)
    source = codec if judge is None else judge
    perceiver = source if isinstance(source, Perceiver) else None
    if spacing == "perceptual" and perceiver is None:
        raise ValueError(
            f"spacing='perceptual' needs a codec or judge with features, such as a GAIA's, got {type(source).__name__}"
        )
    legs = _legs(path, data, kind)
    n_fine = max(LEAST, -(-FINE * (n_steps - 1) // len(legs)))
    measured = [_measured(leg, n_fine, codec, spacing, perceiver) for leg in legs]
    codes, t = _placed(legs, measured, path, n_steps)
    stimuli = _decoded(codec, codes)
    judged = isinstance(source, Judge)
    realism = source.realism(stimuli) if judged else data.distance(codes)
    features = None if perceiver is None else perceiver.features(stimuli)
    leg = np.minimum(np.floor(t).astype(np.int64), len(legs) - 1)
    return Continuum(
        codes=codes,
        stimuli=stimuli,
        t=t,
        leg=leg,
        realism=np.asarray(realism, np.float64),
        realism_by="discriminator" if judged else "nearest code",
        step_latent=_steps(_euclidean(codes)),
        step_pixels=_steps(_mean_absolute(stimuli)),
        step_perceptual=np.full(n_steps, np.nan) if features is None else _steps(_euclidean(features)),
        mixed=mix(stimuli, t),
        kind=kind,
        spacing=spacing,
    )


def curve(
    anchors: Shaped[np.ndarray, "..."], data: Shaped[np.ndarray, "..."] | Neighbourhood, *, kind: str = "linear"
) -> Callable[[Float64[np.ndarray, " m"]], Float32[np.ndarray, "m d"]]:
    """The path that :func:`continuum` takes its steps on: codes at any positions t, 0 to the number of legs.

    Raises
    ------
    ValueError
        As :func:`continuum` for anchors, data and kind.
    """
    data = data if isinstance(data, Neighbourhood) else Neighbourhood(data)
    path = _checked(anchors, data, n_steps=len(np.atleast_1d(anchors)), kind=kind, spacing="latent")
    legs = _legs(path, data, kind)

    def at(t: Float64[np.ndarray, " m"]) -> Float32[np.ndarray, "m d"]:
        on = np.clip(np.floor(t).astype(np.int64), 0, len(legs) - 1)
        codes = np.empty((len(t), path.shape[1]), np.float32)
        for number in np.unique(on):
            codes[on == number] = legs[number].at(t[on == number] - number)
        return codes

    return at


def mix(stimuli: Float32[np.ndarray, "s *x"], t: Float64[np.ndarray, " s"]) -> Float32[np.ndarray, "s *x"]:
    """The stimuli at whole positions, averaged pixel by pixel at the positions between."""
    ends = stimuli[t == np.floor(t)]
    leg = np.minimum(t.astype(np.int64), len(ends) - 2)
    share = (t - leg).astype(np.float32).reshape(-1, *[1] * (stimuli.ndim - 1))
    return (1 - share) * ends[leg] + share * ends[leg + 1]


def _checked(
    anchors: Shaped[np.ndarray, "..."], data: Neighbourhood, *, n_steps: int, kind: str, spacing: str
) -> Float32[np.ndarray, "a d"]:
    for argument, value, choices in (("kind", kind, KINDS), ("spacing", spacing, SPACINGS)):
        if value not in choices:
            raise ValueError(f"{argument} must be one of {', '.join(choices)}, got {value!r}")
    codes = np.array(anchors, np.float32)
    if codes.ndim != 2 or len(codes) < 2:
        raise ValueError(f"anchors must be at least 2 codes, (a, d), got shape {codes.shape}")
    if not np.isfinite(codes).all():
        raise ValueError("anchors must be finite, got NaN or infinity")
    if codes.shape[1] != data.codes.shape[1]:
        raise ValueError(f"anchors must have the {data.codes.shape[1]} dimensions of the data, got {codes.shape[1]}")
    if n_steps < len(codes):
        raise ValueError(f"n_steps must be at least one an anchor, {len(codes)} here, got {n_steps}")
    return codes


def _legs(path: Float32[np.ndarray, "a d"], data: Neighbourhood, kind: str) -> list[Leg]:
    return [_leg(kind, *ends, data, number) for number, ends in enumerate(pairwise(path.astype(np.float64)))]


def _leg(kind: str, start: np.ndarray, end: np.ndarray, data: Neighbourhood, number: int) -> Leg:
    if kind == "neighbours":
        return polyline(data.way(start, end))
    if kind == "linear":
        return linear(start, end)
    try:
        return spherical(start, end, data.centre)
    except ValueError as error:
        raise ValueError(f"{error}, got anchors {number} and {number + 1}") from error


class _Measured(NamedTuple):
    """Positions on a leg, and how far each lies along it, in the units of the spacing."""

    u: Float64[np.ndarray, " m"]
    reached: Float64[np.ndarray, " m"]


def _measured(leg: Leg, n_fine: int, codec: Codec, spacing: str, perceiver: Perceiver | None) -> _Measured:
    u = np.union1d(np.linspace(0, 1, n_fine + 1), leg.corners)
    codes = leg.at(u)
    if spacing == "latent":
        return _Measured(u, np.append(0.0, _euclidean(codes).cumsum()))
    distances = []
    for first in range(0, len(u) - 1, BLOCK):
        # One position belongs to two blocks, so that no distance is missing.
        stimuli = _decoded(codec, codes[first : first + BLOCK + 1].astype(np.float32))
        if spacing == "perceptual" and perceiver is not None:
            distances.append(_euclidean(perceiver.features(stimuli)))
        else:
            distances.append(_mean_absolute(stimuli))
    return _Measured(u, np.append(0.0, np.concatenate(distances).cumsum()))


def _placed(
    legs: list[Leg], measured: list[_Measured], anchors: Float32[np.ndarray, "a d"], n_steps: int
) -> tuple[Float32[np.ndarray, "s d"], Float64[np.ndarray, " s"]]:
    """Codes and positions of all steps."""
    codes, t = [anchors[:1]], [np.zeros(1)]
    shares = allot(np.array([reached[-1] for _, reached in measured]), n_steps - 1)
    for number, (leg, (u, reached), n) in enumerate(zip(legs, measured, shares, strict=True)):
        wanted = np.arange(1, n) / n
        # Where nothing changes along a leg, no step is longer than another.
        between = np.interp(wanted * reached[-1], reached, u) if reached[-1] > 0 else wanted
        codes += [leg.at(between).astype(np.float32), anchors[number + 1 : number + 2]]
        t += [number + between, np.array([number + 1.0])]
    return np.concatenate(codes), np.concatenate(t)


def allot(lengths: Float64[np.ndarray, " l"], n: int) -> Integer[np.ndarray, " l"]:
    """How many of n steps each leg gets, at least 1, so that the largest step is as small as can be."""
    lengths = lengths if lengths.any() else np.ones_like(lengths)
    steps = np.ones(len(lengths), dtype=np.int64)
    for _ in range(n - len(lengths)):
        steps[np.argmax(lengths / steps)] += 1
    return steps


def _decoded(codec: Codec, codes: Float32[np.ndarray, "m d"]) -> Float32[np.ndarray, "m *x"]:
    stimuli = np.asarray(codec.decode(codes), np.float32)
    if not np.isfinite(stimuli).all():
        raise ValueError("codec must decode the path to finite stimuli, got NaN or infinity")
    return stimuli


def _euclidean(points: Float[np.ndarray, "m k"]) -> Float64[np.ndarray, " n"]:
    """Distances between neighbouring rows."""
    return np.linalg.norm(np.diff(points.astype(np.float64), axis=0), axis=1)


def _mean_absolute(stimuli: Float32[np.ndarray, "m *x"]) -> Float64[np.ndarray, " n"]:
    return np.abs(np.diff(stimuli.reshape(len(stimuli), -1), axis=0)).mean(axis=1, dtype=np.float64)


def _steps(distances: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " s"]:
    return np.append(np.nan, distances)
