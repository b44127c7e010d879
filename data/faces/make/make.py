"""Make the drawn faces anew: ``npm ci`` in this folder, then ``python data/faces/make/make.py``.

Writes train.xz, balanced.xz and faces.json beside this folder. The same versions (package-lock.json, and NumPy and
scikit-learn of constraints.txt) give the same bytes; faces.json has their sha256.
"""

import hashlib
import json
import lzma
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import sample
from sklearn.cluster import KMeans

HERE = Path(__file__).parent
SIZE = 64
N_MIXTURES = 64
PARTS = {"train": (sample.confounded, 10_000, 0), "balanced": (sample.balanced, 1_000, 1)}
"""How each part is drawn, how many faces, and the seed."""
FILTER = {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "pb": 0}


def main(out: Path) -> None:
    faces = {}
    for part, (attributes, n, seed) in PARTS.items():
        rng = np.random.Generator(np.random.PCG64(seed))
        faces[part] = sample.vary(attributes(n, rng), rng)
    pixels = {part: draw(each.drawings) for part, each in faces.items()}
    mixtures = find_mixtures(pixels["train"], faces["train"].inks)
    manifest: dict[str, Any] = {
        "attributes": list(faces["train"].table.columns),
        "inks": ["skin", "hair", "frame", "hat", "edge"],
        "mixtures": mixtures.tolist(),
        "parts": {},
    }
    for part, each in faces.items():
        index = nearest(pixels[part], mixtures, each.inks)
        with lzma.open(out / f"{part}.xz", "wb", filters=[FILTER]) as file:
            for array in (index, each.inks.astype(np.uint8), each.table.to_numpy(np.float32)):
                np.save(file, array, allow_pickle=False)
        manifest["parts"][part] = {
            "n": len(index),
            "seed": PARTS[part][2],
            "mean_colour_error": round(colour_error(pixels[part], mixtures[index], each.inks), 3),
            "sha256": hashlib.sha256((out / f"{part}.xz").read_bytes()).hexdigest(),
        }
    (out / "faces.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def draw(drawings: list[dict[str, Any]]) -> np.ndarray:
    """Pixels (n, 64, 64, 8) as draw.mjs gives them."""
    command = ["node", str(HERE / "draw.mjs"), str(SIZE)]
    done = subprocess.run(command, input=json.dumps(drawings).encode(), stdout=subprocess.PIPE, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, SIZE, SIZE, 8)


def find_mixtures(pixels: np.ndarray, inks: np.ndarray) -> np.ndarray:
    """The mixtures (64, 8) that come nearest to the pixels, in the order of their lightness."""
    found, counts = np.unique(_as_integers(pixels), return_counts=True)
    scale = _scale(inks)
    points = found.view(np.uint8).reshape(-1, 8) * scale
    means = KMeans(N_MIXTURES, n_init=1, random_state=0).fit(points, sample_weight=counts).cluster_centers_
    return np.round(means[np.argsort(means.sum(axis=1))] / scale).astype(int)


def nearest(pixels: np.ndarray, mixtures: np.ndarray, inks: np.ndarray) -> np.ndarray:
    """Number of the mixture (n, 64, 64) that is nearest to each pixel."""
    found, where = np.unique(_as_integers(pixels), return_inverse=True)
    points, centres = (values * _scale(inks) for values in (found.view(np.uint8).reshape(-1, 8), mixtures))
    parts = np.array_split(points, 1 + len(points) // 10_000)
    number = np.concatenate([np.square(part[:, None] - centres).sum(axis=2).argmin(axis=1) for part in parts])
    return number[where].astype(np.uint8).reshape(pixels.shape[:3])


def colour_error(pixels: np.ndarray, approximate: np.ndarray, inks: np.ndarray) -> float:
    """Mean absolute difference of colours, 0 to 255, over the first 500 faces."""
    difference = (pixels[:500].astype(float) - approximate[:500]).reshape(len(inks[:500]), -1, 8)
    return float(np.abs(difference[..., :3] + difference[..., 3:] @ (inks[:500] / 255)).mean())


def _scale(inks: np.ndarray) -> np.ndarray:
    """What a step of each of the eight numbers is worth in colour: one for the base, its lightness for an ink."""
    return np.concatenate([np.ones(3), np.sqrt(np.square(inks / 255).sum(axis=2).mean(axis=0))])


def _as_integers(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels).view(np.uint64).ravel()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent)
