"""Packed stimuli: pictures as bytes in one file, of which only what is asked for comes into memory."""

import hashlib
import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
import pandas as pd
from jaxtyping import Float32, Integer, UInt8
from numpy.typing import ArrayLike

from gaia_explore.stimuli.scaling import Scaler, to_unit
from gaia_explore.stimuli.splitting import balanced_rows, row_numbers, split_rows
from gaia_explore.stimuli.stimuli import Stimuli
from gaia_explore.stimuli.tables import check_attributes, html_card, kind, kinds

PIXELS, TABLE, DESCRIPTION = "x.npy", "attributes.csv", "pack.json"
FORMAT = "gaia_explore pack 1"
_BYTES = Scaler(np.array(0.0), np.array(255.0))
_BLOCK_BYTES, _BLOCK_STIMULI = 2**24, 1024


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class PackedStimuli:
    """Pictures that stay in their file; see `open_pack` and `pack`.

    Attributes
    ----------
    pixels
        All pictures of the file, (n, height, width, channels) in 0 to 255, mapped and read-only.
    rows
        Which of them belong to this set, in its order. A subset or a split has other rows and the same pixels.
    attributes
        One row a stimulus of this set, one column an attribute.
    title
        What figures call the set.
    digest
        SHA-256 of the whole file's pixels, as it was taken when they were packed.
    """

    pixels: UInt8[np.ndarray, "n h w c"]
    rows: Integer[np.ndarray, " m"]
    attributes: pd.DataFrame
    title: str
    digest: str

    def __post_init__(self) -> None:
        check_attributes(self.attributes, len(self.rows))
        object.__setattr__(self, "attributes", self.attributes.reset_index(drop=True))

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and channels of one stimulus."""
        return self.pixels.shape[1:]

    @property
    def names(self) -> tuple[()]:
        """Pictures have no dimensions with names."""
        return ()

    @property
    def scaler(self) -> Scaler:
        """Leads from bytes, 0 to 255, to [0, 1] and back."""
        return _BYTES

    @property
    def x(self) -> UInt8[np.ndarray, "m h w c"]:
        """The bytes of this set: the map itself if that is the whole file, else a copy in memory; see `take`."""
        if self._is_whole:
            return self.pixels
        check_memory(len(self), self.shape, 1)
        return self.pixels[self.rows]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 that names the pixels and the rows of this set, known without reading them."""
        if self._is_whole:
            return self.digest
        return hashlib.sha256(self.digest.encode() + np.ascontiguousarray(self.rows, dtype="<i8").data).hexdigest()

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, rows: ArrayLike) -> Float32[np.ndarray, "b h w c"]:
        """The stimuli at these row numbers of this set, in that order, in memory and scaled to [0, 1]."""
        return to_unit(self.pixels[self.rows[row_numbers(rows, len(self))]])

    def subset(self, rows: ArrayLike) -> "PackedStimuli":
        """The stimuli at these row numbers, in that order, or where a mask of n booleans is true. Copies no pixel."""
        index = row_numbers(rows, len(self))
        return replace(self, rows=self.rows[index], attributes=self.attributes.iloc[index])

    def split(
        self, fraction: float = 0.9, *, seed: int = 0, stratify: str = "auto"
    ) -> "tuple[PackedStimuli, PackedStimuli]":
        """Split at random as `Stimuli.split` does, with the same rows for the same attributes. Copies no pixel."""
        train, held_out = split_rows(self.attributes, fraction, seed=seed, stratify=stratify)
        return self.subset(train), self.subset(held_out)

    def balanced(self, names: Sequence[str], *, seed: int = 0) -> "PackedStimuli":
        """A part in which the named attributes do not go together, as `Stimuli.balanced` finds it. Copies no pixel."""
        return self.subset(balanced_rows(self.attributes, names, seed=seed))

    def stimuli(self, rows: ArrayLike | None = None) -> Stimuli:
        """These stimuli, or all, in memory; a MemoryError says how much they need if the machine has less."""
        chosen = self if rows is None else self.subset(rows)
        check_memory(len(chosen), self.shape, np.dtype(np.float32).itemsize)
        x = np.empty((len(chosen), *self.shape), dtype=np.float32)
        for some in blocks(len(chosen), self.shape):
            x[some] = to_unit(self.pixels[chosen.rows[some]])
        return _stimuli(x, chosen.attributes, self.title)

    def __repr__(self) -> str:
        attributes = list(self.attributes.columns)
        return f"PackedStimuli({self.title!r}, n={len(self)}, shape={self.shape}, attributes={attributes})"

    def _repr_html_(self) -> str:
        gigabytes = len(self) * math.prod(self.shape) / 1e9
        return html_card(
            self.title,
            {
                "stimuli": len(self) if self._is_whole else f"{len(self)} of {len(self.pixels)} in the file",
                "shape": " × ".join(map(str, self.shape)),
                "range": "0 to 255",
                "on disk": f"{gigabytes:.3g} GB",
                "attributes": kinds(self.attributes),
            },
        )

    @cached_property
    def _is_whole(self) -> bool:
        return np.array_equal(self.rows, np.arange(len(self.pixels)))


