"""The LatentExplorer: a map of the codes, and the stimulus under a cursor that moves in it."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

import numpy as np
import pandas as pd
from jaxtyping import Float64

from gaia_explore.embeddings import Embedding
from gaia_explore.explorers import map_parts
from gaia_explore.explorers.background import Background
from gaia_explore.explorers.latent_frames import LAYERS, Frame, LatentState, RealismMap, comparison, frame
from gaia_explore.explorers.maps import contour, density, judged_by, levels, realism_of
from gaia_explore.explorers.pages import Walk, across
from gaia_explore.explorers.parts import Content, Leaf, Part, bar, column, now, row
from gaia_explore.explorers.planes import Plane, check_place, make_plane
from gaia_explore.explorers.set_explorer import SetExplorer
from gaia_explore.explorers.sets import CodedStimuli, coded
from gaia_explore.explorers.surfaces import Reply
from gaia_explore.explorers.ways_back import export_ways_back
from gaia_explore.latent import Codec
from gaia_explore.stimuli import PackedStimuli, Stimuli

BAND = 48
"""Places of the realism map that are judged in one go, so that the cursor need not wait for all of them."""

KEPT = 16
"""Planes, and maps of realism, that are kept for when one comes back."""

LAYOUT = row(
    column(
        bar(
            Leaf(kind="choice", name="colour", label="Colour"),
            Leaf(kind="choice", name="plane", label="Plane"),
            Leaf(kind="number", name="across", label="z"),
            Leaf(kind="number", name="up", label="z"),
            Leaf(kind="checks", name="layers", label="Show"),
        ),
        map_parts.leaf("Map of latent codes", ("realism", "fog"), ("density", "segments"), ("hull", "lines")),
    ),
    column(
        row(
            Leaf(kind="pictures", name="decoded", label="Decoded at the cursor", options={"size": 150}),
            Leaf(kind="pictures", name="mean", label="Mean of the selection, decoded", options={"size": 150}),
        ),
        Leaf(kind="text", name="where", label="Where the cursor is"),
        Leaf(kind="table", name="comparison", label="The selection beside all"),
    ),
)


@final
class LatentExplorer(SetExplorer[LatentState]):
    """Codes as points of a map; a cursor anywhere in it decodes to a stimulus, live.

    Hover shows stimuli; a lasso or a box selects them. Keys: arrows move the cursor (with shift tenfold), z and y undo
    and redo, r resets, e exports, a makes the stimulus nearest to the cursor an anchor or no more, 1 to 9 make it that
    anchor, Escape ends a selection.

    Parameters
    ----------
    codec
        Anything that encodes and decodes; its model is copied, so that training it on changes nothing here.
    stimuli
        The stimuli to show; all are encoded at once. Of a pack, 5,000 evenly spaced.
    colour
        Attribute that colours them; "auto" for "label" or else the first.
    plane
        Where to begin: see :class:`LatentState`. "auto" is the latent space itself where that has two dimensions, and
        the plane of the first two principal components where it has more.
    embeddings
        Further planes by name: embeddings of the stimuli's codes. One called "UMAP" spares the wait for it.
    out
        Folder for exports.
    """

    def __init__(
        self,
        codec: Codec | CodedStimuli,
        stimuli: Stimuli | PackedStimuli | None = None,
        *,
        colour: str = "auto",
        plane: str = "auto",
        embeddings: Mapping[str, Embedding] = MappingProxyType({}),
        out: str | Path = "explored",
    ):
        self._set = coded(codec, stimuli)
        self._embeddings = dict(embeddings)
        own = ("dimensions",) if self.z.shape[1] == 2 else ("PCA", "UMAP", "dimensions", "stimuli")
        self.planes = (*own, *(name for name in self._embeddings if name not in own))
        # Every pair of dimensions and three anchors are a plane: the last ones are kept.
        self._laid = lru_cache(maxsize=KEPT)(self._lay)
        self._judged = lru_cache(maxsize=KEPT)(lambda *_: RealismMap(self._side))
        self._background = Background(self._say)
        colour = self._set.first_colour if colour == "auto" else colour
        start = LatentState(plane=self.planes[0] if plane == "auto" else plane, cursor=(0.0, 0.0), colour=colour)
        # A stimulus that is a picture takes a millisecond to decode and judge, and the first still waits for all.
        self._side = 16 if self._set.portraits.kind == "picture" else 64
        # Several parts ask for the frame of one state, which is decoded once.
        self._looked = lru_cache(maxsize=2)(self._look)
        super().__init__(self._start(self._checked(start)), LAYOUT, out)

    @property
    def selection(self) -> tuple[int, ...]:
        """Row numbers of the selected stimuli."""
        return self.state.selection

    @property
    def comparison(self) -> pd.DataFrame:
        """Attributes of the selected stimuli beside those of all."""
        return comparison(self.stimuli.attributes, self.selection)

    @property
    def frame(self) -> Frame:
        """The code under the cursor, what it decodes to, and how far it is from the data."""
        return self._at(self.state)

    @property
    def plane(self) -> Plane:
        """The plane that the map shows."""
        return self._plane(self.state)

    def realism_map(self) -> Float64[np.ndarray, "n n"]:
        """Realism over the map, from its top left: see :func:`realism_of`."""
        while self._judge(self.state).more:
            pass
        return self._judged(*self._key(self.state)).values

    def _parts(self, state: LatentState) -> dict[str, Part]:
        key, layers = self._key(state), state.layers
        parts = {
            "colour": now(options=[*self._set.names, "none"], value=state.colour),
            "layers": now(options=list(LAYERS), chosen=list(layers)),
            "map": Part(key=key, make=lambda: map_parts.chart(self.stimuli, self._plane(state))),
            "map.points": Part(key=(key, state.colour), make=lambda: self._points(state)),
            "map.selection": Part(key=state.selection, make=lambda: map_parts.selected(state.selection)),
            "map.handles": Part(
                key=(key, state.cursor, state.anchors),
                make=lambda: self._handles(state),
            ),
            "decoded": Part(
                key=(key, state.cursor),
                make=lambda: self._decoded(state),
            ),
            "where": Part(
                key=(key, state.cursor), make=lambda: Content(plain={"text": self._at(state).text, "live": True})
            ),
            "comparison": Part(key=state.selection, make=lambda: map_parts.table(self.stimuli, state.selection)),
        }
        if len(self.planes) > 1:
            parts["plane"] = now(options=list(self.planes), value=state.plane)
        if len(self.planes) > 1 and state.plane == "dimensions":
            d = self.z.shape[1]
            parts["across"], parts["up"] = (now(value=chosen + 1, low=1, high=d) for chosen in state.dimensions)
        if len(state.anchors) > 1:
            parts["map.path"] = Part(key=(key, state.anchors), make=lambda: self._path(state))
        if state.selection:
            parts["mean"] = Part(key=state.selection, make=lambda: map_parts.mean(self._set, state.selection))
        if "density" in layers:
            parts["map.density"] = Part(key=key, make=lambda: self._contours(state))
        if "hull" in layers:
            parts["map.hull"] = Part(key=key, make=lambda: self._hull(state))
        if "realism" in layers:
            parts["map.realism"] = Part(key=key, make=lambda: self._judge(state), late=True)
        return parts

    def _event(self, state: LatentState, name: str, what: str, value: Any) -> LatentState:
        if name == "map":
            match what:
                case "move":
                    return replace(state, cursor=tuple(map(float, value["at"])))
                case "select":
                    return replace(state, selection=tuple(value))
                case "pick":
                    return replace(state, anchors=map_parts.picked(state.anchors, value, self._at(state).nearest))
        if name == "plane" and value == "UMAP" and "UMAP" in self.planes and not self._has_umap:
            self._lay_out()
            return state
        if name in ("across", "up"):
            across, up = state.dimensions
            chosen = int(value) - 1
            return replace(state, dimensions=(chosen, up) if name == "across" else (across, chosen))
        return super()._event(state, name, what, value)

    def _checked(self, state: LatentState, before: LatentState | None = None) -> LatentState:
        d = self.z.shape[1]
        if state.plane not in self.planes:
            raise ValueError(f"plane must be one of {', '.join(self.planes)}, got {state.plane!r}")
        self._set.check_colour(state.colour)
        check_place("cursor", state.cursor)
        if len(set(state.dimensions)) != 2 or len(state.dimensions) != 2 or not set(state.dimensions) <= set(range(d)):
            raise ValueError(f"dimensions must be two different ones from 0 to {d - 1}, got {state.dimensions}")
        if not set(state.layers) <= set(LAYERS):
            raise ValueError(f"layers must be some of {', '.join(LAYERS)}, got {state.layers}")
        state = replace(
            state,
            anchors=self._set.rows("anchors", state.anchors, ordered=True),
            selection=self._set.rows("selection", state.selection),
        )
        if before is not None and self._key(state) != self._key(before) and state.cursor == before.cursor:
            # The cursor stays with its stimulus when the plane changes under it.
            under = np.linalg.norm(self._plane(before).points - before.cursor, axis=1).argmin()
            state = replace(state, cursor=tuple(self._plane(state).points[under].tolist()))
        return state

    def _start(self, state: LatentState) -> LatentState:
        points = self._plane(state).points
        middle = np.linalg.norm(points - np.median(points, axis=0), axis=1).argmin()
        return replace(state, cursor=tuple(points[middle].tolist()))

    def _spanning(self, state: LatentState) -> tuple[int, ...]:
        """The three stimuli of the plane of stimuli."""
        return self._set.enough(state.anchors, 3)[:3]

    def _key(self, state: LatentState) -> tuple:
        match state.plane:
            case "dimensions":
                return state.plane, state.dimensions
            case "stimuli":
                return state.plane, self._spanning(state)
        return (state.plane,)

    def _plane(self, state: LatentState) -> Plane:
        return self._laid(*self._key(state))

    def _lay(self, kind: str, chosen: tuple[int, ...] = ()) -> Plane:
        if kind in self._embeddings:
            return Plane(self.z, self._embeddings[kind], (f"{kind}, first axis", f"{kind}, second axis"))
        plane = make_plane(self.z, kind, chosen, chosen)
        if kind == "UMAP":
            # It takes too long to be made twice.
            self._embeddings[kind] = plane.embedding
        return plane

    @property
    def _has_umap(self) -> bool:
        return "UMAP" in self._embeddings

    def _lay_out(self):
        """Lay codes out by UMAP in the background, for a page, and show them: no explorer need wait for it."""

        def work():
            self._embeddings["UMAP"] = make_plane(self.z, "UMAP", (0, 1), ()).embedding
            self.follow(plane="UMAP")

        if not self._background.busy:
            self._background.begin(map_parts.LAYING_OUT.format(len(self.z)), work)

    def _say(self, words: str, failed: bool = False):
        if self._surface is not None:
            self._surface.tell(Reply(type="told", plain={"text": "" if failed else words}))
            if failed:
                self._surface.tell(Reply(type="error", plain={"text": words}))

    def _at(self, state: LatentState) -> Frame:
        return self._looked(self._plane(state), state.cursor)

    def _look(self, plane: Plane, cursor: tuple[float, ...]) -> Frame:
        return frame(self._set.codec, plane, self._set.neighbours, cursor)

    def _points(self, state: LatentState) -> Content:
        return map_parts.points(self.stimuli, self._plane(state), state.colour)

    def _handles(self, state: LatentState) -> Content:
        return map_parts.handles(self._plane(state), state.cursor, state.anchors)

    def _path(self, state: LatentState) -> Content:
        return map_parts.path(self._plane(state), state.anchors)

    def _decoded(self, state: LatentState) -> Content:
        return map_parts.portrait(self._set, self._at(state).stimulus, "at the cursor")

    def _contours(self, state: LatentState) -> Content:
        plane = self._plane(state)
        values = density(plane)
        found = np.concatenate([contour(values, level, plane.extent) for level in np.unique(levels(values))])
        return Content(plain={"style": "faint"}, arrays={"xy": found.astype(np.float32)})

    def _hull(self, state: LatentState) -> Content:
        hull = self._plane(state).hull.astype(np.float32)
        return Content(plain={"style": "dashed", "closed": True}, arrays={"xy": hull})

    def _judge(self, state: LatentState) -> Content:
        """The realism map, with one more piece of it made than the last time."""
        plane, made = self._plane(state), self._judged(*self._key(state))
        band = BAND if self._set.portraits.kind == "picture" else 1024
        places = plane.grid(self._side)[made.judged : made.judged + band]
        if len(places):
            made.add(realism_of(self._set.codec, self._set.neighbours, plane.lift(places)))
        what, values = judged_by(self._set.codec), made.values.astype(np.float32)
        return Content(plain={"what": what}, arrays={"values": values}, more=made.judged < values.size)

    def _walks(self, state: LatentState) -> tuple[Walk, ...]:
        smooth = self._set.portraits.kind == "picture"
        return (across("map", self._plane(state).extent, ("decoded", "where"), smooth=smooth),)

    def _export(self, folder: Path):
        map_parts.export(self._set, folder, self._at(self.state), self.state.selection)
        export_ways_back(self._set, folder, self.plane)

    def __repr__(self) -> str:
        n, d = self.z.shape
        return f"LatentExplorer({self.stimuli.title!r}, n={n}, latent_dim={d}, plane={self.state.plane!r})"
