"""CelebA and CelebA-HQ as they lie on disk. Both are for non-commercial research, and have to be fetched by yourself.

Source
------
Liu et al. 2015, "Deep learning face attributes in the wild"; Karras et al. 2018, "Progressive growing of GANs" (HQ);
Lee et al. 2020, "MaskGAN" (CelebAMask-HQ).
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64, Shaped

from gaia_explore.stimuli.pictures.decoding import Crop
from gaia_explore.stimuli.pictures.folder import files_listing
from gaia_explore.stimuli.pictures.listing import Listing
from gaia_explore.stimuli.pictures.lists import PictureList, find_pictures, join, read_list, read_text_list

CELEBA_ATTRIBUTES = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)
"""The forty attributes, in CelebA's order."""

CELEBA_CROP: Crop = (57, 185, 25, 153)
"""The usual 128 × 128 of CelebA's 218 × 178: rows, then columns."""

HEAD_DIRECTION = ("left_right", "top_bottom")
_POINTS = ("lefteye", "righteye", "nose", "leftmouth", "rightmouth")
LANDMARKS = tuple(f"{point}_{axis}" for point in _POINTS for axis in "xy")
_PARTITIONS = ("train", "valid", "test")
_LIST_FOLDERS = ("", "Anno", "Eval")
_PICTURE_FOLDERS = (
    "img_align_celeba/img_align_celeba",
    "img_align_celeba",
    "img_align_celeba_png",
    "Img/img_align_celeba",
    "Img/img_align_celeba_png",
    "Img/img_align_celeba_png.7z/img_align_celeba_png",
)
_HQ_ANNOTATION = "CelebAMask-HQ-attribute-anno.txt"
_HQ_MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"


def celeba(path: str | Path, *, partial: bool = False) -> Listing:
    """List CelebA's aligned pictures with all that its lists say of them.

    Reads the flat layout, the official one (``Anno``, ``Eval``, ``Img``) and Kaggle's CSV files, JPEG or PNG.
    Attributes are, in this order: those of ``list_attr_celeba`` as 0 and 1; with landmarks, `left_right` and
    `top_bottom` (`head_direction`); with an evaluation list, `partition` (train, valid, test); with identities,
    `identity`; the landmarks, in pixels of the uncropped picture; `file`.

    Parameters
    ----------
    path
        The folder that holds the lists, or ``Anno`` and ``Eval`` with them.
    partial
        Leave out pictures that are not on disk or not in every list, instead of raising.
    """
    folder = Path(path)
    lists = _celeba_lists(folder)
    images = _first_with_pictures(folder)
    paths, tables = join(find_pictures(images), list(lists.values()), images, partial=partial)
    table = dict(zip(lists, tables, strict=True))
    parts = [table["attr"]]
    if "landmarks" in table:
        directions = head_direction(table["landmarks"].to_numpy())
        parts.append(pd.DataFrame(directions, columns=list(HEAD_DIRECTION)))
    parts += [table[name] for name in ("partition", "identity", "landmarks") if name in table]
    return files_listing(paths, images, parts, title="CelebA", crop=CELEBA_CROP)


def celeba_hq(path: str | Path, *, partial: bool = False) -> Listing:
    """List CelebA-HQ: CelebAMask-HQ's ``CelebA-HQ-img`` (0.jpg, 1.jpg, …) or ``imgHQ00000.npy``, …, by number.

    Attributes are those of ``CelebAMask-HQ-attribute-anno.txt`` as 0 and 1, if it is there; `celeba_file`, the name in
    CelebA, if ``CelebA-HQ-to-CelebA-mapping.txt`` is; `file`.

    Parameters
    ----------
    partial
        Leave out pictures that are not on disk or not in every list, instead of raising.
    """
    folder = Path(path)
    images = folder / "CelebA-HQ-img" if (folder / "CelebA-HQ-img").is_dir() else folder
    pictures = _hq_pictures(images)
    lists = []
    if (folder / _HQ_ANNOTATION).is_file():
        listed = read_list(folder / _HQ_ANNOTATION, counted=True)
        lists.append(replace(listed, values=listed.zeros_and_ones()))
    if (folder / _HQ_MAPPING).is_file():
        lists.append(_hq_mapping(folder / _HQ_MAPPING))
    paths, tables = join(pictures, lists, images, partial=partial)
    return files_listing(paths, images, tables, title="CelebA-HQ")


def is_celeba(folder: Path) -> bool:
    """Whether a folder holds CelebA's list of attributes."""
    return _find_list(folder, "list_attr_celeba") is not None


def is_celeba_hq(folder: Path) -> bool:
    """Whether a folder holds CelebA-HQ in one of its two forms."""
    named = (folder / "CelebA-HQ-img").is_dir() or (folder / _HQ_ANNOTATION).is_file()
    return named or next(folder.glob("imgHQ*.npy"), None) is not None


