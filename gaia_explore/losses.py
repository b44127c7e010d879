"""The equations, one pure function each.

Every loss takes minibatches of flattened stimuli, axes ``(*g, b, p)``, and reduces over all axes but the optional
leading member axis g, so that one call serves one model or many trained together. "Sainburg et al. 2018" is
arXiv:1807.06650; "2018 code" and "2019 variant" are its authors' public code of those years.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

# --- |x − x̂| ----------------------------------------------------------------------------------------------------


def stimulus_error(x: Float[Tensor, "*g b p"], x_hat: Float[Tensor, "*g b p"]) -> Float[Tensor, "*g b"]:
    """Mean absolute difference of each stimulus and its reproduction.

    Source: Sainburg et al. 2018, §2; every |·| of the method is this one, averaged over the minibatch.
    """
    return (x - x_hat).abs().mean(-1)


def pixel_error(x: Float[Tensor, "*g b p"], x_hat: Float[Tensor, "*g b p"]) -> Float[Tensor, "*g"]:
    """Mean absolute difference over the minibatch, in units of the scaled stimuli ([0, 1])."""
    return stimulus_error(x, x_hat).mean(-1)


# --- Σ −x ln x̂ − (1 − x) ln(1 − x̂) -------------------------------------------------------------------------------


def bernoulli_error(x: Float[Tensor, "*g b p"], logits: Float[Tensor, "*g b p"]) -> Float[Tensor, "*g"]:
    """Cross-entropy of stimuli in [0, 1] under independent Bernoulli pixels: nats a stimulus, mean over the minibatch.

    Source: Kingma & Welling 2014, appendix C.1.
    """
    error = functional.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return error.sum(-1).mean(-1)


# --- KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ (μ² + σ² − 1 − ln σ²) -----------------------------------------------------------


def gaussian_kl(mean: Float[Tensor, "*g b d"], log_variance: Float[Tensor, "*g b d"]) -> Float[Tensor, "*g"]:
    """Divergence of the codes' posteriors from the unit Gaussian: nats a stimulus, mean over the minibatch.

    Source: Kingma & Welling 2014, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1).mean(-1)


# --- mean (ln(1 + s_x) − ln(1 + s_z))² ----------------------------------------------------------------------------


def structure_loss(x: Float[Tensor, "*g b p"], z: Float[Tensor, "*g b d"]) -> Float[Tensor, "*g"]:
    """How much the pairwise distances of the codes disagree with those of the stimuli, whatever their scale.

    s_ij is the squared distance of a pair over the mean squared distance of all B² pairs, diagonal included; the loss
    is the mean over all B² pairs of the squared difference of ln(1 + s_ij). It is 0 where Z is X moved, turned,
    mirrored and scaled, and does not depend on the order of the minibatch.

    Source: Sainburg et al. 2018, §2.3, and its 2018 code.
    Departs from it: ln and 1/B² for the paper's log₂ and 1/B (as the code does): a constant factor of the weight α.
    """
    # In mixed precision, too, at least in single: |a|² + |b|² − 2ab of neighbours would have no digit left.
    x, z = (side.to(torch.promote_types(side.dtype, torch.float32)) for side in (x, z))
    with torch.autocast(x.device.type, enabled=False):
        return _StructureLoss.apply(x, z)


class _StructureLoss(torch.autograd.Function):
    """Its gradient by hand: a third of the passes over B × B numbers that autograd would take."""

    @staticmethod
    def forward(ctx: Any, x: Float[Tensor, "*g b p"], z: Float[Tensor, "*g b d"]) -> Float[Tensor, "*g"]:
        (x, s_x, mean_x), (z, s_z, mean_z) = _relative_distances(x), _relative_distances(z)
        error = torch.log1p(s_x) - torch.log1p(s_z)
        ctx.save_for_backward(error, x, s_x, mean_x, z, s_z, mean_z)
        return error.square().mean((-2, -1))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        error, *sides = ctx.saved_tensors
        scale = 2 / error.shape[-1] ** 2 * gradients[0][..., None, None]
        by_x, by_z = ctx.needs_input_grad
        return (
            _pull(scale * error, *sides[:3]) if by_x else None,
            _pull(-scale * error, *sides[3:]) if by_z else None,
        )


