"""Any folder of pictures, with a CSV file that names them."""

from pathlib import Path

import pandas as pd

from gaia_explore.stimuli.pictures.decoding import Crop, open_picture
from gaia_explore.stimuli.pictures.listing import Listing
from gaia_explore.stimuli.pictures.lists import find_pictures, join, read_csv_list


def picture_folder(
    path: str | Path,
    table: str | Path | None = None,
    *,
    names: str = "",
    partial: bool = False,
    crop: Crop | None = None,
    grey: bool = False,
) -> Listing:
    """List the pictures in a folder and below it, in natural order, with the attributes of a CSV file and `file`.

    Parameters
    ----------
    table
        The CSV file; if not given, the only one in the folder, if any.
    names
        The column that names the pictures, from the folder on; by default the first. All others are attributes, as
        they are: numbers, text, or missing where a cell is empty.
    partial
        Leave out pictures that are not on disk or not in the table, instead of raising.
    crop
        Rows from and to, columns from and to, as `Listing.crop`.
    grey
        One channel instead of three.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise FileNotFoundError(f"path must be a folder, got {folder}")
    table = _only_table(folder) if table is None else Path(table)
    lists = [] if table is None else [read_csv_list(table, names=names)]
    paths, tables = join(find_pictures(folder), lists, folder, partial=partial)
    return files_listing(paths, folder, tables, title=folder.resolve().name, crop=crop, grey=grey)


def files_listing(
    paths: list[Path],
    folder: Path,
    tables: list[pd.DataFrame],
    *,
    title: str,
    crop: Crop | None = None,
    grey: bool = False,
) -> Listing:
    """List picture files with the columns of tables that have a row for each, and `file`, their names in a folder."""
    file = pd.DataFrame({"file": [path.relative_to(folder).as_posix() for path in paths]})
    return Listing(
        names=tuple(map(str, paths)),
        open=lambda row: open_picture(paths[row]),
        attributes=pd.concat([*tables, file], axis=1),
        title=title,
        source=str(folder),
        crop=crop,
        grey=grey,
    )


def _only_table(folder: Path) -> Path | None:
    found = sorted(folder.glob("*.csv"))
    if len(found) > 1:
        raise ValueError(f"{folder}: table must be chosen from {', '.join(path.name for path in found)}")
    return found[0] if found else None
