"""The variational autoencoder."""

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaia_explore import losses
from gaia_explore.models.chance import Chance, draw
from gaia_explore.models.config import Config
from gaia_explore.models.model import Model, Objective, Round
from gaia_explore.networks import InitialWeights, check_range


@final
@dataclass(frozen=True, kw_only=True)
class VAEConfig(Config):
    """A variational autoencoder with Bernoulli pixels. Other fields as in :class:`Config`.

    Parameters
    ----------
    beta
        Weight of the divergence of the codes from the prior. The default is 1/128: one over the default minibatch,
        because the reference code adds the divergence of one stimulus to the reconstruction of a whole minibatch. A
        β of 1 collapses on the planar sets: every stimulus gets the same code.
    """

    beta: float = 1 / 128

    name: ClassVar[str] = "VAE"
    scales: ClassVar[tuple[str, ...]] = (*Config.scales, "beta")

    def __post_init__(self):
        super().__post_init__()
        check_range("beta", self.beta, 0, math.inf)

    def build(self, shape: tuple[int, ...], generator: torch.Generator) -> "VAE":
        return VAE(self, shape, generator)


@final
class VAE(Model):
    """A variational autoencoder: one player, a Gaussian posterior, a unit Gaussian prior.

    Source: Kingma & Welling 2014; β as in Higgins et al. 2017.
    """

    beta: Tensor

    def __init__(self, config: VAEConfig, shape: tuple[int, ...], generator: torch.Generator):
        super().__init__(config)
        initial = InitialWeights(generator, config.initialisation)
        # Unbounded: the decoder gives logits.
        self.autoencoder = config.network.autoencoder(shape, config.latent_dim, initial, code_parameters=2)

    def players(self) -> dict[str, nn.Module]:
        return {"autoencoder": self.autoencoder}

    def play(self, x: Float[Tensor, "*g b p"], rng: Chance) -> Round:
        mean, log_variance = self.autoencoder.encoder(x).chunk(2, -1)
        noise = draw(Tensor.normal_, mean.shape, rng, x)
        logits = self.autoencoder.decoder(mean + noise * (0.5 * log_variance).exp())
        kl = losses.gaussian_kl(mean, log_variance)
        loss = losses.bernoulli_error(x, logits) + self.beta * kl
        return Round(
            objectives={"autoencoder": Objective(loss=loss, pace=torch.ones_like(loss))},
            terms={
                "loss": loss.detach(),
                "pixel_error": losses.pixel_error(x, logits.detach().sigmoid()),
                "kl": kl.detach(),
            },
        )

    def encode(self, x: Float[Tensor, "*g b p"]) -> Float[Tensor, "*g b d"]:
        return self.autoencoder.encoder(x).chunk(2, -1)[0]

    def decode(self, z: Float[Tensor, "*g b d"]) -> Float[Tensor, "*g b p"]:
        return self.autoencoder.decoder(z).sigmoid()
