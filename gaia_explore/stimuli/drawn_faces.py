"""Drawn faces: ten thousand pictures with attributes that go together as CelebA's do, and a thousand without that.

The files come with the package. They hold a number a pixel, which stands for one of a few mixtures of inks, and the
colours of every face's own inks; ``data/faces/README.md`` says how they were made, and ``data/faces/make`` makes them.
"""

import hashlib
import io
import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float32, Integer, Shaped, UInt8

from gaia_explore.stimuli.scaling import Scaler
from gaia_explore.stimuli.stimuli import Stimuli

FACE_PARTS = ("train", "balanced")
FACE_SIZES = (64, 48, 32, 16)
N_BINARY = 6
_CHUNK = 250
"""Faces made at a time, so that all of them never lie in memory at full size when they are wanted smaller."""

# In a wheel the files lie within the package, in a checkout beside it.
_PACKAGE = Path(__file__).parents[1]
_FOLDERS = (_PACKAGE / "data/faces", _PACKAGE.parent / "data/faces")


def faces(size: int = 64, part: str = "train") -> Stimuli:
    """Drawn faces in colour, x (n, size, size, 3), with attributes named as in CelebA.

    Attributes `Male`, `Young`, `Eyeglasses`, `Smiling`, `Beard` and `Wearing_Hat` are 0 or 1. Besides them stand the
    parameters of the drawing, which depend on nothing: `Fatness` (0 to 1), `Ear_Size`, `Eye_Size`, `Nose_Size` and
    `Mouth_Size` (times the usual), `Eye_Angle` and `Eyebrow_Angle` (degrees), and `Turn` and `Nod` of the head
    (−1 to 1: left to right as seen, down to up). `scaler` leads to 0 to 255.

    Parameters
    ----------
    size
        Pixels across and down: 64 as drawn; 48, 32 or 16 by averaging areas.
    part
        "train": 10,000 faces in which young women and old men prevail, as in CelebA: .28 young men for each old one,
        8.49 young women for each old one. "balanced": 1,000 others, every combination of the six attributes 15 or
        16 times, from which to tell what an attribute looks like by itself.

    Raises
    ------
    ValueError
        If there is no such size or part, or if a file is damaged: its SHA-256 is not the one it was made with.
    FileNotFoundError
        If a file is missing.

    Source
    ------
    The drawings are facesjs's (Jeremy Scheff, Apache-2.0), modified. The confound: Sainburg et al. 2018,
    arXiv:1807.06650, section 3.2.1.
    """
    if size not in FACE_SIZES:
        raise ValueError(f"size must be one of {', '.join(map(str, FACE_SIZES))}, got {size}")
    if part not in FACE_PARTS:
        raise ValueError(f"part must be one of {', '.join(FACE_PARTS)}, got {part!r}")
    folder = next((each for each in _FOLDERS if each.is_dir()), _FOLDERS[-1])
    manifest = json.loads(_read(folder / "faces.json"))
    packed = _read(folder / f"{part}.xz")
    if hashlib.sha256(packed).hexdigest() != manifest["parts"][part]["sha256"]:
        raise ValueError(f"{folder / f'{part}.xz'} is damaged: its SHA-256 is not the one in faces.json; install anew")
    file = io.BytesIO(lzma.decompress(packed))
    index, inks, table = (np.load(file, allow_pickle=False) for _ in range(3))
    x = _average(index, _palettes(manifest, inks), size)
    x.setflags(write=False)
    return Stimuli(
        x=x,
        attributes=_attributes(table, manifest["attributes"]),
        names=(),
        scaler=Scaler(np.array(0.0), np.array(255.0)),
        title="drawn faces" if part == "train" else f"drawn faces, {part}",
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{path} is missing: the drawn faces come with the package; install it anew") from error


def _palettes(manifest: dict[str, Any], inks: UInt8[np.ndarray, "n i 3"]) -> Float32[np.ndarray, "n k 3"]:
    """What colour each mixture is in each face, 0 to 1."""
    mixtures = np.array(manifest["mixtures"], dtype=np.float32)
    colours = mixtures[:, :3] + mixtures[:, 3:] @ (inks / np.float32(255))
    return np.clip(colours / 255, 0, 1, dtype=np.float32)


def _average(
    index: Integer[np.ndarray, "n h h"], palettes: Float32[np.ndarray, "n k 3"], size: int
) -> Float32[np.ndarray, "n s s 3"]:
    """Pictures whose pixels are the means of the areas that they cover in the drawing."""
    n, drawn, _ = index.shape
    edges = np.linspace(0, drawn, size + 1)[:, None]
    # Share of each row of the drawing in a row of the picture.
    within = np.clip(edges[1:] - np.arange(drawn), 0, 1) - np.clip(edges[:-1] - np.arange(drawn), 0, 1)
    weights = (within * size / drawn).astype(np.float32)
    x = np.empty((n, size, size, 3), dtype=np.float32)
    for start in range(0, n, _CHUNK):
        some = slice(start, start + _CHUNK)
        m, mixtures, _ = palettes[some].shape
        # Of one long list of colours rows are taken four times as fast as of a list a face.
        number = index[some] + mixtures * np.arange(m)[:, None, None]
        full = np.take(palettes[some].reshape(-1, 3), number, axis=0)
        if size < drawn:
            full = weights @ (weights @ full.reshape(m, drawn, -1)).reshape(m, size, drawn, 3)
        x[some] = full
    return x


def _attributes(table: Shaped[np.ndarray, "n k"], names: list[str]) -> pd.DataFrame:
    """Attributes as integers, parameters in the two decimals in which they were drawn."""
    frame = pd.DataFrame(np.round(table.astype(np.float64), 2), columns=names)
    return frame.astype(dict.fromkeys(names[:N_BINARY], np.int64))
