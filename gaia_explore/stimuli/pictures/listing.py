"""A listing: pictures that lie somewhere, with their attributes. What readers give, and what is decoded or packed."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any, final

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from numpy.typing import ArrayLike
from PIL import Image
from tqdm.auto import tqdm

from gaia_explore.stimuli.packed import blocks, check_memory, from_bytes
from gaia_explore.stimuli.pictures.decoding import Crop, Framing
from gaia_explore.stimuli.splitting import row_numbers
from gaia_explore.stimuli.stimuli import Stimuli
from gaia_explore.stimuli.tables import check_attributes, html_card, kinds


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Listing:
    """Pictures that lie somewhere, none decoded yet. `stimuli` brings them into memory, `pack` into one file.

    Attributes
    ----------
    names
        What errors call each picture: its path, or its file and row.
    open
        Decodes the picture of a row. Called by many threads at once.
    attributes
        One row a picture, one column an attribute.
    title
        What figures call the set.
    source
        The folder or file that it was made of.
    crop
        The part of each picture that is kept: rows from and to, columns from and to. None keeps the whole picture or,
        where a size is asked for, the largest square in its middle. Change it with `dataclasses.replace`.
    grey
        One channel instead of three.
    """

    names: tuple[str, ...]
    open: Callable[[int], Image.Image]
    attributes: pd.DataFrame
    title: str
    source: str
    crop: Crop | None = None
    grey: bool = False

    def __post_init__(self) -> None:
        if len(self.names) < 2:
            raise ValueError(f"a listing must have at least 2 pictures, got {len(self.names)}")
        check_attributes(self.attributes, len(self.names))
        object.__setattr__(self, "attributes", self.attributes.reset_index(drop=True))

    def __len__(self) -> int:
        return len(self.names)

    def subset(self, rows: ArrayLike) -> "Listing":
        """The pictures at these row numbers, in that order, or where a mask of n booleans is true."""
        index = row_numbers(rows, len(self))
        opened, chosen = self.open, index.tolist()
        return replace(
            self,
            names=tuple(self.names[row] for row in chosen),
            open=lambda row: opened(chosen[row]),
            attributes=self.attributes.iloc[index],
        )

    def stimuli(self, size: int | None = None, *, jobs: int | None = None, progress: bool = False) -> Stimuli:
        """Decode all pictures into memory.

        Parameters
        ----------
        size
            Height and width in pixels; without it all pictures must be equally large.
        jobs
            Threads that decode; as many as there are cores if not given.
        """
        framing = self.framing(size)
        shape = self.decode(0, framing).shape
        check_memory(len(self), shape, 5)  # a byte and a float32
        pixels = np.empty((len(self), *shape), dtype=np.uint8)

        def fill(rows: slice) -> int:
            pixels[rows] = self.block(rows, framing, shape)
            return rows.stop - rows.start

        with tqdm(total=len(self), desc=self.title, unit="picture", disable=not progress) as bar:
            for done in in_threads(fill, blocks(len(self), shape), jobs):
                bar.update(done)
        return from_bytes(pixels, self.attributes, self.title)

    def framing(self, size: int | None) -> Framing:
        """How these pictures become stimuli of one size."""
        return Framing(crop=self.crop, size=size, grey=self.grey)

    def decode(self, row: int, framing: Framing) -> UInt8[np.ndarray, "h w c"]:
        """One picture as bytes; errors begin with its name."""
        try:
            return framing(self.open(row))
        except ValueError as error:
            raise ValueError(f"{self.names[row]}: {error}") from error

    def block(self, rows: slice, framing: Framing, shape: tuple[int, ...]) -> UInt8[np.ndarray, "b h w c"]:
        """Consecutive pictures as bytes, all of one shape."""
        pixels = np.empty((rows.stop - rows.start, *shape), dtype=np.uint8)
        for place, row in enumerate(range(rows.start, rows.stop)):
            picture = self.decode(row, framing)
            if picture.shape != shape:
                raise ValueError(
                    f"{self.names[row]}: must be {shape[0]} × {shape[1]} as the first picture is, "
                    f"got {picture.shape[0]} × {picture.shape[1]}; ask for a size"
                )
            pixels[place] = picture
        return pixels

    def __repr__(self) -> str:
        return f"Listing({self.title!r}, n={len(self)}, attributes={list(self.attributes.columns)})"

    def _repr_html_(self) -> str:
        rows = {"pictures": len(self), "first": self.names[0], "attributes": kinds(self.attributes)}
        return html_card(self.title, rows)


def in_threads(work: Callable[[Any], Any], items: Iterable[Any], jobs: int | None = None) -> Iterator[Any]:
    """What `work` returns for each item, in the order of being done. An error ends what has not begun.

    Threads, because Pillow and hashlib work without holding Python's lock, and bytes need not be copied between
    processes. Measured once, on two busy cores, processes decoded JPEGs only 1.08 times as fast.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    with ThreadPoolExecutor(jobs or _cores()) as pool:
        pending: list[Future[Any]] = [pool.submit(work, item) for item in items]
        try:
            for future in as_completed(pending):
                yield future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _cores() -> int:
    # Those that this process may use, where the system tells.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