def head_direction(landmarks: Shaped[np.ndarray, "n 10"]) -> Float64[np.ndarray, "n 2"]:
    """Two ratios that tell where a head turns: `left_right` and `top_bottom`; NaN where the lower length is 0.

    Parameters
    ----------
    landmarks
        x and y, in pixels, of left eye, right eye, nose, left and right corner of the mouth, as CelebA lists them.

    Returns
    -------
    array
        left_right = |mean(left eye, left mouth corner) − nose| / |mean(right eye, right mouth corner) − nose|, 1 for a
        head that looks ahead; top_bottom = |middle of the eyes − nose| / |left eye − right eye|.

    Source
    ------
    Sainburg et al. 2018, arXiv:1807.06650: two head-direction values, by the authors' public code.
    """
    left_eye, right_eye, nose, left_mouth, right_mouth = np.moveaxis(
        np.asarray(landmarks, dtype=np.float64).reshape(-1, 5, 2), 1, 0
    )
    lengths = [
        (left_eye + left_mouth) / 2 - nose,
        (right_eye + right_mouth) / 2 - nose,
        (left_eye + right_eye) / 2 - nose,
        left_eye - right_eye,
    ]
    left, right, top, eyes = (np.linalg.norm(length, axis=1) for length in lengths)
    return np.stack([left / np.where(right > 0, right, np.nan), top / np.where(eyes > 0, eyes, np.nan)], axis=1)


def _celeba_lists(folder: Path) -> dict[str, PictureList]:
    attributes = _find_list(folder, "list_attr_celeba")
    if attributes is None:
        tried = ", ".join(f"{place}/" for place in _LIST_FOLDERS if place)
        raise FileNotFoundError(f"path must hold list_attr_celeba.txt or .csv, itself or in {tried}, got {folder}")
    listed = read_list(attributes, counted=True)
    lists = {"attr": replace(listed, values=listed.zeros_and_ones())}
    if path := _find_list(folder, "list_landmarks_align_celeba"):
        lists["landmarks"] = _columns(read_list(path, counted=True), LANDMARKS)
    if path := _find_list(folder, "list_eval_partition"):
        lists["partition"] = _partition(read_list(path, columns=["partition"]))
    if path := _find_list(folder, "identity_CelebA"):
        lists["identity"] = _columns(read_list(path, columns=["identity"]), ["identity"])
    return lists


def _find_list(folder: Path, name: str) -> Path | None:
    places = (folder / place / f"{name}{suffix}" for place in _LIST_FOLDERS for suffix in (".txt", ".csv"))
    return next((place for place in places if place.is_file()), None)


def _first_with_pictures(folder: Path) -> Path:
    for place in _PICTURE_FOLDERS:
        if (folder / place).is_dir():
            return folder / place
    raise FileNotFoundError(f"path must hold one of {', '.join(_PICTURE_FOLDERS)}, got {folder}")


def _columns(listed: PictureList, wanted: Sequence[str]) -> PictureList:
    if list(listed.values) != list(wanted):
        raise ValueError(f"{listed.path}: columns must be {', '.join(wanted)}, got {', '.join(listed.values)}")
    return listed


def _partition(listed: PictureList) -> PictureList:
    numbers = _columns(listed, ["partition"]).values["partition"].to_numpy()
    for row in np.flatnonzero((numbers < 0) | (numbers >= len(_PARTITIONS)))[:1]:
        raise listed.fault(int(row), f"the partition must be 0, 1 or 2, got {numbers[row]}")
    return replace(listed, values=pd.DataFrame({"partition": [_PARTITIONS[number] for number in numbers]}))


def _hq_pictures(images: Path) -> dict[str, Path]:
    """By number without zeros in front, which is what the lists call them."""
    pictures: dict[str, Path] = {}
    for name, path in find_pictures(images, (".jpg", ".jpeg", ".png", ".npy")).items():
        number = name.removeprefix("imgHQ")
        if number.isdecimal():
            pictures[str(int(number))] = path
    if not pictures:
        raise FileNotFoundError(f"path must hold CelebA-HQ-img/0.jpg, … or imgHQ00000.npy, …, got {images}")
    return pictures


def _hq_mapping(path: Path) -> PictureList:
    listed = read_text_list(path)
    for row, (index, file) in enumerate(_columns(listed, ["orig_idx", "orig_file"]).values.to_numpy().tolist()):
        if not index.isdecimal() or not Path(file).stem.isdecimal() or int(Path(file).stem) != int(index) + 1:
            raise listed.fault(row, f"orig_file must be numbered one above orig_idx, got {index} {file}")
    return replace(listed, values=pd.DataFrame({"celeba_file": listed.values["orig_file"].astype("str")}))
