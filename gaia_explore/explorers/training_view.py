"""The TrainingView: a training seen while it runs, in this kernel or in another process."""

import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd

from gaia_explore.explorers.explorer import Explorer
from gaia_explore.explorers.parts import Content, Part, now
from gaia_explore.explorers.pictures import Portraits
from gaia_explore.explorers.training_frames import (
    AXES,
    HELD_OUT,
    Pace,
    TrainingState,
    called,
    clouds,
    extent,
    healthy,
    held_out,
    how_far,
    latest,
    layout,
    lines,
    logarithms,
    plain_name,
    plane,
)
from gaia_explore.following import Follower
from gaia_explore.latent import training_panel
from gaia_explore.plots import drawn_history
from gaia_explore.plots.models import ROWS
from gaia_explore.plots.panels import drawn_rows
from gaia_explore.runs import Run
from gaia_explore.stimuli import PackedStimuli, Stimuli
from gaia_explore.stimuli.scaling import to_unit
from gaia_explore.training import Health, request_stop, write_atomically

POINTS = 400
"""Steps of the history that are drawn at most: a chart has about as many pixels."""

EVERY = 1.0
"""Seconds between two looks at a folder, and between two words about how far a training is."""

CROWD = 40
"""Planar stimuli that are drawn for one picture that would be."""

