"""The LatentExplorer without a page: its states, frames, parts, picture and export."""

import gc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

import gaia_explore as ge
from gaia_explore.embeddings import UMAPEmbedding
from gaia_explore.explorers import planes, surfaces
from gaia_explore.explorers.explorer import GUARD
from gaia_explore.explorers.latent_explorer import LatentExplorer
from gaia_explore.explorers.latent_frames import LatentState, comparison
from gaia_explore.explorers.surfaces import Reply
from gaia_explore.stimuli import Stimuli


class Shift:
    """Codes are stimuli in other units."""

    def encode(self, x: np.ndarray) -> np.ndarray:
        return 2 * np.asarray(x, float).reshape(len(x), -1) - 1

    def decode(self, z: np.ndarray) -> np.ndarray:
        return (np.asarray(z, np.float32) + 1) / 2


class Judging(Shift):
    """Finds realistic what is dark."""

    def realism(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), -1).mean(axis=1)


class Pictures:
    """Pictures of 4 × 4 pixels whose rows are alike."""

    def encode(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x, float).reshape(len(x), -1)[:, :4]

    def decode(self, z: np.ndarray) -> np.ndarray:
        return np.repeat(np.asarray(z, np.float32)[:, None], 4, axis=1)


def stimuli(n: int = 40, d: int = 2, **attributes: Any) -> Stimuli:
    x = np.random.default_rng(0).random((n, d))
    x[:2] = [[0] * d, [1] * d]
    return Stimuli.from_array(x, attributes=attributes or {"label": np.arange(n) % 3, "size": x[:, 0]})


def pictures() -> Stimuli:
    x = np.repeat(np.random.default_rng(0).random((30, 1, 4)), 4, axis=1)
    return Stimuli.from_array(x, attributes={"label": np.arange(30) % 2})


def tell(explorer: LatentExplorer, name: str, what: str = "set", value: Any = None, **more: Any) -> Reply:
    """What the page gets where something happens in it."""
    return explorer.answer({"type": "event", "name": name, "what": what, "value": value, **more})


def move(explorer: LatentExplorer, *place: float) -> Reply:
    return tell(explorer, "map", "move", {"handle": 0, "at": list(place)})


def test_the_stimulus_at_the_cursor_is_the_decoded_code_and_its_nearest_data_are_told():
    explorer = LatentExplorer(Shift(), stimuli())
    explorer.state = LatentState(plane="dimensions", cursor=(0.5, -0.5), colour="label")
    frame = explorer.frame
    np.testing.assert_allclose(frame.code, [0.5, -0.5])
    np.testing.assert_allclose(frame.stimulus, [0.75, 0.25])
    distances = cdist([[0.5, -0.5]], explorer.z)[0]
    assert frame.nearest == distances.argmin() and frame.distance == pytest.approx(distances.min())
    assert frame.realism == ("distance to the nearest code", pytest.approx(distances.min()))
    assert f"Nearest code: stimulus {frame.nearest}" in frame.text and "Discriminator" not in frame.text


def test_a_codec_that_judges_says_how_realistic_the_stimulus_is():
    explorer = LatentExplorer(Judging(), stimuli())
    move(explorer, 0.5, -0.5)
    assert explorer.frame.realism == ("discriminator's error", pytest.approx(0.5))
    assert explorer.frame.text.endswith("Discriminator's error 0.5.")
    realism = explorer.realism_map()
    decoded = (explorer.plane.grid(len(realism)) + 1) / 2
    np.testing.assert_allclose(realism.ravel(), decoded.mean(axis=1), rtol=1e-5)
    assert realism[0, -1] == realism.max() and realism[-1, 0] == realism.min()  # up is up


def test_without_a_judge_the_map_is_the_distance_to_the_data():
    explorer = LatentExplorer(Shift(), stimuli())
    expected = cdist(explorer.plane.grid(64), explorer.z).min(axis=1)
    np.testing.assert_allclose(explorer.realism_map().ravel(), expected)


class Unsure(Judging):
    """Knows nothing of what is bright."""

    def realism(self, x: np.ndarray) -> np.ndarray:
        realism = super().realism(x)
        return np.where(realism > 0.9, np.nan, realism)


