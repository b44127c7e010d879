"""What all explorers share: a state that Python and the page both change, its history, and a picture of it."""

import base64
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Generic

import numpy as np
from jaxtyping import UInt8

from gaia_explore.explorers.drawing import draw
from gaia_explore.explorers.pages import Walk, page_of, walk_to_dict, write_pages
from gaia_explore.explorers.parts import Box, Content, Part
from gaia_explore.explorers.pictures import as_png
from gaia_explore.explorers.states import History, S, from_json, known, to_json
from gaia_explore.explorers.surfaces import GUARD, Buffer, Reply, Surface
from gaia_explore.latent import Codec, Trainable
from gaia_explore.training import write_atomically


class Explorer(ABC, Generic[S]):
    """A state, its history, and the widget that shows it (abstract).

    An explorer shows itself where a cell ends with it; where no page is there to show it, as in papermill, the cell has
    a picture. Without either, all works from Python: set :attr:`state` and look at :meth:`picture`.

    Parameters
    ----------
    state
        The state to begin with.
    layout
        What is shown where.
    out
        Folder for exports.
    """

    def __init__(self, state: S, layout: Box, out: str | Path):
        self.out = Path(out)
        self._layout = layout
        self._first = state
        self._history = History(state)
        self._surface: Surface | None = None
        self._listeners: list[Callable[[S, S], None]] = []
        self._unheard: list[tuple[S, S]] = []

    @property
    def state(self) -> S:
        """Where the explorer is; setting it moves there, in the page too, and can be undone."""
        return self._history.state

    @state.setter
    def state(self, state: S):
        self._move(lambda: self._history.enter(self._checked(state, self.state)))

    def change(self, **fields: Any):
        """Set some fields of the state."""
        with GUARD:
            self.state = replace(self.state, **known(type(self.state), fields))

    def follow(self, **fields: Any):
        """Set some fields as a linked explorer has them; what goes wrong is shown here and stops nothing there.

        All that is followed in a row is one step to undo, lest a drag there flood the history here.
        """
        try:
            with GUARD:
                after = self._checked(replace(self.state, **known(type(self.state), fields)), self.state)
                if self._surface is None:
                    # Nobody looks: what it shows is made when somebody does.
                    before = self.state
                    self._history.enter(after, "followed")
                    self._unheard.append((before, after))
                    return self._notify()
                self._move(lambda: self._history.enter(after, "followed"))
        except Exception as error:
            if self._surface is not None:
                self._surface.tell(Reply(type="error", plain={"text": f"{type(error).__name__}: {error}"}))

    @property
    def state_json(self) -> str:
        """The state as JSON, to be kept in a file and set again later, with the fingerprints of what it is of.

        Setting it raises where models or stimuli are others: ``state = other.state`` takes rows and places over.
        """
        return to_json(self.state, self._fingerprints())

    @state_json.setter
    def state_json(self, text: str):
        self.state = from_json(type(self.state), text, self._fingerprints())

    def undo(self, steps: int = 1):
        """Take the last steps back; a whole drag is one step."""
        self._move(lambda: self._history.undo(steps))

    def redo(self, steps: int = 1):
        """Take steps again that were taken back."""
        self._move(lambda: self._history.redo(steps))

    def reset(self):
        """Return to the first state, which can be undone."""
        self._move(lambda: self._history.enter(self._first))

    def watch(self, listener: Callable[[S, S], None]):
        """Call ``listener(before, after)`` after every change of the state."""
        self._listeners.append(listener)

    @property
    def widget(self) -> Surface:
        """The live surface, to be put into ipywidgets' boxes and tabs."""
        with GUARD:
            if self._surface is None:
                self._surface = Surface(answer=self._serve, still=self._still)
            return self._surface

    def picture(self) -> UInt8[np.ndarray, "h w 3"]:
        """What the page shows, as a picture without a page."""
        with GUARD:
            return draw(self._layout, self.contents())

    def contents(self) -> dict[str, Content]:
        """What stands in every leaf, and in every layer of a chart, to the end."""
        with GUARD:
            return {name: _whole(part) for name, part in self._parts(self.state).items()}

    def export(self, folder: str | Path = "") -> Path:
        """Write what is shown into a folder: the state and the picture, and what else each explorer says.

        Returns
        -------
        Path
            The folder, with ``state.json`` and ``explorer.png`` in it.
        """
        folder = Path(folder or self.out)
        with GUARD:
            self._export(folder)
            write_atomically(folder / "explorer.png", as_png(self.picture()))
            write_atomically(folder / "state.json", self.state_json.encode())
        return folder

    def to_html(self, path: str | Path) -> Path:
        """Write a page that works with no kernel and no network, and return its path.

        It shows the present state. What can be dragged in it was decoded beforehand, on a grid, and is blended between
        the places of the grid; one control at a time leaves the state, and what is not known there is not shown.
        """
        return write_pages(path, repr(self), [self.page()])

    def page(self) -> dict[str, Any]:
        """The explorer as JSON for a page without a kernel."""
        with GUARD:
            state = self.state
            walks = [self._walked(state, walk) for walk in self._walks(state)]
            stale: set[str] = set()
            if "selection" in {field.name for field in fields(state)}:
                other = () if getattr(state, "selection", ()) else (0,)
                stale = _changed(self._keys(state), self._parts(replace(state, **{"selection": other})))
            return page_of(self._layout, repr(self), self.contents(), walks, self._all_thumbnails(), sorted(stale))

    def _walked(self, state: S, walk: Walk) -> dict[str, Any]:
        """A walk from a state, with all that it shows."""
        here, contents, changed = self._keys(state), [], set[str]()
        for value in walk.values():
            parts = self._parts(self._checked(self._event(state, walk.leaf, walk.what, value), state))
            changed |= _changed(here, parts)
            contents.append({name: parts[name].make() for name in walk.parts})
        # Better nothing than what was true elsewhere.
        return walk_to_dict(walk, contents, sorted(changed - walk.kept))

    def answer(self, request: dict[str, Any], buffers: Sequence[Buffer] = ()) -> Reply:
        """Do what the page asks for, and say what it shall show.

        Requests are ``open``; ``event`` with the name of a leaf, what happened and a value; ``undo`` and ``redo`` with
        a number of ``steps``; ``reset``; ``export``; ``late`` with the name of a part; ``thumbnails`` with the number
        of a ``sheet``.
        """
        replies: list[Reply] = []
        self._serve(request, buffers, replies.append)
        return replies[0]

    def _serve(self, request: dict[str, Any], buffers: Sequence[Buffer], tell: Callable[[Reply], None]):
        """Answer; who listens hears of it after the page, whose later news from them must not be overtaken."""
        with GUARD:
            tell(self._reply(request, buffers))
            self._notify()

    def _reply(self, request: dict[str, Any], buffers: Sequence[Buffer]) -> Reply:
        before = self.state
        match request["type"]:
            case "open":
                return self._frame(None, before)
            case "event":
                value = np.frombuffer(buffers[0], "<u4").tolist() if buffers else request.get("value")
                after = self._checked(self._event(before, request["name"], request["what"], value), before)
                reply = self._take(lambda: self._history.enter(after, request.get("gesture", "")))
                # A control that was moved to where it cannot be has to come back.
                return replace(reply, parts=self._still(request) | reply.parts) if after == before else reply
            case "undo" | "redo":
                step = self._history.undo if request["type"] == "undo" else self._history.redo
                return self._take(lambda: step(int(request.get("steps", 1))))
            case "reset":
                return self._take(lambda: self._history.enter(self._first))
            case "export":
                return Reply(type="told", plain={"text": self._exported(self.export())})
            case "late":
                # It may be gone since it was asked for.
                part = self._parts(before).get(request["name"])
                return Reply(type="frame", parts={} if part is None else {request["name"]: part.make()})
            case "thumbnails":
                sheet = int(request["sheet"])
                return Reply(type="thumbnails", plain={"sheet": sheet}, parts={"": self._thumbnails(sheet)})
            case other:
                raise ValueError(f"type must be a request that {type(self).__name__} knows, got {other!r}")

    def _still(self, request: Mapping[str, Any]) -> dict[str, Content]:
        """What stands in the leaf of a request, or where the handles of its chart are, as the state has it."""
        name = request.get("name", "")
        parts = self._parts(self.state)
        own = (name, f"{name}.handles") if f"{name}.handles" in parts else (name,)
        return {part: parts[part].make() for part in own[-1:] if part in parts and not parts[part].late}

    @abstractmethod
    def _parts(self, state: S) -> dict[str, Part]:
        """What stands in each leaf, and in each layer of a chart. Called often: makes nothing itself."""

    def _checked(self, state: S, before: S | None = None) -> S:
        """The state, with what follows from a change filled in; raises if it cannot be one of this explorer's."""
        return state

    def _event(self, state: S, name: str, what: str, value: Any) -> S:
        """The state after something happened in a leaf; a control sets the field of its name."""
        if what == "set" and name in {field.name for field in fields(state)}:
            return replace(state, **known(type(state), {name: value}))
        raise ValueError(f"name must be a leaf of {type(self).__name__} that can {what}, got {name!r}")

    def _fingerprints(self) -> Mapping[str, str]:
        """What a state is of, "model" and "stimuli": without them, places and rows mean nothing."""
        return {}

    def _export(self, folder: Path):
        """Write what this explorer exports beside its state and its picture."""

    def _exported(self, folder: Path) -> str:
        """What the page says after an export."""
        return f"Written to {folder}"

    def _thumbnails(self, sheet: int) -> Content:
        """Pictures of the stimuli from row ``sheet`` · :data:`SHEET` on."""
        raise ValueError(f"{type(self).__name__} has no thumbnails")

    def _walks(self, state: S) -> tuple[Walk, ...]:
        """What can be moved in a page without a kernel."""
        return ()

    def _all_thumbnails(self) -> UInt8[np.ndarray, "n h w 4"] | None:
        """Pictures of the stimuli, for a page without a kernel; None for none."""
        return None

    def _keys(self, state: S) -> dict[str, Hashable]:
        """What each part of a state depends on."""
        return {name: part.key for name, part in self._parts(state).items()}

    def _frame(self, shown: Mapping[str, Hashable] | None, after: S) -> Reply:
        """What a page that shows parts of these keys (None: nothing yet) needs in order to show a state."""
        parts = self._parts(after)
        known = {} if shown is None else shown
        changed = {name: part for name, part in parts.items() if name not in known or known[name] != part.key}
        plain: dict[str, Any] = {
            "late": [name for name, part in changed.items() if part.late],
            "gone": [name for name in known if name not in parts],
        }
        if shown is None:
            plain |= {"layout": self._layout.to_dict(), "label": repr(self)}
        made = {name: part.make() for name, part in changed.items() if not part.late}
        return Reply(type="frame", plain=plain, parts=made)

    def _take(self, step: Callable[[], None]) -> Reply:
        """Go a step, and say what a page then shows; a step to what cannot be shown is not taken."""
        before, shown, mark = self.state, self._keys(self.state), self._history.mark()
        try:
            step()
            reply = self._frame(shown, self.state)
        except Exception:
            self._history.return_to(mark)
            raise
        if before != self.state:
            self._unheard.append((before, self.state))
        return reply

    def _notify(self):
        """Tell who listens; one who fails keeps nobody else from hearing."""
        errors = []
        while self._unheard:
            before, after = self._unheard.pop(0)
            for listener in self._listeners:
                try:
                    listener(before, after)
                except Exception as error:
                    errors.append(error)
        if errors:
            raise errors[0]

    def _renew(self, change: Callable[[], None], *, wait: bool = True) -> bool:
        """Change what parts are made of, though not the state: every page is told those whose keys are others then.

        What cannot be shown is told to the pages: whoever calls, a training or a thread, must not suffer from it.

        Returns
        -------
        bool
            Whether it was done: it is not where another explorer is at work, unless it may ``wait`` for it.
        """
        if not GUARD.acquire(blocking=wait):
            return False
        try:
            shown = self._keys(self.state)
            change()
            reply = self._frame(shown, self.state)
            if self._surface is not None and (reply.parts or any(reply.plain.values())):
                self._surface.tell(reply)
        except Exception as error:
            if self._surface is not None:
                self._surface.tell(Reply(type="error", plain={"text": f"{type(error).__name__}: {error}"}))
        finally:
            GUARD.release()
        return True

    def _move(self, step: Callable[[], None]):
        """Go a step from Python; the page follows."""
        with GUARD:
            reply = self._take(step)
            if self._surface is not None:
                self._surface.tell(reply)
            self._notify()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        shown = self.widget._repr_mimebundle_(**kwargs)
        data, metadata = shown if shown is not None else ({}, {})
        png = base64.b64encode(as_png(self.picture())).decode()
        return {**data, "text/plain": repr(self), "image/png": png}, metadata


def snapshot(codec: Codec) -> Codec:
    """The codec as of now, which no training in the same kernel changes, and which changes no training."""
    return codec.snapshot() if isinstance(codec, Trainable) else codec


def _whole(part: Part) -> Content:
    content = part.make()
    while content.more:
        content = part.make()
    return content


def _changed(keys: Mapping[str, Hashable], parts: Mapping[str, Part]) -> set[str]:
    """Names of what is no more, or is another."""
    return {name for name, key in keys.items() if name not in parts or parts[name].key != key}
