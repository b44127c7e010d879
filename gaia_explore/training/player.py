"""One player's parameters as one flat vector, and the Adam that moves it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gaia_explore.training.adam import Adam


@final
class Player:
    """A module whose parameters (and gradients) are views of one flat vector, stepped by one fused Adam.

    One vector instead of sixteen small tensors: an optimiser step, a running average, a check for NaN or a saved
    state is then one pass over memory. Of a module that is many members' (:func:`models.stack`) it is one row a
    member, and each member moves at its own pace.

    Parameters
    ----------
    module
        Its parameters are moved into the flat vector; they keep their names and shapes.
    learning_rate
        Adam's, before schedule and pace; one a member where the module has a member axis.
    averaging
        Decay per step of the running average of the weights; None keeps none.
    """

    def __init__(
        self,
        module: nn.Module,
        learning_rate: float | Float[Tensor, "*g"],
        averaging: float | Float[Tensor, "*g"] | None = None,
    ):
        parameters = list(module.parameters())
        # Doubles, so that rates are rounded once, alone as among many.
        rates = torch.as_tensor(learning_rate, dtype=torch.float64)
        n_axes = rates.ndim
        weights = torch.cat([p.detach().flatten(n_axes) for p in parameters], -1)
        self.module = module
        self.learning_rate = rates.to(weights.device)
        self.averaging = None if averaging is None else torch.as_tensor(averaging).to(weights)
        self.weights = nn.Parameter(weights)
        self.gradient = torch.zeros_like(weights)
        sizes = [p[(0,) * n_axes].numel() for p in parameters]
        rows = zip(parameters, weights.split(sizes, -1), self.gradient.split(sizes, -1), strict=True)
        self._parts: list[tuple[nn.Parameter, Tensor]] = []
        for p, weight, gradient in rows:
            p.data = weight.view(p.shape)
            self._parts.append((p, gradient.view(p.shape)))
        self.adam = Adam(weights, self.gradient, one_launch=n_axes > 0 and weights.device.type != "cpu")
        self.average = None if averaging is None else weights.clone()

    def collect(self) -> Float[Tensor, "*g n"]:
        """Put what the backward pass left with each parameter into :attr:`gradient`, and return that."""
        pieces = [piece for _, piece in self._parts]
        left = [p.grad if p.grad is not None else torch.zeros_like(p) for p, _ in self._parts]
        # One kernel for all; it has no public name.
        torch._foreach_copy_(pieces, left)  # pyright: ignore[reportPrivateImportUsage]
        self.forget()
        return self.gradient

    def forget(self):
        """Drop what the backward pass left."""
        # Autograd hands over what it has made: to add it to zeros would be two more passes over memory.
        for p, _ in self._parts:
            p.grad = None

    def step(self, pace: Float[Tensor, "*g"], schedule: float | Float[Tensor, ""]):
        """Move against :attr:`gradient` at ``learning_rate`` × pace × schedule."""
        torch.mul(pace, self.learning_rate * schedule, out=self.adam.rate)
        self.adam.step()
        if self.average is not None and self.averaging is not None:
            # A young average forgets faster, so that the initial weights do not linger.
            decay = ((1 + self.adam.age) / (10 + self.adam.age)).clamp(max=self.averaging)
            self.average.lerp_(self.weights.detach(), 1 - decay[..., None])

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The module with its averaged weights, where there are any, for the length of a ``with`` block."""
        if self.average is None:
            yield
            return
        last = self.weights.detach().clone()
        self.weights.data.copy_(self.average)
        try:
            yield
        finally:
            self.weights.data.copy_(last)

    def state(self, member: int | None = None) -> dict[str, Tensor]:
        """Everything the next step depends on, by name: live (not copies), flat tensors; of a member its own."""
        flat = {"weights": self.weights.data, "exp_avg": self.adam.exp_avg, "exp_avg_sq": self.adam.exp_avg_sq}
        if self.average is not None:
            flat["average"] = self.average
        own = flat if member is None else {name: tensor[member] for name, tensor in flat.items()}
        return {**own, "step": self.adam.age}

    def restore(self, state: dict[str, Tensor], member: int | None = None):
        """Take back what :meth:`state` gave."""
        for name, tensor in self.state(member).items():
            tensor.copy_(state[name])
        self.adam.age = state["step"]