def test_a_judge_that_does_not_know_is_asked_once():
    explorer = LatentExplorer(Unsure(), stimuli())
    pieces = [explorer.answer({"type": "late", "name": "map.realism"}).parts["map.realism"] for _ in range(4)]
    assert [piece.more for piece in pieces] == [True, True, True, False]
    realism = explorer.realism_map()
    decoded = ((explorer.plane.grid(64) + 1) / 2).mean(axis=1)
    np.testing.assert_allclose(realism.ravel(), np.where(decoded > 0.9, np.nan, decoded), rtol=1e-5)
    assert np.isnan(realism).any() and explorer.picture().ndim == 3


class Dead(Shift):
    """Uses one of its two latent dimensions."""

    def encode(self, x: np.ndarray) -> np.ndarray:
        return super().encode(x) * [1, 0]


def test_codes_on_a_line_have_a_map_without_a_hull():
    explorer = LatentExplorer(Dead(), stimuli())
    explorer.change(layers=("hull", "realism"))
    assert explorer.contents()["map.hull"].arrays["xy"].shape == (0, 2)
    assert explorer.picture().shape[0] > 460


def test_attributes_of_a_selection_are_compared_in_standard_deviations():
    table = pd.DataFrame(
        {
            "size": [0.0, 0.0, 4.0, 4.0],
            "kind": ["a", "b", "b", "b"],
            "same": 1,
            "gone": [None] * 4,
            "old": [1, np.nan, 0, 0],
        }
    )
    got = comparison(table, (1, 2, 3))
    assert list(got.index) == ["size", "kind = b", "same", "old"]
    np.testing.assert_allclose(got.loc["size"], [8 / 3, 2, 1 / 3])
    np.testing.assert_allclose(got.loc["kind = b", ["selected", "all"]].astype(float), [1, 0.75])
    assert np.isnan(got.loc["same", "difference"])
    np.testing.assert_allclose(got.loc["old", ["selected", "all"]].astype(float), [0, 1 / 3])
    assert comparison(table, ()).empty


def test_an_embedding_of_ones_own_is_a_plane_whose_points_decode_to_mixtures_of_codes():
    codec, own = Shift(), stimuli(d=5)
    z = codec.encode(own.x)
    umap = UMAPEmbedding(points=z[:, :2] ** 3, reducer=None)
    explorer = LatentExplorer(codec, own, plane="UMAP", embeddings={"UMAP": umap, "mine": umap})
    assert explorer.planes[-1] == "mine" and explorer.plane.axes[0] == "UMAP, first axis"
    np.testing.assert_allclose(explorer.plane.lift(umap.points), z, rtol=1e-6)
    assert explorer.frame.distance == pytest.approx(0, abs=1e-6)


def test_umap_is_made_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(planes, "umap", lambda z, **asked: UMAPEmbedding(points=z[:, :2] ** 3, reducer=None))
    explorer = LatentExplorer(Shift(), stimuli(n=60, d=3), plane="UMAP")
    np.testing.assert_array_equal(explorer.plane.points, explorer.z[:, :2] ** 3)
    assert explorer.frame.distance == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("d", [2, 5])
def test_explorers_of_numbers_draw_them_and_export_them(tmp_path: Path, d: int):
    explorer = LatentExplorer(Shift(), stimuli(d=d), colour="none")
    explorer.change(layers=())
    bare = explorer.picture()
    explorer.change(layers=("hull", "density", "realism"), colour="size")
    shown = explorer.picture()
    assert shown.shape[0] > bare.shape[0]  # legends
    assert (shown[60:400] != bare[60:400]).any()
    folder = explorer.export(tmp_path)
    np.testing.assert_allclose(np.load(folder / "cursor.npy"), explorer.frame.stimulus)
    assert not (folder / "selection.csv").exists()
    assert repr(explorer).startswith("LatentExplorer('stimuli', n=40, latent_dim=")


def test_without_attributes_points_are_grey():
    explorer = LatentExplorer(Shift(), Stimuli.from_array(stimuli().x))
    assert explorer.state.colour == "none"


