"""Pages without a kernel: what is decoded beforehand for them, and that names in them are only names."""

import base64
import io
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gaia_explore.embeddings import UMAPEmbedding
from gaia_explore.explorers import (
    AttributeEditor,
    CompareExplorer,
    LatentExplorer,
    MorphExplorer,
    PlaneExplorer,
    UMAPView,
    WarpExplorer,
)
from gaia_explore.explorers.explorer import Explorer
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
    (page,) = json.loads(zlib.decompress(base64.b64decode(found[1])))
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
    assert (walk["controls"], walk["shape"]) == ({"map": "move"}, [21, 21])
    assert (walk["low"], walk["high"]) == ([left, bottom], [right, top])
    tiles = tiles_of(walk["sheets"]["decoded"][0])
    axes = np.linspace(left, right, 21), np.linspace(bottom, top, 21)
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    decoded = 255 * np.clip(Pictures().decode(places), 0, 1)
    # WebP is not exact.
    assert np.abs(tiles[..., 0].astype(float) - decoded).mean() < 4
    assert len(walk["plain"]["where"]) == 21 * 21
    # What is the same everywhere is kept once.
    assert set(walk["plain"]["where"][0]) == {"text"} and walk["plain"]["decoded"][0] == {}
    assert walk["plain"]["where"][0]["text"].startswith(f"Cursor at ({left:.3g}, {bottom:.3g}).")
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
    # Pictures are no raw numbers.
    assert page["sheets"]["decoded"]["shape"] == [1, 8, 8] and ("decoded", "rgba") not in arrays
    # Another selection has another mean and table, which nobody knows here.
    assert page["selecting"] == ["comparison", "map.selection", "mean"]


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
    assert evil in str(page_in(tmp_path / "page.html"))
    assert "http" not in re.sub(r"http-equiv", "", text)  # asks nobody for anything


def test_a_sheet_keeps_pictures_in_order_and_drawings_exactly():
    drawings = np.zeros((7, 5, 4, 4), np.uint8)
    drawings[..., 3] = np.arange(7)[:, None, None] * 20 + 50
    drawings[..., 0] = 200
    drawings[:, 0, 0] = 0
    described = sheet(drawings)
    assert described["shape"] == (7, 5, 4) and described["columns"] == 3
    np.testing.assert_array_equal(tiles_of(described), drawings)


def test_a_walk_has_a_value_for_each_place():
    walk = Walk(leaf="position", what="set", low=(0.0,), high=(1.0,), shape=(3,), parts=("morph",))
    assert list(walk.values()) == [0, 0.5, 1]
    plane = Walk(leaf="map", what="move", low=(0.0, 5.0), high=(1.0, 6.0), shape=(2, 2), parts=())
    assert [value["at"] for value in plane.values()] == [[0, 5], [0, 6], [1, 5], [1, 6]]


def test_pictures_that_are_fainter_as_a_whole_are_no_drawings():
    noise = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 4), dtype=np.uint8)
    noise[..., 3] = np.array([255, 153, 153, 255])[:, None, None]
    tiles = tiles_of(sheet(noise))
    np.testing.assert_array_equal(tiles[..., 3], noise[..., 3])
    drawings = noise.copy()
    drawings[0, 0, 0, 3] = 0
    assert len(sheet(noise)["file"]) < len(sheet(drawings)["file"]) / 2


def pictures(n: int = 40) -> Stimuli:
    z = np.random.default_rng(0).random((n, 2))
    z[:2] = [[0, 0], [1, 1]]
    attributes = {"left": z[:, 0], "right": z[:, 1], "hat": np.arange(n) % 2}
    return Stimuli.from_array(Pictures().decode(z), attributes=attributes)


def test_a_morph_is_walked_along_its_position_by_slider_playhead_strip_and_anchors(tmp_path: Path):
    own = MorphExplorer(Pictures(), pictures(), anchors=(0, 1, 5), n_steps=7)
    page = page_in(own.to_html(tmp_path / "page.html"))
    (walk,) = page["walks"]
    assert walk["controls"] == {"position": "set", "profile": "move"} and walk["gone"] == []
    # 7 places from step to step, the steps among them.
    assert (walk["low"], walk["high"], walk["shape"]) == ([0], [1], [43])
    assert walk["stops"]["strip"] == [[step / 6] for step in range(7)]
    assert walk["stops"]["anchors"] == [[step / 6] for step in own.continuum.anchors]
    morphs, mixed = (tiles_of(tiles) for tiles in walk["sheets"]["here"])
    decoded = 255 * np.clip(own.continuum.stimuli, 0, 1)
    assert np.abs(morphs[::7, ..., 0].astype(float) - decoded).mean() < 4
    assert np.abs(mixed[::7, ..., 0].astype(float) - 255 * np.clip(own.continuum.mixed, 0, 1)).mean() < 4
    # The strip is there once, and which step is chosen for each place.
    assert set(walk["sheets"]) == {"here"} and walk["plain"]["strip"][14] == {"chosen": 2}
    assert walk["plain"]["position"][7] == {"value": pytest.approx(1 / 6), "shown": "step 1.0"}
    assert page["sheets"]["strip"]["shape"] == [7, 8, 8]


