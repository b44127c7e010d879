"""Norms against PyTorch's own; and pictures that stay as they lie in memory, through whole networks and back."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from gaia_explore.models import GAIAConfig
from gaia_explore.networks import Convolutional, Network, StyleContent, enlarging, normalising
from gaia_explore.networks.normalising import LayerNorm, normalised

ON_A_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


def drawn(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=dtype)


def pictures(dtype: torch.dtype = torch.float32) -> Tensor:
    return (drawn(3, 4, 5, 6, dtype=dtype) + 2).to(memory_format=torch.channels_last)


def test_without_scale_and_shift_it_is_pytorchs_instance_norm():
    x = pictures()
    y = normalised(x, torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1))
    torch.testing.assert_close(y, functional.instance_norm(x))
    assert y.stride() == x.stride()


def test_a_scale_and_a_shift_for_each_filter_of_each_picture():
    x, scale, shift = pictures(), drawn(3, 4, 1, 1), drawn(3, 4, 1, 1)
    torch.testing.assert_close(normalised(x, scale, shift), scale * functional.instance_norm(x) + shift)


def test_over_all_filters_it_is_pytorchs_group_norm_of_one_group():
    norm, x = LayerNorm(4), pictures()
    torch.testing.assert_close(norm(x), functional.group_norm(x, 1))
    with torch.no_grad():
        norm.weight.copy_(drawn(4))
        norm.bias.copy_(drawn(4))
    torch.testing.assert_close(norm(x), functional.group_norm(x, 1, norm.weight, norm.bias))


@pytest.mark.parametrize("across_filters", [False, True])
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 4, 1, 1), (3, 4, 1, 1)])
def test_its_gradients_are_those_of_finite_differences(across_filters: bool, shape: tuple[int, ...]):
    scale, shift = (drawn(*shape, dtype=torch.float64).requires_grad_() for _ in range(2))
    x = pictures(torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda *a: normalised(*a, across_filters=across_filters), (x, scale, shift))


def test_in_half_the_digits_statistics_keep_all_of_theirs():
    x = (0.1 * drawn(2, 3, 16, 16) + 10).bfloat16().requires_grad_()
    scale, shift = drawn(2, 3, 1, 1).bfloat16(), drawn(2, 3, 1, 1).bfloat16()
    exact = scale.float() * functional.instance_norm(x.detach().float()) + shift.float()
    with torch.autocast("cpu", torch.bfloat16):
        y = normalised(x, scale, shift)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), exact, rtol=1e-2, atol=1e-2)
    y.sum().backward()
    assert x.grad is not None and x.grad.dtype == torch.bfloat16


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("across_filters", [False, True])
def test_as_on_gpus_it_is_the_same_to_the_last_bit(
    dtype: torch.dtype, across_filters: bool, monkeypatch: pytest.MonkeyPatch
):
    x, scale, shift = pictures(dtype), drawn(3, 4, 1, 1, dtype=dtype), drawn(3, 4, 1, 1, dtype=dtype)
    usual = normalised(x, scale, shift, across_filters=across_filters)
    monkeypatch.setattr(normalising, "_place", torch.empty_like)
    y = normalised(x, scale, shift, across_filters=across_filters)
    assert torch.equal(y, usual) and y.stride() == x.stride()


@pytest.mark.parametrize("mean", [0.0, 3.0, 100.0])
@pytest.mark.parametrize("across_filters", [False, True])
def test_as_on_gpus_differences_in_half_the_digits_cost_less_than_a_rounding_more(
    mean: float, across_filters: bool, monkeypatch: pytest.MonkeyPatch
):
    x = (drawn(2, 8, 16, 16) + mean).bfloat16()
    rows = x.double().flatten(1 if across_filters else 2)
    exact = functional.layer_norm(rows, rows.shape[-1:])
    exact = 2 * exact.view(x.shape) + 0.5
    scale, shift = torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1, 1), 0.5)
    monkeypatch.setattr(normalising, "_place", torch.empty_like)
    y = normalised(x, scale, shift, across_filters=across_filters)
    assert y.dtype == torch.bfloat16
    # Of one rounding it is at most 2⁻⁹, and about .0017 in the mean.
    error = (y.double() - exact).square().mean().sqrt() / exact.square().mean().sqrt()
    assert error < 0.003


class Precise(TorchDispatchMode):
    """Notes operations that make maps of that shape in single precision."""

    def __init__(self, shape: torch.Size):
        super().__init__()
        self.shape = shape
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
        found = func(*args, **(kwargs or {}))
        if isinstance(found, Tensor) and found.shape == self.shape and found.dtype == torch.float32:
            self.seen.append(str(func))
        return found


def test_off_cpus_no_map_in_half_the_digits_becomes_one_in_all():
    x = pictures().detach().bfloat16().to("meta").requires_grad_()
    scale = torch.ones(3, 4, 1, 1, device="meta")
    with Precise(x.shape) as precise:
        normalised(x, scale, scale).sum().backward()
        assert precise.seen == []
        x.float()
    assert len(precise.seen) == 1


def test_operations_can_be_counted_where_nothing_is_computed():
    with torch.device("meta"):
        x, scale = torch.empty(3, 4, 5, 6, requires_grad=True), torch.empty(3, 4, 1, 1)
        normalised(x, scale, scale).sum().backward()
    assert x.grad is not None and x.grad.shape == x.shape


class Layouts(TorchDispatchMode):
    """Notes convolutions, forward and backward, of which a picture does not lie as channels_last does."""

    def __init__(self):
        super().__init__()
        self.seen = 0
        self.other: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
        found = func(*args, **(kwargs or {}))
        maps: list[Tensor] = []
        if func is torch.ops.aten.convolution.default:
            maps = [args[0], found]
        elif func is torch.ops.aten.convolution_backward.default:
            maps = [m for m in (args[0], args[1], found[0]) if m is not None]
        if maps:
            self.seen += 1
            # Of a single place it does not matter how it lies.
            lies = [m.is_contiguous(memory_format=torch.channels_last) or m[0, 0].numel() == 1 for m in maps]
            if not all(lies):
                self.other.append(f"{func} {lies} {[tuple(m.shape) for m in maps]}")
        return found


@pytest.mark.parametrize(
    ("network", "latent_dim"),
    [(Convolutional(filters=(4, 8), hidden_units=8), 4), (StyleContent(filters=4, residual_blocks=1, style_dim=3), 8)],
    ids=["convolutional", "style–content"],
)
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("where", ["cpu", "cpu, as on GPUs", pytest.param("cuda", marks=ON_A_GPU)])
def test_pictures_and_maps_lie_as_channels_last_at_every_convolution(
    network: Network, latent_dim: int, precision: torch.dtype, where: str, monkeypatch: pytest.MonkeyPatch
):
    if where == "cpu, as on GPUs":
        monkeypatch.setattr(enlarging, "reflected", enlarging._Copied.apply)
        monkeypatch.setattr(normalising, "_place", torch.empty_like)
    device = where.split(",")[0]
    model = GAIAConfig(network=network, latent_dim=latent_dim).build((32, 32, 3), torch.Generator().manual_seed(0))
    for player in model.players().values():
        player.to(device)
    generator = torch.Generator(device).manual_seed(1)
    x = torch.rand(4, 32 * 32 * 3, generator=generator, device=device)
    with Layouts() as layouts:
        with torch.autocast(device, precision, enabled=precision != torch.float32):
            played = model.play(x, generator)
        torch.stack([objective.loss for objective in played.objectives.values()]).sum().backward()
    assert layouts.seen >= 16 and layouts.other == []
