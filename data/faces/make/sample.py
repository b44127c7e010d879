"""Who is drawn: attributes with CelebA's confound or without any, and all else that varies in a face.

Only uniform numbers are drawn, so that a seed gives the same faces under every version of NumPy.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

ATTRIBUTES = ("Male", "Young", "Eyeglasses", "Smiling", "Beard", "Wearing_Hat")

CONTINUOUS = {
    "Fatness": (0.0, 1.0, 0.1),
    "Ear_Size": (0.6, 1.2, 0.2),
    "Eye_Size": (0.9, 1.3, 0.1),
    "Eye_Angle": (-8.0, 12.0, 4.0),
    "Eyebrow_Angle": (-12.0, 16.0, 4.0),
    "Nose_Size": (0.8, 1.6, 0.2),
    "Mouth_Size": (1.2, 1.8, 0.2),
    "Turn": (-1.0, 1.0, 0.25),
    "Nod": (-1.0, 1.0, 0.5),
}
"""Lowest, highest and step: each step is equally likely, independent of the attributes and of the others.

In steps, of about half a pixel, because a face in steps takes half the bytes. Angles are in degrees, sizes relative.
"""

SKIN = ("#f6dccd", "#ecc7aa", "#d6a482", "#ad7657", "#74483d")
HAIR = ("#1f1b18", "#3d2314", "#6b4226", "#a8652f", "#dcb96e")
GREY = ("#8f9092", "#dcdddf")
"""Ends and corners of the lines on which colours lie evenly; grey is the hair of the old."""
HATS = (("#b3202a", "#7a1319"), ("#1f5fae", "#123a6e"), ("#2f8f4e", "#1c5a31"), ("#e0a020", "#9c6a10"))
"""Crown and edges."""
FRAMES = ("#26262a", "#6b1420", "#1d3f7d")
"""Of glasses."""

OF_MEN = {
    "hair": ("short2", "short3", "parted", "middle-part", "spike4", "messy", "curly3", "juice"),
    "hairBg": ("none",),
    "head": ("head1", "head3", "head7", "head10", "head15", "head18"),
    "eye": ("eye1", "eye2", "eye4", "eye8", "eye10"),
    "eyebrow": ("eyebrow1", "eyebrow7", "eyebrow8", "eyebrow14"),
}
OF_WOMEN = {
    "hair": ("female1", "female2", "female4", "female5", "female6", "female9"),
    "hairBg": ("female2", "female3", "female4", "female5"),
    "head": ("female1", "female2", "female3"),
    "eye": ("female1", "female2", "female3", "female4", "female6"),
    "eyebrow": ("female1", "female5", "female10", "eyebrow19"),
}
OF_BOTH = {
    "nose": ("honker", "nose5", "nose6", "nose8", "nose11", "small"),
    "accessories": ("hat", "hat2", "hat3"),
    "facialHair": ("beard1", "beard2", "beard3", "beard6", "beard-point", "honest-abe-stache"),
    "eyeLine": ("line3", "line4", "line5"),
    "smileLine": ("line1", "line3"),
    "miscLine": ("forehead2", "forehead5"),
}
SERIOUS = ("straight", "closed", "mouth6")
SMILES = ("smile", "smile2", "smile3")

YOUNG_MEN, YOUNG_WOMEN = 0.28 / 1.28, 8.49 / 9.49
"""CelebA has .28 young men for each old one, and 8.49 young women (Sainburg et al. 2018, arXiv:1807.06650, 3.2.1)."""


@dataclass(frozen=True, kw_only=True)
class Faces:
    """Attributes and continuous parameters (n rows), how draw.mjs is to draw each, and its inks (n, 5, 3)."""

    table: pd.DataFrame
    drawings: list[dict[str, Any]]
    inks: np.ndarray


def confounded(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Attributes that go together as CelebA's do: Male and Young above all, in exact shares."""
    male = _quota(rng, np.full(n, 0.42))
    young = _quota(rng, np.where(male, YOUNG_MEN, YOUNG_WOMEN))
    shares = {
        "Eyeglasses": np.where(young, 0.20, 0.40),
        "Smiling": np.where(male, 0.40, 0.55),
        "Beard": np.where(male, 0.50, 0.15),
        "Wearing_Hat": np.where(male, 0.35, 0.25),
    }
    others = {name: _quota(rng, share) for name, share in shares.items()}
    return pd.DataFrame({"Male": male, "Young": young, **others})


