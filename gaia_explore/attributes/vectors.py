"""The vectors along which attributes change latent codes, what is known about them, and their file."""

import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, final
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float64, Shaped

from gaia_explore.attributes.columns import read_columns
from gaia_explore.training import write_atomically

if TYPE_CHECKING:
    from statsmodels.iolib.summary import Summary

FORMAT = "gaia_explore.attributes/1"
METHODS = ("ols", "means")
_ARRAYS = ("vectors", "standard_errors", "mean_code", "binary", "means", "sds", "r2", "r2_own", "vif")
_DAMAGE = (
    BadZipFile,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zlib.error,
)
"""What zipfile, zlib and NumPy raise on a file that is none, or cut or altered."""


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class AttributeVectors:
    """Attribute vectors, from :func:`attribute_vectors`; ``vectors["Smiling"]`` is one of them.

    One unit of a vector is the whole way from absent to present for a binary attribute, however its table wrote the
    two (0/1, −1/1, booleans), and one standard deviation for a continuous one.

    Attributes
    ----------
    names
        One an attribute.
    vectors
        One a row.
    method
        "ols", or "means" for difference of means.
    binary
        Which attributes are binary; the others are continuous.
    means, sds
        Mean and standard deviation of each attribute: for a binary one the share of stimuli that have it, p, and
        √(p (1 − p)); for a continuous one in its own units.
    mean_code
        The mean of the codes.
    standard_errors
        Of the vectors, number by number, for noise of equal variance in all codes. Infinite where an attribute cannot
        be told apart from others.
    r2
        Share of each latent dimension's variance that all attributes explain together, whatever the method. NaN for a
        dimension that never varies.
    r2_overall
        The same share over all dimensions together.
    r2_own
        Share of the variance of codes that each attribute explains: beyond all others for "ols", alone for "means".
    vif
        Variance inflation of each attribute, 1 / (1 − R²) of its regression on the others: by how much telling it from
        them widens the variance of its vector. 1 if it is uncorrelated with them, infinite if it follows from them.
    n
        Codes that were fitted.
    fitted_on
        These codes and their table, for :meth:`summary`; None for vectors from a file.
    """

    names: tuple[str, ...]
    vectors: Float64[np.ndarray, "k d"]
    method: str
    binary: Bool[np.ndarray, " k"]
    means: Float64[np.ndarray, " k"]
    sds: Float64[np.ndarray, " k"]
    mean_code: Float64[np.ndarray, " d"]
    standard_errors: Float64[np.ndarray, "k d"]
    r2: Float64[np.ndarray, " d"]
    r2_overall: float
    r2_own: Float64[np.ndarray, " k"]
    vif: Float64[np.ndarray, " k"]
    n: int
    fitted_on: tuple[Shaped[np.ndarray, "n d"], pd.DataFrame] | None = None

    def __post_init__(self):
        if self.method not in METHODS:
            raise ValueError(f"method must be 'ols' or 'means', got {self.method!r}")
        if not self.names or len(set(self.names)) < len(self.names):
            raise ValueError(f"names must be unique, and at least 1, got {', '.join(self.names) or 'none'}")
        k, d = len(self.names), np.shape(self.vectors)[-1]
        shapes = {"vectors": (k, d), "standard_errors": (k, d), "mean_code": (d,), "r2": (d,)}
        for name in _ARRAYS:
            values, shape = getattr(self, name), shapes.get(name, (k,))
            if values.shape != shape:
                raise ValueError(f"{name} must have shape {shape} for {k} attributes, got {values.shape}")
            values = values.copy()
            values.setflags(write=False)
            object.__setattr__(self, name, values)
        for name in ("vectors", "mean_code"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"{name} must be finite")

    @property
    def intercept(self) -> Float64[np.ndarray, " d"]:
        """The code that is expected where every binary attribute is absent and every continuous one at its mean.

        Vectors by difference of means do not add up to an expected code; theirs is the mean code.
        """
        if self.method == "means":
            return self.mean_code
        return self.mean_code - np.where(self.binary, self.means, 0) @ self.vectors

    @property
    def table(self) -> pd.DataFrame:
        """One row an attribute: its kind, the length of its vector, and how well it is known."""
        columns = {
            "kind": np.where(self.binary, "binary", "continuous"),
            "length": np.linalg.norm(self.vectors, axis=1),
            "r2_own": self.r2_own,
            "vif": self.vif,
            "mean": self.means,
            "sd": self.sds,
        }
        return pd.DataFrame(columns, index=pd.Index(self.names, name="attribute"))

    def __getitem__(self, name: str) -> Float64[np.ndarray, " d"]:
        return self.vectors[self.row(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def row(self, name: str) -> int:
        """Where an attribute stands among the names; a KeyError says which name comes closest."""
        if name not in self.names:
            by_lower = {known.lower(): known for known in self.names}
            closest = get_close_matches(str(name).lower(), by_lower, n=1)
            hint = f"; did you mean {by_lower[closest[0]]!r}?" if closest else ""
            raise KeyError(f"attribute must be one of {', '.join(self.names)}, got {name!r}{hint}")
        return self.names.index(name)

    def cosines(self, other: "AttributeVectors | None" = None) -> pd.DataFrame:
        """Cosines of the angles between these vectors (rows) and the same or others (columns)."""
        other = other or self
        if other.vectors.shape[1] != self.vectors.shape[1]:
            raise ValueError(f"other must have {self.vectors.shape[1]} latent dimensions, got {other.vectors.shape[1]}")
        own, others = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (self.vectors, other.vectors))
        return pd.DataFrame(own @ others.T, index=list(self.names), columns=list(other.names))

    def summary(self, dimension: int) -> "Summary":
        """What statsmodels prints about the regression of one latent dimension, counted from 0, on all attributes.

        In the units of the vectors, with all its diagnostics. Where attributes cannot be told apart, it may split
        their effect otherwise.

        Raises
        ------
        ValueError
            If there is no such dimension, or for difference of means, or for vectors from a file.
        """
        if self.method != "ols":
            raise ValueError(f"a summary is of a regression, method 'ols', got {self.method!r}")
        if self.fitted_on is None:
            raise ValueError("a summary needs the codes, which a file does not hold: fit the vectors again")
        d = self.vectors.shape[1]
        if not 0 <= dimension < d:
            raise ValueError(f"dimension must be from 0 to {d - 1}, got {dimension}")
        from statsmodels.api import OLS

        z, attributes = self.fitted_on
        values = read_columns(attributes).values
        units = np.where(self.binary, values, (values - self.means) / self.sds)
        design = pd.DataFrame(units, columns=list(self.names))
        design.insert(0, "Intercept", 1.0, allow_duplicates=True)
        outcome = pd.Series(np.asarray(z[:, dimension], np.float64), name=f"latent dimension {dimension}")
        return OLS(outcome, design).fit().summary()

    def save(self, path: str | Path):
        """Write the vectors and all that is known about them, but not the codes, as one NumPy ``.npz`` file.

        The name is taken as it is. Its folder is made where it is missing; an old file is replaced in one step.
        """
        header = {
            "format": FORMAT,
            "names": self.names,
            "method": self.method,
            "n": self.n,
            "r2_overall": self.r2_overall,
        }
        arrays: dict[str, Any] = {name: getattr(self, name) for name in _ARRAYS}
        content = BytesIO()
        np.savez_compressed(content, header=np.array(json.dumps(header)), **arrays)
        write_atomically(Path(path), content.getvalue())

    @classmethod
    def load(cls, path: str | Path) -> "AttributeVectors":
        """Read what :meth:`save` wrote. Reading executes nothing.

        Raises
        ------
        FileNotFoundError, ValueError
            Where there is no such file, or it is damaged or not one of ours; the message names it.
        """
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no attribute vectors at {path}")
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                header = json.loads(str(archive["header"]))
                if header["format"] != FORMAT:
                    raise ValueError(f"its format is {header['format']!r}, not {FORMAT!r}")
                kinds = {name: bool if name == "binary" else np.float64 for name in _ARRAYS}
                return cls(
                    names=tuple(str(name) for name in header["names"]),
                    method=str(header["method"]),
                    n=int(header["n"]),
                    r2_overall=float(header["r2_overall"]),
                    **{name: archive[name].astype(kind) for name, kind in kinds.items()},
                )
        except _DAMAGE as error:
            raise ValueError(f"{path} holds no attribute vectors, or is damaged: {error}") from error

    def __repr__(self) -> str:
        k, d = self.vectors.shape
        return f"AttributeVectors(method={self.method!r}, k={k}, d={d}, n={self.n}, names={list(self.names)})"

    def _repr_html_(self) -> str:
        k, d = self.vectors.shape
        how = {"ols": "OLS", "means": "difference of means"}[self.method]
        caption = (
            f"{k} attribute vectors by {how} from {self.n:,} codes of {d:,} latent dimensions; together, attributes "
            f"explain {self.r2_overall:.1%} of the variance of codes"
        )
        own = {"ols": "R² beyond the others", "means": "R² alone"}[self.method]
        heads = ("attribute", "|vector|", own, "VIF", "present, or mean ± sd")
        rows = [
            (escape(str(name)), f"{row['length']:.3g}", f"{row['r2_own']:.2%}", f"{row['vif']:.1f}", self._spread(row))
            for name, row in self.table.to_dict("index").items()
        ]
        head = "".join(f"<th>{text}</th>" for text in heads)
        body = "".join("<tr>" + "".join(f"<td>{text}</td>" for text in row) + "</tr>" for row in rows)
        return f"<table><caption>{caption}</caption><tr>{head}</tr>{body}</table>"

    def _spread(self, row: dict[str, Any]) -> str:
        if row["kind"] == "binary":
            return f"{round(row['mean'] * self.n):,} of {self.n:,}"
        return f"{row['mean']:.3g} ± {row['sd']:.3g}"
