"""Pages without a kernel: what is decoded beforehand for them, and that names in them are only names."""

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gaia_explore.explorers import LatentExplorer
from gaia_explore.explorers.pages import Walk, sheet
from gaia_explore.stimuli import Stimuli


class Pictures:
    """Pictures of 8 × 8 pixels, dark to light from left to right by the first code, as bright as the second."""

    def encode(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x, np.float32)[:, 0, [0, 7]]

    def decode(self, z: np.ndarray) -> np.ndarray:
        across = np.linspace(0, 1, 8, dtype=np.float32)
        rows = z[:, :1] * (1 - across) + z[:, 1:] * across
        return np.repeat(np.asarray(rows, np.float32)[:, None], 8, axis=1)


def explorer(n: int = 300, **attributes: Any) -> LatentExplorer:
    z = np.random.default_rng(0).random((n, 2))
    z[:2] = [[0, 0], [1, 1]]
    own = Stimuli.from_array(Pictures().decode(z), attributes=attributes or {"label": np.arange(n) % 2})
    return LatentExplorer(Pictures(), own)


def page_in(path: Path) -> dict[str, Any]:
    """What a page holds."""
    found = re.search(r'id="pages">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found is not None
    (page,) = json.loads(found[1])
    return page


def tiles_of(described: dict[str, Any]) -> np.ndarray:
    whole = np.asarray(Image.open(io.BytesIO(base64.b64decode(described["file"]))))
    n, height, width = described["shape"]
    grid = whole.reshape(-1, height, described["columns"], width, whole.shape[-1]).swapaxes(1, 2)
    return grid.reshape(-1, height, width, whole.shape[-1])[:n]


def test_the_plane_is_decoded_place_by_place(tmp_path: Path):
    own = explorer()
    page = page_in(own.to_html(tmp_path / "page.html"))
    (walk,) = page["walks"]
    left, right, bottom, top = own.plane.extent
    assert (walk["leaf"], walk["what"], walk["shape"]) == ("map", "move", [21, 21])
    assert (walk["low"], walk["high"]) == ([left, bottom], [right, top])
    tiles = tiles_of(walk["pictures"][0]["sheet"])
    axes = np.linspace(left, right, 21), np.linspace(bottom, top, 21)
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    decoded = 255 * np.clip(Pictures().decode(places), 0, 1)
    # WebP is not exact.
    assert np.abs(tiles[..., 0].astype(float) - decoded).mean() < 4
    assert len(walk["texts"]["where"]) == 21 * 21
    assert walk["texts"]["where"][0].startswith(f"Cursor at ({left:.3g}, {bottom:.3g}).")
    assert own.state == own._first  # looking ahead is no step


def test_a_page_holds_what_the_explorer_shows_and_thumbnails(tmp_path: Path):
    own = explorer()
    own.change(selection=(3, 5))
    page = page_in(own.to_html(tmp_path / "page.html"))
    shown = {part["name"]: part for part in page["parts"]}
    assert set(shown) == set(own.contents()) and page["label"] == repr(own)
    buffers = iter(page["buffers"])
    arrays = {(part["name"], a["name"]): (a, next(buffers)) for part in page["parts"] for a in part["arrays"]}
    about, buffer = arrays["map.selection", "rows"]
    assert about["dtype"] == "uint32" and np.frombuffer(base64.b64decode(buffer), "<u4").tolist() == [3, 5]
    about, buffer = arrays["map.realism", "values"]
    assert np.isfinite(np.frombuffer(base64.b64decode(buffer), "<f4")).all()  # whole, not its first piece
    assert page["thumbnails"]["shape"] == [300, 8, 8]


def shape_of(own: LatentExplorer) -> tuple[int, ...]:
    thumbnails = own._all_thumbnails()
    assert thumbnails is not None
    return thumbnails.shape


def test_thumbnails_are_as_many_as_a_page_may_carry(monkeypatch: pytest.MonkeyPatch):
    own = explorer(n=600)
    assert shape_of(own) == (600, 8, 8, 4)
    monkeypatch.setattr("gaia_explore.explorers.sets.MOST_PIXELS", 64 * 300)
    assert shape_of(own) == (300, 8, 8, 4)
    planar = Stimuli.from_array(np.random.default_rng(0).random((9, 2)))

    class Same:
        def encode(self, x: np.ndarray) -> np.ndarray:
            return x

        decode = encode

    assert LatentExplorer(Same(), planar)._all_thumbnails() is None


def test_names_end_no_script_and_begin_none(tmp_path: Path):
    evil = "</script><script>alert(1)</script>"
    z = np.random.default_rng(0).random((20, 2))
    own = Stimuli.from_array(Pictures().decode(z), attributes={evil: np.arange(20) % 2}, title=evil)
    text = LatentExplorer(Pictures(), own).to_html(tmp_path / "page.html").read_text()
    assert text.count("</script>") == 2 and "<script>alert" not in text
    assert evil in json.dumps(page_in(tmp_path / "page.html"))
    assert "http" not in re.sub(r"http-equiv", "", text)  # asks nobody for anything


def test_a_sheet_keeps_pictures_in_order_and_drawings_exactly():
    drawings = np.zeros((7, 5, 4, 4), np.uint8)
    drawings[..., 3] = np.arange(7)[:, None, None] * 20 + 50
    drawings[..., 0] = 200
    described = sheet(drawings)
    assert described["shape"] == (7, 5, 4) and described["columns"] == 3
    np.testing.assert_array_equal(tiles_of(described), drawings)


def test_a_walk_has_a_value_for_each_place():
    walk = Walk(leaf="position", what="set", low=(0.0,), high=(1.0,), shape=(3,), pictures=("morph",))
    assert list(walk.values()) == [0, 0.5, 1]
    plane = Walk(leaf="map", what="move", low=(0.0, 5.0), high=(1.0, 6.0), shape=(2, 2), pictures=())
    assert [value["at"] for value in plane.values()] == [[0, 5], [0, 6], [1, 5], [1, 6]]
