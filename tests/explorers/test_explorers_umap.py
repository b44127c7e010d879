"""The UMAPView without a page: maps that are computed in the background, neighbours, ways, and two ways back."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from gaia_explore.embeddings import UMAPEmbedding
from gaia_explore.explorers import umap_view
from gaia_explore.explorers.explorer import GUARD
from gaia_explore.explorers.surfaces import Reply
from gaia_explore.explorers.umap_view import UMAPView
from gaia_explore.stimuli import Stimuli


class Same:
    """Stimuli are their own codes."""

    def encode(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x, float).reshape(len(x), -1)

    def decode(self, z: np.ndarray) -> np.ndarray:
        return np.asarray(z, np.float32)


class Plain:
    """UMAP's object, whose inverse is half of the point and a half."""

    def inverse_transform(self, points: np.ndarray) -> np.ndarray:
        return np.column_stack([points, np.full(len(points), 0.5)]) / 2


X = np.random.default_rng(0).random((40, 3)).astype(np.float32).astype(float)
X[:2] = [[0, 0, 0], [1, 1, 1]]


def stimuli() -> Stimuli:
    return Stimuli.from_array(X, attributes={"label": np.arange(40) % 3, "size": X[:, 0]})


@pytest.fixture
def view() -> UMAPView:
    return UMAPView(Same(), stimuli(), embedding=UMAPEmbedding(points=X[:, :2].copy(), reducer=Plain()))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The parameters that UMAP is asked for; it lays codes out at twice their first two numbers."""
    asked: list[dict[str, Any]] = []

    def umap(z: np.ndarray, **parameters: Any) -> UMAPEmbedding:
        asked.append(parameters)
        return UMAPEmbedding(points=2 * z[:, :2], reducer=Plain())

    monkeypatch.setattr(umap_view, "umap", umap)
    return asked


def tell(view: UMAPView, name: str, what: str = "set", value: Any = None) -> Reply:
    return view.answer({"type": "event", "name": name, "what": what, "value": value})


def test_the_first_map_is_that_of_the_parameters(computed: list):
    view = UMAPView(Same(), stimuli(), n_neighbours=50, min_dist=0.5, seed=3)
    assert computed == [{"n_neighbours": 39, "min_dist": 0.5, "seed": 3}]
    np.testing.assert_allclose(view.contents()["map.points"].arrays["xy"], 2 * view.z[:, :2], rtol=1e-6)
    assert view.contents()["about"].plain["text"] == "UMAP with 39 neighbours, least distance 0.5, seed 3."
    assert view.state.made == (39, 0.5, 3) and view.state.cursor in [tuple(point) for point in 2 * view.z[:, :2]]


def test_a_map_is_computed_when_asked_for_and_not_when_its_parameters_change(computed: list):
    view = UMAPView(Same(), stimuli())
    under = view.frame.nearest
    for name, value in (("n_neighbours", 5), ("min_dist", 0.25), ("seed", 2)):
        assert set(tell(view, name, value=value).parts) <= {name, "about"}
    assert len(computed) == 1 and "Old: press Compute" in view.contents()["about"].plain["text"]
    tell(view, "compute", "press")
    view.wait()
    assert computed[1:] == [{"n_neighbours": 5, "min_dist": 0.25, "seed": 2}] and view.state.made == (5, 0.25, 2)
    assert "Old" not in view.contents()["about"].plain["text"]
    assert view.frame.nearest == under  # the cursor stays with its stimulus
    view.undo(4)
    assert view.state.made == (15, 0.1, 0)
    tell(view, "compute", "press")
    view.change(n_neighbours=5, min_dist=0.25, seed=2)
    tell(view, "compute", "press")  # known already
    view.change(seed=0, n_neighbours=15, min_dist=0.1)
    view.compute()
    assert len(computed) == 2 and view.state.made == (15, 0.1, 0)


def test_computing_holds_up_no_explorer_and_the_old_map_stays(monkeypatch: pytest.MonkeyPatch, computed: list):
    view = UMAPView(Same(), stimuli())
    go, begun = threading.Event(), threading.Event()
    quick = umap_view.umap

    def slow(z: np.ndarray, **parameters: Any) -> UMAPEmbedding:
        begun.set()
        assert go.wait(60)
        return quick(z, **parameters)

    monkeypatch.setattr(umap_view, "umap", slow)
    view.change(n_neighbours=4)
    tell(view, "compute", "press")
    assert begun.wait(60)
    with ThreadPoolExecutor() as pool:
        assert pool.submit(lambda: GUARD.acquire(timeout=10) and GUARD.release() is None).result()
    assert "Until then, the old map" in view.contents()["about"].plain["text"] and view.state.made == (15, 0.1, 0)
    tell(view, "map", "move", {"handle": 0, "at": [0.5, 0.5]})
    go.set()
    view.wait()
    assert view.state.made == (4, 0.1, 0) and len(computed) == 2


def test_neighbours_are_those_in_the_latent_space(view: UMAPView):
    tell(view, "map", "move", {"handle": 0, "at": X[7, :2].tolist()})
    assert view.frame.nearest == 7
    distances = cdist(X[[7]], X)[0]
    nearest = np.argsort(distances)[1:4]
    reply = tell(view, "k", value=3)
    assert set(reply.parts) == {"k", "near", "map.neighbours"}
    lines = reply.parts["map.neighbours"].arrays["xy"]
    np.testing.assert_allclose(lines, np.column_stack([X[[7, 7, 7], :2], X[nearest, :2]]), rtol=1e-6)
    near = reply.parts["near"]
    assert near.plain["captions"] == [f"{row}: {distances[row]:.2g}" for row in nearest]
    np.testing.assert_array_equal(near.arrays["rgba"], view._set.portraits(X[nearest].astype(np.float32)))


def test_the_cursor_is_decoded_live_and_by_umaps_own_inverse_when_asked_for(view: UMAPView):
    reply = tell(view, "map", "move", {"handle": 0, "at": X[7, :2].tolist()})
    np.testing.assert_allclose(view.frame.stimulus, X[7], rtol=1e-5)
    assert {"decoded", "where", "near"} <= set(reply.parts) and "inverse" not in view.contents()
    tell(view, "invert", "press")
    view.wait()
    inverse = view.contents()["inverse"]
    assert inverse.plain["captions"][0].startswith("UMAP's inverse, 0.0 s")
    expected = np.array([[*X[7, :2] / 2, 0.25]], np.float32)
    np.testing.assert_array_equal(inverse.arrays["rgba"], view._set.portraits(expected))
    gone = tell(view, "map", "move", {"handle": 0, "at": [0.5, 0.5]}).plain["gone"]
    assert gone == ["inverse"]
    tell(view, "map", "move", {"handle": 0, "at": X[7, :2].tolist()})
    view.invert()
    assert "inverse" in view.contents()


def test_what_goes_wrong_in_the_background_is_told(view: UMAPView, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Plain, "inverse_transform", lambda self, points: 1 / 0)
    view.invert()
    assert view.contents()["about"].plain["text"] == "An embedding of yours. ZeroDivisionError: division by zero"


def test_one_thing_at_a_time_is_under_way(view: UMAPView, monkeypatch: pytest.MonkeyPatch):
    go = threading.Event()
    monkeypatch.setattr(Plain, "inverse_transform", lambda self, points: go.wait(60) and np.zeros((1, 3)))
    tell(view, "invert", "press")
    assert "it takes seconds" in view.contents()["about"].plain["text"]
    with pytest.raises(ValueError, match=r"one thing at a time: UMAP's own inverse is under way"):
        tell(view, "compute", "press")
    go.set()
    view.wait()
    assert view.contents()["about"].plain["text"] == "An embedding of yours."


def test_a_way_leads_from_anchor_to_anchor_along_neighbours():
    t = np.linspace(0, np.pi, 60)
    arc = np.column_stack([0.5 + 0.5 * np.cos(t), 0.5 + 0.5 * np.sin(t), 0 * t])
    view = UMAPView(
        Same(), Stimuli.from_array(arc, scaling="common"), embedding=UMAPEmbedding(points=arc[:, :2], reducer=None)
    )
    for row in (0, 59):
        tell(view, "map", "pick", {"row": row})
    assert view.state.anchors == (0, 59)
    rows = view._way((0, 59))
    assert rows[0] == 0 and rows[-1] == 59 and (np.diff(rows) > 0).all() and max(np.diff(rows)) <= 10
    contents = view.contents()
    np.testing.assert_allclose(contents["map.path"].arrays["xy"], arc[rows, :2], rtol=1e-6)
    assert contents["passed"].plain["captions"] == [str(row) for row in rows]
    assert contents["way"].plain["text"].startswith(f"From anchor to anchor along neighbours: {len(rows)} stimuli, 1.5")
    assert contents["way"].plain["text"].endswith("(straight: 1).")


def test_a_selection_gives_rows_in_python_a_mean_and_a_table(view: UMAPView, tmp_path: Path):
    request = {"type": "event", "name": "map", "what": "select"}
    reply = view.answer(request, [np.array([5, 3], "<u4").tobytes()])
    assert view.selection == (3, 5) and {"mean", "comparison", "map.selection"} == set(reply.parts)
    assert view.contents()["mean"].plain["captions"] == ["mean of 2 selected"]
    sheet = view.answer({"type": "thumbnails", "sheet": 0}).parts[""].arrays["rgba"]
    assert len(sheet) == 40 and view.picture().shape[1] > 800
    folder = view.export(tmp_path)
    assert {"cursor.csv", "cursor.npy", "selection.csv", "mean.npy", "state.json"} <= {
        path.name for path in folder.iterdir()
    }
    assert repr(view) == "UMAPView('stimuli', n=40, latent_dim=3)"


def test_a_state_of_another_day_is_taken_over_as_far_as_its_map_is_here(view: UMAPView):
    before = view.state
    view.change(made=(9, 0.3, 1), n_neighbours=9, cursor=(99.0, 99.0), selection=(1,))
    assert view.state.made == () and view.state.cursor == before.cursor
    assert view.state.n_neighbours == 9 and view.state.selection == (1,)
    tell(view, "colour", value="size")
    assert view.state.colour == "size" and view.embedding.points.shape == (40, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_neighbours": 40}, r"n_neighbours must be from 2 to 39, one less than the codes, got 40"),
        ({"min_dist": 1.5}, r"min_dist must be from 0 to 1, got 1.5"),
        ({"seed": -1}, r"seed must be 0 or more, got -1"),
        ({"k": 0}, r"k must be from 1 to 12, got 0"),
        ({"colour": "age"}, r"colour must be among label, size, none, got 'age'"),
        ({"cursor": (1.0, np.nan)}, r"cursor must be two finite numbers, got \(1.0, nan\)"),
        ({"anchors": (0, 40)}, r"anchors must name rows of the 40 stimuli, got 0 to 40"),
    ],
)
def test_a_state_that_cannot_be_is_named(view: UMAPView, changes: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=message):
        view.change(**changes)


def test_fewer_stimuli_than_umap_needs_are_refused():
    few = Stimuli.from_array(X[:3])
    embedding = UMAPEmbedding(points=X[:3, :2].copy(), reducer=Plain())
    for given in (None, embedding):
        with pytest.raises(ValueError, match=r"^stimuli must be 4 or more, which UMAP needs, got 3$"):
            UMAPView(Same(), few, embedding=given)


@pytest.mark.no_cover  # what Numba compiles takes twice as long under it
@pytest.mark.slow
def test_umap_lays_out_as_few_stimuli_as_are_accepted():
    view = UMAPView(Same(), Stimuli.from_array(X[:4]))
    assert view.state.n_neighbours == 3 and np.isfinite(view.embedding.points).all()
    assert view.embedding.points.shape == (4, 2) and view.picture().ndim == 3


def test_an_embedding_of_other_codes_is_refused():
    with pytest.raises(ValueError, match=r"embedding must have a point for each of 40 codes, got 3"):
        UMAPView(Same(), stimuli(), embedding=UMAPEmbedding(points=X[:3, :2].copy(), reducer=None))


@pytest.mark.no_cover  # what Numba compiles takes twice as long under it
@pytest.mark.slow
def test_umap_itself_lays_codes_out_and_leads_back():
    view = UMAPView(Same(), stimuli(), n_neighbours=5)
    view.invert()
    assert view.contents()["inverse"].arrays["rgba"].shape[0] == 1
    view.change(n_neighbours=8)
    view.compute()
    assert view.state.made == (8, 0.1, 0)


def test_small_pictures_travel_no_larger_than_they_are_shown():
    x = np.random.default_rng(0).random((30, 200, 200, 1))
    codec = Corner()
    embedding = UMAPEmbedding(points=codec.encode(x), reducer=Plain())
    view = UMAPView(codec, Stimuli.from_array(x), embedding=embedding)
    view.change(anchors=(0, 1))
    contents = view.contents()
    assert {contents[name].arrays["rgba"].shape[1:] for name in ("near", "passed")} == {(100, 100, 4)}
    assert contents["decoded"].arrays["rgba"].shape[1:] == (200, 200, 4)


class Corner:
    """A picture's code is its first two pixels, from which all others follow."""

    def encode(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x, float)[:, 0, :2, 0]

    def decode(self, z: np.ndarray) -> np.ndarray:
        return np.resize(np.float32(z), (len(z), 200, 200, 1))
