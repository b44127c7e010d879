"""Tables and CSV files in: which columns, and errors that point at the cell."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gaia_explore.stimuli import Stimuli

FRAME = pd.DataFrame({"f1": [300, 700, 500], "f2": [2300.0, 1100.0, 900.0], "vowel": ["i", "a", "o"]})


def write(folder: Path, text: str) -> Path:
    path = folder / "vowels.csv"
    path.write_bytes(text.encode())
    return path


def test_a_frame_gives_its_numbers_scaled_and_its_attributes_beside() -> None:
    stimuli = Stimuli.from_frame(FRAME, attributes=["vowel"], title="vowels")
    np.testing.assert_allclose(stimuli.x, [[0, 1], [1, 1 / 7], [0.5, 0]], atol=1e-7)
    assert (stimuli.names, stimuli.title, list(stimuli.attributes["vowel"])) == (
        ("f1", "f2"),
        "vowels",
        ["i", "a", "o"],
    )


def test_columns_choose_the_dimensions_and_their_order() -> None:
    assert Stimuli.from_frame(FRAME, columns=["f2", "f1"]).names == ("f2", "f1")
    assert Stimuli.from_frame(FRAME, columns="f2", attributes="vowel").shape == (1,)


def test_rows_of_a_filtered_frame_are_numbered_anew() -> None:
    stimuli = Stimuli.from_frame(FRAME.query("f1 > 400"), attributes="vowel")
    assert list(stimuli.attributes.index) == [0, 1]


def test_columns_without_string_names_get_them() -> None:
    assert Stimuli.from_frame(pd.DataFrame(np.eye(2))).names == ("0", "1")


def test_booleans_and_nullable_numbers_are_numbers() -> None:
    frame = pd.DataFrame({"on": [True, False], "count": pd.array([1, 3], dtype="Int64")})
    np.testing.assert_array_equal(Stimuli.from_frame(frame).x, [[1, 0], [0, 1]])


def test_bytes_in_a_frame_keep_their_type_for_scaling() -> None:
    frame = pd.DataFrame({"p": [0, 51], "q": [0, 0]}, dtype=np.uint8)
    np.testing.assert_allclose(Stimuli.from_frame(frame, scaling="dtype").x, [[0, 0], [0.2, 0]])


def test_a_set_comes_back_from_its_own_frame() -> None:
    stimuli = Stimuli.from_frame(FRAME, attributes=["vowel"])
    pd.testing.assert_frame_equal(stimuli.to_frame(), FRAME, check_dtype=False, rtol=1e-6)
    again = Stimuli.from_frame(stimuli.to_frame(), attributes=["vowel"])
    np.testing.assert_allclose(again.x, stimuli.x, atol=1e-6)


@pytest.mark.parametrize(
    ("frame", "choice", "message"),
    [
        (
            FRAME.assign(when=pd.Timestamp(0)),
            {},
            f"stimulus columns must hold real numbers, got 'vowel' ({FRAME['vowel'].dtype}), "
            f"'when' ({FRAME.assign(when=pd.Timestamp(0))['when'].dtype}); "
            "list them in attributes, or choose columns without them",
        ),
        (
            pd.DataFrame({"a": [1.0, 2.0], "b": [1j, 2j]}),
            {},
            "stimulus columns must hold real numbers, got 'b' (complex128); "
            "list them in attributes, or choose columns without them",
        ),
        (FRAME, {"columns": ["f3"]}, "columns must be among f1, f2, vowel, got 'f3'"),
        (FRAME, {"attributes": "sex"}, "attributes must be among f1, f2, vowel, got 'sex'"),
        (
            FRAME,
            {"columns": ["f1", "f2"], "attributes": ["f2"]},
            "a column must be a stimulus dimension or an attribute, got 'f2' as both",
        ),
        (FRAME[["vowel"]], {"attributes": "vowel"}, "columns must name at least 1 stimulus dimension, got none"),
        (FRAME, {"columns": ["f1", "f1"]}, "columns must name each column once, got 'f1' more than once"),
        (
            FRAME,
            {"columns": ["f1"], "attributes": ["vowel"] * 2},
            "attributes must name each column once, got 'vowel' more than once",
        ),
        (pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]), {}, "column names must be unique, got 'a' more than once"),
        (FRAME[:1], {"columns": ["f1"]}, "a table must have at least 2 rows, got 1"),
        (
            FRAME.assign(f2=[1.0, np.nan, 2.0]),
            {"attributes": "vowel"},
            "x must be finite, got 1 NaN or infinite, the first at row 1, column 'f2'",
        ),
        (
            pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}),
            {},
            "x must be finite, got 1 NaN or infinite, the first at row 1, column 'a'",
        ),
        (
            FRAME.assign(f2=3.0),
            {"attributes": "vowel"},
            "every column must vary, got 1 constant, the first column 'f2' at 3.0; "
            "leave it out, or choose scaling='common'",
        ),
    ],
)
def test_a_frame_that_holds_no_stimuli_is_refused(frame: pd.DataFrame, choice: dict, message: str) -> None:
    with pytest.raises(ValueError) as error:
        Stimuli.from_frame(frame, **choice)
    assert str(error.value) == message


def test_a_csv_file_gives_what_its_frame_gives(tmp_path: Path) -> None:
    path = write(tmp_path, FRAME.to_csv(index=False))
    stimuli = Stimuli.from_csv(path, attributes=["vowel"])
    oracle = Stimuli.from_frame(FRAME, attributes=["vowel"])
    assert (stimuli.fingerprint, stimuli.names, stimuli.title) == (oracle.fingerprint, oracle.names, "vowels")
    assert list(stimuli.attributes["vowel"]) == ["i", "a", "o"]
    assert Stimuli.from_csv(str(path), columns=["f1"], title="first formants").title == "first formants"


def test_byte_order_marks_blanks_and_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    stimuli = Stimuli.from_csv(write(tmp_path, "\ufefff1, f2\r\n\r\n1, 2\r\n3, 5\r\n\r\n"))
    np.testing.assert_array_equal(stimuli.to_frame(), [[1, 2], [3, 5]])
    assert stimuli.names == ("f1", "f2")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("f1,f2\n1,2\n3,x\n", "line 3: 'f2' must be a finite number, got 'x'"),
        ("f1,f2\n1,2\n3\n4,5", "line 3: 'f2' must be a finite number, got an empty cell"),
        ("f1,f2\n1,2\n3,inf\n", "line 3: 'f2' must be a finite number, got 'inf'"),
        ("f1,f2\n\n1,2\n \n3,4\n\n5,?\n", "line 7: 'f2' must be a finite number, got '?'"),
        ('f1,f2,note\n1,2,"two\nlines"\n3,?,one\n', "line 4: 'f2' must be a finite number, got '?'"),
        ("f1\n1\n\n2\nx\n", "line 5: 'f1' must be a finite number, got 'x'"),
        ("", "No columns to parse from file"),
        ("f1,f2\n", "a table must have at least 2 rows, got 0"),
        ("f1,f2\n1,2,3\n4,5,6\n", "rows must not have more fields than the header"),
        ("f1,f2\n1,2\n4,5,6\n", "Error tokenizing data. C error: Expected 2 fields in line 3, saw 3"),
        (
            "f1,f2\n1,2\n1,3\n",
            "every column must vary, got 1 constant, the first column 'f1' at 1.0; "
            "leave it out, or choose scaling='common'",
        ),
        ("f1,f2\n1,\n2,\n", "x must be finite, got 2 NaN or infinite, the first at row 0, column 'f2'"),
    ],
)
def test_errors_name_the_file_and_the_line(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ValueError) as error:
        Stimuli.from_csv(path, attributes=["note"] if "note" in text else [])
    assert str(error.value) == f"{path}: {message}"


def test_a_column_of_text_in_a_file_is_named_and_not_dropped(tmp_path: Path) -> None:
    path = write(tmp_path, "f1,vowel\n1,a\n2,i\n")
    with pytest.raises(ValueError) as error:
        Stimuli.from_csv(path)
    assert str(error.value).startswith(f"{path}: stimulus columns must hold real numbers, got 'vowel' (")


def test_a_file_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "vowels.csv"
    path.write_bytes(gzip.compress(b"f1,f2\n1,2\n3,4\n"))
    with pytest.raises(ValueError, match="can't decode byte") as error:
        Stimuli.from_csv(path)
    assert str(error.value).startswith(f"{path}: ")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Stimuli.from_csv(tmp_path / "nowhere.csv")
