"""Explorers in a file that works with no kernel: what the kernel would answer is decoded beforehand, on grids."""

import base64
import html
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import UInt8

from gaia_explore.explorers.parts import Content
from gaia_explore.explorers.pictures import encoded
from gaia_explore.explorers.surfaces import Reply, asset, lean, script
from gaia_explore.training import write_atomically

QUALITY = 70
"""Of the WebP that tiles are kept in."""

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
<script type="application/json" id="pages">{pages}</script>
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
        The event that it answers: "move" of a chart's handle, or "set" of a slider.
    low, high, shape
        The grid: its first and last place on each axis, and the places.
    pictures, texts
        Leaves whose content is made for every place: pictures are blended between places, of texts the nearest shows.
    smooth
        Whether pictures are blended; where they are drawings of points, the nearest shows.
    """

    leaf: str
    what: str
    low: tuple[float, ...]
    high: tuple[float, ...]
    shape: tuple[int, ...]
    pictures: tuple[str, ...]
    texts: tuple[str, ...] = ()
    smooth: bool = True

    def values(self) -> Iterator[Any]:
        """The values of the events, place by place; the last axis is the fastest."""
        axes = [np.linspace(*limits).tolist() for limits in zip(self.low, self.high, self.shape, strict=True)]
        for place in product(*axes):
            yield {"handle": 0, "at": list(place)} if self.what == "move" else place[0]


def walk_to_dict(walk: Walk, contents: Sequence[dict[str, Content]]) -> dict[str, Any]:
    """A walk as JSON, with what stands in its leaves at each place."""
    sheets = [
        {"name": name, "sheet": sheet(np.concatenate([content[name].arrays["rgba"][:1] for content in contents]))}
        for name in walk.pictures
    ]
    texts = {name: [content[name].plain["text"] for content in contents] for name in walk.texts}
    own = {name: getattr(walk, name) for name in ("leaf", "what", "low", "high", "shape", "smooth")}
    return own | {"pictures": sheets, "texts": texts}


def sheet(pictures: UInt8[np.ndarray, "n h w 4"]) -> dict[str, Any]:
    """Many pictures as one WebP file, side by side and one below the other."""
    n, height, width, _ = pictures.shape
    # WebP has at most 16,383 pixels along a side.
    columns = math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    whole = np.zeros((rows * columns, height, width, 4), np.uint8)
    whole[:n] = pictures
    whole = whole.reshape(rows, columns, height, width, 4).swapaxes(1, 2).reshape(rows * height, columns * width, 4)
    if (pictures[..., 3] < 255).any():
        # Drawings in few colours, whose background is the same in all.
        file = encoded(whole, "WEBP", lossless=True, quality=50, method=4)
    else:
        file = encoded(np.ascontiguousarray(whole[..., :3]), "WEBP", quality=QUALITY, method=6)
    return {"file": base64.b64encode(file).decode(), "shape": (n, height, width), "columns": columns}


def page_of(
    layout: dict[str, Any],
    label: str,
    contents: dict[str, Content],
    walks: Sequence[dict[str, Any]],
    thumbnails: UInt8[np.ndarray, "n h w 4"] | None,
) -> dict[str, Any]:
    """An explorer as JSON."""
    message, buffers = Reply(type="frame", parts=contents).message()
    return {
        "layout": layout,
        "label": label,
        "parts": [part | {"more": False} for part in message["parts"]],
        "buffers": [base64.b64encode(buffer).decode() for buffer in buffers],
        "walks": list(walks),
        "thumbnails": None if thumbnails is None else sheet(thumbnails),
    }


def write_pages(path: str | Path, title: str, pages: Sequence[dict[str, Any]]) -> Path:
    """Write explorers into one file that asks no network for anything, and return its path."""
    # A name in the data must not end the script that holds it.
    data = json.dumps(list(pages), ensure_ascii=False).replace("<", "\\u003c")
    own = PAGE.format(
        title=html.escape(title),
        style=asset("explorer.css"),
        pages=data,
        script=script() + "\n" + lean(asset("offline.js")),
    )
    write_atomically(Path(path), own.encode())
    return Path(path)
