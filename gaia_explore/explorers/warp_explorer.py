"""The WarpExplorer: the mesh over the hull of the codes, and what each decoder makes of it, live."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
from jaxtyping import Float64

from gaia_explore.explorers.colours import MISSING, by_value, written
from gaia_explore.explorers.explorer import Explorer
from gaia_explore.explorers.maps import judged_by, realism_of
from gaia_explore.explorers.parts import Content, Part, now
from gaia_explore.explorers.planes import Plane, make_plane
from gaia_explore.explorers.sets import CodedStimuli, all_fingerprints, coded
from gaia_explore.explorers.warp_frames import (
    LAYERS,
    SIZES,
    Warp,
    WarpState,
    chart_title,
    coloured,
    folded,
    layout,
    magnification,
    make_warp,
    near,
    scaled,
    sheet_extent,
    square_around,
    squares,
    steps,
)
from gaia_explore.latent import Codec
from gaia_explore.plots.template import NEUTRAL
from gaia_explore.stimuli import PackedStimuli, Stimuli
from gaia_explore.training import write_atomically

MOST_MODELS = 4

EXTENTS = (50, 150)

MOST_POINTS = 1000
"""Stimuli that are shown behind a mesh, evenly spaced."""

FAINT = f"{NEUTRAL}A8"
"""Of the data, on a page; a still has no shades of it."""

KEPT = 24
"""Meshes that are kept for when a slider comes back."""


@final
class WarpExplorer(Explorer[WarpState]):
    """Figure 2, live: a mesh over the convex hull of the codes, and its warp among the stimuli, model beside model.

    What is under the pointer, a cell or an edge, is marked in both. Colours are the decoder's magnification over its
    median in each model. Of pictures, and whatever else is not planar, each vertex of the mesh is shown decoded: a
    contact sheet, bordered by how realistic each is.

    Keys, in a slider: arrows move it; z and y undo and redo, r resets, e exports.

    Parameters
    ----------
    codecs
        A model, or up to four by name, which may have different numbers of latent dimensions.
    stimuli
        Whose codes the meshes are laid over.
    resolution
        Grid positions along each side to begin with; by default 24, and 9 for contact sheets.
    out
        Folder for exports.

    Raises
    ------
    ValueError
        If there are no models or more than four, or they are of different stimuli.
    """

    def __init__(
        self,
        codecs: Codec | CodedStimuli | Mapping[str, Codec | CodedStimuli],
        stimuli: Stimuli | PackedStimuli | None = None,
        *,
        resolution: int | None = None,
        out: str | Path = "explored",
    ):
        named = dict(codecs) if isinstance(codecs, Mapping) else {"": codecs}
        if not 1 <= len(named) <= MOST_MODELS:
            raise ValueError(f"codecs must be 1 to {MOST_MODELS} models, got {len(named)}")
        self._sets = [coded(codec, stimuli) for codec in named.values()]
        if any(len(own.stimuli) != len(self.stimuli) or own.stimuli.shape != self.stimuli.shape for own in self._sets):
            raise ValueError("codecs must be of the same stimuli, got sets of different lengths or shapes")
        self.models = tuple(map(str, named))
        self.planar = self.stimuli.shape == (2,)
        self.fewest = min(own.z.shape[1] for own in self._sets)
        flat = all(own.z.shape[1] == 2 for own in self._sets)
        self.planes = ("dimensions",) if flat else ("PCA", "dimensions", "stimuli")
        self.layers = LAYERS if self.planar else LAYERS[1:]  # the cells around vertices are the mesh of a sheet
        self.resolutions = (4, 60) if self.planar else (3, 15)
        self._made: dict[tuple, Any] = {}
        start = (24 if self.planar else 9) if resolution is None else resolution
        state = self._checked(WarpState(resolution=start, plane=self.planes[0], layers=self.layers))
        super().__init__(state, layout(self.models, self.planar), out)

    @property
    def stimuli(self) -> Stimuli:
        """The stimuli whose codes the meshes are laid over."""
        return self._sets[0].stimuli

    @property
    def warps(self) -> tuple[Warp, ...]:
        """The mesh of each model, and its image."""
        return tuple(self._warp(self.state, i) for i in range(len(self.models)))

    @property
    def magnifications(self) -> tuple[Float64[np.ndarray, " _"], ...]:
        """Area among the stimuli per area in Z, of each model: a number a cell, or a vertex of a contact sheet."""
        return tuple(self._magnification(self.state, i) for i in range(len(self.models)))

    def _kept(self, key: tuple, make: Callable[[], Any]) -> Any:
        """What is made once, as long as not much else is made."""
        if key not in self._made:
            while len(self._made) >= KEPT * len(self.models):
                del self._made[next(iter(self._made))]
            self._made[key] = make()
        return self._made[key]

    def _plane_key(self, state: WarpState) -> tuple:
        match state.plane:
            case "dimensions":
                return state.plane, state.dimensions
            case "stimuli":
                return state.plane, state.anchors[:3]
        return (state.plane,)

    def _key(self, state: WarpState) -> tuple:
        return self._plane_key(state), state.resolution, state.extent

    def _plane(self, state: WarpState, i: int) -> Plane:
        def make() -> Plane:
            spanning = self._sets[i].enough(state.anchors, 3)[:3]
            return make_plane(self._sets[i].z, state.plane, state.dimensions, spanning)

        return self._kept(("plane", i, self._plane_key(state)), make)

    def _warp(self, state: WarpState, i: int) -> Warp:
        plane = self._plane(state, i)
        codec = self._sets[i].codec
        return self._kept(
            ("warp", i, self._key(state)),
            lambda: make_warp(codec, plane, state.resolution, state.extent, borders=self.planar),
        )

    def _corners(self, state: WarpState, i: int) -> Float64[np.ndarray, "c 4 2"]:
        """The cells on the plane: of the mesh, or around each vertex of a contact sheet."""
        mesh = self._warp(state, i).mesh
        return mesh.vertices[mesh.cells] if self.planar else squares(mesh)

    def _magnification(self, state: WarpState, i: int) -> Float64[np.ndarray, " _"]:
        def make() -> Float64[np.ndarray, " _"]:
            return magnification(self._sets[i].codec, self._plane(state, i), self._corners(state, i))

        return self._kept(("magnification", i, self._key(state)), make)

    def _realism(self, state: WarpState, i: int) -> Float64[np.ndarray, " _"]:
        own, codes = self._sets[i], self._warp(state, i).lifted.vertices
        return self._kept(("realism", i, self._key(state)), lambda: realism_of(own.codec, own.neighbours, codes))

    def _parts(self, state: WarpState) -> dict[str, Part]:
        key = self._key(state)
        (fewest, most), (narrow, wide) = self.resolutions, EXTENTS
        parts = {
            "resolution": now(
                value=state.resolution, low=fewest, high=most, step=1, shown=f"{state.resolution} a side"
            ),
            "extent": now(value=state.extent, low=narrow, high=wide, step=5, shown=f"{state.extent} %"),
            "layers": now(options=list(self.layers), chosen=list(state.layers)),
            "table": Part(key=key, make=lambda: self._table(state), late=True),
        }
        if len(self.planes) > 1:
            parts["plane"] = now(options=list(self.planes), value=state.plane)
            if state.plane == "dimensions":
                across, up = state.dimensions
                parts["across"], parts["up"] = (now(value=at + 1, low=1, high=self.fewest) for at in (across, up))
        for i in range(len(self.models)):
            parts |= self._side(state, i, "z", key)
            parts |= self._side(state, i, "x", key) if self.planar else self._sheet(state, i, key)
        return parts

    def _side(self, state: WarpState, i: int, side: str, key: tuple) -> dict[str, Part]:
        """The latent space of a model, or its stimuli."""
        name, layers = f"{side}{i}", state.layers
        parts = {
            name: Part(key=key, make=lambda: self._chart(state, i, side)),
            f"{name}.outline": Part(key=key, make=lambda: self._outline(state, i, side)),
        }
        if state.extent != 100:
            parts[f"{name}.hull"] = Part(key=key, make=lambda: self._hull(state, i, side))
        if "data" in layers:
            parts[f"{name}.data"] = Part(key=self._plane_key(state), make=lambda: self._data(state, i, side))
        if "mesh" in layers:
            shaded = "magnification" in layers
            parts[f"{name}.mesh"] = Part(key=(key, shaded), make=lambda: self._mesh(state, i, side, shaded))
        if "magnification" in layers:
            parts[f"{name}.cells"] = Part(key=key, make=lambda: self._cells(state, i, side), late=True)
        elif not self.planar:
            parts[f"{name}.cells"] = Part(key=(key, "bare"), make=lambda: self._bare(state, i))
        return parts

    def _sheet(self, state: WarpState, i: int, key: tuple) -> dict[str, Part]:
        """The decoded vertices of a model."""
        return {
            f"x{i}": Part(key=key, make=lambda: self._sheet_chart(state, i)),
            f"x{i}.cells": Part(key=key, make=lambda: self._judged(state, i), late=True),
            f"x{i}.tiles": Part(key=key, make=lambda: self._tiles(state, i), late=True),
        }

    def _event(self, state: WarpState, name: str, what: str, value: Any) -> WarpState:
        if name in ("across", "up") and what == "set":
            across, up = state.dimensions
            chosen = int(value) - 1
            return replace(state, dimensions=(chosen, up) if name == "across" else (across, chosen))
        return super()._event(state, name, what, value)

    def _checked(self, state: WarpState, before: WarpState | None = None) -> WarpState:
        for name, value, (low, high) in (
            ("resolution", state.resolution, self.resolutions),
            ("extent", state.extent, EXTENTS),
        ):
            if not low <= value <= high:
                raise ValueError(f"{name} must be from {low} to {high}, got {value}")
        if not set(state.layers) <= set(self.layers):
            raise ValueError(f"layers must be some of {', '.join(self.layers)}, got {', '.join(state.layers)}")
        if state.plane not in self.planes:
            raise ValueError(f"plane must be one of {', '.join(self.planes)}, got {state.plane!r}")
        d = self.fewest
        if len(state.dimensions) != 2 or len(set(state.dimensions)) != 2 or not set(state.dimensions) <= set(range(d)):
            raise ValueError(f"dimensions must be two different ones from 0 to {d - 1}, got {state.dimensions}")
        anchors = self._sets[0].rows("anchors", state.anchors, ordered=True)
        return replace(state, anchors=anchors, resolution=int(state.resolution), extent=int(state.extent))

    def _chart(self, state: WarpState, i: int, side: str) -> Content:
        warps = [self._warp(state, j) for j in range(len(self.models))]
        if side == "z":
            plane = self._plane(state, i)
            points = (plane.points, warps[i].mesh.outline)
            axes = plane.axes
        else:
            # One scale for all models.
            x = self.stimuli.x
            points = (x, *(near(x, own.warped.vertices) for own in warps), *(near(x, own.hull[1]) for own in warps))
            axes = self.stimuli.names
        label = f"{chart_title(self.models[i], side, self.planar)} of {self.stimuli.title}"
        return Content(plain={"extent": square_around(*points), "axes": axes, "label": label})

    def _sheet_chart(self, state: WarpState, i: int) -> Content:
        label = f"{chart_title(self.models[i], 'x', False)}, of {self.stimuli.title}"
        extent = sheet_extent(self._warp(state, i).mesh)
        return Content(plain={"extent": extent, "axes": self._plane(state, i).axes, "label": label})

    def _on(self, state: WarpState, i: int, side: str) -> Any:
        own = self._warp(state, i)
        return own.mesh if side == "z" else own.warped

    def _outline(self, state: WarpState, i: int, side: str) -> Content:
        outline = self._on(state, i, side).outline.astype(np.float32)
        return Content(plain={"style": "bold", "closed": True}, arrays={"xy": outline})

    def _hull(self, state: WarpState, i: int, side: str) -> Content:
        hull = self._warp(state, i).hull[0 if side == "z" else 1].astype(np.float32)
        return Content(plain={"style": "dashed", "closed": True}, arrays={"xy": hull})

    def _data(self, state: WarpState, i: int, side: str) -> Content:
        points = self._plane(state, i).points if side == "z" else self.stimuli.x
        some = points[np.unique(np.linspace(0, len(points) - 1, MOST_POINTS).astype(int))].astype(np.float32)
        grey = {"name": "", "missing": FAINT}
        return Content(plain={"legend": grey}, arrays={"xy": some, "numbers": np.full(len(some), MISSING, np.uint8)})

    def _mesh(self, state: WarpState, i: int, side: str, shaded: bool) -> Content:
        mesh = self._on(state, i, side)
        ends = mesh.vertices[mesh.edges].reshape(-1, 4).astype(np.float32)
        return Content(plain={"style": "faint" if shaded else "plain", "word": "edge"}, arrays={"xy": ends})

    def _cells(self, state: WarpState, i: int, side: str) -> Content:
        logs, low, high = scaled([self._magnification(state, j) for j in range(len(self.models))])
        numbers, legend = coloured(logs[i], low, high)
        mesh = self._on(state, i, side)
        corners = mesh.vertices[mesh.cells] if self.planar else self._corners(state, i)
        plain = {"legend": legend, "word": "cell" if self.planar else "vertex"}
        return Content(plain=plain, arrays={"xy": _flat(corners), "numbers": numbers})

    def _bare(self, state: WarpState, i: int) -> Content:
        return Content(plain={"style": "faint", "word": "vertex"}, arrays={"xy": _flat(self._corners(state, i))})

    def _judged(self, state: WarpState, i: int) -> Content:
        numbers, legend = by_value(self._realism(state, i), judged_by(self._sets[i].codec))
        plain = {"legend": legend, "word": "vertex"}
        return Content(plain=plain, arrays={"xy": _flat(self._corners(state, i)), "numbers": numbers})

    def _tiles(self, state: WarpState, i: int) -> Content:
        own = self._warp(state, i)
        x = own.warped.vertices.reshape(-1, *self.stimuli.shape).astype(np.float32)
        borders = written(*by_value(self._realism(state, i), judged_by(self._sets[i].codec)))
        size = 0.88 * float(steps(own.mesh)[0])
        left, right, *_ = sheet_extent(own.mesh)
        rgba = self._sets[i].portraits.small(x, size / (right - left) * SIZES[len(self.models)])
        return Content(
            plain={"size": size, "borders": borders},
            arrays={"xy": own.mesh.vertices.astype(np.float32), "rgba": rgba},
        )

    @property
    def summary(self) -> pd.DataFrame:
        """A row a model: median magnification, how unequal it is (98 % over 2 %), and the share of cells folded over.

        Folding is known of planar stimuli only.
        """
        return self._summary(self.state)

    def _summary(self, state: WarpState) -> pd.DataFrame:
        rows = []
        for i in range(len(self.models)):
            factors = self._magnification(state, i)
            low, high = np.quantile(factors, (0.02, 0.98)) if len(factors) else (np.nan, np.nan)
            turned = folded(self._warp(state, i).warped) if self.planar else np.zeros(0)
            rows.append(
                {
                    "median magnification": float(np.median(factors)) if len(factors) else np.nan,
                    "98 % over 2 %": high / low if low > 0 else np.inf,
                    "folded over": float(turned.mean()) if len(turned) else np.nan,
                }
            )
        return pd.DataFrame(rows, index=pd.Index(self.models, name="model"))

    def _table(self, state: WarpState) -> Content:
        table = self._summary(state)
        columns = list(table) if self.planar else list(table)[:-1]
        rows = [
            [str(name), f"{median:.3g}", f"{spread:.3g} ×", f"{share:.1%}"][: len(columns) + 1]
            for name, median, spread, share in table.itertuples()
        ]
        return Content(plain={"columns": ["", *columns], "rows": rows})

    def _fingerprints(self) -> dict[str, str]:
        return all_fingerprints(self._sets)

    def _export(self, folder: Path):
        """Of each model ``NAME-vertices.csv`` (plane, code, realism, and the stimulus where it is planar), and either
        ``NAME-cells.csv`` (corners and magnification) or a stimulus a vertex in the folder ``NAME``.
        """
        state = self.state
        write_atomically(folder / "summary.csv", self.summary.to_csv().encode())
        for i, name in enumerate(file_names(self.models)):
            own, factors = self._warp(state, i), self._magnification(state, i)
            codes = [f"z{k + 1}" for k in range(own.lifted.vertices.shape[1])]
            vertices = pd.DataFrame(
                np.hstack([own.mesh.vertices, own.lifted.vertices]), columns=["across", "up", *codes]
            )
            vertices[judged_by(self._sets[i].codec)] = self._realism(state, i)
            if self.planar:
                vertices[list(self.stimuli.names)] = own.warped.vertices
                cells = pd.DataFrame(own.mesh.cells, columns=[f"corner{k + 1}" for k in range(4)])
                text = cells.assign(magnification=factors).to_csv(index_label="cell")
                write_atomically(folder / f"{name}-cells.csv", text.encode())
            else:
                vertices["magnification"] = factors
                for k, x in enumerate(own.warped.vertices.reshape(-1, *self.stimuli.shape).astype(np.float32)):
                    self._sets[i].write(folder / name, f"{k:04d}", x)
                # Of an earlier export of a finer mesh.
                for file in (folder / name).glob("[0-9]*"):
                    if file.suffix in (".png", ".npy") and file.stem.isdecimal() and int(file.stem) >= len(vertices):
                        file.unlink()
            write_atomically(folder / f"{name}-vertices.csv", vertices.to_csv(index_label="vertex").encode())

    def __repr__(self) -> str:
        models = f", models={list(self.models)}" if len(self.models) > 1 else ""
        return f"WarpExplorer({self.stimuli.title!r}, n={len(self.stimuli)}{models}, plane={self.state.plane!r})"


def file_names(models: Sequence[str]) -> list[str]:
    """Names of models as names of files; numbered where several would have the same, large and small letters alike."""
    names = [re.sub(r"[^\w=.-]+", "-", model).strip("-.") or "model" for model in models]
    made: list[str] = []
    for name in names:
        taken, number, free = {other.lower() for other in made}, 1, name
        while free.lower() in taken:
            number += 1
            free = f"{name}-{number}"
        made.append(free)
    return made


def _flat(corners: np.ndarray) -> np.ndarray:
    return corners.reshape(-1, 8).astype(np.float32)
