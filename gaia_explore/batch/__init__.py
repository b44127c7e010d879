"""Notebooks × parameters through papermill: a notebook executed with other values is a run of the study."""

from gaia_explore.batch.notebooks import execute, to_html
from gaia_explore.batch.parameters import Declarations

__all__ = ["Declarations", "execute", "to_html"]
