"""The CompareExplorer without a page: reconstructions, morphs and their realism through several models."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.spatial.distance import cdist

from gaia_explore.explorers.compare_explorer import CompareExplorer
from gaia_explore.explorers.compare_frames import MIXED, colours
from gaia_explore.explorers.planes import far_apart
from gaia_explore.explorers.surfaces import Reply
from gaia_explore.plots.template import MODEL_COLOURS, NEUTRAL
from gaia_explore.stimuli import Stimuli


class Same:
    """Stimuli are their own codes."""

    def encode(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x, float).reshape(len(x), -1)

    def decode(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(z, np.float32)


class Square(Same):
    """Codes are squares, so that a morph bends; what is made is .1 too large."""

    def encode(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x, float) ** 2

    def decode(self, z: np.ndarray) -> np.ndarray:
        return np.sqrt(np.asarray(z, np.float32)) + np.float32(0.1)


class Judging(Same):
    """Finds realistic what is dark."""

    def realism(self, x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), -1).mean(axis=1)


class Pictures(Same):
    def decode(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(z, np.float32).reshape(-1, 4, 4)


X = np.random.default_rng(0).random((40, 3))
X[[0, 1]] = [[0, 0, 0], [1, 1, 1]]


def stimuli() -> Stimuli:
    return Stimuli.from_array(X, attributes={"label": np.arange(40) % 2})


def explorer(**options: Any) -> CompareExplorer:
    return CompareExplorer({"AE": Same(), "VAE": Square(), "GAIA": Judging()}, stimuli(), **options)


def tell(explorer: CompareExplorer, name: str, what: str = "set", value: Any = None) -> Reply:
    return explorer.answer({"type": "event", "name": name, "what": what, "value": value})


def test_rows_are_models_below_the_originals_and_columns_are_stimuli():
    own = explorer(n_shown=5)
    sheet = own.contents()["sheet"]
    assert sheet.plain["rows"] == ["original", "AE", "VAE", "GAIA"] and len(sheet.arrays["rgba"]) == 20
    assert sheet.plain["captions"][:5] == [f"no. {row}" for row in range(5)] and own.shown == (0, 1, 2, 3, 4)
    assert sheet.plain["captions"][10:15] == ["0.1"] * 5
    same = own._first_set.portraits(X[:5].astype(np.float32))
    np.testing.assert_array_equal(sheet.arrays["rgba"][:5], same)
    np.testing.assert_array_equal(sheet.arrays["rgba"][5:10], same)
    assert (sheet.arrays["rgba"][10:15] != same).any()


class Large(Same):
    def decode(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(z, np.float32).reshape(-1, 256, 256)


def test_large_pictures_are_sent_as_small_as_their_leaves():
    own = Stimuli.from_array(np.random.default_rng(0).random((12, 256, 256)))
    contents = CompareExplorer({"AE": Large()}, own).contents()
    sides = {name: contents[name].arrays["rgba"].shape[1] for name in ("sheet", "strips", "here")}
    assert sides == {"sheet": 128, "strips": 86, "here": 128}


def test_the_first_of_the_selection_are_shown_and_others_on_a_press():
    own = explorer(n_shown=3)
    own.change(selection=(30, 7, 8, 9))
    assert own.shown == (7, 8, 9) and own.state.selection == (7, 8, 9, 30)
    reply = tell(own, "others", "press")
    assert own.shown == (30,) and set(reply.parts) == {"sheet"}
    assert own.state.selection == (7, 8, 9, 30)  # which is everyone's, where explorers are linked
    tell(own, "others", "press")
    assert own.shown == (7, 8, 9)
    tell(own, "others", "press")
    own.change(selection=(37, 38, 39, 2, 1))
    assert own.shown == (1, 2, 37) and own.state.page == 0
    own.change(selection=())
    tell(own, "others", "press")
    assert own.shown == (3, 4, 5)
    own.change(page=13)
    assert own.shown == (39,)


def test_a_morph_goes_through_every_model_and_through_mixed_pixels():
    own = explorer(anchors=(0, 1))
    own.change(n_steps=3, position=0.25)
    np.testing.assert_allclose(own._morph(own.state)["AE"][:, 0], [0, 0.5, 1])
    np.testing.assert_allclose(own._morph(own.state)["VAE"][:, 0], [0.1, 0.5**0.5 + 0.1, 1.1], rtol=1e-6)
    np.testing.assert_allclose(own._morph(own.state)[MIXED][:, 0], [0, 0.5, 1])
    here = own._at(own.state)
    assert list(here) == ["AE", "VAE", "GAIA", MIXED]
    assert [x[0] for x, _ in here.values()] == pytest.approx([0.25, 0.6, 0.25, 0.25])
    strips = own.contents()["strips"]
    assert strips.plain["rows"] == list(here) and len(strips.arrays["rgba"]) == 12
    assert strips.plain["captions"][:3] == ["0", "0.5", "1"]
    assert strips.plain["borders"][0] != strips.plain["borders"][2]
    assert own.contents()["here"].plain["captions"] == list(here)


def test_the_table_has_errors_and_realism_by_one_judge_for_all():
    own = explorer(anchors=(0, 1))
    own.change(n_steps=3, position=0.25)
    scores = own.scores
    assert list(scores.columns) == ["pixel error", "here", "mean of the morph", "worst of the morph"]
    np.testing.assert_allclose(scores["pixel error"], [0, 0.1, 0, 0], atol=1e-7)
    np.testing.assert_allclose(scores["here"], [0.25, 0.6, 0.25, 0.25], rtol=1e-6)
    np.testing.assert_allclose(scores["worst of the morph"], [1, 1.1, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(scores.loc["AE", "mean of the morph"], 0.5)
    shown = own.contents()["scores"].plain
    assert shown["columns"][1:] == list(scores.columns) and shown["rows"][1][:3] == ["VAE", "0.1", "0.6"]
    assert "error of GAIA's discriminator" in own.contents()["about"].plain["text"]


def test_without_a_judge_realism_is_the_pixel_error_to_the_nearest_stimulus():
    own = CompareExplorer({"mine": Same()}, stimuli(), anchors=(0, 1))
    x = np.linspace(0, 1, own.state.n_steps)[:, None] * np.ones(3)
    np.testing.assert_allclose(own._along(own.state)["mine"], cdist(x, X, "cityblock").min(axis=1) / 3, atol=1e-7)
    assert own.contents()["along"].plain["axes"][1] == "pixel error to the nearest stimulus"
    assert explorer(judge="distance").contents()["along"].plain["axes"] == own.contents()["along"].plain["axes"]


def test_only_what_depends_on_the_position_follows_it():
    own = explorer(anchors=(0, 1))
    assert set(tell(own, "position", value=1).parts) == {"position", "here", "along.handles", "scores"}
    assert own.state.position == 1.0
    tell(own, "along", "move", {"handle": 0, "at": [0.3, 9.0]})
    assert own.state.position == pytest.approx(0.3)
    handle = own.contents()["along.handles"]
    assert handle.plain["upright"] and handle.arrays["xy"][0, 0] == pytest.approx(0.3)
    tell(own, "along", "move", {"handle": 0, "at": [-0.3, 9.0]})
    assert own.state.position == 0
    lines = own.contents()["along.lines"]
    assert lines.arrays["starts"].tolist() == [0, 9, 18, 27] and len(lines.arrays["xy"]) == 36
    assert lines.plain["legend"]["palette"] == [MODEL_COLOURS[name] for name in ("AE", "VAE", "GAIA")] + [NEUTRAL]


def test_the_anchors_are_the_first_two_and_can_be_set_and_swapped():
    own = explorer()
    first, second = own.state.anchors
    assert {first, second} <= set(far_apart(own._first_set.z))
    own.change(anchors=(4, 9, 2))
    tell(own, "from", value=5)
    tell(own, "to", value=6)
    assert own.state.anchors == (5, 6, 2)
    tell(own, "swap", "press")
    assert own.state.anchors == (6, 5, 2)
    tell(own, "from", value=5)  # the other way round, rather than from 5 to 5
    assert own.state.anchors == (5, 6, 2)
    tell(own, "to", value=5)
    assert own.state.anchors == (6, 5, 2)
    own.change(anchors=(second,))  # a linked explorer has only one yet
    assert own.state.anchors[0] == second and len(set(own.state.anchors)) == 2
    tell(own, "n_steps", value=4)
    assert own.state.n_steps == 4 and len(own.contents()["strips"].arrays["rgba"]) == 16


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"position": 1.5}, r"position must be from 0 to 1, got 1.5"),
        ({"n_steps": 1}, r"n_steps must be from 2 to 15, got 1"),
        ({"anchors": (0, 40)}, r"anchors must name rows of the 40 stimuli, got 0 to 40"),
        ({"selection": (40,)}, r"selection must name rows of the 40 stimuli, got 40 to 40"),
    ],
)
def test_a_state_that_cannot_be_is_named(changes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        explorer().change(**changes)


def test_arguments_that_cannot_be_are_named():
    with pytest.raises(ValueError, match=r"codecs must be one or more by name, none called 'pixels mixed', got \[\]"):
        CompareExplorer({}, stimuli())
    with pytest.raises(ValueError, match=r"n_shown must be between 1 and 16, got 0"):
        explorer(n_shown=0)
    with pytest.raises(ValueError, match=r"judge must be among auto, distance, GAIA, got 'AE'"):
        explorer(judge="AE")


def test_pictures_are_shown_and_exported(tmp_path: Path):
    faces = Stimuli.from_array(np.random.default_rng(0).random((12, 4, 4)))
    own = CompareExplorer({"one": Pictures(), "two": Pictures()}, faces, n_shown=4)
    assert own.picture().shape[0] > 400
    folder = own.export(tmp_path)
    names = {"state.json", "explorer.png", "comparison.png", "scores.csv", "morph.csv"}
    assert {path.name for path in folder.iterdir()} == names
    before = {name: (folder / name).read_bytes() for name in names}
    assert before == {name: (own.export(tmp_path) / name).read_bytes() for name in names}
    scores = pd.read_csv(folder / "scores.csv", index_col="model")
    pd.testing.assert_frame_equal(scores, own.scores)
    morph = pd.read_csv(folder / "morph.csv")
    assert list(morph.columns) == ["step", "t", "one", "two", MIXED] and len(morph) == 9
    with Image.open(folder / "comparison.png") as sheet, Image.open(folder / "explorer.png") as whole:
        assert sheet.height < whole.height
    assert repr(own) == "CompareExplorer(one, two; 'stimuli', n=12)"


def test_models_without_a_known_name_have_colours_that_no_known_one_has():
    mine = colours(["mine", "AE", "yours", MIXED])
    assert mine[1] == MODEL_COLOURS["AE"] and mine[3] == NEUTRAL
    assert len(set(mine)) == 4 and not {mine[0], mine[2]} & set(MODEL_COLOURS.values())
