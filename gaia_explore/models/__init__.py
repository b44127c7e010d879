"""AE, VAE and GAIA: networks and losses joined as named players of one game.

A model says who plays (:meth:`Model.players`: modules with disjoint parameters) and what each player wants
(:meth:`Model.play`: from one forward pass). One loop trains them all; adding a model is adding its config and its
class here.
"""

from dataclasses import fields
from typing import Any

from gaia_explore.models.ae import AE, AEConfig
from gaia_explore.models.chance import Chance, Share, draw, over_all
from gaia_explore.models.config import Config
from gaia_explore.models.gaia import GAIA, Crossing, GAIAConfig
from gaia_explore.models.model import Model, Objective, Round, stack
from gaia_explore.models.vae import VAE, VAEConfig
from gaia_explore.networks import check_choice, network_from_dict

__all__ = [
    "AE",
    "GAIA",
    "VAE",
    "AEConfig",
    "Chance",
    "Config",
    "Crossing",
    "GAIAConfig",
    "Model",
    "Objective",
    "Round",
    "Share",
    "VAEConfig",
    "config_from_dict",
    "draw",
    "over_all",
    "stack",
]


def config_from_dict(values: dict[str, Any]) -> Config:
    """The config that :meth:`Config.to_dict` wrote; unknown models and fields are errors."""
    configs: dict[str, type[Config]] = {config.name: config for config in (AEConfig, VAEConfig, GAIAConfig)}
    values = dict(values)
    model = values.pop("model", None)
    check_choice("model", model, tuple(configs))
    config = configs[model]
    known = [field.name for field in fields(config)]
    for name in values:
        if name not in known:
            raise ValueError(f"{model} has no field {name!r}; it has {', '.join(known)}")
    for field in fields(config):
        # JSON's 1 is a number like 1.0.
        if isinstance(field.default, float) and type(values.get(field.name)) is int:
            values[field.name] = float(values[field.name])
    if "network" in values:
        values["network"] = network_from_dict(values["network"])
    return config(**values)
