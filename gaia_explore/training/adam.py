"""Adam on flat weights: of one model, or a row a member with a learning rate each."""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn


@final
class Adam:
    """PyTorch's fused Adam, which knows one learning rate a tensor, for many members with a learning rate each.

    Parameters
    ----------
    weights, gradient
        What moves, and against what; both stay where they are.
    one_launch
        Whether all members move in one pass over memory, as a GPU likes it, and a second gives each its learning rate;
        or one after another, each to the last bit as it would alone.
    """

    def __init__(self, weights: Float[Tensor, "*g n"], gradient: Float[Tensor, "*g n"], *, one_launch: bool):
        self.exp_avg, self.exp_avg_sq = torch.zeros_like(weights), torch.zeros_like(weights)
        # A tensor as learning rate: it is set on the device, without waiting for it.
        self.rate = torch.zeros(weights.shape[:-1], device=weights.device)
        self._weights = weights
        on_gpu = weights.device.type == "cuda"
        self._moves = torch.zeros_like(weights) if one_launch else None
        if self._moves is not None:
            self._ages = torch.zeros(1, device=weights.device)
            parts = [(self._moves, gradient, self.exp_avg, self.exp_avg_sq)]
            # At a rate and a decay of 1 AdamW forgets its parameter, and leaves there Adam's move at rate 1.
            groups = [{"params": [nn.Parameter(self._moves)]}]
            self._adam = torch.optim.AdamW(groups, lr=1.0, weight_decay=1.0, fused=True, capturable=on_gpu)
        else:
            n = weights.shape[-1]
            self._ages = torch.zeros(self.rate.numel(), device=weights.device)
            flat = (weights, gradient, self.exp_avg, self.exp_avg_sq)
            parts = list(zip(*(tensor.view(-1, n).unbind() for tensor in flat), strict=True))
            rates = self.rate.view(-1).unbind()
            groups = [{"params": [nn.Parameter(part[0])], "lr": lr} for part, lr in zip(parts, rates, strict=True)]
            self._adam = torch.optim.Adam(groups, fused=True, capturable=on_gpu)
        for group, part, age in zip(self._adam.param_groups, parts, self._ages.unbind(), strict=True):
            (parameter,) = group["params"]
            parameter.grad = part[1]
            self._adam.state[parameter] = {"step": age, "exp_avg": part[2], "exp_avg_sq": part[3]}

    @property
    def age(self) -> Float[Tensor, ""]:
        """Steps taken so far, by all members."""
        return self._ages[0]

    @age.setter
    def age(self, steps: Tensor):
        self._ages.copy_(steps)

    def step(self):
        """Move every member at its ``rate``."""
        self._adam.step()
        if self._moves is not None:
            self._weights.addcmul_(self._moves, self.rate[..., None])
