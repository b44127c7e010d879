"""The MorphExplorer: a path through anchors, its steps, and the morph at a position that moves along it."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path as FilePath
from typing import Any, final

import numpy as np

from gaia_explore.explorers import morph_contents as contents
from gaia_explore.explorers.colours import Colours
from gaia_explore.explorers.maps import judged_by, usual_realism
from gaia_explore.explorers.morph_frames import (
    MOST_STEPS,
    MorphFrame,
    MorphState,
    Path,
    lay,
    morph_at,
)
from gaia_explore.explorers.pages import Walk
from gaia_explore.explorers.parts import Content, Leaf, Part, bar, column, now, row
from gaia_explore.explorers.set_explorer import SetExplorer
from gaia_explore.explorers.sets import CodedStimuli, coded
from gaia_explore.exports import ANIMATIONS, export_continuum
from gaia_explore.latent import Codec, Judge, Perceiver, Trainable
from gaia_explore.paths import KINDS, SPACINGS, Continuum, Neighbourhood
from gaia_explore.plots.template import PALETTE
from gaia_explore.stimuli import PackedStimuli, Stimuli
from gaia_explore.stimuli.scaling import to_unit

PAGE = 16
"""Stimuli that are suggested at a time."""

HEADINGS = {
    "about_anchors": "Anchors: drag to change their order, click to exchange one.",
    "about_suggestions": "Click a stimulus to make it an anchor (blue).",
}

LAYOUT = column(
    bar(
        Leaf(kind="choice", name="kind", label="Path"),
        Leaf(kind="choice", name="spacing", label="Equal steps in"),
        Leaf(kind="number", name="n_steps", label="Steps"),
        Leaf(kind="choice", name="animation", label="Animation of exports", options={"offline": False}),
    ),
    row(
        column(
            Leaf(kind="text", name="about_anchors", options={"offline": "Anchors: click one to go there."}),
            Leaf(
                kind="pictures",
                name="anchors",
                label="Anchor",
                options={"size": contents.SIZES["anchors"], "movable": True, "columns": 8},
            ),
            bar(
                Leaf(kind="number", name="row", label="Add the stimulus of row", options={"offline": False}),
                Leaf(kind="button", name="drop", label="Remove the chosen anchor"),
            ),
            Leaf(kind="text", name="about_suggestions", options={"offline": False}),
            Leaf(
                kind="pictures",
                name="suggestions",
                label="Suggested",
                options={"size": contents.SIZES["suggestions"], "clickable": True, "columns": 8, "offline": False},
            ),
            bar(
                Leaf(kind="button", name="earlier", label="Earlier stimuli"),
                Leaf(kind="button", name="more", label="More stimuli"),
            ),
        ),
        column(
            Leaf(kind="pictures", name="here", label="At the position", options={"size": 170}),
            Leaf(kind="text", name="where", label="Where the position is"),
        ),
    ),
    Leaf(kind="slider", name="position", label="Position", options={"play": True}),
    Leaf(kind="text", name="about_strip"),
    Leaf(
        kind="pictures",
        name="strip",
        label="Step",
        options={"size": contents.SIZES["strip"], "clickable": True, "columns": 13},
    ),
    row(
        column(
            Leaf(
                kind="chart",
                name="profile",
                label="Realism along the path: low is on the manifold",
                options={
                    "size": (480, 210),
                    "layers": (
                        ("anchors", "segments"),
                        ("usual", "lines"),
                        ("lines", "lines"),
                        ("points", "points"),
                        ("handles", "handles"),
                    ),
                    "tools": ("position",),
                    "ticks": True,
                },
            ),
        ),
        column(
            Leaf(kind="text", name="summary", label="Realism of the steps"),
            Leaf(kind="table", name="steps", label="Distances of steps"),
        ),
    ),
)


@final
class MorphExplorer(SetExplorer[MorphState]):
    """A path through anchors: its morphs in a strip, the morph at any position of it, and how realistic they are.

    Keys: in the chart, arrows move the position (with shift tenfold); on an anchor, Alt and an arrow move it, Delete
    removes it; z and y undo and redo, r resets, e exports.

    Parameters
    ----------
    codec
        Anything that encodes and decodes; its model is copied, so that training it on changes nothing here.
    stimuli
        The stimuli that anchors are taken from; all are encoded at once. Of a pack, 5,000 evenly spaced.
    anchors, kind, spacing, n_steps
        Where to begin: see :class:`MorphState`.
    judge
        Gives realism and features in place of the codec: such as a GAIA's codec, for the paths of an AE.
    out
        Folder for exports.
    """

    def __init__(
        self,
        codec: Codec | CodedStimuli,
        stimuli: Stimuli | PackedStimuli | None = None,
        *,
        anchors: tuple[int, ...] = (),
        kind: str = "linear",
        spacing: str = "latent",
        n_steps: int = 11,
        judge: Codec | Judge | None = None,
        out: str | FilePath = "explored",
    ):
        self._set = coded(codec, stimuli)
        if judge is not None and not isinstance(judge, Judge):
            raise ValueError(f"judge must tell realism, as a GAIA's codec does, got {type(judge).__name__}")
        own = judge.snapshot() if isinstance(judge, Trainable) else judge
        self._own_judge = own if isinstance(own, Judge) else None
        self._judge = self._set.codec if self._own_judge is None else self._own_judge
        self._what = judged_by(self._judge)
        self.spacings = SPACINGS if isinstance(self._judge, Perceiver) else SPACINGS[:-1]
        self._data = Neighbourhood(self._set.z)
        self._order = np.random.default_rng(0).permutation(len(self._set.stimuli))
        # Moving the position lays no path anew, and going back to one of the last paths is quick.
        self._laid = lru_cache(maxsize=8)(self._lay)
        self._looked = lru_cache(maxsize=2)(self._look)
        start = MorphState(anchors=tuple(anchors), kind=kind, spacing=spacing, n_steps=n_steps)
        super().__init__(self._checked(start), LAYOUT, out)

    @property
    def anchors(self) -> tuple[int, ...]:
        """Rows of the stimuli that the path leads through."""
        return self._through(self.state)

    @property
    def continuum(self) -> Continuum:
        """The steps of the path, as :func:`gaia_explore.continuum` gives them."""
        return self._path(self.state).continuum

    @property
    def frame(self) -> MorphFrame:
        """The morph and the pixel mix at the position."""
        return self._at(self.state)

    @cached_property
    def usual(self) -> float:
        """The realism (an error) that 95 % of the stimuli do not exceed."""
        return usual_realism(self.stimuli, self._set.neighbours, self._judge)

    def _parts(self, state: MorphState) -> dict[str, Part]:
        key, here = self._key(state), (self._key(state), state.position)
        anchors, n = self._through(state), len(self.stimuli)
        step = round(state.position * (state.n_steps - 1))
        parts = {name: now(text=text) for name, text in HEADINGS.items()} | {
            "kind": now(options=list(KINDS), value=state.kind),
            "spacing": now(options=list(self.spacings), value=state.spacing),
            "n_steps": now(value=state.n_steps, low=len(anchors), high=MOST_STEPS),
            "anchors": Part(key=(anchors, state.chosen), make=lambda: self._anchors(state)),
            "row": now(value=anchors[state.chosen], low=0, high=n - 1),
            "suggestions": Part(key=(state.page, anchors), make=lambda: self._suggestions(state)),
            "here": Part(key=here, make=lambda: self._here(state)),
            "where": Part(key=here, make=lambda: Content(plain={"text": self._at(state).morph.text, "live": True})),
            "position": Part(key=here, make=lambda: contents.slider(self._path(state), state.position)),
            "about_strip": now(text=f"{state.n_steps} steps; click one to go there. Borders: {self._what}."),
            "strip": Part(key=(key, step), make=lambda: self._strip(state)),
        }
        parts |= self._chart_parts(state)
        if self._set.portraits.kind == "picture":
            parts["animation"] = now(options=list(ANIMATIONS), value=state.animation)
        return parts

    def _event(self, state: MorphState, name: str, what: str, value: Any) -> MorphState:
        match name, what:
            case "anchors", "click":
                return self._choose(state, int(value))
            case "anchors", "order":
                return self._move_anchor(state, int(value["from"]), int(value["to"]))
            case "anchors", "remove":
                return self._remove(state, int(value))
            case "drop", "press":
                return self._remove(state, state.chosen)
            case "n_steps", "set" if int(value) < len(self._through(state)):
                raise ValueError(f"steps must be at least one an anchor, {len(self._through(state))}, got {value}")
            case "suggestions", "click":
                return self._add(state, self._suggested(state)[int(value)])
            case "row", "set":
                return self._add(state, int(value))
            case (("earlier" | "more"), "press"):
                return replace(state, page=state.page + (1 if name == "more" else -1))
            case "strip", "click":
                return replace(state, position=int(value) / (state.n_steps - 1))
            case "profile", "move":
                return replace(state, position=float(np.clip(value["at"][0], 0, 1)))
        return super()._event(state, name, what, value)

    def _choose(self, state: MorphState, place: int) -> MorphState:
        """Choose an anchor, and look at it; or choose none, if it is chosen."""
        if place == state.chosen:
            return replace(state, chosen=-1)
        at = self._path(state).continuum.anchors[place] / (state.n_steps - 1)
        return replace(state, chosen=place, position=float(at))

    def _add(self, state: MorphState, stimulus: int) -> MorphState:
        """Put a stimulus in the place of the chosen anchor, or behind them all."""
        anchors = list(self._through(state))
        if stimulus in anchors:
            return self._choose(replace(state, chosen=-1), anchors.index(stimulus))
        if state.chosen >= 0:
            anchors[state.chosen] = stimulus
        else:
            anchors.append(stimulus)
        return replace(state, anchors=tuple(anchors))

    def _move_anchor(self, state: MorphState, place: int, to: int) -> MorphState:
        anchors = list(self._through(state))
        anchors.insert(to, anchors.pop(place))
        return replace(state, anchors=tuple(anchors), chosen=-1)

    def _remove(self, state: MorphState, place: int) -> MorphState:
        anchors = list(self._through(state))
        if place < 0:
            raise ValueError("no anchor is chosen: click the one to remove")
        if len(anchors) == 2:
            raise ValueError("a path has at least 2 anchors: add one before you remove one")
        del anchors[place]
        return replace(state, anchors=tuple(anchors), chosen=-1)

    def _checked(self, state: MorphState, before: MorphState | None = None) -> MorphState:
        for argument, value, choices in (
            ("kind", state.kind, KINDS),
            ("spacing", state.spacing, self.spacings),
            ("animation", state.animation, ANIMATIONS),
        ):
            if value not in choices:
                raise ValueError(f"{argument} must be one of {', '.join(choices)}, got {value!r}")
        if state.n_steps not in range(2, MOST_STEPS + 1):
            raise ValueError(f"n_steps must be a whole number from 2 to {MOST_STEPS}, got {state.n_steps}")
        if not 0 <= state.position <= 1:
            raise ValueError(f"position must be from 0 to 1, got {state.position}")
        rows = self._set.rows("anchors", state.anchors, ordered=True)
        if len(rows) > MOST_STEPS:
            raise ValueError(f"anchors must be at most {MOST_STEPS}, got {len(rows)}")
        anchors = self._set.enough(rows, 2)
        return replace(
            state,
            anchors=rows,
            n_steps=max(state.n_steps, len(anchors)),
            # Anchors may come from another explorer, which knows of no choice and no page.
            chosen=state.chosen if 0 <= state.chosen < len(anchors) else -1,
            page=state.page % -(-len(self.stimuli) // PAGE),
        )

    def _through(self, state: MorphState) -> tuple[int, ...]:
        return self._set.enough(state.anchors, 2)

    def _key(self, state: MorphState) -> tuple[Any, ...]:
        return self._through(state), state.kind, state.spacing, state.n_steps

    def _path(self, state: MorphState) -> Path:
        return self._laid(*self._key(state))

    def _lay(self, anchors: tuple[int, ...], kind: str, spacing: str, n_steps: int) -> Path:
        state = MorphState(kind=kind, spacing=spacing, n_steps=n_steps)
        return lay(self._set, self._data, state, anchors, self._own_judge)

    def _at(self, state: MorphState) -> MorphFrame:
        return self._looked(self._key(state), state.position)

    def _look(self, key: tuple[Any, ...], position: float) -> MorphFrame:
        return morph_at(self._set, self._laid(*key), position, key[0], self._own_judge)

    def _suggested(self, state: MorphState) -> list[int]:
        return self._order[PAGE * state.page : PAGE * (state.page + 1)].tolist()

    def _anchors(self, state: MorphState) -> Content:
        rows = list(self._through(state))
        pictures = self._set.portraits.small(to_unit(self.stimuli.x[rows]), contents.SIZES["anchors"])
        captions = [f"{i}: {r}" for i, r in enumerate(rows, 1)]
        return Content(plain={"captions": captions, "chosen": state.chosen}, arrays={"rgba": pictures})

    def _suggestions(self, state: MorphState) -> Content:
        rows, anchors = self._suggested(state), self._through(state)
        pictures = self._set.portraits.small(to_unit(self.stimuli.x[rows]), contents.SIZES["suggestions"])
        borders = [PALETTE[0] if r in anchors else "" for r in rows]
        return Content(plain={"captions": list(map(str, rows)), "borders": borders}, arrays={"rgba": pictures})

    def _here(self, state: MorphState) -> Content:
        at = self._at(state)
        pictures = self._set.portraits(np.stack([at.morph.stimulus, at.mixed]))
        return Content(plain={"captions": ["morph", "pixel mix"]}, arrays={"rgba": pictures})

    def _strip(self, state: MorphState) -> Content:
        path = self._path(state)
        return contents.strip(path, state.position, self._set.portraits, self._colours(path))

    def _colours(self, path: Path) -> Colours:
        return contents.step_colours(path, self._what, self.usual)

    def _chart_parts(self, state: MorphState) -> dict[str, Part]:
        """The chart of realism, and what follows from the path alone."""
        key = self._key(state)

        def part(make: Callable[[Path], Content]) -> Part:
            return Part(key=key, make=lambda: make(self._path(state)))

        return {
            "profile": part(lambda path: contents.chart(path, self._what, self.usual)),
            "profile.anchors": part(lambda path: contents.uprights(path, self.usual)),
            "profile.usual": Part(key=(), make=lambda: contents.level(self.usual)),
            "profile.lines": part(contents.lines),
            "profile.points": part(lambda path: contents.points(path, self._colours(path))),
            "profile.handles": Part(key=state.position, make=lambda: contents.playhead(state.position)),
            "summary": part(lambda path: contents.summary(path, self._what, self.usual)),
            "steps": part(contents.distances),
        }

    def _walks(self, state: MorphState) -> tuple[Walk, ...]:
        smooth, last = self._set.portraits.kind == "picture", state.n_steps - 1
        # Every step is among the places.
        between = -(-(40 if smooth else 120) // last)
        stops = {
            "strip": [[step / last] for step in range(state.n_steps)],
            "anchors": [[step / last] for step in self._path(state).continuum.anchors.tolist()],
        }
        return (
            Walk(
                leaf="position",
                what="set",
                low=(0.0,),
                high=(1.0,),
                shape=(last * between + 1,),
                parts=("position", "here", "where", "strip"),
                charts=("profile",),
                stops=stops,
                smooth=smooth,
            ),
        )

    def _export(self, folder: FilePath):
        """The steps as a set of stimuli: see :func:`gaia_explore.export_continuum`."""
        files = export_continuum(
            self.continuum,
            folder,
            codec=self._set.codec,
            stimuli=self.stimuli,
            anchors=self.anchors,
            animation=self.state.animation,
        )
        self._n_files = len(files) + 2

    def _exported(self, folder: FilePath) -> str:
        return f"{self._n_files} files written to {folder}: {len(self.continuum)} steps, and stimuli.csv about them"

    def __repr__(self) -> str:
        state = self.state
        return (
            f"MorphExplorer({self.stimuli.title!r}, anchors={self.anchors}, kind={state.kind!r}, "
            f"spacing={state.spacing!r}, n_steps={state.n_steps})"
        )
