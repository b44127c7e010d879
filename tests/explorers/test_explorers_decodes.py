"""How often explorers ask the model: a slow one is felt at every move."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from gaia_explore.embeddings import UMAPEmbedding
from gaia_explore.explorers import AttributeEditor, CompareExplorer, LatentExplorer, MorphExplorer, UMAPView
from gaia_explore.explorers.explorer import Explorer
from gaia_explore.stimuli import Stimuli

X = np.random.default_rng(0).random((40, 3))


class Counting:
    """Codes are stimuli; it counts what it decodes."""

    def __init__(self):
        self.asked = 0

    def encode(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x, float)

    def decode(self, z: np.ndarray) -> np.ndarray:
        self.asked += 1
        return np.asarray(z, np.float32)

    def realism(self, x: np.ndarray) -> np.ndarray:
        return x.mean(axis=1)


class Plain:
    def inverse_transform(self, points: np.ndarray) -> np.ndarray:
        return np.column_stack([points, np.full(len(points), 0.5)])


def umap_view(codec: Counting, stimuli: Stimuli) -> UMAPView:
    return UMAPView(codec, stimuli, embedding=UMAPEmbedding(points=X[:, :2].copy(), reducer=Plain()))


@pytest.mark.parametrize(
    "make, name, what, value",
    [
        (LatentExplorer, "map", "move", {"handle": 0, "at": [0.3, 0.4]}),
        (umap_view, "map", "move", {"handle": 0, "at": [0.3, 0.4]}),
        (AttributeEditor, "strength0", "set", 1.5),
        (MorphExplorer, "position", "set", 0.3),
        (lambda codec, stimuli: CompareExplorer({"AE": codec}, stimuli), "position", "set", 0.3),
    ],
)
def test_a_move_asks_the_model_once(
    make: Callable[[Counting, Stimuli], Explorer[Any]], name: str, what: str, value: Any
):
    codec = Counting()
    explorer = make(codec, Stimuli.from_array(X, attributes={"size": X[:, 0], "label": np.arange(40) % 2}))
    explorer.answer({"type": "open"})
    before, codec.asked = explorer.state, 0
    explorer.answer({"type": "event", "name": name, "what": what, "value": value})
    assert explorer.state != before
    assert codec.asked == 1
