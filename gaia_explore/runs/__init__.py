"""Runs: executed trainings, made by `train` and `train_many`, kept in folders."""

from gaia_explore.runs.run import FILE, Run, load
from gaia_explore.runs.training import train, train_many

__all__ = ["FILE", "Run", "load", "train", "train_many"]
