"""The UMAPView's layout and state."""

from dataclasses import dataclass
from typing import final

from gaia_explore.explorers import map_parts
from gaia_explore.explorers.parts import Leaf, bar, column, row
from gaia_explore.explorers.planes import check_place
from gaia_explore.explorers.states import State

MOST_NEIGHBOURS = 12
SMALL = 60
"""Pixels of a small picture's place on the page, along its side."""

SMALL_PICTURES = {"size": SMALL, "columns": 6}
Parameters = tuple[int | float, ...]

LAYOUT = column(
    bar(
        Leaf(kind="choice", name="colour", label="Colour"),
        Leaf(kind="number", name="n_neighbours", label="UMAP's neighbours"),
        Leaf(kind="number", name="min_dist", label="Least distance"),
        Leaf(kind="number", name="seed", label="Seed"),
        Leaf(kind="button", name="compute", label="Compute the map"),
    ),
    Leaf(kind="text", name="about", label="Which map this is"),
    row(
        column(map_parts.leaf("UMAP of latent codes", over=(("neighbours", "segments"),))),
        column(
            row(
                Leaf(kind="pictures", name="decoded", label="Decoded at the cursor", options={"size": 130}),
                Leaf(kind="pictures", name="inverse", label="By UMAP's own inverse", options={"size": 130}),
                Leaf(kind="pictures", name="mean", label="Mean of the selection, decoded", options={"size": 130}),
            ),
            bar(
                Leaf(kind="button", name="invert", label="Decode by UMAP's own inverse (takes seconds)"),
                Leaf(kind="number", name="k", label="Neighbours shown"),
            ),
            Leaf(kind="text", name="where", label="Where the cursor is"),
            Leaf(
                kind="pictures", name="near", label="Nearest in the latent space", options={"size": SMALL, "columns": 6}
            ),
            Leaf(kind="text", name="way", label="The way from anchor to anchor"),
            Leaf(kind="pictures", name="passed", label="Stimuli on the way", options=SMALL_PICTURES),
            Leaf(kind="table", name="comparison", label="The selection beside all"),
        ),
    ),
)


@final
@dataclass(frozen=True, kw_only=True)
class UMAPState(State):
    """Where a UMAPView is.

    Attributes
    ----------
    n_neighbours, min_dist, seed
        Parameters of the map that is computed next.
    made
        Those of the map that is shown; none where that is an embedding of yours.
    cursor
        In coordinates of the map that is shown.
    k
        How many neighbours of the stimulus nearest to the cursor are shown.
    anchors
        Rows of stimuli, in order: a way along neighbours leads through them.
    colour
        The attribute that colours the codes, or "none".
    selection
        Rows of the stimuli that are selected, in ascending order.
    """

    n_neighbours: int = 15
    min_dist: float = 0.1
    seed: int = 0
    made: Parameters = ()
    cursor: tuple[float, ...] = (0.0, 0.0)
    k: int = 6
    anchors: tuple[int, ...] = ()
    colour: str = "none"
    selection: tuple[int, ...] = ()

    @property
    def wanted(self) -> Parameters:
        """The parameters as a map is known by them."""
        return self.n_neighbours, self.min_dist, self.seed


def checked(state: UMAPState, n: int):
    """Raise if a state cannot be one of a map of n codes."""
    if not 2 <= state.n_neighbours < n:
        raise ValueError(f"n_neighbours must be from 2 to {n - 1}, one less than the codes, got {state.n_neighbours}")
    if not 0 <= state.min_dist <= 1:
        raise ValueError(f"min_dist must be from 0 to 1, got {state.min_dist}")
    if state.seed < 0:
        raise ValueError(f"seed must be 0 or more, got {state.seed}")
    if not 1 <= state.k <= MOST_NEIGHBOURS:
        raise ValueError(f"k must be from 1 to {MOST_NEIGHBOURS}, got {state.k}")
    check_place("cursor", state.cursor)