def test_a_page_has_no_leaves_that_need_a_kernel_and_fitting_words(tmp_path: Path):
    page = page_in(MorphExplorer(Pictures(), pictures()).to_html(tmp_path / "page.html"))
    shown = {part["name"]: part["plain"] for part in page["parts"]}
    assert not {"suggestions", "about_suggestions", "row", "animation"} & set(shown)
    assert shown["about_anchors"]["text"] == "Anchors: click one to go there."
    assert {"kind", "spacing", "n_steps", "summary", "steps"} <= set(shown)


def test_each_free_slider_of_the_editor_is_walked_from_the_present_state(tmp_path: Path):
    own = AttributeEditor(Pictures(), pictures(), names=("left", "right", "hat"))
    own.change(strengths=(0.5, 0.0, 0.0), locked=("hat",))
    page = page_in(own.to_html(tmp_path / "page.html"))
    assert [walk["controls"] for walk in page["walks"]] == [{"strength0": "set"}, {"strength1": "set"}]
    first, second = page["walks"]
    assert (second["low"], second["high"], second["shape"], second["gone"]) == ([-3], [3], [13], [])
    assert second["plain"]["strength1"][-1] == {"value": 3, "shown": "+3.00 SD"}
    after, _difference = (tiles_of(tiles) for tiles in second["sheets"]["after"])
    own.strengths = {"right": 2.0}
    expected = 255 * np.clip(own.edited, 0, 1)
    assert np.abs(after[10, ..., 0].astype(float) - expected).mean() < 5
    assert len(first["plain"]["realism"]) == 13 and "preset" not in {part["name"] for part in page["parts"]}


def test_a_plane_is_walked_over_its_sheet_and_to_its_corners(tmp_path: Path):
    page = page_in(PlaneExplorer(Pictures(), pictures(), anchors=(0, 1, 5)).to_html(tmp_path / "page.html"))
    (walk,) = page["walks"]
    assert walk["controls"] == {"sheet": "move"} and walk["stops"] == {"corners": [[0, 0], [1, 0], [0, 1]]}
    assert walk["gone"] == [] and walk["sheets"]["here"][0]["shape"] == [441, 8, 8]
    assert page["sheets"]["sheet.tiles"]["shape"] == [49, 8, 8] and page["thumbnails"]["shape"] == [40, 8, 8]


def test_a_comparison_is_walked_along_its_position_with_all_models_and_scores(tmp_path: Path):
    own = CompareExplorer({"one": Pictures(), "two": Pictures()}, pictures(), anchors=(0, 1))
    page = page_in(own.to_html(tmp_path / "page.html"))
    (walk,) = page["walks"]
    assert walk["controls"] == {"position": "set", "along": "move"} and walk["gone"] == []
    assert len(walk["sheets"]["here"]) == 3
    own.change(position=0.25)
    assert walk["plain"]["scores"][10]["rows"] == own.contents()["scores"].plain["rows"]
    assert walk["plain"]["position"][10] == {"value": 0.25}


def test_what_is_not_known_elsewhere_is_taken_away_there(tmp_path: Path):
    points = np.random.default_rng(1).random((40, 2))
    own = UMAPView(Pictures(), pictures(), embedding=UMAPEmbedding(points=points, reducer=None))
    page = page_in(own.to_html(tmp_path / "page.html"))
    (walk,) = page["walks"]
    assert walk["controls"] == {"map": "move"} and walk["gone"] == ["map.neighbours", "near"]
    assert page["thumbnails"]["shape"] == [40, 8, 8] and page["selecting"] == ["comparison", "map.selection"]


def test_a_page_of_warps_shows_one_state(tmp_path: Path):
    page = page_in(WarpExplorer(Pictures(), pictures()).to_html(tmp_path / "page.html"))
    assert page["walks"] == [] and page["thumbnails"] is None


def test_where_stimuli_are_no_pictures_the_nearest_place_is_shown():
    class Same:
        def encode(self, x: np.ndarray) -> np.ndarray:
            return np.asarray(x, float)

        def decode(self, z: np.ndarray) -> np.ndarray:
            return np.asarray(z, np.float32)

    own = Stimuli.from_array(np.random.default_rng(0).random((20, 2)), attributes={"label": np.arange(20) % 2})

    def walked(one: Explorer[Any]) -> tuple[tuple[int, ...], bool]:
        (walk,) = one._walks(one.state)
        return walk.shape, walk.smooth

    assert walked(MorphExplorer(Same(), own)) == ((121,), False)
    assert walked(PlaneExplorer(Same(), own)) == ((33, 33), False)
    assert walked(AttributeEditor(Same(), own)) == ((121,), False)
    assert walked(CompareExplorer({"one": Same()}, own)) == ((101,), False)
