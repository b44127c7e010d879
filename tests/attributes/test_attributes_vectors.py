import re
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.api import OLS, add_constant
from statsmodels.stats.outliers_influence import variance_inflation_factor

from gaia_explore.attributes import AttributeVectors, InseparableWarning, attribute_vectors

SEEDS = st.integers(0, 1000)


def faces(n=3000, seed=0) -> pd.DataFrame:
    """Attributes with CelebA's confound: young to old men .28 : 1, young to old women 8.49 : 1; a continuous one."""
    rng = np.random.default_rng(seed)
    male = rng.random(n) < 0.42
    young = rng.random(n) < np.where(male, 0.28 / 1.28, 8.49 / 9.49)
    fatness = 0.4 + 0.2 * rng.normal(size=n) + 0.1 * male
    return pd.DataFrame({"Male": male, "Young": young, "fatness": fatness})


def standardised(table):
    """Columns in the units of vectors."""
    numbers = table.astype(float)
    scores = (numbers - numbers.mean()) / numbers.std(ddof=0)
    return pd.DataFrame({name: numbers[name] if len(set(numbers[name])) == 2 else scores[name] for name in table})


def planted(n=3000, d=12, noise=0.5, seed=0):
    """Codes made of known vectors: z = b + A V + noise."""
    table = faces(n, seed)
    rng = np.random.default_rng(seed + 1)
    truth = rng.normal(size=(table.shape[1], d))
    z = rng.normal(size=d) + standardised(table).to_numpy() @ truth + noise * rng.normal(size=(n, d))
    return z, table, truth


def cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


# Oracle


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_coefficients_errors_and_r2_are_those_of_statsmodels(dtype):
    z, table, _ = planted()
    z = z.astype(dtype)
    vectors = attribute_vectors(z, table)
    design = add_constant(standardised(table))
    for dimension in range(z.shape[1]):
        oracle = OLS(z[:, dimension].astype(np.float64), design).fit()
        assert vectors.vectors[:, dimension] == pytest.approx(oracle.params.to_numpy()[1:])
        assert vectors.intercept[dimension] == pytest.approx(oracle.params["const"])
        assert vectors.standard_errors[:, dimension] == pytest.approx(oracle.bse.to_numpy()[1:])
        assert vectors.r2[dimension] == pytest.approx(oracle.rsquared)


def test_variance_inflation_is_that_of_statsmodels():
    z, table, _ = planted()
    design = np.column_stack([np.ones(len(table)), table.astype(float)])
    expected = [variance_inflation_factor(design, j) for j in (1, 2, 3)]
    for method in ("ols", "means"):
        assert attribute_vectors(z, table, method=method).vif == pytest.approx(np.array(expected))
    assert expected[0] > 1.5


def test_means_are_those_of_statsmodels_one_attribute_at_a_time():
    z, table, _ = planted()
    vectors = attribute_vectors(z, table, method="means")
    design = standardised(table)
    for name in table:
        for dimension in range(z.shape[1]):
            oracle = OLS(z[:, dimension], add_constant(design[[name]])).fit()
            assert vectors[name][dimension] == pytest.approx(oracle.params[name])
            errors = vectors.standard_errors[vectors.row(name), dimension]
            assert errors == pytest.approx(oracle.bse[name])
    assert np.allclose(vectors.intercept, z.mean(axis=0))


def test_an_attributes_own_share_is_what_the_regression_loses_without_it():
    z, table, _ = planted()
    vectors = attribute_vectors(z, table)
    for name, own in zip(vectors, vectors.r2_own, strict=True):
        assert own == pytest.approx(vectors.r2_overall - attribute_vectors(z, table.drop(columns=name)).r2_overall)
        alone = attribute_vectors(z, table.filter(items=[name]))
        means = attribute_vectors(z, table, method="means")
        assert means.r2_own[means.row(name)] == pytest.approx(alone.r2_overall)


def test_r2_overall_weighs_dimensions_by_their_variance():
    z, table, _ = planted()
    vectors = attribute_vectors(z, table)
    assert vectors.r2_overall == pytest.approx(np.average(vectors.r2, weights=z.var(axis=0)))


