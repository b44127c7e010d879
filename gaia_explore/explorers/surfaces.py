"""The live surface of an explorer in a notebook: one anywidget, and the messages that it and the kernel exchange.

The page asks and the kernel answers, one request at a time, or two where most of the time goes to travelling; while
these are under way the page keeps only the newest of each kind. A request is ``{type, view, seq, …}``, its answer
``{type, view, seq, milliseconds, parts, …}``, where the milliseconds are the kernel's work, with one binary buffer an
array. What Python changes of its own accord is sent to every view, with the sequence number 0.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from threading import RLock
from time import perf_counter
from typing import Any, final

import numpy as np
import traitlets
from anywidget import AnyWidget

from gaia_explore.explorers.parts import Content

Buffer = bytes | memoryview

GUARD = RLock()
"""Held while an explorer works and says so. Requests come from a second thread of the kernel while a cell runs, and
explorers may be linked and share a model: one lock for all, that they take turns, and no page hears old news last. What
takes a page seconds is done in the background; only who asks for a UMAP from Python lets the others wait."""

SCRIPTS = ("link", "marks", "chart", "controls", "explorer")
"""The files of the page's script. In a notebook, a module cannot import its neighbours: together they are one."""


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Reply:
    """What an explorer tells its surface.

    Attributes
    ----------
    type
        "frame" for parts to show, "told" for words, "error".
    plain
        Values for JSON.
    parts
        New contents by the names of their leaves or layers.
    """

    type: str
    plain: dict[str, Any] = field(default_factory=dict)
    parts: dict[str, Content] = field(default_factory=dict)

    def message(self, view: str = "", seq: int = 0, milliseconds: float = 0.0) -> tuple[dict[str, Any], list[bytes]]:
        """The answer to a request of a view after so much work, as its JSON and its buffers."""
        described, buffers = [], []
        for name, content in self.parts.items():
            arrays = [
                {"name": own, "dtype": array.dtype.name, "shape": list(array.shape)}
                for own, array in content.arrays.items()
            ]
            described.append({"name": name, "plain": content.plain, "more": content.more, "arrays": arrays})
            buffers += [np.ascontiguousarray(array).tobytes() for array in content.arrays.values()]
        plain = {"type": self.type, "view": view, "seq": seq, "milliseconds": milliseconds, "parts": described}
        return {**plain, **self.plain}, buffers


@final
class Surface(AnyWidget):
    """Shows one explorer in every cell that displays it.

    Parameters
    ----------
    answer
        Gets a request, its buffers, and a function to give the reply to. Its errors are shown in the page.
    still
        Gets a request that failed, and returns what the page has to put back.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        *,
        answer: Callable[[dict[str, Any], list[Buffer], Callable[[Reply], None]], None],
        still: Callable[[dict[str, Any]], dict[str, Content]],
    ):
        super().__init__(_esm=script(), _css=asset("explorer.css"))
        self._answer = answer
        self._still = still
        self.on_msg(self._asked)
        self._belong_to_no_shell()

    def tell(self, reply: Reply, view: str = "", seq: int = 0, began: float | None = None):
        """Send a reply, to one view's request, on which work began at a time of ``perf_counter``, or to every view."""
        content, buffers = reply.message(view, seq, 0.0 if began is None else 1000 * (perf_counter() - began))
        self.send(content, buffers)

    def send(self, content: Any, buffers: Any = None):
        """Send a message, and let no shell of the kernel own this widget."""
        super().send(content, buffers)
        self._belong_to_no_shell()

    def _belong_to_no_shell(self):
        # While a cell runs, JupyterLab has a second shell of the kernel answer widgets. But ipykernel 7.4 hands what a
        # widget says to the shell that last spoke to it, be it to make it, here that of the busy cell, unless it
        # forgets which one did.
        vars(self.comm).pop("_reply_subshell_id", None)

    def _asked(self, _widget: Any, content: dict[str, Any], buffers: list[Buffer]):
        began = perf_counter()
        view, seq = content.get("view", ""), content.get("seq", 0)
        try:
            self._answer(content, buffers, lambda reply: self.tell(reply, view, seq, began))
        except Exception as error:
            # Here it would end in a log that nobody reads, and the page would wait for ever.
            plain = {"text": f"{type(error).__name__}: {error}"}
            try:
                reply = Reply(type="error", plain=plain, parts=self._still(content))
            except Exception:
                # A broken model may break that too.
                reply = Reply(type="error", plain=plain)
            self.tell(reply, view, seq, began)


@cache
def script() -> str:
    """The page's script, one ES module."""
    return "\n".join(lean(asset(f"{name}.js")) for name in SCRIPTS)


def lean(text: str) -> str:
    """A script without its comments and indents, which every saved notebook would carry."""
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith(("//", "/**")))


def asset(name: str) -> str:
    """The text of a file that the page needs."""
    return (files("gaia_explore.explorers") / "static" / name).read_text(encoding="utf-8")
