"""Lists that say something of each picture by its name, in a text or a CSV file; joined by name, never by order."""

import csv
import io
import os
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np
import pandas as pd

from gaia_explore.stimuli.pictures.decoding import SUFFIXES
from gaia_explore.stimuli.reading import check_cells, parse_csv, row_lines

_ENDINGS = (*SUFFIXES, ".npy")


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class PictureList:
    """One list: what it says of each picture, and in which line.

    Attributes
    ----------
    names
        Pictures as the list names them; no two have one `key`.
    lines
        The line of each, counted from 1.
    values
        One row a picture.
    """

    path: Path
    names: list[str]
    lines: list[int]
    values: pd.DataFrame

    def __post_init__(self) -> None:
        if len(self.rows) < len(self.names):
            first: dict[str, int] = {}
            for name, line in zip(self.names, self.lines, strict=True):
                if key(name) in first:
                    at = f"{self.path}: line {line}"
                    raise ValueError(f"{at}: must list a picture once, got {name} as in line {first[key(name)]}")
                first[key(name)] = line

    @cached_property
    def rows(self) -> dict[str, int]:
        """The row of each picture, by `key`."""
        return {key(name): row for row, name in enumerate(self.names)}

    def fault(self, row: int, text: str) -> ValueError:
        """The error that says what is wrong with a row, with file and line."""
        return ValueError(f"{self.path}: line {self.lines[row]}: {text}")

    def zeros_and_ones(self) -> pd.DataFrame:
        """The values with 0 for absent and 1 for present, from −1 and 1 or from 0 and 1, one form in one list."""
        values = self.values.to_numpy()
        absent = -1 if (values == -1).any() else 0
        wrong = np.argwhere((values != absent) & (values != 1))
        if len(wrong):
            row, column = wrong[0].tolist()
            form = "-1 or 1, as elsewhere in this list" if absent else "-1 or 1, or 0 or 1"
            raise self.fault(row, f"{self.values.columns[column]!r} must be {form}, got {values[row, column]}")
        return pd.DataFrame((values == 1).astype(np.int64), columns=self.values.columns)


def read_list(path: Path, *, columns: Sequence[str] = (), counted: bool = False) -> PictureList:
    """Read a list of whole numbers with blanks between them, one picture a line, its name first; or its CSV form.

    Parameters
    ----------
    columns
        Names of the values, where the file does not give them.
    counted
        The first line is the number of pictures, the second names the values.
    """
    if path.suffix == ".csv":
        return read_csv_list(path, whole=True)
    records = _records(path)
    count = _count(path, records) if counted else None
    if counted:
        _, columns = next(records, (0, []))
        _check_header(path, columns)
    listed = _listed(path, records, columns)
    if count is not None and count != len(listed.names):
        raise ValueError(f"{path}: line 1: must be the number of pictures listed, {len(listed.names)}, got {count}")
    return listed


def read_text_list(path: Path) -> PictureList:
    """Read a list that is headed by the names of its columns, the first of them the picture's; values stay text."""
    records = _records(path)
    _, header = next(records, (0, []))
    _check_header(path, header)
    return _listed(path, records, header[1:], whole=False)


def read_csv_list(path: Path, *, names: str = "", whole: bool = False) -> PictureList:
    """Read a CSV file with a header line; pictures are named in the column `names`, by default the first.

    With `whole`, all other cells must be whole numbers.
    """
    text = _text(path)
    header = [name.strip() for name in next(csv.reader(io.StringIO(text)), [])]
    names = names or (header[0] if header else "")
    if names not in header:
        raise ValueError(
            f"{path}: line 1: must have a column {names!r} that names pictures, got {', '.join(header) or 'none'}"
        )
    try:
        frame = parse_csv(text, names=names)
        values = frame.drop(columns=names)
        if whole:
            check_cells(text, frame, list(values))
    except ValueError as error:
        raise ValueError(f"{path}: {str(error).strip()}") from error
    lines = row_lines(text)
    empty = np.flatnonzero(frame[names].isna())
    if len(empty):
        raise ValueError(f"{path}: line {lines[empty[0]]}: {names!r} must name a picture, got an empty cell")
    for name, column in values.items() if whole else ():
        if not pd.api.types.is_integer_dtype(column):
            raise ValueError(f"{path}: {name!r} must hold whole numbers, got {column.dtype}")
    return PictureList(path=path, names=frame[names].str.strip().tolist(), lines=lines, values=values)


