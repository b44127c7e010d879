"""Ways through the latent space from anchor to anchor, and continua of stimuli along them in equal steps."""

from gaia_explore.paths.continua import KINDS, SPACINGS, Continuum, continuum, curve
from gaia_explore.paths.neighbourhoods import Neighbourhood

__all__ = ["KINDS", "SPACINGS", "Continuum", "Neighbourhood", "continuum", "curve"]
