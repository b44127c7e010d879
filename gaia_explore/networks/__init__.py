"""Networks that know only shapes: what they compute, never what they are trained for.

A :class:`Network` is a description (frozen, of plain values) that builds autoencoders and discriminators for stimuli
of one shape. Networks take and give *flattened* stimuli, (b, p), so that losses need not know what is a picture.
"""

from dataclasses import fields
from typing import Any

from gaia_explore.networks.convolutional import Convolutional
from gaia_explore.networks.fully_connected import FullyConnected
from gaia_explore.networks.initialising import Initialisation, InitialWeights
from gaia_explore.networks.limits import check_choice, check_range, check_whole
from gaia_explore.networks.network import Autoencoder, Network
from gaia_explore.networks.style_content import StyleContent

__all__ = [
    "Autoencoder",
    "Convolutional",
    "FullyConnected",
    "InitialWeights",
    "Initialisation",
    "Network",
    "StyleContent",
    "check_choice",
    "check_range",
    "check_whole",
    "network_from_dict",
]


def network_from_dict(values: dict[str, Any]) -> Network:
    """The network that :meth:`Network.to_dict` wrote; unknown kinds and fields are errors."""
    kinds: dict[str, type[Network]] = {
        network.kind: network for network in (FullyConnected, Convolutional, StyleContent)
    }
    values = dict(values)
    kind = values.pop("kind", None)
    check_choice("network", kind, tuple(kinds))
    known = [field.name for field in fields(kinds[kind])]
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"a {kind} network has no field {name!r}; it has {', '.join(known)}")
        if isinstance(value, list):
            values[name] = tuple(value)
    return kinds[kind](**values)
