"""The AttributeEditor without a page: units, locks, what else moves, presets, your own stimulus, export."""

import base64
import datetime
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import gaia_explore as ge
from gaia_explore.explorers import AttributeEditor, EditorState, LatentExplorer
from gaia_explore.explorers.attribute_frames import CodeReader, editable, edited, moved_by, strengths_of, told
from gaia_explore.explorers.pictures import COLD, STRONG, Portraits
from gaia_explore.explorers.presets import Preset
from gaia_explore.stimuli import Stimuli

RNG = np.random.default_rng(0)
N = 200
TRUE = np.array([[0.2, 0.0, 0.1, 0.0], [0.0, 0.3, 0.1, 0.0], [0.05, 0.05, 0.0, 0.1]])
"""What hat (absent to present), beard (absent to present) and age (a year) add to the numbers of a stimulus."""


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


class Squares(Shift):
    """Pictures of 2 × 2 pixels."""

    def decode(self, z: np.ndarray) -> np.ndarray:
        return super().decode(z).reshape(-1, 2, 2)


def table(n: int = N) -> pd.DataFrame:
    """A rare hat, and a beard that goes with age."""
    age = np.round(RNG.normal(size=n), 2)
    return pd.DataFrame({"age": age, "hat": np.arange(n) % 5 == 0, "beard": (age + RNG.normal(size=n) > 0).astype(int)})


ATTRIBUTES = table()
CLEAN = 0.4 + ATTRIBUTES[["hat", "beard", "age"]].to_numpy(float) @ (TRUE / [1, 1, 4, 4])


def as_given(x: np.ndarray, attributes: pd.DataFrame | None = None) -> Stimuli:
    """Stimuli that are in [0, 1] already."""
    return replace(Stimuli.from_array(x, attributes=attributes, scaling="common"), x=np.float32(x))


def people(shape: tuple[int, ...] = (4,)) -> Stimuli:
    """Stimuli that are their attributes' effects, and nothing else."""
    return as_given(CLEAN.reshape(-1, *shape), attributes=ATTRIBUTES)


def editor(tmp_path: Path, **options: Any) -> AttributeEditor:
    return AttributeEditor(Shift(), people(), out=tmp_path, **options)


def event(explorer: AttributeEditor, name: str, what: str, value: Any = None, **more: Any):
    return explorer.answer({"type": "event", "name": name, "what": what, "value": value, **more})


def test_one_deviation_of_a_binary_attribute_is_a_share_of_the_way_from_absent_to_present(tmp_path: Path):
    explorer = editor(tmp_path)
    assert explorer.names == ("hat", "beard", "age")  # binary ones first
    hat = explorer.vectors["hat"]
    # A fifth wear a hat: the whole way is 1 / √(.2 · .8) = 2.5 deviations.
    explorer.strengths = {"hat": 2.5}
    np.testing.assert_allclose(explorer.code - explorer.z[0], hat, atol=1e-12)
    explorer.strengths = {"hat": 0, "age": -2}
    np.testing.assert_allclose(explorer.code - explorer.z[0], -2 * explorer.vectors["age"], atol=1e-12)
    assert strengths_of(explorer.vectors, {"hat": 2.5, "age": -2}) == pytest.approx({"hat": 1.0, "age": -2.0})


def test_an_edit_adds_what_the_attribute_added(tmp_path: Path):
    explorer = editor(tmp_path)
    explorer.change(stimulus=1)
    explorer.strengths = {"hat": 2.5}
    np.testing.assert_allclose(explorer.edited - CLEAN[1], TRUE[0] / [1, 1, 4, 4], atol=1e-6)


def test_means_hold_what_goes_together_with_an_attribute(tmp_path: Path):
    explorer = editor(tmp_path)
    ols = explorer.vectors["beard"]
    event(explorer, "method", "set", "means")
    assert explorer.vectors.method == "means"
    own = ge.attribute_vectors(explorer.z, ATTRIBUTES, method="means")["beard"]
    np.testing.assert_allclose(explorer.vectors["beard"], own)
    assert np.abs(own - ols).max() > 0.05


