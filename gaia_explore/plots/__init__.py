"""Arrays in, Plotly figures out: warps, codes, pictures, histories and comparisons, all in one look.

Figures are vector graphics throughout: a page has few WebGL contexts, and a grid of panels would use them up.
"""

from gaia_explore.plots.animations import Animation, animate
from gaia_explore.plots.attributes import edits, entanglement_matrix, portraits
from gaia_explore.plots.comparisons import frontier, support_over_t, table_one
from gaia_explore.plots.histories import drawn_history, history
from gaia_explore.plots.live import live_panel
from gaia_explore.plots.models import morphs, reconstructions, training_panel
from gaia_explore.plots.pages import write_html
from gaia_explore.plots.pictures import contact_sheet
from gaia_explore.plots.scatters import codes_and_decodings, codes_grid, stimuli
from gaia_explore.plots.template import MODEL_COLOURS, TEMPLATE
from gaia_explore.plots.warps import warp, warp_grid

__all__ = [
    "MODEL_COLOURS",
    "TEMPLATE",
    "Animation",
    "animate",
    "codes_and_decodings",
    "codes_grid",
    "contact_sheet",
    "drawn_history",
    "edits",
    "entanglement_matrix",
    "frontier",
    "history",
    "live_panel",
    "morphs",
    "portraits",
    "reconstructions",
    "stimuli",
    "support_over_t",
    "table_one",
    "training_panel",
    "warp",
    "warp_grid",
    "write_html",
]
