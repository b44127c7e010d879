"""Pictures in HDF5 files: those of GAIA's authors, and those that ProGAN is trained on. Needs h5py (extra `hdf5`)."""

import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from gaia_explore.stimuli.pictures.celeba import CELEBA_ATTRIBUTES, HEAD_DIRECTION
from gaia_explore.stimuli.pictures.decoding import from_channels_first
from gaia_explore.stimuli.pictures.listing import Listing

if TYPE_CHECKING:
    import h5py


def gaia_hdf5(path: str | Path) -> Listing:
    """List the pictures of an HDF5 file as GAIA's authors made theirs from CelebA.

    `images` is uint8 (n, side · side · 3), rows of pixels of three channels; `attrs` (n, 42) has CelebA's forty
    attributes, −1 or 1, here 0 or 1, and then the two head directions `left_right` and `top_bottom`.
    """
    path = Path(path)
    with _kept_open(path) as file:
        images, attributes = _dataset(path, file, "images"), _dataset(path, file, "attrs")
        side = math.isqrt(images.shape[-1] // 3)
        if images.dtype != np.uint8 or images.ndim != 2 or side * side * 3 != images.shape[1]:
            raise _fault(path, images, "be uint8 of shape (n, side · side · 3)")
        table = _attributes(path, attributes, len(images))
        return _listing(path, images, lambda pixels: Image.fromarray(pixels.reshape(side, side, 3)), table)


def progan_hdf5(path: str | Path, *, size: int | None = None) -> Listing:
    """List the pictures of an HDF5 file as ProGAN is trained on: `data4x4`, …, `data1024x1024`, uint8 (n, 3, r, r).

    Parameters
    ----------
    size
        Take the smallest resolution that is at least this; without it, or above them all, the largest.
    """
    path = Path(path)
    with _kept_open(path) as file:
        names = list(map(str, file))
        sides = sorted(int(found[1]) for name in names if (found := re.fullmatch(r"data(\d+)x\1", name)))
        if not sides:
            got = ", ".join(names) or "nothing"
            raise ValueError(f"{path}: must hold images and attrs, or data4x4, data8x8, …, got {got}")
        side = next((side for side in sides if size is not None and side >= size), sides[-1])
        images = _dataset(path, file, f"data{side}x{side}")
        if images.dtype != np.uint8 or images.shape[1:] != (3, side, side):
            raise _fault(path, images, f"be uint8 of shape (n, 3, {side}, {side})")
        return _listing(path, images, from_channels_first, pd.DataFrame(index=range(len(images))))


def read_hdf5(path: Path, size: int | None) -> Listing:
    """List an HDF5 file of either kind."""
    with _open(path) as file:
        is_gaia = "images" in file and "attrs" in file
    return gaia_hdf5(path) if is_gaia else progan_hdf5(path, size=size)


def _open(path: Path) -> "h5py.File":
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("HDF5 files need h5py: pip install 'gaia-explore[hdf5]'", name="h5py") from error
    if not path.is_file():
        raise FileNotFoundError(f"path must be a file, got {path}")
    try:
        # Pictures are read one by one: room for the chunks that hold the next ones, if the file is in chunks.
        return h5py.File(path, "r", rdcc_nbytes=2**26)
    except OSError as error:
        raise ValueError(f"{path}: must be a whole HDF5 file: {error}") from error


@contextmanager
def _kept_open(path: Path) -> "Iterator[h5py.File]":
    """The file, which stays open for as long as its arrays are used, unless something is wrong with it."""
    file = _open(path)
    try:
        yield file
    except BaseException:
        file.close()
        raise


def _attributes(path: Path, attributes: Any, n: int) -> pd.DataFrame:
    k = len(CELEBA_ATTRIBUTES)
    if attributes.shape != (n, k + len(HEAD_DIRECTION)):
        raise _fault(path, attributes, f"be of shape ({n}, {k + len(HEAD_DIRECTION)})")
    values = np.asarray(attributes)
    wrong = np.argwhere((values[:, :k] != -1) & (values[:, :k] != 1)).tolist()
    if wrong:
        row, column = wrong[0]
        name, got = CELEBA_ATTRIBUTES[column], values[row, column]
        raise ValueError(f"{path}: attrs, row {row}: {name!r} must be -1 or 1, got {got:g}")
    present = pd.DataFrame((values[:, :k] == 1).astype(np.int64), columns=list(CELEBA_ATTRIBUTES))
    directions = pd.DataFrame(values[:, k:].astype(np.float64), columns=list(HEAD_DIRECTION))
    return pd.concat([present, directions], axis=1)


def _dataset(path: Path, file: "h5py.File", name: str) -> Any:
    import h5py

    found = file.get(name)
    if not isinstance(found, h5py.Dataset):
        raise ValueError(f"{path}: must hold an array {name!r}, got {', '.join(file) or 'nothing'}")
    return found


def _fault(path: Path, dataset: Any, rule: str) -> ValueError:
    name = dataset.name.removeprefix("/")
    return ValueError(f"{path}: {name} must {rule}, got {dataset.dtype} of shape {dataset.shape}")


def _listing(path: Path, images: Any, picture: Callable[[np.ndarray], Image.Image], table: pd.DataFrame) -> Listing:
    def read(row: int) -> Image.Image:
        try:
            return picture(images[row])
        except OSError as error:
            raise ValueError(f"a picture must be whole: {error}") from error

    name = images.name.removeprefix("/")
    return Listing(
        names=tuple(f"{path}, {name}, row {row}" for row in range(len(images))),
        open=read,
        attributes=table,
        title=path.stem,
        source=str(path),
    )