def test_a_slider_moves_in_one_gesture_that_is_undone_as_one(tmp_path: Path):
    explorer = editor(tmp_path)
    for value in (0.5, 1.0, 1.5):
        event(explorer, "strength1", "set", value, gesture="drag 1")
    assert explorer.strengths == {"hat": 0, "beard": 1.5, "age": 0}
    explorer.undo()
    assert explorer.strengths["beard"] == 0
    explorer.redo()
    assert explorer.strengths["beard"] == 1.5
    explorer.reset()
    assert not any(explorer.state.strengths)
    explorer.undo()
    event(explorer, "zero", "press")
    assert not any(explorer.state.strengths)


def test_a_slider_says_its_deviations_in_words(tmp_path: Path):
    explorer = editor(tmp_path)
    explorer.strengths = {"age": -1.25}
    contents = explorer.contents()
    shown = [contents[f"strength{i}"].plain["shown"] for i in range(3)]
    assert shown == ["0 SD", "0 SD", "−1.25 SD"]


@settings(deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=3, max_size=3), st.sampled_from([("hat",), ("hat", "age")]))
def test_what_is_locked_stays_where_its_own_slider_puts_it(strengths: list[float], locked: tuple[str, ...]):
    vectors = ge.attribute_vectors(Shift().encode(CLEAN), ATTRIBUTES)
    deviations: dict[str, float | int] = dict(zip(("hat", "beard", "age"), strengths, strict=True))
    held: dict[str, float | int] = {name: value for name, value in deviations.items() if name in locked}
    moved = edited(np.zeros(4), vectors, deviations, locked) - edited(np.zeros(4), vectors, held, ())
    for name in locked:
        assert abs(moved @ vectors[name]) < 1e-9


def test_locking_a_slider_stops_it_and_tells(tmp_path: Path):
    explorer = editor(tmp_path)
    event(explorer, "strength2", "lock", True)
    event(explorer, "strength0", "lock", True)
    assert explorer.state.locked == ("hat", "age")
    contents = explorer.contents()
    assert contents["strength0"].plain["locked"] and contents["strength0"].plain["disabled"]
    assert contents["strength0.note"].plain["text"] == "locked: other sliders do not move the code along it"
    event(explorer, "strength0", "lock", False)
    assert explorer.state.locked == ("age",)


def test_a_vector_along_a_locked_one_cannot_move(tmp_path: Path):
    attributes = pd.DataFrame({"a": np.arange(20) % 2, "b": np.arange(20) % 3 == 0})
    z = np.column_stack([attributes["a"] + 0.5 * attributes["b"], np.zeros(20)]) / 3
    own = as_given((z + 1) / 2, attributes=attributes)
    explorer = AttributeEditor(Shift(), own, out=tmp_path)
    event(explorer, "strength0", "lock", True)
    plain = explorer.contents()["strength1"].plain
    assert plain["disabled"] and not plain["locked"]
    assert explorer.contents()["strength1.note"].plain["text"] == "cannot move without a"
    with pytest.raises(ValueError, match="b cannot be edited while a is locked: its vector lies along theirs"):
        event(explorer, "strength1", "set", 1.0)
    assert explorer.state.strengths == (0, 0)
    assert (explorer.sweeps()[1] == explorer.sweeps()[1, :1]).all()


def test_what_else_moves_is_measured_on_decoded_stimuli():
    # Raising the first number raises the second half as much.
    vectors = ge.attribute_vectors(Shift().encode(CLEAN), ATTRIBUTES)
    halves = np.array([[2, 0], [0, 2], [0, 0], [0, 0]]) @ np.array([[1, 0.5], [0, 1]])

    def probe(x: np.ndarray) -> np.ndarray:
        return x.reshape(len(x), -1) @ np.column_stack([halves, np.zeros(4)])

    moved = moved_by(Shift(), Shift().encode(CLEAN)[:9], vectors, "hat", (), probe)
    change = 0.5 * vectors["hat"] * vectors.sds[0 if vectors.names[0] == "hat" else vectors.row("hat")]
    expected = change @ np.column_stack([halves, np.zeros(4)])
    units = np.where(vectors.binary, 1 / vectors.sds, 2)
    np.testing.assert_allclose([*moved.values()], expected * units, rtol=1e-4)


