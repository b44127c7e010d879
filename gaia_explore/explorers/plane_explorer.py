"""The PlaneExplorer: a sheet of stimuli over the plane that three of them span."""

import csv
import re
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import Float64

from gaia_explore.explorers import map_parts
from gaia_explore.explorers.colours import by_value, written
from gaia_explore.explorers.latent_frames import Frame, look_at
from gaia_explore.explorers.maps import judged_by, usual_realism
from gaia_explore.explorers.pages import Walk, across
from gaia_explore.explorers.parts import Content, Leaf, Part, bar, column, now, row
from gaia_explore.explorers.pictures import as_png
from gaia_explore.explorers.plane_frames import (
    SIDES,
    PlaneState,
    Sheet,
    contact_sheet,
    edges,
    in_words,
    lay_sheet,
    most_beyond,
    outline,
    step_of,
    weights_of,
)
from gaia_explore.explorers.planes import USUAL, Plane, check_place, make_plane
from gaia_explore.explorers.set_explorer import SetExplorer
from gaia_explore.explorers.sets import CodedStimuli, coded
from gaia_explore.latent import Codec, Identified
from gaia_explore.stimuli import PackedStimuli, Stimuli
from gaia_explore.stimuli.scaling import to_unit
from gaia_explore.training import write_atomically

WIDTH = 520
"""Pixels of the sheet on the page."""

FAINT = 0.6
"""How much of a tile beyond the triangle covers the page."""

CORNERS = ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
"""Where the anchors are in the plane."""

NUMBERS = ("first", "second", "third")
TILE = re.compile(r"tile-r\d+-c\d+\.png")

LAYOUT = row(
    column(
        bar(
            Leaf(kind="number", name="side", label="Tiles along a side"),
            Leaf(kind="number", name="beyond", label="Tiles beyond the triangle"),
        ),
        Leaf(
            kind="chart",
            name="sheet",
            label="Decoded over the plane of three stimuli; beyond their triangle, extrapolated (fainter)",
            options={
                "size": (WIDTH, WIDTH),
                "layers": (("tiles", "tiles"), ("outline", "segments"), ("handles", "handles")),
                "tools": ("cursor",),
            },
        ),
        Leaf(kind="text", name="summary", label="Realism of the sheet"),
        Leaf(kind="text", name="about", options={"offline": "Anchors: click one to go there."}),
        Leaf(kind="pictures", name="corners", label="Anchor", options={"size": 64, "movable": True}),
        bar(*(Leaf(kind="number", name=name, label=f"{i}: row") for i, name in enumerate(NUMBERS, 1))),
    ),
    column(
        Leaf(kind="pictures", name="here", label="Decoded at the cursor", options={"size": 150}),
        Leaf(kind="text", name="where", label="Where the cursor is"),
        Leaf(kind="choice", name="colour", label="Colour of the map"),
        Leaf(
            kind="chart",
            name="map",
            label="Map of latent codes",
            options={
                "size": (300, 300),
                "layers": (("points", "points"), ("triangle", "lines"), ("handles", "handles")),
                "tools": ("anchor of the plane",),
                "thumbnails": True,
            },
        ),
    ),
)


