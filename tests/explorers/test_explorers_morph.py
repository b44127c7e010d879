"""The MorphExplorer without a page: its paths, anchors, position, comparisons, picture and export."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gaia_explore as ge
from gaia_explore.explorers import MorphExplorer, MorphState
from gaia_explore.explorers.morph_contents import chart, top
from gaia_explore.explorers.morph_explorer import PAGE
from gaia_explore.explorers.surfaces import Reply
from gaia_explore.plots.template import PALETTE
from gaia_explore.stimuli import Stimuli


class Bent:
    """Codes are stimuli in other units, and the decoder bends straight lines: x2 = (1 + z2) / 2 + z1² / 10."""

    decoded = 0

    def encode(self, x: np.ndarray) -> np.ndarray:
        z1 = 2 * x[:, 0] - 1
        return np.stack([z1, 2 * (x[:, 1] - z1**2 / 10) - 1], axis=1)

    def decode(self, z: np.ndarray) -> np.ndarray:
        self.decoded += len(z)
        return np.stack([(1 + z[:, 0]) / 2, (1 + z[:, 1]) / 2 + z[:, 0] ** 2 / 10], axis=1)


class Judging(Bent):
    """Errors are what is missing to the bend; features are stimuli, tenfold."""

    def realism(self, x: np.ndarray) -> np.ndarray:
        return np.abs(x[:, 1])

    def features(self, x: np.ndarray) -> np.ndarray:
        return 10 * x


class Pictures:
    """Pictures of 4 × 4 pixels whose rows are alike."""

    def encode(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x, float).reshape(len(x), -1)[:, :4]

    def decode(self, z: np.ndarray) -> np.ndarray:
        return np.repeat(np.asarray(z, np.float32)[:, None], 4, axis=1)


def planar(n: int = 40) -> Stimuli:
    x = np.random.default_rng(0).uniform(0.2, 0.8, (n, 2))
    x[:2] = [[0, 0], [1, 1]]
    return Stimuli.from_array(x)


def pictures(n: int = 30) -> Stimuli:
    return Stimuli.from_array(np.repeat(np.random.default_rng(0).random((n, 1, 4)), 4, axis=1))


def tell(explorer: MorphExplorer, name: str, what: str = "set", value: Any = None, **more: Any) -> Reply:
    return explorer.answer({"type": "event", "name": name, "what": what, "value": value, **more})


def test_the_path_is_the_continuum_through_the_anchors():
    explorer = ge.MorphExplorer(Judging(), planar(), anchors=(4, 9, 2), n_steps=9, spacing="perceptual")
    z = Judging().encode(explorer.stimuli.x)
    expected = ge.continuum(Judging(), z[[4, 9, 2]], z, n_steps=9, spacing="perceptual")
    np.testing.assert_array_equal(explorer.continuum.codes, expected.codes)
    np.testing.assert_array_equal(explorer.continuum.realism, expected.realism)
    assert explorer.anchors == (4, 9, 2) and repr(explorer).endswith("kind='linear', spacing='perceptual', n_steps=9)")


@pytest.mark.parametrize("kind", ["linear", "spherical", "neighbours"])
def test_the_morph_at_a_step_is_that_step_and_between_steps_it_is_decoded_on_the_path(kind: str):
    explorer = MorphExplorer(Bent(), planar(), anchors=(4, 9, 2), kind=kind, n_steps=9)
    steps = explorer.continuum
    for step in range(9):
        explorer.change(position=step / 8)
        assert explorer.frame.t == pytest.approx(steps.t[step])
        np.testing.assert_allclose(explorer.frame.morph.stimulus, steps.stimuli[step], atol=1e-6)
        np.testing.assert_allclose(explorer.frame.mixed, steps.mixed[step], atol=1e-6)
    explorer.change(position=0.5 / 8)
    curve = ge.paths.curve(steps.codes[steps.anchors], explorer._data, kind=kind)
    np.testing.assert_allclose(explorer.frame.morph.code, curve(np.array([steps.t[:2].mean()]))[0], atol=1e-6)


def test_the_pixel_mix_is_the_chord_where_the_morph_follows_the_bend():
    explorer = MorphExplorer(Bent(), planar(), anchors=(0, 1))
    np.testing.assert_allclose(explorer.frame.mixed, [0.5, 0.5], atol=1e-6)
    np.testing.assert_allclose(explorer.frame.morph.stimulus, [0.5, 0.4], atol=1e-6)
    words = explorer.contents()["where"].plain["text"]
    assert words.startswith("50% of the way from stimulus 0 to 1. Nearest code: stimulus ")


def test_moving_the_position_lays_no_path_and_decodes_one_code():
    codec = Bent()
    explorer = MorphExplorer(codec, planar(), anchors=(0, 1), spacing="pixels")
    explorer.answer({"type": "open"})
    before = codec.decoded
    reply = tell(explorer, "position", value=0.31)
    assert codec.decoded == before + 1
    assert set(reply.parts) == {"here", "where", "position", "strip", "profile.handles"}
    assert set(tell(explorer, "position", value=0.32).parts) == {"here", "where", "position", "profile.handles"}
    assert reply.parts["position"].plain["shown"] == "step 3.1"
    assert reply.parts["strip"].plain["chosen"] == 3
    explorer.change(kind="spherical")
    explorer.change(kind="linear")
    before = codec.decoded
    assert len(explorer.continuum) == 11
    assert codec.decoded == before


def test_the_position_follows_the_slider_the_playhead_and_clicks_on_steps():
    explorer = MorphExplorer(Bent(), planar())
    tell(explorer, "position", value=0.25, gesture="play")
    tell(explorer, "position", value=0.75, gesture="play")
    assert explorer.state.position == 0.75
    reply = tell(explorer, "profile", "move", {"handle": 0, "at": [0.4, 3.0]})
    assert explorer.state.position == 0.4
    handle = reply.parts["profile.handles"]
    assert handle.plain == {"labels": [""], "upright": True, "moves": 0}
    np.testing.assert_allclose(handle.arrays["xy"], [[0.4, 0]])
    tell(explorer, "profile", "move", {"handle": 0, "at": [1.2, 0.0]})
    assert explorer.state.position == 1
    tell(explorer, "strip", "click", 3)
    assert explorer.state.position == pytest.approx(0.3)
    explorer.undo(3)
    assert explorer.state.position == 0.75
    explorer.undo()
    assert explorer.state.position == 0.5  # playing is one step


def test_anchors_are_chosen_exchanged_added_moved_and_removed():
    explorer = MorphExplorer(Bent(), planar(), anchors=(4, 9, 2))
    tell(explorer, "row", value=7)
    assert explorer.anchors == (4, 9, 2, 7)
    tell(explorer, "anchors", "order", {"from": 3, "to": 0})
    assert explorer.anchors == (7, 4, 9, 2)
    reply = tell(explorer, "anchors", "click", 1)
    assert explorer.state.chosen == 1 and reply.parts["anchors"].plain == {
        "captions": ["1: 7", "2: 4", "3: 9", "4: 2"],
        "chosen": 1,
    }
    assert explorer.frame.t == pytest.approx(1) and reply.parts["row"].plain["value"] == 4
    tell(explorer, "row", value=11)
    assert explorer.anchors == (7, 11, 9, 2)
    tell(explorer, "drop", "press")
    assert explorer.anchors == (7, 9, 2) and explorer.state.chosen == -1
    with pytest.raises(ValueError, match=r"no anchor is chosen: click the one to remove"):
        tell(explorer, "drop", "press")
    tell(explorer, "row", value=9)  # it is an anchor already: it is chosen
    assert explorer.anchors == (7, 9, 2) and explorer.state.chosen == 1
    tell(explorer, "anchors", "click", 1)
    assert explorer.state.chosen == -1
    tell(explorer, "anchors", "remove", 0)
    assert explorer.anchors == (9, 2)
    with pytest.raises(ValueError, match=r"a path has at least 2 anchors: add one before you remove one"):
        tell(explorer, "anchors", "remove", 0)
    with pytest.raises(ValueError, match=r"anchors must name rows of the 40 stimuli, got 2 to 40"):
        tell(explorer, "row", value=40)
    assert explorer.anchors == (9, 2)


def test_all_stimuli_are_suggested_a_page_at_a_time():
    explorer = MorphExplorer(Bent(), planar(), anchors=(4, 9))
    seen: list[int] = []
    for _ in range(3):
        content = explorer.contents()["suggestions"]
        rows = [int(words) for words in content.plain["captions"]]
        assert content.plain["borders"] == [PALETTE[0] if row in (4, 9) else "" for row in rows]
        np.testing.assert_array_equal(
            content.arrays["rgba"], explorer._set.portraits.small(explorer.stimuli.x[rows], 44)
        )
        seen += rows
        tell(explorer, "more", "press")
    assert sorted(seen) == list(range(40)) and explorer.state.page == 0
    tell(explorer, "earlier", "press")
    assert explorer.state.page == 2
    tell(explorer, "suggestions", "click", 5)
    assert explorer.anchors == (4, 9, seen[2 * PAGE + 5])


def test_too_few_anchors_are_followed_by_stimuli_far_apart_and_leave_the_state_alone():
    explorer = MorphExplorer(Bent(), planar())
    assert explorer.state.anchors == () and set(explorer.anchors) == {0, 1}
    explorer.change(anchors=(7,))
    assert explorer.state.anchors == (7,) and explorer.anchors[0] == 7 and explorer.anchors[1] in (0, 1)
    explorer.change(anchors=(7, 3, 5, 9), n_steps=3, chosen=3)
    assert explorer.state.n_steps == 4 and len(explorer.continuum) == 4
    explorer.change(anchors=(7, 3))
    assert explorer.state.chosen == -1


def test_a_page_cannot_ask_for_fewer_steps_than_anchors():
    explorer = MorphExplorer(Bent(), planar(), anchors=(7, 3, 5))
    with pytest.raises(ValueError, match=r"steps must be at least one an anchor, 3, got 2"):
        tell(explorer, "n_steps", value=2)
    assert set(tell(explorer, "n_steps", value=3).parts) >= {"n_steps", "strip", "profile.lines"}
    assert len(explorer.continuum) == 3


def test_only_spacings_that_the_codec_can_do_are_offered():
    spacings = {"Bent": ["latent", "pixels"], "Judging": ["latent", "pixels", "perceptual"]}
    for codec in (Bent(), Judging()):
        contents = MorphExplorer(codec, planar()).contents()
        assert contents["spacing"].plain["options"] == spacings[type(codec).__name__]
        assert "animation" not in contents
    explorer = MorphExplorer(Bent(), planar(), judge=Judging(), spacing="perceptual")
    assert explorer.continuum.realism_by == "discriminator"
    assert "Discriminator's error" in explorer.frame.morph.text
    assert MorphExplorer(Pictures(), pictures()).contents()["animation"].plain["options"] == ["gif", "mp4", "none"]


def test_realism_is_drawn_beside_that_of_the_straight_line_and_of_the_pixel_mix():
    explorer = MorphExplorer(Judging(), planar(), anchors=(4, 9), kind="neighbours")
    steps, contents = explorer.continuum, explorer.contents()
    lines = contents["profile.lines"]
    straight = ge.paths.curve(steps.codes[[0, -1]], explorer._data)(steps.t)
    expected = [steps.realism, np.abs(Bent().decode(straight)[:, 1]), np.abs(steps.mixed[:, 1])]
    assert lines.arrays["starts"].tolist() == [0, 11, 22] and lines.arrays["numbers"].tolist() == [0, 1, 2]
    np.testing.assert_allclose(lines.arrays["xy"][:, 1], np.concatenate(expected), rtol=1e-5)
    np.testing.assert_allclose(lines.arrays["xy"][:, 0], np.tile(np.linspace(0, 1, 11), 3), atol=1e-6)
    names = ["morph", "straight line", "pixel mix"]
    words = [f"{name}, at most {values.max():.2g}" for name, values in zip(names, expected, strict=True)]
    assert lines.plain["legend"]["classes"] == words
    np.testing.assert_allclose(contents["profile.points"].arrays["xy"], lines.arrays["xy"][:11])
    borders = contents["strip"].plain["borders"]
    assert len(borders) == 11 and borders[steps.realism.argmin()] != borders[steps.realism.argmax()]
    # Without a judge, only distances of codes can be told; a straight path is compared to nothing.
    bare = MorphExplorer(Bent(), planar(), anchors=(4, 9)).contents()
    assert bare["profile.lines"].arrays["starts"].tolist() == [0]
    assert bare["profile.points"].plain["legend"]["name"] == "distance to the nearest code"


def test_what_is_far_worse_than_the_morph_does_not_flatten_it():
    path = MorphExplorer(Judging(), planar())._path(MorphState())
    for morph, mixed, usual, expected in ((0.1, 0.2, 0.1, 0.2), (0.1, 9, 0.2, 0.6), (0, 0, 0, 1)):
        lines = {"morph": np.full(11, float(morph)), "pixel mix": np.full(11, float(mixed))}
        assert top(replace(path, realism=lines), float(usual)) == pytest.approx(expected)
    extent = chart(replace(path, realism=lines), "error", 0.0).plain["extent"]
    assert extent[2] < 0 and extent[3] > 1


def test_steps_are_measured_against_what_is_usual_among_the_data():
    judged = MorphExplorer(Judging(), planar(400), anchors=(0, 1))
    sample = judged.stimuli.x[np.unique(np.linspace(0, 399, 200).astype(int)), 1]
    assert judged.usual == pytest.approx(np.quantile(sample, 0.95))
    within = (judged.continuum.realism <= judged.usual).sum()
    words = judged.contents()["summary"].plain["text"]
    assert words == (
        f"{within} of 11 steps have a discriminator's error of at most {judged.usual:.3g}, "
        "as 95% of the stimuli have (dashed)."
    )
    np.testing.assert_allclose(judged.contents()["profile.usual"].arrays["xy"][:, 1], judged.usual)
    plain = MorphExplorer(Bent(), planar())
    z = plain._set.z
    distances = np.linalg.norm(z[:, None] - z, axis=2)
    np.fill_diagonal(distances, np.inf)
    assert plain.usual == pytest.approx(np.quantile(distances.min(axis=1), 0.95))


def test_distances_of_steps_are_in_a_table():
    table = MorphExplorer(Judging(), planar(), anchors=(0, 1)).contents()["steps"].plain
    assert table["columns"] == ["distance of steps", "smallest", "mean", "largest", "whole way"]
    assert [row[0] for row in table["rows"]] == ["in Z", "in pixels", "in features"]
    steps = MorphExplorer(Judging(), planar(), anchors=(0, 1)).continuum
    assert table["rows"][0][1:] == [f"{v:.3g}" for v in (*[steps.step_latent[1]] * 3, steps.step_latent[1:].sum())]
    rows = MorphExplorer(Bent(), planar()).contents()["steps"].plain["rows"]
    assert [row[0] for row in rows] == ["in Z", "in pixels"]


@pytest.mark.parametrize("animation", ["gif", "none"])
def test_an_export_has_every_step_a_table_and_the_animation(tmp_path: Path, animation: str):
    explorer = MorphExplorer(Pictures(), pictures(), anchors=(3, 8, 1), n_steps=7, out=tmp_path / "out")
    tell(explorer, "animation", value=animation)
    told = explorer.answer({"type": "export"}).plain["text"]
    moving = {"morph.gif"} if animation == "gif" else set()
    names = {f"step-{i:03}.png" for i in range(7)} | {"stimuli.csv", "stimuli.json", "state.json", "explorer.png"}
    written = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert set(written) == names | moving
    assert told == f"{len(written)} files written to {tmp_path / 'out'}: 7 steps, and stimuli.csv about them"
    table = pd.read_csv(tmp_path / "out" / "stimuli.csv")
    assert table["anchor"].dropna().astype(int).tolist() == [3, 8, 1]
    np.testing.assert_allclose(table["realism"], explorer.continuum.realism)
    explorer.export()
    assert written == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    loaded = ge.load_continuum(tmp_path / "out", Pictures())
    np.testing.assert_array_equal(loaded.stimuli, explorer.continuum.stimuli)


def test_a_page_that_opens_gets_everything_and_the_still_draws_it():
    explorer = MorphExplorer(Pictures(), pictures(), anchors=(3, 8, 1))
    opened = explorer.answer({"type": "open"})
    assert set(opened.parts) == set(explorer.contents())
    assert set(opened.parts) >= {"anchors", "suggestions", "strip", "here", "where", "position", "profile", "steps"}
    portraits = explorer._set.portraits
    strip = portraits.small(explorer.continuum.stimuli, 56)
    np.testing.assert_array_equal(opened.parts["strip"].arrays["rgba"], strip)
    assert opened.parts["strip"].plain["captions"][0].startswith("1: ")
    here = opened.parts["here"]
    frame = explorer.frame
    np.testing.assert_array_equal(here.arrays["rgba"], portraits(np.stack([frame.morph.stimulus, frame.mixed])))
    assert here.plain["captions"] == ["morph", "pixel mix"]
    before = explorer.picture()
    explorer.change(position=0.0)
    after = explorer.picture()
    assert before.shape == after.shape and (before != after).any()
    again = MorphExplorer(Pictures(), pictures())
    again.state_json = explorer.state_json
    assert again.state == explorer.state and again.anchors == (3, 8, 1)


class Large(Pictures):
    def encode(self, x: np.ndarray) -> np.ndarray:
        return super().encode(np.asarray(x)[:, ::32, ::32])

    def decode(self, z: np.ndarray) -> np.ndarray:
        return super().decode(z).repeat(32, axis=1).repeat(32, axis=2)


def test_large_pictures_go_to_small_leaves_as_small_ones():
    x = np.random.default_rng(0).random((30, 4, 4)).repeat(32, axis=1).repeat(32, axis=2)
    contents = MorphExplorer(Large(), Stimuli.from_array(x)).contents()
    sides = {name: contents[name].arrays["rgba"].shape[1] for name in ("anchors", "suggestions", "strip", "here")}
    assert sides == {"anchors": 128, "suggestions": 64, "strip": 64, "here": 128}


def test_training_on_changes_neither_the_codec_nor_the_judge():
    run = ge.train(ge.GAIAConfig(), ge.stimuli.moons(n=64), steps=2, batch_size=8, progress=False)
    explorer = MorphExplorer(run.codec, ge.stimuli.moons(n=64), judge=run.codec)
    before = explorer.continuum
    for parameter in run.codec.model.parameters():
        parameter.mul_(2)
    explorer._laid.cache_clear()
    np.testing.assert_array_equal(explorer.continuum.stimuli, before.stimuli)
    np.testing.assert_array_equal(explorer.continuum.realism, before.realism)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "curly"}, r"kind must be one of linear, spherical, neighbours, got 'curly'"),
        ({"spacing": "perceptual"}, r"spacing must be one of latent, pixels, got 'perceptual'"),
        ({"animation": "avi"}, r"animation must be one of gif, mp4, none, got 'avi'"),
        ({"n_steps": 1}, r"n_steps must be a whole number from 2 to 101, got 1"),
        ({"position": 1.5}, r"position must be from 0 to 1, got 1.5"),
        ({"position": np.nan}, r"position must be from 0 to 1, got nan"),
        ({"anchors": (-1, 2)}, r"anchors must name rows of the 120 stimuli, got -1 to 2"),
        ({"anchors": tuple(range(102))}, r"anchors must be at most 101, got 102"),
        ({"anchors": (0, 1), "kind": "spherical"}, r"anchors must not lie on opposite sides of the centre"),
    ],
)
def test_a_state_that_cannot_be_is_named_and_not_taken(changes: dict[str, Any], message: str):
    x = np.random.default_rng(0).uniform(0.2, 0.8, (120, 2))
    x[60:] = 1 - x[:60]
    x[:2] = [[0.1, 0.1], [0.9, 0.9]]
    x[60:62] = [[0.1, 0.9], [0.9, 0.1]]

    class Straight(Bent):
        def encode(self, x: np.ndarray) -> np.ndarray:
            return 2 * np.asarray(x, float) - 1

    explorer = MorphExplorer(Straight(), Stimuli.from_array(x), anchors=(4, 9))
    before = explorer.state
    with pytest.raises(ValueError, match=message):
        explorer.change(**changes)
    assert explorer.state == before == MorphState(anchors=(4, 9))


def test_a_judge_that_tells_no_realism_is_named():
    with pytest.raises(ValueError, match=r"judge must tell realism, as a GAIA's codec does, got Bent"):
        MorphExplorer(Bent(), planar(), judge=Bent())