def test_summary_is_the_one_that_statsmodels_prints():
    z, table, _ = planted(n=300)
    printed = str(attribute_vectors(z.astype(np.float32), table).summary(2))
    vectors = attribute_vectors(z, table)
    assert "latent dimension 2" in printed
    assert re.search(r"R-squared: +" + f"{vectors.r2[2]:.3f}", printed)
    for name in table:
        row = vectors.row(name)
        coefficient, error = vectors.vectors[row, 2], vectors.standard_errors[row, 2]
        assert re.search(rf"{name} +{coefficient:.4f} +{error:.3f} ", printed), printed
    assert re.search(rf"Intercept +{vectors.intercept[2]:.4f} ", printed)


def test_standard_errors_are_the_spread_over_repetitions():
    _, table, truth = planted(n=300, d=4)
    clean = standardised(table).to_numpy() @ truth
    rng = np.random.default_rng(5)
    fits = [attribute_vectors(clean + rng.normal(size=clean.shape), table) for _ in range(400)]
    spread = np.std([fit.vectors for fit in fits], axis=0)
    assert np.allclose(fits[0].standard_errors, spread, rtol=0.2)


# Planted answers


def test_ols_finds_the_planted_vectors_and_means_do_not():
    z, table, truth = planted()
    ols, means = (attribute_vectors(z, table, method=method) for method in ("ols", "means"))
    assert np.abs((ols.vectors - truth) / ols.standard_errors).max() < 5
    assert cosine(ols["Young"], truth[1]) > 0.999
    assert cosine(means["Young"], truth[1]) < 0.95
    # What is wrong with a mean is foreseen: it holds the share of the others that goes with its attribute.
    numbers = standardised(table)
    difference = numbers[table["Young"]].mean() - numbers[~table["Young"]].mean()
    assert np.allclose(means["Young"], difference.to_numpy() @ truth, atol=0.1)


def test_without_noise_the_planted_vectors_come_back_whole():
    z, table, truth = planted(noise=0)
    vectors = attribute_vectors(z, table)
    assert np.allclose(vectors.vectors, truth, atol=1e-12)
    assert np.allclose(vectors.r2, 1)
    assert vectors.standard_errors.max() < 1e-6


def test_means_are_differences_of_means():
    z, table, _ = planted()
    vectors = attribute_vectors(z, table, method="means")
    assert np.allclose(vectors["Male"], z[table["Male"]].mean(axis=0) - z[~table["Male"]].mean(axis=0))
    slope = np.polyfit(table["fatness"], z, 1)[0]
    assert np.allclose(vectors["fatness"], slope * table["fatness"].std(ddof=0))


def test_means_and_ols_agree_on_balanced_attributes():
    table = pd.DataFrame({"a": [0, 0, 1, 1] * 50, "b": [0, 1, 0, 1] * 50})
    z = np.random.default_rng(0).normal(size=(200, 3))
    ols, means = (attribute_vectors(z, table, method=method) for method in ("ols", "means"))
    assert np.allclose(ols.vectors, means.vectors)
    assert np.allclose(ols.vif, 1)


def test_what_is_known_about_attributes_is_kept():
    z, table, _ = planted()
    vectors = attribute_vectors(z, table)
    assert vectors.names == tuple(vectors) == ("Male", "Young", "fatness")
    assert vectors.binary.tolist() == [True, True, False]
    assert np.allclose(vectors.means, table.mean())
    assert np.allclose(vectors.sds, table.astype(float).std(ddof=0))
    assert np.allclose(vectors.mean_code, z.mean(axis=0))
    assert (vectors.n, len(vectors)) == (3000, 3)
    assert vectors.table["kind"].tolist() == ["binary", "binary", "continuous"]
    assert vectors.table.loc["Young", "length"] == pytest.approx(np.linalg.norm(vectors["Young"]))


def test_a_latent_dimension_that_never_varies_has_no_r2():
    z, table, _ = planted(n=300)
    z[:, 3] = 0.1
    vectors = attribute_vectors(z.astype(np.float32), table)
    assert np.isnan(vectors.r2).nonzero()[0].tolist() == [3]
    assert not vectors.vectors[:, 3].any()
    assert not vectors.standard_errors[:, 3].any()
    assert 0 < vectors.r2_overall < 1


def test_two_numbers_that_are_no_code_for_absence_are_continuous():
    z, table, _ = planted(n=300)
    table["dose"] = np.where(table["Male"] & table["Young"], 2, 1)
    assert attribute_vectors(z, table).binary.tolist() == [True, True, False, False]


