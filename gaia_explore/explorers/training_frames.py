"""What the TrainingView shows, as arrays and words: lines of a history, a panel, how fast a training is."""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from jaxtyping import Float

from gaia_explore.explorers.colours import by_value
from gaia_explore.explorers.parts import Box, Content, Leaf, bar, column, row
from gaia_explore.explorers.states import State
from gaia_explore.plots.histories import HEALTHY, HEALTHY_PACE, TERMS
from gaia_explore.plots.template import NEUTRAL, PALETTE

HELD_OUT = "held_out_error"

AXES = ("logarithmic", "linear")

CLOUDS = {"X": ("stimuli", NEUTRAL), "G(X)": ("reconstructions", PALETTE[0]), "G(z_i)": ("interpolations", PALETTE[1])}
"""What is drawn of planar stimuli: what it is called, and its colour."""

Extent = tuple[float, float, float, float]


@final
@dataclass(frozen=True, kw_only=True)
class TrainingState(State):
    """How a TrainingView shows its training.

    Attributes
    ----------
    hidden
        Terms of the history that are not drawn, by their columns' names.
    smooth
        Steps in the running means, but no more than a tenth of the run's; 1 for none.
    axis
        Of the losses: "logarithmic" or "linear".
    """

    hidden: tuple[str, ...] = ()
    smooth: int = 50
    axis: str = "logarithmic"


@final
class Pace:
    """How fast a training is, by the steps of its last half minute or so.

    Parameters
    ----------
    seconds
        How far back it looks.
    """

    def __init__(self, seconds: float = 30.0):
        self._seconds = seconds
        self._marks: deque[tuple[float, int]] = deque()

    def note(self, step: int, now: float):
        """At this time, in seconds of any clock, it was at this step."""
        if self._marks and step < self._marks[-1][1]:
            self._marks.clear()
        self._marks.append((now, step))
        while len(self._marks) > 2 and now - self._marks[1][0] > self._seconds:
            self._marks.popleft()

    @property
    def steps_per_second(self) -> float:
        """NaN as long as it is not known."""
        if len(self._marks) < 2:
            return np.nan
        (before, first), (now, last) = self._marks[0], self._marks[-1]
        return (last - first) / (now - before) if now > before and last > first else np.nan


def plain_name(name: str) -> str:
    """A name without HTML: L<sub>x</sub> as L_x."""
    return re.sub("<[^>]+>", "", name.replace("<sub>", "_"))


def called(term: str) -> str:
    """What a term of the history is called where it stands alone."""
    name, _ = TERMS.get(term, (term.replace("_", " "), ""))
    return f"pace of the {name}" if term.startswith("pace_") else plain_name(name)


def how_far(step: int, steps: int, rate: float) -> str:
    """How far a training is, how fast, and how long it will take, in words."""
    words = f"step {step:,} of {steps:,}"
    if np.isfinite(rate) and step < steps:
        words += f" · {rate:,.3g} steps a second · {duration((steps - step) / rate)} left"
    return words


