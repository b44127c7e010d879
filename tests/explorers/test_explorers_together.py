"""Explorers that share anchors and selection, and all that fit a codec in tabs; no page is open."""

import base64
import io
import json
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gaia_explore as ge
from gaia_explore.explorers import CompareExplorer, Exploration, LatentExplorer, PlaneExplorer, WarpExplorer, link
from gaia_explore.stimuli import Stimuli


class Same:
    """Stimuli are their own codes."""

    def encode(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x, np.float32).reshape(len(x), -1)

    def decode(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(z, np.float32)


def stimuli(n: int = 40, d: int = 2, **attributes: Any) -> Stimuli:
    x = np.random.default_rng(0).random((n, d))
    return Stimuli.from_array(x, attributes=attributes or {"label": np.arange(n) % 2})


def test_what_one_explorer_picks_all_that_are_linked_have():
    own = stimuli()
    first, second, plane = LatentExplorer(Same(), own), LatentExplorer(Same(), own), PlaneExplorer(Same(), own)
    link(first, second, plane)
    first.change(selection=(3, 5), anchors=(7, 9, 11))
    assert second.selection == (3, 5) and second.state.anchors == (7, 9, 11)
    assert plane.state.anchors == (7, 9, 11)
    second.answer({"type": "event", "name": "map", "what": "pick", "value": {"row": 30}})
    assert first.state.anchors == (7, 9, 11, 30) and first.selection == (3, 5)
    second.undo()
    assert first.state.anchors == (7, 9, 11)


def test_what_one_explorer_fills_in_is_its_own_affair():
    own = stimuli()
    latent, plane = LatentExplorer(Same(), own), PlaneExplorer(Same(), own)
    link(latent, plane)
    latent.change(anchors=(7,))
    assert latent.state.anchors == (7,)
    assert len(plane.contents()) > 0  # three corners are there, whoever chose them


def test_an_explorer_that_cannot_follow_stops_no_other(monkeypatch: pytest.MonkeyPatch):
    own = stimuli()
    first, broken, last = (LatentExplorer(Same(), own) for _ in range(3))
    link(first, broken, last)
    told: list[Any] = []
    monkeypatch.setattr(broken.widget, "tell", lambda reply: told.append(reply))
    monkeypatch.setattr(broken, "_checked", lambda state, before=None: 1 / 0)
    first.change(selection=(1,))
    assert last.selection == (1,) and broken.selection == ()
    assert [(reply.type, reply.plain["text"]) for reply in told] == [("error", "ZeroDivisionError: division by zero")]


def test_all_explorers_that_fit_are_there_and_made_when_they_are_asked_for():
    plain = ge.explore(Same(), stimuli())
    assert plain.names == ("latent", "morph", "plane", "warp", "attributes")
    bare = ge.explore(Same(), Stimuli.from_array(stimuli(d=3).x))
    assert bare.names == ("latent", "umap", "morph", "plane", "warp")
    several = ge.explore({"one": Same(), "two": Same()}, stimuli(), colour="none")
    assert several.names[-1] == "compare" and several["latent"].state.colour == "none"
    assert set(several._made) == {"latent"}
    several["latent"].change(anchors=(3, 4))
    assert several["morph"].state.anchors == (3, 4)  # made only now
    assert several["warp"].models == ("one", "two") and "two" in repr(several["compare"])
    assert several.anchors == (3, 4) and several.selection == ()
    with pytest.raises(KeyError, match=r"name must be one of latent, morph, plane, warp, attributes, got 'map'"):
        plain["map"]
    with pytest.raises(ValueError, match=r"codec must be one, or several by name, got none"):
        ge.explore({}, stimuli())


def test_explorers_that_are_there_are_found_while_another_is_made():
    own, making, found = stimuli(), threading.Event(), threading.Event()

    def slow() -> LatentExplorer:
        making.set()
        assert found.wait(5)
        return LatentExplorer(Same(), own)

    exploration = Exploration({"first": lambda: LatentExplorer(Same(), own), "slow": slow}, "out")
    exploration["first"].change(anchors=(1, 2))
    thread = threading.Thread(target=lambda: exploration["slow"])
    thread.start()
    making.wait(5)
    exploration["first"].watch(lambda before, after: exploration.selection)
    exploration["first"].change(selection=(4,))
    assert exploration.selection == (4,)
    found.set()
    thread.join()
    assert exploration["slow"].state.anchors == (1, 2) and exploration["slow"].selection == (4,)


def test_tabs_are_filled_when_they_are_opened_and_say_what_went_wrong():
    own = stimuli()
    exploration = Exploration({"first": lambda: LatentExplorer(Same(), own), "broken": lambda: [][1 < 2]}, "out")
    tabs = exploration.widget
    assert tabs.titles == ("First", "Broken")
    assert tabs.children[0].children == (exploration["first"].widget,) and tabs.children[1].children == ()
    tabs.selected_index = 1
    (shown,) = tabs.children[1].children
    assert shown.value == "<p>IndexError: list index out of range</p>"
    tabs.selected_index = None
    tabs.selected_index = 0
    assert exploration.widget is tabs


def test_a_kept_state_knows_its_models_and_its_stimuli():
    runs = Path(__file__).parents[2] / "data" / "planar"
    ae, vae = (ge.load(runs / f"moons-{name}-default-seed0").codec for name in ("AE", "VAE"))
    moons, others = (ge.stimuli.moons(n=50, seed=seed) for seed in (0, 1))
    kept, of_others = (
        [LatentExplorer(one, moons), WarpExplorer(models, moons), CompareExplorer(models, moons)]
        for one, models in ((ae, {"a": ae, "b": vae}), (vae, {"a": ae, "b": ae}))
    )
    of = [json.loads(explorer.state_json)["of"] for explorer in kept]
    assert [own["model"] for own in of] == [ae.fingerprint, *[f"{ae.fingerprint} {vae.fingerprint}"] * 2]
    assert {own["stimuli"] for own in of} == {moons.fingerprint}
    for explorer, other in zip(kept, of_others, strict=True):
        explorer.state_json = explorer.state_json
        with pytest.raises(ValueError, match="a state must be of model"):
            other.state_json = explorer.state_json
    with pytest.raises(ValueError, match="a state must be of stimuli"):
        LatentExplorer(ae, others).state_json = kept[0].state_json


@pytest.mark.slow
def test_an_exploration_is_exported_kept_and_restored_as_a_whole(tmp_path: Path):
    exploration = ge.explore(Same(), stimuli(), out=tmp_path / "out")
    exploration["plane"]
    exploration["latent"].change(cursor=(0.25, 0.5), anchors=(1, 2, 3))
    exploration.export()
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"latent", "plane"}
    text = (tmp_path / "out" / "latent" / "state.json").read_text()
    assert json.loads(text)["cursor"] == [0.25, 0.5]
    other = ge.explore(Same(), stimuli())
    other.state_json = exploration.state_json
    assert other["latent"].state == exploration["latent"].state and other["plane"].state == exploration["plane"].state
    with pytest.raises(ValueError, match=r"states must be a JSON object, got '\[\]'"):
        other.state_json = "[]"
    page = exploration.to_html(tmp_path / "page.html").read_text()
    packed = page.split('id="pages">')[1].split("<")[0]
    labels = [own["label"] for own in json.loads(zlib.decompress(base64.b64decode(packed)))]
    assert labels == [repr(exploration["latent"]), repr(exploration["plane"])]


def test_where_there_is_no_page_a_cell_has_the_picture_of_the_first():
    exploration = ge.explore(Same(), stimuli())
    data, _ = exploration._repr_mimebundle_()
    assert data["text/plain"] == "Exploration(latent, morph, plane, warp, attributes)"
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == exploration.widget.model_id
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(data["image/png"]))))
    np.testing.assert_array_equal(shown, exploration["latent"].picture())
