"""How far an edit of one attribute drags others along, read off decoded stimuli."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
import pandas as pd
from jaxtyping import Float64, Shaped

from gaia_explore.attributes.edits import Number, edit
from gaia_explore.attributes.vectors import AttributeVectors
from gaia_explore.latent import Codec
from gaia_explore.stimuli import Stimuli

BLOCK = 1024
"""Codes that are decoded at a time."""

Reader = Callable[[np.ndarray], np.ndarray]


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Entanglement:
    """What editing each attribute (rows) changes in what is read of every attribute (columns).

    Intervals are over stimuli, by the bootstrap (percentiles); two entanglements of the same number of stimuli, seed
    and resamples draw the same ones, so that they can be compared.

    Attributes
    ----------
    names
        The attributes.
    changes
        Change of each stimulus: edited attribute by read attribute.
    strength
        Of the edits, which go both ways.
    n_resamples, seed
        Of the bootstrap.
    """

    names: tuple[str, ...]
    changes: Float64[np.ndarray, "n k k"]
    strength: float
    n_resamples: int
    seed: int

    def __post_init__(self):
        if self.n_resamples < 1:
            raise ValueError(f"n_resamples must be at least 1, got {self.n_resamples}")

    @cached_property
    def matrix(self) -> pd.DataFrame:
        """Mean changes: in probability for a binary attribute, in two standard deviations for a continuous one."""
        return self._frame(self.changes.mean(axis=0))

    @cached_property
    def low(self) -> pd.DataFrame:
        """Lower ends of the 95 % intervals."""
        return self._frame(np.quantile(self._resampled, 0.025, axis=0))

    @cached_property
    def high(self) -> pd.DataFrame:
        """Upper ends of the 95 % intervals."""
        return self._frame(np.quantile(self._resampled, 0.975, axis=0))

    @cached_property
    def mean_off_diagonal(self) -> pd.Series:
        """Mean size of the changes that were not meant, over the mean of those that were: ``mean``, ``low``, ``high``.

        0: every edit changes its own attribute alone. 1: it changes each other as much. Infinite where edits do not
        even raise their own. Noise counts as entanglement, so that few stimuli make it too large.
        """
        return _interval(*self._off_diagonals)

    def relative_to(self, other: "Entanglement") -> pd.Series:
        """This mean off-diagonal over another's, with the interval of the ratio over the stimuli that they share."""
        own, others = ((e.changes.shape[0], e.n_resamples, e.seed) for e in (self, other))
        if own != others:
            raise ValueError(f"other must share the stimuli, n_resamples and seed {own}, got {others}")
        (ratio, ratios), (divisor, divisors) = self._off_diagonals, other._off_diagonals
        with np.errstate(divide="ignore", invalid="ignore"):
            return _interval(ratio / divisor, ratios / divisors)

    def to_frame(self) -> pd.DataFrame:
        """One row for each ``edited`` and ``read`` attribute, with ``change``, ``low`` and ``high``."""
        k = len(self.names)
        return pd.DataFrame(
            {
                "edited": np.repeat(self.names, k),
                "read": np.tile(self.names, k),
                "change": self.matrix.to_numpy().ravel(),
                "low": self.low.to_numpy().ravel(),
                "high": self.high.to_numpy().ravel(),
            }
        )

    @cached_property
    def _resampled(self) -> Float64[np.ndarray, "b k k"]:
        n = len(self.changes)
        counts = np.random.default_rng(self.seed).multinomial(n, np.full(n, 1 / n), size=self.n_resamples)
        return (counts / n @ self.changes.reshape(n, -1)).reshape(-1, *self.changes.shape[1:])

    @property
    def _off_diagonals(self) -> tuple[np.ndarray, np.ndarray]:
        """The mean off-diagonal over the mean diagonal, as it is and resampled."""
        mean = self.matrix.to_numpy()
        # Changes keep the signs of their means. By their own, resampling would turn its noise into entanglement, and
        # the interval lie above what it is of.
        return _off_diagonal(mean, np.sign(mean)), _off_diagonal(self._resampled, np.sign(mean))

    def _frame(self, values: Float64[np.ndarray, "k k"]) -> pd.DataFrame:
        index, columns = (pd.Index(self.names, name=name) for name in ("edited", "read"))
        return pd.DataFrame(values, index=index, columns=columns)

    def _repr_html_(self) -> str:
        mean, low, high = self.mean_off_diagonal
        caption = (
            f"Changes when an attribute (row) is edited from −{self.strength:g} to +{self.strength:g}, "
            f"over {len(self.changes):,} stimuli. Off the diagonal {mean:.2f} of it (95 % {low:.2f}–{high:.2f})."
        )
        styled = self.matrix.style.set_caption(caption)
        styled.format("{:+.2f}")
        for axis in (0, 1):
            styled.format_index(escape="html", axis=axis)
        return styled.to_html()


