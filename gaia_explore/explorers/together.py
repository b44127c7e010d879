"""Several explorers of the same stimuli, linked: in tabs, or wherever one puts them."""

import base64
import json
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from threading import RLock
from typing import Any, final

import ipywidgets

from gaia_explore.explorers.attribute_editor import AttributeEditor
from gaia_explore.explorers.attribute_frames import editable
from gaia_explore.explorers.compare_explorer import CompareExplorer
from gaia_explore.explorers.explorer import Explorer
from gaia_explore.explorers.latent_explorer import LatentExplorer
from gaia_explore.explorers.morph_explorer import MorphExplorer
from gaia_explore.explorers.pages import write_pages
from gaia_explore.explorers.pictures import as_png
from gaia_explore.explorers.plane_explorer import PlaneExplorer
from gaia_explore.explorers.sets import coded
from gaia_explore.explorers.umap_view import UMAPView
from gaia_explore.explorers.warp_explorer import MOST_MODELS, WarpExplorer
from gaia_explore.latent import Codec
from gaia_explore.stimuli import PackedStimuli, Stimuli

SHARED = ("anchors", "selection")
"""Fields of states that linked explorers have in common: rows of stimuli."""


class Links:
    """Explorers that have their anchors and their selection in common."""

    def __init__(self):
        self._explorers: list[Explorer] = []
        self._shared: dict[str, tuple[int, ...]] = {}
        self._going = False

    def add(self, explorer: Explorer):
        """Let one more explorer share what the others have."""
        self._explorers.append(explorer)
        self._hand_over(explorer, self._shared)
        explorer.watch(lambda before, after: self._follow(explorer, before, after))

    def _follow(self, origin: Explorer, before: Any, after: Any):
        changed = {
            field: getattr(after, field)
            for field in SHARED
            if hasattr(after, field) and getattr(after, field) != getattr(before, field)
        }
        # Some fill in anchors that they lack; that is their own affair.
        if self._going or not changed:
            return
        self._shared |= changed
        self._going = True
        try:
            for other in self._explorers:
                if other is not origin:
                    self._hand_over(other, changed)
        finally:
            self._going = False

    def _hand_over(self, explorer: Explorer, shared: Mapping[str, tuple[int, ...]]):
        own = {field: rows for field, rows in shared.items() if hasattr(explorer.state, field)}
        if own:
            explorer.follow(**own)


def link(*explorers: Explorer):
    """Let explorers of the same stimuli share their anchors and their selection from now on."""
    links = Links()
    for explorer in explorers:
        links.add(explorer)


