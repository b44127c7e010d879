"""The runs of a sweep: every combination of a grid's values, checked, named, seed by seed."""

import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, final

from gaia_explore.batch.parameters import Declarations

LONGEST_VALUE = 40
LONGEST_NAME = 160
"""Characters: file systems allow 255 bytes, and a run's name gets endings."""


@final
@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run of a sweep: the name of its folder, and all the parameters that it sets."""

    name: str
    parameters: Mapping[str, Any]


def plan(
    declared: Declarations,
    grid: Mapping[str, Any],
    seeds: int | Iterable[int] | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> list[Cell]:
    """The cells of a sweep, seed by seed, so that a sweep that is cut short is complete for its first seeds.

    A cell is named by its values in the grid, in the order in which the notebook declares them.

    Raises
    ------
    ValueError, TypeError
        For a grid with nothing in it, and for what the notebook does not declare; the message lists what it does.
    """
    grid, parameters = dict(grid), dict(parameters or {})
    if seeds is not None:
        if "seed" in grid or "seed" in parameters:
            raise ValueError("seed must not be given beside seeds")
        if "seed" not in declared:
            raise ValueError(f"seeds must be None for a notebook without a parameter seed, got {seeds}\n{declared}")
        grid["seed"] = _seeds(seeds)
    if not grid:
        raise ValueError(f"grid must have a parameter with its values, or seeds be given, got none\n{declared}")
    if "out_dir" not in declared:
        raise ValueError(f"notebook must declare out_dir, the folder that it writes to\n{declared}")
    if "out_dir" in grid or "out_dir" in parameters:
        raise ValueError("out_dir must not be set: each run of a sweep has a folder of its own")
    both = sorted(grid.keys() & parameters.keys())
    if both:
        raise ValueError(f"parameters must not be in the grid too, got {both}")
    base = declared.check(parameters)
    declared.check_names(grid)
    axes = {name: _axis(declared, name, grid[name]) for name in declared if name in grid}
    # Seeds last in the name, and first in the order.
    slow = ["seed"] if "seed" in axes else []
    order = slow + [name for name in axes if name not in slow]
    cells = []
    for values in itertools.product(*(axes[name] for name in order)):
        chosen = dict(zip(order, values, strict=True))
        shown = {name: chosen[name] for name in axes}
        cells.append(Cell(name=folder_name(shown), parameters=base | shown))
    return cells


def folder_name(values: Mapping[str, Any]) -> str:
    """A name for the run of some values that any file system takes; different values have different names."""
    name = ",".join(f"{name}={_word(value)}" for name, value in values.items())
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 9]}~{_digest(values)}"


def _word(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    word = re.sub(r"[^A-Za-z0-9._+-]", "-", text)[:LONGEST_VALUE]
    # No file system confuses a digest with a value: ~ is never in one.
    return word if word == text and word else f"{word}~{_digest(value)}"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]


def _seeds(seeds: int | Iterable[int]) -> list[Any]:
    if isinstance(seeds, bool) or (isinstance(seeds, int) and seeds < 1):
        raise ValueError(f"seeds must be at least 1, or a list of seeds, got {seeds}")
    return list(range(seeds)) if isinstance(seeds, int) else list(seeds)


def _axis(declared: Declarations, name: str, values: Any) -> list[Any]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(f"grid must give a list of values for {name}, got {values!r}\n{declared}")
    checked = [declared.check({name: value})[name] for value in values]
    if not checked:
        raise ValueError(f"grid must give at least one value for {name}, got none\n{declared}")
    # Some file systems do not tell letters by case.
    seen: dict[str, Any] = {}
    for value in checked:
        key = json.dumps(value, sort_keys=True).casefold()
        if key in seen:
            raise ValueError(f"grid must give different values for {name}, got {seen[key]!r} and {value!r}")
        seen[key] = value
    return checked
