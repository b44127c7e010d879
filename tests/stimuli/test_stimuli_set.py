"""A set of stimuli: what it holds, what it refuses, and how it splits."""

import hashlib
import re
import struct
import subprocess
import sys
from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaia_explore.stimuli import Scaler, Stimuli, moons


def numbered(n: int, **attributes: Any) -> Stimuli:
    """n flat stimuli whose attribute `row` says which is which."""
    return Stimuli.from_array(np.arange(2.0 * n).reshape(n, 2), attributes={**attributes, "row": np.arange(n) + 0.5})


def rows(stimuli: Stimuli) -> list[int]:
    return column(stimuli, "row").astype(int).tolist()


def column(stimuli: Stimuli, name: str) -> np.ndarray:
    return stimuli.attributes[name].to_numpy()


def given_directly(**changes: Any) -> Stimuli:
    x = np.array([[0, 1], [1, 0]], dtype=np.float32)
    parts = {"x": x, "attributes": pd.DataFrame(index=range(2)), "names": (), "scaler": Scaler(np.zeros(2), np.ones(2))}
    return Stimuli(**{**parts, "title": "square", **changes})


def test_an_array_is_scaled_and_can_be_unscaled() -> None:
    stimuli = Stimuli.from_array([[1, 10], [3, 30], [2, 10]], names=["a", "b"], title="mine")
    np.testing.assert_array_equal(stimuli.x, [[0, 0], [1, 1], [0.5, 0]])
    np.testing.assert_array_equal(stimuli.unscale(np.array([[0.5, 0.5]])), [[2, 20]])
    assert (len(stimuli), stimuli.shape, stimuli.names, stimuli.title) == (3, (2,), ("a", "b"), "mine")


def test_pictures_keep_their_shape_and_have_no_names() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, size=(4, 3, 5, 6), dtype=np.uint8)
    stimuli = Stimuli.from_array(pictures)
    assert (stimuli.shape, stimuli.names) == ((3, 5, 6), ())
    np.testing.assert_array_equal(np.rint(stimuli.unscale(stimuli.x)), pictures)


def test_unnamed_dimensions_are_numbered_from_1() -> None:
    assert given_directly().names == ("x1", "x2")
    assert Stimuli.from_array([[0], [1]], names="height").names == ("height",)


def test_scaling_can_be_chosen() -> None:
    np.testing.assert_array_equal(Stimuli.from_array([[0, 1], [2, 4]], scaling="common").x, [[0, 0.25], [0.5, 1]])


def test_attributes_come_as_a_table_or_as_columns() -> None:
    table = pd.DataFrame({"label": [1, 0], "kind": ["u", "v"]}, index=[8, 3])
    from_table = Stimuli.from_array(np.eye(2), attributes=table)
    from_columns = Stimuli.from_array(np.eye(2), attributes={"label": [1, 0], "kind": ["u", "v"]})
    pd.testing.assert_frame_equal(from_table.attributes, from_columns.attributes)
    assert list(from_table.attributes.index) == [0, 1]


def test_a_set_is_frozen_and_its_array_read_only() -> None:
    stimuli = numbered(3)
    with pytest.raises(ValueError, match="read-only"):
        stimuli.x[0] = 0
    with pytest.raises(ValueError, match="read-only"):
        stimuli.subset([0, 1]).x[0] = 0
    for field in ("x", "attributes", "title"):
        with pytest.raises(FrozenInstanceError):
            setattr(stimuli, field, None)


def test_what_the_caller_changes_later_does_not_reach_the_set() -> None:
    x = np.array([[0, 1], [1, 0]], dtype=np.float32)
    table = pd.DataFrame({"label": [0, 1]})
    stimuli = given_directly(x=x, attributes=table)
    x[0] = 1
    table.loc[0, "label"] = 9
    assert (stimuli.x[0].tolist(), stimuli.attributes["label"].tolist()) == ([0, 1], [0, 1])
    assert x.flags.writeable


def test_a_read_only_array_is_not_copied_so_that_it_may_stay_on_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[0, 1], [1, 0]], dtype=np.float32))
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.shares_memory(given_directly(x=x).x, x)


def test_a_set_can_be_given_other_attributes() -> None:
    stimuli = replace(numbered(2), attributes=pd.DataFrame({"label": [0, 1]}))
    assert list(stimuli.attributes) == ["label"]


