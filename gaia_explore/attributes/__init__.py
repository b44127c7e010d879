"""Named attributes in the latent space: their vectors, edits along them, and how far an edit drags others along."""

from gaia_explore.attributes.agreement import agreement
from gaia_explore.attributes.edits import circle, edit, portrait
from gaia_explore.attributes.entangled import Entanglement, entanglement
from gaia_explore.attributes.probe import Probe, fit_probe
from gaia_explore.attributes.regression import HIGH_VIF, InseparableWarning, attribute_vectors
from gaia_explore.attributes.vectors import AttributeVectors

__all__ = [
    "HIGH_VIF",
    "AttributeVectors",
    "Entanglement",
    "InseparableWarning",
    "Probe",
    "agreement",
    "attribute_vectors",
    "circle",
    "edit",
    "entanglement",
    "fit_probe",
    "portrait",
]
