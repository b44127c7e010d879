"""Attribute vectors by ordinary least squares and by difference of means, in one pass over the codes."""

import warnings
from dataclasses import dataclass
from typing import final

import numpy as np
import pandas as pd
from jaxtyping import Float64, Integer, Shaped
from scipy.sparse.csgraph import connected_components

from gaia_explore.attributes.columns import Columns, read_columns
from gaia_explore.attributes.vectors import METHODS, AttributeVectors

HIGH_VIF = 10.0
"""Variance inflation above which a warning names the attribute: its others explain over 90 % of its variance.

Source: the usual rule of thumb, Marquardt 1970 (Technometrics 12), Kutner et al. 2005 (Applied Linear Statistical
Models, 10.5).
"""

BLOCK = 1 << 18
"""Numbers of the codes that are in double precision at a time: 2 MB, which stay in a core's cache."""


class InseparableWarning(UserWarning):
    """Attributes go together so closely that their vectors cannot be told apart, or hardly."""


def attribute_vectors(
    z: Shaped[np.ndarray, "n ..."], attributes: pd.DataFrame, *, method: str = "ols"
) -> AttributeVectors:
    """Find the direction in which each attribute changes latent codes.

    Parameters
    ----------
    z
        Codes, (n, d), of at least two stimuli more than there are attributes.
    attributes
        One row a code, in the same order; one column an attribute: booleans, 0/1 or −1/1 (binary), or other numbers
        (continuous).
    method
        "ols": the coefficients of the regression of z on all attributes at once, with an intercept. A vector is the
        effect of its attribute while all others stay as they are, in so far as effects add up.
        "means": mean(z | a) − mean(z | not a), for a continuous attribute the slope of z on it alone. A vector also
        holds the effect of whatever goes together with its attribute.

    Returns
    -------
    AttributeVectors
        In units of absent → present, or of one standard deviation.

    Warns
    -----
    InseparableWarning
        For "ols". If an attribute follows from others (their shared effect is then split by the solution of least norm
        in units of standard deviations), or is nearly given away by them (variance inflation above 10).

    Raises
    ------
    TypeError
        If `z` holds no real numbers, or an attribute is neither boolean nor number; the message says how to make
        columns of classes.
    ValueError
        If codes are too few or not finite, tables and codes differ in length, a value is missing, or an attribute
        never varies.

    Source
    ------
    Sainburg et al. 2018 (arXiv:1807.06650), §3.2.1.

    Departs from it
    ---------------
    The paper's attributes are −1 and 1, so that its coefficients are half of these vectors, and its strength of 3 is
    1.5 here. Continuous attributes, standard errors and warnings are ours.
    """
    if method not in METHODS:
        raise ValueError(f"method must be 'ols' or 'means', got {method!r}")
    columns = read_columns(attributes)
    n, k = columns.values.shape
    _check_codes(z, n, k)
    means, sds = columns.values.mean(axis=0), columns.values.std(axis=0)
    design = _Design.of((columns.values - means) / sds)
    fit = _Fit.of(design.basis, z)
    if method == "ols":
        _warn_of_inseparable(columns, design)
    slopes, errors, own = _joint(design, fit) if method == "ols" else _alone(design, fit)
    # From one standard deviation to the whole way from absent to present.
    unit = np.where(columns.binary, 1 / sds, 1)[:, None]
    total = fit.total.sum()
    return AttributeVectors(
        names=columns.names,
        vectors=slopes * unit,
        method=method,
        binary=columns.binary,
        means=means,
        sds=sds,
        mean_code=fit.mean,
        standard_errors=errors * unit,
        r2=_share(fit.explained, fit.total),
        r2_overall=float(_share(fit.explained.sum(), total)),
        r2_own=_share(own, total),
        vif=design.variances * n,
        n=n,
        fitted_on=(z, attributes),
    )


def resampled_slopes(
    columns: Columns, z: Shaped[np.ndarray, "n d"], counts: Integer[np.ndarray, " n"]
) -> dict[str, Float64[np.ndarray, "k d"]]:
    """Vectors by each method over a resample that has each stimulus so many times.

    They are those that :func:`attribute_vectors` finds in the rows written out, of binary attributes, too, in units of
    a standard deviation; both come from one regression in which stimuli weigh.

    Raises
    ------
    ValueError
        If an attribute never varies in the resample.
    """
    drawn = counts > 0
    values, weights = columns.values[drawn], counts[drawn, None]
    constant = [name for name, width in zip(columns.names, np.ptp(values, axis=0), strict=True) if width == 0]
    if constant:
        raise ValueError(
            f"attributes must vary in every resample, but in one {', '.join(constant)} did not: "
            f"leave out with attributes.drop(columns={constant})"
        )
    n, roots = weights.sum(), np.sqrt(weights)
    centred = values - (weights * values).sum(axis=0) / n
    design = _Design.of(roots * centred / np.sqrt((weights * centred**2).sum(axis=0) / n))
    projected = (roots * design.basis).T @ z[drawn]
    return {"ols": design.back @ projected, "means": design.loadings @ projected / n}