def _relative_distances(x: Float[Tensor, "*g b p"]) -> tuple[Tensor, Tensor, Tensor]:
    """The centred stimuli or codes, s_ij, and the mean squared distance over all B² pairs."""
    # Centred first, so that |a|² + |b|² − 2ab loses no digits where the stimuli sit far from the origin.
    x = x - x.mean(-2, keepdim=True)
    square = x.square().sum(-1)
    # The mean over all B² pairs is 2 Σ|x|² / B exactly, because the stimuli are centred. A minibatch of equal codes
    # has no structure to compare; the floor keeps it finite.
    mean = 2 * square.mean(-1).clamp(min=torch.finfo(x.dtype).tiny ** 0.5)[..., None, None]
    return x, (square[..., :, None] + square[..., None, :] - 2 * _products(x)) / mean, mean


def _products(x: Float[Tensor, "*g b p"]) -> Float[Tensor, "*g b b"]:
    """All rows by all rows, in at least full single precision: TF32 leaves ten bits of what enters a product."""
    if torch.backends.cuda.matmul.fp32_precision != "tf32":
        return x @ x.mT
    exact = x.double()
    return (exact @ exact.mT).to(x.dtype)


def _pull(by_log: Tensor, x: Tensor, s: Tensor, mean: Tensor) -> Float[Tensor, "*g b p"]:
    """The gradient by x of a function of ln(1 + s_ij), given its (symmetric) gradient by those."""
    by_s = by_log / (1 + s)
    of_mean = (by_s * s).sum((-2, -1)) / x.shape[-2]
    return 4 / mean * (x * (by_s.sum(-1) - of_mean[..., None])[..., None] - by_s @ x)


# --- σ_b(d) = 1 / (1 + exp(−b d)) ---------------------------------------------------------------------------------


def balance(difference: Float[Tensor, "*g"], slope: float | Float[Tensor, "*g"]) -> Float[Tensor, "*g"]:
    """A sigmoid of steepness ``slope`` of a difference of two losses: the weight, in (0, 1), of one against the other.

    Source: Sainburg et al. 2018, Algorithm 1 (slope 20, for stimuli in [0, 1]).
    """
    return torch.sigmoid(slope * difference)


# --- z_i = β z_a + (1 − β) z_b ------------------------------------------------------------------------------------


def mix_pairs(z: Float[Tensor, "*g b d"], beta: Float[Tensor, "*g b 1"]) -> Float[Tensor, "*g b d"]:
    """Interpolations of B pairs of a minibatch's B codes: β = 1 gives the first code of a pair, β = 0 the second.

    The first half of the minibatch meets the second half, then the first half reversed meets the second half: B
    distinct pairs where B is a multiple of four. An odd last code meets the first code.

    Source: Sainburg et al. 2018, §2.2, and its 2018 code.
    """
    b = z.shape[-2]
    half = b // 2
    first, second = z[..., :half, :], z[..., half : 2 * half, :]
    z_a = torch.cat([first, first.flip(-2), z[..., 2 * half :, :]], -2)
    z_b = torch.cat([second, second, z[..., : b - 2 * half, :]], -2)
    return z_b + beta * (z_a - z_b)


# --- z_i = Σ_j w_ij z_j -------------------------------------------------------------------------------------------


def mix_minibatch(z: Float[Tensor, "*g b d"], weights: Float[Tensor, "*g m b"]) -> Float[Tensor, "*g m d"]:
    """Interpolations of the whole minibatch: row i of ``weights`` (non-negative, summing to 1) mixes all its codes.

    Pairs of points on disconnected islands cannot cover their convex hull; a mix of the whole minibatch can.

    Source: 2019 variant; named as future work in Sainburg et al. 2018, §4.
    """
    return weights @ z


# --- the two players' losses ---------------------------------------------------------------------------------------


class Rule(NamedTuple):
    """What the players play for, from a few errors of the discriminator: its loss, the generator's, and both slopes.

    Parameters
    ----------
    discriminator, generator
        L_D and L_G.
    terms
        The balances and the pace of the discriminator, by name.
    by_discriminator, by_generator
        The derivatives of L_D and of L_G by each error, in the order in which the rule takes them. Through attached
        balances they differ from the balances.
    """

    discriminator: Float[Tensor, "*g"]
    generator: Float[Tensor, "*g"]
    terms: dict[str, Float[Tensor, "*g"]]
    by_discriminator: tuple[Float[Tensor, "*g"], ...]
    by_generator: tuple[Float[Tensor, "*g"], ...]


