"""What explorers are made of: leaves laid out in boxes, and what stands in them.

The page (``static``) and the still (:mod:`gaia_explore.explorers.drawing`) draw these and nothing else, so that both
show the same.

A *chart* has an extent, axes and layers. Its own content is ``extent`` (left, right, bottom, top) and ``axes`` (two
texts), and ``log`` where heights are logarithms to the base 10, whose ticks are the numbers themselves; the contents of
its layers are named ``chart.layer``. Kinds of layers:

fog
    ``values`` (n, m), from the top left: darker where larger. ``what`` they are. May come in pieces, NaN until then.
points
    ``xy`` (n, 2), ``numbers`` (n,) of colours, and their ``legend``. They are what hover, box and lasso find.
selection
    ``rows`` of the chart's points that stand out, (k,).
segments, cells
    ``xy`` (n, 4) or (n, 8), corner by corner, ``numbers`` and ``legend`` or a ``style`` alone, of which cells have no
    more than a border. What is under the pointer is marked in all charts with the same ``linked`` option, by its row;
    in these, points are not found.
lines
    ``xy`` (n, 2), one line, perhaps ``closed``, of a ``style``; or with ``numbers`` and a ``legend``, a colour a line,
    where ``starts`` (k,) say at which rows lines begin.
tiles
    Pictures ``rgba`` (n, h, w, 4) whose middles lie at ``xy``, each ``size`` wide in the units of the chart;
    ``borders`` are their colours.
handles
    ``xy`` (n, 2), ``labels``, and which of them a click ``moves`` there (its row; −1 for none). Those that are
    ``upright`` are lines from top to bottom.

Styles are "plain", "faint", "dashed" and "bold". Of other leaves:

pictures
    ``rgba`` (n, h, w, 4), ``captions``, ``borders`` (colours, or ""), and the row that is ``chosen`` (−1: none). With
    names of ``rows`` they stand in as many lines of equal length, each behind its name.
slider
    ``value``, ``low``, ``high``, ``step``, ``shown`` (the value in words), ``note``; ``locked`` where it can be;
    perhaps ``disabled``. A note that takes long to make is a content of its own, ``slider.note``, with a ``text``.
choice
    ``options`` and ``value``.
checks
    ``options`` and those that are ``chosen``.
number
    ``value``, ``low``, ``high``.
text
    ``text``.
table
    ``columns`` and ``rows`` of texts.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, final

import numpy as np

Kind = Literal["chart", "pictures", "slider", "choice", "checks", "number", "button", "text", "table"]


@final
@dataclass(frozen=True, kw_only=True)
class Leaf:
    """One thing that is shown, or moved.

    Attributes
    ----------
    kind
        How it looks, see above.
    name
        Under which its content comes and its events go.
    label
        What it is, in words: for eyes where there is room, for screen readers everywhere.
    options
        What never changes: of a chart its ``layers`` (name and kind, from below), ``size`` (width, height in pixels),
        ``tools``, ``linked``, ``thumbnails`` and whether it has ``ticks``; of pictures their ``size`` in pixels, how
        many ``columns`` of them there are at most, and whether they are ``movable`` or ``clickable``; of a slider
        whether it can ``play``, and be ``lockable``. ``offline`` is False for a leaf that a page without a kernel does
        not have, or what a text says there instead. Buttons and anchors are never there.
    """

    kind: Kind
    name: str
    label: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The leaf as JSON."""
        return {"kind": self.kind, "name": self.name, "label": self.label, **self.options}


@final
@dataclass(frozen=True, kw_only=True)
class Box:
    """Leaves and boxes side by side ("row"), one below the other ("column"), or in a line that wraps ("bar")."""

    kind: Literal["row", "column", "bar"]
    children: "tuple[Box | Leaf, ...]"

    def to_dict(self) -> dict[str, Any]:
        """The box as JSON."""
        return {"kind": self.kind, "children": [child.to_dict() for child in self.children]}

    def leaves(self) -> dict[str, Leaf]:
        """All leaves inside, by name."""
        found: dict[str, Leaf] = {}
        for child in self.children:
            found |= child.leaves() if isinstance(child, Box) else {child.name: child}
        return found


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Content:
    """What stands in a leaf, or in a layer of a chart.

    Attributes
    ----------
    plain
        Values for JSON.
    arrays
        Numbers that travel as they are.
    more
        Whether it is only the beginning of a content that takes long to make: ask again.
    """

    plain: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    more: bool = False


@final
@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """A content that is made only when it is needed.

    Attributes
    ----------
    key
        All that it depends on: with the same key it is not made, or sent, again.
    make
        Makes it.
    late
        Whether the page shows the others first, and asks for this one when it has nothing else to do.
    """

    key: Hashable
    make: Callable[[], Content]
    late: bool = False


def row(*children: Box | Leaf) -> Box:
    """Side by side, as far as there is room."""
    return Box(kind="row", children=children)


def column(*children: Box | Leaf) -> Box:
    """One below the other."""
    return Box(kind="column", children=children)


def bar(*children: Box | Leaf) -> Box:
    """Controls in a line."""
    return Box(kind="bar", children=children)


def now(**plain: Any) -> Part:
    """A part that is nothing but a few plain values."""
    return Part(key=repr(plain), make=lambda: Content(plain=plain))
