"""The still of an explorer, where there is no page: the same leaves with the same contents, drawn by Pillow."""

import textwrap
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped, UInt8
from PIL import Image, ImageDraw, ImageFont

from gaia_explore.explorers.colours import rgb, table_of
from gaia_explore.explorers.parts import Box, Content, Leaf
from gaia_explore.plots.template import INK, NEUTRAL

PAPER, LINE = (255, 255, 255), (189, 189, 189)

GAP = 14
"""Pixels between leaves."""

FOG = 110
"""How much darker than paper the least realistic places are, of 255."""

MANY = 4000
"""Points above which they are drawn smaller."""

LETTERS = 46
"""Letters in a line of text."""

FONT = ImageFont.load_default(13)

TYPED = str.maketrans("−–×", "--x")
"""The font has no minus, dash or times."""

Contents = Mapping[str, Content]


def draw(layout: Box, contents: Contents) -> UInt8[np.ndarray, "h w 3"]:
    """Draw all leaves of a layout, with what stands in them."""
    inner = _drawn(layout, contents) or Image.new("RGB", (1, 1), PAPER)
    page = Image.new("RGB", (inner.width + 2 * GAP, inner.height + 2 * GAP), PAPER)
    page.paste(inner, (GAP, GAP))
    return np.asarray(page)


def _drawn(node: Box | Leaf, contents: Contents) -> Image.Image | None:
    """A node as an image; None where nothing is shown."""
    if isinstance(node, Leaf):
        made: Callable[[Leaf, Contents], Image.Image | None] = _LEAVES[node.kind]
        return made(node, contents) if node.kind == "button" or node.name in contents else None
    images = [image for child in node.children if (image := _drawn(child, contents)) is not None]
    if not images:
        return None
    if node.kind == "column":
        size = max(image.width for image in images), sum(image.height + GAP for image in images) - GAP
    else:
        size = sum(image.width + GAP for image in images) - GAP, max(image.height for image in images)
    page = Image.new("RGB", size, PAPER)
    at = 0
    for image in images:
        page.paste(image, (0, at) if node.kind == "column" else (at, 0))
        at += GAP + (image.height if node.kind == "column" else image.width)
    return page


def _text(*texts: str, colour: str = INK) -> Image.Image | None:
    lines = [line for text in texts if text for line in textwrap.wrap(text.translate(TYPED), LETTERS)]
    if not lines:
        return None
    whole = "\n".join(lines)
    box = ImageDraw.Draw(Image.new("RGB", (1, 1))).multiline_textbbox((0, 0), whole, font=FONT)
    page = Image.new("RGB", (round(box[2]) + 1, round(box[3]) + 3), PAPER)
    ImageDraw.Draw(page).multiline_text((0, 0), whole, font=FONT, fill=rgb(colour))
    return page


def _words(leaf: Leaf, contents: Contents) -> Image.Image | None:
    return _text(contents[leaf.name].plain["text"])


def _control(leaf: Leaf, contents: Contents) -> Image.Image | None:
    plain = contents[leaf.name].plain
    chosen = plain["chosen"] if leaf.kind == "checks" else [plain.get("shown", plain.get("value"))]
    return _text(f"{leaf.label}: {', '.join(map(str, chosen)) or 'none'}")


def _slider(leaf: Leaf, contents: Contents) -> Image.Image | None:
    plain = contents[leaf.name].plain
    later = contents.get(f"{leaf.name}.note")
    words, note = _text(leaf.label), _text(later.plain["text"] if later else plain.get("note", ""), colour=NEUTRAL)
    shown = _text(plain.get("shown", f"{plain['value']:.3g}"))
    page = Image.new("RGB", (370, 20 + (note.height if note else 0)), PAPER)
    picture = ImageDraw.Draw(page)
    share = (plain["value"] - plain["low"]) / ((plain["high"] - plain["low"]) or 1)
    picture.line((150, 8, 290, 8), fill=LINE, width=3)
    picture.ellipse((144 + 140 * share, 2, 156 + 140 * share, 14), fill=rgb("#0072B2"))
    for image, at in ((words, (0, 0)), (shown, (304, 0)), (note, (0, 20))):
        if image is not None:
            page.paste(image, at)
    return page


