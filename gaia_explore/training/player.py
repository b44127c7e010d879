"""One player's parameters as one flat vector, and the Adam that moves it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn


@final
class Player:
    """A module whose parameters (and gradients) are views of one flat vector, stepped by one fused Adam.

    One vector instead of sixteen small tensors: an optimiser step, a running average, a check for NaN or a saved
    state is then one pass over memory.

    Parameters
    ----------
    module
        Its parameters are moved into the flat vector; they keep their names and shapes.
    learning_rate
        Adam's, before schedule and pace.
    averaging
        Decay per step of the running average of the weights; 0 keeps none.
    """

    def __init__(self, module: nn.Module, learning_rate: float, averaging: float = 0.0):
        parameters = list(module.parameters())
        self.module = module
        self.learning_rate = learning_rate
        self.averaging = averaging
        self.weights = nn.Parameter(torch.cat([p.detach().reshape(-1) for p in parameters]))
        self.gradient = torch.zeros_like(self.weights)
        self.weights.grad = self.gradient
        sizes = [p.numel() for p in parameters]
        for p, weight, grad in zip(parameters, self.weights.data.split(sizes), self.gradient.split(sizes), strict=True):
            p.data = weight.view(p.shape)
            p.grad = grad.view(p.shape)
        # A tensor as learning rate: the pace is set on the device, without waiting for it.
        self.rate = torch.tensor(learning_rate, device=self.weights.device)
        self.adam = torch.optim.Adam([self.weights], lr=self.rate, fused=True)
        self.adam.state[self.weights] = {
            "step": torch.zeros((), device=self.weights.device),
            "exp_avg": torch.zeros_like(self.gradient),
            "exp_avg_sq": torch.zeros_like(self.gradient),
        }
        self.average = self.weights.detach().clone() if averaging else None

    def step(self, pace: Float[Tensor, ""], schedule: float):
        """Move against the gradient at ``learning_rate`` × pace × schedule, and forget the gradient."""
        torch.mul(pace, self.learning_rate * schedule, out=self.rate)
        self.adam.step()
        self.gradient.zero_()
        if self.average is not None:
            # A young average forgets faster, so that the initial weights do not linger.
            age = self.adam.state[self.weights]["step"]
            self.average.lerp_(self.weights.detach(), 1 - ((1 + age) / (10 + age)).clamp(max=self.averaging))

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

    def state(self) -> dict[str, Tensor]:
        """Everything the next step depends on, by name: flat tensors, live (not copies)."""
        state = {"weights": self.weights.data, **self.adam.state[self.weights]}
        if self.average is not None:
            state["average"] = self.average
        return state

    def restore(self, state: dict[str, Tensor]):
        """Take back what :meth:`state` gave."""
        for name, tensor in self.state().items():
            tensor.copy_(state[name])