def test_the_fingerprint_is_the_hash_of_shape_and_little_endian_bytes() -> None:
    oracle = hashlib.sha256(b"(2, 2)" + struct.pack("<4f", 0, 1, 1, 0)).hexdigest()
    assert given_directly().fingerprint == oracle


def test_the_fingerprint_tells_values_and_shapes_apart() -> None:
    flat = np.array([[0, 0.25, 0.5, 1]] * 2, dtype=np.float32)
    scaler = Scaler(np.zeros(()), np.ones(()))
    sets = [given_directly(x=x, scaler=scaler) for x in (flat, flat.reshape(2, 2, 2), flat[:, ::-1])]
    assert len({stimuli.fingerprint for stimuli in sets}) == 3


def test_a_subset_keeps_the_order_asked_for() -> None:
    stimuli = numbered(5)
    assert rows(stimuli.subset([3, 0, -1])) == [3, 0, 4]
    assert list(stimuli.subset([3, 0]).attributes.index) == [0, 1]
    np.testing.assert_array_equal(stimuli.subset([3, 0]).x, stimuli.x[[3, 0]])


def test_a_mask_chooses_a_subset() -> None:
    stimuli = numbered(4, label=[0, 1, 0, 1])
    assert rows(stimuli.subset(stimuli.attributes["label"] == 1)) == [1, 3]


@pytest.mark.parametrize(
    ("chosen", "kind", "message"),
    [
        (
            [0, 4],
            IndexError,
            "rows must be row numbers below 4 or a mask of that length: index 4 is out of bounds",
        ),
        ([True, False], IndexError, "rows must be row numbers below 4 or a mask of that length: boolean index"),
        ([0.5, 1.0], IndexError, "rows must be row numbers below 4 or a mask of that length: arrays used as indices"),
        ([[0, 1], [2, 3]], ValueError, "rows must be a flat list, got shape (2, 2)"),
        ([1], ValueError, "x must hold at least 2 stimuli, got 1"),
    ],
)
def test_a_subset_that_cannot_be_is_refused(chosen: list, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as error:
        numbered(4).subset(chosen)
    assert str(error.value).startswith(message)


@given(st.data())
def test_a_split_is_disjoint_exhaustive_and_of_the_size_asked_for(data: st.DataObject) -> None:
    n = data.draw(st.integers(4, 200), "n")
    size = data.draw(st.integers(2, n - 2), "size")
    fraction = (size + data.draw(st.floats(-0.49, 0.49), "rounded off")) / n
    train, held_out = numbered(n).split(fraction, seed=data.draw(st.integers(0, 2**32 - 1), "seed"))
    assert sorted(rows(train) + rows(held_out)) == list(range(n))
    assert len(train) == size


@given(st.data())
def test_a_split_keeps_the_share_of_each_class_to_within_one_stimulus(data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(2, 60), min_size=2, max_size=5), "counts")
    n = sum(counts)
    room = max(len(counts), 2)
    size = data.draw(st.integers(room, n - room), "size")
    labels = np.repeat(np.arange(len(counts)), counts)
    train, _ = numbered(n, label=labels).split(size / n, seed=data.draw(st.integers(0, 100), "seed"))
    taken = np.bincount(train.attributes["label"], minlength=len(counts))
    assert (np.abs(taken - np.array(counts) * size / n) < 1 + 1e-9).all()


def test_a_split_of_rare_classes_keeps_them_on_both_sides() -> None:
    train, held_out = numbered(100, label=[0] * 90 + [1] * 10).split(0.9)
    assert (column(train, "label").sum(), column(held_out, "label").sum()) == (9, 1)


def test_a_split_shuffles_and_its_seed_repeats_it() -> None:
    stimuli = numbered(50)
    first, again, other = (rows(stimuli.split(0.5, seed=seed)[0]) for seed in (1, 1, 2))
    assert first == again
    assert sorted(first) not in (first, sorted(other))