def test_a_linear_codec_moves_what_was_edited_and_nothing_else(tmp_path: Path):
    explorer = editor(tmp_path)
    reader = CodeReader(Shift(), explorer.z, ATTRIBUTES)
    for name in explorer.names:
        moved = moved_by(Shift(), explorer.z[:20], explorer.vectors, name, (), reader)
        np.testing.assert_allclose([*moved.values()], [other == name for other in moved], atol=0.02)
    notes = [explorer.contents()[f"strength{i}.note"].plain["text"] for i in range(3)]
    assert all(note.startswith("+1 SD moves itself +1.00") or note.endswith("+0.99") for note in notes)
    event(explorer, "method", "set", "means")
    # A beard goes with age, so that its difference of means drags age along.
    assert "age +" in explorer.contents()["strength1.note"].plain["text"]


def test_the_two_others_that_move_most_are_told():
    moved = {"hat": 0.8, "beard": -0.3, "age": 0.05, "tie": 0.2, "old": 0.6}
    assert told(moved, "hat") == "+1 SD moves itself +0.80, old +0.60, beard −0.30"
    assert told({"beard": 0.01}, "hat") == "+1 SD moves nothing else"


def test_notes_come_late_and_only_when_locks_or_vectors_change(tmp_path: Path):
    explorer = editor(tmp_path)
    opened = explorer.answer({"type": "open"})
    assert opened.plain["late"] == [f"strength{i}.note" for i in range(3)]
    moved = event(explorer, "strength0", "set", 1.0)
    assert moved.plain["late"] == [] and set(moved.parts) == {"strength0", "after", "realism"}
    assert len(event(explorer, "strength0", "lock", True).plain["late"]) == 3
    late = explorer.answer({"type": "late", "name": "strength1.note"})
    assert late.parts["strength1.note"].plain["text"].startswith("+1 SD moves itself")


def test_a_probe_that_reads_something_else_is_refused(tmp_path: Path):
    explorer = editor(tmp_path, probe=lambda x: np.zeros((len(x), 2)))
    with pytest.raises(ValueError, match=r"probe must read \(64, 3\) values, got \(64, 2\)"):
        explorer.contents()


def test_vectors_may_be_given_and_then_have_no_switch(tmp_path: Path):
    vectors = ge.attribute_vectors(Shift().encode(CLEAN), ATTRIBUTES.loc[:, ["hat", "age"]], method="means")
    explorer = editor(tmp_path, vectors=vectors, names=["age"])
    assert explorer.names == ("age",) and explorer.vectors is vectors and explorer.state.method == "means"
    assert "method" not in explorer.contents()
    bare = as_given(CLEAN)
    contents = AttributeEditor(Shift(), bare, vectors, out=tmp_path).contents()
    assert "strength0" in contents and "strength0.note" not in contents  # nothing can read what moves


def test_attributes_with_vectors_are_numbers_and_classes():
    attributes = pd.DataFrame(
        {
            "size": np.linspace(0, 1, 12),
            "kind": list("abc") * 4,
            "label": [0, 1, 2, 3] * 3,
            "hat": [True, False] * 6,
            "same": 1,
            "gone": [np.nan, *range(11)],
            "wild": [np.inf, *range(11)],
        }
    )
    own = editable(as_given(CLEAN[:12], attributes=attributes))
    assert list(own) == ["kind = b", "kind = c", "label = 1", "label = 2", "label = 3", "hat", "size"]
    assert own["kind = b"].tolist() == [0, 1, 0] * 4


def test_what_names_or_dates_stimuli_cannot_be_edited():
    n = len(CLEAN[:40])
    days = pd.date_range("2026-01-01", periods=4)
    attributes = pd.DataFrame(
        {
            "file": [f"{i}.png" for i in range(n)],
            "label": [*range(33), *range(n - 33)],
            "kind": [f"{i % 32:02}" for i in range(n)],
            "day": [days[i % 4] for i in range(n)],
            "date": [datetime.date(2026, 1, 1 + i % 4) for i in range(n)],
            "wait": [pd.Timedelta(i % 4, "D") for i in range(n)],
            "wave": [complex(i % 4, 1) for i in range(n)],
        }
    )
    assert list(editable(as_given(CLEAN[:40], attributes=attributes))) == [f"kind = {i:02}" for i in range(1, 32)]