def test_training_a_model_on_changes_nothing_in_its_explorer():
    run = ge.train(ge.AEConfig(), ge.stimuli.moons(n=64), steps=2, batch_size=8, progress=False)
    explorer = LatentExplorer(run.codec, ge.stimuli.moons(n=64))
    before = explorer.frame.stimulus.copy()
    for parameter in run.codec.model.parameters():
        parameter.mul_(2)
    np.testing.assert_array_equal(explorer.frame.stimulus, before)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"plane": "cube"}, r"plane must be one of PCA, UMAP, dimensions, stimuli, got 'cube'"),
        ({"colour": "age"}, r"colour must be among label, size, none, got 'age'"),
        ({"cursor": (1.0,)}, r"cursor must be two finite numbers, got \(1.0,\)"),
        ({"cursor": (1.0, np.inf)}, r"cursor must be two finite numbers, got \(1.0, inf\)"),
        ({"dimensions": (0, 5)}, r"dimensions must be two different ones from 0 to 4, got \(0, 5\)"),
        ({"dimensions": (1, 1)}, r"dimensions must be two different ones from 0 to 4, got \(1, 1\)"),
        ({"layers": ("sea",)}, r"layers must be some of realism, density, hull, got \('sea',\)"),
        ({"selection": (3, 40)}, r"selection must name rows of the 40 stimuli, got 3 to 40"),
        ({"anchors": (-1, 2, 3)}, r"anchors must name rows of the 40 stimuli, got -1 to 3"),
    ],
)
def test_a_state_that_cannot_be_is_named(changes: dict[str, Any], message: str):
    explorer = LatentExplorer(Shift(), stimuli(d=5))
    before = explorer.state
    with pytest.raises(ValueError, match=message):
        explorer.change(**changes)
    assert explorer.state == before


def test_the_map_comes_in_pieces_that_make_it_whole():
    explorer = LatentExplorer(Judging(), stimuli())
    opened = explorer.answer({"type": "open"})
    assert opened.plain["late"] == ["map.realism"] and "map.realism" not in opened.parts
    pieces = [explorer.answer({"type": "late", "name": "map.realism"}).parts["map.realism"]]
    while pieces[-1].more:
        pieces.append(explorer.answer({"type": "late", "name": "map.realism"}).parts["map.realism"])
    assert len(pieces) == 64 * 64 / 1024 and np.isnan(pieces[0].arrays["values"]).sum() == 3 * 1024
    np.testing.assert_allclose(pieces[-1].arrays["values"], explorer.realism_map(), rtol=1e-6)
    assert pieces[0].plain == {"what": "discriminator's error"}


def test_a_page_that_opens_gets_everything_and_later_only_what_changed():
    explorer = LatentExplorer(Shift(), stimuli())
    opened = explorer.answer({"type": "open"})
    layers = {"map", "map.points", "map.selection", "map.handles", "map.density", "map.hull"}
    assert set(opened.parts) == layers | {"colour", "layers", "decoded", "where", "comparison"}
    assert opened.plain["layout"]["kind"] == "row" and opened.plain["label"] == repr(explorer)
    np.testing.assert_allclose(opened.parts["map.points"].arrays["xy"], explorer.z, atol=1e-6)
    assert set(move(explorer, 0, 0).parts) == {"decoded", "where", "map.handles"}
    assert explorer.state.cursor == (0, 0)
    assert set(tell(explorer, "colour", value="size").parts) == {"colour", "map.points"}
    fewer = tell(explorer, "layers", value=["hull"])
    assert set(fewer.parts) == {"layers"} and set(fewer.plain["gone"]) == {"map.density", "map.realism"}
    assert explorer.state.layers == ("hull",) and explorer.state.colour == "size"