def balanced(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Every combination of the attributes equally often or once more, each attribute in half of the faces."""
    # Those that come once more are the first here. Of the half with an even number of attributes no two attributes go
    # together, and a combination stands beside its opposite.
    codes = sorted(range(2**6), key=lambda code: (code.bit_count() % 2, min(code, 63 - code)))
    chosen = np.resize(codes, n)[np.argsort(rng.random(n))]
    return pd.DataFrame({name: chosen >> bit & 1 for bit, name in enumerate(ATTRIBUTES)})


def vary(attributes: pd.DataFrame, rng: np.random.Generator) -> Faces:
    """Give faces with these attributes all else that a face has, independently."""
    n = len(attributes)
    steps = {name: _step(rng.random(n), *limits) for name, limits in CONTINUOUS.items()}
    table = attributes.assign(**steps)
    rows = table.to_dict("records")
    inks = np.array([_inks(row, iter(u)) for row, u in zip(rows, rng.random((n, 4)).tolist(), strict=True)])
    # As many numbers for each face, whatever it has, so that no face changes another.
    chances = rng.random((n, 16)).tolist()
    return Faces(
        table=table, drawings=[_drawing(row, iter(u)) for row, u in zip(rows, chances, strict=True)], inks=inks
    )


def _drawing(row: dict[str, Any], u: Iterator[float]) -> dict[str, Any]:
    """A face as draw.mjs takes it."""
    pools = (OF_MEN if row["Male"] else OF_WOMEN) | OF_BOTH | {"mouth": SMILES if row["Smiling"] else SERIOUS}
    style = {name: _pick(pool, next(u)) for name, pool in pools.items()}
    if row["Wearing_Hat"]:
        # A woman's hair hangs down behind.
        style["hair"] = "short" if row["Male"] else "none"
    present = {"accessories": row["Wearing_Hat"], "facialHair": row["Beard"]}
    present |= dict.fromkeys(("eyeLine", "smileLine", "miscLine"), not row["Young"])
    style |= {name: "none" for name, is_there in present.items() if not is_there}
    face: dict[str, Any] = {name: {"id": identity} for name, identity in style.items()}
    face |= {
        "fatness": row["Fatness"],
        "body": {"id": "body", "color": "skin-ink", "size": 1.0 if row["Male"] else 0.85},
        "ear": {"id": "ear1", "size": row["Ear_Size"]},
        "glasses": {"id": "glasses1-primary" if row["Eyeglasses"] else "none"},
        # facesjs's primary, secondary and accent colours.
        "teamColors": ["frame-ink", "hat-ink", "edge-ink"],
    }
    face["hair"] |= {"color": "hair-ink", "flip": next(u) < 0.5}
    face["head"] |= {"shave": "rgba(0,0,0,0)"}
    face["eye"] |= {"angle": row["Eye_Angle"], "size": row["Eye_Size"]}
    face["eyebrow"] |= {"angle": row["Eyebrow_Angle"]}
    face["nose"] |= {"size": row["Nose_Size"], "flip": next(u) < 0.5}
    face["mouth"] |= {"size": row["Mouth_Size"], "flip": next(u) < 0.5}
    face["smileLine"] |= {"size": 1.2}
    return {"face": face, "turn": row["Turn"], "nod": row["Nod"]}


def _inks(row: dict[str, Any], u: Iterator[float]) -> list[list[int]]:
    """Red, green and blue of skin, hair, frame, hat and its edges."""
    skin, hair = _between(SKIN, next(u)), _between(HAIR if row["Young"] else GREY, next(u))
    return [skin, hair, _rgb(_pick(FRAMES, next(u))), *map(_rgb, _pick(HATS, next(u)))]


def _quota(rng: np.random.Generator, share: np.ndarray) -> np.ndarray:
    """Who has an attribute, 0 or 1: of those with one share that share, rounded, at random."""
    has = np.zeros(len(share), dtype=np.int64)
    for value in np.unique(share):
        (group,) = np.nonzero(share == value)
        has[group[np.argsort(rng.random(len(group)))[: round(value * len(group))]]] = 1
    return has


def _step(u: np.ndarray, low: float, high: float, step: float) -> np.ndarray:
    steps = round((high - low) / step) + 1
    return np.round(low + step * np.floor(u * steps), 2)


def _pick(pool: Sequence[Any], u: float) -> Any:
    return pool[int(u * len(pool))]


def _rgb(colour: str) -> list[int]:
    return [int(colour[i : i + 2], 16) for i in (1, 3, 5)]


def _between(colours: Sequence[str], t: float) -> list[int]:
    """A colour on the broken line through these, t = 0 the first, t = 1 the last."""
    corners = np.linspace(0, 1, len(colours))
    return [round(float(np.interp(t, corners, channel))) for channel in zip(*map(_rgb, colours), strict=True)]
