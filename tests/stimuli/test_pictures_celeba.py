"""CelebA and CelebA-HQ: three layouts, every quirk of their files, and an error for each fault with file and line."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gaia_explore.stimuli import Listing, celeba, celeba_hq, head_direction, pictures

Make = Callable[..., Path]
Truth = Callable[[int, str], bool]
NAMES = ["Smiling", "Male", "Young", "Eyeglasses"]


def numbers(listing: Listing) -> list[int]:
    return [int(Path(name).stem) for name in listing.names]


def edit(path: Path, old: str, new: str) -> None:
    content = path.read_bytes().decode()
    assert old in content
    path.write_bytes(content.replace(old, new, 1).encode())


def line_of(path: Path, name: str) -> int:
    return next(i for i, line in enumerate(path.read_text().splitlines(), start=1) if line.startswith(name))


@pytest.mark.parametrize("layout", ["flat", "official", "kaggle"])
class TestLayout:
    def test_pictures_and_lists_are_joined_by_name(self, layout: str, make_celeba: Make, truth: Truth) -> None:
        listing = celeba(make_celeba(layout))
        assert numbers(listing) == list(range(1, 13))
        table = listing.attributes
        for name in NAMES:
            assert table[name].tolist() == [int(truth(i, name)) for i in range(1, 13)]
        assert table["partition"].tolist() == [("train", "valid", "test")[i % 3] for i in range(1, 13)]
        assert table["nose_x"].tolist() == [90 + i for i in range(1, 13)]
        assert table["file"].tolist() == [f"{i:06d}.jpg" for i in range(1, 13)]
        assert ("identity" in table) == (layout != "kaggle")
        if layout != "kaggle":
            assert table["identity"].tolist() == [1000 + i // 2 for i in range(1, 13)]

    def test_the_usual_crop_is_rows_57_to_185_and_columns_25_to_153(self, layout: str, make_celeba: Make) -> None:
        listing = celeba(make_celeba(layout))
        stimuli = listing.stimuli(128)
        for row in (0, 7):
            with Image.open(listing.names[row]) as image:
                oracle = np.asarray(image)[57:185, 25:153]
            np.testing.assert_array_equal(np.rint(stimuli.x[row] * 255), oracle)
        assert (stimuli.title, stimuli.shape) == ("CelebA", (128, 128, 3))
        assert listing.stimuli().fingerprint == stimuli.fingerprint


def test_the_columns_come_in_one_order(make_celeba: Make) -> None:
    columns = list(celeba(make_celeba()).attributes)
    assert columns[:8] == [*NAMES, "left_right", "top_bottom", "partition", "identity"]
    assert (columns[8], columns[-2], columns[-1]) == ("lefteye_x", "rightmouth_y", "file")


@pytest.mark.parametrize("layout", ["flat", "official"])
def test_png_twins_match_lists_that_still_say_jpg(layout: str, make_celeba: Make) -> None:
    listing = celeba(make_celeba(layout, suffix=".png"))
    assert listing.attributes["file"].tolist() == [f"{i:06d}.png" for i in range(1, 13)]
    assert len(listing.stimuli(32)) == 12


def test_attributes_are_known_by_the_header_in_any_number_and_order(make_celeba: Make, truth: Truth) -> None:
    table = celeba(make_celeba(names="Eyeglasses Smiling")).attributes
    assert list(table)[:2] == ["Eyeglasses", "Smiling"]
    assert table["Smiling"].tolist() == [int(truth(i, "Smiling")) for i in range(1, 13)]


def test_zeros_for_minus_ones_give_the_same_table(make_celeba: Make) -> None:
    root = make_celeba()
    before = celeba(root).attributes
    path = root / "list_attr_celeba.txt"
    path.write_bytes(path.read_bytes().replace(b"-1", b" 0"))
    assert celeba(root).attributes.equals(before)


def test_an_attribute_that_never_varies_is_kept_as_it_is(make_celeba: Make) -> None:
    listing = celeba(make_celeba())
    assert listing.attributes["Young"].tolist() == [1] * 12
    train, held_out = listing.stimuli(16).split(0.5)
    assert len(train) == len(held_out) == 6


def test_a_grey_jpeg_has_three_channels_as_all_others(make_celeba: Make, face: Callable[..., Image.Image]) -> None:
    root = make_celeba()
    face(5).convert("L").save(root / "img_align_celeba" / "000005.jpg")
    picture = celeba(root).stimuli(64).x[4]
    np.testing.assert_array_equal(picture, np.repeat(picture[:, :, :1], 3, axis=2))


def test_a_truncated_jpeg_is_named(make_celeba: Make) -> None:
    root = make_celeba()
    path = root / "img_align_celeba" / "000003.jpg"
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(ValueError) as error:
        celeba(root).stimuli(64)
    assert str(error.value).startswith(f"{path}: a picture must be whole: image file is truncated (")


def test_files_that_only_look_like_pictures_are_passed_over(make_celeba: Make) -> None:
    root = make_celeba()
    (root / "img_align_celeba" / "._000001.jpg").write_bytes(b"of the Finder")
    (root / "img_align_celeba" / "readme.txt").write_text("pictures")
    assert len(celeba(root)) == 12


def test_head_directions_come_from_the_landmarks(make_celeba: Make) -> None:
    table = celeba(make_celeba()).attributes
    # Left side at (62.5, 130), right at (117.5, 130), nose at (90 + i, 130), eyes 60 apart and 30 above the nose.
    i = np.arange(1, 13)
    np.testing.assert_allclose(table["left_right"], (27.5 + i) / np.abs(27.5 - i))
    np.testing.assert_allclose(table["top_bottom"], np.hypot(i, 30) / 60)


@given(st.lists(st.integers(0, 178), min_size=10, max_size=10))
def test_a_mirrored_head_turns_the_other_way(points: list[int]) -> None:
    face = np.array([points])
    mirrored = face.reshape(5, 2)[[1, 0, 2, 4, 3]] * [-1, 1]
    (left_right, top_bottom), (other_way, same) = head_direction(face)[0], head_direction(mirrored.reshape(1, 10))[0]
    if left_right > 0 and other_way > 0:
        np.testing.assert_allclose(left_right * other_way, 1)
    np.testing.assert_allclose(top_bottom, same)


def test_a_head_without_a_right_side_has_no_direction() -> None:
    assert np.isnan(head_direction(np.zeros((1, 10)))).all()


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("list_attr_celeba.txt", "12\r\n", "13\r\n", ": line 1: must be the number of pictures listed, 12, got 13"),
        ("list_attr_celeba.txt", "12\r\n", "many\r\n", ": line 1: must be the number of pictures, got 'many'"),
        ("list_attr_celeba.txt", "12\r\n", "12 13\r\n", ": line 1: must be the number of pictures, got '12 13'"),
        ("list_attr_celeba.txt", "Male", "Young", ": column names must be unique, got 'Young' more than once"),
        ("list_attr_celeba.txt", "Male", "", ": line 3: must have 3 values after {third}, got 4"),
        ("list_landmarks_align_celeba.txt", "nose_x", "nose", ": columns must be lefteye_x, lefteye_y, righteye_x, "),
        ("list_eval_partition.txt", "000004.jpg 1", "000004.jpg 3", "the partition must be 0, 1 or 2, got 3"),
        ("list_eval_partition.txt", "000004.jpg 1", "000004.jpg", "must have 1 values after 000004.jpg, got 0"),
        ("identity_CelebA.txt", "000004.jpg 1002", "000004.jpg one", "'identity' must be a whole number, got 'one'"),
        ("identity_CelebA.txt", "000004.jpg", "000005.jpg", "must list a picture once, got 000005.jpg as in line {5}"),
    ],
)
def test_a_fault_in_a_list_is_told_with_file_and_line(
    make_celeba: Make, file: str, old: str, new: str, message: str
) -> None:
    root = make_celeba()
    path = root / file
    third = path.read_text().splitlines()[2].split()[0]
    line, first = line_of(path, "000004"), line_of(path, "000005") if "identity" in file else 0
    edit(path, old, new)
    with pytest.raises(ValueError) as error:
        celeba(root)
    told = message.replace("{third}", third).replace("{5}", str(min(line, first)))
    if not message.startswith(":"):
        told = f": line {max(line, first) if '{5}' in message else line}: {told}"
    assert str(error.value).startswith(f"{path}{told}")


def test_a_value_of_another_form_is_told_with_file_and_line(make_celeba: Make) -> None:
    root = make_celeba()
    path = root / "list_attr_celeba.txt"
    line = line_of(path, "000004")
    was = path.read_text().splitlines()[line - 1]
    edit(path, was, was[: len("000004.jpg ")] + " 0" + was[len("000004.jpg ") + 2 :])
    with pytest.raises(ValueError) as error:
        celeba(root)
    assert str(error.value) == f"{path}: line {line}: 'Smiling' must be -1 or 1, as elsewhere in this list, got 0"
    path.write_bytes(path.read_bytes().replace(b"-1", b" 0").replace(b" 1", b" 2"))
    with pytest.raises(ValueError, match=r"line \d+: '\w+' must be -1 or 1, or 0 or 1, got 2$"):
        celeba(root)


def test_an_empty_list_is_refused(make_celeba: Make) -> None:
    root = make_celeba()
    path = root / "list_attr_celeba.txt"
    path.write_text("")
    with pytest.raises(ValueError) as error:
        celeba(root)
    assert str(error.value) == f"{path}: line 1: must be the number of pictures, got ''"
    path.write_text("12\n")
    with pytest.raises(ValueError) as error:
        celeba(root)
    assert str(error.value) == f"{path}: must have a line that names its columns, got none"
    path.write_bytes(b"\xff\xfe12")
    with pytest.raises(ValueError) as error:
        celeba(root)
    assert str(error.value).startswith(f"{path}: must be UTF-8 text: ")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("000004.jpg,-1", "000004.jpg,?", ": line {4}: 'Smiling' must be a finite number, got '?'"),
        ("000004.jpg,-1", "000004.jpg,0.5", ": 'Smiling' must hold whole numbers, got float64"),
        ("000004.jpg,-1", ",-1", ": line {4}: 'image_id' must name a picture, got an empty cell"),
        ("000004.jpg,-1", "000004.jpg,-1,1", "Error tokenizing data. C error: Expected 5 fields in line {4}, saw 6"),
    ],
)
def test_a_fault_in_the_csv_form_is_told_with_file_and_line(
    make_celeba: Make, old: str, new: str, message: str
) -> None:
    root = make_celeba("kaggle")
    path = root / "list_attr_celeba.csv"
    line = line_of(path, "000004")
    edit(path, old, new)
    with pytest.raises(ValueError) as error:
        celeba(root)
    told = str(error.value)
    assert told.startswith(str(path)) and told.endswith(message.replace("{4}", str(line)))


def test_a_listed_picture_that_is_missing_is_told_or_left_out(make_celeba: Make) -> None:
    root = make_celeba()
    images = root / "img_align_celeba"
    (images / "000004.jpg").unlink()
    path = root / "list_attr_celeba.txt"
    line = line_of(path, "000004")
    with pytest.raises(ValueError) as error:
        celeba(root)
    told = f"{path}: line {line}: 000004.jpg is not in {images}; partial=True leaves out what is not in both"
    assert str(error.value) == told
    (images / "000009.jpg").unlink()
    with pytest.raises(ValueError, match=f"is not in {images}, nor are 1 others; partial=True"):
        celeba(root)
    kept = celeba(root, partial=True)
    assert numbers(kept) == [1, 2, 3, 5, 6, 7, 8, 10, 11, 12]
    assert kept.attributes["identity"].tolist() == [1000 + i // 2 for i in numbers(kept)]


def test_a_picture_that_is_not_listed_is_told_or_left_out(make_celeba: Make, face: Callable[..., Image.Image]) -> None:
    root = make_celeba()
    extra = root / "img_align_celeba" / "000013.jpg"
    face(13).save(extra)
    with pytest.raises(ValueError) as error:
        celeba(root)
    told = f"{extra}: is not listed in {root / 'list_attr_celeba.txt'}; partial=True leaves out what is not in both"
    assert str(error.value) == told
    assert numbers(celeba(root, partial=True)) == list(range(1, 13))


def test_a_folder_without_any_listed_picture_is_refused(make_celeba: Make) -> None:
    root = make_celeba()
    for path in (root / "img_align_celeba").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=r"img_align_celeba: must hold pictures named in .*, got none$"):
        celeba(root, partial=True)


def test_a_folder_that_is_no_celeba_is_refused(tmp_path: Path, make_celeba: Make) -> None:
    with pytest.raises(FileNotFoundError) as error:
        celeba(tmp_path)
    told = f"path must hold list_attr_celeba.txt or .csv, itself or in Anno/, Eval/, got {tmp_path}"
    assert str(error.value) == told
    root = make_celeba()
    (root / "img_align_celeba").rename(root / "pictures")
    with pytest.raises(FileNotFoundError, match="path must hold one of img_align_celeba/img_align_celeba, img_align"):
        celeba(root)


def test_two_pictures_of_one_name_are_refused(make_celeba: Make, face: Callable[..., Image.Image]) -> None:
    root = make_celeba()
    face(1).save(root / "img_align_celeba" / "000001.png")
    with pytest.raises(ValueError) as error:
        celeba(root)
    told = f"{root / 'img_align_celeba'}: pictures must differ in more than their ending, got 000001.jpg, 000001.png"
    assert str(error.value) == told


def test_another_crop_may_be_asked_for(make_celeba: Make) -> None:
    listing = celeba(make_celeba())
    assert replace(listing, crop=(20, 198, 0, 178)).stimuli(32).shape == (32, 32, 3)
    assert replace(listing, crop=None).stimuli().shape == (218, 178, 3)


@pytest.fixture
def hq(tmp_path: Path, face: Callable[..., Image.Image]) -> Path:
    root = tmp_path / "CelebAMask-HQ"
    (root / "CelebA-HQ-img").mkdir(parents=True)
    order = [10, 0, 2, 1, 3, 11, 4, 9, 5, 8, 7, 6]
    for number in order:
        face(number, (96, 96)).save(root / "CelebA-HQ-img" / f"{number}.jpg")
    rows = "".join(f"{number}.jpg  {1 if number % 2 else -1:>2} \n" for number in order)
    (root / "CelebAMask-HQ-attribute-anno.txt").write_text(f"12\nMale \n{rows}")
    rows = "".join(f"{number:<8d} {100 + number:<8d} {101 + number:06d}.jpg\n" for number in reversed(order))
    (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text(f"idx      orig_idx orig_file\n{rows}")
    return root


def test_celeba_hq_comes_by_number_and_knows_where_its_pictures_are_from(hq: Path) -> None:
    listing = celeba_hq(hq)
    assert numbers(listing) == list(range(12))
    assert listing.attributes["Male"].tolist() == [i % 2 for i in range(12)]
    assert listing.attributes["celeba_file"].tolist() == [f"{101 + i:06d}.jpg" for i in range(12)]
    assert listing.attributes["file"].tolist()[:3] == ["0.jpg", "1.jpg", "2.jpg"]
    assert listing.stimuli(48).shape == (48, 48, 3)


def test_a_mapping_that_contradicts_itself_is_told_with_file_and_line(hq: Path) -> None:
    path = hq / "CelebA-HQ-to-CelebA-mapping.txt"
    line = line_of(path, "4 ")
    edit(path, "000105.jpg", "000104.jpg")
    with pytest.raises(ValueError) as error:
        celeba_hq(hq)
    assert str(error.value) == f"{path}: line {line}: orig_file must be numbered one above orig_idx, got 104 000104.jpg"


def test_arrays_of_progan_are_celeba_hq_too(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = rng.integers(0, 256, size=(11, 1, 3, 8, 8), dtype=np.uint8)
    for number, array in enumerate(arrays):
        np.save(tmp_path / f"imgHQ{number:05d}.npy", array)
    listing = celeba_hq(tmp_path)
    assert listing.attributes["file"].tolist()[-1] == "imgHQ00010.npy"
    found = np.rint(listing.stimuli().x * 255).astype(np.uint8)
    np.testing.assert_array_equal(found, arrays[:, 0].transpose(0, 2, 3, 1))
    np.save(tmp_path / "imgHQ00003.npy", arrays[3].astype(np.float32))
    with pytest.raises(ValueError) as error:
        listing.stimuli()
    rule = "an array must be uint8 of shape (1, 3, h, w), got float32 of shape (1, 3, 8, 8)"
    assert str(error.value) == f"{tmp_path / 'imgHQ00003.npy'}: {rule}"


def test_an_array_of_objects_executes_nothing(tmp_path: Path) -> None:
    for number in range(2):
        np.save(tmp_path / f"imgHQ{number:05d}.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="Object arrays cannot be loaded when allow_pickle=False"):
        celeba_hq(tmp_path).stimuli()


def test_a_folder_without_numbered_pictures_is_no_celeba_hq(tmp_path: Path) -> None:
    (tmp_path / "CelebA-HQ-img").mkdir()
    with pytest.raises(FileNotFoundError) as error:
        celeba_hq(tmp_path)
    told = f"path must hold CelebA-HQ-img/0.jpg, … or imgHQ00000.npy, …, got {tmp_path / 'CelebA-HQ-img'}"
    assert str(error.value) == told


def test_each_is_found_by_what_lies_there(make_celeba: Make, hq: Path) -> None:
    for layout in ("flat", "official", "kaggle"):
        assert pictures.find(make_celeba(layout)).title == "CelebA"
    assert pictures.find(str(hq)).title == "CelebA-HQ"


def test_reading_warns_of_nothing(make_celeba: Make) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        celeba(make_celeba("official")).stimuli(16)
