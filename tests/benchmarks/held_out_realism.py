"""What an AE and a GAIA of one network decode from held-out pictures, judged by what neither has seen.

Prints pixel errors, their ratio, and the scores of `ge.scores.pictures` for reconstructions and interpolations.
`realism_ratio` is by the GAIA's discriminator for both models, and the one score whose judge is no stranger.
`--set fashion_mnist` reads Debian's package dataset-fashion-mnist, or the folder named by GAIA_EXPLORE_DATA.
"""

import argparse

import pandas as pd

from gaia_explore import AEConfig, Codec, GAIAConfig, Stimuli, networks, scores, stimuli, train


def parts(name: str, size: int) -> tuple[Stimuli, Stimuli]:
    """Training and held-out pictures."""
    if name == "faces":
        return stimuli.faces(size=size).split(0.9, seed=0, stratify="none")
    return stimuli.fashion_mnist("train").stimuli(size=size), stimuli.fashion_mnist("test").stimuli(size=size)


def codecs(arguments: argparse.Namespace, shown: Stimuli, held_out: Stimuli) -> dict[str, Codec]:
    shared = {
        "latent_dim": arguments.latent_dim,
        "network": networks.Convolutional(
            filters=(24, 48, 96)[: 3 if arguments.size % 8 == 0 else 2], hidden_units=192
        ),
        "initialisation": "glorot",
        "learning_rate": 2e-3,
    }
    weight = arguments.adversarial_weight
    game = {"margin": 0.07, "discriminator_latent": 3 * arguments.latent_dim, "discriminator_learning_rate": 5e-4}
    configs = {"AE": AEConfig(**shared), "GAIA": GAIAConfig(**shared, **game, adversarial_weight=weight)}
    runs = {
        name: train(
            config,
            shown,
            held_out=held_out,
            steps=arguments.steps,
            batch_size=64,
            seed=arguments.seed,
            threads=arguments.threads,
            resume=f"{arguments.out}/{name}" if arguments.out else None,
        )
        for name, config in configs.items()
    }
    for name, run in runs.items():
        print(f"{name}: {run.health}")
    return {name: run.codec for name, run in runs.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--set", choices=("faces", "fashion_mnist"), default="faces")
    parser.add_argument("--size", type=int, default=32, help="a multiple of 4; 28 leaves Fashion-MNIST as it is")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--latent-dim", type=int, default=64)
    parser.add_argument("--adversarial-weight", type=float, default=0.25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", help="folder to keep the runs in, and to take them from where they are finished")
    arguments = parser.parse_args()
    shown, held_out = parts(arguments.set, arguments.size)
    found = codecs(arguments, shown, held_out)
    errors = {
        name: scores.pixel_error(held_out.x, codec.decode(codec.encode(held_out.x))) for name, codec in found.items()
    }
    line = ", ".join(f"{name} {error:.4f}" for name, error in errors.items())
    print(f"held-out pixel error: {line}; GAIA / AE {errors['GAIA'] / errors['AE']:.2f}")
    tables = {name: scores.pictures(codec, shown, held_out, judge=found["GAIA"]) for name, codec in found.items()}
    table = pd.concat(tables, names=["model"]).reset_index("model")
    numbers = table[["value", "low", "high"]].to_numpy()
    cell = [f"{value:.3f} ({low:.3f} to {high:.3f})" for value, low, high in numbers]
    wide = table.assign(cell=cell).pivot(index=["score", "shown"], columns="model", values="cell")
    print(wide.to_string())


if __name__ == "__main__":
    main()
