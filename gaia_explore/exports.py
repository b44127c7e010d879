"""Sets of stimuli in folders: files for an experiment, and beside them all that it takes to make them anew."""

import csv
import hashlib
import io
import json
import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float64, UInt8

from gaia_explore.latent import Codec, Identified
from gaia_explore.paths import Continuum
from gaia_explore.paths.continua import mix
from gaia_explore.plots.animations import animate
from gaia_explore.plots.mosaics import as_bytes, as_pictures
from gaia_explore.stimuli import Scaler, Stimuli
from gaia_explore.training import write_atomically
from gaia_explore.version import __version__

FORMAT = "gaia_explore continuum/1"
TABLE = "stimuli.csv"
ABOUT = "stimuli.json"
ARRAY = "stimuli.npy"
ANIMATIONS = ("gif", "mp4", "none")
OURS = re.compile(r"step-\d{3,}\.png|stimuli\.(csv|npy)|morph\.(gif|mp4)")
"""Names of the files that an export replaces, and removes where it has fewer."""

SAME = 1e-3
"""Stimuli are decoded by the same model where they differ by no more: devices round differently."""

FIELDS = {
    **dict.fromkeys(("model", "kind", "spacing", "realism_by"), str),
    **dict.fromkeys(("latent_dim", "n_steps", "seed"), int),
    **dict.fromkeys(("shape", "anchors"), list),
    **dict.fromkeys(("stimuli", "animation"), dict),
}
"""What a description must have to be read."""

MEASURED = ("realism", "step_latent", "step_pixels", "step_perceptual")
MOST_COLUMNS = 64
"""Dimensions of flat stimuli that the table has in original units, at most; the array holds all in any case."""


def export_continuum(
    continuum: Continuum,
    folder: str | Path,
    *,
    codec: Codec,
    stimuli: Stimuli | None = None,
    anchors: Sequence[str | int] = (),
    seed: int = 0,
    animation: str = "gif",
    frames_per_second: float | int = 10,
    scale: int = 4,
) -> tuple[Path, ...]:
    """Write a continuum as a set of stimuli; the same continuum gives the same bytes, file by file.

    Pictures become ``step-000.png``, ``step-001.png``, … with as many pixels as they have, clipped to [0, 1], and an
    animation, ``morph.gif`` or ``morph.mp4``, that plays them there and back. Other stimuli become ``stimuli.npy``, a
    row a step. ``stimuli.json`` says what all were made of, and ``stimuli.csv`` has a row a step: file, leg, t, anchor,
    code, realism, distances to the step before, model and seed, and flat stimuli themselves, in original units where
    ``stimuli`` tells these. It is written last: a folder without it is not complete.

    Parameters
    ----------
    folder
        Made where it is missing. An earlier export in it is replaced, whole; other files stay.
    codec
        What decoded the continuum: its fingerprint, where it has one, is written beside every stimulus.
    stimuli
        The set whose codes the anchors are of: its title, fingerprint, names and units are recorded.
    anchors
        What the anchors are called, or their rows in that set; as many as there are, or none.
    seed
        What the continuum was drawn with, where anything was. Recorded, not used.
    animation
        ``"gif"``, ``"mp4"`` or ``"none"``; only pictures move.
    frames_per_second, scale
        Of the animation, see :func:`gaia_explore.plots.animate`.

    Returns
    -------
    The files, the table last.

    Raises
    ------
    ValueError
        For unknown animations, other than one name an anchor, stimuli of another shape, and a codec that decodes other
        stimuli: what was written before stays.
    FileExistsError
        Where files in the folder have an export's names and are none's.
    """
    if animation not in ANIMATIONS:
        raise ValueError(f"animation must be one of {', '.join(ANIMATIONS)}, got {animation!r}")
    if len(anchors) not in (0, len(continuum.anchors)):
        raise ValueError(f"anchors must be none or {len(continuum.anchors)} here, got {len(anchors)}")
    shape = continuum.stimuli.shape[1:]
    if stimuli is not None and stimuli.shape != shape:
        raise ValueError(f"stimuli must have the shape of the continuum's, {shape}, got {stimuli.shape}")
    decoded = np.asarray(codec.decode(continuum.codes), np.float32)
    if decoded.shape != continuum.stimuli.shape or not np.allclose(decoded, continuum.stimuli, atol=SAME):
        raise ValueError(
            "codec must be what decoded the continuum; it decodes other stimuli (a snapshot stays as it is)"
        )
    about = {
        "format": FORMAT,
        "version": __version__,
        "model": _fingerprint(codec),
        "stimuli": {} if stimuli is None else _about_stimuli(stimuli),
        "shape": list(shape),
        "latent_dim": continuum.codes.shape[1],
        "n_steps": len(continuum),
        "kind": continuum.kind,
        "spacing": continuum.spacing,
        "realism_by": continuum.realism_by,
        "anchors": [name if isinstance(name, str) else int(name) for name in anchors],
        "seed": int(seed),
        "animation": {"type": animation, "frames_per_second": frames_per_second, "scale": scale},
    }
    return _write(continuum, Path(folder), about)


