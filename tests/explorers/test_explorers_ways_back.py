"""Exports of a map decoded in both ways: by mixtures of the nearest codes, and by the embedding's own inverse."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from gaia_explore.embeddings import UMAPEmbedding, back_project
from gaia_explore.explorers.latent_explorer import LatentExplorer
from gaia_explore.explorers.planes import Plane
from gaia_explore.explorers.umap_view import UMAPView
from gaia_explore.explorers.ways_back import SIDE
from gaia_explore.stimuli import Stimuli

CODES = [f"z{i + 1}" for i in range(4)]


class Rows:
    """Codes are pictures of 4 × 4 pixels with alike rows, or the first four numbers of what is no picture."""

    def __init__(self, shape: tuple[int, ...]):
        self.shape = shape

    def encode(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x, float).reshape(len(x), -1)[:, :4]

    def decode(self, z: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.asarray(z, np.float32)[:, None] if len(self.shape) == 2 else z, (len(z), *self.shape))


class Counting:
    """UMAP's object, whose inverse is made of the point and two halves; it counts the batches."""

    def __init__(self):
        self.batches: list[int] = []

    def inverse_transform(self, points: np.ndarray) -> np.ndarray:
        self.batches.append(len(points))
        return np.column_stack([points, np.full((len(points), 2), 0.5)])


def made(shape: tuple[int, ...]) -> tuple[Rows, Stimuli, np.ndarray, UMAPEmbedding]:
    codec = Rows(shape)
    z = np.random.default_rng(0).random((30, 4))
    z[:2] = [[0] * 4, [1] * 4]
    embedding = UMAPEmbedding(points=z[:, :2].copy(), reducer=Counting())
    return codec, Stimuli.from_array(codec.decode(z).astype(float)), z, embedding


def test_a_map_is_exported_as_both_ways_back_decode_it(tmp_path: Path):
    codec, stimuli, z, embedding = made((4, 4))
    UMAPView(codec, stimuli, embedding=embedding).export(tmp_path)
    table = pd.read_csv(tmp_path / "grid.csv").set_index("way")
    places = Plane(z, embedding, ("", "")).grid(SIDE)
    assert embedding.reducer.batches == [len(places)]  # one batch, however many places
    own = table.loc["inverse"]
    np.testing.assert_allclose(own[CODES], embedding.reducer.inverse_transform(places), atol=1e-6)
    np.testing.assert_allclose(own[["across", "up"]], places)
    np.testing.assert_allclose(table.loc["nearest", CODES], back_project(embedding, z, places), atol=1e-6)
    away = np.linalg.norm(own[CODES].to_numpy()[:, None] - z, axis=-1)
    np.testing.assert_allclose(own["distance"], away.min(axis=1), atol=1e-6)
    assert own["nearest"].tolist() == away.argmin(axis=1).tolist()
    sheet = np.asarray(Image.open(tmp_path / "grid-inverse.png"))
    row, column = own["row"].to_numpy(), own["column"].to_numpy()
    shown = sheet[4 * row[:, None], 4 * column[:, None] + np.arange(4), 0]
    np.testing.assert_allclose(shown / 255, np.clip(own[CODES], 0, 1), atol=1 / 255)
    assert np.asarray(Image.open(tmp_path / "grid-nearest.png")).shape == sheet.shape == (4 * SIDE, 4 * SIDE, 3)


def test_stimuli_that_are_no_pictures_are_exported_as_numbers(tmp_path: Path):
    codec, stimuli, _, embedding = made((4,))
    UMAPView(codec, stimuli, embedding=embedding).export(tmp_path)
    table = pd.read_csv(tmp_path / "grid.csv").set_index("way")
    for way in ("inverse", "nearest"):
        np.testing.assert_allclose(np.load(tmp_path / f"grid-{way}.npy"), table.loc[way, CODES], atol=1e-6)


@pytest.mark.parametrize("plane", ["PCA", "dimensions"])
def test_what_leads_back_exactly_has_nothing_to_compare(tmp_path: Path, plane: str):
    codec, stimuli, _, embedding = made((4, 4))
    explorer = LatentExplorer(codec, stimuli, plane="UMAP", embeddings={"UMAP": embedding})
    explorer.export(tmp_path)
    assert (tmp_path / "grid.csv").exists()
    explorer.change(plane=plane)
    explorer.export(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("grid*")) == []
