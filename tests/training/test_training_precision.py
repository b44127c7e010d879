"""PyTorch's switches of precision: thrown for a training, and put back. They can be set and read without a GPU."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from gaia_explore import losses
from gaia_explore.models import AEConfig
from gaia_explore.networks import FullyConnected
from gaia_explore.training import Precision, fit
from gaia_explore.training.player import Player
from gaia_explore.training.precision import products_in

CONFIG = AEConfig(network=FullyConnected(hidden_units=8, hidden_layers=1))
X = np.random.default_rng(0).random((32, 2), dtype=np.float32)
backends: Any = torch.backends
DEFAULT = ("none", "tf32", "tf32", "none")


def newer() -> tuple[str, ...]:
    """As PyTorch's kernels read them."""
    switches = (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn, backends.mkldnn.matmul)
    return tuple(switch.fp32_precision for switch in switches)


def older() -> tuple[Any, ...]:
    """As PyTorch's own Python still reads them; an error where they disagree with the newer ones."""
    return torch.get_float32_matmul_precision(), backends.cuda.matmul.allow_tf32, backends.cudnn.allow_tf32


def trained(precision: Precision) -> dict[str, torch.Tensor]:
    return fit(CONFIG, X, steps=3, batch_size=8, seed=0, progress=False, precision=precision)[0]


@pytest.fixture(autouse=True)
def defaults() -> Iterator[None]:
    """PyTorch's own settings, before and after a test that may change them."""

    def restore():
        torch.set_float32_matmul_precision("highest")
        backends.cudnn.allow_tf32 = True
        for switch, value in zip((backends.cuda.matmul, backends.mkldnn.matmul), ("none", "none"), strict=True):
            switch.fp32_precision = value

    restore()
    yield
    restore()


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> set[tuple[Any, ...]]:
    """What was set while steps were taken."""
    seen: set[tuple[Any, ...]] = set()
    step = Player.step

    def looking_step(self: Player, *args: Any):
        seen.add((newer(), older()))
        step(self, *args)

    monkeypatch.setattr(Player, "step", looking_step)
    return seen


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_a_training_rounds_products_only_where_it_is_told_to_and_leaves_the_switches_as_they_were(
    precision: Precision, inside: set[tuple[Any, ...]]
):
    assert newer() == DEFAULT and older() == ("highest", False, True)
    trained(precision)
    rounded, full = (("tf32",) * 3, ("high", True, True)), (("ieee",) * 3, ("highest", False, False))
    kind, switches = rounded if precision == "tf32" else full
    assert inside == {((*kind, "none"), switches)}
    assert newer() == DEFAULT and older() == ("highest", False, True)


def test_the_switches_are_put_back_after_an_error_too(monkeypatch: pytest.MonkeyPatch):
    def failing_step(*_: Any):
        raise MemoryError

    monkeypatch.setattr(Player, "step", failing_step)
    with pytest.raises(MemoryError):
        trained("tf32")
    assert newer() == DEFAULT and older() == ("highest", False, True)


def by_newer_switches():
    backends.cuda.matmul.fp32_precision = "tf32"
    backends.cudnn.conv.fp32_precision = "ieee"


def by_older_switches():
    torch.set_float32_matmul_precision("medium")
    backends.cudnn.allow_tf32 = False


@pytest.mark.parametrize(
    ("choose", "chosen"),
    [(by_newer_switches, ("tf32", "ieee", "tf32", "none")), (by_older_switches, ("tf32", "none", "none", "bf16"))],
)
def test_what_somebody_chose_is_overruled_in_a_training_and_there_again_afterwards(
    choose: Callable[[], None], chosen: tuple[str, ...], inside: set[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
):
    choose()
    # The older ones cannot be read where only the newer ones were chosen, nor where oneDNN was told to round.
    monkeypatch.setattr(f"{__name__}.older", lambda: None)
    assert newer() == chosen
    trained("fp32")
    assert {switches[:3] for switches, _ in inside} == {("ieee",) * 3}
    assert newer() == chosen
    monkeypatch.undo()
    if choose is by_older_switches:
        assert older() == ("medium", True, False)


@pytest.mark.parametrize("before", [False, True])
def test_algorithms_of_convolutions_are_tried_in_a_training_and_as_before_afterwards(
    before: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(backends.cudnn, "benchmark", before)
    with products_in("bf16"):
        assert backends.cudnn.benchmark
    assert backends.cudnn.benchmark == before
    with pytest.raises(MemoryError), products_in("fp32"):
        raise MemoryError
    assert backends.cudnn.benchmark == before


def test_on_the_cpu_tf32_is_fp32():
    rounded, full = trained("tf32"), trained("fp32")
    for name, tensor in full.items():
        assert torch.equal(rounded[name], tensor), name


class Products(TorchDispatchMode):
    """Writes down what types the factors of matrix products have."""

    def __init__(self):
        super().__init__()
        self.seen: set[torch.dtype] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
        if func.overloadpacket in (torch.ops.aten.mm, torch.ops.aten.bmm):
            self.seen.add(args[0].dtype)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(("precision", "wanted"), [("fp32", torch.float32), ("tf32", torch.float64)])
def test_distances_of_neighbours_keep_their_digits_in_tf32(precision: Precision, wanted: torch.dtype):
    x = torch.rand(6, 3, generator=torch.Generator().manual_seed(0))
    with products_in(precision), Products() as products:
        loss = losses.structure_loss(x, x[:, :2])
    assert products.seen == {wanted} and loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), losses.structure_loss(x.double(), x[:, :2].double()))
