"""Training steps per second: ours against two plain loops and pythae's, interleaved in one process.

Prints the median of each contender's block times as steps a second, and the medians of the paired ratios. Same
networks (6 × 256 both ways), minibatches of 128 planar stimuli, one or more CPU threads.
"""

import argparse
import importlib
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from gaia_explore.models import AEConfig, Config, GAIAConfig, VAEConfig
from gaia_explore.training.memory import keep_freed_memory
from gaia_explore.training.player import Player

Step = Callable[[], object]
X = torch.rand(4096, 2, generator=torch.Generator().manual_seed(0))
B = 128


def ours(config: Config) -> Step:
    """The loop of the package, without its history, checkpoints and progress bar."""
    model = config.build((2,), torch.Generator().manual_seed(0))
    rates = config.learning_rates()
    players = {name: Player(module, rates[name]) for name, module in model.players().items()}
    rng = torch.Generator().manual_seed(0)

    def step():
        played = model.play(X[torch.randint(len(X), (B,), generator=rng)], rng)
        torch.stack([objective.loss for objective in played.objectives.values()]).sum().backward()
        for name, player in players.items():
            player.collect()
            player.step(played.objectives[name].pace.detach(), 1.0)

    return step


def network(n_in: int, n_out: int) -> nn.Sequential:
    widths = (n_in, 256, 256, 256, n_out)
    layers: list[nn.Module] = []
    for i in range(4):
        layers += [nn.Linear(widths[i], widths[i + 1]), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])