def test_both_sides_keep_scaler_names_and_title() -> None:
    stimuli = moons(40)
    for side in stimuli.split(0.5):
        assert (side.scaler, side.names, side.title) == (stimuli.scaler, stimuli.names, "moons")


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([0, 1] * 20),
        pd.Series([True, False] * 20),
        pd.Series(["a", "b"] * 20),
        pd.Series(["a", "b"] * 20, dtype=object),
        pd.Series(["a", "b"] * 20, dtype="category"),
        pd.Series([1, 2] * 20, dtype="Int8"),
    ],
    ids=lambda values: str(values.dtype),
)
def test_classes_of_every_kind_are_found_and_kept_by_themselves(values: pd.Series) -> None:
    train, _ = numbered(40, group=values).split(0.5)
    assert train.attributes["group"].value_counts().tolist() == [10, 10]


def test_by_itself_a_split_prefers_label_and_else_takes_the_first_classes() -> None:
    first = [0, 1] * 20
    label = [0] * 32 + [1] * 8
    train, _ = numbered(40, first=first, label=label).split(0.75)
    assert column(train, "label").sum() == 6
    for seed in range(5):
        train, _ = numbered(40, first=first, second=label).split(0.5, seed=seed)
        assert column(train, "first").sum() == 10


@pytest.mark.parametrize(
    "values",
    [
        pd.Series(np.linspace(0, 1, 40)),
        pd.Series(range(40)),
        pd.Series([7] * 40),
        pd.Series(["a", None] * 20),
        pd.Series([("a",), 1] * 20, dtype=object),
    ],
    ids=["continuous", "too many", "constant", "missing", "mixed"],
)
def test_by_itself_a_split_passes_over_what_are_no_classes(values: pd.Series) -> None:
    groups = [0, 1] * 20
    train, _ = numbered(40, label=values, group=groups).split(0.5)
    assert column(train, "group").sum() == 10


def test_a_split_can_be_told_what_to_stratify_by() -> None:
    label, grade = [0, 1] * 20, [0.5] * 32 + [1.5] * 8
    for seed in range(5):
        train, _ = numbered(40, label=label, grade=grade).split(0.75, seed=seed, stratify="grade")
        assert (column(train, "grade") == 1.5).sum() == 6
    splits = [numbered(40, label=label).split(0.5, seed=seed, stratify="none") for seed in range(9)]
    assert len({int(column(train, "label").sum()) for train, _ in splits}) > 1


@pytest.mark.parametrize(
    ("n", "attributes", "arguments", "message"),
    [
        (9, {}, {"fraction": 0.0}, "fraction must lie between 0 and 1, got 0.0"),
        (9, {}, {"fraction": 1.0}, "fraction must lie between 0 and 1, got 1.0"),
        (9, {}, {"fraction": float("nan")}, "fraction must lie between 0 and 1, got nan"),
        (9, {}, {"seed": -1}, "seed must be from 0 to 4294967295, got -1"),
        (9, {}, {}, "both sides of a split must keep at least 2 stimuli, got 8 and 1"),
        (9, {}, {"fraction": 0.1}, "both sides of a split must keep at least 2 stimuli, got 1 and 8"),
        (
            9,
            {"label": [0] * 9},
            {"fraction": 0.5, "stratify": "sex"},
            "stratify must be one of auto, none, label, row, got 'sex'",
        ),
        (
            9,
            {"label": ["a"] * 8 + ["b"]},
            {"fraction": 0.5},
            "stratify='label' needs at least 2 stimuli of every class, got 1 of class b; or choose stratify='none'",
        ),
        (
            9,
            {"label": [1, 1, 1] * 2 + [2, 2, None]},
            {"fraction": 0.5, "stratify": "label"},
            "stratify='label' needs a class for every stimulus, got 1 missing",
        ),
        (
            9,
            {"label": [0, 1, 2] * 3},
            {"fraction": 0.75},
            "stratify='label' needs room for its 3 classes on both sides, got 7 and 2 stimuli; "
            "or choose stratify='none'",
        ),
    ],
)
def test_a_split_that_cannot_be_is_refused(n: int, attributes: dict, arguments: dict, message: str) -> None:
    stimuli = numbered(n, **attributes)
    with pytest.raises(ValueError) as error:
        stimuli.split(**arguments)
    assert str(error.value) == message


def test_pictures_have_no_table() -> None:
    with pytest.raises(ValueError) as error:
        Stimuli.from_array(np.arange(8).reshape(2, 2, 2)).to_frame()
    assert str(error.value) == "only flat stimuli fit a table, got stimuli of shape (2, 2); use unscale"


