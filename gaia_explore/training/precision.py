"""In what precision networks compute, and PyTorch's switches for it, thrown for the length of a training only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar

import torch

Precision = Literal["fp32", "tf32", "bf16"]
"""Full single precision; on GPUs that can, products of numbers rounded to TF32; mixed with bfloat16."""

Value = TypeVar("Value")


@contextmanager
def products_in(precision: Precision) -> Iterator[None]:
    """Single-precision matrix products and convolutions of GPUs in TF32, or in full, inside; as before outside.

    In full for ``"bf16"`` too: of what that leaves in single precision. PyTorch's own default is TF32 for cuDNN's
    convolutions, and full precision for matrix products. Inside, cuDNN also tries several algorithms for every new size
    and keeps the fastest: sizes hardly ever change in a training. CPUs do not look at these switches.
    """
    backends: Any = torch.backends
    own = (backends.cuda.matmul, backends.cudnn.conv, backends.cudnn.rnn)
    # set_float32_matmul_precision moves oneDNN's as well.
    switches = (*own, backends.mkldnn.matmul)
    before = [switch.fp32_precision for switch in switches]
    # Who has set the newer switches alone has left the older ones as PyTorch sets them.
    older = _read(torch.get_float32_matmul_precision, "highest"), _read(lambda: backends.cudnn.allow_tf32, True)
    tried = backends.cudnn.benchmark
    tf32 = precision == "tf32"
    try:
        # Not while a step is captured: those before it have the same sizes.
        backends.cudnn.benchmark = True
        # Both kinds: where they disagree, who reads the older ones gets an error (pytorch#166387, #179445), as
        # torch.compile and cudnn.flags do.
        backends.cuda.matmul.allow_tf32 = backends.cudnn.allow_tf32 = tf32
        for switch in own:
            switch.fp32_precision = "tf32" if tf32 else "ieee"
        yield
    finally:
        backends.cudnn.benchmark = tried
        torch.set_float32_matmul_precision(older[0])
        backends.cudnn.allow_tf32 = older[1]
        for switch, value in zip(switches, before, strict=True):
            switch.fp32_precision = value


def _read(switch: Callable[[], Value], left_alone: Value) -> Value:
    """An older switch, or what it is where the newer ones have been set instead: then it cannot be read."""
    try:
        return switch()
    except RuntimeError:
        return left_alone
