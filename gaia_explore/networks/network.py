"""What every network is to the models: a builder of autoencoders."""

from abc import abstractmethod
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, final

from jaxtyping import Float
from torch import Tensor, nn

from gaia_explore.networks.initialising import InitialWeights

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Network:
    """The sizes of a network (abstract)."""

    kind: ClassVar[str]
    discriminator_has_code: ClassVar[bool] = True
    """Whether the discriminator has a latent code of ``latent_dim`` numbers."""
    stackable: ClassVar[bool] = False
    """Whether its layers take a leading member axis, so that many of them can be trained as one."""
    compilable: ClassVar[bool] = True
    """Whether ``torch.compile`` finds anything to join in it."""

    @abstractmethod
    def autoencoder(
        self, shape: Shape, latent_dim: int, initial: InitialWeights, *, code_parameters: int = 1, bounded: bool = False
    ) -> "Autoencoder":
        """An encoder and a decoder, with initial weights.

        Parameters
        ----------
        shape
            Of one stimulus; pictures are (h, w, c).
        latent_dim
            Number of latent dimensions.
        initial
            Where the initial weights come from, and how they are drawn.
        code_parameters
            How many numbers the encoder gives for each latent dimension: 1, or 2 for all means and then all log
            variances.
        bounded
            Whether pictures leave the decoder through a sigmoid. Flat stimuli never do.

        Raises
        ------
        ValueError
            Where stimuli of that shape do not fit the network.
        """

    def discriminator(self, shape: Shape, latent_dim: int, initial: InitialWeights) -> "Reproducing":
        """What maps stimuli to their reproductions: an autoencoder, unless a network says otherwise."""
        return self.autoencoder(shape, latent_dim, initial, bounded=True)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; :func:`network_from_dict` is the inverse."""
        return {"kind": self.kind, **asdict(self)}


class Reproducing(nn.Module):
    """Maps stimuli (b, p) to their reproductions (b, p) by way of a code (abstract)."""

    @abstractmethod
    def encode(self, x: Float[Tensor, "*g b p"]) -> Float[Tensor, "*g b k"]:
        """The code between stimuli and reproductions, flattened."""


@final
class Autoencoder(Reproducing):
    """An encoder (b, p) → (b, d) and a decoder (b, d) → (b, p)."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module):
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder

    def encode(self, x: Float[Tensor, "*g b p"]) -> Float[Tensor, "*g b k"]:
        return self.encoder(x)

    def forward(self, x: Float[Tensor, "*g b p"]) -> Float[Tensor, "*g b p"]:
        return self.decoder(self.encoder(x))


@final
class Layers(nn.Sequential):
    """Layers one after another.

    With a forward of its own: ``compile()`` of what has PyTorch's compiles nothing, and does not say so (torch 2.13).
    """

    def forward(self, input: Tensor) -> Tensor:
        for layer in self:
            input = layer(input)
        return input


def check_picture(kind: str, shape: Shape, multiple: int):
    """Raise unless stimuli of that shape are pictures whose sides are multiples of a number of pixels."""
    if len(shape) != 3:
        raise ValueError(f"a {kind} network needs pictures, shape (h, w, c), got {shape}")
    if shape[0] % multiple or shape[1] % multiple:
        raise ValueError(f"a {kind} network needs sides that are multiples of {multiple} pixels, got {shape[:2]}")
