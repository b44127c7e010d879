"""The scaler: minimum to 0, maximum to 1, and exactly back."""

import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.preprocessing import MinMaxScaler

from gaia_explore.stimuli import Scaler
from gaia_explore.stimuli.scaling import column_label

varying = hnp.arrays(
    np.float64,
    st.tuples(st.integers(2, 20), st.integers(1, 4)),
    elements=st.floats(-1e150, 1e150, allow_subnormal=False),
).filter(lambda x: bool((x.min(axis=0) < x.max(axis=0)).all()))


def test_dimension_scaling_agrees_with_scikit_learn() -> None:
    x = np.random.default_rng(0).normal(3, [1, 50, 0.01], size=(40, 3))
    np.testing.assert_allclose(Scaler.fit(x).transform(x), MinMaxScaler().fit_transform(x), atol=1e-7)


def test_common_scaling_keeps_the_aspect_of_a_plane() -> None:
    x = np.array([[0.0, 0.0], [4.0, 1.0], [2.0, 0.5]])
    np.testing.assert_array_equal(Scaler.fit(x, "common").transform(x), x / 4)


def test_bytes_of_pictures_are_scaled_by_their_own_range() -> None:
    x = np.array([[[10, 20]], [[30, 51]]], dtype=np.uint8)
    np.testing.assert_allclose(Scaler.fit(x).transform(x), x / 255, atol=1e-7)


@pytest.mark.parametrize(
    ("dtype", "low", "high"), [(np.bool_, 0, 1), (np.uint8, 0, 255), (np.int16, -32768, 32767), (np.int64, 0, 1)]
)
def test_pictures_of_wide_integers_take_their_common_range_and_narrow_ones_that_of_the_type(
    dtype: type, low: float, high: float
) -> None:
    scaler = Scaler.fit(np.array([[[0, 1]], [[1, 0]]], dtype=dtype))
    assert (scaler.low.item(), scaler.high.item()) == (low, high)


def test_pictures_of_floats_take_their_common_range() -> None:
    scaler = Scaler.fit(np.array([[[0.5, 1.0]], [[2.0, 4.5]]]))
    assert (scaler.low.shape, scaler.low.item(), scaler.high.item()) == ((), 0.5, 4.5)


def test_flat_bytes_take_their_own_range_when_asked() -> None:
    scaler = Scaler.fit(np.array([[7, 7], [7, 8]], dtype=np.uint8), "dtype")
    assert (scaler.low.item(), scaler.high.item()) == (0, 255)


@given(varying)
def test_the_ends_of_every_dimension_land_exactly_on_0_and_1(x: np.ndarray) -> None:
    scaled = Scaler.fit(x).transform(x)
    assert scaled.dtype == np.float32
    np.testing.assert_array_equal(scaled.min(axis=0), 0)
    np.testing.assert_array_equal(scaled.max(axis=0), 1)


@given(varying, st.sampled_from(["dimension", "common"]))
def test_inverse_undoes_transform_up_to_the_rounding_of_float32(x: np.ndarray, scaling: str) -> None:
    scaler = Scaler.fit(x, scaling)
    back = scaler.inverse(scaler.transform(x))
    rounding = 2.0**-24 * (scaler.high - scaler.low) + 4 * np.finfo(np.float64).eps * np.abs(x).max()
    assert (np.abs(back - x) <= rounding).all()


@given(varying, st.sampled_from(["dimension", "common"]))
def test_a_scaler_survives_json_bit_by_bit(x: np.ndarray, scaling: str) -> None:
    scaler = Scaler.fit(x, scaling)
    again = Scaler.from_dict(json.loads(json.dumps(scaler.to_dict())))
    assert again.low.shape == scaler.low.shape
    np.testing.assert_array_equal(again.low, scaler.low)
    np.testing.assert_array_equal(again.high, scaler.high)


def test_new_stimuli_beyond_the_range_leave_the_unit_interval() -> None:
    scaler = Scaler.fit(np.array([[0.0], [2.0]]))
    np.testing.assert_array_equal(scaler.transform(np.array([[-1.0], [3.0]])), [[-0.5], [1.5]])


def test_scaling_in_blocks_does_not_show() -> None:
    x = np.arange(2**20 + 3, dtype=np.float64)[:, None]
    np.testing.assert_array_equal(Scaler.fit(x).transform(x), (x / x.max()).astype(np.float32))


def test_one_scale_a_channel_broadcasts_against_pictures() -> None:
    scaler = Scaler(np.zeros((3, 1, 1)), np.array([1.0, 2.0, 4.0]).reshape(3, 1, 1))
    scaled = scaler.transform(np.ones((2, 3, 5, 4)))
    np.testing.assert_array_equal(scaled[0, :, 0, 0], [1, 0.5, 0.25])


