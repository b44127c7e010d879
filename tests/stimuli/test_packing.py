"""Packing: one file of bytes, whole or not there; killed at any time, it goes on; and sets that stay in that file."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gaia_explore.stimuli import Listing, PackedStimuli, celeba, open_pack, pack, packed

N = 12


def told_by(function: Callable[..., Any], *arguments: Any, error: type[Exception] = ValueError, **options: Any) -> str:
    with pytest.raises(error) as raised:
        function(*arguments, **options)
    return str(raised.value)


@pytest.fixture
def root(make_celeba: Callable[..., Path]) -> Path:
    return make_celeba("official")


@pytest.fixture(autouse=True)
def blocks_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_BLOCK_STIMULI", 3)


def counted(listing: Listing) -> tuple[Listing, list[int]]:
    """The listing, and the rows of which it has decoded a picture."""
    rows: list[int] = []

    def decode(row: int) -> Image.Image:
        rows.append(row)
        return listing.open(row)

    return replace(listing, open=decode), rows


def small(n: int = 8, **attributes: Any) -> PackedStimuli:
    """n pictures of 2 × 2 whose first byte is their number, not from a file."""
    pixels = np.arange(n * 12, dtype=np.uint8).reshape(n, 2, 2, 3)
    pixels[:, 0, 0, 0] = np.arange(n)
    table = pd.DataFrame({**attributes, "row": np.arange(n) + 0.5})
    return PackedStimuli(pixels=pixels, rows=np.arange(n), attributes=table, title="small", digest="d")


def test_a_pack_holds_what_its_listing_gives(root: Path, tmp_path: Path) -> None:
    pack_ = pack(root, 32, tmp_path / "out", progress=False)
    oracle = celeba(root).stimuli(32)
    assert (len(pack_), pack_.shape, pack_.title, pack_.pixels.dtype) == (N, (32, 32, 3), "CelebA", np.uint8)
    np.testing.assert_array_equal(pack_.stimuli().x, oracle.x)
    pd.testing.assert_frame_equal(pack_.attributes, oracle.attributes)
    assert isinstance(pack_.pixels, np.memmap) and not pack_.pixels.flags.writeable
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["attributes.csv", "pack.json", "x.npy"]
    assert not (tmp_path / "out.partial").exists()


def test_its_description_says_where_it_is_from(root: Path, tmp_path: Path) -> None:
    pack_ = pack(root, 32, tmp_path / "out", progress=False)
    described = json.loads((tmp_path / "out" / "pack.json").read_text())
    assert described["source"] == str(root / "Img" / "img_align_celeba")
    assert (described["shape"], described["crop"]) == ([N, 32, 32, 3], [57, 185, 25, 153])
    assert (described["text"], described["fingerprint"]) == (["partition", "file"], pack_.fingerprint)


def test_a_pack_is_the_same_by_any_number_of_threads(root: Path, tmp_path: Path) -> None:
    one, four = (pack(root, 16, tmp_path / str(jobs), jobs=jobs, progress=False) for jobs in (1, 4))
    assert one.fingerprint == four.fingerprint
    assert (tmp_path / "1" / "x.npy").read_bytes() == (tmp_path / "4" / "x.npy").read_bytes()


def test_a_pack_that_is_there_is_opened_and_not_made_again(root: Path, tmp_path: Path) -> None:
    first = pack(root, 16, tmp_path / "out", progress=False)
    listing, rows = counted(celeba(root))
    assert pack(listing, 16, tmp_path / "out", progress=False).fingerprint == first.fingerprint
    assert rows == []


@pytest.mark.parametrize("what", ["size", "crop", "pictures", "files", "file"])
def test_nothing_else_is_overwritten(root: Path, tmp_path: Path, what: str) -> None:
    out, listing, size = tmp_path / "out", celeba(root), 16
    if what in ("files", "file"):
        (out if what == "file" else out / "thesis.txt").parent.mkdir(exist_ok=True)
        (out if what == "file" else out / "thesis.txt").write_text("mine")
    else:
        pack(listing, 16, out, progress=False)
    size, listing = (8 if what == "size" else 16), replace(listing, crop=None) if what == "crop" else listing
    listing = listing.subset(range(11)) if what == "pictures" else listing
    told = told_by(pack, listing, size, out, error=FileExistsError)
    assert told == f"out must be a new folder, or hold this very pack, got {out}; remove it or choose another"


def test_an_empty_folder_may_be_filled(root: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert len(pack(root, 16, tmp_path / "out", progress=False)) == N


KILLED = """
import sys, time
from dataclasses import replace
from gaia_explore.stimuli import celeba, pack, packed
packed._BLOCK_STIMULI = 3
listing = celeba(sys.argv[1])
def decode(row):
    if row == 7:
        print("in the third block", flush=True)
        time.sleep(600)
    return listing.open(row)
