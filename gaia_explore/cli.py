"""The command line: ``gaia-explore demo | study | run | sweep | collect | train | pack``."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from gaia_explore import batch, runs, stimuli, study
from gaia_explore.models import config_from_dict
from gaia_explore.networks import check_choice
from gaia_explore.training import Augmentation, Precision, is_first, write_atomically

DEMO_STEPS = 3000


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    The exit status is 1 where some of its work failed, 2 for bad input, which is told, and 130 after Ctrl-C.
    """
    arguments = _parser().parse_args(argv)
    try:
        return arguments.command(arguments) or 0
    except (ValueError, TypeError, OSError, ModuleNotFoundError, RuntimeError) as error:
        print(f"gaia-explore: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interrupt:
        print(f"gaia-explore: interrupted{': ' * bool(interrupt.args)}{interrupt}", file=sys.stderr)
        return 130


def demo(arguments: argparse.Namespace):
    """Moons, AE beside GAIA: the notebooks along the walk, executed, and the numbers that matter."""
    out, notebooks = arguments.out.resolve(), arguments.notebooks
    quick = {"quick": arguments.quick}
    batch.execute(notebooks / "1-stimuli.ipynb", out, {"stimuli": "moons", "out_dir": str(out / "stimuli"), **quick})
    for model, alpha in (("AE", 0.0), ("GAIA", 1.0)):
        folder = out / model
        parameters = {"model": model, "alpha": alpha, "stimuli": "moons", "steps": DEMO_STEPS, "out_dir": str(folder)}
        batch.execute(notebooks / "2-train.ipynb", folder, parameters | quick)
    page = batch.execute(
        notebooks / "3-planar-study.ipynb", out, {"runs_dir": str(out), "out_dir": str(out / "figures"), **quick}
    )
    scores = study.collect(out).set_index("model")
    ae, gaia = scores.loc["AE"], scores.loc["GAIA α=1"]
    print(
        f"\nMoons, {gaia['steps']} steps, held-out stimuli\n"
        f"  interpolations on support   AE {ae['on_support']:.0%}   GAIA {gaia['on_support']:.0%}\n"
        f"  pixel error                 AE {ae['pixel_error']:.4f}   GAIA {gaia['pixel_error']:.4f}\n"
        f"  r of distances, X and Z     GAIA {gaia['r']:.3f}\n\n"
        f"Read:    {page}\nExplore: make lab"
    )


def run_study(arguments: argparse.Namespace):
    """The planar study, resumable: one run folder a training, and ``scores.csv``."""
    settings: dict[tuple[str, str], Any] = {}
    for part in arguments.parts:
        settings |= {"models": study.MODELS, "published": study.PUBLISHED, "frontier": study.FRONTIER}[part]
    cells = study.plan(settings, range(arguments.seeds), arguments.sets, quick=arguments.quick)
    scores = study.execute(cells, arguments.out, jobs=arguments.jobs, device=arguments.device)
    write_atomically(arguments.out / "scores.csv", scores.to_csv(index=False).encode())
    with pd.option_context("display.width", 200, "display.max_columns", None, "display.precision", 3):
        print(scores.drop(columns=["seed", "health", "n"]).groupby(["model", "setting", "stimuli"], sort=False).mean())


def run_notebook(arguments: argparse.Namespace):
    """One notebook with parameters."""
    parameters = dict(map(_parameter, arguments.parameter))
    if arguments.quick:
        parameters["quick"] = True
    print(batch.execute(arguments.notebook, arguments.out, parameters))


def train(arguments: argparse.Namespace):
    """One training, from a command line or torchrun: what is in the folder is continued."""
    fields = dict(_parameter(text, "-c") for text in arguments.config)
    config = config_from_dict({"model": arguments.model} | fields)
    shown = _stimuli(arguments)
    held_out = None
    if arguments.held_out > 0:
        shown, held_out = shown.split(1 - arguments.held_out, seed=arguments.seed, stratify="none")
    run = runs.train(
        config,
        shown,
        steps=study.QUICK_STEPS if arguments.quick else arguments.steps,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
        held_out=held_out,
        device=arguments.device,
        threads=arguments.threads,
        precision=arguments.precision,
        augmentation=_augmentation(arguments.augment),
        compile=arguments.compile,
        resume=arguments.out,
    )
    if is_first():
        print(f"{run}: {arguments.out}")


def _augmentation(texts: Sequence[str]) -> Augmentation | None:
    if not texts:
        return None
    fields = dict(_parameter(text, "-a") for text in texts)
    known = Augmentation().to_dict()
    for name in fields:
        check_choice("-a", name, tuple(known))
    return Augmentation(**fields)


def _stimuli(arguments: argparse.Namespace) -> Any:
    name = arguments.stimuli
    if name == "faces":
        return stimuli.faces(arguments.size)
    if Path(name).is_dir():
        return stimuli.open_pack(name)
    if name not in stimuli.PLANAR_SETS:
        planar = ", ".join(stimuli.PLANAR_SETS)
        raise ValueError(f"stimuli must be faces, the folder of a pack, or one of {planar}, got {name!r}")
    return stimuli.planar(name, n=arguments.sample, seed=arguments.seed)


def sweep(arguments: argparse.Namespace) -> int:
    """One notebook for every combination of values, resumable; here or on a cluster."""
    declared = batch.Declarations(arguments.notebook)
    grid = {name: declared[name].read_list(text) for name, text in map(_named, arguments.grid)}
    parameters = {name: declared[name].read(text) for name, text in map(_named, arguments.parameter)}
    if arguments.quick:
        parameters["quick"] = True
    swept = batch.sweep(
        arguments.notebook,
        grid,
        seeds=arguments.seeds,
        parameters=parameters,
        out=arguments.out,
        jobs=arguments.jobs,
        scheduler=arguments.scheduler,
        retries=arguments.retries,
        together=arguments.together,
        dry_run=arguments.dry_run,
    )
    if arguments.dry_run:
        print(swept.table.to_string(index=False))
        return 0
    print(swept)
    return int(len(swept.failed) > 0)


def collect(arguments: argparse.Namespace):
    """One table of the parameters and scores of a sweep's finished runs, as Parquet and CSV."""
    table = batch.collect(arguments.out)
    print(f"{len(table)} rows, {len(table.columns)} columns: {arguments.out / 'table.parquet'}, table.csv")


def pack(arguments: argparse.Namespace):
    """Decode a folder of pictures, an HDF5 or an IDX file once, into one file of bytes; resumable."""
    listing = stimuli.pictures.find(arguments.source, size=arguments.size, partial=arguments.partial)
    crop = listing.crop if arguments.crop is None else tuple(arguments.crop)
    listing = replace(listing, crop=crop, grey=listing.grey or arguments.grey)
    packed = stimuli.pack(listing, arguments.size, arguments.out, jobs=arguments.jobs)
    shape = " × ".join(map(str, packed.shape))
    print(f"{len(packed)} stimuli of {shape}, {len(packed.attributes.columns)} attributes: {arguments.out}")


def _named(text: str, option: str = "-g and -p") -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier()):
        raise ValueError(f"{option} must be name=value, got {text!r}")
    return name, value


