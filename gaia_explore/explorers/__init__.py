"""Widgets to walk through a latent space with: event → state → frame → trace.

An explorer has a frozen state, which the page and Python both move; pure functions make arrays of it; the page draws
them.

>>> explorer = explore(run.codec, stimuli)  # doctest: +SKIP
>>> explorer.selection, explorer.state, explorer.picture()  # doctest: +SKIP
"""

from typing import Any

from gaia_explore.explorers.attribute_editor import AttributeEditor
from gaia_explore.explorers.attribute_frames import EditorState
from gaia_explore.explorers.compare_explorer import CompareExplorer
from gaia_explore.explorers.compare_frames import CompareState
from gaia_explore.explorers.latent_explorer import LatentExplorer
from gaia_explore.explorers.latent_frames import LatentState
from gaia_explore.explorers.morph_explorer import MorphExplorer
from gaia_explore.explorers.morph_frames import MorphState
from gaia_explore.explorers.plane_explorer import PlaneExplorer
from gaia_explore.explorers.plane_frames import PlaneState
from gaia_explore.explorers.training_frames import TrainingState
from gaia_explore.explorers.training_view import TrainingView
from gaia_explore.explorers.umap_frames import UMAPState
from gaia_explore.explorers.umap_view import UMAPView
from gaia_explore.explorers.warp_explorer import WarpExplorer
from gaia_explore.explorers.warp_frames import WarpState
from gaia_explore.latent import Codec
from gaia_explore.stimuli import Stimuli

__all__ = [
    "AttributeEditor",
    "CompareExplorer",
    "CompareState",
    "EditorState",
    "LatentExplorer",
    "LatentState",
    "MorphExplorer",
    "MorphState",
    "PlaneExplorer",
    "PlaneState",
    "TrainingState",
    "TrainingView",
    "UMAPState",
    "UMAPView",
    "WarpExplorer",
    "WarpState",
    "explore",
]


def explore(codec: Codec, stimuli: Stimuli, **options: Any) -> LatentExplorer:
    """Open what fits: the :class:`LatentExplorer`, with its options."""
    return LatentExplorer(codec, stimuli, **options)