def published_rule(
    real: Float[Tensor, "*g"],
    reconstruction: Float[Tensor, "*g"],
    interpolation: Float[Tensor, "*g"],
    *,
    slope: float | Float[Tensor, "*g"],
    attached: bool,
) -> Rule:
    """The adversarial losses of discriminator and generator, L_D = L_x − w_D L_f and L_G = w_G L_i + (1 − w_G) L_g.

    The weights are w_D = clip(σ(½ L_i − L_x), 0, .9) and w_G = σ(L_i − L_g), the pace of the discriminator is
    δ_D = σ(L_x − L_f), and L_f = ½ (L_g + L_i).

    Parameters
    ----------
    real, reconstruction, interpolation
        L_x, L_g and L_i: how badly the discriminator reproduces data, and from reconstructions the data, and
        interpolations.
    slope, attached
        Steepness of the balances, and whether gradient flows through them (as in the 2018 code).

    Source: Sainburg et al. 2018, Algorithm 1, and its 2018 code.
    """
    fake = 0.5 * (reconstruction + interpolation)
    gap = interpolation - reconstruction
    w_discriminator, bend = _discriminator_weight(real, interpolation, slope, attached)
    w_generator = balance(gap, slope)
    terms = {"w_D": w_discriminator, "w_G": w_generator, "pace_discriminator": balance(real - fake, slope)}
    if not attached:
        w_generator = w_generator.detach()
    tilt = slope * w_generator * (1 - w_generator) * gap if attached else torch.zeros_like(gap)
    half = -0.5 * w_discriminator
    return Rule(
        discriminator=real - w_discriminator * fake,
        generator=w_generator * interpolation + (1 - w_generator) * reconstruction,
        terms=terms,
        by_discriminator=(1 + bend * fake, half, half - 0.5 * bend * fake),
        by_generator=(torch.zeros_like(real), 1 - w_generator - tilt, w_generator + tilt),
    )


def interpolations_rule(
    real: Float[Tensor, "*g"],
    interpolation: Float[Tensor, "*g"],
    *,
    slope: float | Float[Tensor, "*g"],
    attached: bool,
) -> Rule:
    """Only interpolations are fakes: L_D = L_x − w_D L_i, L_G = L_i; reconstructions are left to a pixel loss.

    Source: 2019 variant. The discriminator's weight and pace are those of :func:`published_rule` with L_f = L_i.
    """
    w_discriminator, bend = _discriminator_weight(real, interpolation, slope, attached)
    return Rule(
        discriminator=real - w_discriminator * interpolation,
        generator=interpolation,
        terms={"w_D": w_discriminator, "pace_discriminator": balance(real - interpolation, slope)},
        by_discriminator=(1 + bend * interpolation, -w_discriminator - 0.5 * bend * interpolation),
        by_generator=(torch.zeros_like(real), torch.ones_like(real)),
    )


def _discriminator_weight(
    real: Tensor, interpolation: Tensor, slope: float | Tensor, attached: bool
) -> tuple[Tensor, Tensor]:
    """w_D = clip(σ(½ L_i − L_x), 0, .9) and how fast it grows with ½ L_i − L_x: not at all where it is detached."""
    free = balance(0.5 * interpolation - real, slope)
    weight = free.clamp(0, 0.9)
    if not attached:
        return weight.detach(), torch.zeros_like(weight)
    return weight, slope * free * (1 - free) * (free <= 0.9)


def capped_rule(
    real: Float[Tensor, "*g"],
    reconstruction: Float[Tensor, "*g"],
    interpolation: Float[Tensor, "*g"],
    *,
    slope: float | Float[Tensor, "*g"],
) -> Rule:
    """The fake term is capped by the real term instead of weighed: L_D = L_x + L_g − clip(L_i, 0, L_x).

    The generator's is L_G = clip(L_i, 0, L_x), beside a pixel loss. The cap is a bound, not a target: no gradient
    flows through it.

    Source: 2019 variant. The pace is that of :func:`published_rule`.
    """
    capped = torch.minimum(interpolation, real.detach())
    pace = balance(real - 0.5 * (reconstruction + interpolation), slope)
    below = (interpolation < real).to(real.dtype)
    one, zero = torch.ones_like(real), torch.zeros_like(real)
    return Rule(
        discriminator=real + reconstruction - capped,
        generator=capped,
        terms={"pace_discriminator": pace},
        by_discriminator=(one, one, -below),
        by_generator=(zero, zero, below),
    )