def test_there_are_eight_sliders_unless_more_are_named(tmp_path: Path):
    attributes = pd.DataFrame({f"a{i}": RNG.normal(size=60) for i in range(20)})
    own = as_given(RNG.random((60, 4)), attributes=attributes)
    assert AttributeEditor(Shift(), own, out=tmp_path).names == tuple(f"a{i}" for i in range(8))
    every = AttributeEditor(Shift(), own, names=list(attributes), out=tmp_path)
    assert len(every.names) == 20
    columns = every.answer({"type": "open"}).plain["layout"]["children"][-1]["children"]
    assert [len(some["children"]) for some in columns] == [10, 10]


def test_your_own_stimulus_is_encoded_and_edited(tmp_path: Path):
    explorer = editor(tmp_path)
    explorer.strengths = {"hat": 2.5}
    x = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    explorer.edit_stimulus(x)
    np.testing.assert_allclose(explorer.code, 2 * x - 1 + explorer.vectors["hat"], rtol=1e-6)
    assert explorer.contents()["before"].plain["captions"] == ["original", "unedited"]
    state = explorer.state_json
    explorer.change(stimulus=3)
    assert explorer.state.own == ()
    explorer.state_json = state
    np.testing.assert_allclose(explorer.state.own, 2 * x - 1, rtol=1e-6)
    # Elsewhere its code is known, but not the stimulus.
    other = editor(tmp_path)
    other.state_json = state
    assert other.contents()["before"].plain["captions"] == ["unedited"]
    np.testing.assert_allclose(other.edited, explorer.edited)
    with pytest.raises(ValueError, match=r"x must be one stimulus of shape \(4,\), got \(1, 4\)"):
        explorer.edit_stimulus(x[None])


def test_a_preset_keeps_strengths_locks_and_method_in_a_file(tmp_path: Path):
    explorer = editor(tmp_path)
    explorer.strengths = {"hat": 1, "age": -2}
    event(explorer, "strength1", "lock", True)
    explorer.save_preset("old with hat")
    assert explorer.state.preset == "old with hat"
    event(explorer, "strength0", "set", 0.5)
    assert explorer.state.preset == ""
    other = AttributeEditor(Shift(), people(), names=("age", "hat", "beard"), out=tmp_path)
    assert other.contents()["preset"].plain["options"] == ["–", "old with hat"]
    event(other, "preset", "set", "old with hat")
    assert other.strengths == {"age": -2, "hat": 1, "beard": 0} and other.state.locked == ("beard",)
    assert other.presets == {"old with hat": Preset(strengths={"hat": 1.0, "age": -2.0}, locked=("beard",))}
    event(other, "preset", "set", "–")
    assert other.state.preset == "" and other.strengths["age"] == -2
    with pytest.raises(ValueError, match="preset must be one of old with hat, got 'none'"):
        other.change(preset="none")


def test_a_preset_saved_in_the_page_is_named_by_what_it_does(tmp_path: Path):
    explorer = editor(tmp_path)
    with pytest.raises(ValueError, match="preset must be one of none yet, got 'x'"):
        explorer.change(preset="x")
    event(explorer, "save", "press")
    explorer.strengths = {"hat": 1.25, "age": -2}
    saved = event(explorer, "save", "press")
    assert saved.parts["preset"].plain == {
        "options": ["–", "unedited", "hat +1.25, age −2"],
        "value": "hat +1.25, age −2",
    }


def test_editors_that_share_a_file_keep_each_others_presets(tmp_path: Path):
    first, second = editor(tmp_path), editor(tmp_path)
    first.save_preset("a")
    second.save_preset("b")
    assert list(second.presets) == ["a", "b"]
    assert list(json.loads((tmp_path / "presets.json").read_text())) == ["a", "b"]


def test_a_preset_beyond_the_sliders_is_cut_off(tmp_path: Path):
    explorer = editor(tmp_path)
    explorer.strengths = {"hat": 3}
    explorer.save_preset("far")
    narrow = editor(tmp_path, strength_range=2)
    narrow.change(preset="far")
    assert narrow.strengths["hat"] == 2


@pytest.mark.parametrize("text", ["[1]", "{", '{"a": {"strengths": {"hat": "much"}, "locked": [], "method": "OLS"}}'])
def test_a_damaged_file_of_presets_is_named(tmp_path: Path, text: str):
    (tmp_path / "presets.json").write_text(text)
    with pytest.raises(ValueError, match=r"presets\.json holds no presets, or is damaged: "):
        editor(tmp_path)