def open_pack(path: str | Path, *, verify: bool = False) -> PackedStimuli:
    """Open what `pack` wrote. The pictures stay in their file.

    Parameters
    ----------
    verify
        Read every pixel once, and raise if one has changed since it was packed.
    """
    path = Path(path)
    described = _description(path / DESCRIPTION)
    try:
        pixels = np.load(path / PIXELS, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"{path / PIXELS}: {error}") from error
    shape = tuple(described["shape"])
    if pixels.dtype != np.uint8 or pixels.shape != shape:
        raise ValueError(
            f"{path / PIXELS}: must hold uint8 of shape {shape}, as {DESCRIPTION} says, "
            f"got {pixels.dtype} of shape {pixels.shape}"
        )
    table = read_table(path / TABLE, described["text"])
    if len(table) != len(pixels):
        raise ValueError(f"{path / TABLE}: must have a row for each of {len(pixels)} stimuli, got {len(table)}")
    if verify:
        found = fingerprint(digest(pixels[some]) for some in blocks(len(pixels), shape[1:]))
        if found != described["fingerprint"]:
            raise ValueError(f"{path / PIXELS}: has changed since it was packed; pack it again")
    return PackedStimuli(
        pixels=pixels,
        rows=np.arange(len(pixels)),
        attributes=table,
        title=described["title"],
        digest=described["fingerprint"],
    )


def _description(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"path must be a folder that pack wrote, with {DESCRIPTION} in it, got {path.parent}")
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    got = described.get("format") if isinstance(described, dict) else None
    if got != FORMAT:
        raise ValueError(f"{path}: format must be {FORMAT!r}, got {got!r}")
    wanted = {"shape": list, "text": list, "title": str, "fingerprint": str}
    for key, type_ in wanted.items():
        if not isinstance(described.get(key), type_):
            raise ValueError(f"{path}: {key} must be a {type_.__name__}, got {described.get(key)!r}")
    return described


def table_bytes(table: pd.DataFrame) -> bytes:
    """The attribute table as CSV."""
    return table.to_csv(index=False, lineterminator="\n").encode()


def text_columns(table: pd.DataFrame) -> list[str]:
    """Attributes that a CSV file would not tell from numbers: 007 is a name here."""
    return [str(name) for name, column in table.items() if kind(column) in ("text", "category", "other")]


def read_table(path: Path, text: list[str]) -> pd.DataFrame:
    """Read what `table_bytes` wrote; `text` names the columns that are no numbers. An empty cell is a missing value."""
    try:
        return pd.read_csv(
            path,
            dtype=dict.fromkeys(text, "str"),
            keep_default_na=False,
            na_values=[""],
            low_memory=False,
        )
    except pd.errors.EmptyDataError:
        # A table of no columns; its rows are counted by their line ends.
        return pd.DataFrame(index=range(path.read_bytes().count(b"\n") - 1))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def blocks(n: int, shape: tuple[int, ...]) -> list[slice]:
    """Rows of n stimuli of bytes in blocks of 16 MB or less: what is decoded, written and hashed at a time."""
    step = max(1, min(_BLOCK_STIMULI, _BLOCK_BYTES // math.prod(shape)))
    return [slice(start, min(start + step, n)) for start in range(0, n, step)]


def digest(pixels: UInt8[np.ndarray, "b h w c"]) -> str:
    """SHA-256 of a block of pixels."""
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()


def fingerprint(digests: Iterable[str]) -> str:
    """SHA-256 over those of all blocks in order."""
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def from_bytes(pixels: UInt8[np.ndarray, "n h w c"], attributes: pd.DataFrame, title: str) -> Stimuli:
    """Stimuli in memory from pictures in memory."""
    return _stimuli(to_unit(pixels), attributes, title)


def check_memory(n: int, shape: tuple[int, ...], bytes_a_value: int) -> None:
    """Raise if n stimuli clearly do not fit in memory."""
    needed, there = n * math.prod(shape) * bytes_a_value, _memory()
    if needed > there:
        raise MemoryError(
            f"{n} stimuli of {' × '.join(map(str, shape))} need {needed / 1e9:.1f} GB, this machine has "
            f"{there / 1e9:.1f} GB; take fewer or smaller ones, or leave them in their file (pack, take)"
        )


def _memory() -> float:
    try:
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, ValueError):
        return float("inf")


def _stimuli(x: Float32[np.ndarray, "n h w c"], attributes: pd.DataFrame, title: str) -> Stimuli:
    x.setflags(write=False)
    return Stimuli(x=x, attributes=attributes, names=(), scaler=_BYTES, title=title)