pack(replace(listing, open=decode), 16, sys.argv[2], jobs=1, progress=False)
"""


def test_killed_by_force_it_goes_on_and_decodes_nothing_twice(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    running = subprocess.Popen([sys.executable, "-c", KILLED, str(root), str(out)], stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None and running.stdout.readline() == "in the third block\n"
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    running.stdout.close()
    assert not out.exists()
    listing, rows = counted(celeba(root))
    resumed = pack(listing, 16, out, progress=False)
    assert sorted(rows) == [6, 7, 8, 9, 10, 11]
    assert resumed.fingerprint == pack(root, 16, tmp_path / "straight", progress=False).fingerprint
    assert open_pack(out, verify=True).fingerprint == resumed.fingerprint


class TestUnfinished:
    @pytest.fixture
    def bench(self, root: Path, tmp_path: Path) -> Path:
        """A pack of four blocks that was cut short before the last."""

        def decode(row: int) -> Image.Image:
            if row == 10:
                raise KeyboardInterrupt
            return celeba(root).open(row)

        with pytest.raises(KeyboardInterrupt):
            pack(replace(celeba(root), open=decode), 16, tmp_path / "out", jobs=1, progress=False)
        return tmp_path / "out.partial"

    def resumed(self, root: Path, tmp_path: Path) -> list[int]:
        listing, rows = counted(celeba(root))
        pack(listing, 16, tmp_path / "out", progress=False)
        straight = pack(root, 16, tmp_path / "straight", progress=False)
        assert open_pack(tmp_path / "out", verify=True).fingerprint == straight.fingerprint
        return sorted(rows)

    def test_an_interrupted_pack_goes_on(self, bench: Path, root: Path, tmp_path: Path) -> None:
        assert self.resumed(root, tmp_path) == [9, 10, 11]

    def test_a_block_that_is_not_as_the_journal_says_is_made_again(
        self, bench: Path, root: Path, tmp_path: Path
    ) -> None:
        with (bench / "x.npy").open("r+b") as file:
            file.seek(-8 * 16 * 16 * 3, os.SEEK_END)  # in row 4
            file.write(bytes(100))
        assert self.resumed(root, tmp_path) == [3, 4, 5, 9, 10, 11]

    def test_a_torn_entry_is_none(self, bench: Path, root: Path, tmp_path: Path) -> None:
        journal = bench / "journal.txt"
        journal.write_bytes(journal.read_bytes()[:-9])
        assert self.resumed(root, tmp_path) == [6, 7, 8, 9, 10, 11]

    def test_pixels_without_a_journal_are_begun_anew(self, bench: Path, root: Path, tmp_path: Path) -> None:
        (bench / "journal.txt").unlink()
        assert self.resumed(root, tmp_path) == list(range(N))

    def test_pictures_may_have_moved(self, bench: Path, root: Path, tmp_path: Path) -> None:
        moved = root.rename(tmp_path / "moved")
        assert self.resumed(moved, tmp_path) == [9, 10, 11]

    def test_of_something_else_it_is_left_alone(self, bench: Path, root: Path, tmp_path: Path) -> None:
        told = told_by(pack, root, 8, tmp_path / "out", error=FileExistsError)
        assert told == f"{bench}: is an unfinished pack of something else; remove it or choose another out"


def test_all_broken_pictures_are_named_and_can_be_mended(
    root: Path, tmp_path: Path, face: Callable[..., Image.Image]
) -> None:
    broken = [root / "Img" / "img_align_celeba" / f"00000{i}.jpg" for i in (2, 8)]
    whole = [path.read_bytes() for path in broken]
    for path in broken:
        path.write_bytes(path.read_bytes()[:1500])
    told = sorted(told_by(pack, root, 16, tmp_path / "out", progress=False).split("\n"))
    assert len(told) == 2
    for path, line in zip(broken, told, strict=True):
        assert line.startswith(f"{path}: a picture must be whole: image file is truncated (")
    for path, content in zip(broken, whole, strict=True):
        path.write_bytes(content)
    listing, rows = counted(celeba(root))
    pack(listing, 16, tmp_path / "out", progress=False)
    assert sorted(rows) == [0, 1, 2, 6, 7, 8]


def test_when_much_is_broken_it_stops_early(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "_BLOCK_STIMULI", 1)
    listing = replace(celeba(root), crop=(0, 400, 0, 400))
    told = told_by(pack, listing, 16, tmp_path / "out", jobs=1, progress=False)
    assert told.count("crop must lie in the picture") == 10


def test_a_full_disk_is_told_beforehand(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 100}))
    told = told_by(pack, root, 16, tmp_path / "out", error=OSError)
    assert told == f"a pack of 0.0 GB must fit on the disk of {tmp_path / 'out.partial'}, got 0.0 GB free"


def test_wrong_sizes_are_told_before_anything_is_written(root: Path, tmp_path: Path) -> None:
    assert told_by(pack, root, 0, tmp_path / "out") == "size must be at least 1, got 0"
    assert not list(tmp_path.glob("out*"))


class TestOpening:
    @pytest.fixture
    def out(self, root: Path, tmp_path: Path) -> Path:
        pack(root, 16, tmp_path / "out", progress=False)
        return tmp_path / "out"

    def test_a_folder_that_is_no_pack_is_refused(self, tmp_path: Path) -> None:
        told = told_by(open_pack, tmp_path, error=FileNotFoundError)
        assert told == f"path must be a folder that pack wrote, with pack.json in it, got {tmp_path}"

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"format": "other"}, "pack.json: format must be 'gaia_explore pack 1', got 'other'"),
            ({"title": 3}, "pack.json: title must be a str, got 3"),
            (
                {"shape": [13, 16, 16, 3]},
                "x.npy: must hold uint8 of shape (13, 16, 16, 3), as pack.json says, "
                "got uint8 of shape (12, 16, 16, 3)",
            ),
        ],
    )
    def test_a_description_that_does_not_fit_is_told(self, out: Path, change: dict[str, Any], message: str) -> None:
        path = out / "pack.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
        assert told_by(open_pack, out) == f"{out}/{message}"

    def test_broken_files_are_told_by_name(self, out: Path) -> None:
        table = (out / "attributes.csv").read_text()
        (out / "attributes.csv").write_text(table.rsplit("\n", 2)[0])
        assert told_by(open_pack, out) == f"{out / 'attributes.csv'}: must have a row for each of 12 stimuli, got 11"
        (out / "attributes.csv").write_text("a,b\n1,2,3\n1,2,3,4\n")
        assert told_by(open_pack, out).startswith(f"{out / 'attributes.csv'}: Error tokenizing data.")
        (out / "x.npy").write_bytes((out / "x.npy").read_bytes()[:-1])
        assert told_by(open_pack, out).startswith(f"{out / 'x.npy'}: ")
        (out / "pack.json").write_text("{")
        assert told_by(open_pack, out).startswith(f"{out / 'pack.json'}: Expecting property name")

    def test_changed_pixels_are_found_when_asked_for(self, out: Path) -> None:
        content = bytearray((out / "x.npy").read_bytes())
        content[-1] ^= 1
        (out / "x.npy").write_bytes(content)
        assert len(open_pack(out)) == N
        assert (
            told_by(open_pack, out, verify=True) == f"{out / 'x.npy'}: has changed since it was packed; pack it again"
        )


def test_attributes_of_every_kind_come_back(root: Path, tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "number": [1.5, np.nan, 1 / 3] * 4,
            "code": ["007", "NA", None] * 4,
            "on": [True, False, True] * 4,
            "kind": pd.Categorical(["b", "a", "b"] * 4),
        }
    )
    back = pack(replace(celeba(root), attributes=table), 8, tmp_path / "out", progress=False).attributes
    pd.testing.assert_frame_equal(back.filter(["number", "on"]), table.filter(["number", "on"]))
    assert back["code"].tolist()[:2] == ["007", "NA"] and back["code"].isna().tolist() == [False, False, True] * 4
    assert back["kind"].tolist() == ["b", "a", "b"] * 4


def test_a_set_without_attributes_can_be_packed(root: Path, tmp_path: Path) -> None:
    bare = replace(celeba(root), attributes=pd.DataFrame(index=range(N)))
    assert pack(bare, 8, tmp_path / "out", progress=False).attributes.shape == (N, 0)


@given(st.lists(st.integers(-8, 7), min_size=1, max_size=12))
def test_what_is_taken_is_a_subset_of_a_subset_in_its_order(rows: list[int]) -> None:
    whole = small()
    part = whole.subset(np.arange(8)[::-1])
    expected = [part.attributes["row"].astype(int)[row % 8] for row in rows]
    np.testing.assert_array_equal(part.take(rows)[:, 0, 0, 0] * np.float32(255), expected)
    np.testing.assert_array_equal(part.subset(rows).x[:, 0, 0, 0], expected)
    assert part.subset(rows).attributes["row"].astype(int).tolist() == expected


def test_taken_stimuli_are_scaled_as_the_scaler_does() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(256, 1, 1, 1)
    every = PackedStimuli(
        pixels=pixels, rows=np.arange(256), attributes=pd.DataFrame(index=range(256)), title="bytes", digest="d"
    )
    np.testing.assert_array_equal(every.take(range(256)), every.scaler.transform(pixels))
    np.testing.assert_array_equal(every.stimuli().unscale(every.stimuli().x).round(), pixels)


def test_a_set_splits_as_one_in_memory_does_and_copies_no_pixel() -> None:
    whole = small(8, label=[0, 1] * 4)
    for mine, oracle in zip(whole.split(0.5, seed=3), whole.stimuli().split(0.5, seed=3), strict=True):
        pd.testing.assert_frame_equal(mine.attributes, oracle.attributes)
        np.testing.assert_array_equal(mine.stimuli().x, oracle.x)
        assert mine.pixels is whole.pixels


def test_a_part_is_balanced_as_that_of_a_set_in_memory() -> None:
    whole = small(8, label=[0, 0, 0, 1, 1, 1, 1, 1])
    mine, oracle = whole.balanced(["label"], seed=2), whole.stimuli().balanced(["label"], seed=2)
    pd.testing.assert_frame_equal(mine.attributes, oracle.attributes)
    assert sorted(mine.attributes["label"]) == [0, 0, 0, 1, 1, 1]
    assert mine.pixels is whole.pixels


def test_fingerprints_tell_sets_apart_without_reading_them() -> None:
    whole = small()
    assert whole.fingerprint == whole.subset(range(8)).fingerprint == "d"
    assert whole.x is whole.pixels
    sets = [whole, whole.subset([0, 1]), whole.subset([1, 0]), whole.subset(range(7))]
    assert len({stimuli.fingerprint for stimuli in sets}) == 4
    assert whole.subset([0, 1]).subset([1, 0]).fingerprint == sets[2].fingerprint


def test_some_come_into_memory_by_their_rows() -> None:
    np.testing.assert_array_equal(small().stimuli([5, 2]).attributes["row"], [5.5, 2.5])


def test_what_does_not_fit_in_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sysconf", lambda name: 10)
    told = told_by(small().stimuli, error=MemoryError)
    assert told == (
        "8 stimuli of 2 × 2 × 3 need 0.0 GB, this machine has 0.0 GB; "
        "take fewer or smaller ones, or leave them in their file (pack, take)"
    )
    assert len(small().stimuli([0, 1])) == 2


def test_a_packed_set_is_frozen_and_shows_itself() -> None:
    whole = small(8, label=[0, 1] * 4)
    for field in fields(whole):
        with pytest.raises(FrozenInstanceError):
            setattr(whole, field.name, getattr(whole, field.name))
    assert repr(whole) == "PackedStimuli('small', n=8, shape=(2, 2, 3), attributes=['label', 'row'])"
    assert "<td>label (integer), row (number)</td>" in whole._repr_html_()
    assert "<td>2 of 8 in the file</td>" in whole.subset([0, 1])._repr_html_()
    assert told_by(replace, whole, rows=np.arange(3)) == "attributes must have one row a stimulus, 3 here, got 8"
