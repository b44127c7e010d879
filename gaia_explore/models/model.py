"""What a model is to the training: players, and what each of them wants."""

from abc import abstractmethod
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaia_explore import losses
from gaia_explore.models.chance import Chance
from gaia_explore.models.config import Config

MOST_AT_ONCE = 2**20
"""Pixel values that go through a network at once where no step needs them together: 21 pictures of 128 pixels in
colour, 341 of 32."""


@dataclass(frozen=True, kw_only=True)
class Objective:
    """What one player minimises at one step.

    Parameters
    ----------
    loss
        A scalar (or one a member) whose value is the player's loss. The *sum* of all players' losses gives every
        player's parameters the gradient of its own loss, so that one backward pass serves them all.
    pace
        Factor of the player's learning rate, in (0, 1]. Scaling the loss instead would be undone by Adam.
    """

    loss: Float[Tensor, "*g"]
    pace: Float[Tensor, "*g"]


@dataclass(frozen=True, kw_only=True)
class Round:
    """One round of the game: every player's objective, and the terms worth recording, by name, without gradient."""

    objectives: dict[str, Objective]
    terms: dict[str, Float[Tensor, "*g"]]


class Model(nn.Module):
    """A trainable model (abstract). Everywhere in it stimuli are flattened, of length p.

    It may be many models stacked (:func:`stack`): then everything has a leading member axis g.

    Parameters
    ----------
    config
        What it was built from.
    """

    averaging: Tensor

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        for name in config.scales:
            self.register_buffer(name, torch.tensor(float(getattr(config, name))), persistent=False)

    @abstractmethod
    def players(self) -> dict[str, nn.Module]:
        """The modules that learn, by name, with disjoint parameters."""

    @abstractmethod
    def play(self, x: Float[Tensor, "*g b p"], rng: Chance) -> Round:
        """One forward pass of a minibatch."""

    @abstractmethod
    def encode(self, x: Float[Tensor, "*g b p"]) -> Float[Tensor, "*g b d"]:
        """The latent codes of stimuli."""

    @abstractmethod
    def decode(self, z: Float[Tensor, "*g b d"]) -> Float[Tensor, "*g b p"]:
        """The stimuli of latent codes."""

    def held_out_error(self, x: Float[Tensor, "m p"], rng: torch.Generator) -> Float[Tensor, ""]:
        """What the best weights of a run have least of, on stimuli it was not trained on: the pixel error, here."""
        return losses.pixel_error(x, torch.cat([self.decode(self.encode(some)) for some in pieces(x)]))


def pieces(x: Float[Tensor, "m p"]) -> Sequence[Float[Tensor, "_ p"]]:
    """Stimuli of ``MOST_AT_ONCE`` values together, piece by piece, for a network that would run out of memory."""
    return x.split(max(1, MOST_AT_ONCE // x.shape[-1]))


def stack(models: Sequence[Model]) -> Model:
    """One model with a leading member axis, in copies, of models whose configs have the same ``program()``.

    Its ``config`` is the first one's, of which it reads only what all share.
    """
    stacked = deepcopy(models[0])
    for kind in (nn.Module.named_parameters, nn.Module.named_buffers):
        own = [dict(kind(model)) for model in models]
        for name, tensor in kind(stacked):
            tensor.data = torch.stack([tensors[name].data for tensors in own])
    return stacked
