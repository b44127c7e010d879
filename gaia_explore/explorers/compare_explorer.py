"""The CompareExplorer: the same stimuli and the same morph through several models, side by side."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
from jaxtyping import Float32, Float64

from gaia_explore.explorers.colours import by_value, written
from gaia_explore.explorers.compare_frames import (
    MIXED,
    MOST_STEPS,
    CompareState,
    colours,
    errors,
    judgement,
    morphed,
    originals,
    pixel_errors,
    reconstructions,
    table,
)
from gaia_explore.explorers.drawing import draw
from gaia_explore.explorers.explorer import Explorer
from gaia_explore.explorers.pages import Walk
from gaia_explore.explorers.parts import Content, Leaf, Part, bar, column, now, row
from gaia_explore.explorers.pictures import as_png
from gaia_explore.explorers.sets import CodedStimuli, all_fingerprints, coded
from gaia_explore.latent import Codec
from gaia_explore.plots.template import NEUTRAL
from gaia_explore.stimuli import PackedStimuli, Stimuli
from gaia_explore.training import write_atomically

SHEET = Leaf(kind="pictures", name="sheet", label="Stimuli and their reconstructions", options={"size": 64})
STRIPS = Leaf(kind="pictures", name="strips", label="The morph", options={"size": 56})
HERE = Leaf(kind="pictures", name="here", label="At this position", options={"size": 104})

LAYOUT = column(
    bar(
        Leaf(kind="text", name="about", label="What is compared"),
        Leaf(kind="button", name="others", label="Next stimuli"),
    ),
    SHEET,
    bar(
        Leaf(kind="number", name="from", label="Morph from stimulus"),
        Leaf(kind="number", name="to", label="to stimulus"),
        Leaf(kind="button", name="swap", label="Swap"),
        Leaf(kind="number", name="n_steps", label="Steps"),
    ),
    STRIPS,
    Leaf(kind="slider", name="position", label="Position on the morph", options={"play": True}),
    row(
        HERE,
        column(
            Leaf(
                kind="chart",
                name="along",
                label="Realism along the morph: low is near the data",
                options={
                    "size": (420, 180),
                    "layers": (("lines", "lines"), ("handles", "handles")),
                    "ticks": True,
                    "tools": ("cursor",),
                },
            ),
            Leaf(kind="table", name="scores", label="Errors and realism by model"),
        ),
    ),
)


@final
class CompareExplorer(Explorer[CompareState]):
    """Reconstructions and a morph through several models, with mixed pixels beside them, and their realism in numbers.

    Parameters
    ----------
    codecs
        Models by name; those called as in the paper (AE, VAE, GAIA) have their usual colours. They are copied, so that
        training them on changes nothing here.
    stimuli
        The stimuli, encoded by every model. Of a pack, 5,000 evenly spaced.
    judge
        Which of the models judges the realism of all: its discriminator's error. "auto" is the first that can;
        "distance", and what "auto" is where none can, is the pixel error to the nearest stimulus.
    n_shown
        Stimuli that are reconstructed at a time.
    anchors
        Rows of the two stimuli to begin with; two that are far apart unless given.
    out
        Folder for exports.
    """

    def __init__(
        self,
        codecs: Mapping[str, Codec],
        stimuli: Stimuli | PackedStimuli,
        *,
        judge: str = "auto",
        n_shown: int = 8,
        anchors: tuple[int, ...] = (),
        out: str | Path = "explored",
    ):
        if not codecs or MIXED in codecs:
            raise ValueError(f"codecs must be one or more by name, none called {MIXED!r}, got {list(codecs)}")
        if not 1 <= n_shown <= 16:
            raise ValueError(f"n_shown must be between 1 and 16, got {n_shown}")
        self._sets: dict[str, CodedStimuli] = {}
        for name, codec in codecs.items():
            self._sets[name] = coded(codec, stimuli)
            # A pack is read once.
            stimuli = self._sets[name].stimuli
        self._first_set = next(iter(self._sets.values()))
        self._judgement = judgement(self._sets, judge)
        self._n_shown = min(n_shown, len(self.stimuli))
        self._morphs: tuple[tuple, dict[str, np.ndarray], dict[str, np.ndarray]] = ((), {}, {})
        # Several parts ask for the morph at one position, which is decoded once.
        self._looked = lru_cache(maxsize=2)(self._look)
        super().__init__(self._checked(CompareState(anchors=anchors)), LAYOUT, out)

    @property
    def stimuli(self) -> Stimuli:
        """The stimuli that are shown."""
        return self._first_set.stimuli

    @property
    def scores(self) -> pd.DataFrame:
        """A row a model and one for mixed pixels: pixel error, realism at the position, mean and worst of the morph."""
        return self._table(self.state)

    @property
    def shown(self) -> tuple[int, ...]:
        """Rows of the stimuli that are reconstructed."""
        return self._shown(self.state)

    def _parts(self, state: CompareState) -> dict[str, Part]:
        shown, ends, n = self._shown(state), state.anchors[:2], len(self.stimuli)
        path, here = (ends, state.n_steps), (ends, state.position)
        return {
            "about": now(text=f"Below reconstructions: pixel error. Below morphs: {self._judgement.what}."),
            "sheet": Part(key=shown, make=lambda: self._sheet(shown)),
            "from": now(value=ends[0], low=0, high=n - 1),
            "to": now(value=ends[1], low=0, high=n - 1),
            "n_steps": now(value=state.n_steps, low=2, high=MOST_STEPS),
            "strips": Part(key=path, make=lambda: self._strips(state)),
            "position": now(value=state.position, low=0.0, high=1.0, step=0.01),
            "here": Part(key=here, make=lambda: self._here(state)),
            "along": Part(key=path, make=lambda: self._chart(state)),
            "along.lines": Part(key=path, make=lambda: self._lines(state)),
            "along.handles": Part(key=(path, state.position), make=lambda: self._handle(state)),
            "scores": Part(key=(path, state.position), make=lambda: self._scores(state)),
        }

    def _event(self, state: CompareState, name: str, what: str, value: Any) -> CompareState:
        first, second, *others = state.anchors
        match name, what:
            case "from", "set":
                return replace(state, anchors=(int(value), first if value == second else second, *others))
            case "to", "set":
                return replace(state, anchors=(second if value == first else first, int(value), *others))
            case "swap", "press":
                return replace(state, anchors=(second, first, *others))
            case "others", "press":
                return replace(state, page=state.page + 1)
            case "along", "move":
                return replace(state, position=float(np.clip(value["at"][0], 0, 1)))
            case "position", "set":
                return replace(state, position=float(value))
        return super()._event(state, name, what, value)

    def _checked(self, state: CompareState, before: CompareState | None = None) -> CompareState:
        if not 0 <= state.position <= 1:
            raise ValueError(f"position must be from 0 to 1, got {state.position}")
        if not 2 <= state.n_steps <= MOST_STEPS:
            raise ValueError(f"n_steps must be from 2 to {MOST_STEPS}, got {state.n_steps}")
        anchors = self._first_set.rows("anchors", state.anchors, ordered=True)
        # A linked explorer may know one anchor, or none yet.
        anchors = self._first_set.enough(anchors, 2)
        selection, page = self._first_set.rows("selection", state.selection), state.page
        if before is not None and selection != before.selection and page == before.page:
            page = 0
        page %= -(-(len(selection) or len(self.stimuli)) // self._n_shown)
        return replace(state, anchors=anchors, selection=selection, page=page)

    @cached_property
    def _pixel_errors(self) -> dict[str, float]:
        return pixel_errors(self._sets)

    def _shown(self, state: CompareState) -> tuple[int, ...]:
        """A page of the selection, or else of all."""
        first = state.page * self._n_shown
        return (state.selection or tuple(range(len(self.stimuli))))[first : first + self._n_shown]

    def _morph(self, state: CompareState) -> dict[str, Float32[np.ndarray, "s *x"]]:
        """The strips by model."""
        start, end = state.anchors[:2]
        key = (start, end, state.n_steps)
        if self._morphs[0] != key:
            strips = morphed(self._sets, start, end, np.linspace(0, 1, state.n_steps))
            self._morphs = key, strips, {name: self._judgement(strip) for name, strip in strips.items()}
        return self._morphs[1]

    def _along(self, state: CompareState) -> dict[str, Float64[np.ndarray, " s"]]:
        """Realism of every step, by model."""
        self._morph(state)
        return self._morphs[2]

    def _at(self, state: CompareState) -> dict[str, tuple[np.ndarray, float]]:
        """The stimulus at the position and its realism, by model."""
        return self._looked(*state.anchors[:2], state.position)

    def _look(self, start: int, end: int, position: float) -> dict[str, tuple[np.ndarray, float]]:
        found = morphed(self._sets, start, end, np.array([position]))
        return {name: (x[0], float(self._judgement(x)[0])) for name, x in found.items()}

    def _sheet(self, shown: tuple[int, ...]) -> Content:
        x = originals(self.stimuli, shown)
        captions, made = [f"no. {row}" for row in shown], [x]
        for own in self._sets.values():
            made.append(reconstructions(own, shown))
            captions += [f"{error:.2g}" for error in errors(x, made[-1])]
        pictures = self._first_set.portraits.small(np.concatenate(made), SHEET.options["size"])
        return Content(plain={"rows": ["original", *self._sets], "captions": captions}, arrays={"rgba": pictures})

    def _strips(self, state: CompareState) -> Content:
        strips, realism = self._morph(state), np.concatenate(list(self._along(state).values()))
        return Content(
            plain={
                "rows": list(strips),
                "captions": [f"{error:.2g}" for error in realism],
                "borders": written(*by_value(realism, "realism")),
            },
            arrays={
                "rgba": self._first_set.portraits.small(np.concatenate([*strips.values()]), STRIPS.options["size"])
            },
        )

    def _here(self, state: CompareState) -> Content:
        found = self._at(state)
        pictures = self._first_set.portraits.small(np.stack([x for x, _ in found.values()]), HERE.options["size"])
        return Content(plain={"captions": list(found)}, arrays={"rgba": pictures})

    def _chart(self, state: CompareState) -> Content:
        values = np.concatenate(list(self._along(state).values()))
        top = 1.1 * float(values.max() or 1)
        return Content(plain={"extent": (0.0, 1.0, -0.08 * top, top), "axes": ("position", self._judgement.what)})

    def _lines(self, state: CompareState) -> Content:
        along = self._along(state)
        t = np.linspace(0, 1, state.n_steps)
        places = np.concatenate([np.column_stack([t, own]) for own in along.values()])
        palette = colours(list(along))
        legend = {"name": "realism", "missing": NEUTRAL, "classes": list(along), "palette": palette}
        starts, numbers = np.arange(len(along)) * state.n_steps, np.arange(len(along))
        return Content(
            plain={"style": "bold", "legend": legend},
            arrays={
                "xy": places.astype(np.float32),
                "starts": starts.astype(np.uint32),
                "numbers": numbers.astype(np.uint8),
            },
        )

    def _handle(self, state: CompareState) -> Content:
        middle = self._chart(state).plain["extent"][3] / 2
        return Content(
            plain={"labels": [""], "moves": 0, "upright": True},
            arrays={"xy": np.array([[state.position, middle]], np.float32)},
        )

    def _table(self, state: CompareState) -> pd.DataFrame:
        here = {name: error for name, (_, error) in self._at(state).items()}
        return table(self._pixel_errors, here, self._along(state))

    def _scores(self, state: CompareState) -> Content:
        scores = self._table(state)
        cells = [[str(name), *(f"{value:.3g}" for value in values)] for name, *values in scores.itertuples()]
        return Content(plain={"columns": ["", *scores.columns], "rows": cells})

    def _walks(self, state: CompareState) -> tuple[Walk, ...]:
        smooth = self._first_set.portraits.kind == "picture"
        return (
            Walk(
                leaf="position",
                what="set",
                low=(0.0,),
                high=(1.0,),
                shape=(41 if smooth else 101,),
                parts=("position", "here", "scores"),
                charts=("along",),
                smooth=smooth,
            ),
        )

    def _fingerprints(self) -> dict[str, str]:
        return all_fingerprints(self._sets.values())

    def _export(self, folder: Path):
        """The reconstructions and the morph as one sheet, ``comparison.png``; the table, ``scores.csv``; and the
        realism of every step, ``morph.csv``.
        """
        contents = self.contents()
        write_atomically(folder / "comparison.png", as_png(draw(column(SHEET, STRIPS), contents)))
        write_atomically(folder / "scores.csv", self.scores.to_csv().encode())
        along = pd.DataFrame(self._along(self.state)).rename_axis("step")
        along.insert(0, "t", np.linspace(0, 1, len(along)))
        write_atomically(folder / "morph.csv", along.to_csv().encode())

    def __repr__(self) -> str:
        return f"CompareExplorer({', '.join(self._sets)}; {self.stimuli.title!r}, n={len(self.stimuli)})"
