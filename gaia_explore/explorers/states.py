"""States of explorers: frozen, written as JSON, with a history to undo and redo."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any, Generic, TypeVar, final


@dataclass(frozen=True, kw_only=True)
class State:
    """Where an explorer is: plain values, and tuples of them (abstract)."""


S = TypeVar("S", bound=State)

MOST_STATES = 200
"""Steps that can be undone; older ones are forgotten."""


def to_json(state: State, of: Mapping[str, str] = MappingProxyType({})) -> str:
    """A state as one line of JSON, with the fingerprints of what it is of."""
    return json.dumps(({"of": dict(of)} if of else {}) | asdict(state), ensure_ascii=False)


def from_json(kind: type[S], text: str, of: Mapping[str, str] = MappingProxyType({})) -> S:
    """The state that :func:`to_json` wrote; raises where it was of something else, as far as that can be told."""
    saved = json.loads(text)
    if not isinstance(saved, dict):
        raise ValueError(f"a state must be a JSON object, got {text[:40]!r}")
    was_of = saved.pop("of", {})
    for what in of:
        if what in was_of and was_of[what] != of[what]:
            raise ValueError(
                f"a state must be of {what} {of[what][:12]}…, got one of {what} {was_of[what]!s:.12}…; "
                'without its "of" it is taken for any'
            )
    return kind(**known(kind, saved))


def known(kind: type[State], values: dict[str, Any]) -> dict[str, Any]:
    """Fields of a state as JSON brings them, lists as tuples; raises for what is no field of it."""
    names = [field.name for field in fields(kind)]
    unknown = sorted(set(values) - set(names))
    if unknown:
        raise ValueError(f"a {kind.__name__} must have fields among {', '.join(names)}, got {', '.join(unknown)}")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


@final
class History(Generic[S]):
    """The states that an explorer went through, and where in them it is."""

    def __init__(self, state: S):
        self._states = [state]
        self._at = 0
        self._gesture = ""

    @property
    def state(self) -> S:
        """The present state."""
        return self._states[self._at]

    def enter(self, state: S, gesture: str = ""):
        """Go to a new state; what had been undone is forgotten.

        Parameters
        ----------
        gesture
            States of one gesture, such as a drag, are one step to undo: the last of them replaces the others.
        """
        if state == self.state:
            # A gesture that has changed nothing yet has no step that its next state could replace.
            return
        goes_on = bool(gesture) and gesture == self._gesture and self._at > 0
        self._gesture = gesture
        kept = self._states[: self._at if goes_on else self._at + 1]
        self._states = [*kept, state][-MOST_STATES:]
        self._at = len(self._states) - 1

    def undo(self, steps: int = 1):
        """Go back so many steps, as far as there are any."""
        self._at, self._gesture = max(self._at - steps, 0), ""

    def redo(self, steps: int = 1):
        """Go forth so many steps that were undone."""
        self._at, self._gesture = min(self._at + steps, len(self._states) - 1), ""

    def mark(self) -> tuple[list[S], int, str]:
        """What :meth:`return_to` needs."""
        return self._states, self._at, self._gesture

    def return_to(self, mark: tuple[list[S], int, str]):
        """Forget all since a mark."""
        self._states, self._at, self._gesture = mark
