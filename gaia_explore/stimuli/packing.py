"""Packing: any number of pictures, decoded once into one file of bytes that a training maps into memory.

A pack grows in a folder beside its own, block by block. Each block is entered in a journal, with its SHA-256, after it
has been written; whoever starts again keeps the blocks that match their entry and decodes the others. When all are
there, the folder is renamed: a pack that can be opened is whole.
"""

import hashlib
import json
import math
import os
import re
import shutil
import threading
from pathlib import Path
from typing import Any, final

import numpy as np
import PIL
from jaxtyping import UInt8
from tqdm.auto import tqdm

from gaia_explore.stimuli.packed import (
    DESCRIPTION,
    FORMAT,
    PIXELS,
    TABLE,
    PackedStimuli,
    blocks,
    digest,
    fingerprint,
    open_pack,
    table_bytes,
    text_columns,
)
from gaia_explore.stimuli.pictures.finding import find
from gaia_explore.stimuli.pictures.listing import Listing, in_threads

_JOURNAL = "journal.txt"
_ENTRY = re.compile(r"(\d+) ([0-9a-f]{64})")
_MOST_FAULTS = 10


def pack(
    source: str | Path | Listing, size: int, out: str | Path, *, jobs: int | None = None, progress: bool = True
) -> PackedStimuli:
    """Decode pictures to one size and write them, with their attributes, to a folder that `open_pack` opens.

    Can be killed at any time and called again: what has been decoded is not decoded again. A pack that is there
    already, of the same pictures in the same size, is opened as it is.

    Parameters
    ----------
    source
        A listing, or what `pictures.find` makes one of: a folder of CelebA, CelebA-HQ or any pictures, an HDF5 or an
        IDX file.
    size
        Height and width, in pixels.
    out
        The folder to write: ``x.npy``, uint8 (n, size, size, 3 or 1); ``attributes.csv``; ``pack.json``.
    jobs
        Threads that decode; as many as there are cores if not given.

    Raises
    ------
    ValueError
        For pictures that cannot be decoded, by name: mend them, and call it again.
    FileExistsError
        If `out` holds anything else.
    OSError
        If there is not enough room on the disk.
    """
    listing = source if isinstance(source, Listing) else find(source, size=size)
    out = Path(out)
    described = _describe(listing, size)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        return _open_same(out, described["plan"])
    bench = out.with_name(f"{out.name}.partial")
    _begin(bench, tuple(described["shape"]), described["plan"])
    digests = _fill(bench, listing, size, jobs, progress)
    _write(bench / TABLE, table_bytes(listing.attributes))
    finished = described | {"fingerprint": fingerprint(digests)}
    _write(bench / DESCRIPTION, json.dumps(finished, indent=2, ensure_ascii=False).encode())
    os.replace(bench, out)
    (out / _JOURNAL).unlink()
    return open_pack(out)


def _describe(listing: Listing, size: int) -> dict[str, Any]:
    """What a pack says of itself. Two of one `plan` hold the same pictures and attributes in the same way."""
    listing.framing(size)  # checks size and crop before anything is written
    plan = {
        "format": FORMAT,
        "title": listing.title,
        "shape": [len(listing), size, size, 1 if listing.grey else 3],
        "crop": None if listing.crop is None else list(listing.crop),
        "text": text_columns(listing.attributes),
    }
    hashed = hashlib.sha256(json.dumps(plan).encode())
    # Not where the pictures lie: they may have moved since a pack was cut short.
    hashed.update("\n".join(name.removeprefix(listing.source) for name in listing.names).encode())
    hashed.update(table_bytes(listing.attributes))
    made_by = {"source": listing.source, "pillow": PIL.__version__}
    return plan | made_by | {"plan": hashed.hexdigest()}


def _open_same(out: Path, plan: str) -> PackedStimuli:
    try:
        there = json.loads((out / DESCRIPTION).read_text(encoding="utf-8"))["plan"]
    except (OSError, ValueError, LookupError, TypeError):
        there = None
    if there != plan:
        raise FileExistsError(
            f"out must be a new folder, or hold this very pack, got {out}; remove it or choose another"
        )
    return open_pack(out)


