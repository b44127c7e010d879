"""The UMAPView: codes as UMAP lays them out, their neighbours, and ways along them."""

import time
from dataclasses import replace
from functools import cached_property, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any, final

import numpy as np

from gaia_explore.embeddings import FEWEST, Embedding, umap
from gaia_explore.explorers import map_parts
from gaia_explore.explorers.background import Background
from gaia_explore.explorers.latent_frames import Frame, frame
from gaia_explore.explorers.pages import Walk, across
from gaia_explore.explorers.parts import Content, Part, now
from gaia_explore.explorers.planes import Plane
from gaia_explore.explorers.set_explorer import SetExplorer
from gaia_explore.explorers.sets import CodedStimuli, coded
from gaia_explore.explorers.umap_frames import LAYOUT, MOST_NEIGHBOURS, SMALL, Parameters, UMAPState, checked
from gaia_explore.explorers.ways_back import export_ways_back
from gaia_explore.latent import Codec
from gaia_explore.paths import Neighbourhood
from gaia_explore.stimuli import PackedStimuli, Stimuli
from gaia_explore.stimuli.scaling import to_unit

MOST_PASSED = 24
"""Stimuli of a way that are shown as pictures."""


@final
class UMAPView(SetExplorer[UMAPState]):
    """Codes as UMAP lays them out; a cursor among them decodes to mixtures of the codes that lie nearest, live.

    Hover shows stimuli; lasso and box select. Lines lead from the stimulus nearest to the cursor to its neighbours in
    the latent space, and from anchor to anchor along neighbours: where the map tears neighbours apart, lines are long.

    A new map takes seconds to half a minute. It is computed in the background, and the old one can be used meanwhile.

    Parameters
    ----------
    codec, stimuli
        As of the :class:`LatentExplorer`.
    n_neighbours, min_dist, seed
        Of the first map, which is computed at once: see :func:`gaia_explore.embeddings.umap`.
    embedding
        A map of the stimuli's codes to begin with, which spares the wait.
    colour
        Attribute that colours them; "auto" for "label" or else the first.
    out
        Folder for exports.
    """

    def __init__(
        self,
        codec: Codec | CodedStimuli,
        stimuli: Stimuli | PackedStimuli | None = None,
        *,
        n_neighbours: int = 15,
        min_dist: float = 0.1,
        seed: int = 0,
        embedding: Embedding | None = None,
        colour: str = "auto",
        out: str | Path = "explored",
    ):
        self._set = coded(codec, stimuli)
        if len(self.z) < FEWEST:
            raise ValueError(f"stimuli must be {FEWEST} or more, which UMAP needs, got {len(self.z)}")
        colour = self._set.first_colour if colour == "auto" else colour
        start = UMAPState(
            n_neighbours=min(n_neighbours, len(self.z) - 1), min_dist=float(min_dist), seed=seed, colour=colour
        )
        made = () if embedding is not None else start.wanted
        first = umap(self.z, n_neighbours=start.n_neighbours, min_dist=start.min_dist, seed=seed) if made else embedding
        assert first is not None
        if len(first.points) != len(self.z):
            raise ValueError(f"embedding must have a point for each of {len(self.z)} codes, got {len(first.points)}")
        self._maps: dict[Parameters, Plane] = {made: self._plane_of(first, made)}
        self._inverse: tuple[tuple, np.ndarray, float] | None = None
        self._background = Background(self._say)
        self._told = ""
        # Several parts ask for the frame of one state, which is decoded once.
        self._looked = lru_cache(maxsize=2)(self._look)
        middle = self._nearest_point(made, tuple(np.median(first.points, axis=0).tolist()))
        super().__init__(self._checked(replace(start, made=made, cursor=middle)), LAYOUT, out)

    @property
    def selection(self) -> tuple[int, ...]:
        """Row numbers of the selected stimuli."""
        return self.state.selection

    @property
    def frame(self) -> Frame:
        """The code under the cursor, what it decodes to, and how far it is from the data."""
        return self._at(self.state)

    @property
    def embedding(self) -> Embedding:
        """The map that is shown, to be kept and given to another explorer."""
        return self._maps[self.state.made].embedding

    def compute(self, *, wait: bool = True):
        """Compute the map of the state's parameters and show it: at once, unless it may come in the background."""
        wanted = self.state.wanted
        if wanted in self._maps:
            return self.change(made=wanted)

        def work():
            n_neighbours, min_dist, seed = wanted
            found = umap(self.z, n_neighbours=int(n_neighbours), min_dist=float(min_dist), seed=int(seed))
            self._maps[wanted] = self._plane_of(found, wanted)
            self.change(made=wanted)

        self._background.begin(map_parts.LAYING_OUT.format(len(self.z)), work)
        if wait:
            self.wait()

    def invert(self, *, wait: bool = True):
        """Decode the cursor by UMAP's own inverse too, which takes seconds."""
        made, cursor = self.state.made, self.state.cursor

        def work():
            started = time.perf_counter()
            code = self._maps[made].embedding.invert(np.array([cursor], np.float64))
            found = self._set.decode(np.asarray(code))[0], time.perf_counter() - started
            self._renew(lambda: setattr(self, "_inverse", ((made, cursor), *found)))

        self._background.begin("UMAP's own inverse is under way: it takes seconds.", work)
        if wait:
            self.wait()

    def wait(self):
        """Wait until nothing is under way in the background."""
        self._background.wait()

    def _say(self, words: str, failed: bool = False):
        self._renew(lambda: setattr(self, "_told", words))

    def _plane_of(self, embedding: Embedding, made: Parameters) -> Plane:
        name = "UMAP" if made else "your embedding"
        return Plane(self.z, embedding, (f"{name}, first axis", f"{name}, second axis"))

    def _parts(self, state: UMAPState) -> dict[str, Part]:
        plane, here, own = self._maps[state.made], (state.made, state.cursor), self._set
        parts = {
            "colour": now(options=[*own.names, "none"], value=state.colour),
            "n_neighbours": now(value=state.n_neighbours, low=2, high=len(self.z) - 1),
            "min_dist": now(value=state.min_dist, low=0, high=1, step=0.05),
            "seed": now(value=state.seed, low=0, high=2**31),
            "about": now(text=self._about(state)),
            "k": now(value=state.k, low=1, high=MOST_NEIGHBOURS),
            "map": Part(key=state.made, make=lambda: map_parts.chart(self.stimuli, plane)),
            "map.points": Part(
                key=(state.made, state.colour), make=lambda: map_parts.points(self.stimuli, plane, state.colour)
            ),
            "map.selection": Part(key=state.selection, make=lambda: map_parts.selected(state.selection)),
            "map.handles": Part(
                key=(here, state.anchors), make=lambda: map_parts.handles(plane, state.cursor, state.anchors)
            ),
            "map.neighbours": Part(key=(here, state.k), make=lambda: self._lines(state)),
            "near": Part(key=(here, state.k), make=lambda: self._near(state)),
            "decoded": Part(key=here, make=lambda: map_parts.portrait(own, self._at(state).stimulus, "at the cursor")),
            "where": Part(key=here, make=lambda: Content(plain={"text": self._at(state).text, "live": True})),
            "comparison": Part(key=state.selection, make=lambda: map_parts.table(self.stimuli, state.selection)),
        }
        if self._inverse is not None and self._inverse[0] == here:
            _, stimulus, seconds = self._inverse
            words = f"UMAP's inverse, {seconds:.1f} s"
            parts["inverse"] = Part(key=here, make=lambda: map_parts.portrait(own, stimulus, words))
        if len(state.anchors) > 1:
            key = (state.made, state.anchors)
            parts["map.path"] = Part(key=key, make=lambda: map_parts.path(plane, self._way(state.anchors)))
            parts["passed"] = Part(key=state.anchors, make=lambda: self._passed(state))
            parts["way"] = Part(key=state.anchors, make=lambda: self._told_way(state))
        if state.selection:
            parts["mean"] = Part(key=state.selection, make=lambda: map_parts.mean(own, state.selection))
        return parts

    def _about(self, state: UMAPState) -> str:
        """Which map is shown, and what becomes of it."""
        shown = "An embedding of yours."
        if state.made:
            shown = "UMAP with {} neighbours, least distance {:g}, seed {}.".format(*state.made)
        stale = " Old: press Compute for the parameters above." if state.made and state.made != state.wanted else ""
        return f"{shown} {self._told}" if self._told else shown + stale

    def _event(self, state: UMAPState, name: str, what: str, value: Any) -> UMAPState:
        match name, what:
            case "compute", "press":
                known = state.wanted in self._maps
                if not known:
                    self.compute(wait=False)
                return replace(state, made=state.wanted) if known else state
            case "invert", "press":
                self.invert(wait=False)
                return state
            case "map", "move":
                return replace(state, cursor=tuple(map(float, value["at"])))
            case "map", "select":
                return replace(state, selection=tuple(value))
            case "map", "pick":
                return replace(state, anchors=map_parts.picked(state.anchors, value, self._at(state).nearest))
            case (("n_neighbours" | "seed" | "k"), "set"):
                return replace(state, **{name: int(value)})
            case "min_dist", "set":
                return replace(state, min_dist=float(value))
        return super()._event(state, name, what, value)

    def _checked(self, state: UMAPState, before: UMAPState | None = None) -> UMAPState:
        checked(state, len(self.z))
        self._set.check_colour(state.colour)
        if state.made not in self._maps and before is not None:
            # A state of another day: its map can be computed from here, its cursor is of no use in this one.
            state = replace(state, made=before.made, cursor=before.cursor)
        if before is not None and state.made != before.made and state.cursor == before.cursor:
            # The cursor stays with its stimulus when the map changes under it.
            old = self._maps[before.made].points
            under = int(np.linalg.norm(old - before.cursor, axis=1).argmin())
            state = replace(state, cursor=tuple(self._maps[state.made].points[under].tolist()))
        return replace(
            state,
            anchors=self._set.rows("anchors", state.anchors, ordered=True),
            selection=self._set.rows("selection", state.selection),
        )

    def _nearest_point(self, made: Parameters, place: tuple[float, ...]) -> tuple[float, ...]:
        places = self._maps[made].points
        return tuple(places[np.linalg.norm(places - place, axis=1).argmin()].tolist())

    def _at(self, state: UMAPState) -> Frame:
        return self._looked(self._maps[state.made], state.cursor)

    def _look(self, plane: Plane, cursor: tuple[float, ...]) -> Frame:
        return frame(self._set.codec, plane, self._set.neighbours, cursor)

    def _lines(self, state: UMAPState) -> Content:
        places, row = self._maps[state.made].points, self._at(state).nearest
        _, others = self._set.neighbours.of(row, state.k)
        ends = np.column_stack([np.tile(places[row], (len(others), 1)), places[others]])
        return Content(plain={"style": "plain"}, arrays={"xy": ends.astype(np.float32)})

    def _near(self, state: UMAPState) -> Content:
        distances, others = self._set.neighbours.of(self._at(state).nearest, state.k)
        captions = [f"{other}: {distance:.2g}" for other, distance in zip(others, distances, strict=True)]
        return self._pictures(others.tolist(), captions)

    def _pictures(self, rows: list[int], captions: list[str]) -> Content:
        pictures = self._set.portraits.small(to_unit(self.stimuli.x[rows]), SMALL)
        return Content(plain={"captions": captions}, arrays={"rgba": pictures})

    @cached_property
    def _neighbourhood(self) -> Neighbourhood:
        return Neighbourhood(self.z)

    def _way(self, anchors: tuple[int, ...]) -> list[int]:
        """Rows of the stimuli on the shortest way along neighbours through the anchors."""
        rows = [anchors[0]]
        for start, end in pairwise(anchors):
            between = self._neighbourhood.route(self.z[start], self.z[end]).tolist()
            rows += [row for row in between if row not in (start, end)] + [end]
        return rows

    def _passed(self, state: UMAPState) -> Content:
        rows = self._way(state.anchors)
        places = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_PASSED)).astype(int))
        return self._pictures([rows[place] for place in places], [str(rows[place]) for place in places])

    def _told_way(self, state: UMAPState) -> Content:
        rows = self._way(state.anchors)
        along = np.linalg.norm(np.diff(self.z[rows], axis=0), axis=1).sum()
        straight = np.linalg.norm(np.diff(self.z[list(state.anchors)], axis=0), axis=1).sum()
        words = (
            f"From anchor to anchor along neighbours: {len(rows)} stimuli, {along:.3g} long (straight: {straight:.3g})."
        )
        return Content(plain={"text": words})

    def _walks(self, state: UMAPState) -> tuple[Walk, ...]:
        smooth = self._set.portraits.kind == "picture"
        return (across("map", self._maps[state.made].extent, ("decoded", "where"), smooth=smooth),)

    def _export(self, folder: Path):
        map_parts.export(self._set, folder, self._at(self.state), self.state.selection)
        export_ways_back(self._set, folder, self._maps[self.state.made])

    def __repr__(self) -> str:
        n, d = self.z.shape
        return f"UMAPView({self.stimuli.title!r}, n={n}, latent_dim={d})"
