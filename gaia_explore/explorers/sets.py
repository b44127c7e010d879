"""The stimuli that an explorer shows, with their codes: made once, shared by explorers of the same set."""

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import final

import numpy as np
from jaxtyping import Float64, Shaped, UInt8

from gaia_explore.explorers.explorer import snapshot
from gaia_explore.explorers.pictures import SHEET, Portraits, as_png, if_finite, thumbnails
from gaia_explore.explorers.planes import Neighbours, far_apart
from gaia_explore.latent import Codec, Identified
from gaia_explore.stimuli import PackedStimuli, Stimuli
from gaia_explore.training import write_atomically

MOST_PACKED = 5000
"""Stimuli of a pack that are shown."""


MOST_PIXELS = 260_000
"""Of all thumbnails in a page without a kernel: some 130 kB."""


@final
@dataclass(frozen=True, eq=False)
class CodedStimuli:
    """Stimuli, and the codec that knows their codes.

    Attributes
    ----------
    codec
        A copy that no training changes, where it can be copied.
    stimuli
        What is shown.
    z
        Their codes.
    """

    codec: Codec
    stimuli: Stimuli
    z: Float64[np.ndarray, "n d"]

    @cached_property
    def portraits(self) -> Portraits:
        """Makes pictures of stimuli."""
        return Portraits(self.stimuli)

    @cached_property
    def neighbours(self) -> Neighbours:
        """Finds the nearest codes."""
        return Neighbours(self.z)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The attributes' names."""
        return tuple(map(str, self.stimuli.attributes.columns))

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """Texts by which the stimuli, and the model if it can be, are told from all others."""
        model = {"model": self.codec.fingerprint} if isinstance(self.codec, Identified) else {}
        return model | {"stimuli": self.stimuli.fingerprint}

    @property
    def first_colour(self) -> str:
        """The attribute that colours stimuli unless another is chosen: "label", or else the first, or "none"."""
        return "label" if "label" in self.names else [*self.names, "none"][0]

    def decode(self, z: Shaped[np.ndarray, "n d"]) -> Shaped[np.ndarray, "n *x"]:
        """Stimuli of codes, in single precision; raises where they are not finite."""
        return if_finite(np.asarray(self.codec.decode(np.asarray(z, np.float32)), np.float32))

    def rows(self, argument: str, rows: tuple[int, ...], *, ordered: bool = False) -> tuple[int, ...]:
        """Rows of stimuli, in ascending order or each once in the order given; raises if there is no such row."""
        n = len(self.stimuli)
        if rows and not 0 <= min(rows) <= max(rows) < n:
            raise ValueError(f"{argument} must name rows of the {n} stimuli, got {min(rows)} to {max(rows)}")
        return tuple(dict.fromkeys(map(int, rows))) if ordered else tuple(np.unique(np.array(rows, int)).tolist())

    def enough(self, anchors: tuple[int, ...], least: int) -> tuple[int, ...]:
        """Anchors, and where they are fewer than so many, stimuli after them whose codes lie far apart."""
        if len(anchors) >= least:
            return anchors
        return tuple(dict.fromkeys((*anchors, *self._apart, *range(min(least, len(self.stimuli))))))[:least]

    @cached_property
    def _apart(self) -> tuple[int, int, int]:
        return far_apart(self.z)

    def check_colour(self, colour: str):
        """Raise unless this is an attribute, or "none"."""
        if colour not in (*self.names, "none"):
            raise ValueError(f"colour must be among {', '.join([*self.names, 'none'])}, got {colour!r}")

    def some_thumbnails(self) -> UInt8[np.ndarray, "n h w 4"] | None:
        """Small pictures of the first stimuli, as many as a page may carry; None where stimuli are no pictures."""
        if self.portraits.kind != "picture":
            return None
        first = thumbnails(self.portraits, self.stimuli, 0)
        room = max(MOST_PIXELS // math.prod(first.shape[1:3]), 1)
        sheets = range(1, min(-(-len(self.stimuli) // SHEET), -(-room // SHEET)))
        return np.concatenate([first, *(thumbnails(self.portraits, self.stimuli, k) for k in sheets)])[:room]

    def write(self, folder: Path, name: str, x: Shaped[np.ndarray, "*x"]):
        """Write one stimulus into a folder, as a PNG where it is a picture, else as numbers."""
        if self.portraits.kind == "picture":
            return write_atomically(folder / f"{name}.png", as_png(self.portraits(x[None])[0, ..., :3]))
        file = io.BytesIO()
        np.save(file, x)
        write_atomically(folder / f"{name}.npy", file.getvalue())


def coded(codec: Codec | CodedStimuli, stimuli: Stimuli | PackedStimuli | None) -> CodedStimuli:
    """The set of a codec and stimuli; what is one already is returned as it is.

    Raises
    ------
    ValueError
        If stimuli are missing, fewer than three or others than those of the set, or their codes are not finite and at
        least two-dimensional, one a stimulus.
    """
    if isinstance(codec, CodedStimuli):
        if not (stimuli is None or stimuli is codec.stimuli or _alike(stimuli, codec.stimuli)):
            own, given = len(codec.stimuli), len(stimuli)
            raise ValueError(f"stimuli must be the {own} of the coded set, or left out, got {given} others")
        return codec
    if stimuli is None:
        raise ValueError("stimuli must be given with a codec, got None")
    if isinstance(stimuli, PackedStimuli):
        stimuli = stimuli.stimuli(np.unique(np.linspace(0, len(stimuli) - 1, MOST_PACKED).astype(int)))
    if len(stimuli) < 3:
        raise ValueError(f"stimuli must be at least 3, got {len(stimuli)}")
    own = snapshot(codec)
    z = np.asarray(own.encode(stimuli.x), np.float64)
    if z.ndim != 2 or len(z) != len(stimuli) or z.shape[1] < 2:
        raise ValueError(f"codec must give {len(stimuli)} codes of at least 2 dimensions, got shape {z.shape}")
    bad = int((~np.isfinite(z)).any(axis=1).sum())
    if bad:
        raise ValueError(f"codec must give finite codes, got {bad} of {len(z)} that are not")
    return CodedStimuli(own, stimuli, z)


def all_fingerprints(sets: Iterable[CodedStimuli]) -> dict[str, str]:
    """Fingerprints of stimuli that several models have coded: the models' in a row."""
    found = [own.fingerprints for own in sets]
    return found[0] | {"model": " ".join(own.get("model", "unknown") for own in found)}


def _alike(given: Stimuli | PackedStimuli, own: Stimuli) -> bool:
    """Whether stimuli are the same, although loaded anew."""
    return isinstance(given, Stimuli) and np.array_equal(given.x, own.x)