def load_continuum(folder: str | Path, codec: Codec) -> Continuum:
    """The continuum that lies in a folder, its stimuli decoded anew from the codes in its table.

    On the same kind of machine every stimulus is bit for bit as it was; another may round differently.

    Raises
    ------
    FileNotFoundError, ValueError
        Where there is no complete export, its files are damaged, or another model made it; the message names the file.
    """
    folder = Path(folder)
    about = _read_about(folder / ABOUT)
    table = _read_table(folder / TABLE, about)
    model = _fingerprint(codec)
    if model != about["model"]:
        raise ValueError(f"codec must be the model that {folder} is of, {about['model']!r}, got {model!r}")
    codes = np.stack([table[name] for name in _code_columns(about)], axis=1).astype(np.float32)
    stimuli = np.asarray(codec.decode(codes), np.float32)
    if stimuli.shape[1:] != tuple(about["shape"]):
        raise ValueError(
            f"codec must decode stimuli of {folder / ABOUT}'s shape, {tuple(about['shape'])}, got {stimuli.shape[1:]}"
        )
    return Continuum(
        codes=codes,
        stimuli=stimuli,
        t=table["t"],
        leg=table["leg"].astype(np.int64),
        mixed=mix(stimuli, table["t"]),
        **{name: table[name] for name in MEASURED},
        **{name: about[name] for name in ("realism_by", "kind", "spacing")},
    )


def reproduce_export(folder: str | Path, codec: Codec, into: str | Path) -> tuple[Path, ...]:
    """Make every file of an export anew in another folder, from its table and the model alone.

    ``files`` in the two ``stimuli.json`` tells whether they are the same, by SHA-256.

    Raises
    ------
    FileNotFoundError, ValueError
        As :func:`load_continuum`.
    """
    return _write(load_continuum(folder, codec), Path(into), _read_about(Path(folder) / ABOUT))


def _write(continuum: Continuum, folder: Path, about: dict[str, Any]) -> tuple[Path, ...]:
    # All made before anything is taken away, so that an error leaves an earlier export as it was.
    contents = _contents(continuum, about)
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    text = json.dumps({**about, "files": sums}, indent=2, ensure_ascii=False) + "\n"
    _clear(folder)
    # The description first: it marks what an interrupted export leaves behind as an export's. The table comes last.
    contents = {ABOUT: text.encode(), **contents}
    for name, content in contents.items():
        write_atomically(folder / name, content)
    return tuple(folder / name for name in contents)


def _contents(continuum: Continuum, about: dict[str, Any]) -> dict[str, bytes]:
    """Every file but the description by its name, the table last."""
    x = continuum.stimuli
    contents: dict[str, bytes] = {}
    if x.ndim == 3 or (x.ndim == 4 and x.shape[-1] in (1, 3)):
        grey = x.ndim == 3 or x.shape[-1] == 1
        for step, picture in enumerate(as_bytes(as_pictures(x, "stimuli"))):
            contents[f"step-{step:03}.png"] = _png(picture[..., 0] if grey else picture)
        files = list(contents)
        moving = about["animation"]
        if moving["type"] != "none":
            name = f"morph.{moving['type']}"
            rate, scale = moving["frames_per_second"], moving["scale"]
            with TemporaryDirectory() as scratch:
                played = animate(x, Path(scratch) / name, frames_per_second=rate, scale=scale, bounce=True)
                contents[name] = played.path.read_bytes()
    else:
        files = [ARRAY] * len(x)
        array = io.BytesIO()
        np.save(array, np.ascontiguousarray(x, "<f4"), allow_pickle=False)
        contents[ARRAY] = array.getvalue()
    table = _table(continuum, files, about)
    contents[TABLE] = table.to_csv(index_label="step", lineterminator="\n").encode()
    return contents


