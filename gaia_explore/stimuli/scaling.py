"""Scaling of stimuli to [0, 1], kept so that it can be undone."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float32, Float64, Shaped

SCALINGS = ("auto", "dimension", "common", "dtype")


@final
@dataclass(frozen=True, eq=False)
class Scaler:
    """The map that sends `low` to 0 and `high` to 1, and back.

    `low` and `high` are in original units and broadcast against one stimulus: one value a dimension, or one for all.
    """

    low: Float64[np.ndarray, "..."]
    high: Float64[np.ndarray, "..."]

    def __post_init__(self) -> None:
        for field in ("low", "high"):
            values = np.array(getattr(self, field), dtype=np.float64)
            values.setflags(write=False)
            object.__setattr__(self, field, values)
        if self.low.shape != self.high.shape:
            raise ValueError(f"low and high must have one shape, got {self.low.shape} and {self.high.shape}")
        with np.errstate(over="ignore", invalid="ignore"):
            span = self.high - self.low
        wrong = np.argwhere(~(np.isfinite(span) & (span > 0))).tolist()
        if wrong:
            at = tuple(wrong[0])
            raise ValueError(
                f"high must exceed low by a finite amount, got low {self.low[at]} and high {self.high[at]}"
                + (f" in column {column_label(at)}" if at else "")
            )

    @classmethod
    def fit(cls, x: Shaped[np.ndarray, "..."], scaling: str = "auto", *, names: Sequence[str] = ()) -> "Scaler":
        """Find the range of stimuli `x` (n, *x).

        Parameters
        ----------
        scaling
            "dimension": minimum and maximum of each dimension by itself.
            "common": those of the whole array, which keeps the aspect of a plane and the contrast of pictures.
            "dtype": the range of the integer type, such as 0 to 255.
            "auto": "dimension" for flat stimuli; for pictures "dtype" if integers of at most 16 bits, else "common".
        names
            Names of the dimensions of flat stimuli, for error messages only.
        """
        if scaling not in SCALINGS:
            raise ValueError(f"scaling must be one of {', '.join(SCALINGS)}, got {scaling!r}")
        check_stimuli(x, names)
        if scaling == "auto":
            narrow_integers = x.dtype.kind in "biu" and x.dtype.itemsize <= 2
            scaling = "dimension" if x.ndim == 2 else "dtype" if narrow_integers else "common"
        axis = 0 if scaling == "dimension" else None
        limits = _dtype_limits(x.dtype) if scaling == "dtype" else (x.min(axis=axis), x.max(axis=axis))
        low, high = (np.asarray(limit, dtype=np.float64) for limit in limits)
        constant = np.argwhere(low == high).tolist()
        if constant and axis is None:
            raise ValueError(f"x must vary, got {low} everywhere")
        if constant:
            first = tuple(constant[0])
            raise ValueError(
                f"every column must vary, got {len(constant)} constant, the first column {column_label(first, names)} "
                f"at {low[first]}; leave it out, or choose scaling='common'"
            )
        return cls(low, high)

    def transform(self, x: Shaped[np.ndarray, "n *x"]) -> Float32[np.ndarray, "n *x"]:
        """Scale stimuli in original units. Those beyond the range this scaler was fitted to leave [0, 1]."""
        self._check_fits(x)
        span = self.high - self.low
        scaled = np.empty(x.shape, dtype=np.float32)
        # Block by block, since a float64 copy of a whole set of pictures may not fit in memory.
        step = max(1, 2**20 // max(1, math.prod(x.shape[1:])))
        for start in range(0, len(x), step):
            rows = slice(start, start + step)
            scaled[rows] = (np.asarray(x[rows], dtype=np.float64) - self.low) / span
        return scaled

    def inverse(self, x: Shaped[np.ndarray, "n *x"]) -> Float64[np.ndarray, "n *x"]:
        """Bring scaled stimuli back to original units."""
        self._check_fits(x)
        return np.asarray(x, dtype=np.float64) * (self.high - self.low) + self.low

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether `low` and `high` broadcast against one stimulus of this shape."""
        rank = self.low.ndim
        return rank <= len(shape) and all(
            own in (1, other) for own, other in zip(self.low.shape, shape[len(shape) - rank :], strict=True)
        )

    def to_dict(self) -> dict[str, Any]:
        """The two limits as plain lists, which JSON keeps exactly."""
        return {"low": self.low.tolist(), "high": self.high.tolist()}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> "Scaler":
        """Restore what `to_dict` gave."""
        if set(saved) != {"low", "high"}:
            raise ValueError(f"a saved scaler must have the keys high and low, got {sorted(saved)}")
        return cls(np.array(saved["low"], dtype=np.float64), np.array(saved["high"], dtype=np.float64))

    def _check_fits(self, x: np.ndarray) -> None:
        if not self.fits(x.shape[1:]):
            raise ValueError(f"x must hold stimuli that fit a scaler of shape {self.low.shape}, got {x.shape[1:]}")


def check_stimuli(x: Shaped[np.ndarray, "..."], names: Sequence[str] = ()) -> None:
    """Raise unless `x` (n, *x) holds at least two stimuli of finite real numbers."""
    if x.dtype.kind not in "biuf":
        raise TypeError(f"x must hold real numbers, got dtype {x.dtype}")
    if x.ndim < 2:
        raise ValueError(f"x must have one row a stimulus and at least 2 axes, got shape {x.shape}")
    if len(x) < 2:
        raise ValueError(f"x must hold at least 2 stimuli, got {len(x)}")
    if x.size == 0:
        raise ValueError(f"a stimulus must have at least 1 dimension, got x of shape {x.shape}")
    # Minimum and maximum pass NaN on, and need no mask as large as the data.
    if not (np.isfinite(x.min()) and np.isfinite(x.max())):
        bad = np.argwhere(~np.isfinite(x))
        row, *where = bad[0].tolist()
        raise ValueError(
            f"x must be finite, got {len(bad)} NaN or infinite, "
            f"the first at row {row}, column {column_label(where, names)}"
        )


def column_label(where: Sequence[int], names: Sequence[str] = ()) -> str:
    """How messages call a dimension of the stimuli: its name where it has one, else its position."""
    if len(where) > 1:
        return str(tuple(where))
    return repr(names[where[0]]) if where[0] < len(names) else str(where[0])


def _dtype_limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    if dtype.kind == "b":
        return 0, 1
    if dtype.kind == "f":
        raise ValueError(f"scaling='dtype' needs integers, got dtype {dtype}")
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


def to_unit(x: Shaped[np.ndarray, "*x"]) -> Shaped[np.ndarray, "*x"]:
    """Bytes, 0 to 255, as single-precision numbers in [0, 1]; what holds no bytes is scaled already."""
    return np.divide(x, np.float32(255), dtype=np.float32) if x.dtype == np.uint8 else x
