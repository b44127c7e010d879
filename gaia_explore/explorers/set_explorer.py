"""What explorers of one set of stimuli share."""

from typing import Generic

import numpy as np
from jaxtyping import Float64, UInt8

from gaia_explore.explorers.explorer import Explorer
from gaia_explore.explorers.parts import Content
from gaia_explore.explorers.pictures import thumbnails
from gaia_explore.explorers.sets import CodedStimuli
from gaia_explore.explorers.states import S
from gaia_explore.stimuli import Stimuli


class SetExplorer(Explorer[S], Generic[S]):
    """An explorer of one set of stimuli through one codec (abstract)."""

    _set: CodedStimuli

    @property
    def stimuli(self) -> Stimuli:
        """The stimuli that are shown, edited, or that anchors are taken from."""
        return self._set.stimuli

    @property
    def z(self) -> Float64[np.ndarray, "n d"]:
        """Their codes."""
        return self._set.z

    def _fingerprints(self) -> dict[str, str]:
        return self._set.fingerprints

    def _thumbnails(self, sheet: int) -> Content:
        return Content(arrays={"rgba": thumbnails(self._set.portraits, self.stimuli, sheet)})

    def _all_thumbnails(self) -> UInt8[np.ndarray, "n h w 4"] | None:
        return self._set.some_thumbnails()
