"""The plain autoencoder."""

from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaia_explore import losses
from gaia_explore.models.chance import Chance
from gaia_explore.models.config import Config
from gaia_explore.models.model import Model, Objective, Round
from gaia_explore.networks import InitialWeights


@final
@dataclass(frozen=True, kw_only=True)
class AEConfig(Config):
    """An autoencoder with an L1 loss. Fields as in :class:`Config`."""

    name: ClassVar[str] = "AE"

    def build(self, shape: tuple[int, ...], generator: torch.Generator) -> "AE":
        return AE(self, shape, generator)


@final
class AE(Model):
    """A plain autoencoder: one player.

    Source: Sainburg et al. 2018, §3.1.
    """

    def __init__(self, config: AEConfig, shape: tuple[int, ...], generator: torch.Generator):
        super().__init__(config)
        initial = InitialWeights(generator, config.initialisation)
        self.autoencoder = config.network.autoencoder(shape, config.latent_dim, initial, bounded=True)

    def players(self) -> dict[str, nn.Module]:
        return {"autoencoder": self.autoencoder}

    def play(self, x: Float[Tensor, "*g b p"], rng: Chance) -> Round:
        loss = losses.pixel_error(x, self.autoencoder(x))
        return Round(
            objectives={"autoencoder": Objective(loss=loss, pace=torch.ones_like(loss))},
            terms={"pixel_error": loss.detach()},
        )

    def encode(self, x: Float[Tensor, "*g b p"]) -> Float[Tensor, "*g b d"]:
        return self.autoencoder.encoder(x)

    def decode(self, z: Float[Tensor, "*g b d"]) -> Float[Tensor, "*g b p"]:
        return self.autoencoder.decoder(z)
