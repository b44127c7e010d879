"""What every model is built from, and the checks of its fields."""

import math
from abc import abstractmethod
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch

from gaia_explore.networks import FullyConnectedAutoencoder, Initialisation

if TYPE_CHECKING:
    from gaia_explore.models.model import Model


@dataclass(frozen=True, kw_only=True)
class Config:
    """What every model is built from (abstract): network sizes, learning rate and its schedule.

    Parameters
    ----------
    latent_dim
        Number of latent dimensions.
    hidden_units, hidden_layers
        Width and number of the hidden layers of an encoder; a decoder has the same.
    initialisation
        ``"glorot"`` or ``"torch"``, see :class:`~gaia_explore.networks.FullyConnected`.
    learning_rate
        Adam's, before schedule and pace.
    schedule
        ``"constant"``, or ``"cosine"``: the learning rates fall to zero along half a cosine over the run.
    averaging
        Decay per step of the running average of the weights that the codec uses, in [0, 1); 0 uses the last weights.
    """

    latent_dim: int = 2
    hidden_units: int = 256
    hidden_layers: int = 3
    initialisation: Initialisation = "torch"
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    averaging: float = 0.0

    name: ClassVar[str]

    def __post_init__(self):
        for count in ("latent_dim", "hidden_units", "hidden_layers"):
            check_whole(count, getattr(self, count), minimum=1)
        check_choice("initialisation", self.initialisation, ("glorot", "torch"))
        check_choice("schedule", self.schedule, ("constant", "cosine"))
        check_range("learning_rate", self.learning_rate, 0, math.inf, open_low=True)
        check_range("averaging", self.averaging, 0, 1.0)

    @abstractmethod
    def build(self, n_dimensions: int, generator: torch.Generator) -> "Model":
        """A model for flattened stimuli of that length, its initial weights drawn from ``generator`` (on the CPU)."""

    def learning_rates(self) -> dict[str, float]:
        """Each player's learning rate."""
        return {"autoencoder": self.learning_rate}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; :func:`config_from_dict` is the inverse."""
        return {"model": self.name, **asdict(self)}


def autoencoder_of(
    config: Config, n_dimensions: int, generator: torch.Generator, *, latent_dim: int = 0, code_parameters: int = 1
) -> FullyConnectedAutoencoder:
    return FullyConnectedAutoencoder(
        n_dimensions,
        latent_dim or config.latent_dim,
        hidden_units=config.hidden_units,
        hidden_layers=config.hidden_layers,
        generator=generator,
        initialisation=config.initialisation,
        code_parameters=code_parameters,
    )


def check_whole(name: str, value: Any, *, minimum: int):
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")


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