def test_realism_of_the_edited_stimulus_stands_beside_that_of_the_unedited(tmp_path: Path):
    explorer = AttributeEditor(Judging(), people(), out=tmp_path)
    explorer.strengths = {"hat": 2.5}
    before, after = CLEAN[0].mean(), CLEAN[0].mean() + 0.225 / 4
    text = explorer.contents()["realism"].plain["text"]
    assert f"Discriminator's error: {before:.3g} unedited, {after:.3g} edited ({after / before:.2g} times" in text
    assert "Largest change of a number: 0.2." in text
    assert editor(tmp_path).contents()["realism"].plain["text"].startswith("Distance to the nearest code: 0 unedited")


def test_the_difference_of_pictures_is_vermilion_where_brighter_and_blue_where_darker(tmp_path: Path):
    portraits = Portraits(people((2, 2)))
    before = np.full((2, 2), 0.5)
    after = np.array([[0.5, 1.0], [0.25, 0.0]])
    picture = portraits.difference(before, after)[0]
    assert picture[0, 0, 3] == 0  # nothing changed: the page shines through
    assert picture[0, 1].tolist() == list(STRONG)
    assert picture[1, 0].tolist() == [*COLD[:3], round(255 * 0.5**0.5)] and picture[1, 1].tolist() == list(COLD)
    explorer = AttributeEditor(Squares(), people((2, 2)), out=tmp_path)
    assert explorer.contents()["after"].arrays["rgba"].shape == (2, 2, 2, 4)
    assert "Vermilion: brighter, blue: darker." in explorer.contents()["realism"].plain["text"]


def test_pictures_in_colour_differ_by_the_mean_of_their_channels():
    rgb = as_given(np.random.default_rng(0).random((3, 2, 2, 3)))
    after = np.zeros((2, 2, 3))
    after[0, 0] = [0.3, 0, 0]
    assert Portraits(rgb).difference(np.zeros((2, 2, 3)), after)[0, 0, 0, 3] == round(255 * (0.1 / 0.5) ** 0.5)


def test_the_difference_of_points_is_the_way_between_them():
    planar = as_given(np.array([[0.0, 0.0], [1.0, 1.0]]))
    picture = Portraits(planar).difference(np.array([0.0, 0.5]), np.array([1.0, 0.5]))[0]
    middle, half = picture.shape[1] // 2, picture.shape[0] // 2
    column = picture[half - 5 : half + 5, middle]
    assert (column == STRONG).all(axis=1).any() and (picture == COLD).all(axis=2).any()


def test_the_difference_of_profiles_has_0_at_half_the_height():
    portraits = Portraits(people())
    same = portraits.difference(CLEAN[0], CLEAN[0])[0]
    rows = np.flatnonzero((same[..., 3] > 0).any(axis=1))
    assert abs(rows.mean() - same.shape[0] / 2) < 2


def test_a_stimulus_picked_in_a_linked_explorer_is_edited(tmp_path: Path):
    explorer = editor(tmp_path)
    explorer.change(anchors=(5, 3))
    assert explorer.state.stimulus == 3
    contents = explorer.contents()["anchors"]
    assert contents.plain == {"captions": ["5", "3"], "chosen": 1} and len(contents.arrays["rgba"]) == 2
    event(explorer, "anchors", "click", 0)
    assert explorer.state.stimulus == 5
    explorer.change(anchors=(3,))
    assert explorer.state.stimulus == 5
    assert "anchors" not in editor(tmp_path).contents()


def test_codes_are_shared_with_other_explorers(tmp_path: Path):
    first = LatentExplorer(Shift(), people(), out=tmp_path)
    explorer = AttributeEditor(first._set, out=tmp_path)
    assert explorer.z is first.z