def _table(leaf: Leaf, contents: Contents) -> Image.Image | None:
    plain = contents[leaf.name].plain
    lines = [plain["columns"], *plain["rows"]] if plain["rows"] else []
    if not lines:
        return None
    texts = [[str(cell) for cell in cells] for cells in lines]
    widths = [round(max(FONT.getlength(text) for text in column)) + 18 for column in zip(*texts, strict=True)]
    page = Image.new("RGB", (sum(widths), 18 * len(lines)), PAPER)
    picture = ImageDraw.Draw(page)
    for i, cells in enumerate(texts):
        ink = rgb(INK if i else NEUTRAL)
        picture.text((0, 18 * i), cells[0].translate(TYPED), font=FONT, fill=ink)
        for j, cell in enumerate(cells[1:], 2):
            picture.text((sum(widths[:j]), 18 * i), cell.translate(TYPED), font=FONT, fill=ink, anchor="ra")
    return page


def _pictures(leaf: Leaf, contents: Contents) -> Image.Image | None:
    content = contents[leaf.name]
    pictures, plain = content.arrays["rgba"], content.plain
    if not len(pictures):
        return None
    side = leaf.options["size"]
    captions = plain.get("captions") or [""] * len(pictures)
    below = 18 if any(captions) else 0
    names: list[str] = plain.get("rows", [])
    columns = len(pictures) // len(names) if names else min(len(pictures), leaf.options.get("columns", 10))
    rows = -(-len(pictures) // columns)
    before = round(max([FONT.getlength(name) + 10 for name in names], default=0))
    page = Image.new("RGB", (before + columns * (side + 8), rows * (side + 8 + below)), PAPER)
    drawn = ImageDraw.Draw(page)
    for i, name in enumerate(names):
        drawn.text((0, i * (side + 8 + below) + side // 2 - 4), name, font=FONT, fill=rgb(INK))
    for i, picture in enumerate(pictures):
        left, top = before + i % columns * (side + 8) + 3, i // columns * (side + 8 + below) + 3
        image = enlarged(picture, side)
        page.paste(image, (left, top), image)
        border = (plain.get("borders") or [""] * len(pictures))[i]
        wide = 3 if border or i == plain.get("chosen", -1) else 1
        ink = rgb(border) if border else rgb(INK) if wide > 1 else LINE
        right, bottom = left + image.width + wide - 1, top + image.height + wide - 1
        drawn.rectangle((left - wide, top - wide, right, bottom), outline=ink, width=wide)
        drawn.text((left, top + side + 4), captions[i].translate(TYPED)[: side // 6], font=FONT, fill=rgb(INK))
    return page


def enlarged(picture: UInt8[np.ndarray, "h w 4"], side: int) -> Image.Image:
    """A picture whose longer side has so many pixels."""
    own = Image.fromarray(picture)
    scale = side / max(own.size)
    how = Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.BOX
    return own.resize((round(own.width * scale), round(own.height * scale)), how)


def _chart(leaf: Leaf, contents: Contents) -> Image.Image | None:
    plain = contents[leaf.name].plain
    size = width, height = leaf.options["size"]
    left, right, bottom, top = plain["extent"]
    low, scale = np.array([left, top]), np.array([width / (right - left), -height / (top - bottom)])
    canvas = Image.new("RGB", size, PAPER)
    legends: list[Image.Image | None] = []
    chosen: np.ndarray | None = None
    for name, kind in leaf.options["layers"]:
        content = contents.get(f"{leaf.name}.{name}")
        if content is None:
            continue
        arrays = dict(content.arrays)
        if kind == "selection":
            chosen = arrays["rows"]
            continue
        if "xy" in arrays:
            corners = arrays["xy"].astype(np.float64).reshape(len(arrays["xy"]), arrays["xy"].shape[1] // 2, 2)
            arrays["xy"] = (corners - low) * scale
        _LAYERS[kind](canvas, arrays, content.plain, chosen, scale[0])
        legends.append(_legend(content.plain))
    ImageDraw.Draw(canvas).rectangle((0, 0, width - 1, height - 1), outline=LINE)
    if leaf.options.get("ticks"):
        _ticks(canvas, plain)
    axes = [f"{way}: {words}" for way, words in zip(("across", "up"), plain["axes"], strict=True) if words]
    around = [_text(leaf.label, colour=NEUTRAL), canvas, _text(*axes, colour=NEUTRAL), *legends]
    shown = [image for image in around if image is not None]
    page = Image.new("RGB", (max(image.width for image in shown), sum(image.height + 4 for image in shown)), PAPER)
    at = 0
    for image in shown:
        page.paste(image, (0, at))
        at += image.height + 4
    return page


def _ticks(canvas: Image.Image, plain: Mapping[str, Any]):
    """Write a few round numbers along the sides."""
    left, right, bottom, top = plain["extent"]
    drawn = ImageDraw.Draw(canvas)
    style = {"font": FONT, "fill": rgb(NEUTRAL), "stroke_width": 2, "stroke_fill": PAPER}
    for x in ticks(left, right):
        drawn.text(((x - left) / (right - left) * canvas.width + 2, canvas.height - 17), f"{x:.4g}", **style)
    for y in ticks(bottom, top):
        shown = 10**y if plain.get("log") else y
        drawn.text((3, (top - y) / (top - bottom) * canvas.height - 8), f"{shown:.3g}", **style)


def ticks(low: float, high: float) -> list[float]:
    """A few round numbers between two."""
    power = 10.0 ** np.floor(np.log10((high - low) / 4))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= (high - low) / 4)
    return [float(i * step) for i in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]


def _legend(plain: Mapping[str, Any]) -> Image.Image | None:
    legend = plain.get("legend") or {}
    if plain.get("what"):
        return _text(f"Grey: {plain['what']}, more where darker", colour=NEUTRAL)
    if not legend.get("name"):
        return None
    colours = table_of(legend).tolist()
    if "classes" in legend:
        entries = [(label, tuple(colours[i])) for i, label in enumerate(legend["classes"][:8])]
    elif "scale" in legend:
        low, high = (10**end if legend.get("log") else end for end in (legend["low"], legend["high"]))
        entries = [(f"{low:.3g}", tuple(colours[0])), (f"{high:.3g}", tuple(colours[254]))]
    else:
        return None
    page = Image.new("RGB", (460, 18), PAPER)
    picture = ImageDraw.Draw(page)
    name = legend["name"].translate(TYPED)
    picture.text((0, 0), name, font=FONT, fill=rgb(INK))
    at = picture.textlength(name, font=FONT) + 14
    for label, colour in entries:
        picture.ellipse((at, 4, at + 9, 13), fill=colour)
        picture.text((at + 13, 0), label, font=FONT, fill=rgb(NEUTRAL))
        at += 27 + picture.textlength(label, font=FONT)
    # No wider than what it says, or it would widen its chart.
    return page.crop((0, 0, min(round(at), page.width), page.height))


Arrays = dict[str, Any]
Chosen = Shaped[np.ndarray, " k"] | None


def _inks(arrays: Arrays, plain: Mapping[str, Any]) -> list[tuple[int, ...]]:
    """A colour for each mark of a layer."""
    if "numbers" in arrays:
        colours = table_of(plain["legend"]).astype(int)
        paler = 255 - (255 - colours) * 2 // 5 if plain.get("style") == "faint" else colours
        table = list(map(tuple, paler.tolist()))
        return [table[number] for number in arrays["numbers"].tolist()]
    return [rgb(NEUTRAL if plain.get("style") == "faint" else INK)] * len(arrays["xy"])


def _fog(canvas: Image.Image, arrays: Arrays, plain: Mapping[str, Any], chosen: Chosen, scale: float):
    values = arrays["values"]
    known = values[np.isfinite(values)]
    if not known.size:
        return
    low, high = np.quantile(known, [0.02, 0.98])
    fog = np.nan_to_num(np.clip((values - low) / ((high - low) or 1), 0, 1))
    grey = Image.fromarray((255 - FOG * fog).astype(np.uint8)).resize(canvas.size, Image.Resampling.BILINEAR)
    canvas.paste(grey.convert("RGB"))


def _points(canvas: Image.Image, arrays: Arrays, plain: Mapping[str, Any], chosen: Chosen, scale: float):
    inks = np.array(_inks(arrays, plain), np.uint8).reshape(-1, 3)
    if chosen is not None and len(chosen):
        faint = np.setdiff1d(np.arange(len(inks)), chosen)
        inks[faint] = 255 - (255 - inks[faint].astype(int)) // 4
    if len(inks) > MANY:
        return _dots(canvas, arrays["xy"][:, 0], inks)
    picture, radius = ImageDraw.Draw(canvas), 1.6
    for (x, y), ink in zip(arrays["xy"][:, 0].tolist(), inks.tolist(), strict=True):
        picture.ellipse((x - radius, y - radius, x + radius, y + radius), fill=tuple(ink))


def _dots(canvas: Image.Image, places: Float64[np.ndarray, "n 2"], inks: UInt8[np.ndarray, "n 3"]):
    """Crosses of five pixels, all at once: circles one by one would take a second for 50,000."""
    pixels = np.array(canvas)
    for step in ((0, -1), (-1, 0), (1, 0), (0, 1), (0, 0)):
        x, y = (np.floor(places).astype(int) + step).T
        shown = (x >= 0) & (x < canvas.width) & (y >= 0) & (y < canvas.height)
        pixels[y[shown], x[shown]] = inks[shown]
    canvas.paste(Image.fromarray(pixels))


def _segments(canvas: Image.Image, arrays: Arrays, plain: Mapping[str, Any], chosen: Chosen, scale: float):
    picture = ImageDraw.Draw(canvas)
    for ends, ink in zip(arrays["xy"].reshape(-1, 4).tolist(), _inks(arrays, plain), strict=True):
        picture.line(ends, fill=ink)


def _cells(canvas: Image.Image, arrays: Arrays, plain: Mapping[str, Any], chosen: Chosen, scale: float):
    picture = ImageDraw.Draw(canvas)
    for corners, ink in zip(arrays["xy"].reshape(-1, 8).tolist(), _inks(arrays, plain), strict=True):
        picture.polygon(corners, fill=ink if "numbers" in arrays else None, outline=ink)


def _lines(canvas: Image.Image, arrays: Arrays, plain: Mapping[str, Any], chosen: Chosen, scale: float):
    picture = ImageDraw.Draw(canvas)
    places = arrays["xy"].reshape(-1, 2)
    starts = arrays["starts"].tolist() if "starts" in arrays else [0]
    inks = _inks(arrays, plain) if "numbers" in arrays else _inks({"xy": starts}, plain)
    width = 2 if plain.get("style") == "bold" else 1
    for own, ink in zip(np.split(places, starts[1:]), inks, strict=True):
        closed = np.concatenate([own, own[:1]]) if plain.get("closed") else own
        # A line breaks where a number is missing.
        for piece in np.split(closed, np.flatnonzero(~np.isfinite(closed).all(axis=1))):
            whole = piece[np.isfinite(piece).all(axis=1)]
            if len(whole) > 1:
                picture.line([tuple(place) for place in whole.tolist()], fill=ink, width=width)


def _tiles(canvas: Image.Image, arrays: Arrays, plain: Mapping[str, Any], chosen: Chosen, scale: float):
    side = max(round(plain["size"] * scale), 1)
    picture = ImageDraw.Draw(canvas)
    for i, (x, y) in enumerate(arrays["xy"][:, 0].tolist()):
        image = enlarged(arrays["rgba"][i], side)
        left, top = round(x - image.width / 2), round(y - image.height / 2)
        canvas.paste(image, (left, top), image)
        border = plain["borders"][i]
        if border:
            picture.rectangle((left, top, left + image.width - 1, top + image.height - 1), outline=rgb(border), width=2)


def _handles(canvas: Image.Image, arrays: Arrays, plain: Mapping[str, Any], chosen: Chosen, scale: float):
    picture = ImageDraw.Draw(canvas)
    for (x, y), label in zip(arrays["xy"][:, 0].tolist(), plain["labels"], strict=True):
        if plain.get("upright"):
            picture.line((x, 0, x, canvas.height), fill=rgb(INK), width=2)
            continue
        for radius, ink in ((8, PAPER), (7, rgb(INK))):
            picture.ellipse((x - radius, y - radius, x + radius, y + radius), outline=ink, width=2)
        if label:
            picture.text((x + 11, y - 7), label, font=FONT, fill=rgb(INK), stroke_width=2, stroke_fill=PAPER)
        else:
            picture.line((x - 12, y, x + 12, y), fill=rgb(INK))
            picture.line((x, y - 12, x, y + 12), fill=rgb(INK))


_LEAVES: dict[str, Callable[[Leaf, Contents], Image.Image | None]] = {
    "chart": _chart,
    "pictures": _pictures,
    "slider": _slider,
    "choice": _control,
    "checks": _control,
    "number": _control,
    "button": lambda leaf, contents: None,
    "text": _words,
    "table": _table,
}
_LAYERS: dict[str, Callable[[Image.Image, Arrays, Mapping[str, Any], Chosen, float], None]] = {
    "fog": _fog,
    "points": _points,
    "segments": _segments,
    "cells": _cells,
    "lines": _lines,
    "tiles": _tiles,
    "handles": _handles,
}