def test_a_selection_gives_rows_in_python_a_mean_and_a_table():
    explorer = LatentExplorer(Shift(), stimuli())
    request = {"type": "event", "name": "map", "what": "select"}
    reply = explorer.answer(request, [np.array([5, 3, 5], "<u4").tobytes()])
    assert explorer.selection == (3, 5)
    assert reply.parts["map.selection"].arrays["rows"].tolist() == [3, 5]
    mean = explorer.contents()["mean"]
    assert mean.plain["captions"] == ["mean of 2 selected"]
    expected = explorer.stimuli.x[[3, 5]].mean(axis=0)
    np.testing.assert_array_equal(mean.arrays["rgba"], explorer._set.portraits(expected[None]))
    assert [row[0] for row in reply.parts["comparison"].plain["rows"]] == ["size", "label"]
    sizes = explorer.stimuli.attributes["size"][[3, 5]]
    assert explorer.comparison.loc["size", "selected"] == pytest.approx(sizes.mean())
    assert explorer.answer({"type": "undo", "steps": 1}).plain["gone"] == ["mean"]
    assert explorer.selection == ()


def test_anchors_are_picked_dropped_and_put_in_places():
    explorer = LatentExplorer(Shift(), stimuli())
    move(explorer, *explorer.z[9])
    for value in ({"row": 4}, {"row": 7}, {}):
        reply = tell(explorer, "map", "pick", value)
    assert explorer.state.anchors == (4, 7, 9)
    handles = reply.parts["map.handles"]
    assert handles.plain == {"labels": ["", "1", "2", "3"], "moves": 0}
    np.testing.assert_allclose(handles.arrays["xy"][1:], explorer.z[[4, 7, 9]], atol=1e-6)
    np.testing.assert_allclose(reply.parts["map.path"].arrays["xy"], explorer.z[[4, 7, 9]], atol=1e-6)
    tell(explorer, "map", "pick", {"row": 7})
    assert explorer.state.anchors == (4, 9)
    tell(explorer, "map", "pick", {"row": 11, "place": 0})
    assert explorer.state.anchors == (11, 9)
    tell(explorer, "map", "pick", {"place": 0})  # 9 has a place already
    assert explorer.state.anchors == (11, 9)


def test_three_anchors_span_the_plane_of_stimuli_and_fewer_leave_it_to_those_far_apart():
    explorer = LatentExplorer(Shift(), stimuli(d=5), plane="stimuli")
    assert explorer.plane.axes[0].startswith("from stimulus")
    explorer.change(anchors=(4, 9, 2, 30))
    assert explorer.plane.axes == ("from stimulus 4 to 9", "towards stimulus 2")
    np.testing.assert_allclose(explorer.plane.lift(explorer.plane.points[[4, 9, 2]]), explorer.z[[4, 9, 2]], atol=1e-9)


def test_the_cursor_stays_with_its_stimulus_when_the_plane_changes():
    explorer = LatentExplorer(Shift(), stimuli(d=5))
    assert explorer.planes == ("PCA", "UMAP", "dimensions", "stimuli") and explorer.state.plane == "PCA"
    explorer.state = LatentState(plane="PCA", cursor=tuple(explorer.plane.points[7].tolist()))
    assert explorer.frame.nearest == 7
    tell(explorer, "plane", value="dimensions")
    tell(explorer, "across", value=3)
    reply = tell(explorer, "up", value=5)
    np.testing.assert_allclose(explorer.state.cursor, explorer.z[7, [2, 4]])
    assert reply.parts["map"].plain["axes"] == ("z3", "z5")
    assert reply.parts["up"].plain == {"value": 5, "low": 1, "high": 5}
    explorer.undo(3)
    assert explorer.state.plane == "PCA" and explorer.frame.nearest == 7