def test_an_export_holds_the_edit_its_strengths_and_each_slider_from_end_to_end(tmp_path: Path):
    explorer = AttributeEditor(Squares(), people((2, 2)), out=tmp_path)
    explorer.change(stimulus=2)
    explorer.strengths = {"hat": 2.5}
    folder = explorer.export()
    names = ["code", "difference", "edited", "explorer", "state", "strengths", "sweeps", "unedited"]
    assert sorted(path.stem for path in folder.iterdir()) == names
    strengths = pd.read_csv(folder / "strengths.csv", index_col="attribute")
    assert strengths.loc["hat", ["strength_sd", "strength"]].tolist() == pytest.approx([2.5, 1.0])
    assert strengths["method"].tolist() == ["OLS"] * 3 and strengths["locked"].tolist() == [False] * 3
    code = pd.read_csv(folder / "code.csv", index_col="stimulus")
    np.testing.assert_allclose(code.loc["edited", ["z1", "z2", "z3", "z4"]].astype(float), explorer.code)
    assert code["row"].tolist() == [2, 2] and code.loc["unedited", "distance to the nearest code"] == 0
    # 3 sliders × 7 steps of 2 × 2 pixels; in the middle of hat's strip, hat is at 0.
    with Image.open(folder / "sweeps.png") as sweeps:
        strip = np.asarray(sweeps)
    assert strip.shape == (6, 14, 4)
    np.testing.assert_array_equal(strip[:2, 6:8], explorer.contents()["before"].arrays["rgba"][1])
    with Image.open(folder / "edited.png") as image:
        np.testing.assert_array_equal(image, strip[2:4, 6:8, :3])


def test_an_export_of_what_is_no_picture_holds_numbers(tmp_path: Path):
    explorer = editor(tmp_path)
    explorer.edit_stimulus(np.array([0.9, 0.8, 0.7, 0.6], np.float32))
    folder = explorer.export(tmp_path / "x")
    np.testing.assert_allclose(np.load(folder / "edited.npy"), [0.9, 0.8, 0.7, 0.6], rtol=1e-6)
    assert pd.read_csv(folder / "code.csv")["row"].tolist() == [-1, -1]


def test_the_still_shows_pictures_sliders_and_notes(tmp_path: Path):
    explorer = editor(tmp_path)
    still = explorer.picture()
    explorer.strengths = {"hat": 2}
    assert still.shape[1] > 600 and explorer.picture().tobytes() != still.tobytes()
    data, _ = explorer._repr_mimebundle_()
    assert data["text/plain"].endswith("n=200, latent_dim=4, names=['hat', 'beard', 'age'])")
    assert Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).width == still.shape[1]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"strengths": (1.0,)}, "strengths must be 3 numbers from −3 to 3, got 1"),
        ({"strengths": (0.0, 0.0, 9.0)}, "strengths must be 3 numbers from −3 to 3, got 0, 0, 9"),
        ({"strengths": (0.0, 0.0, np.nan)}, "strengths must be 3 numbers from −3 to 3, got 0, 0, nan"),
        ({"method": "guess"}, "method must be one of OLS, means, got 'guess'"),
        ({"locked": ("tie",)}, "locked must be some of hat, beard, age, got tie"),
        ({"stimulus": 200}, "stimulus must be a row from 0 to 199, got 200"),
        ({"own": (1.0,)}, "own must be a code of 4 finite numbers, got 1"),
        ({"anchors": (200,)}, "anchors must name rows of the 200 stimuli, got 200 to 200"),
    ],
)
def test_states_that_cannot_be_are_refused(tmp_path: Path, changes: dict[str, Any], told: str):
    explorer = editor(tmp_path)
    with pytest.raises(ValueError) as error:
        explorer.change(**changes)
    assert str(error.value) == told
    assert explorer.state == EditorState(strengths=(0.0, 0.0, 0.0))


def test_sliders_that_are_not_there_are_refused(tmp_path: Path):
    explorer = editor(tmp_path)
    with pytest.raises(KeyError, match="strengths must be of hat, beard, age, got tie"):
        explorer.strengths = {"tie": 1}
    with pytest.raises(ValueError, match="name must be a leaf of AttributeEditor that can press, got 'tie'"):
        event(explorer, "tie", "press")
    with pytest.raises(KeyError, match="attribute must be one of"):
        editor(tmp_path, names=["tie"])


def test_what_cannot_be_edited_is_refused(tmp_path: Path):
    bare = as_given(CLEAN)
    with pytest.raises(ValueError, match="stimuli must have an attribute that varies and is known of each, or vectors"):
        AttributeEditor(Shift(), bare, out=tmp_path)
    with pytest.raises(ValueError, match="strength_range must be above 0, got 0"):
        editor(tmp_path, strength_range=0)
    narrow = ge.attribute_vectors(CLEAN[:, :2], ATTRIBUTES)
    with pytest.raises(ValueError, match="vectors must have the codec's 4 latent dimensions, got 2"):
        editor(tmp_path, vectors=narrow)