PIXELS = 64
"""Pixels of a picture along its side at most, so that an update stays small."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """A run as it was at one look at it."""

    name: str
    history: pd.DataFrame
    step: int
    steps: int
    health: Health
    weights_step: int | None
    panel: dict[str, np.ndarray]

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self.health.status != "healthy" or self.step >= self.steps


@final
class TrainingView(Explorer[TrainingState]):
    """Losses, paces, balances and what the model makes of a few stimuli, live while a training runs, with Stop.

    Show it, then train with it: ``view = TrainingView(stimuli)`` at the end of a cell, ``train(…, watch=view)`` in the
    next. Or give it the folder that another process trains into. Where there is no page, as in papermill, end the cell
    that trains with ``view``, for its picture.

    Watching changes no result. It takes one call of ``train(…, watch_every=…)`` to be up to date; how far the training
    is it says every second.

    Parameters
    ----------
    stimuli
        What the model reconstructs and interpolates for the eye: those of the training, or held-out ones.
    folder
        A run's ``out`` or ``resume``, written by another process; it need not be there yet. It is looked at until its
        training has ended, or until :meth:`close`.
    n, seed
        How many of the stimuli are shown, drawn at random; of planar stimuli forty times as many.
    out
        Folder for exports.
    """

    def __init__(
        self,
        stimuli: Stimuli | PackedStimuli,
        folder: str | Path | None = None,
        *,
        n: int = 10,
        seed: int = 0,
        out: str | Path = "explored",
    ):
        if not 2 <= n <= 16:
            raise ValueError(f"n must be between 2 and 16, got {n}")
        planar = stimuli.shape == (2,)
        rows = np.sort(drawn_rows(len(stimuli), min(n * CROWD, len(stimuli)) if planar else n, seed))
        chosen = stimuli.stimuli(rows) if isinstance(stimuli, PackedStimuli) else stimuli.subset(rows)
        self._x = to_unit(chosen.x)
        self._portraits = Portraits(chosen)
        self._folder = None if folder is None else Path(folder)
        self._newest: Seen | None = None
        self._seen: Seen | None = None
        self._version = 0
        self._drawn: tuple[tuple, pd.DataFrame] = ((), pd.DataFrame())
        self._problem = ""
        self._pace = Pace()
        self._looks = self._looks_then = 0
        self._running = False
        self._due = 0.0
        self._wish: str | None = None
        self._words = ""
        self._closed = threading.Event()
        super().__init__(TrainingState(), layout(planar), out)
        self._advance()
        if self._folder is not None:
            self._begin(Follower(self._folder))

    def __call__(self, run: Run):
        """Show the run as it is now: what ``train`` calls where the view is its ``watch``."""
        self._enter(run)
        # A training must not wait until another explorer has finished; the last look is worth it.
        self._renew(self._advance, wait=self._newest is not None and self._newest.ended)

    def training_begins(self):
        """Note that a training begins in this kernel, which calls this: what was wished of another is forgotten."""
        self._looks, self._looks_then, self._wish, self._pace, self._problem = 0, 0, None, Pace(), ""
        self._running = True
        self._renew(self._advance, wait=False)

    def training_ends(self):
        """Note that the training has ended, or broke off, which this hears of by no last call."""
        if self._running:
            self._problem = self._problem or "The training broke off: the cell that trained says why."
        # No step will be taken at it.
        self._pace = Pace()
        self._looks, self._looks_then, self._wish, self._running = 0, 0, None, False
        self._renew(self._advance)

    @property
    def stop_reason(self) -> str | None:
        """Why the training shall stop, which looks at this after every step; None to go on."""
        self._looks += 1
        at = time.monotonic()
        if at >= self._due:
            self._due = at + EVERY
            self._pace.note(self._looks, at)
            self._renew(self._advance, wait=False)
        return self._wish

    def stop(self):
        """End the training after the step that is running, or soon after where another process trains.

        Raises
        ------
        ValueError, FileNotFoundError
            If no training runs here, or none in the folder.
        """
        if self._running:
            self._wish = "the Stop button was pressed"
        elif self._folder is not None:
            request_stop(self._folder)
            self._wish = "asked"
        else:
            raise ValueError("a training must run to be stopped, got none: pass this view to train as watch")
        self._renew(self._advance)

    def close(self):
        """Look at the folder no more."""
        self._closed.set()

    def _begin(self, follower: Follower):
        """Look once, and go on in the background unless that was all."""
        run = follower.look()
        if run is not None:
            self._enter(run)
        self._renew(self._advance)
        if self._newest is None or not self._newest.ended:
            threading.Thread(target=self._follow, args=(follower,), name=f"follow {self._folder}", daemon=True).start()

    def _follow(self, follower: Follower):
        while not self._closed.wait(EVERY):
            try:
                run = follower.look()
                if run is not None:
                    self._enter(run)
                    self._pace.note(int(run.description["step"]), time.monotonic())
            except Exception as error:
                # A thread's error ends in a log that nobody reads; the next look may go well.
                self._problem = f"{type(error).__name__}: {error}"
            self._renew(self._advance)
            if self._newest is not None and self._newest.ended:
                return

    def _enter(self, run: Run):
        """Take note of a run; a page sees it when the lock is free."""
        try:
            newest = self._look(run)
            if newest.ended:
                self._looks, self._wish, self._pace, self._running = 0, None, Pace(), False
            self._newest, self._looks_then, self._problem = newest, self._looks, ""
        except Exception as error:
            self._problem = f"{type(error).__name__}: {error}"
            raise

    def _look(self, run: Run) -> Seen:
        about = run.description
        return Seen(
            name=f"{run.config.name} on {about['about'].get('title', 'stimuli')}",
            history=run.history,
            step=about["step"],
            steps=about["steps"],
            health=run.health,
            weights_step=run.weights_step,
            panel={} if run.weights_step is None else training_panel(run.codec, self._x),
        )

    def _advance(self):
        """Show what is newest."""
        if self._seen is not self._newest:
            self._seen = self._newest
            self._version += 1
        self._words = " ".join(filter(None, (self._where(), self._wish and "Stopping …", self._problem)))

    def _where(self) -> str:
        """How far the training is, in words."""
        seen, rate = self._seen, self._pace.steps_per_second
        if seen is None and (self._running or self._looks):
            return "A training runs; its first numbers are still to come."
        if seen is None:
            return f"Waits for a run in {self._folder}." if self._folder else "Waits for a training with watch=view."
        if seen.ended:
            kept = "Complete. " if seen.health.status == "healthy" else ""
            health = str(seen.health)
            return f"{seen.name}: {how_far(seen.step, seen.steps, np.nan)}. {kept}{health[0].upper()}{health[1:]}."
        step = min(seen.step + self._looks - self._looks_then, seen.steps)
        older = seen.weights_step is not None and seen.weights_step < seen.step
        pictures = f" Pictures after step {seen.weights_step:,}." if older else ""
        return f"{seen.name}: {how_far(step, seen.steps, rate)}. {seen.health.status.capitalize()}.{pictures}"

    def _parts(self, state: TrainingState) -> dict[str, Part]:
        parts = {
            "words": now(text=self._words),
            "smooth": now(value=state.smooth, low=1, high=100_000),
            "axis": now(options=list(AXES), value=state.axis),
        }
        seen = self._seen
        if seen is None or seen.history.empty:
            return parts
        key = (self._version, state.smooth, state.hidden)
        shown = list(self._names(seen))
        chosen = [name for name, term in self._names(seen).items() if term not in state.hidden]
        parts["terms"] = now(options=shown, chosen=chosen)
        parts["now"] = Part(
            key=key, make=lambda: Content(plain={"columns": ["", "latest"], "rows": self._latest(state)})
        )
        for chart, own in self._charts(seen).items():
            parts |= self._chart(state, chart, own, (*key, state.axis if chart == "losses" else ""))
        if HELD_OUT in seen.history:
            for layer in ("", ".line", ".looks"):
                make = partial(held_out, seen.history, layer)
                parts[f"held_out{layer}"] = Part(key=self._version, make=make)
        if seen.panel and self._portraits.kind == "point":
            parts["plane"] = Part(key="", make=lambda: plane(self._x))
            parts["plane.points"] = Part(key=self._version, make=lambda: clouds(seen.panel))
        elif seen.panel:
            parts["panel"] = Part(key=self._version, make=self._panel)
        return parts

    def _chart(self, state: TrainingState, chart: str, own: list[str], key: tuple) -> dict[str, Part]:
        """A chart of some terms, with its layers."""
        log = chart == "losses" and state.axis == "logarithmic"

        def drawn() -> pd.DataFrame:
            history = self._curves(state)
            return history.loc[history["term"].isin(own)]

        def layer(which: str, name: str = "") -> Content:
            return lines(drawn(), which, colours=own, name=name, log=log)

        def frame() -> Content:
            heights = drawn()["mean"].to_numpy(np.float64)
            words = "loss, logarithmic" if log else "loss" if chart == "losses" else "factor or weight"
            size = extent(self._last.step, logarithms(heights) if log else heights, floor=None if log else 0.0)
            return Content(plain={"extent": size, "axes": ("step", words), "log": log})

        parts = {
            chart: Part(key=key, make=frame),
            f"{chart}.mean": Part(key=key, make=lambda: layer("mean", "mean")),
        }
        if state.smooth > 1:
            parts[f"{chart}.raw"] = Part(key=key, make=lambda: layer("value"))
        if "pace_discriminator" in own and "pace_discriminator" not in state.hidden:
            parts[f"{chart}.healthy"] = Part(key=self._version, make=lambda: healthy(self._last.step))
        return parts

    @property
    def _last(self) -> Seen:
        """The run that is shown; parts that need one are made only where there is one."""
        if self._seen is None:
            raise RuntimeError("no run is shown")
        return self._seen

    def _curves(self, state: TrainingState) -> pd.DataFrame:
        """What is drawn of the history, without hidden terms."""
        key = (self._version, state.smooth)
        if self._drawn[0] != key:
            self._drawn = key, drawn_history(self._last.history, smooth=state.smooth, n_points=POINTS)
        drawn = self._drawn[1]
        return drawn.loc[~drawn["term"].isin(state.hidden)]

    def _latest(self, state: TrainingState) -> list[list[str]]:
        history = self._last.history
        return latest(history.drop(columns=[term for term in state.hidden if term in history]), state.smooth)

    def _names(self, seen: Seen) -> dict[str, str]:
        """The terms' columns by what they are called, in the order of the history."""
        return {called(term): term for term in map(str, seen.history)}

    def _charts(self, seen: Seen) -> dict[str, list[str]]:
        """The terms of each chart of lines that has any."""
        terms = [str(term) for term in seen.history if term != HELD_OUT]
        paces = [term for term in terms if term.startswith(("pace_", "w_"))]
        losses = [term for term in terms if term not in paces]
        return {name: own for name, own in (("losses", losses), ("paces", paces)) if own}

    def _panel(self) -> Content:
        """Pictures in rows: stimuli, reconstructions, interpolations, and what a discriminator makes of them.

        A model that diverged gives numbers that are not finite: those pictures are blank.
        """
        x = np.concatenate(list(self._last.panel.values()))
        broken = ~np.isfinite(x).all(axis=tuple(range(1, x.ndim)))
        x[broken] = 0
        pictures = self._portraits(x)
        pictures[broken] = 0
        step = -(-max(pictures.shape[1:3]) // PIXELS)
        names = [plain_name(ROWS[name].replace("<br>", ", ")) for name in self._last.panel]
        return Content(plain={"rows": names}, arrays={"rgba": np.ascontiguousarray(pictures[:, ::step, ::step])})

    def _event(self, state: TrainingState, name: str, what: str, value: Any) -> TrainingState:
        if name == "stop" and what == "press":
            self.stop()
            return state
        if name == "terms" and what == "set":
            names = self._names(self._last)
            others = [term for term in state.hidden if term not in names.values()]
            return replace(state, hidden=(*others, *(term for word, term in names.items() if word not in value)))
        return super()._event(state, name, what, int(value) if name == "smooth" else value)

    def _checked(self, state: TrainingState, before: TrainingState | None = None) -> TrainingState:
        if state.axis not in AXES:
            raise ValueError(f"axis must be one of {', '.join(AXES)}, got {state.axis!r}")
        if state.smooth < 1:
            raise ValueError(f"smooth must be at least 1 step, got {state.smooth}")
        return state

    def _export(self, folder: Path):
        """The history, a row a step: ``history.csv``."""
        if self._seen is not None:
            write_atomically(folder / "history.csv", self._seen.history.to_csv().encode())

    def __repr__(self) -> str:
        return f"TrainingView({self._where()!r})"
