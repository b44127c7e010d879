"""What stands in the MorphExplorer's leaves, made of a path: its steps in a strip and in a chart of their realism."""

import numpy as np

from gaia_explore.explorers.colours import Colours, by_value, written
from gaia_explore.explorers.morph_frames import Path
from gaia_explore.explorers.parts import Content
from gaia_explore.explorers.pictures import Portraits
from gaia_explore.explorers.planes import USUAL
from gaia_explore.plots.template import NEUTRAL, PALETTE

SIZES = {"anchors": 64, "suggestions": 44, "strip": 56}
"""Pixels of a picture along its longer side on the page, by leaf."""

COLOURS = {"morph": PALETTE[0], "straight line": PALETTE[2], "pixel mix": PALETTE[1]}
"""Of the lines in the chart."""

TIMES = 3
"""Times the largest error of the morph that the chart is high, at most."""

SIDES = (-0.03, 1.03)
"""Positions at the left and at the right of the chart."""


def step_colours(path: Path, what: str, usual: float) -> Colours:
    """Colours of the steps' realism: from 0 to what is usual, and beyond if steps are."""
    realism = path.continuum.realism
    return by_value(realism, what, low=0.0, high=max(usual, float(realism.max())))


def strip(path: Path, position: float, portraits: Portraits, colours: Colours) -> Content:
    """Every step, with its realism; anchors with their number before it."""
    steps = path.continuum
    captions = [f"{value:.2g}" for value in steps.realism]
    for number, step in enumerate(steps.anchors.tolist(), 1):
        captions[step] = f"{number}: {captions[step]}"
    plain = {"captions": captions, "borders": written(*colours), "chosen": path.step(position)}
    return Content(plain=plain, arrays={"rgba": portraits.small(steps.stimuli, SIZES["strip"])})


def top(path: Path, usual: float) -> float:
    """The largest error that is shown: what the morph is compared to may be far worse, and shall not make it flat."""
    own = max(usual, float(path.realism["morph"].max()))
    others = max(float(values.max()) for values in path.realism.values())
    return max(own, min(others, TIMES * own)) or 1.0


def chart(path: Path, what: str, usual: float) -> Content:
    """The room that all lines of realism need."""
    high = top(path, usual)
    axes = ("position on the path, equally far from step to step", what)
    return Content(plain={"extent": (*SIDES, -0.1 * high, 1.1 * high), "axes": axes})


def uprights(path: Path, usual: float) -> Content:
    """Faint lines where the anchors are."""
    at = path.continuum.anchors / (len(path.continuum) - 1)
    ends = np.stack([at, np.zeros_like(at), at, np.full_like(at, 1.1 * top(path, usual))], axis=1)
    return Content(plain={"style": "faint"}, arrays={"xy": ends.astype(np.float32)})


def level(usual: float) -> Content:
    """A dashed line at what is usual among the data."""
    ends = np.array([[SIDES[0], usual], [SIDES[1], usual]], np.float32)
    return Content(plain={"style": "dashed"}, arrays={"xy": ends})


def lines(path: Path) -> Content:
    """A line of realism each for the morph and for what it is compared to."""
    n = len(path.continuum)
    across = np.linspace(0, 1, n)
    places = np.concatenate([np.stack([across, values], axis=1) for values in path.realism.values()])
    palette = [COLOURS[name] for name in path.realism]
    classes = [f"{name}, at most {values.max():.2g}" for name, values in path.realism.items()]
    legend = {"name": "error of", "missing": NEUTRAL, "classes": classes, "palette": palette}
    arrays = {
        "xy": places.astype(np.float32),
        "numbers": np.arange(len(palette), dtype=np.uint8),
        "starts": n * np.arange(len(palette), dtype=np.uint32),
    }
    return Content(plain={"style": "bold", "legend": legend}, arrays=arrays)


def points(path: Path, colours: Colours) -> Content:
    """The steps, on the morph's line."""
    numbers, legend = colours
    places = np.stack([np.linspace(0, 1, len(path.continuum)), path.continuum.realism], axis=1)
    return Content(
        plain={"legend": legend, "word": "step"}, arrays={"xy": places.astype(np.float32), "numbers": numbers}
    )


def playhead(position: float) -> Content:
    """The position, as an upright line."""
    return Content(
        plain={"labels": [""], "upright": True, "moves": 0}, arrays={"xy": np.array([[position, 0]], np.float32)}
    )


def slider(path: Path, position: float) -> Content:
    """The position, in steps."""
    shown = f"step {position * (len(path.continuum) - 1):.1f}"
    return Content(plain={"value": position, "low": 0, "high": 1, "shown": shown})


def summary(path: Path, what: str, usual: float) -> Content:
    """How many steps are as realistic as data usually are, in words."""
    n, within = len(path.continuum), int((path.continuum.realism <= usual).sum())
    text = f"{within} of {n} steps have a {what} of at most {usual:.3g}, as {USUAL:.0%} of the stimuli have (dashed)."
    return Content(plain={"text": text})


def distances(path: Path) -> Content:
    """How far steps lie apart: a row a measure, with the smallest, mean and largest step and the whole way."""
    steps = path.continuum
    measures = (("in Z", steps.step_latent), ("in pixels", steps.step_pixels), ("in features", steps.step_perceptual))
    rows = [
        [name, *(f"{value:.3g}" for value in (own.min(), own.mean(), own.max(), own.sum()))]
        for name, own in ((name, values[1:]) for name, values in measures)
        if np.isfinite(own).all()
    ]
    return Content(plain={"columns": ["distance of steps", "smallest", "mean", "largest", "whole way"], "rows": rows})
