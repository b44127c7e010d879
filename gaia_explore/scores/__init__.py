"""How good a codec is: what it reproduces, what it keeps of the data's structure, and whether it stays among the data.

Stimuli are arrays (n, *x) here, one a row, in the scaled units that codecs speak. Densities are Gaussian kernel
densities with one bandwidth for all directions, fitted to training stimuli and evaluated on others, in nats.
"""

from gaia_explore.scores.codecs import STEPS, pixel_error, planar, structure_r, support_over_t
from gaia_explore.scores.decoded_pictures import nearest_distances, pictures, told_apart
from gaia_explore.scores.densities import kl_divergence, likelihood_bandwidth, log_density, log_likelihood
from gaia_explore.scores.frontier import beyond_frontier, share_at
from gaia_explore.scores.support import on_support, support_radius
from gaia_explore.scores.table import PAPER_TABLE_ONE, differences, table_one

__all__ = [
    "PAPER_TABLE_ONE",
    "STEPS",
    "beyond_frontier",
    "differences",
    "kl_divergence",
    "likelihood_bandwidth",
    "log_density",
    "log_likelihood",
    "nearest_distances",
    "on_support",
    "pictures",
    "pixel_error",
    "planar",
    "share_at",
    "structure_r",
    "support_over_t",
    "support_radius",
    "table_one",
    "told_apart",
]
