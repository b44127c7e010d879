"""The planar study (Sainburg et al. 2018, §3.1): sets × models × seeds, one run folder each, one table of scores."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import joblib
import pandas as pd
from tqdm.auto import tqdm

from gaia_explore import scores, stimuli
from gaia_explore.latent import Codec
from gaia_explore.models import AEConfig, Config, GAIAConfig, VAEConfig
from gaia_explore.runs import Run, load, train_many
from gaia_explore.training import choose_device, write_atomically

STEPS = 6000
QUICK_STEPS = 30
TOGETHER = 4
"""Cells that one process trains at once on a CPU."""

MODELS: dict[tuple[str, str], Config] = {
    ("AE", "default"): AEConfig(),
    ("VAE", "default"): VAEConfig(),
    ("GAIA α=0", "default"): GAIAConfig(alpha=0.0),
    ("GAIA α=1", "default"): GAIAConfig(),
}
"""The rows of Table 1, by model and setting."""

PUBLISHED: dict[tuple[str, str], Config] = {
    ("GAIA α=0", "published"): GAIAConfig.published(alpha=0.0),
    ("GAIA α=1", "published"): GAIAConfig.published(),
}
"""GAIA by the published rule."""

FRONTIER: dict[tuple[str, str], Config] = {
    **{("VAE", f"β = 1/{n}"): VAEConfig(beta=1 / n) for n in (2048, 512, 32, 8)},
    **{("GAIA α=1", f"c = {c:g}"): GAIAConfig(adversarial_weight=c) for c in (0.05, 0.1, 0.5, 1.0)},
}
"""What trades share on support against pixel error: the VAE's β, and GAIA's adversarial weight c."""


@final
@dataclass(frozen=True, kw_only=True)
class Cell:
    """One training of the study: which model in which setting, on which set, from which seed, for how long."""

    model: str
    setting: str
    config: Config
    stimuli: str
    seed: int
    steps: int
    n: int

    @property
    def folder(self) -> str:
        """Name of its run folder."""
        words = f"{self.stimuli}-{self.model}-{self.setting}-seed{self.seed}"
        return (
            words.replace(" = ", "=").replace("/", "over").replace(" ", "-").replace("α", "alpha").replace("β", "beta")
        )


def plan(
    settings: dict[tuple[str, str], Config], seeds: Sequence[int], sets: Sequence[str] = (), *, quick: bool = False
) -> list[Cell]:
    """The cells of a study, seed by seed, so that a study that is cut short is complete for its first seeds.

    Parameters
    ----------
    settings
        Configs by model and setting, e.g. ``MODELS | FRONTIER``.
    seeds
        Each draws a new sample of every set, and new initial weights.
    sets
        Names of planar sets; none means the five of the paper.
    quick
        Small samples and a few steps: to see that everything works.
    """
    steps, n = (QUICK_STEPS, 256) if quick else (STEPS, 4096)
    return [
        Cell(model=model, setting=setting, config=config, stimuli=name, seed=seed, steps=steps, n=n)
        for seed in seeds
        for (model, setting), config in settings.items()
        for name in sets or stimuli.PLANAR_SETS
    ]


def execute(
    cells: Sequence[Cell], out: str | Path, *, jobs: int = 1, device: str = "auto", progress: bool = True
) -> pd.DataFrame:
    """Train and score every cell that ``out`` does not hold yet, and return all their scores.

    Cells that fit together are trained at once (``train_many``): on the CPU a few in each of ``jobs`` processes, which
    score them too; on a GPU (``"auto"`` takes one where there is one) all of them in this process, and then ``jobs``
    processes score them. A cell that was cut short goes on from its last checkpoint, or with its scores.
    Returns what :func:`collect` does, for these cells.

    Raises
    ------
    ValueError
        Where ``out`` holds a cell of another length or on another sample, as a quick study leaves them.
    KeyboardInterrupt
        Where somebody stopped the trainings. They can go on.
    """
    out = Path(out)
    _check_same(cells, out)
    place = choose_device(device).type
    chunks = _together(cells, place)
    if place != "cpu":
        for some in chunks:
            _train(some, out, device, progress=progress)
        # What is left is to score each run, from its folder: this process holds none of them any more.
        chunks = [[cell] for cell in cells]
    work: Any = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")(
        joblib.delayed(_train_and_score)(some, out) for some in chunks
    )
    rows: list[dict[str, Any]] = []
    with tqdm(total=len(cells), desc="planar study", unit="run", disable=not progress) as bar:
        for some in work:
            rows += some
            bar.update(len(some))
    return _tidy(rows)


def _check_same(cells: Sequence[Cell], out: Path):
    for cell in cells:
        path = out / cell.folder / "scores.json"
        row = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
        if row is None:
            continue
        steps = cell.steps if row["steps"] < cell.steps and not row["health"].startswith("healthy") else row["steps"]
        if (steps, row["n"]) != (cell.steps, cell.n):
            raise ValueError(
                f"out must hold trainings of {cell.steps} steps on {cell.n} stimuli, or none, got one of {row['steps']}"
                f" on {row['n']} in {path.parent}: a quick study and a full one need a folder each"
            )


def _together(cells: Sequence[Cell], device: str) -> list[list[Cell]]:
    """Cells that one process trains at once, in the order of the first of each."""
    if device != "cpu":
        lengths = dict.fromkeys(cell.steps for cell in cells)
        return [[cell for cell in cells if cell.steps == steps] for steps in lengths]
    kinds: dict[str, list[Cell]] = {}
    for cell in cells:
        kinds.setdefault(json.dumps([cell.config.program(), cell.steps]), []).append(cell)
    chunks = [kind[i : i + TOGETHER] for kind in kinds.values() for i in range(0, len(kind), TOGETHER)]
    return sorted(chunks, key=lambda chunk: cells.index(chunk[0]))


def collect(out: str | Path) -> pd.DataFrame:
    """The scores of every finished run below a folder, with model, setting, stimuli, seed, n, steps and health."""
    found = sorted(Path(out).glob("*/scores.json"))
    if not found:
        raise FileNotFoundError(f"out must hold runs of the study (*/scores.json), got {out}")
    return _tidy([json.loads(path.read_text()) for path in found])


def panels(
    out: str | Path, *, setting: str = "default", seed: int = 0
) -> dict[tuple[str, str], tuple[Codec, stimuli.Stimuli]]:
    """The codec and the held-out stimuli of each finished run of one setting and seed, by set and model.

    Sets and models are in the order of the study; what ``plots.warp_grid`` and ``plots.codes_grid`` draw.
    """
    found = {}
    for path in sorted(Path(out).glob("*/scores.json")):
        row = json.loads(path.read_text())
        if (row["setting"], row["seed"]) == (setting, seed):
            _, held_out = split(row["stimuli"], row["n"], seed)
            found[row["stimuli"], row["model"]] = (load(path.parent).codec, held_out)
    models = [model for model, _ in MODELS]
    return dict(sorted(found.items(), key=lambda p: (stimuli.PLANAR_SETS.index(p[0][0]), models.index(p[0][1]))))


def split(name: str, n: int, seed: int) -> tuple[stimuli.Stimuli, stimuli.Stimuli]:
    """The sample of a set that the study trains on, and the quarter that it holds out."""
    return stimuli.planar(name, n=n, seed=seed).split(0.75, seed=seed)


def record(
    run: Run, shown: stimuli.Stimuli, held_out: stimuli.Stimuli, folder: str | Path, *, model: str, setting: str
) -> dict[str, Any]:
    """Score a run and write the scores to its folder, as ``scores.json``: where :func:`collect` finds them.

    On the CPU: it has passed a few thousand points through a planar network before a GPU is opened.
    """
    seed = run.description["seed"]
    row = {"model": model, "setting": setting, "stimuli": shown.title, "seed": seed}
    row |= {"n": len(shown) + len(held_out), "steps": run.description["step"], "health": str(run.health)}
    scored = scores.planar(run.codec_on("cpu"), shown, held_out, seed=seed)
    row |= {str(name): float(score) for name, score in scored.items()}
    write_atomically(Path(folder) / "scores.json", json.dumps(row, indent=2, ensure_ascii=False).encode())
    return row


def _train_and_score(cells: Sequence[Cell], out: Path) -> list[dict[str, Any]]:
    """Train on the CPU what has not ended, and score what has no scores."""
    _train(cells, out, "cpu", progress=False)
    return [_scored(cell, out / cell.folder) for cell in cells]


def _train(cells: Sequence[Cell], out: Path, device: str, *, progress: bool):
    """Train the cells whose trainings have not ended, at once; each is left in its folder."""
    missing = [cell for cell in cells if not _ended(cell, out / cell.folder)]
    if not missing:
        return
    runs = train_many(
        [cell.config for cell in missing],
        [split(cell.stimuli, cell.n, cell.seed)[0] for cell in missing],
        [cell.seed for cell in missing],
        names=[cell.folder for cell in missing],
        steps=missing[0].steps,
        device=device,
        resume=out,
        progress=progress,
    )
    if any(run.health.status == "stopped" for run in runs):
        raise KeyboardInterrupt("the trainings were stopped; the same study again goes on")


def _ended(cell: Cell, folder: Path) -> bool:
    """Whether a cell is scored, or is trained to its end."""
    if (folder / "scores.json").is_file():
        return True
    # It is written when a training ends, for whatever reason.
    told = folder / "run.json"
    if not told.is_file():
        return False
    description = json.loads(told.read_text(encoding="utf-8"))
    return description["step"] >= cell.steps or description["health"]["status"] == "died"


def _scored(cell: Cell, folder: Path) -> dict[str, Any]:
    path = folder / "scores.json"
    if not path.is_file():
        run = load(folder)
        shown, held_out = split(cell.stimuli, cell.n, cell.seed)
        record(run, shown, held_out, folder, model=cell.model, setting=cell.setting)
        # Last: what is scored needs no optimisers, but a run without them could not go on.
        run.save(folder, resumable=False)
    return json.loads(path.read_text(encoding="utf-8"))


def _tidy(rows: Sequence[Any]) -> pd.DataFrame:
    table = pd.DataFrame(rows)
    settings = list(MODELS | PUBLISHED | FRONTIER)
    order = pd.DataFrame(settings, columns=["model", "setting"]).reset_index(names="order")
    sets = {name: i for i, name in enumerate(stimuli.PLANAR_SETS)}
    table = table.merge(order, how="left").assign(set_order=[sets.get(name) for name in table["stimuli"]])
    return table.sort_values(["order", "set_order", "seed"]).drop(columns=["order", "set_order"]).reset_index(drop=True)
