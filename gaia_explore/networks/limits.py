"""Limits of what a config may hold: whole numbers, choices, ranges. Errors name the field, the rule and the value."""

import math
from typing import Any


def check_whole(name: str, value: Any, *, minimum: int):
    """Raise unless a value is a whole number of at least that size."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")


def check_choice(name: str, value: Any, choices: tuple[str, ...]):
    """Raise unless a value is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def check_range(name: str, value: Any, low: int, high: float, *, open_low: bool = False):
    """Raise unless a value is a number of at least `low` (above it if open) and below `high`, or up to infinity."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {value!r}")
    above = value > low if open_low else value >= low
    if not (above and (value < high or high == math.inf)):
        rule = f"above {low:g}" if open_low else f"at least {low:g}"
        raise ValueError(f"{name} must be {rule}{f' and below {high:g}' if high < math.inf else ''}, got {value}")
