"""Codes moved along attribute vectors, and pictures of the vectors themselves."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64, Shaped

from gaia_explore.attributes.vectors import AttributeVectors
from gaia_explore.latent import Codec

Number = float | int


def edit(
    z: Shaped[np.ndarray, "..."],
    vectors: AttributeVectors,
    strengths: Mapping[str, Number | Sequence[Number] | Shaped[np.ndarray, "..."]],
    *,
    locked: str | Iterable[str] = (),
) -> Float[np.ndarray, "..."]:
    """Move codes along attribute vectors: z + Σ strength · vector.

    Parameters
    ----------
    z
        One code, (d,), or many, (n, d).
    strengths
        Attributes by name, such as ``{"Smiling": 2, "Male": -1}``. 1 goes the whole way from absent to present, or one
        standard deviation up. A row of s strengths edits each of s codes by its own; of a single code it makes a
        sweep, (s, d).
    locked
        Attributes along whose vectors codes stay where they are: of each vector only the part at right angles to
        theirs is applied. That part is shorter than the vector, and strengths do not make up for it.

    Raises
    ------
    KeyError
        If an attribute has no vector; the message says which name comes closest.
    ValueError
        If shapes do not fit, a strength is not finite, or a locked attribute leaves nothing of an edited one.

    Source
    ------
    Sainburg et al. 2018 (arXiv:1807.06650), §3.2.1; for locked attributes Shen et al. 2020 (InterFaceGAN, CVPR),
    conditional manipulation.
    """
    z = np.asarray(z)
    d = vectors.vectors.shape[1]
    if z.ndim not in (1, 2) or z.shape[-1] != d:
        raise ValueError(f"z must have shape ({d},) or (n, {d}), got {z.shape}")
    locked = (locked,) if isinstance(locked, str) else tuple(locked)
    moved = z.astype(np.float64)
    for name, strength in strengths.items():
        amount = np.asarray(strength, np.float64)
        if amount.ndim > 1 or (amount.ndim and z.ndim == 2 and len(amount) != len(z)):
            raise ValueError(f"the strength of {name} must be a number, or one a code, got shape {amount.shape}")
        if not np.isfinite(amount).all():
            raise ValueError(f"the strength of {name} must be finite, got {strength}")
        moved = moved + amount[..., None] * _unlocked(vectors, name, locked)
    return moved.astype(z.dtype if z.dtype.kind == "f" else np.float64)


def circle(
    z: Shaped[np.ndarray, "..."],
    vectors: AttributeVectors,
    *names: str,
    strength: Number = 1.5,
    n_steps: int = 90,
) -> Float[np.ndarray, "s d"]:
    """Codes around one code, for an animation that goes round: z + strength · (cos θ · first + sin θ · second vector).

    Parameters
    ----------
    z
        One code, (d,).
    names
        One attribute, which then swings from one side to the other and back; or two, such as the two directions of a
        head, which then goes round.
    strength, n_steps
        Radius of the circle, and the codes on it: θ goes from 0 to one step before the whole turn.

    Source
    ------
    2018 code of Sainburg et al. (arXiv:1807.06650), for one attribute: a head that turns, over 90 frames.
    """
    if len(names) not in (1, 2):
        raise ValueError(f"names must be one attribute or two, got {len(names)}")
    if n_steps < 2:
        raise ValueError(f"n_steps must be at least 2, got {n_steps}")
    if np.ndim(z) != 1:
        raise ValueError(f"z must be one code, (d,), got shape {np.shape(z)}")
    theta = 2 * np.pi * np.arange(n_steps) / n_steps
    swings = (np.cos(theta), np.sin(theta))
    return edit(z, vectors, {name: strength * swing for name, swing in zip(names, swings, strict=False)})


def _unlocked(vectors: AttributeVectors, name: str, locked: tuple[str, ...]) -> Float64[np.ndarray, " d"]:
    """The part of a vector at right angles to those of locked attributes."""
    vector = vectors[name]
    if not locked:
        return vector
    fixed = vectors.vectors[[vectors.row(other) for other in locked]]
    rest = vector - np.linalg.lstsq(fixed.T, vector)[0] @ fixed
    if np.linalg.norm(rest) <= 1e-9 * np.linalg.norm(vector):
        raise ValueError(f"{name} cannot be edited while {', '.join(locked)} is locked: its vector lies along theirs")
    return rest


def portrait(
    codec: Codec,
    vectors: AttributeVectors,
    *names: str,
    strength: Number = 1.5,
    around: str = "mean",
) -> Float[np.ndarray, "k ..."]:
    """Decode attribute vectors: a stimulus for each named attribute, or for all.

    Parameters
    ----------
    strength
        How far to go along each vector.
    around
        "mean": from the mean code, so that a portrait is an average stimulus with the attribute. "origin": from code
        0, so that it is of the vector alone, whatever the network makes of it.

    Source
    ------
    Sainburg et al. 2018 (arXiv:1807.06650), Figure 7: the decoded coefficients of attributes that are −1 or 1, which
    is ``around="origin", strength=0.5`` here.
    """
    if around not in ("mean", "origin"):
        raise ValueError(f"around must be 'mean' or 'origin', got {around!r}")
    rows = [vectors.row(name) for name in names or vectors.names]
    start = vectors.mean_code if around == "mean" else np.zeros_like(vectors.mean_code)
    return codec.decode((start + strength * vectors.vectors[rows]).astype(np.float32))
