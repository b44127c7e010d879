"""The command line: ``gaia-explore demo | study | run``."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from gaia_explore import batch, study
from gaia_explore.training import write_atomically

DEMO_STEPS = 3000


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; bad input is told in one line, with exit status 2."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.command(arguments)
    except (ValueError, TypeError, FileNotFoundError, FileExistsError) as error:
        print(f"gaia-explore: {error}", file=sys.stderr)
        return 2
    return 0


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
    scores = study.execute(cells, arguments.out, jobs=arguments.jobs)
    write_atomically(arguments.out / "scores.csv", scores.to_csv(index=False).encode())
    with pd.option_context("display.width", 200, "display.max_columns", None, "display.precision", 3):
        print(scores.drop(columns=["seed", "health", "n"]).groupby(["model", "setting", "stimuli"], sort=False).mean())


def run_notebook(arguments: argparse.Namespace):
    """One notebook with parameters."""
    parameters = dict(map(_parameter, arguments.parameter))
    if arguments.quick:
        parameters["quick"] = True
    print(batch.execute(arguments.notebook, arguments.out, parameters))


def _parameter(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (equals and name.isidentifier()):
        raise ValueError(f"-p must be name=value, got {text!r}")
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
    added.add_argument("--jobs", type=int, default=2, help="trainings at a time, one thread each (default 2)")
    added.add_argument("--sets", nargs="*", default=(), help="planar sets (default: the five of the paper)")
    added.add_argument(
        "--parts", nargs="+", default=["models"], choices=["models", "published", "frontier"], help="which settings"
    )
    added = command("run", run_notebook, "runs/notebook")
    added.add_argument("notebook", type=Path)
    added.add_argument("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE")
    return parser
