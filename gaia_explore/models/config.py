"""What every model is built from, and the checks of its fields."""

import math
from abc import abstractmethod
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch

from gaia_explore.networks import FullyConnected, Initialisation, Network, check_whole

if TYPE_CHECKING:
    from gaia_explore.models.model import Model


@dataclass(frozen=True, kw_only=True)
class Config:
    """What every model is built from (abstract): its network, learning rate and schedule.

    Parameters
    ----------
    latent_dim
        Number of latent dimensions.
    network
        Kind and sizes of the networks: :class:`~gaia_explore.networks.FullyConnected`, or for pictures
        :class:`~gaia_explore.networks.Convolutional` or :class:`~gaia_explore.networks.StyleContent`.
    initialisation
        How initial weights are drawn, ``"glorot"`` or ``"torch"``: see
        :class:`~gaia_explore.networks.InitialWeights`.
    learning_rate
        Adam's, before schedule and pace.
    schedule
        ``"constant"``, or ``"cosine"``: the learning rates fall to zero along half a cosine over the run.
    averaging
        Decay per step of the running average of the weights that the codec uses, in [0, 1); 0 uses the last weights.
    """

    latent_dim: int = 2
    network: Network = field(default_factory=FullyConnected)
    initialisation: Initialisation = "torch"
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    averaging: float = 0.0

    name: ClassVar[str]

    def __post_init__(self):
        check_whole("latent_dim", self.latent_dim, minimum=1)
        if not isinstance(self.network, Network):
            raise TypeError(f"network must be a FullyConnected, Convolutional or StyleContent, got {self.network!r}")
        check_choice("initialisation", self.initialisation, ("glorot", "torch"))
        check_choice("schedule", self.schedule, ("constant", "cosine"))
        check_range("learning_rate", self.learning_rate, 0, math.inf, open_low=True)
        check_range("averaging", self.averaging, 0, 1.0)

    @abstractmethod
    def build(self, shape: tuple[int, ...], generator: torch.Generator) -> "Model":
        """A model for stimuli of that shape, its initial weights drawn from ``generator`` (on the CPU)."""

    def learning_rates(self) -> dict[str, float]:
        """Each player's learning rate."""
        return {"autoencoder": self.learning_rate}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; :func:`config_from_dict` is the inverse."""
        return {"model": self.name, **asdict(self), "network": self.network.to_dict()}


def check_choice(name: str, value: Any, choices: tuple[str, ...]):
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def check_range(name: str, value: Any, low: int, high: float, *, open_low: bool = False):
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {value!r}")
    above = value > low if open_low else value >= low
    if not (above and (value < high or high == math.inf)):
        rule = f"above {low:g}" if open_low else f"at least {low:g}"
        raise ValueError(f"{name} must be {rule}{f' and below {high:g}' if high < math.inf else ''}, got {value}")