def _table(continuum: Continuum, files: list[str], about: dict[str, Any]) -> pd.DataFrame:
    frame = continuum.to_frame()
    frame.insert(0, "file", files)
    named = pd.Series("", index=frame.index, dtype=object)
    if about["anchors"]:
        named.iloc[continuum.anchors] = about["anchors"]
    frame.insert(3, "anchor", named)
    frame["model"], frame["seed"] = about["model"], about["seed"]
    flat = continuum.stimuli
    if flat.ndim != 2 or flat.shape[1] > MOST_COLUMNS:
        return frame
    source = about["stimuli"]
    values = Scaler.from_dict(source["scaler"]).inverse(flat) if source else flat
    names = source["names"] if source else [f"x{i + 1}" for i in range(flat.shape[1])]
    own = pd.DataFrame(values, index=frame.index, columns=[f"{n} (stimulus)" if n in frame else n for n in names])
    return pd.concat([frame, own], axis=1)


def _about_stimuli(stimuli: Stimuli) -> dict[str, Any]:
    return {
        "title": stimuli.title,
        "fingerprint": stimuli.fingerprint,
        "names": list(stimuli.names),
        "scaler": stimuli.scaler.to_dict(),
    }


def _fingerprint(codec: Codec) -> str:
    return codec.fingerprint if isinstance(codec, Identified) else ""


def _code_columns(about: dict[str, Any]) -> list[str]:
    return [f"z{i + 1}" for i in range(about["latent_dim"])]


def _png(picture: UInt8[np.ndarray, "h w *c"]) -> bytes:
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(content, "PNG", optimize=True)
    return content.getvalue()


def _clear(folder: Path):
    """Take an earlier export away, its table first; raise where such files are no export's."""
    old = sorted(path for path in folder.glob("*") if OURS.fullmatch(path.name))
    if (folder / ABOUT).exists():
        _read_about(folder / ABOUT)
    elif old:
        raise FileExistsError(f"folder must hold no file with an export's name but an export's, got {old[0]}")
    for path in sorted(old, key=lambda path: path.name != TABLE):
        path.unlink()


def _read_about(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"no export at {path.parent}: it has no {path.name}")
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise ValueError(f"{path} is not an export of gaia_explore in the format {FORMAT!r}")
    for name, kind in FIELDS.items():
        if not isinstance(about.get(name), kind):
            raise ValueError(f"{path} must have a field {name!r} of type {kind.__name__}, got {about.get(name)!r}")
    # It becomes part of a file's name.
    if about["animation"].get("type") not in ANIMATIONS:
        raise ValueError(f"{path}: animation must be one of {', '.join(ANIMATIONS)}, got {about['animation']}")
    return about


def _read_table(path: Path, about: dict[str, Any]) -> dict[str, Float64[np.ndarray, " s"]]:
    """The columns of numbers, by name, to the last digit, which not every pandas reads right."""
    if not path.is_file():
        raise FileNotFoundError(f"no complete export at {path.parent}: it has no {path.name}")
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    needed = ("leg", "t", *_code_columns(about))
    try:
        columns = {name: np.array([float(row[name]) for row in rows]) for name in needed}
        columns |= {name: np.array([float(row[name] or "nan") for row in rows]) for name in MEASURED}
    except KeyError as error:
        raise ValueError(f"{path} must have the columns of an export, got none called {error}") from error
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is not the table of an export: {error}") from error
    if len(rows) != about["n_steps"]:
        raise ValueError(f"{path} must have {about['n_steps']} rows, as {ABOUT} says, got {len(rows)}")
    t = columns["t"]
    whole = t[t == np.floor(t)]
    if len(whole) < 2 or t[-1] != whole[-1] or np.any(np.diff(t) <= 0) or np.any(whole != np.arange(len(whole))):
        raise ValueError(f"{path} must rise in its column t from 0 over every whole number to the last, got {t}")
    return columns
