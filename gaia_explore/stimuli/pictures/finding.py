"""Which reader a folder or a file is for."""

from pathlib import Path

from gaia_explore.stimuli.pictures.celeba import celeba, celeba_hq, is_celeba, is_celeba_hq
from gaia_explore.stimuli.pictures.folder import picture_folder
from gaia_explore.stimuli.pictures.hdf5 import read_hdf5
from gaia_explore.stimuli.pictures.idx import idx
from gaia_explore.stimuli.pictures.listing import Listing


def find(path: str | Path, *, size: int | None = None, partial: bool = False) -> Listing:
    """List the pictures at a path by the reader that its content calls for.

    A folder is CelebA if it holds its list of attributes, CelebA-HQ if it holds its pictures, else any folder of
    pictures; a file is HDF5 by its ending (h5, hdf5), else IDX.

    Parameters
    ----------
    size
        The size that is wanted later, for files that hold several.
    partial
        Leave out pictures that are not on disk or not in every list, instead of raising.
    """
    path = Path(path)
    if path.is_file():
        return read_hdf5(path, size) if path.suffix.lower() in (".h5", ".hdf5") else idx(path)
    if is_celeba(path):
        return celeba(path, partial=partial)
    if is_celeba_hq(path):
        return celeba_hq(path, partial=partial)
    return picture_folder(path, partial=partial)
