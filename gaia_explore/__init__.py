"""Walk through latent spaces: GAIA, VAE and AE, their codecs, and everything that looks at them.

The walk: ``stimuli`` → ``train`` → ``run.codec`` → ``morph``, ``hull_mesh``, ``scores``, ``plots``. Names are loaded
when they are first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gaia_explore.version import __version__ as __version__

if TYPE_CHECKING:
    from gaia_explore import (
        attributes,
        batch,
        embeddings,
        explorers,
        exports,
        geometry,
        networks,
        paths,
        plots,
        scores,
        stimuli,
        study,
    )
    from gaia_explore.attributes import (
        AttributeVectors,
        attribute_vectors,
        circle,
        edit,
        entanglement,
        fit_probe,
        portrait,
    )
    from gaia_explore.explorers import (
        AttributeEditor,
        CompareExplorer,
        Exploration,
        LatentExplorer,
        MorphExplorer,
        PlaneExplorer,
        TrainingView,
        UMAPView,
        WarpExplorer,
        explore,
        link,
    )
    from gaia_explore.exports import export_continuum, load_continuum, reproduce_export
    from gaia_explore.following import Follower
    from gaia_explore.geometry import Mesh, hull_mesh, warp
    from gaia_explore.latent import Codec, interpolate, morph, tour
    from gaia_explore.models import AEConfig, GAIAConfig, VAEConfig
    from gaia_explore.paths import Continuum, Neighbourhood, continuum
    from gaia_explore.runs import Run, load, train, train_many
    from gaia_explore.stimuli import Scaler, Stimuli
    from gaia_explore.training import Augmentation, request_stop

_HOMES = {
    **dict.fromkeys(("Scaler", "Stimuli"), "stimuli"),
    **dict.fromkeys(("AEConfig", "GAIAConfig", "VAEConfig"), "models"),
    **dict.fromkeys(("Run", "load", "train", "train_many"), "runs"),
    "Follower": "following",
    **dict.fromkeys(("Augmentation", "request_stop"), "training"),
    **dict.fromkeys(("Codec", "interpolate", "morph", "tour"), "latent"),
    **dict.fromkeys(
        ("AttributeVectors", "attribute_vectors", "circle", "edit", "entanglement", "fit_probe", "portrait"),
        "attributes",
    ),
    **dict.fromkeys(("export_continuum", "load_continuum", "reproduce_export"), "exports"),
    **dict.fromkeys(
        (
            "AttributeEditor",
            "CompareExplorer",
            "Exploration",
            "LatentExplorer",
            "MorphExplorer",
            "PlaneExplorer",
            "TrainingView",
            "UMAPView",
            "WarpExplorer",
            "explore",
            "link",
        ),
        "explorers",
    ),
    **dict.fromkeys(("Mesh", "hull_mesh", "warp"), "geometry"),
    **dict.fromkeys(("Continuum", "Neighbourhood", "continuum"), "paths"),
}
_ROOMS = (
    "attributes",
    "batch",
    "embeddings",
    "explorers",
    "exports",
    "geometry",
    "networks",
    "paths",
    "plots",
    "scores",
    "stimuli",
    "study",
)

__all__ = [
    "AEConfig",
    "AttributeEditor",
    "AttributeVectors",
    "Augmentation",
    "Codec",
    "CompareExplorer",
    "Continuum",
    "Exploration",
    "Follower",
    "GAIAConfig",
    "LatentExplorer",
    "Mesh",
    "MorphExplorer",
    "Neighbourhood",
    "PlaneExplorer",
    "Run",
    "Scaler",
    "Stimuli",
    "TrainingView",
    "UMAPView",
    "VAEConfig",
    "WarpExplorer",
    "attribute_vectors",
    "attributes",
    "batch",
    "circle",
    "continuum",
    "edit",
    "embeddings",
    "entanglement",
    "explore",
    "explorers",
    "export_continuum",
    "exports",
    "fit_probe",
    "geometry",
    "hull_mesh",
    "interpolate",
    "link",
    "load",
    "load_continuum",
    "morph",
    "networks",
    "paths",
    "plots",
    "portrait",
    "reproduce_export",
    "request_stop",
    "scores",
    "stimuli",
    "study",
    "tour",
    "train",
    "train_many",
    "warp",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"gaia_explore.{name}")
    if name in _HOMES:
        return getattr(import_module(f"gaia_explore.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'gaia_explore' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
