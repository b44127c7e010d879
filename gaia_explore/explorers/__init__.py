"""Widgets to walk through a latent space with: event → state → frame → trace.

An explorer has a frozen state, which the page and Python both move; pure functions make arrays of it; the page draws
them.

>>> exploration = explore(run.codec, stimuli)  # doctest: +SKIP
>>> exploration.selection, exploration["morph"].state  # doctest: +SKIP
"""

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
from gaia_explore.explorers.together import Exploration, explore, link
from gaia_explore.explorers.training_frames import TrainingState
from gaia_explore.explorers.training_view import TrainingView
from gaia_explore.explorers.umap_frames import UMAPState
from gaia_explore.explorers.umap_view import UMAPView
from gaia_explore.explorers.warp_explorer import WarpExplorer
from gaia_explore.explorers.warp_frames import WarpState

__all__ = [
    "AttributeEditor",
    "CompareExplorer",
    "CompareState",
    "EditorState",
    "Exploration",
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
    "link",
]
