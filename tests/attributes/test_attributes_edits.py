import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gaia_explore as ge
from gaia_explore.attributes import attribute_vectors, circle, edit, portrait

Z = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)


class LinearCodec:
    """Pictures of 2 × 3 pixels in one colour: x = z A + b."""

    def __init__(self, d=5):
        rng = np.random.default_rng(9)
        self.matrix, self.offset = rng.normal(size=(d, 6)), rng.normal(size=6)

    def encode(self, x):
        return (x.reshape(len(x), -1) - self.offset) @ np.linalg.pinv(self.matrix)

    def decode(self, z):
        assert z.dtype == np.float32
        return (z @ self.matrix + self.offset).reshape(-1, 2, 3, 1)


def vectors(seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {"Smiling": rng.random(200) < 0.5, "Male": rng.random(200) < 0.3, "fatness": rng.normal(size=200)}
    )
    return attribute_vectors(
        table.astype(float).to_numpy() @ rng.normal(size=(3, 5)) + rng.normal(size=(200, 5)), table
    )


def test_an_edit_adds_each_vector_by_its_strength():
    v = vectors()
    edited = edit(Z, v, {"Smiling": 2, "Male": -1})
    assert np.allclose(edited, Z + 2 * v["Smiling"] - v["Male"], atol=1e-6)
    assert edited.dtype == np.float32
    assert np.array_equal(edit(Z, v, {}), Z)


def test_one_code_is_edited_as_one():
    v = vectors()
    assert np.allclose(edit(Z[0], v, {"fatness": 0.5}), Z[0] + 0.5 * v["fatness"], atol=1e-6)
    assert edit(Z[0].astype(int), v, {"fatness": 0.5}).dtype == np.float64


def test_a_row_of_strengths_makes_a_sweep_of_one_code():
    v = vectors()
    angles = np.linspace(0, 2 * np.pi, 9)
    sweep = edit(Z[0], v, {"fatness": 3 * np.cos(angles), "Smiling": 1})
    assert sweep.shape == (9, 5)
    assert np.allclose(sweep[4], Z[0] - 3 * v["fatness"] + v["Smiling"], atol=1e-5)


def test_a_row_of_strengths_edits_each_code_by_its_own():
    v = vectors()
    edited = edit(Z, v, {"Male": np.arange(6)})
    assert np.allclose(edited[4], Z[4] + 4 * v["Male"], atol=1e-5)


@given(st.floats(-3, 3), st.floats(-3, 3))
def test_edits_add_up_and_can_be_undone(first, second):
    v, z = vectors(), Z.astype(np.float64)
    both = edit(z, v, {"Smiling": first, "Male": second})
    assert np.allclose(edit(edit(z, v, {"Male": second}), v, {"Smiling": first}), both)
    assert np.allclose(edit(both, v, {"Smiling": -first, "Male": -second}), z)


@given(st.integers(0, 1000), st.floats(-3, 3))
def test_locked_attributes_keep_codes_where_they_are_along_their_vectors(seed, strength):
    v, z = vectors(seed), Z.astype(np.float64)
    moved = edit(z, v, {"Smiling": strength}, locked=("Male", "fatness")) - z
    assert np.allclose(moved @ v["Male"], 0, atol=1e-9)
    assert np.allclose(moved @ v["fatness"], 0, atol=1e-9)
    # Nothing is lost but what lies along them.
    missing = strength * v["Smiling"] - moved
    along = np.stack([v["Male"], v["fatness"]]).T
    assert np.allclose(along @ np.linalg.lstsq(along, missing[0])[0], missing[0], atol=1e-9)


def test_one_locked_name_may_stand_alone():
    v, z = vectors(), Z.astype(np.float64)
    unit = v["Male"] / np.linalg.norm(v["Male"])
    expected = v["Smiling"] - (v["Smiling"] @ unit) * unit
    assert np.allclose(edit(z, v, {"Smiling": 1}, locked="Male") - z, expected)