@final
class Exploration:
    """Explorers of one set of stimuli in tabs, made when they are first opened, with common anchors and selection.

    Each has a name, as in ``exploration["morph"]``. They are shown where a cell ends with the exploration; where there
    is no page, the cell has a picture of the first.

    Parameters
    ----------
    makers
        Functions that make the explorers, by name.
    out
        Folder for exports.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Explorer]], out: str | Path):
        self.out = Path(out)
        self._makers = dict(makers)
        self._made: dict[str, Explorer] = {}
        self._making = RLock()
        self._links = Links()
        self._tabs: ipywidgets.Tab | None = None
        self[self.names[0]]

    @property
    def names(self) -> tuple[str, ...]:
        """The explorers that there are."""
        return tuple(self._makers)

    def __getitem__(self, name: str) -> Any:
        if name not in self._makers:
            raise KeyError(f"name must be one of {', '.join(self.names)}, got {name!r}")
        if name not in self._made:
            # Not with the explorers' own lock: making one may take half a minute, and the others go on meanwhile.
            with self._making:
                new = None if name in self._made else self._makers[name]()
                if new is not None:
                    self._made[name] = new
            if new is not None:
                self._links.add(new)
        return self._made[name]

    @property
    def selection(self) -> tuple[int, ...]:
        """Row numbers of the selected stimuli."""
        return self[self.names[0]].state.selection

    @property
    def anchors(self) -> tuple[int, ...]:
        """Row numbers of the anchors, in order."""
        return self[self.names[0]].state.anchors

    @property
    def state_json(self) -> str:
        """The states of all explorers that were opened, as JSON, to be kept in a file and set again later."""
        return json.dumps({name: json.loads(explorer.state_json) for name, explorer in self._made.items()})

    @state_json.setter
    def state_json(self, text: str):
        states = json.loads(text)
        if not isinstance(states, dict):
            raise ValueError(f"states must be a JSON object, got {text[:40]!r}")
        for name, state in states.items():
            self[name].state_json = json.dumps(state)

    @property
    def widget(self) -> ipywidgets.Tab:
        """The tabs, to be put into ipywidgets' boxes."""
        if self._tabs is None:
            self._tabs = ipywidgets.Tab(
                [ipywidgets.Box() for _ in self.names],
                titles=["UMAP" if name == "umap" else name.title() for name in self.names],
            )
            self._tabs.observe(lambda change: self._open(change["new"]), "selected_index")
            self._open(0)
        return self._tabs

    def export(self, folder: str | Path = "") -> Path:
        """Export every explorer that was opened, each into a folder of its name, and return the folder around them."""
        folder = Path(folder or self.out)
        for name, explorer in self._made.items():
            explorer.export(folder / name)
        return folder

    def to_html(self, path: str | Path) -> Path:
        """Write every explorer that was opened into one page, which works with no kernel and no network."""
        return write_pages(path, repr(self), [explorer.page() for explorer in self._made.values()])

    def _open(self, number: int | None):
        """Put an explorer into its tab, the first time that the tab is selected."""
        if number is None or self._tabs is None:
            return
        box: Any = self._tabs.children[number]
        if box.children:
            return
        box.children = (ipywidgets.HTML("<p>Opening …</p>"),)
        try:
            shown: ipywidgets.Widget = self[self.names[number]].widget
        except Exception as error:
            # Here it would end in a log that nobody reads.
            shown = ipywidgets.HTML(f"<p>{escape(f'{type(error).__name__}: {error}')}</p>")
        box.children = (shown,)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data = self.widget._repr_mimebundle_(**kwargs) or {}
        png = base64.b64encode(as_png(self[self.names[0]].picture())).decode()
        return {**data, "text/plain": repr(self), "image/png": png}, {}

    def __repr__(self) -> str:
        return f"Exploration({', '.join(self.names)})"


def explore(
    codec: Codec | Mapping[str, Codec],
    stimuli: Stimuli | PackedStimuli,
    *,
    out: str | Path = "explored",
    **options: Any,
) -> Exploration:
    """Open all explorers that fit a codec and its stimuli, in tabs that share their anchors and their selection.

    Parameters
    ----------
    codec
        Anything that encodes and decodes. Or several by name, such as ``{"AE": …, "GAIA": …}``: the last one is
        explored, and all are compared.
    stimuli
        What to explore it with; of a pack, 5,000 evenly spaced.
    out
        Folder for exports.
    options
        Of the :class:`LatentExplorer`.

    Returns
    -------
    Exploration
        With "latent", "umap" (of more than two latent dimensions), "morph", "plane", "warp", "attributes" (where the
        stimuli have any that can be edited) and "compare" (of several codecs).
    """
    codecs = dict(codec) if isinstance(codec, Mapping) else {"": codec}
    if not codecs:
        raise ValueError("codec must be one, or several by name, got none")
    own = coded(list(codecs.values())[-1], stimuli)
    out = Path(out)
    makers: dict[str, Callable[[], Explorer]] = {
        "latent": lambda: LatentExplorer(own, out=out / "latent", **options),
        "umap": lambda: UMAPView(own, out=out / "umap"),
        "morph": lambda: MorphExplorer(own, out=out / "morph"),
        "plane": lambda: PlaneExplorer(own, out=out / "plane"),
        "warp": lambda: WarpExplorer(
            dict([*codecs.items()][-MOST_MODELS:]) if len(codecs) > 1 else own, own.stimuli, out=out / "warp"
        ),
        "attributes": lambda: AttributeEditor(own, out=out / "attributes"),
        "compare": lambda: CompareExplorer(codecs, own.stimuli, out=out / "compare"),
    }
    if own.z.shape[1] == 2:
        del makers["umap"]
    if editable(own.stimuli).empty:
        del makers["attributes"]
    if len(codecs) < 2:
        del makers["compare"]
    return Exploration(makers, out)
