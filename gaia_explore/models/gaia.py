"""GAIA: two autoencoders, generator against discriminator."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaia_explore import losses
from gaia_explore.models.chance import Chance, draw, over_all, whole
from gaia_explore.models.config import Config
from gaia_explore.models.model import Model, Objective, Round, pieces
from gaia_explore.networks import InitialWeights, check_choice, check_range, check_whole


@final
@dataclass(frozen=True, kw_only=True)
class GAIAConfig(Config):
    """GAIA: an autoencoder whose interpolations a second autoencoder judges. Other fields as in :class:`Config`.

    The defaults were chosen by measuring on the planar sets, on circles most of all: ten seeds of them lie beyond what
    VAEs reach over β on four of the five sets (``data/planar``). :meth:`published` are the paper's. What differs is the
    rule (only interpolations are fakes, and a pixel loss keeps the reconstructions), the discriminator's margin, the
    initial weights, and a learning rate that falls to 0.

    Parameters
    ----------
    alpha
        Weight of the structure loss; 0 switches it off.
    rule
        What the players play for: ``"published"``, ``"interpolations"`` or ``"capped"`` (the rules of
        :mod:`gaia_explore.losses`).
    balance
        ``"attached"``: gradient flows through the balances, as in the published code; ``"detached"``: it does not.
    slope
        Steepness of the balances. The differences of losses are absolute: 20 suits stimuli in [0, 1].
    clip
        Both players' adversarial losses are clipped to [−clip, clip] (1 in the published convolutional code).
    margin
        A fake that the discriminator fails to reproduce by more than this counts no further in its loss (Zhao et al.
        2017, EBGAN), so that it cannot win by exploding where there are no data. Infinite as published.
    pixel_weight
        Weight of |x − G(x)| in the generator's loss. 0 as published, where the discriminator alone compares.
    adversarial_weight
        Weight of the generator's adversarial loss; 1 as published. More moves more interpolations onto the support
        of the data, at a larger pixel error.
    mixing
        How interpolations are drawn: ``"gaussian"`` pairs, β ~ N(.5, .25²), 4.6 % of them outside [0, 1] as a mild
        extrapolation; ``"uniform"`` pairs, β ~ U(0, 1); or ``"minibatch"``, the whole minibatch with weights
        ~ Dirichlet(1/(2B), …).
    discriminator_latent
        Latent dimensions of the discriminator; ``"same"`` as the generator's.
    discriminator_noise
        Standard deviation of Gaussian noise added to what the discriminator sees, in units of the scaled stimuli. Its
        targets stay clean, so that it learns to denoise and cannot pass as an identity.
    discriminator_learning_rate
        The discriminator's, before schedule and pace; ``"same"`` as the generator's.
    """

    alpha: float = 1.0
    rule: Literal["published", "interpolations", "capped"] = "interpolations"
    balance: Literal["attached", "detached"] = "attached"
    slope: float = 20.0
    clip: float = math.inf
    margin: float = 0.5
    pixel_weight: float = 1.0
    adversarial_weight: float = 0.25
    mixing: Literal["gaussian", "uniform", "minibatch"] = "gaussian"
    discriminator_latent: int | Literal["same"] = "same"
    discriminator_noise: float = 0.0
    discriminator_learning_rate: float | Literal["same"] = "same"

    name: ClassVar[str] = "GAIA"
    scales: ClassVar[tuple[str, ...]] = (
        *Config.scales,
        *("alpha", "slope", "clip", "margin", "pixel_weight", "adversarial_weight", "discriminator_noise"),
    )
    free: ClassVar[tuple[str, ...]] = (*Config.free, "discriminator_learning_rate")

    def __post_init__(self):
        super().__post_init__()
        check_choice("rule", self.rule, ("published", "interpolations", "capped"))
        check_choice("balance", self.balance, ("attached", "detached"))
        check_choice("mixing", self.mixing, ("gaussian", "uniform", "minibatch"))
        for weight in ("alpha", "pixel_weight", "adversarial_weight", "discriminator_noise"):
            check_range(weight, getattr(self, weight), 0, math.inf)
        for positive in ("slope", "clip", "margin"):
            check_range(positive, getattr(self, positive), 0, math.inf, open_low=True)
        if self.discriminator_latent != "same":
            check_whole("discriminator_latent", self.discriminator_latent, minimum=1)
            if not self.network.discriminator_has_code:
                raise ValueError(
                    f"discriminator_latent must be 'same' with a {self.network.kind} network, whose discriminator has"
                    f" no latent code, got {self.discriminator_latent}"
                )
        if self.discriminator_learning_rate != "same":
            check_range("discriminator_learning_rate", self.discriminator_learning_rate, 0, math.inf, open_low=True)

    @classmethod
    def published(cls, **changes: Any) -> "GAIAConfig":
        """The method exactly as published (Sainburg et al. 2018 and its 2018 code for the planar sets)."""
        rule = {"rule": "published", "margin": math.inf, "pixel_weight": 0.0, "adversarial_weight": 1.0}
        return cls(**({"initialisation": "glorot", "schedule": "constant", **rule} | changes))

    def build(self, shape: tuple[int, ...], generator: torch.Generator) -> "GAIA":
        return GAIA(self, shape, generator)

    def learning_rates(self) -> dict[str, float]:
        rate = self.discriminator_learning_rate
        return {
            "generator": self.learning_rate,
            "discriminator": self.learning_rate if rate == "same" else rate,
        }


@final
class GAIA(Model):
    """Generative adversarial interpolative autoencoding: two autoencoders, generator against discriminator.

    Source: Sainburg et al. 2018, §2 and Algorithm 1.
    """

    alpha: Tensor
    slope: Tensor
    clip: Tensor
    margin: Tensor
    pixel_weight: Tensor
    adversarial_weight: Tensor
    discriminator_noise: Tensor

    def __init__(self, config: GAIAConfig, shape: tuple[int, ...], generator: torch.Generator):
        super().__init__(config)
        self.settings = config
        network, initial = config.network, InitialWeights(generator, config.initialisation)
        latent = config.discriminator_latent
        self.generator = network.autoencoder(shape, config.latent_dim, initial, bounded=True)
        self.discriminator = network.discriminator(shape, config.latent_dim if latent == "same" else latent, initial)

    def players(self) -> dict[str, nn.Module]:
        return {"generator": self.generator, "discriminator": self.discriminator}

    def play(self, x: Float[Tensor, "*g b p"], rng: Chance) -> Round:
        """One forward pass of both networks, and objectives of which one backward pass serves both players.

        The discriminator judges data, reconstructions and interpolations as one minibatch. Its loss and the
        generator's are weighted sums of the same three errors, with different weights; so the errors are seeded with
        the discriminator's weights, and the gradient that crosses from the discriminator's input into the
        generator's output is rescaled, row by row, by the ratio of the two (:class:`Crossing`).
        """
        config = self.settings
        b = x.shape[-2]
        z = self.generator.encoder(x)
        x_fake = self.generator.decoder(torch.cat([z, self.interpolations(z, rng)], -2))
        x_hat = x_fake[..., :b, :]
        # Reconstructions are judged only where the rule makes them fakes.
        shown = x_fake[..., b:, :] if config.rule == "interpolations" else x_fake
        ratio = shown.new_zeros(shown.shape[:-1])
        shown = Crossing.apply(shown, ratio)
        judged = torch.cat([x, shown], -2)
        noisy = judged
        if config.discriminator_noise > 0:
            noisy = judged + self.discriminator_noise[..., None, None] * draw(Tensor.normal_, judged.shape, rng, x)
        # The target of a reconstruction is the data, not the reconstruction; an interpolation is its own target.
        target = judged if config.rule == "interpolations" else torch.cat([x, x, judged[..., 2 * b :, :]], -2)
        error = losses.stimulus_error(target, self.discriminator(noisy)).unflatten(-1, (-1, b))

        weights, wanted, terms = self._weights(error.detach(), rng)
        ratio.copy_((wanted / weights)[..., 1:, :].flatten(-2))
        adversarial = (weights * error).sum((-2, -1))
        pixel_error = losses.pixel_error(x, x_hat)
        direct = self.pixel_weight * pixel_error
        terms["pixel_error"] = pixel_error.detach()
        if config.alpha > 0:
            structure = losses.structure_loss(whole(x, rng), whole(z, rng))
            direct = direct + self.alpha * structure
            terms["structure_loss"] = structure.detach()
        terms["L_G"] = terms["L_G"] + direct.detach()
        pace = terms["pace_discriminator"]
        return Round(
            objectives={
                "generator": Objective(loss=_with_value(direct, terms["L_G"]), pace=1 - pace),
                "discriminator": Objective(loss=_with_value(adversarial, terms["L_D"]), pace=pace),
            },
            terms=terms | {"pace_generator": 1 - pace},
        )

    def _weights(
        self, error: Float[Tensor, "*g k b"], rng: Chance
    ) -> tuple[Float[Tensor, "*g k b"], Float[Tensor, "*g k b"], dict[str, Float[Tensor, "*g"]]]:
        """What each stimulus's error counts in L_D and in L_G (their derivatives by it), and the terms to record."""
        config = self.settings
        b = error.shape[-1]
        parts = over_all(error.mean(-1), rng).unbind(-1)
        rule = within = self._rule(parts)
        counts = torch.ones_like(error)
        if config.margin < math.inf:
            fakes, margin = error[..., 1:, :], self.margin[..., None, None]
            within = self._rule((parts[0], *over_all(fakes.clamp(max=margin).mean(-1), rng).unbind(-1)))
            counts[..., 1:, :] = fakes <= margin
        weights = torch.stack(within.by_discriminator, -1)[..., None] * counts / b
        weight = (self.adversarial_weight / b)[..., None]
        wanted = (weight * torch.stack(rule.by_generator, -1))[..., None].expand_as(error)
        loss_d, loss_g = within.discriminator, rule.generator
        if config.clip < math.inf:
            weights = weights * (loss_d.abs() <= self.clip)[..., None, None]
            wanted = wanted * (loss_g.abs() <= self.clip)[..., None, None]
            loss_d, loss_g = loss_d.clamp(-self.clip, self.clip), loss_g.clamp(-self.clip, self.clip)
        # A weight of zero cannot carry the generator's gradient back. A millionth of an error is nothing to the
        # discriminator, and a ratio of a million costs no digit in floating point.
        smallest = 1e-6 / b
        weights = torch.where(weights.abs() < smallest, -smallest, weights)
        names = ("L_x", "L_i") if config.rule == "interpolations" else ("L_x", "L_g", "L_i")
        losses_of = {"L_D": loss_d, "L_G": self.adversarial_weight * loss_g}
        return weights, wanted, dict(zip(names, parts, strict=True)) | losses_of | rule.terms

    def _rule(self, errors: tuple[Float[Tensor, "*g"], ...]) -> losses.Rule:
        rule, attached = self.settings.rule, self.settings.balance == "attached"
        if rule == "interpolations":
            return losses.interpolations_rule(*errors, slope=self.slope, attached=attached)
        if rule == "capped":
            return losses.capped_rule(*errors, slope=self.slope)
        return losses.published_rule(*errors, slope=self.slope, attached=attached)

    def encode(self, x: Float[Tensor, "*g b p"]) -> Float[Tensor, "*g b d"]:
        return self.generator.encoder(x)

    def decode(self, z: Float[Tensor, "*g b d"]) -> Float[Tensor, "*g b p"]:
        return self.generator.decoder(z)

    def held_out_error(self, x: Float[Tensor, "m p"], rng: torch.Generator) -> Float[Tensor, ""]:
        """Pixel error, plus that of each decoded interpolation against the held-out stimulus nearest to it.

        The players' losses cannot tell the best weights: the judge they come from changes too.
        """
        size = len(pieces(x)[0])
        z = torch.cat([self.encode(some) for some in pieces(x)])
        between = self.interpolations(z, rng)
        nearest = torch.cat([torch.cdist(self.decode(some), x, p=1).amin(-1) for some in between.split(size)])
        x_hat = torch.cat([self.decode(some) for some in z.split(size)])
        return losses.pixel_error(x, x_hat) + nearest.mean() / x.shape[-1]

    def interpolations(self, z: Float[Tensor, "*g b d"], rng: Chance) -> Float[Tensor, "*g b d"]:
        """Codes between the minibatch's codes, drawn as the config's ``mixing`` says."""
        *g, b, _ = z.shape
        if self.settings.mixing == "minibatch":
            mixed = whole(z, rng)
            n = mixed.shape[-2]
            weights = draw(partial(_fill_dirichlet, concentration=1 / (2 * n)), (*g, b, n), rng, z, z.dtype)
            return losses.mix_minibatch(mixed, weights)
        if self.settings.mixing == "uniform":
            beta = draw(Tensor.uniform_, (*g, b, 1), rng, z)
        else:
            beta = 0.5 + 0.25 * draw(Tensor.normal_, (*g, b, 1), rng, z)
        return losses.mix_pairs(z, beta)

    def realism(self, x: Float[Tensor, "b p"]) -> Float[Tensor, " b"]:
        """How badly the discriminator reproduces each stimulus: small on the manifold of the data."""
        return losses.stimulus_error(x, self.discriminator(x))

    def features(self, x: Float[Tensor, "b p"]) -> Float[Tensor, "b k"]:
        """The discriminator's own code of each stimulus; of a style-content network its content map and its style."""
        return self.discriminator.encode(x)


class Crossing(torch.autograd.Function):
    """The identity between the generator's output and the discriminator; backward, row i is scaled by ``ratio[i]``.

    A gradient-reversal layer (Ganin & Lempitsky 2015) with a factor a row instead of −1, which may be filled in after
    the forward pass and before the backward pass: the balances depend on the errors that lie between.
    """

    @staticmethod
    def forward(ctx: Any, x: Float[Tensor, "*b p"], ratio: Float[Tensor, "*b"]) -> Float[Tensor, "*b p"]:
        ctx.ratio = ratio
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0] * ctx.ratio[..., None], None


def _with_value(surrogate: Tensor, value: Tensor) -> Tensor:
    """The surrogate's gradient under the value that a person expects to read."""
    return surrogate + (value - surrogate.detach())


def _fill_dirichlet(weights: Tensor, *, concentration: float, generator: torch.Generator):
    # In double precision: with a concentration this small most numbers are far below what single precision holds.
    concentrations = torch.full(weights.shape, concentration, device=weights.device, dtype=torch.float64)
    gamma = torch.ops.aten._standard_gamma(concentrations, generator)
    weights.copy_(gamma / gamma.sum(-1, keepdim=True))
