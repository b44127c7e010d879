"""Sets of stimuli: made, read, scaled to [0, 1] and split.

A `Stimuli` holds the stimuli as one array, a table of their attributes beside it, and the `Scaler` that leads back to
original units. Build one from your own numbers, draw one of the planar sets, or open the drawn faces:

>>> from gaia_explore.stimuli import Stimuli, moons
>>> train, held_out = moons(n=4096, seed=0).split(0.9)
>>> pictures = faces(size=32)  # doctest: +SKIP
>>> mine = Stimuli.from_csv("measurements.csv", attributes="species")  # doctest: +SKIP

Pictures come as a `Listing` of what lies on disk, from which they go into memory, or all into one file of bytes:

>>> from gaia_explore.stimuli import celeba, open_pack, orl, pack
>>> people = orl().stimuli(size=64)  # doctest: +SKIP
>>> many = pack(celeba("CelebA"), size=128, out="celeba128")  # doctest: +SKIP
>>> batch = many.take([3, 1, 4])  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gaia_explore.stimuli.drawn_faces import faces
from gaia_explore.stimuli.planar_sets import (
    PLANAR_SETS,
    aniso,
    blobs,
    circles,
    moons,
    planar,
    s_curve,
    swiss_roll,
    varied,
)
from gaia_explore.stimuli.scaling import Scaler
from gaia_explore.stimuli.stimuli import Stimuli

if TYPE_CHECKING:
    from gaia_explore.stimuli import pictures
    from gaia_explore.stimuli.packed import PackedStimuli, open_pack
    from gaia_explore.stimuli.packing import pack
    from gaia_explore.stimuli.pictures import (
        Listing,
        celeba,
        celeba_hq,
        fashion_mnist,
        gaia_hdf5,
        head_direction,
        idx,
        orl,
        picture_folder,
        progan_hdf5,
    )

# What reads pictures needs Pillow, and is loaded when it is first used.
_READERS = (
    "Listing",
    "celeba",
    "celeba_hq",
    "fashion_mnist",
    "gaia_hdf5",
    "head_direction",
    "idx",
    "orl",
    "picture_folder",
    "progan_hdf5",
)
_HOMES = {
    **dict.fromkeys(_READERS, "pictures"),
    **dict.fromkeys(("PackedStimuli", "open_pack"), "packed"),
    "pack": "packing",
}

__all__ = [
    "PLANAR_SETS",
    "Listing",
    "PackedStimuli",
    "Scaler",
    "Stimuli",
    "aniso",
    "blobs",
    "celeba",
    "celeba_hq",
    "circles",
    "faces",
    "fashion_mnist",
    "gaia_hdf5",
    "head_direction",
    "idx",
    "moons",
    "open_pack",
    "orl",
    "pack",
    "picture_folder",
    "pictures",
    "planar",
    "progan_hdf5",
    "s_curve",
    "swiss_roll",
    "varied",
]


def __getattr__(name: str) -> Any:
    if name == "pictures":
        return import_module("gaia_explore.stimuli.pictures")
    if name in _HOMES:
        return getattr(import_module(f"gaia_explore.stimuli.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'gaia_explore.stimuli' has no attribute {name!r}")