def duration(seconds: float) -> str:
    """A time in two units at most."""
    whole = round(seconds)
    for unit, length, smaller, part in (("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= length:
            return f"{whole // length} {unit} {whole % length // part} {smaller}"
    return f"{whole} s"


def lines(drawn: pd.DataFrame, column: str, *, colours: list[str], name: str, log: bool) -> Content:
    """Lines of some terms: a layer.

    Parameters
    ----------
    drawn
        Rows of :func:`gaia_explore.plots.drawn_history`.
    column
        "value" for the faint lines of single steps, "mean" for the bold ones of running means.
    colours
        The terms in the order of their colours, also those that are not drawn: hiding one leaves the others' colours.
    name
        What the legend is called; "" for none.
    log
        Whether the line's heights are logarithms.
    """
    known = set(drawn["term"])
    terms = [term for term in colours if term in known]
    pieces = [drawn.loc[drawn["term"] == term, ["step", column]].to_numpy(np.float64) for term in terms]
    places = np.concatenate([np.zeros((0, 2)), *pieces])
    if log:
        places[:, 1] = logarithms(places[:, 1])
    starts = np.cumsum([0, *map(len, pieces)])[:-1]
    classes = [plain_name(drawn.loc[drawn["term"] == term, "name"].iloc[0]) for term in terms]
    palette = [PALETTE[colours.index(term) % len(PALETTE)] for term in terms]
    legend = {"name": name, "missing": NEUTRAL, "classes": classes, "palette": palette}
    return Content(
        plain={"style": "faint" if column == "value" else "bold", "legend": legend},
        arrays={
            "xy": places.astype(np.float32),
            "starts": starts.astype(np.uint32),
            "numbers": np.arange(len(terms), dtype=np.uint8),
        },
    )


def logarithms(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """To the base 10; NaN where there is none."""
    return np.log10(values, out=np.full_like(values, np.nan), where=values > 0)


def extent(steps: int, values: Float[np.ndarray, " n"], *, floor: float | None = None) -> Extent:
    """The extent of a chart from the first to the last step that shows these heights."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    low = low if floor is None else floor
    margin = 0.06 * ((high - low) or abs(high) or 1.0)
    # Below there is room for the steps' numbers.
    return 0.0, float(max(steps, 1)), low - 1.5 * margin, high + margin


def latest(history: pd.DataFrame, smooth: int) -> list[list[str]]:
    """What each term is, and its mean over the last steps (of the held-out error, the last one): rows of a table."""
    rows = []
    for term, own in history.items():
        values = own.dropna()
        mean = float(values.iloc[-1 if term == HELD_OUT else -smooth :].mean()) if len(values) else np.nan
        _, meaning = TERMS.get(str(term), ("", ""))
        name = called(str(term))
        rows.append([f"{name}: {meaning}" if meaning else name, f"{mean:.4g}" if len(values) else "none yet"])
    return rows


def healthy(last: int) -> Content:
    """Where the discriminator's pace stays while neither player wins, up to the last step: a layer of cells."""
    low, high = HEALTHY_PACE
    label = f"discriminator's pace from {low:.2f} to {high:.2f}"
    legend = {"name": "healthy", "missing": NEUTRAL, "classes": [label], "palette": [HEALTHY]}
    corners = np.array([[0, low, last, low, last, high, 0, high]], np.float32)
    return Content(plain={"style": "faint", "legend": legend}, arrays={"xy": corners, "numbers": np.zeros(1, np.uint8)})


def held_out(history: pd.DataFrame, layer: str) -> Content:
    """The errors on held-out stimuli, by step: a chart (no layer), its ".line", or its points, ".looks"."""
    errors = history.loc[history[HELD_OUT].notna(), [HELD_OUT]]
    values = errors[HELD_OUT].to_numpy(np.float64)
    places = np.column_stack([errors.index, values]).astype(np.float32)
    if not layer:
        return Content(plain={"extent": extent(len(history), values), "axes": ("step", "held-out error")})
    if layer == ".line":
        return Content(plain={"style": "faint"}, arrays={"xy": places})
    numbers, legend = by_value(values, "held-out error")
    return Content(plain={"legend": legend, "word": "look"}, arrays={"xy": places, "numbers": numbers})


def plane(x: Float[np.ndarray, "n 2"]) -> Content:
    """A chart that has room for planar stimuli."""
    low, high = x.min(axis=0), x.max(axis=0)
    middle, half = (low + high) / 2, 0.6 * float((high - low).max() or 1)
    (left, bottom), (right, top) = (middle - half).tolist(), (middle + half).tolist()
    return Content(plain={"extent": (left, right, bottom, top), "axes": ("x1", "x2")})


def clouds(panel: Mapping[str, np.ndarray]) -> Content:
    """Planar stimuli, their reconstructions, and interpolations: a layer of points, without those that are nowhere."""
    own: list[Float[np.ndarray, "n 2"]] = [panel[name][np.isfinite(panel[name]).all(axis=1)] for name in CLOUDS]
    numbers = np.repeat(np.arange(len(own), dtype=np.uint8), [len(cloud) for cloud in own])
    names, palette = zip(*CLOUDS.values(), strict=True)
    legend = {"name": "in X", "missing": NEUTRAL, "classes": list(names), "palette": list(palette)}
    return Content(plain={"legend": legend}, arrays={"xy": np.concatenate(own).astype(np.float32), "numbers": numbers})


def layout(planar: bool) -> Box:
    """Charts of the history, and what the model makes of stimuli."""

    def chart(name: str, label: str, height: int, *layers: tuple[str, str], width: int = 460) -> Leaf:
        return Leaf(
            kind="chart", name=name, label=label, options={"size": (width, height), "layers": layers, "ticks": True}
        )

    both = (("raw", "lines"), ("mean", "lines"))
    told = bar(
        Leaf(kind="button", name="stop", label="Stop training"), Leaf(kind="text", name="words", label="How far")
    )
    terms = Leaf(kind="checks", name="terms", label="Draw")
    latest = Leaf(kind="table", name="now", label="The latest means")
    charts = column(
        bar(
            Leaf(kind="choice", name="axis", label="Losses"),
            Leaf(kind="number", name="smooth", label="Mean over steps"),
        ),
        chart("losses", "Losses", 220, *both),
        chart("paces", "Paces (factors of learning rates) and balances", 160, ("healthy", "cells"), *both),
        chart("held_out", "Error on held-out stimuli", 120, ("line", "lines"), ("looks", "points")),
    )
    label = "What the model makes of stimuli"
    if planar:
        clouds = chart("plane", label, 400, ("points", "points"), width=400)
        return column(told, terms, row(charts, column(clouds, latest)))
    # Rows of pictures are as wide as the page.
    panel = Leaf(kind="pictures", name="panel", label=label, options={"size": 44})
    return column(told, panel, terms, row(charts, latest))
