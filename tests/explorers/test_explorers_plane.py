"""The PlaneExplorer without a page: its sheet, cursor, anchors, picture and export."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

import gaia_explore as ge
from gaia_explore.explorers import PlaneExplorer, PlaneState
from gaia_explore.explorers.plane_frames import GAP, outline, weights_of
from gaia_explore.explorers.planes import far_apart
from gaia_explore.explorers.surfaces import Reply
from gaia_explore.stimuli import Stimuli

CORNERS = [[0, 0], [1, 0], [0, 1]]


class Shift:
    """Codes are stimuli in other units."""

    decoded = 0

    def encode(self, x: np.ndarray) -> np.ndarray:
        return 2 * np.asarray(x, float).reshape(len(x), -1) - 1

    def decode(self, z: np.ndarray) -> np.ndarray:
        self.decoded += len(z)
        return (np.asarray(z, np.float32) + 1) / 2


class Judging(Shift):
    """Finds realistic what is dark."""

    fingerprint = "dark"

    def realism(self, x: np.ndarray) -> np.ndarray:
        return np.abs(x).reshape(len(x), -1).mean(axis=1)


class Pictures:
    """Pictures of 4 × 4 pixels whose rows are alike."""

    def encode(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x, float).reshape(len(x), -1)[:, :4]

    def decode(self, z: np.ndarray) -> np.ndarray:
        return np.repeat(np.asarray(z, np.float32)[:, None], 4, axis=1)


def stimuli(n: int = 40, d: int = 5) -> Stimuli:
    x = np.random.default_rng(0).random((n, d))
    x[:2] = [[0] * d, [1] * d]
    return Stimuli.from_array(x, attributes={"label": np.arange(n) % 3, "size": x[:, 0]})


def pictures(n: int = 30) -> Stimuli:
    return Stimuli.from_array(np.repeat(np.random.default_rng(0).random((n, 1, 4)), 4, axis=1))


def tell(explorer: PlaneExplorer, name: str, what: str = "set", value: Any = None, **more: Any) -> Reply:
    return explorer.answer({"type": "event", "name": name, "what": what, "value": value, **more})


@pytest.mark.parametrize(("side", "beyond"), [(5, 0), (7, 1), (13, 5), (8, 2)])
def test_the_sheet_decodes_mixtures_of_three_codes_with_the_anchors_among_them(side: int, beyond: int):
    explorer = ge.PlaneExplorer(Judging(), stimuli(), anchors=(4, 9, 2), side=side, beyond=beyond)
    sheet, z = explorer.sheet, explorer._set.z
    assert len(sheet.places) == side**2 and sheet.side == side
    np.testing.assert_allclose(sheet.weights.sum(axis=1), 1)
    np.testing.assert_allclose(sheet.codes, sheet.weights @ z[[4, 9, 2]], atol=1e-6)
    np.testing.assert_allclose(sheet.stimuli, (sheet.codes + 1) / 2, atol=1e-6)
    np.testing.assert_allclose(sheet.realism, np.abs(sheet.stimuli).mean(axis=1), rtol=1e-6)
    distances = cdist(sheet.codes, z)
    np.testing.assert_array_equal(sheet.nearest, distances.argmin(axis=1))
    np.testing.assert_allclose(sheet.distance, distances.min(axis=1), atol=1e-6)
    for corner, row in zip(CORNERS, (4, 9, 2), strict=True):
        tile = np.abs(sheet.places - corner).sum(axis=1).argmin()
        np.testing.assert_allclose(sheet.codes[tile], z[row], atol=1e-6)
    steps = side - 2 * beyond
    assert sheet.inside.sum() == steps * (steps + 1) / 2  # a triangle's number, its edges included
    rows, columns = sheet.places.reshape(side, side, 2)[:, 0, 1], sheet.places.reshape(side, side, 2)[0, :, 0]
    assert (np.diff(rows) < 0).all() and (np.diff(columns) > 0).all()  # from the top left


def test_what_lies_beyond_the_triangle_is_fainter_and_outlined():
    explorer = PlaneExplorer(Pictures(), pictures(), anchors=(3, 8, 1), side=5, beyond=1)
    contents, sheet = explorer.contents(), explorer.sheet
    tiles = contents["sheet.tiles"]
    np.testing.assert_array_equal(tiles.arrays["rgba"][..., :3], explorer._set.portraits(sheet.stimuli)[..., :3])
    assert set(tiles.arrays["rgba"][sheet.inside, ..., 3].ravel()) == {255}
    assert set(tiles.arrays["rgba"][~sheet.inside, ..., 3].ravel()) == {153}
    np.testing.assert_allclose(tiles.arrays["xy"], sheet.places, atol=1e-6)
    left, right, bottom, top = contents["sheet"].plain["extent"]
    half = tiles.plain["size"] / 2
    assert left == bottom < sheet.places.min() - half and right == top > sheet.places.max() + half
    # Three tiles from corner to corner have six of them inside, and a staircase of twelve sides around these.
    segments = outline(PlaneState(side=5, beyond=1))
    assert len(segments) == 12 and np.linalg.norm(segments[:, :2] - segments[:, 2:], axis=1) == pytest.approx(0.5)
    ends, counts = np.unique(segments.reshape(-1, 2).round(9), axis=0, return_counts=True)
    assert (counts == 2).all() and len(ends) == 12  # closed


def test_borders_are_realism_from_nothing_to_the_largest_or_the_usual():
    explorer = PlaneExplorer(Judging(), stimuli(), anchors=(4, 9, 2))
    sheet, tiles = explorer.sheet, explorer.contents()["sheet.tiles"]
    legend, borders = tiles.plain["legend"], tiles.plain["borders"]
    assert legend["name"] == "borders: discriminator's error" and legend["low"] == 0
    assert legend["high"] == pytest.approx(max(sheet.realism.max(), explorer.usual))
    assert len(borders) == 49 and borders[sheet.realism.argmin()] != borders[sheet.realism.argmax()]
    within = sheet.realism <= explorer.usual
    assert explorer.contents()["summary"].plain["text"] == (
        f"{within[sheet.inside].sum()} of 15 tiles in the triangle and {within[~sheet.inside].sum()} of 34 beyond it "
        f"have a discriminator's error of at most {explorer.usual:.3g}, as 95% of the stimuli have."
    )
    plain = PlaneExplorer(Shift(), stimuli(), anchors=(4, 9, 2))
    np.testing.assert_array_equal(plain.sheet.realism, plain.sheet.distance)
    assert plain.sheet.realism_by == "distance to the nearest code"


def test_the_cursor_decodes_alone_and_tells_weights_and_the_nearest_data():
    codec = Shift()
    explorer = PlaneExplorer(codec, stimuli(), anchors=(4, 9, 2))
    explorer.answer({"type": "open"})
    before = codec.decoded
    reply = tell(explorer, "sheet", "move", {"handle": 0, "at": [0.5, 0.25]})
    assert codec.decoded == before + 1
    assert set(reply.parts) == {"here", "where", "sheet.handles"}
    np.testing.assert_allclose(explorer.weights, [0.25, 0.5, 0.25])
    code = explorer.weights @ explorer._set.z[[4, 9, 2]]
    np.testing.assert_allclose(explorer.frame.code, code, atol=1e-6)
    np.testing.assert_allclose(explorer.frame.stimulus, (code + 1) / 2, atol=1e-6)
    distances = cdist([code], explorer._set.z)[0]
    assert explorer.frame.nearest == distances.argmin()
    assert explorer.frame.distance == pytest.approx(distances.min(), abs=1e-6)
    words = reply.parts["where"].plain["text"]
    assert words.startswith(
        "0.25 of stimulus 4 + 0.50 of stimulus 9 + 0.25 of stimulus 2: inside the triangle. Nearest code: stimulus "
    )
    np.testing.assert_allclose(reply.parts["sheet.handles"].arrays["xy"][0], [0.5, 0.25])
    tell(explorer, "sheet", "move", {"handle": 0, "at": [9.0, -0.1]})
    assert explorer.state.cursor == pytest.approx((1 + 1.55 / 4, -0.1))  # no further than the sheet
    assert explorer.frame.text.startswith(
        "-0.29 of stimulus 4 + 1.39 of stimulus 9 - 0.10 of stimulus 2: extrapolated beyond the triangle."
    )
    tell(explorer, "corners", "click", 2)
    np.testing.assert_allclose(explorer.frame.code, explorer._set.z[2], atol=1e-6)


def test_an_anchor_dragged_over_the_map_becomes_the_stimulus_nearest_there():
    explorer = PlaneExplorer(Shift(), stimuli(), anchors=(4, 9, 2, 30))
    contents = explorer.contents()
    grips = contents["map.handles"]
    assert grips.plain == {"labels": ["1", "2", "3"], "free": [0, 1, 2], "moves": -1}
    points = explorer.map.points
    np.testing.assert_allclose(grips.arrays["xy"], points[[4, 9, 2]], atol=1e-6)
    reply = tell(explorer, "map", "move", {"handle": 1, "at": points[17].tolist()}, gesture="a")
    assert explorer.anchors == (4, 17, 2) and explorer.state.anchors == (4, 17, 2, 30)
    np.testing.assert_allclose(reply.parts["map.triangle"].arrays["xy"], points[[4, 17, 2]], atol=1e-6)
    assert {"sheet.tiles", "here", "corners", "second"} <= set(reply.parts)
    tell(explorer, "map", "move", {"handle": 1, "at": points[30].tolist()}, gesture="a")
    assert explorer.state.anchors == (4, 30, 2)
    tell(explorer, "map", "move", {"handle": 1, "at": points[4].tolist()}, gesture="a")
    assert explorer.anchors[1] == np.delete(cdist(points[4:5], points)[0].argsort(), 0)[0]  # 4 is a corner itself
    explorer.undo()
    assert explorer.state.anchors == (4, 9, 2, 30)  # a drag is one step


def test_anchors_are_entered_exchanged_and_put_in_another_order():
    explorer = PlaneExplorer(Shift(), stimuli(), anchors=(4, 9, 2))
    tell(explorer, "third", value=7)
    assert explorer.anchors == (4, 9, 7)
    tell(explorer, "first", value=7)
    assert explorer.anchors == (7, 9, 4)
    tell(explorer, "corners", "order", {"from": 2, "to": 0})
    assert explorer.anchors == (4, 7, 9)
    assert explorer.contents()["corners"].plain["captions"] == ["1: 4", "2: 7", "3: 9"]
    with pytest.raises(ValueError, match=r"a plane has 3 anchors: drag one on the map, or enter another row"):
        tell(explorer, "corners", "remove", 0)
    with pytest.raises(ValueError, match=r"anchors must name rows of the 40 stimuli, got 4 to 40"):
        tell(explorer, "second", value=40)
    assert explorer.anchors == (4, 7, 9)


def test_missing_anchors_are_stimuli_far_apart_and_leave_the_state_alone():
    explorer = PlaneExplorer(Shift(), stimuli())
    assert explorer.state.anchors == () and explorer.anchors == far_apart(explorer.z)
    explorer.change(anchors=(7,))
    assert explorer.state.anchors == (7,) and explorer.anchors == (7, *far_apart(explorer.z)[:2])
    with pytest.raises(ValueError, match=r"stimuli must be at least 3, got 2"):
        PlaneExplorer(Shift(), stimuli(2))


def test_three_stimuli_on_a_line_span_a_sheet_too():
    x = np.linspace(0, 1, 9)[:, None] * [1.0, 0.5, 0.2]
    explorer = PlaneExplorer(Shift(), Stimuli.from_array(x), anchors=(0, 8, 4))
    assert np.isfinite(explorer.sheet.stimuli).all() and explorer.picture().ndim == 3


def test_fewer_tiles_leave_room_for_three_from_anchor_to_anchor():
    explorer = PlaneExplorer(Shift(), stimuli(), side=13, beyond=5)
    reply = tell(explorer, "side", value=7)
    assert explorer.state.beyond == 2 and reply.parts["beyond"].plain == {"value": 2, "low": 0, "high": 2}
    assert {"sheet", "sheet.tiles", "sheet.outline"} <= set(reply.parts) and "here" not in reply.parts
    tell(explorer, "beyond", value=0)
    assert explorer.sheet.places.min() == 0 and explorer.sheet.places.max() == 1
    everywhere = PlaneExplorer(Shift(), stimuli(), side=5, beyond=0).contents()["summary"].plain["text"]
    assert "15 tiles in the triangle and" in everywhere and "of 10 beyond it" in everywhere


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"side": 4}, r"side must be a whole number from 5 to 13, got 4"),
        ({"side": 14}, r"side must be a whole number from 5 to 13, got 14"),
        ({"beyond": 3}, r"beyond must be a whole number from 0 to 2 for 7 tiles along a side, got 3"),
        ({"beyond": -1}, r"beyond must be a whole number from 0 to 2 for 7 tiles along a side, got -1"),
        ({"cursor": (1.0,)}, r"cursor must be two finite numbers, got \(1.0,\)"),
        ({"cursor": (1.0, np.inf)}, r"cursor must be two finite numbers, got \(1.0, inf\)"),
        ({"colour": "age"}, r"colour must be among label, size, none, got 'age'"),
        ({"anchors": (-1, 2, 3)}, r"anchors must name rows of the 40 stimuli, got -1 to 3"),
    ],
)
def test_a_state_that_cannot_be_is_named(changes: dict[str, Any], message: str):
    explorer = PlaneExplorer(Shift(), stimuli())
    before = explorer.state
    with pytest.raises(ValueError, match=message):
        explorer.change(**changes)
    assert explorer.state == before


def test_planar_stimuli_have_a_sheet_and_the_latent_space_itself_as_map():
    explorer = PlaneExplorer(Shift(), stimuli(d=2), anchors=(4, 9, 2))
    assert explorer.map.axes == ("z1", "z2")
    np.testing.assert_allclose(explorer.map.points, explorer._set.z)
    tiles = explorer.contents()["sheet.tiles"].arrays["rgba"]
    assert len(tiles) == 49 and tiles.shape[1] < 120  # no more pixels than are shown
    sheet = explorer.answer({"type": "thumbnails", "sheet": 0}).parts[""].arrays["rgba"]
    assert len(sheet) == 40
    by_label = explorer.contents()["map.points"].arrays["numbers"]
    tell(explorer, "colour", value="size")
    assert (explorer.contents()["map.points"].arrays["numbers"] != by_label).any()


def test_an_export_has_the_sheet_every_tile_and_a_table_that_makes_them_anew(tmp_path: Path):
    explorer = PlaneExplorer(Pictures(), pictures(), anchors=(3, 8, 1), side=7, out=tmp_path / "out")
    explorer.export()
    (tmp_path / "out" / "tile-r9-c9.png").write_bytes(b"of somebody else")
    explorer.change(side=5)
    told = explorer.answer({"type": "export"}).plain["text"]
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert written.pop("tile-r9-c9.png") == b"of somebody else"
    tiles = {f"tile-r{r}-c{c}.png" for r in range(1, 6) for c in range(1, 6)}
    assert set(written) == tiles | {"sheet.png", "cursor.png", "plane.csv", "explorer.png", "state.json"}
    assert told == f"{len(written)} files written to {tmp_path / 'out'}: 25 tiles, and plane.csv about them"
    explorer.export()
    assert all((tmp_path / "out" / name).read_bytes() == content for name, content in written.items())
    table = pd.read_csv(tmp_path / "out" / "plane.csv", index_col="tile")
    weights = table[["weight1", "weight2", "weight3"]].to_numpy()
    np.testing.assert_allclose(weights, weights_of(explorer.sheet.places))
    codes = table[["z1", "z2", "z3", "z4"]].to_numpy()
    np.testing.assert_allclose(codes, weights @ explorer._set.z[[3, 8, 1]], atol=1e-6)
    np.testing.assert_array_equal(table["extrapolated"], ~explorer.sheet.inside)
    np.testing.assert_allclose(table["distance"], cdist(codes, explorer._set.z).min(axis=1), atol=1e-6)
    from PIL import Image

    again = explorer._set.portraits(Pictures().decode(codes))[..., :3]
    for file, expected in zip(table["file"], again, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out" / file)), expected)
    whole = np.asarray(Image.open(tmp_path / "out" / "sheet.png"))
    assert whole.shape == (5 * (4 + GAP) + GAP, 5 * (4 + GAP) + GAP, 3)
    np.testing.assert_array_equal(whole[GAP : GAP + 4, -GAP - 4 : -GAP], again[4])
    assert (whole[:GAP] == 255).all()


def test_an_export_of_numbers_has_them_in_one_array(tmp_path: Path):
    explorer = PlaneExplorer(Judging(), stimuli(), anchors=(4, 9, 2), side=5)
    folder = explorer.export(tmp_path / "out")
    np.testing.assert_array_equal(np.load(folder / "tiles.npy"), explorer.sheet.stimuli)
    np.testing.assert_array_equal(np.load(folder / "cursor.npy"), explorer.frame.stimulus)
    table = pd.read_csv(folder / "plane.csv")
    assert set(table["file"]) == {"tiles.npy"} and set(table["model"]) == {"dark"}
    np.testing.assert_allclose(table["discriminator's error"], explorer.sheet.realism)
    explorer.export(tmp_path / "out")  # over the first


def test_a_page_that_opens_gets_everything_and_the_still_draws_it():
    explorer = PlaneExplorer(Pictures(), pictures(), anchors=(3, 8, 1))
    opened = explorer.answer({"type": "open"})
    assert set(opened.parts) == set(explorer.contents()) and opened.plain["label"] == repr(explorer)
    assert repr(explorer) == "PlaneExplorer('stimuli', anchors=(3, 8, 1), side=7)"
    shown = explorer.contents()["corners"].arrays["rgba"]
    np.testing.assert_array_equal(shown, explorer._set.portraits(explorer.stimuli.x[[3, 8, 1]]))
    before = explorer.picture()
    explorer.change(cursor=(1.0, 0.0))
    assert (explorer.picture()[:, : before.shape[1] // 3] != before[:, : before.shape[1] // 3]).any()
    again = PlaneExplorer(Pictures(), pictures())
    again.state_json = explorer.state_json
    assert again.state == explorer.state


def test_training_on_changes_nothing_in_the_explorer():
    run = ge.train(ge.AEConfig(), ge.stimuli.moons(n=64), steps=2, batch_size=8, progress=False)
    explorer = PlaneExplorer(run.codec, ge.stimuli.moons(n=64))
    before = explorer.sheet.stimuli
    for parameter in run.codec.model.parameters():
        parameter.mul_(2)
    explorer._laid.cache_clear()
    np.testing.assert_array_equal(explorer.sheet.stimuli, before)