def entanglement(
    codec: Codec,
    stimuli: Stimuli | Shaped[np.ndarray, "n d"],
    vectors: AttributeVectors,
    probe: Reader,
    *,
    strength: Number = 1.0,
    seed: int = 0,
    n_resamples: int = 1000,
) -> Entanglement:
    """Edit one attribute at a time, decode, and read all attributes off the decoded stimuli.

    Each code is moved by −strength and by +strength along a vector, and what counts is the difference between the two
    readings. So with a strength of 1 a binary attribute goes from absent to present, whichever a stimulus starts from,
    and a continuous one up by two standard deviations.

    Parameters
    ----------
    stimuli
        Held-out stimuli, or an array of their codes, (n, d).
    probe
        Maps stimuli to readings, (n, k): probabilities of binary attributes, values of continuous ones in units of two
        standard deviations, so that a change of 1 means as much in either. With ``names``, as one from
        :func:`fit_probe` has, its columns are found by name and may be more; without, they are the attributes of
        `vectors` in their order. It should have learnt from balanced stimuli.
    n_resamples
        Of the bootstrap over stimuli.

    Raises
    ------
    ValueError
        If there are fewer than 2 attributes or stimuli, the strength is not above 0, or the probe does not read an
        attribute or reads something that is not finite.
    """
    z = codec.encode(stimuli.x) if isinstance(stimuli, Stimuli) else stimuli
    k = len(vectors)
    if k < 2 or len(z) < 2:
        raise ValueError(f"entanglement needs at least 2 attributes and 2 stimuli, got {k} and {len(z)}")
    if not strength > 0:
        raise ValueError(f"strength must be above 0, got {strength}")
    known = tuple(getattr(probe, "names", vectors.names))
    unread = [name for name in vectors if name not in known]
    if unread:
        raise ValueError(f"probe must read every attribute, missing {', '.join(unread)}")
    columns = [known.index(name) for name in vectors]

    def read(name: str, amount: Number) -> Float64[np.ndarray, "n k"]:
        edited = edit(z, vectors, {name: amount})
        blocks = [probe(codec.decode(edited[i : i + BLOCK])) for i in range(0, len(z), BLOCK)]
        readings = np.concatenate(blocks).astype(np.float64)
        if readings.shape != (len(z), len(known)):
            raise ValueError(f"probe must read {(len(z), len(known))} values, got {readings.shape}")
        if not np.isfinite(readings).all():
            raise ValueError(f"probe must read finite values, got others after editing {name}")
        return readings[:, columns]

    changes = np.stack([read(name, strength) - read(name, -strength) for name in vectors], axis=1)
    return Entanglement(
        names=vectors.names, changes=changes, strength=float(strength), n_resamples=n_resamples, seed=seed
    )


def _off_diagonal(
    matrices: Float64[np.ndarray, "*b k k"], signs: Float64[np.ndarray, "k k"]
) -> Float64[np.ndarray, "*b"]:
    k = len(signs)
    own = np.trace(matrices, axis1=-2, axis2=-1) / k
    others = (signs * matrices)[..., ~np.eye(k, dtype=bool)].mean(axis=-1)
    return np.divide(others, own, out=np.full(np.shape(own), np.inf), where=own > 0)


def _interval(value: Float64[np.ndarray, ""] | np.float64, resampled: Float64[np.ndarray, " b"]) -> pd.Series:
    low, high = np.quantile(resampled, [0.025, 0.975], method="inverted_cdf")  # which may be infinite
    return pd.Series({"mean": float(value), "low": low, "high": high})