@pytest.mark.parametrize(
    ("z", "strengths", "locked", "message"),
    [
        (np.zeros(4), {}, (), r"^z must have shape \(5,\) or \(n, 5\), got \(4,\)$"),
        (np.zeros((2, 2, 5)), {}, (), r"^z must have shape \(5,\) or \(n, 5\), got \(2, 2, 5\)$"),
        (Z, {"Male": [1, 2]}, (), r"^the strength of Male must be a number, or one a code, got shape \(2,\)$"),
        (
            Z,
            {"Male": np.ones((1, 1))},
            (),
            r"^the strength of Male must be a number, or one a code, got shape \(1, 1\)$",
        ),
        (Z, {"Male": np.nan}, (), r"^the strength of Male must be finite, got nan$"),
        (Z, {"Male": 1}, ("Male",), "^Male cannot be edited while Male is locked: its vector lies along theirs$"),
    ],
)
def test_bad_edits_are_named(z, strengths, locked, message):
    with pytest.raises(ValueError, match=message):
        edit(z, vectors(), strengths, locked=locked)


def test_unknown_attributes_come_with_the_closest():
    message = r"attribute must be one of Smiling, Male, fatness, got 'smile'; did you mean 'Smiling'\?"
    with pytest.raises(KeyError, match=message):
        edit(Z, vectors(), {"smile": 1})
    with pytest.raises(KeyError, match=r"got 'Mal'; did you mean 'Male'\?"):
        edit(Z, vectors(), {"Smiling": 1}, locked="Mal")
    with pytest.raises(KeyError, match=r"got 'Fatness'; did you mean 'fatness'\?"):
        portrait(LinearCodec(), vectors(), "Fatness")


def test_portraits_are_decoded_around_the_mean_code():
    codec, v = LinearCodec(), vectors()
    pictures = portrait(codec, v, "Male", "Smiling", strength=2)
    assert pictures.shape == (2, 2, 3, 1)
    expected = (v.mean_code + 2 * v["Smiling"]) @ codec.matrix + codec.offset
    assert np.allclose(pictures[1].ravel(), expected, atol=1e-4)
    assert len(portrait(codec, v)) == 3


def test_the_papers_portraits_are_the_decoded_coefficients_of_signed_attributes():
    codec, v = LinearCodec(), vectors()
    pictures = portrait(codec, v, "Male", around="origin", strength=0.5)
    assert np.allclose(pictures[0].ravel(), v["Male"] / 2 @ codec.matrix + codec.offset, atol=1e-5)
    with pytest.raises(ValueError, match=r"^around must be 'mean' or 'origin', got 'zero'$"):
        portrait(codec, v, around="zero")


def test_the_package_offers_them_by_name():
    assert ge.edit is edit
    assert ge.portrait is portrait
    assert ge.attribute_vectors is attribute_vectors


def test_a_circle_goes_round_in_the_plane_of_two_vectors():
    v = vectors()
    codes = circle(Z[0], v, "Smiling", "fatness", strength=2, n_steps=8)
    assert codes.shape == (8, 5) and codes.dtype == np.float32
    quarters = [v["Smiling"], v["fatness"], -v["Smiling"], -v["fatness"]]
    assert np.allclose(codes[::2], Z[0] + 2 * np.array(quarters), atol=1e-5)
    # No step is longer than another where the vectors are one another's equal.
    assert np.allclose(codes[1], Z[0] + np.sqrt(2) * (v["Smiling"] + v["fatness"]), atol=1e-5)


def test_with_one_attribute_it_swings_to_and_fro():
    v = vectors()
    codes = circle(Z[0], v, "Male", n_steps=4)
    assert np.allclose(codes, Z[0] + np.outer([1.5, 0, -1.5, 0], v["Male"]), atol=1e-5)


@pytest.mark.parametrize(
    ("z", "names", "n_steps", "rule"),
    [
        (Z[0], (), 90, "names must be one attribute or two, got 0"),
        (Z[0], ("Male", "Smiling", "fatness"), 90, "names must be one attribute or two, got 3"),
        (Z[0], ("Male",), 1, "n_steps must be at least 2, got 1"),
        (Z, ("Male",), 90, r"z must be one code, \(d,\), got shape \(6, 5\)"),
    ],
)
def test_what_is_no_circle_is_refused(z, names, n_steps, rule):
    with pytest.raises(ValueError, match=rule):
        circle(z, vectors(), *names, n_steps=n_steps)