@final
class PlaneExplorer(SetExplorer[PlaneState]):
    """Three stimuli, the anchors, span a plane in Z; a sheet shows what it decodes to, and a cursor any place of it.

    The first anchor stands at the lower left, the second at the right, the third above: steps to the right go from the
    first towards the second, steps up towards the third, whatever their distances and angles in Z. Beyond the triangle
    of the three, tiles are extrapolated, and fainter. Borders are realism.

    An anchor is always a stimulus: dragging one over the map of codes makes it the stimulus that is nearest there, and
    the sheet follows. How far the sheet goes beyond the triangle is a number of tiles. Keys: arrows move the cursor
    (with shift tenfold); on a thumbnail of an anchor, Alt and an arrow exchange it with its neighbour; z and y undo and
    redo, r resets, e exports.

    Parameters
    ----------
    codec
        Anything that encodes and decodes; its model is copied, so that training it on changes nothing here.
    stimuli
        The stimuli that anchors are taken from; all are encoded at once. Of a pack, 5,000 evenly spaced.
    anchors
        Rows of three of them; others that lie far apart stand in for those that are missing.
    side, beyond
        Where to begin: see :class:`PlaneState`.
    colour
        Attribute that colours the map; "auto" for "label" or else the first.
    out
        Folder for exports.
    """

    def __init__(
        self,
        codec: Codec | CodedStimuli,
        stimuli: Stimuli | PackedStimuli | None = None,
        *,
        anchors: tuple[int, ...] = (),
        side: int = 7,
        beyond: int = 1,
        colour: str = "auto",
        out: str | Path = "explored",
    ):
        self._set = coded(codec, stimuli)
        # Moving the cursor decodes no sheet anew.
        self._laid = lru_cache(maxsize=8)(self._lay)
        self._looked = lru_cache(maxsize=2)(self._look)
        colour = self._set.first_colour if colour == "auto" else colour
        start = PlaneState(anchors=tuple(anchors), side=side, beyond=beyond, colour=colour)
        super().__init__(self._checked(start), LAYOUT, out)

    @property
    def anchors(self) -> tuple[int, ...]:
        """Rows of the three stimuli that span the plane."""
        return self._spanning(self.state)

    @property
    def sheet(self) -> Sheet:
        """What the plane decodes to."""
        return self._sheet(self.state)

    @property
    def weights(self) -> Float64[np.ndarray, "3"]:
        """Weights of the three anchors at the cursor."""
        return weights_of(np.array([self.state.cursor]))[0]

    @property
    def frame(self) -> Frame:
        """The code under the cursor, what it decodes to, and how far it is from the data."""
        return self._at(self.state)

    @cached_property
    def usual(self) -> float:
        """The realism (an error) that 95 % of the stimuli do not exceed."""
        return usual_realism(self.stimuli, self._set.neighbours, self._set.codec)

    @cached_property
    def map(self) -> Plane:
        """The map of codes: the latent space itself where it has two dimensions, else its principal components."""
        return make_plane(self._set.z, "dimensions" if self._set.z.shape[1] == 2 else "PCA", (0, 1), ())

    def _parts(self, state: PlaneState) -> dict[str, Part]:
        anchors, key = self._spanning(state), self._key(state)
        here, n = (anchors, state.cursor), len(self.stimuli)
        rows = {name: now(value=r, low=0, high=n - 1) for name, r in zip(NUMBERS, anchors, strict=True)}
        return rows | {
            "side": now(value=state.side, low=SIDES[0], high=SIDES[1]),
            "beyond": now(value=state.beyond, low=0, high=most_beyond(state.side)),
            "colour": now(options=[*self._set.names, "none"], value=state.colour),
            "about": now(text="Anchors: drag these to change their order, or 1, 2 and 3 on the map to other stimuli."),
            "sheet": Part(key=key, make=lambda: self._chart(state)),
            "sheet.tiles": Part(key=key, make=lambda: self._tiles(state)),
            "sheet.outline": Part(key=key[1:], make=lambda: self._outline(state)),
            "sheet.handles": Part(key=(state.cursor, step_of(state)), make=lambda: self._handles(state)),
            "summary": Part(key=key, make=lambda: self._summary(state)),
            "here": Part(
                key=here, make=lambda: map_parts.portrait(self._set, self._at(state).stimulus, "at the cursor")
            ),
            "where": Part(key=here, make=lambda: Content(plain={"text": self._at(state).text, "live": True})),
            "corners": Part(key=anchors, make=lambda: self._corners(state)),
            "map": Part(key=(), make=lambda: map_parts.chart(self.stimuli, self.map)),
            "map.points": Part(key=state.colour, make=lambda: map_parts.points(self.stimuli, self.map, state.colour)),
            "map.triangle": Part(key=anchors, make=lambda: self._triangle(state)),
            "map.handles": Part(key=anchors, make=lambda: self._grips(state)),
        }

    def _event(self, state: PlaneState, name: str, what: str, value: Any) -> PlaneState:
        match name, what:
            case "sheet", "move":
                low, high = edges(state)
                return replace(state, cursor=tuple(np.clip(value["at"], low, high).tolist()))
            case "map", "move":
                return self._exchange(state, int(value["handle"]), self._under(state, value))
            case "corners", "click":
                return replace(state, cursor=CORNERS[int(value)])
            case "corners", "order":
                anchors = list(self._spanning(state))
                anchors.insert(int(value["to"]), anchors.pop(int(value["from"])))
                return replace(state, anchors=(*anchors, *state.anchors[3:]))
            case "corners", "remove":
                raise ValueError("a plane has 3 anchors: drag one on the map, or enter another row")
        if name in NUMBERS:
            return self._exchange(state, NUMBERS.index(name), int(value))
        return super()._event(state, name, what, value)

    def _under(self, state: PlaneState, value: dict[str, Any]) -> int:
        """The stimulus nearest to a place of the map that is not another corner."""
        away = np.linalg.norm(self.map.points - np.array(value["at"]), axis=1)
        others = [r for place, r in enumerate(self._spanning(state)) if place != value["handle"]]
        away[others] = np.inf
        return int(away.argmin())

    def _exchange(self, state: PlaneState, place: int, stimulus: int) -> PlaneState:
        """Put a stimulus in the place of an anchor; two anchors change places."""
        anchors = list(self._spanning(state))
        if stimulus in anchors:
            anchors[anchors.index(stimulus)] = anchors[place]
        anchors[place] = stimulus
        return replace(state, anchors=(*anchors, *(r for r in state.anchors[3:] if r != stimulus)))

    def _checked(self, state: PlaneState, before: PlaneState | None = None) -> PlaneState:
        if state.side not in range(SIDES[0], SIDES[1] + 1):
            raise ValueError(f"side must be a whole number from {SIDES[0]} to {SIDES[1]}, got {state.side}")
        if before is not None and state.side < before.side and state.beyond == before.beyond:
            state = replace(state, beyond=min(state.beyond, most_beyond(state.side)))
        if state.beyond not in range(most_beyond(state.side) + 1):
            raise ValueError(
                f"beyond must be a whole number from 0 to {most_beyond(state.side)} for {state.side} tiles along a "
                f"side, got {state.beyond}"
            )
        check_place("cursor", state.cursor)
        self._set.check_colour(state.colour)
        return replace(state, anchors=self._set.rows("anchors", state.anchors, ordered=True))

    def _spanning(self, state: PlaneState) -> tuple[int, ...]:
        return self._set.enough(state.anchors, 3)[:3]

    def _key(self, state: PlaneState) -> tuple[tuple[int, ...], int, int]:
        return self._spanning(state), state.side, state.beyond

    def _sheet(self, state: PlaneState) -> Sheet:
        return self._laid(*self._key(state))

    def _lay(self, anchors: tuple[int, ...], side: int, beyond: int) -> Sheet:
        return lay_sheet(self._set, PlaneState(side=side, beyond=beyond), anchors)

    def _at(self, state: PlaneState) -> Frame:
        return self._looked(self._spanning(state), state.cursor)

    def _look(self, anchors: tuple[int, ...], cursor: tuple[float, ...]) -> Frame:
        code = weights_of(np.array([cursor]))[0] @ self._set.z[list(anchors)]
        at = look_at(self._set.codec, self._set.neighbours, code)
        return replace(at, text=f"{in_words(cursor, anchors)} {at.text}")

    def _chart(self, state: PlaneState) -> Content:
        first, *others = self._spanning(state)
        z = self._set.z
        axes = [
            f"from stimulus {first} towards {other}, {np.linalg.norm(z[other] - z[first]):.3g} away" for other in others
        ]
        return Content(plain={"extent": 2 * edges(state), "axes": axes})

    def _tiles(self, state: PlaneState) -> Content:
        sheet, step = self._sheet(state), step_of(state)
        rgba = self._set.portraits(sheet.stimuli)
        low, high = edges(state)
        # No more pixels than the page shows, of drawings about as many.
        times = rgba.shape[1] * (high - low) / (0.86 * step * WIDTH)
        every = max(int(times) if self._set.portraits.kind == "picture" else round(times), 1)
        rgba = np.ascontiguousarray(rgba[:, ::every, ::every])
        rgba[~sheet.inside, ..., 3] = np.round(FAINT * rgba[~sheet.inside, ..., 3])
        top = max(self.usual, float(sheet.realism.max()))
        numbers, legend = by_value(sheet.realism, f"borders: {sheet.realism_by}", low=0.0, high=top)
        plain = {"size": 0.86 * step, "borders": written(numbers, legend), "legend": legend}
        return Content(plain=plain, arrays={"rgba": rgba, "xy": sheet.places.astype(np.float32)})

    def _outline(self, state: PlaneState) -> Content:
        return Content(plain={"style": "bold"}, arrays={"xy": outline(state).astype(np.float32)})

    def _handles(self, state: PlaneState) -> Content:
        # The anchors' numbers stand at the corners of their tiles, where they hide no stimulus.
        off = 0.34 * step_of(state)
        places = np.array([state.cursor, *((u - off, v + off) for u, v in CORNERS)], np.float32)
        return Content(plain={"labels": ["", "1", "2", "3"], "moves": 0}, arrays={"xy": places})

    def _summary(self, state: PlaneState) -> Content:
        sheet = self._sheet(state)
        within = sheet.realism <= self.usual
        counts = [f"{within[own].sum()} of {own.sum()}" for own in (sheet.inside, ~sheet.inside)]
        beyond = f" and {counts[1]} beyond it" if len(within) > sheet.inside.sum() else ""
        what = f"a {judged_by(self._set.codec)} of at most {self.usual:.3g}, as {USUAL:.0%} of the stimuli have"
        return Content(plain={"text": f"{counts[0]} tiles in the triangle{beyond} have {what}."})

    def _corners(self, state: PlaneState) -> Content:
        rows = list(self._spanning(state))
        captions = [f"{i}: {r}" for i, r in enumerate(rows, 1)]
        return Content(
            plain={"captions": captions}, arrays={"rgba": self._set.portraits(to_unit(self.stimuli.x[rows]))}
        )

    def _triangle(self, state: PlaneState) -> Content:
        return Content(plain={"style": "bold", "closed": True}, arrays={"xy": self._on_map(state)})

    def _grips(self, state: PlaneState) -> Content:
        plain = {"labels": ["1", "2", "3"], "free": [0, 1, 2], "moves": -1}
        return Content(plain=plain, arrays={"xy": self._on_map(state)})

    def _on_map(self, state: PlaneState) -> np.ndarray:
        return self.map.points[list(self._spanning(state))].astype(np.float32)

    def _walks(self, state: PlaneState) -> tuple[Walk, ...]:
        smooth = self._set.portraits.kind == "picture"
        return (across("sheet", 2 * edges(state), ("here", "where"), smooth=smooth, stops={"corners": CORNERS}),)

    def _export(self, folder: Path):
        """The sheet, every tile, and a table about them.

        ``sheet.png``; ``tile-r1-c1.png``, … where stimuli are pictures, else ``tiles.npy``; the stimulus at the cursor;
        and ``plane.csv``, written last, with a row a tile: file, weights, code, realism, distance to the nearest data,
        and the model. An earlier export is replaced, whole.
        """
        sheet, table = self.sheet, self.sheet.to_frame()
        folder.mkdir(parents=True, exist_ok=True)
        _clear(folder)
        pictures = self._set.portraits.kind == "picture"
        files = [f"tile-r{r}-c{c}.png" if pictures else "tiles.npy" for r, c in table[["row", "column"]].to_numpy()]
        if pictures:
            for file, stimulus in zip(files, sheet.stimuli, strict=True):
                self._set.write(folder, file.removesuffix(".png"), stimulus)
        else:
            self._set.write(folder, "tiles", sheet.stimuli)
        self._set.write(folder, "cursor", self.frame.stimulus)
        write_atomically(folder / "sheet.png", as_png(contact_sheet(sheet, self._set.portraits)))
        table.insert(2, "file", files)
        codec = self._set.codec
        table["model"] = codec.fingerprint if isinstance(codec, Identified) else ""
        write_atomically(folder / "plane.csv", table.to_csv(lineterminator="\n").encode())
        self._n_files = len(set(files)) + 5

    def _exported(self, folder: Path) -> str:
        return f"{self._n_files} files written to {folder}: {len(self.sheet.places)} tiles, and plane.csv about them"

    def __repr__(self) -> str:
        return f"PlaneExplorer({self.stimuli.title!r}, anchors={self.anchors}, side={self.state.side})"


def _clear(folder: Path):
    """Take the tiles of an earlier export away, its table first."""
    table = folder / "plane.csv"
    if not table.exists():
        return
    files = {line.get("file") or "" for line in csv.DictReader(table.read_text(encoding="utf-8").splitlines())}
    table.unlink()
    for name in files:
        if TILE.fullmatch(name):
            (folder / name).unlink(missing_ok=True)