def test_explorers_of_pictures_send_thumbnails_and_export_what_is_shown(tmp_path: Path):
    explorer = LatentExplorer(Pictures(), pictures(), out=tmp_path / "out")
    sheet = explorer.answer({"type": "thumbnails", "sheet": 0}).parts[""].arrays["rgba"]
    np.testing.assert_array_equal(sheet, explorer._set.portraits(explorer.stimuli.x))
    plain = explorer.picture()
    explorer.change(selection=(1, 2))
    assert explorer.picture().shape != plain.shape
    told = explorer.answer({"type": "export"})
    assert told.plain["text"] == f"Written to {tmp_path / 'out'}"
    names = {"state.json", "explorer.png", "cursor.csv", "cursor.png", "selection.csv", "mean.png"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    before = {name: (tmp_path / "out" / name).read_bytes() for name in names}
    explorer.export()
    assert before == {name: (tmp_path / "out" / name).read_bytes() for name in names}
    table = pd.read_csv(tmp_path / "out" / "selection.csv", index_col="stimulus")
    assert list(table.index) == [1, 2] and list(table.columns) == ["label", "z1", "z2", "z3", "z4"]
    np.testing.assert_allclose(table[["z1", "z2", "z3", "z4"]], explorer.z[[1, 2]])
    (tmp_path / "out" / "notes.txt").write_text("mine")
    explorer.change(selection=())
    explorer.export()
    left = names - {"selection.csv", "mean.png"} | {"notes.txt"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == left
    restored = LatentExplorer(Pictures(), pictures())
    restored.state_json = (tmp_path / "out" / "state.json").read_text()
    assert restored.state == explorer.state


def test_only_the_last_planes_are_kept():
    explorer = LatentExplorer(Shift(), stimuli(d=6), plane="dimensions")
    plane, realism = weakref.ref(explorer.plane), weakref.ref(explorer.realism_map())
    pairs = list(permutations(range(6), 2))[1:18]
    for pair in pairs[:15]:
        explorer.change(dimensions=pair)
        explorer.contents()
    gc.collect()
    assert plane() is not None and realism() is not None
    for pair in pairs[15:]:
        explorer.change(dimensions=pair)
        explorer.contents()
    gc.collect()
    assert plane() is None and realism() is None


def test_what_cannot_be_decoded_is_an_error_and_no_state(monkeypatch: pytest.MonkeyPatch):
    explorer = LatentExplorer(Shift(), stimuli())
    before = explorer.state
    move(explorer, 0.25, 0.25)
    monkeypatch.setattr(Shift, "decode", lambda self, z: np.full((len(z), 2), np.nan))
    for step in (
        lambda: move(explorer, 0, 0),
        lambda: explorer.change(cursor=(0.0, 0.0)),
        explorer.undo,
        explorer.reset,
    ):
        with pytest.raises(ValueError, match=r"codec must decode to finite numbers, got 1 of 1 stimuli that are not"):
            step()
        assert explorer.state.cursor == (0.25, 0.25)
    monkeypatch.undo()
    explorer.undo()
    assert explorer.state == before


def test_a_page_that_chooses_umap_holds_up_no_explorer(monkeypatch: pytest.MonkeyPatch):
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(surfaces.Surface, "send", lambda self, content, buffers=None: told.append(content))
    go, asked = threading.Event(), []

    def slow(z: np.ndarray, **parameters: Any) -> UMAPEmbedding:
        asked.append(parameters)
        assert go.wait(60)
        if len(asked) == 1:
            raise ArithmeticError("no map today")
        return UMAPEmbedding(points=2 * z[:, :2], reducer=None)

    monkeypatch.setattr(planes, "umap", slow)
    explorer = LatentExplorer(Shift(), stimuli(n=60, d=3))
    assert explorer.widget is not None
    choose = {"type": "event", "name": "plane", "what": "set", "value": "UMAP"}
    explorer.answer(choose)
    with ThreadPoolExecutor() as pool:
        assert pool.submit(lambda: GUARD.acquire(timeout=10) and GUARD.release() is None).result()
    explorer.answer(choose)  # it is under way
    assert explorer.state.plane == "PCA" and explorer._background.busy
    go.set()
    explorer._background.wait()
    assert [(message["type"], message["text"]) for message in told] == [
        ("told", "UMAP lays out 60 codes: seconds to half a minute. Until then, the old map."),
        ("told", ""),
        ("error", "ArithmeticError: no map today"),
    ]
    assert explorer.state.plane == "PCA" and len(asked) == 1
    told.clear()
    explorer.answer(choose)
    explorer._background.wait()
    assert explorer.state.plane == "UMAP" and len(asked) == 2
    np.testing.assert_array_equal(explorer.plane.points, 2 * explorer.z[:, :2])
    assert [message["type"] for message in told] == ["told", "frame", "told"] and told[-1]["text"] == ""
    explorer.undo()
    reply = explorer.answer(choose)  # it is known now
    assert explorer.state.plane == "UMAP" and "map" in reply.parts and len(asked) == 2
