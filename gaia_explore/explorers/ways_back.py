"""Both ways from a map back to stimuli, side by side: the mixtures that are shown live, and the embedding's own."""

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Shaped

from gaia_explore.embeddings import LinearEmbedding
from gaia_explore.explorers.maps import judged_by, realism_of
from gaia_explore.explorers.planes import Plane
from gaia_explore.explorers.sets import CodedStimuli
from gaia_explore.training import write_atomically

SIDE = 7
"""Places of the grid along its side. UMAP takes a second or two for all of them, and hardly less for one."""

FILES = ("grid.csv", "grid-nearest.png", "grid-inverse.png", "grid-nearest.npy", "grid-inverse.npy")


def export_ways_back(own: CodedStimuli, folder: Path, plane: Plane):
    """Decode a grid over a map by mixtures of the nearest codes and, in one batch, by the embedding's own inverse.

    ``grid-nearest`` and ``grid-inverse``, sheets as PNG where stimuli are pictures, else arrays; and ``grid.csv`` with
    a row a place and way: place on the map, realism, distance to the nearest stimulus, that stimulus, and code. Of a
    plane that leads back exactly there is nothing to compare, and what an earlier export wrote is removed.
    """
    if plane.flat or isinstance(plane.embedding, LinearEmbedding):
        for name in FILES:
            (folder / name).unlink(missing_ok=True)
        return
    places = plane.grid(SIDE)
    tables = []
    for way, codes in (("nearest", plane.lift(places)), ("inverse", plane.embedding.invert(places))):
        stimuli = own.decode(codes)
        own.write(folder, f"grid-{way}", _sheet(stimuli) if own.portraits.kind == "picture" else stimuli)
        distances, nearest = own.neighbours(codes)
        rows, columns = np.divmod(np.arange(len(places)), SIDE)
        about = {"way": way, "row": rows, "column": columns, "across": places[:, 0], "up": places[:, 1]}
        about[judged_by(own.codec)] = realism_of(own.codec, own.neighbours, codes, stimuli)
        about |= {"distance": distances, "nearest": nearest}
        tables.append(pd.DataFrame(about | {f"z{i + 1}": code for i, code in enumerate(codes.T)}))
    write_atomically(folder / "grid.csv", pd.concat(tables).to_csv(index=False).encode())


def _sheet(pictures: Shaped[np.ndarray, "n *x"]) -> Shaped[np.ndarray, "H W *c"]:
    """Pictures of a square grid, row by row, as one."""
    n, h, w, *c = pictures.shape
    side = round(n**0.5)
    return pictures.reshape(side, side, h, w, *c).swapaxes(1, 2).reshape(side * h, side * w, *c)