def test_cosines_are_between_all_pairs():
    z, table, _ = planted()
    ols, means = (attribute_vectors(z, table, method=method) for method in ("ols", "means"))
    cosines = ols.cosines(means)
    assert cosines.loc["Young", "Male"] == pytest.approx(cosine(ols["Young"], means["Male"]))
    assert np.allclose(np.diag(ols.cosines()), 1)
    other = attribute_vectors(z[:, :5], table)
    with pytest.raises(ValueError, match=r"^other must have 12 latent dimensions, got 5$"):
        ols.cosines(other)


# Laws


@given(SEEDS, st.sampled_from(["ols", "means"]), st.floats(-1e3, 1e3))
def test_a_shift_of_all_codes_changes_no_vector(seed, method, shift):
    z, table, _ = planted(n=60, d=3, seed=seed)
    vectors, shifted = (attribute_vectors(codes, table, method=method) for codes in (z, z + shift))
    assert np.allclose(vectors.vectors, shifted.vectors)
    assert np.allclose(vectors.standard_errors, shifted.standard_errors)
    assert np.allclose(vectors.mean_code + shift, shifted.mean_code)


@given(SEEDS, st.sampled_from(["ols", "means"]))
def test_vectors_follow_a_linear_map_of_the_codes(seed, method):
    z, table, _ = planted(n=60, d=3, seed=seed)
    linear = np.random.default_rng(seed).normal(size=(3, 5))
    mapped = attribute_vectors(z @ linear, table, method=method)
    assert np.allclose(mapped.vectors, attribute_vectors(z, table, method=method).vectors @ linear)


@given(SEEDS, st.sampled_from(["ols", "means"]), st.sampled_from([bool, np.uint8, float, "Int64", "boolean"]))
def test_vectors_do_not_depend_on_how_absence_is_written(seed, method, kind):
    z, table, _ = planted(n=60, d=3, seed=seed)
    binary = table.filter(items=["Male", "Young"])
    written, signed = (
        attribute_vectors(z, t, method=method) for t in (binary.astype(kind), 2 * binary.astype(int) - 1)
    )
    for part in ("vectors", "standard_errors", "means", "sds", "intercept", "vif"):
        assert np.allclose(getattr(written, part), getattr(signed, part))
    assert written.binary.all()
    assert signed.binary.all()


@given(SEEDS, st.floats(0.01, 100), st.floats(-100, 100))
def test_the_unit_of_a_continuous_attribute_does_not_matter(seed, scale, zero):
    z, table, _ = planted(n=60, d=3, seed=seed)
    other = table.assign(fatness=table["fatness"] * scale + zero)
    assert np.allclose(attribute_vectors(z, table).vectors, attribute_vectors(z, other).vectors)


@given(SEEDS, st.permutations(range(60)), st.permutations(["Male", "Young", "fatness"]))
def test_order_of_stimuli_and_attributes_does_not_matter(seed, rows, names):
    z, table, _ = planted(n=60, d=3, seed=seed)
    vectors, other = attribute_vectors(z, table), attribute_vectors(z[rows], table.iloc[rows].filter(items=names))
    for name in names:
        assert np.allclose(vectors[name], other[name])


def test_many_codes_in_blocks_are_fitted_as_one():
    z, table, _ = planted(n=2000, d=300)
    vectors = attribute_vectors(z, table)
    expected = np.linalg.lstsq(np.column_stack([np.ones(2000), standardised(table)]), z)[0]
    assert np.allclose(vectors.vectors, expected[1:])


def test_codes_may_be_mapped_from_a_file(tmp_path):
    z, table, _ = planted(n=100)
    np.save(tmp_path / "z.npy", z.astype(np.float32))
    mapped = np.load(tmp_path / "z.npy", mmap_mode="r")
    assert np.allclose(attribute_vectors(mapped, table).vectors, attribute_vectors(z, table).vectors, atol=1e-5)


# Attributes that cannot be told apart