def published_losses(real: Tensor, reconstruction: Tensor, interpolation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """L_D, L_G without its structure loss, and L_x − L_f, which sets the pace."""
    fake = (reconstruction + interpolation) / 2
    w_d = torch.sigmoid(20 * (0.5 * interpolation - real)).clamp(0, 0.9)
    w_g = torch.sigmoid(20 * (interpolation - reconstruction))
    return real - w_d * fake, w_g * interpolation + (1 - w_g) * reconstruction, real - fake


def log_distances(z: Tensor) -> Tensor:
    squares = (z[:, None] - z[None]).square().mean(-1)
    return torch.log1p(squares / squares.mean())


class PlainGAIA:
    """GAIA as published, written plainly: a pass a network and kind of stimulus, PyTorch's default Adam."""

    def __init__(self, device: str = "cpu"):
        self.x = X.to(device)
        networks = [network(2, 2).to(device) for _ in range(4)]
        self.encoder, self.decoder, self.judge_encoder, self.judge_decoder = networks
        self.generator = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.discriminator = [*self.judge_encoder.parameters(), *self.judge_decoder.parameters()]
        self.adam_g = torch.optim.Adam(self.generator, lr=1e-3)
        self.adam_d = torch.optim.Adam(self.discriminator, lr=1e-3)

    def generate(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        x = self.x[torch.randint(len(X), (B,), device=self.x.device)]
        z = self.encoder(x)
        half = B // 2
        z_a, z_b = torch.cat([z[:half], z[:half].flip(0)]), torch.cat([z[half:], z[half:]])
        beta = 0.5 + 0.25 * torch.randn(B, 1, device=x.device)
        return x, z, self.decoder(z), self.decoder(beta * z_a + (1 - beta) * z_b)

    def judge(self, x: Tensor, target: Tensor) -> Tensor:
        return functional.l1_loss(self.judge_decoder(self.judge_encoder(x)), target)

    def move(self, adam: torch.optim.Adam, pace: float):
        adam.param_groups[0]["lr"] = 1e-3 * pace
        adam.step()

    def two_passes(self):
        """As introductions to GANs write it: D steps on detached fakes, then G steps against D."""
        x, z, x_hat, x_i = self.generate()
        still, still_i = x_hat.detach(), x_i.detach()
        loss_d, _, difference = published_losses(self.judge(x, x), self.judge(still, x), self.judge(still_i, still_i))
        pace = torch.sigmoid(20 * difference).item()
        self.adam_d.zero_grad()
        loss_d.backward()
        self.move(self.adam_d, pace)
        _, loss_g, _ = published_losses(x.new_zeros(()), self.judge(x_hat, x), self.judge(x_i, x_i))
        structure = (log_distances(x) - log_distances(z)).square().mean()
        self.adam_g.zero_grad()
        (loss_g + structure).backward()
        self.move(self.adam_g, 1 - pace)

    def two_gradients(self):
        """Written with care: every network passes once, and each player asks for the gradients of its own weights."""
        x, z, x_hat, x_i = self.generate()
        loss_d, loss_g, difference = published_losses(self.judge(x, x), self.judge(x_hat, x), self.judge(x_i, x_i))
        structure = (log_distances(x) - log_distances(z)).square().mean()
        discriminator = torch.autograd.grad(loss_d, self.discriminator, retain_graph=True)
        generator = torch.autograd.grad(loss_g + structure, self.generator)
        parameters = [*self.discriminator, *self.generator]
        for parameter, gradient in zip(parameters, [*discriminator, *generator], strict=True):
            parameter.grad = gradient
        pace = torch.sigmoid(20 * difference).item()
        self.move(self.adam_d, pace)
        self.move(self.adam_g, 1 - pace)


def pythaes_ae(device: str = "cpu") -> Step:
    """pythae's AE with our networks' shapes, as its BaseTrainer steps it (forward, zero, backward, Adam)."""
    models = importlib.import_module("pythae.models")
    networks = importlib.import_module("pythae.models.nn")
    outputs = importlib.import_module("pythae.models.base.base_utils")

    class Encoder(networks.BaseEncoder):
        def __init__(self):
            super().__init__()
            self.layers = network(2, 2)

        def forward(self, x: Tensor) -> object:
            return outputs.ModelOutput(embedding=self.layers(x.reshape(len(x), -1)))

    class Decoder(networks.BaseDecoder):
        def __init__(self):
            super().__init__()
            self.layers = network(2, 2)

        def forward(self, z: Tensor) -> object:
            return outputs.ModelOutput(reconstruction=self.layers(z))

    config = models.AEConfig(input_dim=(2,), latent_dim=2)
    model = models.AE(model_config=config, encoder=Encoder(), decoder=Decoder()).to(device)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)
    dataset = importlib.import_module("pythae.data.datasets").BaseDataset(X, torch.ones(len(X)))
    loader = torch.utils.data.DataLoader(dataset, batch_size=B, shuffle=True)

    def batches():
        while True:
            yield from loader

    batch = batches()

    def step():
        # Its loader is on the CPU, and each minibatch goes to the device, as in its BaseTrainer.
        inputs = {name: value.to(device) for name, value in next(batch).items()}
        loss = model(inputs, epoch=1, dataset_size=len(X)).loss
        adam.zero_grad()
        loss.backward()
        adam.step()
        loss.item()

    return step


def measure(contenders: dict[str, Step], blocks: int, steps: int) -> dict[str, np.ndarray]:
    """Seconds a step of every contender in every block, contender after contender within a block."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for block in range(blocks + 1):
        for name, step in contenders.items():
            began = time.perf_counter()
            for _ in range(steps):
                step()
            if block:  # the first warms up
                times[name].append((time.perf_counter() - began) / steps)
    return {name: np.array(values) for name, values in times.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--blocks", type=int, default=15)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    keep_freed_memory()  # as the package's trainings do; the others in this process profit as well
    contenders = {
        "AE": ours(AEConfig()),
        "VAE": ours(VAEConfig()),
        "GAIA (default)": ours(GAIAConfig()),
        "GAIA (published)": ours(GAIAConfig.published()),
        "GAIA in two passes": PlainGAIA().two_passes,
        "GAIA by two gradients": PlainGAIA().two_gradients,
    }
    try:
        contenders["pythae's AE"] = pythaes_ae()
    except ModuleNotFoundError:
        print("pythae is not installed: `make benchmark` installs it")
    times = measure(contenders, arguments.blocks, arguments.steps)
    for name, values in times.items():
        print(f"{name:24} {1 / np.median(values):8.1f} steps/s")
    pairs = [("GAIA (published)", "GAIA in two passes"), ("GAIA (published)", "GAIA by two gradients")]
    for fast, slow in [*pairs, ("GAIA (default)", "GAIA in two passes"), ("AE", "pythae's AE")]:
        if slow in times:
            ratio = times[slow] / times[fast]
            low, middle, high = np.quantile(ratio, [0.25, 0.5, 0.75])
            print(f"{fast} against {slow}: {middle:.2f} × (quartiles {low:.2f}–{high:.2f})")
    a, b = torch.randn(384, 256), torch.randn(256, 256)
    product = measure({"product": lambda: a @ b}, 10, 50)["product"].min()
    # A hidden layer of a half-network, forward: 128 × 256 × 256 multiplications; two of them a half-network.
    unit = product / 3 * 2
    floor = 27 * unit
    print(f"floor of published GAIA (27 half-network passes of matrix products): {1 / floor:.1f} steps/s", end=", ")
    print(f"reached {floor / np.median(times['GAIA (published)']):.0%}")


if __name__ == "__main__":
    main()