def find_pictures(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> dict[str, Path]:
    """The pictures in a folder and below it, by `key`, in natural order: 2 comes before 10. Hidden files are none."""
    found: dict[str, Path] = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        within = Path(parent).relative_to(folder).as_posix()
        for name in files:
            if name.startswith(".") or os.path.splitext(name)[1].lower() not in suffixes:
                continue
            path = Path(parent, name)
            first = found.setdefault(key(f"{within}/{name}"), path)
            if first is not path:
                one, other = sorted((first.name, name))
                raise ValueError(f"{parent}: pictures must differ in more than their ending, got {one}, {other}")
    return {name: found[name] for name in sorted(found, key=natural)}


def join(
    pictures: Mapping[str, Path], lists: Sequence[PictureList], folder: Path, *, partial: bool
) -> tuple[list[Path], list[pd.DataFrame]]:
    """The pictures and the values of each list, row for row, matched by name; ends such as .jpg and .png do not matter.

    Each picture must stand in every list and each listed one be there; with `partial`, others are left out.
    """
    kept = [name for name in pictures if all(name in listed.rows for listed in lists)]
    if not partial:
        for listed in lists:
            _check_same(pictures, listed, folder)
    if not kept:
        named = "".join(f" named in {listed.path}" for listed in lists[:1])
        raise ValueError(f"{folder}: must hold pictures{named}, got none{f' of {len(pictures)}' if pictures else ''}")
    tables = [listed.values.iloc[[listed.rows[name] for name in kept]].reset_index(drop=True) for listed in lists]
    return [pictures[name] for name in kept], tables


def key(name: str) -> str:
    """What two names of one picture share: the path without a picture's ending, with forward slashes."""
    # As text, since a path object costs ten times as much, and there may be 200,000 names in each of four lists.
    path = posixpath.normpath(name.replace("\\", "/"))
    stem, ending = posixpath.splitext(path)
    return stem if ending.lower() in _ENDINGS else path


def natural(name: str) -> list[str | int]:
    """Sorts names by the numbers in them."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]


def _check_same(pictures: Mapping[str, Path], listed: PictureList, folder: Path) -> None:
    missing = [row for name, row in listed.rows.items() if name not in pictures]
    if missing:
        raise listed.fault(missing[0], _lack(f"{listed.names[missing[0]]} is not in {folder}", missing))
    unlisted = [path for name, path in pictures.items() if name not in listed.rows]
    if unlisted:
        raise ValueError(_lack(f"{unlisted[0]}: is not listed in {listed.path}", unlisted))


def _lack(text: str, lacking: Sequence[object]) -> str:
    others = f", nor are {len(lacking) - 1} others" if len(lacking) > 1 else ""
    return f"{text}{others}; partial=True leaves out what is not in both"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: must be UTF-8 text: {error}") from error


def _records(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each line that is not blank, split at runs of blanks, with its number."""
    for line, text in enumerate(_text(path).split("\n"), start=1):
        if fields := text.split():
            yield line, fields


def _count(path: Path, records: Iterator[tuple[int, list[str]]]) -> int:
    line, fields = next(records, (1, []))
    if len(fields) != 1 or not fields[0].isdecimal():
        raise ValueError(f"{path}: line {line}: must be the number of pictures, got {' '.join(fields)!r}")
    return int(fields[0])


def _check_header(path: Path, columns: Sequence[str]) -> None:
    if not columns:
        raise ValueError(f"{path}: must have a line that names its columns, got none")
    for name in columns:
        if columns.count(name) > 1:
            raise ValueError(f"{path}: column names must be unique, got {name!r} more than once")


def _listed(
    path: Path, records: Iterator[tuple[int, list[str]]], columns: Sequence[str], *, whole: bool = True
) -> PictureList:
    names: list[str] = []
    lines: list[int] = []
    values: list[list[str] | list[int]] = []
    for line, (name, *fields) in records:
        if len(fields) != len(columns):
            raise ValueError(f"{path}: line {line}: must have {len(columns)} values after {name}, got {len(fields)}")
        names.append(name)
        lines.append(line)
        values.append(_integers(path, line, columns, fields) if whole else fields)
    table = np.array(values, dtype=np.int64 if whole else object).reshape(len(names), len(columns))
    return PictureList(path=path, names=names, lines=lines, values=pd.DataFrame(table, columns=list(columns)))


def _integers(path: Path, line: int, columns: Sequence[str], fields: list[str]) -> list[int]:
    try:
        return [int(field) for field in fields]
    except ValueError:
        for name, field in zip(columns, fields, strict=True):
            if not re.fullmatch(r"[+-]?\d+", field):
                raise ValueError(f"{path}: line {line}: {name!r} must be a whole number, got {field!r}") from None
        raise