def test_attributes_that_follow_from_each_other_are_named_and_their_effect_is_split():
    z, table, _ = planted()
    twice = table.assign(Female=~table["Male"], Weight=50 + 60 * table["fatness"])
    message = (
        "^Male and Female; fatness and Weight cannot be told apart, since each of them follows from the others: their "
        "effect is split up$"
    )
    with pytest.warns(InseparableWarning, match=message):
        vectors = attribute_vectors(z, twice)
    alone = attribute_vectors(z, table)
    assert np.allclose(vectors["Male"], alone["Male"] / 2)
    assert np.allclose(vectors["Female"], -alone["Male"] / 2)
    assert np.allclose(vectors["fatness"], alone["fatness"] / 2)
    assert np.allclose(vectors["Young"], alone["Young"])
    assert np.isinf(vectors.vif).tolist() == [True, False, True, True, True]
    assert vectors.vif[1] == pytest.approx(alone.vif[1])
    assert np.isinf(vectors.standard_errors[[0, 2, 3, 4]]).all()
    assert np.allclose(vectors.standard_errors[1], alone.standard_errors[1])
    assert np.allclose(vectors.r2, alone.r2)
    assert vectors.r2_own[[0, 2, 3, 4]].tolist() == [0, 0, 0, 0]


def test_classes_that_add_up_to_one_cannot_be_told_apart():
    z, table, _ = planted(n=300)
    hair = pd.get_dummies(pd.Series(["black", "brown", "blond"] * 100))
    with pytest.warns(InseparableWarning, match="^black, blond and brown cannot be told apart, "):
        attribute_vectors(z, table.join(hair))
    with warnings.catch_warnings(action="error"):
        attribute_vectors(z, table.join(hair.drop(columns="black")))


def test_attributes_that_are_nearly_the_same_are_named_with_their_inflation():
    z, table, _ = planted()
    beard = table["Male"].to_numpy().copy()
    beard[:20] ^= True
    message = (
        r"^Male \(\d+\.?\d*\), Beard \(\d+\.?\d*\) can hardly be told from other attributes, by a variance inflation "
        "above 10: see standard_errors$"
    )
    with pytest.warns(InseparableWarning, match=message):
        vectors = attribute_vectors(z, table.assign(Beard=beard))
    assert (vectors.vif > 10).tolist() == [True, False, False, True]


def test_means_have_nothing_to_tell_apart():
    z, table, _ = planted(n=300)
    with warnings.catch_warnings(action="error"):
        vectors = attribute_vectors(z, table.assign(Female=~table["Male"]), method="means")
    assert np.allclose(vectors["Female"], -vectors["Male"])
    assert np.isinf(vectors.vif[[0, 3]]).all()


# Errors


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (
            {"hair": ["black", "brown", "blond", "grey"] * 15},
            TypeError,
            r"^attributes must be booleans or real numbers, got \w+ in 'hair' \(black, brown, blond, …\): make columns "
            r"of its classes with pandas\.get_dummies\(attributes, columns=\['hair'\], drop_first=True\), or leave it "
            r"out$",
        ),
        (
            {"hair": pd.Categorical([1, 2] * 30)},
            TypeError,
            r"^attributes must be booleans or real numbers, got category in 'hair' \(1, 2\): make columns of ",
        ),
        ({"phase": [1j, 2] * 30}, TypeError, "^attributes must be booleans or real numbers, got complex128 in 'phase'"),
        ({"Age": [np.nan, 1] * 30}, ValueError, "^attributes must be finite, got 30 of 60 values of 'Age' that are "),
        (
            {"Age": pd.array([None] * 2 + [0, 1] * 29, dtype="Int64")},
            ValueError,
            "^attributes must be finite, got 2 of 60 values of 'Age' that are not$",
        ),
        (
            {"Bald": np.zeros(60)},
            ValueError,
            r"^attributes must vary, but Bald never does here: leave out with attributes\.drop\(columns=\['Bald'\]\)$",
        ),
        (
            {"Bald": np.ones(60), "Hat": [-1] * 60},
            ValueError,
            r"^attributes must vary, but Bald, Hat never do here: leave out with attributes\.drop\(columns="
            r"\['Bald', 'Hat'\]\)$",
        ),
        ({3: np.arange(60)}, TypeError, "^names of attributes must be text, got 3$"),
    ],
)
def test_bad_attributes_are_named(change, error, message):
    z, table, _ = planted(n=60)
    with pytest.raises(error, match=message):
        attribute_vectors(z, table.assign(**change) if isinstance(next(iter(change)), str) else pd.DataFrame(change))


