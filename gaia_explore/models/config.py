"""What every model is built from."""

import math
from abc import abstractmethod
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch

from gaia_explore.networks import FullyConnected, Initialisation, Network, check_choice, check_range, check_whole

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
    scales: ClassVar[tuple[str, ...]] = ("averaging",)
    """Fields that only scale what a step computes: a model has each as a tensor, of one number or one a member."""
    free: ClassVar[tuple[str, ...]] = ("initialisation", "learning_rate")
    """Fields that no step of the model knows."""

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

    def program(self) -> dict[str, Any]:
        """What models must share to be trained as members of one: all that a step branches on.

        Fields of ``free`` are left out; of those of ``scales`` it says only which are in use, neither 0 nor infinite.
        """
        shared = {name: value for name, value in self.to_dict().items() if name not in self.scales + self.free}
        return shared | {"in use": [name for name in self.scales if 0 < getattr(self, name) < math.inf]}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; :func:`config_from_dict` is the inverse."""
        return {"model": self.name, **asdict(self), "network": self.network.to_dict()}
