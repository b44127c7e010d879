"""Notebooks × parameters through papermill: one or many, here or on a cluster, and one table of scores."""

from gaia_explore.batch.collecting import collect
from gaia_explore.batch.notebooks import execute, to_html
from gaia_explore.batch.parameters import Declarations
from gaia_explore.batch.sweeping import Sweep, sweep

__all__ = ["Declarations", "Sweep", "collect", "execute", "sweep", "to_html"]
