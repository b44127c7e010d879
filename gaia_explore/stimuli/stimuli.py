"""A set of stimuli: the array, the table of attributes beside it, and the way back to original units."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd
from jaxtyping import Float, Float64, Shaped
from numpy.typing import ArrayLike

from gaia_explore.stimuli.reading import check_cells, choose_columns, numbers, parse_csv
from gaia_explore.stimuli.scaling import Scaler, check_stimuli
from gaia_explore.stimuli.splitting import balanced_rows, row_numbers, split_rows
from gaia_explore.stimuli.tables import check_attributes, html_card, kinds

_ROUNDING = 1e-6
_MOST_RANGES = 8


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Stimuli:
    """Stimuli as shown to an observer, in [0, 1], with their attributes; see `from_array`, `from_frame`, `from_csv`.

    A writeable array is copied; a read-only one is taken as it is, so that one mapped from a file stays in the file.

    Attributes
    ----------
    x
        The stimuli, one a row, float32 in [0, 1] (up to 1e-6). Read-only.
    attributes
        One row a stimulus, one column an attribute, rows numbered from 0. May have no column. For reading: pandas
        has no frozen tables, so a set with other attributes is made by `dataclasses.replace`.
    names
        Names of the stimulus's own dimensions when it is flat, () for pictures.
    scaler
        Leads from original units to [0, 1] and back.
    title
        What figures call the set.
    """

    x: Float[np.ndarray, "n *x"]
    attributes: pd.DataFrame
    names: tuple[str, ...]
    scaler: Scaler
    title: str

    def __post_init__(self) -> None:
        x = np.asarray(self.x)
        names = tuple(self.names)
        check_stimuli(x, names)
        if x.dtype != np.float32:
            raise TypeError(f"x must be float32 (from_array scales any real numbers), got {x.dtype}")
        if x.min() < -_ROUNDING or x.max() > 1 + _ROUNDING:
            raise ValueError(f"x must lie in [0, 1] (from_array scales), got {x.min():g} to {x.max():g}")
        if not self.scaler.fits(x.shape[1:]):
            raise ValueError(f"scaler must fit stimuli of shape {x.shape[1:]}, got shape {self.scaler.low.shape}")
        if x.flags.writeable:
            x = x.copy()
            x.setflags(write=False)
        if x.ndim == 2:
            names = names or tuple(f"x{i + 1}" for i in range(x.shape[1]))
        _check_names(names, x.shape[1:])
        check_attributes(self.attributes, len(x), names)
        object.__setattr__(self, "x", x)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "attributes", self.attributes.reset_index(drop=True))

    @classmethod
    def from_array(
        cls,
        x: ArrayLike,
        *,
        attributes: pd.DataFrame | Mapping[str, ArrayLike] | None = None,
        names: Iterable[str] = (),
        title: str = "stimuli",
        scaling: str = "auto",
    ) -> "Stimuli":
        """Scale an array (n, *x) of real numbers, one stimulus a row.

        Parameters
        ----------
        attributes
            One row a stimulus, as a table or as columns by name.
        names
            Names of the dimensions of flat stimuli; x1, x2, … if not given.
        scaling
            "auto", "dimension", "common" or "dtype", as in `Scaler.fit`.
        """
        try:
            values = np.asarray(x)
        except ValueError as error:
            raise ValueError(f"x must hold stimuli of one shape: {error}") from error
        names = (names,) if isinstance(names, str) else tuple(names)
        scaler = Scaler.fit(values, scaling, names=names)
        try:
            table = pd.DataFrame(index=range(len(values))) if attributes is None else pd.DataFrame(attributes)
        except ValueError as error:
            raise ValueError(f"attributes must have one row a stimulus: {error}") from error
        scaled = scaler.transform(values)
        scaled.setflags(write=False)
        return cls(x=scaled, attributes=table, names=names, scaler=scaler, title=title)

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        columns: Iterable[str] | None = None,
        attributes: Iterable[str] | None = None,
        title: str = "stimuli",
        scaling: str = "auto",
    ) -> "Stimuli":
        """Take flat stimuli from a table, one a row.

        Parameters
        ----------
        columns
            The stimulus's own dimensions; by default every column that is no attribute. They must hold real numbers.
        attributes
            Columns for the attribute table; by default none.
        scaling
            "auto", "dimension", "common" or "dtype", as in `Scaler.fit`.
        """
        frame = frame.rename(columns=str)
        chosen, kept = choose_columns(frame, columns, attributes)
        if len(frame) < 2:
            raise ValueError(f"a table must have at least 2 rows, got {len(frame)}")
        return cls.from_array(
            numbers(frame, chosen), attributes=frame.filter(items=kept), names=chosen, title=title, scaling=scaling
        )

    @classmethod
    def from_csv(
        cls,
        path: str | Path,
        *,
        columns: Iterable[str] | None = None,
        attributes: Iterable[str] | None = None,
        title: str = "",
        scaling: str = "auto",
    ) -> "Stimuli":
        """Read flat stimuli from a comma-separated UTF-8 file with a header line, as `from_frame` does.

        The title is the file's name unless given. Errors name the file, and the line of a cell that is no number.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
            frame = parse_csv(text)
            chosen, kept = choose_columns(frame, columns, attributes)
            check_cells(text, frame, chosen)
            return cls.from_frame(frame, columns=chosen, attributes=kept, title=title or path.stem, scaling=scaling)
        except ValueError as error:
            raise ValueError(f"{path}: {str(error).strip()}") from error

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one stimulus."""
        return self.x.shape[1:]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the scaled stimuli and their shape, the same on every machine."""
        digest = hashlib.sha256(repr(self.x.shape).encode())
        digest.update(np.ascontiguousarray(self.x, dtype="<f4").data)
        return digest.hexdigest()

    def __len__(self) -> int:
        return len(self.x)

    def subset(self, rows: ArrayLike) -> "Stimuli":
        """The stimuli at these row numbers, in that order, or where a mask of n booleans is true."""
        index = row_numbers(rows, len(self))
        x = self.x[index]
        x.setflags(write=False)
        table = self.attributes.iloc[index]
        return Stimuli(x=x, attributes=table, names=self.names, scaler=self.scaler, title=self.title)

    def split(self, fraction: float = 0.9, *, seed: int = 0, stratify: str = "auto") -> "tuple[Stimuli, Stimuli]":
        """Split at random into a set to train on and a held-out one, disjoint and together complete.

        Parameters
        ----------
        fraction
            Share of the first set, which gets round(fraction · n) stimuli.
        stratify
            Name of an attribute whose classes keep their shares in both sets, to within one stimulus; or "none"; or
            "auto": "label" if that is an attribute of 2 to 20 classes (categories, booleans, text or integers, none
            missing), else the first such attribute, else "none".
        """
        train, held_out = split_rows(self.attributes, fraction, seed=seed, stratify=stratify)
        return self.subset(train), self.subset(held_out)

    def balanced(self, names: Sequence[str], *, seed: int = 0) -> "Stimuli":
        """As large a part as there is in which the named attributes do not go together.

        Every combination of their classes occurs equally often, as often as the rarest does: what is left to tell them
        apart by is each attribute itself. Six binary attributes have 64 combinations, which few sets hold all.

        Raises
        ------
        ValueError
            If an attribute is unknown or has no classes (see `split`), or a combination never occurs; the message names
            it.
        """
        return self.subset(balanced_rows(self.attributes, names, seed=seed))

    def to_frame(self) -> pd.DataFrame:
        """Flat stimuli in original units, one column a dimension, with their attributes beside."""
        if len(self.shape) != 1:
            raise ValueError(f"only flat stimuli fit a table, got stimuli of shape {self.shape}; use unscale")
        own = pd.DataFrame(self.unscale(self.x), columns=list(self.names))
        return pd.concat([own, self.attributes], axis=1)

    def unscale(self, x: Shaped[np.ndarray, "m *x"]) -> Float64[np.ndarray, "m *x"]:
        """Bring any scaled stimuli of this shape, such as decoded ones, back to original units."""
        return self.scaler.inverse(x)

    def __repr__(self) -> str:
        attributes = list(self.attributes.columns)
        return f"Stimuli({self.title!r}, n={len(self)}, shape={self.shape}, attributes={attributes})"

    def _repr_html_(self) -> str:
        low, high = self.scaler.low, self.scaler.high
        if low.shape == self.shape and 0 < len(self.names) <= _MOST_RANGES:
            limits = zip(self.names, low, high, strict=True)
            range_text = ", ".join(f"{name} {start:.4g} to {end:.4g}" for name, start, end in limits)
        else:
            range_text = f"{low.min():.4g} to {high.max():.4g}"
        return html_card(
            self.title,
            {
                "stimuli": len(self),
                "shape": " × ".join(map(str, self.shape)),
                "range": range_text,
                "attributes": kinds(self.attributes),
            },
        )


def _check_names(names: tuple[str, ...], shape: tuple[int, ...]) -> None:
    if names and len(shape) != 1:
        raise ValueError(f"names are for flat stimuli, got {len(names)} for stimuli of shape {shape}")
    if names and len(names) != shape[0]:
        raise ValueError(f"names must be one a dimension, {shape[0]} here, got {len(names)}")
    if len(set(names)) < len(names):
        raise ValueError(f"names must be unique, got {max(names, key=names.count)!r} more than once")
