"""A trained model seen from NumPy: codes, interpolations, morphs. PyTorch stops here.

A *codec* is anything that maps stimuli to codes and back; everything above this module asks for no more than that,
so that scikit-learn's PCA in a ten-line wrapper is as good as a trained network. What only some codecs can do are
protocols of their own (:class:`Judge`, :class:`Perceiver`, :class:`Reproducer`, :class:`Magnifier`, :class:`Trainable`,
:class:`Identified`).
"""

import hashlib
import json
from copy import deepcopy
from itertools import pairwise
from typing import Protocol, final, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from gaia_explore.models import GAIA, Model
from gaia_explore.stimuli.scaling import to_unit

MINIBATCH = 4096
"""Stimuli that pass through a network at a time."""


@runtime_checkable
class Codec(Protocol):
    """Maps stimuli to latent codes and back, row by row."""

    def encode(self, x: np.ndarray, /) -> np.ndarray:
        """Codes ``(n, d)`` of stimuli ``(n, *x)``."""
        ...

    def decode(self, z: np.ndarray, /) -> np.ndarray:
        """Stimuli ``(n, *x)`` of codes ``(n, d)``."""
        ...


@runtime_checkable
class Judge(Protocol):
    """Can tell how far a stimulus is from the manifold of the data."""

    def realism(self, x: np.ndarray, /) -> np.ndarray:
        """An error ``(n,)`` of stimuli ``(n, *x)``: small on the manifold."""
        ...


@runtime_checkable
class Perceiver(Protocol):
    """Has features in which Euclidean distance is perceptual distance."""

    def features(self, x: np.ndarray, /) -> np.ndarray:
        """Features ``(n, k)`` of stimuli ``(n, *x)``."""
        ...


@runtime_checkable
class Reproducer(Protocol):
    """Has a discriminator that reproduces stimuli, and knows its reproductions."""

    def reproduce(self, x: np.ndarray, /) -> np.ndarray:
        """The discriminator's reproductions ``(n, *x)`` of stimuli ``(n, *x)``."""
        ...


@runtime_checkable
class Magnifier(Protocol):
    """Can tell how much its decoder stretches the latent space locally."""

    def magnification(self, z: np.ndarray, /) -> np.ndarray:
        """Area in X per area in Z, ``(n,)``, at codes ``(n, d)``."""
        ...


@runtime_checkable
class Trainable(Protocol):
    """May change while it is used, for its model goes on training."""

    def snapshot(self) -> Codec:
        """A codec with the same capabilities that stays as this one is now."""
        ...


@runtime_checkable
class Identified(Protocol):
    """Can be told from every other codec by a text."""

    @property
    def fingerprint(self) -> str:
        """The same only where encoding and decoding are the same."""
        ...


class ModelCodec:
    """The codec of a trained model (abstract; :func:`codec_of` makes one): minibatches, devices, gradients end here.

    Parameters
    ----------
    model
        In evaluation mode, on its device.
    shape
        Shape of one stimulus; networks see it flattened.
    """

    def __init__(self, model: Model, shape: tuple[int, ...]):
        self.model = model
        self.shape = shape
        self.latent_dim = model.config.latent_dim

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the config, the shape of a stimulus and the weights as they are now, the same on every machine."""
        built = {"config": self.model.config.to_dict(), "shape": self.shape}
        digest = hashlib.sha256(json.dumps(built, sort_keys=True).encode())
        for name, weights in self.model.state_dict().items():
            digest.update(f"{name} {tuple(weights.shape)}".encode())
            digest.update(np.ascontiguousarray(weights.cpu().numpy(), dtype="<f4").data)
        return digest.hexdigest()

    def snapshot(self) -> "ModelCodec":
        """A copy, with every capability: training its model on changes nothing in it, nor using it the training."""
        return codec_of(deepcopy(self.model).requires_grad_(False).eval(), self.shape)

    def encode(self, x: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "n d"]:
        """Latent codes of stimuli in [0, 1], or of bytes from 0 to 255 as a pack holds them."""
        return self._apply(self.model.encode, self._stimuli(x))

    def decode(self, z: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "n ..."]:
        """Stimuli of latent codes, in the units of the scaled stimuli; not clipped to [0, 1]."""
        return self._apply(self.model.decode, self._codes(z)).reshape(-1, *self.shape)

    def magnification(self, z: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, " n"]:
        """Local magnification of the decoder: √det(JᵀJ) with its Jacobian J, which is |det J| where p = d.

        1 keeps areas (volumes, for d > 2), less than 1 squeezes, more stretches.

        Source: ours; the magnification factor of Bishop, Svensén & Williams 1997 for generative topographic maps.
        """
        jacobian = torch.func.vmap(torch.func.jacrev(lambda code: self.model.decode(code[None])[0]))

        def factor(codes: Tensor) -> Tensor:
            # Singular values rather than det(JᵀJ), which squares the error of single precision.
            return torch.linalg.svdvals(jacobian(codes).double()).prod(-1).float()

        return self._apply(factor, self._codes(z))

    def _stimuli(self, x: np.ndarray) -> np.ndarray:
        if np.shape(x)[1:] != self.shape:
            raise ValueError(f"x must have shape (n, {', '.join(map(str, self.shape))}), got {np.shape(x)}")
        return x.reshape(len(x), -1)

    def _codes(self, z: np.ndarray) -> np.ndarray:
        if np.ndim(z) != 2 or np.shape(z)[1] != self.latent_dim:
            raise ValueError(f"z must have shape (n, {self.latent_dim}), got {np.shape(z)}")
        return np.asarray(z, np.float32)

    def _apply(self, function, rows: np.ndarray) -> np.ndarray:
        device = next(self.model.parameters()).device
        # A minibatch at a time, so that what lies in a file need not fit into memory.
        starts = range(0, len(rows), MINIBATCH)
        blocks = (np.array(to_unit(rows[i : i + MINIBATCH]), np.float32) for i in starts)
        # Not inference_mode: the Jacobian's transforms do not run under it.
        with torch.no_grad():
            return torch.cat([function(torch.from_numpy(block).to(device)).cpu() for block in blocks]).numpy()


@final
class PlainCodec(ModelCodec):
    """The codec of a model without a discriminator."""


@final
class JudgingCodec(ModelCodec):
    """The codec of a GAIA, whose discriminator judges realism."""

    model: GAIA

    def realism(self, x: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, " n"]:
        """How badly the discriminator reproduces each stimulus: mean absolute difference, small on the manifold."""
        return self._apply(self.model.realism, self._stimuli(x))

    def features(self, x: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "n k"]:
        """The discriminator's own latent code of each stimulus, flattened: what it keeps of what it sees."""
        return self._apply(self.model.features, self._stimuli(x))

    def reproduce(self, x: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "n ..."]:
        """The discriminator's reproductions of stimuli, from which ``realism`` is the distance; not clipped."""
        return self._apply(self.model.discriminator, self._stimuli(x)).reshape(-1, *self.shape)


