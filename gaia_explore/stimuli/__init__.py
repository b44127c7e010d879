"""Sets of stimuli: made, read, scaled to [0, 1] and split.

A `Stimuli` holds the stimuli as one array, a table of their attributes beside it, and the `Scaler` that leads back to
original units. Build one from your own numbers, draw one of the planar sets, or open the drawn faces:

>>> from gaia_explore.stimuli import Stimuli, moons
>>> train, held_out = moons(n=4096, seed=0).split(0.9)
>>> pictures = faces(size=32)  # doctest: +SKIP
>>> mine = Stimuli.from_csv("measurements.csv", attributes="species")  # doctest: +SKIP
"""

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

__all__ = [
    "PLANAR_SETS",
    "Scaler",
    "Stimuli",
    "aniso",
    "blobs",
    "circles",
    "faces",
    "moons",
    "planar",
    "s_curve",
    "swiss_roll",
    "varied",
]
