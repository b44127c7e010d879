"""What a run's history says about its health, in words."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, final

import numpy as np
from jaxtyping import Float

PINNED = 0.02
"""A pace closer than this to 0 or 1 …"""
PINNED_STEPS = 500
"""… on the mean of this many steps is pinned: a healthy discriminator's is .40–.49 (Sainburg et al. 2018)."""


@final
@dataclass(frozen=True)
class Health:
    """How a run is, and why.

    Parameters
    ----------
    status
        ``"healthy"``; ``"stopped"`` (before its last step, by the user or early); or ``"died"`` (its weights are of
        no use).
    reason
        One sentence.
    """

    status: Literal["healthy", "stopped", "died"]
    reason: str

    # Also what a notebook shows of ``run.health``.
    def __repr__(self) -> str:
        return f"{self.status}: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def loss_of_numbers(names: list[str], history: Float[np.ndarray, "s t"], last_step: int) -> str | None:
    """Which of the latest terms (a row a step, up to ``last_step``) first ceased to be finite, or None.

    There is no way back: the weights are lost.
    """
    lost = np.argwhere(~np.isfinite(history))
    if not len(lost):
        return None
    row, term = lost[0]
    step = last_step - len(history) + row + 1
    return f"{names[term]} is {history[row, term]} at step {step}: lower the learning rate"


def pinned_pace(names: list[str], history: Float[np.ndarray, "s t"]) -> str | None:
    """Which player ended frozen, its pace pinned at 0 or the other's at 1, or None.

    What remains is at best a plain autoencoder. It is judged at the end alone: early in a training a pace can be
    pinned for hundreds of steps, and come back.
    """
    if "pace_discriminator" not in names or len(history) < PINNED_STEPS:
        return None
    pace = history[-PINNED_STEPS:, names.index("pace_discriminator")].mean()
    if pace < PINNED:
        return (
            f"the discriminator won: its pace is pinned at {pace:.3f} over the last {PINNED_STEPS} steps, because it"
            " tells every fake and the generator no longer follows"
        )
    if pace > 1 - PINNED:
        return (
            f"the discriminator lost: its pace is pinned at {pace:.3f} over the last {PINNED_STEPS} steps, because it"
            " reproduces fakes better than data, and the generator stands still"
        )
    return None