def codec_of(model: Model, shape: tuple[int, ...]) -> ModelCodec:
    """The codec of a trained model, with every capability that the model has."""
    return JudgingCodec(model, shape) if isinstance(model, GAIA) else PlainCodec(model, shape)


def interpolate(
    z_start: Shaped[np.ndarray, "..."], z_end: Shaped[np.ndarray, "..."], n_steps: int
) -> Float[np.ndarray, "s d"]:
    """Codes on the straight line from ``z_start`` (t = 0, the first row) to ``z_end`` (t = 1, the last row).

    Both are one code each, with d latent dimensions.
    """
    if n_steps < 2:
        raise ValueError(f"n_steps must be at least 2, got {n_steps}")
    z_start, z_end = np.asarray(z_start), np.asarray(z_end)
    if z_start.ndim != 1 or z_start.shape != z_end.shape:
        raise ValueError(f"z_start and z_end must be two codes of one length, got {z_start.shape} and {z_end.shape}")
    t = np.linspace(0, 1, n_steps, dtype=np.float32)[:, None]
    # Written so that both ends are exact.
    return ((1 - t) * z_start + t * z_end).astype(np.float32)


def morph(
    codec: Codec, z_start: Shaped[np.ndarray, "..."], z_end: Shaped[np.ndarray, "..."], n_steps: int = 10
) -> Float[np.ndarray, "s ..."]:
    """A continuum of stimuli: the decoded interpolation from one code to another, ends included."""
    return codec.decode(interpolate(z_start, z_end, n_steps))


def tour(codec: Codec, anchors: Shaped[np.ndarray, "n ..."], n_steps: int = 10) -> Float[np.ndarray, "s ..."]:
    """Morphs from code to code, one after the other, without showing an anchor twice.

    From each anchor to the next there are ``n_steps`` stimuli, both included, so that a tour of two anchors is
    :func:`morph`. With its first anchor as the last, it goes round.
    """
    anchors = np.asarray(anchors)
    if anchors.ndim != 2 or len(anchors) < 2:
        raise ValueError(f"anchors must be at least 2 codes, (n, d), got shape {anchors.shape}")
    legs = [interpolate(start, end, n_steps)[:-1] for start, end in pairwise(anchors)]
    return codec.decode(np.concatenate([*legs, anchors[-1:].astype(np.float32)]))


def training_panel(codec: Codec, x: Shaped[np.ndarray, "n ..."]) -> dict[str, Shaped[np.ndarray, "n ..."]]:
    """What a model makes of stimuli and of interpolations, row by row, to be looked at while it trains.

    z_i lies halfway between the codes of a stimulus and of the next, that of the last and the first. Rows with D are
    there only where the codec knows a discriminator's reproductions.

    Source: Sainburg et al. 2018 (arXiv:1807.06650), appendix: the seven rows of the figures of training.
    """
    x = np.asarray(x)
    scaled = to_unit(x)
    z = np.asarray(codec.encode(x))
    x_hat, x_i = (np.asarray(codec.decode(codes)) for codes in (z, (z + np.roll(z, -1, axis=0)) / 2))
    shown = {"X": scaled, "G(X)": x_hat, "G(z_i)": x_i, "mean": (scaled + np.roll(scaled, -1, axis=0)) / 2}
    if not isinstance(codec, Reproducer):
        return shown
    judged = {f"D({name})": codec.reproduce(shown[name]) for name in ("X", "G(X)", "G(z_i)")}
    order = ("X", "D(X)", "D(G(X))", "G(X)", "G(z_i)", "D(G(z_i))", "mean")
    return {name: (shown | judged)[name] for name in order}