def _begin(bench: Path, shape: tuple[int, ...], plan: str) -> None:
    """Lay out an unfinished pack, or see that the one that is there is of this plan."""
    journal = bench / _JOURNAL
    if journal.is_file():
        if journal.read_text(encoding="utf-8").partition("\n")[0] != plan:
            raise FileExistsError(f"{bench}: is an unfinished pack of something else; remove it or choose another out")
        return
    bench.mkdir(parents=True, exist_ok=True)
    needed, free = math.prod(shape), shutil.disk_usage(bench).free
    if needed > free:
        raise OSError(f"a pack of {needed / 1e9:.1f} GB must fit on the disk of {bench}, got {free / 1e9:.1f} GB free")
    np.lib.format.open_memmap(bench / PIXELS, mode="w+", dtype=np.uint8, shape=shape)
    # Last: where there is a journal, there are pixels.
    _write(journal, f"{plan}\n".encode())


def _fill(bench: Path, listing: Listing, size: int, jobs: int | None, progress: bool) -> list[str]:
    """Decode the blocks that the journal does not vouch for, and return the SHA-256 of each block."""
    framing = listing.framing(size)
    with _Blocks(bench) as done:

        def fill(index: int) -> ValueError | int:
            rows = done.parts[index]
            if not done.holds(index):
                try:
                    done.put(index, listing.block(rows, framing, done.shape))
                except ValueError as error:
                    return error
            return rows.stop - rows.start

        faults: list[ValueError] = []
        with tqdm(total=len(listing), desc=f"pack {listing.title}", unit="picture", disable=not progress) as bar:
            for result in in_threads(fill, range(len(done.parts)), jobs):
                if isinstance(result, int):
                    bar.update(result)
                    continue
                # Goes on for a while, to name what else has to be mended.
                faults.append(result)
                if len(faults) == _MOST_FAULTS:
                    break
        if faults:
            raise ValueError("\n".join(map(str, faults))) from faults[0]
        return [done.digests[index] for index in range(len(done.parts))]


@final
class _Blocks:
    """The pixels of an unfinished pack and the journal of its blocks, open for writing by many threads."""

    def __init__(self, bench: Path):
        self._there = np.load(bench / PIXELS, mmap_mode="r", allow_pickle=False)
        self.shape = self._there.shape[1:]
        self.parts = blocks(len(self._there), self.shape)
        text = (bench / _JOURNAL).read_text(encoding="utf-8")
        found = (_ENTRY.fullmatch(line) for line in text.splitlines())
        self.digests = {int(entry[1]): entry[2] for entry in found if entry}
        # Written as a file and not through the map: a full disk is then an error, and not the end of the process.
        self._pixels, self._journal = (bench / PIXELS).open("r+b"), (bench / _JOURNAL).open("ab")
        self._one_at_a_time = threading.Lock()

    def __enter__(self) -> "_Blocks":
        return self

    def __exit__(self, *_: object) -> None:
        os.fsync(self._pixels.fileno())
        self._pixels.close()
        self._journal.close()

    def holds(self, index: int) -> bool:
        """Whether a block is in the file as the journal says."""
        return index in self.digests and digest(self._there[self.parts[index]]) == self.digests[index]

    def put(self, index: int, block: UInt8[np.ndarray, "b h w c"]) -> None:
        """Write a block, and then its entry."""
        sha256 = digest(block)
        with self._one_at_a_time:
            self._pixels.seek(self._there.offset + self.parts[index].start * math.prod(self.shape))
            self._pixels.write(block.data)
            self._pixels.flush()
            # Begins with a line end, in case the entry before it is torn.
            self._journal.write(f"\n{index} {sha256}\n".encode())
            self._journal.flush()
            self.digests[index] = sha256


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)