@pytest.mark.parametrize(
    ("x", "arguments", "message"),
    [
        ([[1], [2, 3]], {}, "x must hold stimuli of one shape: "),
        ([1.0, 2.0], {}, "x must have one row a stimulus and at least 2 axes, got shape (2,)"),
        ([], {}, "x must have one row a stimulus and at least 2 axes, got shape (0,)"),
        (np.empty((0, 2)), {}, "x must hold at least 2 stimuli, got 0"),
        ([[1.0, 2.0]], {}, "x must hold at least 2 stimuli, got 1"),
        (
            [[1.0, 2.0], [3.0, np.nan]],
            {"names": ["a", "b"]},
            "x must be finite, got 1 NaN or infinite, the first at row 1, column 'b'",
        ),
        (
            [[1.0, 2.0], [3.0, 2.0]],
            {"names": ["a", "b"]},
            "every column must vary, got 1 constant, the first column 'b'",
        ),
        (np.eye(2), {"scaling": "unit"}, "scaling must be one of auto, dimension, common, dtype, got 'unit'"),
        (np.eye(2), {"names": ["a"]}, "names must be one a dimension, 2 here, got 1"),
        (np.eye(2), {"names": ["a", "a"]}, "names must be unique, got 'a' more than once"),
        (
            np.arange(8).reshape(2, 2, 2),
            {"names": ["a", "b"]},
            "names are for flat stimuli, got 2 for stimuli of shape (2, 2)",
        ),
        (np.eye(2), {"attributes": {"label": [1, 2, 3]}}, "attributes must have one row a stimulus, 2 here, got 3"),
        (np.eye(2), {"attributes": {"a": [1, 2], "b": [1]}}, "attributes must have one row a stimulus: All arrays"),
        (
            np.eye(2),
            {"attributes": pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])},
            "attribute names must be unique, got 'a' more than once",
        ),
        (
            np.eye(2),
            {"attributes": {"x2": [1, 2]}},
            "an attribute must not have the name of a stimulus dimension, got 'x2'",
        ),
    ],
)
def test_an_array_that_holds_no_stimuli_is_refused(x: Any, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        Stimuli.from_array(x, **arguments)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("x", "arguments", "message"),
    [
        ([["a"], ["b"]], {}, "x must hold real numbers, got dtype <U1"),
        (np.array([[None], [1]]), {}, "x must hold real numbers, got dtype object"),
        ([[1j], [2j]], {}, "x must hold real numbers, got dtype complex128"),
        (np.eye(2), {"attributes": pd.DataFrame(np.eye(2))}, "attribute names must be strings, got 0"),
    ],
)
def test_values_and_names_of_the_wrong_kind_are_refused(x: Any, arguments: dict, message: str) -> None:
    with pytest.raises(TypeError) as error:
        Stimuli.from_array(x, **arguments)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"x": np.eye(2)}, TypeError, "x must be float32 (from_array scales any real numbers), got float64"),
        (
            {"x": np.array([[0, 1.01], [1, 0]], dtype=np.float32)},
            ValueError,
            "x must lie in [0, 1] (from_array scales), got 0 to 1.01",
        ),
        (
            {"x": np.array([[-0.5, 1], [1, 0]], dtype=np.float32)},
            ValueError,
            "x must lie in [0, 1] (from_array scales), got -0.5 to 1",
        ),
        (
            {"scaler": Scaler(np.zeros(3), np.ones(3))},
            ValueError,
            "scaler must fit stimuli of shape (2,), got shape (3,)",
        ),
        (
            {"attributes": pd.DataFrame()},
            ValueError,
            "attributes must have one row a stimulus, 2 here, got 0",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as error:
        given_directly(**changes)
    assert str(error.value) == message


def test_rounding_beyond_the_ends_is_allowed() -> None:
    x = np.array([[-5e-7, 1], [1 + 5e-7, 0]], dtype=np.float32)
    np.testing.assert_array_equal(given_directly(x=x).x, x)


def test_a_set_says_what_it_is() -> None:
    assert repr(moons(40)) == "Stimuli('moons', n=40, shape=(2,), attributes=['label'])"


def test_in_a_notebook_a_set_is_a_small_table_with_ranges_in_original_units() -> None:
    stimuli = Stimuli.from_array(
        [[1, 10], [3, 30.5]],
        attributes={
            "label": [0, 1],
            "mood": pd.Series(["a", "b"], dtype="category"),
            "old": [True, False],
            "name": ["u", "v"],
            "age": [0.5, 1.5],
            "when": pd.to_datetime(["2020-01-01", "2020-01-02"]),
        },
        title="<mine>",
    )
    assert stimuli._repr_html_() == (
        "<table><caption>&lt;mine&gt;</caption><tr><th>stimuli</th><td>2</td></tr><tr><th>shape</th><td>2</td></tr>"
        "<tr><th>range</th><td>x1 1 to 3, x2 10 to 30.5</td></tr><tr><th>attributes</th><td>label (integer), "
        "mood (category), old (boolean), name (text), age (number), when (other)</td></tr></table>"
    )


def test_in_a_notebook_wide_sets_and_pictures_have_one_range() -> None:
    wide = Stimuli.from_array(np.arange(18.0).reshape(2, 9))
    assert "<td>0 to 17</td>" in wide._repr_html_()
    pictures = Stimuli.from_array(np.zeros((2, 4, 5), dtype=np.uint8))
    assert "<td>4 × 5</td></tr><tr><th>range</th><td>0 to 255</td>" in pictures._repr_html_()
    assert "<th>attributes</th><td>none</td>" in pictures._repr_html_()


def test_neither_torch_nor_scikit_learn_is_loaded_before_it_is_needed() -> None:
    code = "import sys, gaia_explore.stimuli; print([name for name in ('torch', 'sklearn') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_splitting_by_seed_0_gives_these_rows() -> None:
    train, held_out = numbered(6).split(0.5)
    assert (rows(train), rows(held_out)) == ([3, 0, 4], [5, 2, 1])


def test_a_column_that_names_each_stimulus_is_no_class_to_stratify_by() -> None:
    train, held_out = numbered(8, file=[f"{i}.jpg" for i in range(8)]).split(0.5)
    assert sorted(rows(train) + rows(held_out)) == list(range(8))


def confounded() -> Stimuli:
    """1,000 faces: nine tenths of the young and one tenth of the old are women."""
    young = np.arange(1000) % 2 == 0
    male = np.where(young, np.arange(1000) % 20 < 2, np.arange(1000) % 20 < 18)
    table = pd.DataFrame({"Young": young, "Male": male, "name": [f"face {i}" for i in range(1000)]})
    return Stimuli.from_array(np.arange(2000).reshape(1000, 2), attributes=table)


def test_in_a_balanced_part_every_combination_occurs_as_often_as_the_rarest() -> None:
    stimuli = confounded()
    counts = stimuli.attributes.groupby(["Young", "Male"]).size()
    part = stimuli.balanced(["Young", "Male"], seed=3)

    assert part.attributes.groupby(["Young", "Male"]).size().tolist() == [counts.min()] * 4
    assert len(part) == 4 * counts.min() < len(stimuli)
    rows = [list(stimuli.attributes["name"]).index(name) for name in part.attributes["name"]]
    assert rows == sorted(set(rows))
    np.testing.assert_array_equal(part.x, stimuli.x[rows])


def test_a_balanced_part_is_its_seeds() -> None:
    stimuli = confounded()
    one, same, other = (stimuli.balanced(["Young", "Male"], seed=seed).fingerprint for seed in (0, 0, 1))
    assert one == same != other


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["Young", "Old"], "names must be attributes (Young, Male, name), got Old"),
        ([], "names must be attributes (Young, Male, name), got none"),
        (["Young", "name"], "names must be attributes of 2 to 20 classes, all known, got name"),
    ],
)
def test_a_part_that_cannot_be_balanced_is_refused(names: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        confounded().balanced(names)


def test_a_combination_that_never_occurs_is_named() -> None:
    table = pd.DataFrame({"Male": [True, True, False, False], "Beard": [1, 0, 0, 0]})
    stimuli = Stimuli.from_array(np.arange(8).reshape(4, 2), attributes=table)
    with pytest.raises(ValueError, match="got no stimulus with Male False, Beard 1"):
        stimuli.balanced(["Male", "Beard"])