@final
@dataclass(frozen=True, kw_only=True)
class _Design:
    """Standardised attributes, n × k, by their singular value decomposition; not by AᵀA, which squares the error.

    ``basis`` (n × rank) spans them and is orthonormal, ``back`` (k × rank) turns projections on it into slopes, and
    ``loadings`` (k × rank) are AᵀU. ``variances`` is the diagonal of (AᵀA)⁻¹, infinite for an attribute that takes
    part in one of the ``null`` combinations, which are zero throughout.
    """

    basis: Float64[np.ndarray, "n r"]
    back: Float64[np.ndarray, "k r"]
    loadings: Float64[np.ndarray, "k r"]
    null: Float64[np.ndarray, "k l"]
    variances: Float64[np.ndarray, " k"]

    @classmethod
    def of(cls, scores: Float64[np.ndarray, "n k"]) -> "_Design":
        basis, singular, turn = np.linalg.svd(scores, full_matrices=False)
        rank = int((singular > singular[0] * len(scores) * np.finfo(np.float64).eps).sum())
        turn, null = turn[:rank].T, turn[rank:].T
        back = turn / singular[:rank]
        lost = (null**2).sum(axis=1) > 1e-9
        return cls(
            basis=basis[:, :rank],
            back=back,
            loadings=turn * singular[:rank],
            null=null,
            variances=np.where(lost, np.inf, (back**2).sum(axis=1)),
        )


@final
@dataclass(frozen=True, kw_only=True)
class _Fit:
    """Codes by what a regression needs of them: mean, squares about it, and their projection on a basis."""

    mean: Float64[np.ndarray, " d"]
    total: Float64[np.ndarray, " d"]
    projected: Float64[np.ndarray, "r d"]

    @classmethod
    def of(cls, basis: Float64[np.ndarray, "n r"], z: Shaped[np.ndarray, "n d"]) -> "_Fit":
        n, d = z.shape
        # Squares about one of the codes, which keeps digits, and leaves exactly 0 of a dimension that never varies.
        shift = z[0].astype(np.float64)
        sums, squares, projected = np.zeros(d), np.zeros(d), np.zeros((basis.shape[1], d))
        step = max(1, BLOCK // d)
        for start in range(0, n, step):
            block = z[start : start + step] - shift
            sums += block.sum(axis=0)
            squares += np.einsum("nd,nd->d", block, block)
            projected += basis[start : start + step].T @ block
        if not np.isfinite(squares).all():
            bad = (~np.isfinite(z)).any(axis=1).sum()
            raise ValueError(f"z must be finite, got {bad} of {n} codes that are not")
        total = np.maximum(squares - sums**2 / n, 0)
        return cls(mean=shift + sums / n, total=total, projected=projected)

    @property
    def explained(self) -> Float64[np.ndarray, " d"]:
        return np.minimum((self.projected**2).sum(axis=0), self.total)


_Slopes = tuple[Float64[np.ndarray, "k d"], Float64[np.ndarray, "k d"], Float64[np.ndarray, " k"]]


def _joint(design: _Design, fit: _Fit) -> _Slopes:
    """Slopes of the regression on all attributes, their standard errors, and what each explains beyond the others."""
    slopes = design.back @ fit.projected
    freedom = len(design.basis) - 1 - design.basis.shape[1]
    noise = (fit.total - fit.explained) / freedom
    errors = np.sqrt(design.variances[:, None]) * np.sqrt(noise)
    return slopes, errors, (slopes**2).sum(axis=1) / design.variances


def _alone(design: _Design, fit: _Fit) -> _Slopes:
    """The same for one regression an attribute."""
    n = len(design.basis)
    slopes = design.loadings @ fit.projected / n
    left = np.maximum(fit.total - n * slopes**2, 0)
    return slopes, np.sqrt(left / (n - 2) / n), n * (slopes**2).sum(axis=1)


def _share(part: Float64[np.ndarray, "..."] | float, whole: Float64[np.ndarray, "..."] | float) -> np.ndarray:
    part, whole = np.broadcast_arrays(np.asarray(part), np.asarray(whole))
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _check_codes(z: Shaped[np.ndarray, "..."], n: int, k: int):
    if z.dtype.kind not in "fiu":
        raise TypeError(f"z must be an array of numbers, got {z.dtype}")
    if z.ndim != 2:
        raise ValueError(f"z must hold one code a row, got shape {z.shape}")
    if len(z) != n:
        raise ValueError(f"attributes must have one row a code, {len(z)} here, got {n}")
    if n < k + 2:
        raise ValueError(f"z must hold at least {k + 2} codes for {k} attributes, got {n}")


def _warn_of_inseparable(columns: Columns, design: _Design):
    lost = np.isinf(design.variances)
    reasons = []
    if lost.any():
        # Attributes that take part in one zero combination belong together.
        _, sets = connected_components(np.abs(design.null @ design.null.T) > 1e-6, directed=False)
        groups = [[columns.names[j] for j in np.flatnonzero(lost & (sets == s))] for s in np.unique(sets[lost])]
        named = "; ".join(" and ".join([", ".join(names[:-1]), names[-1]]) for names in groups)
        reasons.append(
            f"{named} cannot be told apart, since each of them follows from the others: their effect is split up"
        )
    vif = design.variances * len(design.basis)
    hard = ", ".join(f"{columns.names[j]} ({vif[j]:.3g})" for j in np.flatnonzero((vif > HIGH_VIF) & ~lost))
    if hard:
        reasons.append(
            f"{hard} can hardly be told from other attributes, by a variance inflation above {HIGH_VIF:g}: see "
            "standard_errors"
        )
    if reasons:
        warnings.warn(". ".join(reasons), InseparableWarning, stacklevel=3)
