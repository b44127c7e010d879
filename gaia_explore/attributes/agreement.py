"""How near attribute vectors come to the truth, where stimuli without a confound tell it."""

import numpy as np
import pandas as pd
from jaxtyping import Float64, Shaped
from tqdm.auto import tqdm

from gaia_explore.attributes.columns import read_columns
from gaia_explore.attributes.regression import attribute_vectors, resampled_slopes

METHODS = {"means": "difference of means", "ols": "OLS"}
GAIN = "OLS − means"


def agreement(
    z: Shaped[np.ndarray, "n ..."],
    attributes: pd.DataFrame,
    balanced_z: Shaped[np.ndarray, "m ..."],
    balanced_attributes: pd.DataFrame,
    *,
    n_resamples: int = 200,
    seed: int = 0,
    progress: bool = True,
) -> pd.DataFrame:
    """Cosines between attribute vectors and the truth: by difference of means, by OLS, and by how much OLS is nearer.

    The truth about an attribute is the difference of its means (or the slope on it alone) over stimuli in which no
    attribute goes with another: there both methods are right.

    Parameters
    ----------
    z, attributes
        Codes and attributes of stimuli as they are, confounds and all; see :func:`attribute_vectors`.
    balanced_z, balanced_attributes
        Codes, by the same codec, and attributes of stimuli without a confound.
    n_resamples, seed
        Of the bootstrap, over both sets of stimuli. Both methods are fitted to the same resamples, so that the interval
        of their difference is a paired one.
    progress
        Show a progress bar.

    Returns
    -------
    One row an attribute; columns ``("difference of means" | "OLS" | "OLS − means", "cosine" | "low" | "high")`` with
    95 % intervals (percentiles). Resampling adds noise, which only lowers a cosine: intervals lie a little low.

    Raises
    ------
    ValueError
        If the two sets differ in their attributes or their latent dimensions, and as :func:`attribute_vectors`.

    Source
    ------
    The question is that of Sainburg et al. 2018 (arXiv:1807.06650), §3.2.1; stimuli that know the answer are ours.
    """
    if n_resamples < 2:
        raise ValueError(f"n_resamples must be at least 2, got {n_resamples}")
    if set(attributes.columns) != set(balanced_attributes.columns):
        raise ValueError(
            f"balanced_attributes must have the columns {', '.join(map(str, attributes.columns))}, "
            f"got {', '.join(map(str, balanced_attributes.columns))}"
        )
    if z.shape[1:] != balanced_z.shape[1:]:
        raise ValueError(f"balanced_z must have {z.shape[1]} latent dimensions, got {balanced_z.shape[1]}")
    balanced_attributes = balanced_attributes.reindex(columns=attributes.columns)

    sets = [(z, attributes), (balanced_z, balanced_attributes)]
    truth = attribute_vectors(balanced_z, balanced_attributes, method="means").vectors
    whole = _cosines({method: attribute_vectors(z, attributes, method=method).vectors for method in METHODS}, truth)
    # Read and widened once, not once a resample; about their mean, which keeps digits.
    read = [(read_columns(table), codes - codes.mean(axis=0, dtype=np.float64)) for codes, table in sets]
    rng = np.random.default_rng(seed)
    resampled = []
    for _ in tqdm(range(n_resamples), desc="agreement", unit="resample", disable=not progress):
        found, true = (
            resampled_slopes(
                columns, codes, np.bincount(rng.integers(len(codes), size=len(codes)), minlength=len(codes))
            )
            for columns, codes in read
        )
        resampled.append(_cosines(found, true["means"]))
    low, high = np.quantile(resampled, [0.025, 0.975], axis=0)
    columns = pd.MultiIndex.from_product([[*METHODS.values(), GAIN], ["cosine", "low", "high"]])
    values = np.stack([whole, low, high], axis=1).reshape(-1, whole.shape[1]).T
    return pd.DataFrame(values, index=pd.Index(attributes.columns, name="attribute"), columns=columns)


def _cosines(
    found: dict[str, Float64[np.ndarray, "k d"]], truth: Float64[np.ndarray, "k d"]
) -> Float64[np.ndarray, "methods k"]:
    """Cosines with the truth by each of ``METHODS``, and by how much the second is nearer than the first."""
    by = np.stack([found[method] for method in METHODS])
    cosine = (by * truth).sum(-1) / (np.linalg.norm(by, axis=-1) * np.linalg.norm(truth, axis=-1))
    return np.vstack([cosine, cosine[1] - cosine[0]])
