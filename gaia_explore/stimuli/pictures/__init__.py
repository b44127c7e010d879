"""Readers of pictures: each gives a `Listing`, whose pictures go into memory (`stimuli`) or into one file (`pack`)."""

from gaia_explore.stimuli.pictures.celeba import CELEBA_ATTRIBUTES, CELEBA_CROP, celeba, celeba_hq, head_direction
from gaia_explore.stimuli.pictures.finding import find
from gaia_explore.stimuli.pictures.folder import picture_folder
from gaia_explore.stimuli.pictures.hdf5 import gaia_hdf5, progan_hdf5
from gaia_explore.stimuli.pictures.idx import FASHION_ITEMS, fashion_mnist, idx
from gaia_explore.stimuli.pictures.listing import Listing
from gaia_explore.stimuli.pictures.orl import orl

__all__ = [
    "CELEBA_ATTRIBUTES",
    "CELEBA_CROP",
    "FASHION_ITEMS",
    "Listing",
    "celeba",
    "celeba_hq",
    "fashion_mnist",
    "find",
    "gaia_hdf5",
    "head_direction",
    "idx",
    "orl",
    "picture_folder",
    "progan_hdf5",
]