def _parameter(text: str, option: str = "-p") -> tuple[str, Any]:
    name, value = _named(text, option)
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gaia-explore", description="Walk through latent spaces.")
    commands = parser.add_subparsers(required=True, metavar="command")

    def command(name: str, function: Any, out: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=(function.__doc__ or "").splitlines()[0])
        added.set_defaults(command=function)
        added.add_argument("--quick", action="store_true", help="a few steps on small samples: seconds, not minutes")
        added.add_argument("--out", type=Path, default=Path(out), help=f"folder for the results (default {out})")
        return added

    added = command("demo", demo, "runs/demo")
    added.add_argument("--notebooks", type=Path, default=Path("notebooks"), help="where the notebooks lie")
    added = command("study", run_study, "runs/study")
    added.add_argument("--seeds", type=int, default=3, help="samples and initial weights a cell (default 3)")
    told = "processes of one thread each; on a GPU they only score (default 2)"
    added.add_argument("--jobs", type=int, default=2, help=told)
    added.add_argument("--device", default="auto", help="auto, cpu or cuda")
    added.add_argument("--sets", nargs="*", default=(), help="planar sets (default: the five of the paper)")
    added.add_argument(
        "--parts", nargs="+", default=["models"], choices=["models", "published", "frontier"], help="which settings"
    )
    added = command("run", run_notebook, "runs/notebook")
    added.add_argument("notebook", type=Path)
    added.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE")
    added = command("train", train, "runs/train")
    added.add_argument("model", choices=["AE", "VAE", "GAIA"])
    added.add_argument("stimuli", help="a planar set, faces (the drawn ones), or the folder of a pack")
    added.add_argument(
        "-c", "--config", action="append", default=[], metavar="NAME=VALUE", help="a field of the model's config"
    )
    added.add_argument("--steps", type=int, default=study.STEPS, help=f"minibatches (default {study.STEPS})")
    added.add_argument("--batch-size", type=int, default=128, help="stimuli in one, of all processes (default 128)")
    added.add_argument("--seed", type=int, default=0, help="of the sample, weights and minibatches (default 0)")
    added.add_argument("--sample", type=int, default=4096, help="stimuli of a planar set (default 4096)")
    added.add_argument("--size", type=int, default=32, help="height and width of the drawn faces (default 32)")
    added.add_argument("--held-out", type=float, default=0.1, help="share of the stimuli (default 0.1; 0: none)")
    added.add_argument("--device", default="auto", help="auto, cpu or cuda")
    added.add_argument("--threads", type=int, default=1, help="CPU threads of each process (default 1)")
    added.add_argument(
        "-a", "--augment", action="append", default=[], metavar="NAME=VALUE", help="e.g. mirror=true, shift=0.05"
    )
    added.add_argument("--precision", default="fp32", choices=get_args(Precision))
    added.add_argument("--compile", action="store_true", help="image networks, for a GPU: torch.compile")
    added = command("sweep", sweep, "runs/sweep")
    added.add_argument("notebook", type=Path)
    added.add_argument("-g", "--grid", action="append", default=[], metavar="NAME=VALUE,VALUE", help="to combine")
    added.add_argument("--seeds", type=int, metavar="N", help="each combination with seed = 0 to N - 1")
    added.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="for all runs")
    added.add_argument("--jobs", type=int, default=2, help="notebooks at a time, one thread each (default 2)")
    added.add_argument("--scheduler", metavar="ADDRESS", help="a Dask scheduler, tcp://…, or local for one of our own")
    added.add_argument("--retries", type=int, default=0, help="how often a run that fails is tried again (default 0)")
    added.add_argument("--together", action="store_true", help="first train at once what fits together")
    added.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    added = commands.add_parser("collect", help=(collect.__doc__ or "").splitlines()[0])
    added.set_defaults(command=collect)
    added.add_argument("out", type=Path, metavar="FOLDER", help="the sweep's")
    added = commands.add_parser("pack", help=(pack.__doc__ or "").splitlines()[0])
    added.set_defaults(command=pack)
    added.add_argument("source", type=Path, metavar="FOLDER", help="the folder, or an HDF5 or IDX file")
    added.add_argument("--size", type=int, default=64, help="height and width in pixels (default 64)")
    added.add_argument("--out", type=Path, required=True, help="the folder to write")
    edges = ("TOP", "BOTTOM", "LEFT", "RIGHT")
    added.add_argument("--crop", type=int, nargs=4, metavar=edges, help="the rows and columns to keep")
    added.add_argument("--grey", action="store_true", help="one channel instead of three")
    added.add_argument("--partial", action="store_true", help="leave out what is not on disk or not in every list")
    added.add_argument("--jobs", type=int, help="threads that decode (default: one a core)")
    return parser