def test_attributes_of_one_name_are_refused():
    z, table, _ = planted(n=60)
    with pytest.raises(ValueError, match=r"^names of attributes must be unique, got 'Male' 2 times$"):
        attribute_vectors(z, pd.concat([table, table[["Male"]]], axis=1))


def test_objects_that_are_all_booleans_or_numbers_serve():
    z, table, _ = planted(n=60)
    assert np.allclose(attribute_vectors(z, table.astype(object)).vectors, attribute_vectors(z, table).vectors)


@pytest.mark.parametrize(
    ("z", "error", "message"),
    [
        (np.array([["a"]] * 60), TypeError, r"^z must be an array of numbers, got <U1$"),
        (np.zeros((60, 2, 2)), ValueError, r"^z must hold one code a row, got shape \(60, 2, 2\)$"),
        (np.zeros((59, 2)), ValueError, r"^attributes must have one row a code, 59 here, got 60$"),
        (np.full((60, 2), np.inf), ValueError, r"^z must be finite, got 60 of 60 codes that are not$"),
    ],
)
def test_bad_codes_are_named(z, error, message):
    with np.errstate(invalid="ignore"), pytest.raises(error, match=message):
        attribute_vectors(z, faces(60))


def test_a_missing_code_is_counted():
    z, table, _ = planted(n=60)
    z[7] = np.nan
    with pytest.raises(ValueError, match=r"^z must be finite, got 1 of 60 codes that are not$"):
        attribute_vectors(z, table)


def test_too_few_codes_are_refused():
    table = pd.DataFrame({"a": [0, 1, 0, 1], "b": [0.0, 0, 1, 1], "c": [1, 2, 3, 5]})
    with pytest.raises(ValueError, match=r"^z must hold at least 5 codes for 3 attributes, got 4$"):
        attribute_vectors(np.zeros((4, 2)), table)


def test_empty_tables_are_refused():
    with pytest.raises(ValueError, match=r"^attributes must have rows and columns, got 5 and 0$"):
        attribute_vectors(np.zeros((5, 2)), pd.DataFrame(index=range(5)))


def test_unknown_methods_are_refused():
    z, table, _ = planted(n=60)
    with pytest.raises(ValueError, match=r"^method must be 'ols' or 'means', got 'median'$"):
        attribute_vectors(z, table, method="median")


def test_unknown_names_come_with_the_closest():
    z, table, _ = planted(n=60)
    vectors = attribute_vectors(z, table)
    with pytest.raises(KeyError, match=r"must be one of Male, Young, fatness, got 'yuong'; did you mean 'Young'\?"):
        vectors["yuong"]
    with pytest.raises(KeyError, match=r"must be one of Male, Young, fatness, got 'Hat'\""):
        vectors["Hat"]
    assert "Male" in vectors
    assert "Hat" not in vectors


def test_summaries_are_of_a_regression_that_was_made_here(tmp_path):
    z, table, _ = planted(n=60)
    vectors = attribute_vectors(z, table)
    with pytest.raises(ValueError, match=r"^dimension must be from 0 to 11, got 12$"):
        vectors.summary(12)
    with pytest.raises(ValueError, match=r"^a summary is of a regression, method 'ols', got 'means'$"):
        attribute_vectors(z, table, method="means").summary(0)
    vectors.save(tmp_path / "v.npz")
    with pytest.raises(ValueError, match=r"^a summary needs the codes, which a file does not hold: fit the vectors "):
        AttributeVectors.load(tmp_path / "v.npz").summary(0)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"method": "median"}, "^method must be 'ols' or 'means', got 'median'$"),
        ({"names": ("a", "a", "b")}, "^names must be unique, and at least 1, got a, a, b$"),
        ({"names": ()}, "^names must be unique, and at least 1, got none$"),
        ({"names": ("a", "b")}, r"^vectors must have shape \(2, 12\) for 2 attributes, got \(3, 12\)$"),
        ({"mean_code": np.full(12, np.nan)}, "^mean_code must be finite$"),
    ],
)
def test_vectors_check_their_parts(part, message):
    z, table, _ = planted(n=60)
    vectors = attribute_vectors(z, table)
    parts = {name: getattr(vectors, name) for name in AttributeVectors.__dataclass_fields__}
    AttributeVectors(**parts)
    with pytest.raises(ValueError, match=message):
        AttributeVectors(**(parts | part))


