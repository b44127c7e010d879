"""Explorers in a file that works with no kernel: what the kernel would answer is decoded beforehand, on grids."""

import base64
import html
import json
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from types import MappingProxyType
from typing import Any, final

import numpy as np
from jaxtyping import UInt8

from gaia_explore.explorers.parts import Box, Content
from gaia_explore.explorers.pictures import encoded
from gaia_explore.explorers.surfaces import Reply, asset, lean, script
from gaia_explore.training import write_atomically

QUALITY = 70
"""Of the WebP that tiles are kept in; the best that a plane has room for."""

FINE, FEW = 90, 100_000
"""The quality where tiles are few: so many pixels at most."""

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<title>{title}</title>
<style>
body {{ margin: 16px; font: 14px system-ui, sans-serif; background: var(--jp-layout-color0, #fff); }}
h1 {{ font-size: 17px; font-weight: 600; margin: 8px 4px; color: var(--jp-ui-font-color1, #262626); }}
@media (prefers-color-scheme: dark) {{
  :root {{
    --jp-layout-color0: #111; --jp-layout-color1: #212121; --jp-border-color1: #616161;
    --jp-ui-font-color1: #fff; --jp-ui-font-color2: #bdbdbd; --jp-brand-color1: #2196f3;
  }}
}}
{style}
</style>
<div id="explorers"></div>
<script type="text/plain" id="pages">{pages}</script>
<script type="module">
{script}
</script>
</html>
"""


@final
@dataclass(frozen=True, kw_only=True)
class Walk:
    """A way to go through an explorer without a kernel: along one control, or across one chart.

    Attributes
    ----------
    leaf, what
        The event that it answers: "move" of a chart's first handle, or "set" of a slider.
    low, high, shape
        The grid: its first and last place on each axis, and the places.
    parts
        Leaves whose content is made for every place: pictures are blended between places, of all else the nearest
        shows.
    charts
        Further charts whose first handle goes the same way; along one axis, it is upright.
    stops
        Places where clicks on pictures lead, by leaf.
    smooth
        Whether pictures are blended; where they are drawings, the nearest shows.
    """

    leaf: str
    what: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    shape: tuple[int, ...]
    parts: tuple[str, ...]
    charts: tuple[str, ...] = ()
    stops: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    smooth: bool = True

    @property
    def controls(self) -> dict[str, str]:
        """What happens in which leaf."""
        return {self.leaf: self.what} | dict.fromkeys(self.charts, "move")

    @property
    def kept(self) -> set[str]:
        """Names of all contents that follow."""
        handles = {f"{name}.handles" for name, what in self.controls.items() if what == "move"}
        return {*self.parts, *self.controls, *handles}

    def values(self) -> Iterator[Any]:
        """The values of the events, place by place; the last axis is the fastest."""
        axes = [np.linspace(*limits).tolist() for limits in zip(self.low, self.high, self.shape, strict=True)]
        for place in product(*axes):
            yield {"handle": 0, "at": list(place)} if self.what == "move" else place[0]


def across(
    leaf: str,
    extent: Sequence[float],
    parts: tuple[str, ...],
    *,
    smooth: bool,
    stops: Mapping[str, Sequence[Sequence[float]]] = MappingProxyType({}),
) -> Walk:
    """A walk of a chart's cursor over its whole extent (left, right, bottom, top)."""
    left, right, bottom, top = extent
    n = 21 if smooth else 33
    low, high = (left, bottom), (right, top)
    return Walk(leaf=leaf, what="move", low=low, high=high, shape=(n, n), parts=parts, stops=stops, smooth=smooth)


def walk_to_dict(walk: Walk, contents: Sequence[dict[str, Content]], gone: Sequence[str] = ()) -> dict[str, Any]:
    """A walk as JSON, with what stands in its leaves at each place, and the names of what is not known there."""
    own = {name: getattr(walk, name) for name in ("controls", "low", "high", "shape", "smooth")}
    plain, sheets = {}, {}
    for name in walk.parts:
        made = [content[name] for content in contents]
        plain[name] = _varying([content.plain for content in made])
        if "rgba" in made[0].arrays:
            pictures = np.stack([content.arrays["rgba"] for content in made], axis=1)
            if (pictures != pictures[:, :1]).any():
                sheets[name] = [sheet(one) for one in pictures]
    return own | {"stops": dict(walk.stops), "plain": plain, "sheets": sheets, "gone": list(gone)}


def _varying(plain: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of values at each place, those that are not the same at all places."""
    names = [name for name in plain[0] if any(own[name] != plain[0][name] for own in plain)]
    return [{name: own[name] for name in names} for own in plain]


def sheet(pictures: UInt8[np.ndarray, "n h w 4"]) -> dict[str, Any]:
    """Many pictures as one WebP file, side by side and one below the other."""
    n, height, width, _ = pictures.shape
    # WebP has at most 16,383 pixels along a side.
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    whole = np.zeros((rows * columns, height, width, 4), np.uint8)
    whole[:n] = pictures
    whole = whole.reshape(rows, columns, height, width, 4).swapaxes(1, 2).reshape(rows * height, columns * width, 4)
    opacity = pictures[..., 3]
    if (opacity != opacity[:, :1, :1]).any():
        # Drawings in few colours, whose background is the same in all.
        file = encoded(whole, "WEBP", lossless=True, quality=50, method=4)
    else:
        lean = whole if (opacity < 255).any() else np.ascontiguousarray(whole[..., :3])
        file = encoded(lean, "WEBP", quality=FINE if opacity.size <= FEW else QUALITY, method=6)
    return {"file": base64.b64encode(file).decode(), "shape": (n, height, width), "columns": columns}


def page_of(
    layout: Box,
    label: str,
    contents: Mapping[str, Content],
    walks: Sequence[dict[str, Any]],
    thumbnails: UInt8[np.ndarray, "n h w 4"] | None,
    selecting: Sequence[str] = (),
) -> dict[str, Any]:
    """An explorer as JSON; ``selecting`` are the names of what is not known of another selection."""
    contents = _fitting(layout, contents)
    pictures = {name: own.arrays["rgba"] for name, own in contents.items() if len(own.arrays.get("rgba", ()))}
    others = contents | {
        name: Content(
            plain=contents[name].plain,
            arrays={array: values for array, values in contents[name].arrays.items() if array != "rgba"},
        )
        for name in pictures
    }
    message, buffers = Reply(type="frame", parts=others).message()
    return {
        "layout": layout.to_dict(),
        "label": label,
        "parts": [part | {"more": False} for part in message["parts"]],
        "buffers": [base64.b64encode(buffer).decode() for buffer in buffers],
        "sheets": {name: sheet(rgba) for name, rgba in pictures.items()},
        "walks": list(walks),
        "thumbnails": None if thumbnails is None else sheet(thumbnails),
        "selecting": list(selecting),
    }


def _fitting(layout: Box, contents: Mapping[str, Content]) -> dict[str, Content]:
    """What makes sense without a kernel, as leaves say."""
    told = {name: leaf.options["offline"] for name, leaf in layout.leaves().items() if "offline" in leaf.options}
    words = {name: Content(plain={"text": text}) for name, text in told.items() if text}
    return {name: words.get(name, own) for name, own in contents.items() if told.get(name, True)}


def write_pages(path: str | Path, title: str, pages: Sequence[dict[str, Any]]) -> Path:
    """Write explorers into one file that asks no network for anything, and return its path."""
    # Words are many and alike. And packed, no name in the data can end the script that holds it.
    data = base64.b64encode(zlib.compress(json.dumps(list(pages)).encode(), 9)).decode()
    own = PAGE.format(
        title=html.escape(title),
        style=asset("explorer.css"),
        pages=data,
        script=script() + "\n" + lean(asset("offline.js")),
    )
    write_atomically(Path(path), own.encode())
    return Path(path)
