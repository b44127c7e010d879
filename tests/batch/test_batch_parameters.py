"""What notebooks declare, and values that are checked and read by it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gaia_explore.batch.parameters import Declarations

CELL = """\
# a comment of its own
steps: int = 6000  # minibatches
alpha: float = 1.0  # weight
model: str = "GAIA"  # which
quick: bool = False
sizes: list[int] = [1, 2]  # layers
options: dict = {}
guessed = 3  # without a type
computed: int = 2 * 3  # no literal
"""


@pytest.fixture
def declared(tmp_path: Path, write: Callable[..., Path]) -> Declarations:
    return Declarations(write(tmp_path / "n.ipynb", CELL, "steps"))


def test_what_a_notebook_declares_is_told_in_its_order(declared: Declarations):
    assert str(declared) == (
        "n.ipynb declares:\n"
        "  steps: int = 6000  # minibatches\n"
        "  alpha: float = 1.0  # weight\n"
        '  model: str = "GAIA"  # which\n'
        "  quick: bool = False\n"
        "  sizes: list[int] = [1, 2]  # layers\n"
        "  options: dict = {}\n"
        "  guessed: int = 3  # without a type\n"
        "  computed: int = 2 * 3  # no literal"
    )
    assert list(declared)[:2] == ["steps", "alpha"] and "quick" in declared and "stepz" not in declared


def test_a_notebook_without_parameters_says_so(tmp_path: Path, write: Callable[..., Path]):
    assert str(Declarations(write(tmp_path / "n.ipynb", "# nothing"))) == "n.ipynb declares no parameters"


def test_a_notebook_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=f"notebook must be a file, got {tmp_path / 'none.ipynb'}"):
        Declarations(tmp_path / "none.ipynb")


def test_values_that_are_not_given_are_the_defaults(declared: Declarations):
    complete = declared.complete({"steps": 3})
    assert complete["steps"] == 3 and complete["model"] == "GAIA" and complete["sizes"] == [1, 2]
    assert complete["computed"] == "2 * 3"


@pytest.mark.parametrize(
    ("name", "value", "becomes"),
    [
        ("alpha", 1, 1.0),
        ("alpha", np.float32(0.5), 0.5),
        ("steps", np.int64(3), 3),
        ("quick", True, True),
        ("model", "AE", "AE"),
        ("sizes", [3], [3]),
        ("options", {"a": 1}, {"a": 1}),
        ("guessed", 4, 4),
    ],
)
def test_values_become_what_is_declared(declared: Declarations, name: str, value: Any, becomes: Any):
    checked = declared.check({name: value})[name]
    assert checked == becomes and type(checked) is type(becomes)


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("steps", "3", TypeError, "steps must be an int (steps: int = 6000  # minibatches), got '3'"),
        ("steps", True, TypeError, "steps must be an int (steps: int = 6000  # minibatches), got True"),
        ("steps", 3.0, TypeError, "steps must be an int (steps: int = 6000  # minibatches), got 3.0"),
        ("alpha", True, TypeError, "alpha must be a float (alpha: float = 1.0  # weight), got True"),
        ("alpha", float("nan"), ValueError, "alpha must be finite (alpha: float = 1.0  # weight), got nan"),
        ("model", 3, TypeError, 'model must be a str (model: str = "GAIA"  # which), got 3'),
        ("quick", 1, TypeError, "quick must be a bool (quick: bool = False), got 1"),
        ("sizes", 3, TypeError, "sizes must be a list (sizes: list[int] = [1, 2]  # layers), got 3"),
        ("guessed", "x", TypeError, "guessed must be an int (guessed: int = 3  # without a type), got 'x'"),
        ("options", {1j: 1}, TypeError, "options must be what JSON can hold (options: dict = {}), got {1j: 1}"),
        (
            "stepz",
            3,
            ValueError,
            "parameters must be declared by n.ipynb (steps, alpha, model, quick, sizes, options, guessed, computed),"
            " got ['stepz']",
        ),
    ],
)
def test_what_is_wrong_is_told_with_all_that_is_declared(
    declared: Declarations, name: str, value: Any, error: type[Exception], message: str
):
    with pytest.raises(error) as raised:
        declared.check({name: value})
    assert str(raised.value) == f"{message}\n{declared}"


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("steps", "1, 2,3", [1, 2, 3]),
        ("alpha", "0,1e-3,.5", [0.0, 0.001, 0.5]),
        ("model", "ae,vae", ["ae", "vae"]),
        ("model", "1,true", ["1", "true"]),
        ("model", '"a,b",c', ["a,b", "c"]),
        ("quick", "true,False", [True, False]),
        ("sizes", "[1, 2],[3]", [[1, 2], [3]]),
    ],
)
def test_a_list_on_the_command_line_is_read_by_the_declared_type(
    declared: Declarations, name: str, text: str, values: list[Any]
):
    assert declared[name].read_list(text) == values


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("steps", "1,x", "steps must be an int (steps: int = 6000  # minibatches), got 'x'"),
        ("alpha", "1,x", "alpha must be a float (alpha: float = 1.0  # weight), got 'x'"),
        ("alpha", "inf", "alpha must be a float (alpha: float = 1.0  # weight), got 'inf'"),
        ("quick", "1", "quick must be a bool (quick: bool = False), got '1'"),
        ("sizes", "[1", "sizes must be JSON (sizes: list[int] = [1, 2]  # layers), got '[[1]'"),
        ("sizes", "", "sizes must have values with commas between them (sizes: list[int] = [1, 2]  # layers), got ''"),
        ("steps", "", "steps must have values with commas between them (steps: int = 6000  # minibatches), got ''"),
        (
            "model",
            "a,,b",
            "model must have values with commas between them (model: str = \"GAIA\"  # which), got 'a,,b'",
        ),
    ],
)
def test_what_cannot_be_read_is_told(declared: Declarations, name: str, text: str, message: str):
    with pytest.raises(ValueError) as raised:
        declared[name].read_list(text)
    assert str(raised.value) == message