def test_vectors_cannot_be_changed():
    z, table, _ = planted(n=60)
    vectors = attribute_vectors(z, table)
    with pytest.raises(ValueError, match="read-only"):
        vectors["Male"][0] = 1


# Tables in notebooks


def test_the_table_in_a_notebook_tells_what_is_known():
    z, table, _ = planted()
    table = table.rename(columns={"Young": "<Young>"})
    html = attribute_vectors(z, table)._repr_html_()
    assert "3 attribute vectors by OLS from 3,000 codes of 12 latent dimensions" in html
    assert f"<td>&lt;Young&gt;</td><td>{attribute_vectors(z, table).table['length'].iloc[1]:.3g}</td>" in html
    assert f"<td>{table['Male'].sum():,} of 3,000</td>" in html
    assert f"<td>{table['fatness'].mean():.3g} ± {table['fatness'].std():.3g}</td>" in html
    assert "R² beyond the others" in html
    assert "by difference of means" in attribute_vectors(z, table, method="means")._repr_html_()


def test_repr_names_attributes():
    z, table, _ = planted(n=60)
    expected = "AttributeVectors(method='ols', k=3, d=12, n=60, names=['Male', 'Young', 'fatness'])"
    assert repr(attribute_vectors(z, table)) == expected


# Files


def test_files_bring_back_all_but_the_codes(tmp_path):
    z, table, _ = planted(n=60)
    with pytest.warns(InseparableWarning):
        vectors = attribute_vectors(z, table.assign(Féminine=~table["Male"]))
    path = tmp_path / "new" / "vectors"
    vectors.save(path)
    loaded = AttributeVectors.load(path)
    for part in AttributeVectors.__dataclass_fields__:
        if part != "fitted_on":
            assert np.array_equal(getattr(loaded, part), getattr(vectors, part))
    assert loaded.fitted_on is None
    assert [file.name for file in path.parent.iterdir()] == ["vectors"]
    content = path.read_bytes()
    loaded.save(path)
    assert path.read_bytes() == content


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=re.escape(f"no attribute vectors at {tmp_path / 'v.npz'}")):
        AttributeVectors.load(tmp_path / "v.npz")


def write_other(path, kind):
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("Smiling 1 2 3")
    elif kind == "array":
        np.save(path.with_suffix(".npy"), np.eye(3))
        path.with_suffix(".npy").rename(path)
    elif kind == "pickle":
        with path.open("wb") as file:
            np.savez(file, header=np.array([{"format": 1}], dtype=object))
    elif kind == "other archive":
        with path.open("wb") as file:
            np.savez(file, weights=np.eye(3))
    elif kind == "later format":
        with path.open("wb") as file:
            np.savez(file, header=np.array('{"format": "gaia_explore.attributes/9"}'))


@pytest.mark.parametrize("kind", ["empty", "text", "array", "pickle", "other archive", "later format"])
def test_files_of_other_kinds_are_refused_by_name(tmp_path, kind):
    path = tmp_path / "v.npz"
    write_other(path, kind)
    message = f"^{re.escape(str(path))} holds no attribute vectors, or is damaged: "
    with pytest.raises(ValueError, match=message):
        AttributeVectors.load(path)


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_damaged_files_are_read_right_or_refused_by_name(tmp_path_factory, position, flip):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    z, table, _ = planted(n=60, d=3)
    vectors = attribute_vectors(z, table)
    vectors.save(path)
    content = bytearray(path.read_bytes())
    content[position % len(content)] ^= flip
    path.write_bytes(content)
    try:
        loaded = AttributeVectors.load(path)
    except ValueError as error:
        assert str(error).startswith(f"{path} holds no attribute vectors, or is damaged: ")
    else:
        assert np.array_equal(loaded.vectors, vectors.vectors)


@given(st.integers(0, 10_000))
def test_files_that_were_cut_are_refused_by_name(tmp_path_factory, length):
    path = tmp_path_factory.getbasetemp() / "cut.npz"
    z, table, _ = planted(n=60, d=3)
    attribute_vectors(z, table).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: length % len(content)])
    with pytest.raises(ValueError, match="holds no attribute vectors, or is damaged: "):
        AttributeVectors.load(path)