def test_a_scaler_is_frozen_and_keeps_its_own_read_only_copy() -> None:
    low = np.zeros(2)
    scaler = Scaler(low, np.ones(2))
    low[0] = 9
    assert scaler.low[0] == 0
    with pytest.raises(ValueError, match="read-only"):
        scaler.low[0] = 9
    for field in ("low", "high"):
        with pytest.raises(FrozenInstanceError):
            setattr(scaler, field, low)


@pytest.mark.parametrize(
    ("x", "scaling", "message"),
    [
        ([[1.0], [2.0]], "unit", "scaling must be one of auto, dimension, common, dtype, got 'unit'"),
        ([[1.0], [2.0]], "dtype", "scaling='dtype' needs integers, got dtype float64"),
        (
            [[1.0, 3.0, 4.0], [2.0, 3.0, 4.0]],
            "auto",
            "every column must vary, got 2 constant, the first column 1 at 3.0; "
            "leave it out, or choose scaling='common'",
        ),
        (
            [[[1.0, 3.0]], [[2.0, 3.0]]],
            "dimension",
            "every column must vary, got 1 constant, the first column (0, 1) at 3.0; "
            "leave it out, or choose scaling='common'",
        ),
        ([[3.0, 3.0], [3.0, 3.0]], "common", "x must vary, got 3.0 everywhere"),
        ([1.0, 2.0], "auto", "x must have one row a stimulus and at least 2 axes, got shape (2,)"),
        ([[1.0, 2.0]], "auto", "x must hold at least 2 stimuli, got 1"),
        ([[], []], "auto", "a stimulus must have at least 1 dimension, got x of shape (2, 0)"),
        (
            [[1.0, np.nan], [np.inf, 2.0]],
            "auto",
            "x must be finite, got 2 NaN or infinite, the first at row 0, column 1",
        ),
        (
            [[[1.0, 2.0]], [[-np.inf, 2.0]]],
            "auto",
            "x must be finite, got 1 NaN or infinite, the first at row 1, column (0, 0)",
        ),
    ],
)
def test_stimuli_that_cannot_be_scaled_are_refused(x: list, scaling: str, message: str) -> None:
    with pytest.raises(ValueError) as error:
        Scaler.fit(np.array(x), scaling)
    assert str(error.value) == message


@pytest.mark.parametrize("values", [[[1j], [2.0]], [["a"], ["b"]], [[None], [1]]])
def test_only_real_numbers_are_stimuli(values: list) -> None:
    x = np.array(values)
    with pytest.raises(TypeError) as error:
        Scaler.fit(x)
    assert str(error.value) == f"x must hold real numbers, got dtype {x.dtype}"


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        ([0.0], [1.0, 2.0], "low and high must have one shape, got (1,) and (2,)"),
        ([0.0, 2.0], [1.0, 2.0], "high must exceed low by a finite amount, got low 2.0 and high 2.0 in column 1"),
        (1.0, 0.0, "high must exceed low by a finite amount, got low 1.0 and high 0.0"),
        (0.0, np.nan, "high must exceed low by a finite amount, got low 0.0 and high nan"),
        (-1e308, 1e308, "high must exceed low by a finite amount, got low -1e+308 and high 1e+308"),
    ],
)
def test_limits_that_span_nothing_are_refused(low: list | float, high: list | float, message: str) -> None:
    with pytest.raises(ValueError) as error:
        Scaler(np.array(low), np.array(high))
    assert str(error.value) == message


def test_stimuli_of_another_shape_are_refused_both_ways() -> None:
    scaler = Scaler(np.zeros(2), np.ones(2))
    for method in (scaler.transform, scaler.inverse):
        for shape in [(5, 3), (5,)]:
            with pytest.raises(ValueError) as error:
                method(np.zeros(shape))
            assert str(error.value) == f"x must hold stimuli that fit a scaler of shape (2,), got {shape[1:]}"


def test_a_saved_scaler_with_other_keys_is_refused() -> None:
    with pytest.raises(ValueError) as error:
        Scaler.from_dict({"low": 0.0, "scale": 2.0})
    assert str(error.value) == "a saved scaler must have the keys high and low, got ['low', 'scale']"


def test_messages_call_a_dimension_by_its_name_where_it_has_one() -> None:
    assert [column_label([1], ("a", "b")), column_label([1]), column_label([1, 0])] == ["'b'", "1", "(1, 0)"]
