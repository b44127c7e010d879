"""IDX files, the form of MNIST and its family, packed by gzip or not.

Source
------
LeCun, Cortes and Burges, "The MNIST database of handwritten digits": two zero bytes, a type, the number of axes, their
lengths as big-endian 32-bit integers, the values. Fashion-MNIST: Xiao et al. 2017, arXiv:1708.07747.
"""

import gzip
import math
import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import UInt8
from PIL import Image

from gaia_explore.stimuli.pictures.listing import Listing

FASHION_ITEMS = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_BYTES = 0x08
_DEBIAN = Path("/usr/share/datasets/fashion-mnist")
_PARTS = {"train": "train", "test": "t10k"}


def idx(path: str | Path, *, labels: str | Path | None = None) -> Listing:
    """List the pictures of an IDX file, with the attribute `label`.

    Parameters
    ----------
    path
        Such as ``train-images-idx3-ubyte.gz``.
    labels
        The file of labels; if not given, the one beside whose name has labels and idx1 for images and idx3, if any.
    """
    path = Path(path)
    pixels = read_idx(path, axes=3)
    beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    if labels is None and beside != path and beside.is_file():
        labels = beside
    table = pd.DataFrame(index=range(len(pixels)))
    if labels is not None:
        values = read_idx(Path(labels), axes=1)
        if len(values) != len(pixels):
            raise ValueError(
                f"{labels}: must hold a label for each of {len(pixels)} pictures in {path}, got {len(values)}"
            )
        table = pd.DataFrame({"label": values.astype(np.int64)})
    return Listing(
        names=tuple(f"{path}, picture {row}" for row in range(len(pixels))),
        open=lambda row: Image.fromarray(pixels[row]),
        attributes=table,
        title=path.name.split(".")[0],
        source=str(path),
        grey=True,
    )


def fashion_mnist(part: str = "train", path: str | Path | None = None) -> Listing:
    """List Fashion-MNIST, 28 × 28 grey: `label` 0 to 9, and `item`, its name. Nothing is fetched from anywhere.

    Parameters
    ----------
    part
        "train" (60,000) or "test" (10,000).
    path
        The folder; if not given, the one named by the environment variable GAIA_EXPLORE_DATA or its ``fashion-mnist``,
        else that of Debian's package dataset-fashion-mnist.
    """
    if part not in _PARTS:
        raise ValueError(f"part must be one of {', '.join(_PARTS)}, got {part!r}")
    named = os.environ.get("GAIA_EXPLORE_DATA")
    places = [Path(path)] if path is not None else [Path(named), Path(named, "fashion-mnist")] if named else []
    places += [_DEBIAN] if path is None else []
    name = f"{_PARTS[part]}-images-idx3-ubyte"
    found = [place / file for place in places for file in (f"{name}.gz", name) if (place / file).is_file()]
    if not found:
        raise FileNotFoundError(
            f"{name}.gz must lie in {' or '.join(map(str, places))}: give its folder as path or in GAIA_EXPLORE_DATA, "
            "or install Debian's dataset-fashion-mnist"
        )
    listing = idx(found[0])
    if "label" not in listing.attributes:
        raise FileNotFoundError(f"{found[0].parent} must hold {_PARTS[part]}-labels-idx1-ubyte.gz, too")
    label = listing.attributes["label"].to_numpy()
    if max(label) >= len(FASHION_ITEMS):
        raise ValueError(f"{found[0].parent}: labels must be from 0 to 9, got {max(label)}")
    table = listing.attributes.assign(item=[FASHION_ITEMS[number] for number in label])
    return replace(listing, attributes=table, title=f"Fashion-MNIST {part}")


def read_idx(path: Path, axes: int) -> UInt8[np.ndarray, "..."]:
    """The bytes of an IDX file of that many axes."""
    if not path.is_file():
        raise FileNotFoundError(f"path must be a file, got {path}")
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path) if packed else path.open("rb") as file:
            shape = _shape(path, file.read(4 + 4 * axes), axes)
            # One more than there should be, to see whether there is.
            values = file.read(math.prod(shape) + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path}: must be a whole gzip file: {error}") from error
    except (MemoryError, OverflowError) as error:
        raise ValueError(f"{path}: must fit in memory, got a header that promises more") from error
    if len(values) != math.prod(shape):
        got = f"only {len(values)}" if len(values) < math.prod(shape) else "more"
        raise ValueError(f"{path}: must hold {math.prod(shape)} bytes after its header, shape {shape}, got {got}")
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)


def _shape(path: Path, header: bytes, axes: int) -> tuple[int, ...]:
    if len(header) < 4 + 4 * axes or header[:4] != bytes((0, 0, _BYTES, axes)):
        raise ValueError(f"{path}: must begin with 0 0 8 {axes} (IDX, bytes, {axes} axes), got {[*header[:4]]}")
    return struct.unpack(f">{axes}I", header[4:])
