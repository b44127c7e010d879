"""Margins and doubled sides against PyTorch's own; maps that stay as they lie in memory, and as precise as they are."""

import operator
from collections.abc import Callable

import jaxtyping
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from gaia_explore.models import GAIAConfig
from gaia_explore.networks import StyleContent, enlarging
from gaia_explore.networks.enlarging import Doubled, convolution, reflected

Reflecting = Callable[[Tensor, int], Tensor]
EAGER: Reflecting = enlarging._Copied.apply
COMPILED: Reflecting = enlarging._Gathered.apply
SMALL = StyleContent(filters=4, residual_blocks=1, style_dim=3)


def pictures(h: int, w: int, dtype: torch.dtype = torch.float64) -> Tensor:
    x = torch.randn(2, 3, h, w, generator=torch.Generator().manual_seed(h * w), dtype=dtype)
    return x.to(memory_format=torch.channels_last).requires_grad_()


def pytorchs(x: Tensor, margin: int) -> Tensor:
    return functional.pad(x, 4 * (margin,), mode="reflect")


@pytest.mark.parametrize("reflecting", [EAGER, COMPILED], ids=["eager", "compiled"])
@pytest.mark.parametrize(("h", "w", "margin"), [(4, 4, 1), (9, 4, 1), (6, 7, 2), (8, 12, 3)])
def test_as_on_gpus_a_margin_is_pytorchs_and_lies_as_channels_last(reflecting: Reflecting, h: int, w: int, margin: int):
    x = pictures(h, w)
    y, theirs = reflecting(x, margin), pytorchs(x, margin)
    assert torch.equal(y, theirs) and y.stride() == theirs.stride()
    above = torch.rand(y.shape, generator=torch.Generator().manual_seed(0), dtype=y.dtype)
    for gradient in (above, above.to(memory_format=torch.channels_last)):
        before = gradient.clone()
        (mine,) = torch.autograd.grad(y, x, gradient, retain_graph=True)
        torch.testing.assert_close(mine, torch.autograd.grad(theirs, x, gradient, retain_graph=True)[0])
        assert torch.equal(gradient, before)
        if reflecting is EAGER:
            assert mine.stride(1) == 1


def test_gradients_of_a_margins_gradients_are_those_of_finite_differences():
    assert torch.autograd.gradgradcheck(lambda x: EAGER(x, 1), pictures(4, 5))


@pytest.mark.parametrize(("h", "margin"), [(3, 1), (4, 2)])
def test_a_map_hardly_larger_than_its_margin_is_pytorchs(h: int, margin: int):
    with torch.device("meta"):
        y = reflected(torch.empty(2, 3, h, 9), margin)
    assert y.shape == (2, 3, h + 2 * margin, 9 + 2 * margin)


def test_on_any_device_what_lies_as_channels_last_does_so_with_its_margin():
    for device in ("cpu", "meta"):
        y = reflected(pictures(8, 8).detach().to(device), 2)
        assert y.shape == (2, 3, 12, 12) and y.is_contiguous(memory_format=torch.channels_last)


# torch.compile itself makes an instance.
@pytest.mark.filterwarnings("ignore:.*Function.*should not be instantiated:DeprecationWarning")
def test_a_compiler_is_given_gathers_in_one_graph():
    given: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, _: object) -> Callable[..., object]:
        given.append(graph)
        return graph.forward

    # Shapes are not checked: torch.compile's stand-ins for tensors are none to beartype.
    jaxtyping.config.update("jaxtyping_disable", True)
    try:
        x = pictures(8, 8).detach().to("meta").requires_grad_()
        y = torch.compile(reflected, backend=backend, fullgraph=True, dynamic=False)(x, 2)
        y.sum().backward()
    finally:
        jaxtyping.config.update("jaxtyping_disable", False)
        torch.compiler.reset()
    (graph,) = given
    parts = [part for part in graph.modules() if isinstance(part, torch.fx.GraphModule)]
    called = {str(node.target) for part in parts for node in part.graph.nodes}
    assert "abs" in called and not called & {"copy_", "add_", str(operator.setitem), str(functional.pad)}
    assert y.shape == (2, 3, 12, 12) and y.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (3, 1), (4, 2), (5, 1), (7, 1)])
def test_a_convolution_is_pytorchs_with_reflect_padding_and_has_its_weights(size: int, stride: int):
    mine = convolution(3, 5, size, stride=stride)
    with torch.no_grad():
        for i, p in enumerate(mine.parameters()):
            p.uniform_(-1, 1, generator=torch.Generator().manual_seed(i))
    margin = (size - 1) // 2
    theirs = nn.Conv2d(3, 5, size, stride=stride, padding=margin, padding_mode="reflect" if margin else "zeros")
    theirs.load_state_dict(mine.state_dict())
    x = pictures(8, 10, torch.float32)
    assert torch.equal(mine(x), theirs(x))


def test_a_networks_gradients_are_the_same_with_margins_as_on_gpus(monkeypatch: pytest.MonkeyPatch):
    generator = torch.Generator().manual_seed(0)
    model = GAIAConfig(network=SMALL, latent_dim=8).build((32, 36, 3), generator)
    parameters = [p for player in model.players().values() for p in player.parameters()]
    x = torch.rand(2, 32 * 36 * 3, generator=generator)

    def gradients() -> list[Tensor]:
        played = model.play(x, torch.Generator().manual_seed(1))
        loss = torch.stack([objective.loss for objective in played.objectives.values()]).sum()
        return list(torch.autograd.grad(loss, parameters, materialize_grads=True))

    usual = gradients()
    monkeypatch.setattr(enlarging, "reflected", EAGER)
    torch.testing.assert_close(gradients(), usual, rtol=1e-4, atol=1e-5)


def test_every_pixel_becomes_two_by_two():
    x = pictures(4, 5)
    y = Doubled()(x)
    assert torch.equal(y, x.repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert y.is_contiguous(memory_format=torch.channels_last)


def test_doubled_maps_stay_in_half_the_digits_where_autocast_would_not_leave_them_so():
    x = pictures(4, 4).detach().bfloat16()
    with torch.library._scoped_library("aten", "IMPL") as library:
        # As CUDA's autocast has it, and the CPU's has not.
        def upcast(x: Tensor, *rest: object) -> Tensor:
            with torch.autocast("cpu", enabled=False):
                return torch.ops.aten.upsample_nearest2d(x.float(), *rest)

        library.impl("upsample_nearest2d", upcast, "AutocastCPU")
        with torch.autocast("cpu", torch.bfloat16):
            assert functional.interpolate(x, scale_factor=2).dtype == torch.float32
            y = Doubled()(x)
            assert y.dtype == torch.bfloat16 and torch.is_autocast_enabled("cpu")
    assert y.is_contiguous(memory_format=torch.channels_last)
