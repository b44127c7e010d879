"""A made-up CelebA: a few drawn faces as JPEGs of its size, and its lists with all their quirks."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

N_FACES = 12
LANDMARKS = "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"


def drawn_face(number: int, size: tuple[int, int] = (178, 218)) -> Image.Image:
    """A face that looks in a direction of its own, its colour the number's."""
    width, height = size
    image = Image.new("RGB", size, (235, 235, 240))
    draw = ImageDraw.Draw(image)
    draw.ellipse((width * 0.2, height * 0.2, width * 0.8, height * 0.9), fill=(180, 20 * number % 256, 90))
    turn = (number % 5 - 2) * width * 0.03
    for x in (0.37, 0.63):
        draw.ellipse(
            (width * x - 8 + turn, height * 0.5 - 8, width * x + 8 + turn, height * 0.5 + 8), fill=(20, 20, 60)
        )
    draw.line((width * 0.4 + turn, height * 0.7, width * 0.6 + turn, height * 0.7), fill=(120, 0, 0), width=6)
    return image


def attribute(number: int, name: str) -> bool:
    """What the lists say; Young is true of all."""
    return name == "Young" or (number + len(name)) % 3 == 0


@pytest.fixture
def face() -> Callable[..., Image.Image]:
    return drawn_face


@pytest.fixture
def truth() -> Callable[[int, str], bool]:
    return attribute


@pytest.fixture
def make_celeba(tmp_path: Path) -> Callable[..., Path]:
    """Write a CelebA of 12 faces in one of its layouts: "flat", "official" or "kaggle"; return its folder."""

    def make(layout: str = "flat", *, suffix: str = ".jpg", names: str = "Smiling Male Young Eyeglasses") -> Path:
        root = tmp_path / f"celeba-{layout}"
        images, lists, evaluation = {
            "flat": (root / "img_align_celeba", root, root),
            "official": (root / "Img" / f"img_align_celeba{'_png' * (suffix == '.png')}", root / "Anno", root / "Eval"),
            "kaggle": (root / "img_align_celeba" / "img_align_celeba", root, root),
        }[layout]
        for folder in (images, lists, evaluation):
            folder.mkdir(parents=True, exist_ok=True)
        # No list is in the order of the pictures, and no two are in the same.
        orders = [np.random.default_rng(seed).permutation(N_FACES) + 1 for seed in range(4)]
        for number in orders[0]:
            drawn_face(int(number)).save(images / f"{number:06d}{suffix}", quality=95)
        rows = {f"{i:06d}.jpg": [1 if attribute(int(i), name) else -1 for name in names.split()] for i in orders[0]}
        points = {f"{i:06d}.jpg": [60, 100, 120, 100, 90 + int(i), 130, 65, 160, 115, 160] for i in orders[1]}
        partition = {f"{i:06d}.jpg": [int(i) % 3] for i in orders[2]}
        identity = {f"{i:06d}.jpg": [1000 + int(i) // 2] for i in orders[3]}
        if layout == "kaggle":
            write_csv(lists / "list_attr_celeba.csv", names.split(), rows)
            write_csv(lists / "list_landmarks_align_celeba.csv", LANDMARKS.split(), points)
            write_csv(evaluation / "list_eval_partition.csv", ["partition"], partition)
        else:
            write_list(lists / "list_attr_celeba.txt", rows, f"{N_FACES}\r\n{names} \r\n", end="\r\n", width=2)
            write_list(lists / "list_landmarks_align_celeba.txt", points, f"{N_FACES}\n{LANDMARKS}\n", width=4)
            write_list(evaluation / "list_eval_partition.txt", partition)
            write_list(lists / "identity_CelebA.txt", identity)
        return root

    return make


def write_list(path: Path, rows: dict[str, list[int]], head: str = "", *, end: str = "\n", width: int = 1) -> None:
    lines = (f"{name} " + " ".join(f"{value:>{width}}" for value in values) + end for name, values in rows.items())
    path.write_bytes((head + "".join(lines)).encode())


def write_csv(path: Path, header: Sequence[str], rows: dict[str, list[int]]) -> None:
    lines = [",".join(["image_id", *header])] + [",".join([name, *map(str, row)]) for name, row in rows.items()]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
