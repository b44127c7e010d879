"""The runs of a sweep: their order, their names, and grids that are none."""

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaia_explore.batch.parameters import Declarations
from gaia_explore.batch.planning import LONGEST_NAME, folder_name, plan

JSON = st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())


@pytest.fixture
def declared(notebook: Path) -> Declarations:
    return Declarations(notebook)


def test_every_combination_is_planned_seed_by_seed(declared: Declarations):
    cells = plan(declared, {"name": ["x", "y"], "a": [1, 2]}, seeds=2, parameters={"scale": 3})
    names = [cell.name for cell in cells]
    assert names[:4] == ["a=1,name=x,seed=0", "a=1,name=y,seed=0", "a=2,name=x,seed=0", "a=2,name=y,seed=0"]
    assert names[4:] == [name.replace("seed=0", "seed=1") for name in names[:4]]
    assert cells[0].parameters == {"scale": 3.0, "a": 1, "name": "x", "seed": 0}


def test_names_do_not_depend_on_the_order_of_the_grid(declared: Declarations):
    one, other = {"name": ["x"], "a": [1, 2]}, {"a": [2, 1], "name": ["x"]}
    assert {cell.name for cell in plan(declared, one)} == {cell.name for cell in plan(declared, other)}


def test_seeds_may_be_given_one_by_one_and_alone(declared: Declarations):
    assert [cell.name for cell in plan(declared, {}, seeds=[7, 3])] == ["seed=7", "seed=3"]


def test_a_whole_number_for_a_float_is_the_same_run(declared: Declarations):
    assert plan(declared, {"scale": [1]})[0].name == plan(declared, {"scale": [1.0]})[0].name == "scale=1.0"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"grid": {}},
            "grid must have a parameter with its values, or seeds be given, got none\nsquare.ipynb declares:",
        ),
        ({"grid": {"a": []}}, "grid must give at least one value for a, got none\nsquare.ipynb declares:"),
        ({"grid": {"name": "xy"}}, "grid must give a list of values for name, got 'xy'\nsquare.ipynb declares:"),
        ({"grid": {"a": 3}}, "grid must give a list of values for a, got 3\nsquare.ipynb declares:"),
        ({"grid": {"b": [3]}}, "parameters must be declared by square.ipynb (a, scale, name, seed, out_dir, quick)"),
        ({"grid": {"a": ["x"]}}, "a must be an int (a: int = 2  # to be squared), got 'x'\nsquare.ipynb declares:"),
        ({"grid": {"scale": [1, 1.0]}}, "grid must give different values for scale, got 1.0 and 1.0"),
        ({"grid": {"name": ["ae", "AE"]}}, "grid must give different values for name, got 'ae' and 'AE'"),
        ({"grid": {"a": [1]}, "parameters": {"a": 1}}, "parameters must not be in the grid too, got ['a']"),
        ({"grid": {"out_dir": ["x"]}}, "out_dir must not be set: each run of a sweep has a folder of its own"),
        ({"grid": {"seed": [1]}, "seeds": 2}, "seed must not be given beside seeds"),
        ({"grid": {}, "seeds": 0}, "seeds must be at least 1, or a list of seeds, got 0"),
        ({"grid": {}, "seeds": True}, "seeds must be at least 1, or a list of seeds, got True"),
        ({"grid": {"a": [1]}, "seeds": []}, "grid must give at least one value for seed, got none"),
    ],
)
def test_a_grid_that_is_none_is_told(declared: Declarations, arguments: dict[str, Any], message: str):
    with pytest.raises((ValueError, TypeError)) as raised:
        plan(declared, **arguments)
    assert str(raised.value).startswith(message)


def test_a_notebook_must_declare_what_a_sweep_sets(tmp_path: Path, write):
    declared = Declarations(write(tmp_path / "n.ipynb", "a: int = 2  # any"))
    with pytest.raises(ValueError, match=r"seeds must be None for a notebook without a parameter seed, got 3\nn.ipynb"):
        plan(declared, {"a": [1]}, seeds=3)
    with pytest.raises(ValueError, match=r"notebook must declare out_dir, the folder that it writes to\nn.ipynb"):
        plan(declared, {"a": [1]})


@given(st.dictionaries(st.sampled_from(["a", "b", "c_d"]), JSON, min_size=1))
def test_names_suit_every_file_system(values: dict[str, Any]):
    name = folder_name(values)
    assert re.fullmatch(r"[A-Za-z0-9._+~=,-]+", name) and len(name) <= LONGEST_NAME


@given(st.lists(JSON, min_size=2, max_size=2, unique_by=lambda value: (type(value), str(value))))
def test_different_values_of_one_type_have_different_names(pair: list[Any]):
    one, other = pair
    if type(one) is type(other):
        assert folder_name({"a": one}) != folder_name({"a": other})


def test_values_that_are_alike_but_for_what_no_name_takes_are_told_apart():
    assert folder_name({"a": "x/y"}) != folder_name({"a": "x:y"})
    long = "x" * 500
    assert folder_name({"a": long}) != folder_name({"a": long + "x"})
    assert folder_name({f"p{i}": long for i in range(9)}) != folder_name({f"p{i}": long + "y" for i in range(9)})
