"""Sweeps whose trainings are done at once: found by rehearsing the notebooks, and the same as alone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from gaia_explore import batch, stimuli
from gaia_explore.batch import together
from gaia_explore.batch.folders import Place
from gaia_explore.batch.rehearsing import Asked, groups_of, sharing, trained
from gaia_explore.batch.running import Task
from gaia_explore.batch.together import shares_of
from gaia_explore.models import AEConfig, VAEConfig
from gaia_explore.networks import Convolutional, FullyConnected
from gaia_explore.runs import FILE, load, train, train_many
from gaia_explore.runs.training import rehearsed

PATIENCE = 240
SMALL: dict[str, Any] = {"network": FullyConnected(hidden_units=4, hidden_layers=1)}

TRAINS = (
    """\
way: str = "own"  # how it trains: own, faster, elsewhere or not
learning_rate: float = 0.001  # Adam's
steps: int = 100  # minibatches
out_dir: str = "x"  # the run's folder""",
    """\
%precision 4
import json
from pathlib import Path

import gaia_explore as ge

display(way)
run = Path(out_dir, "run.safetensors")
with Path(out_dir, "begins.txt").open("a") as file:
    file.write(f"{ge.load(out_dir).description['step'] if run.exists() else 0}\\n")
if way == "not":
    raise ValueError("this one does not train")
learning_rate = 0.01 if way == "faster" else learning_rate
stimuli = ge.stimuli.moons(n=64, seed=0)""",
    """\
run = ge.train(
    ge.AEConfig(network=ge.networks.FullyConnected(hidden_units=4, hidden_layers=1), learning_rate=learning_rate),
    stimuli,
    held_out=stimuli.subset(range(16)),
    steps=steps,
    device="cpu",
    checkpoint_every=50,
    progress=False,
    resume=f"{out_dir}/elsewhere" if way == "elsewhere" else out_dir,
)""",
    "Path(out_dir, 'scores.json').write_text(json.dumps({'error': float(run.history['pixel_error'].iloc[-1])}))",
)


@pytest.fixture(scope="module")
def trains(tmp_path_factory: pytest.TempPathFactory, write: Callable[..., Path]) -> Path:
    """A notebook that trains, or not, with what only IPython knows before it."""
    return write(tmp_path_factory.mktemp("notebook") / "trains.ipynb", *TRAINS)


def begins(folder: Path) -> list[int]:
    """At which step a run's training was, each time that its notebook came to it."""
    return [*map(int, (folder / "begins.txt").read_text().split())]


def below(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def step_of(folder: Path) -> int:
    """Of a training's last checkpoint."""
    return load(folder).description["step"] if (folder / FILE).exists() else 0


def until(happened: Callable[[], object]):
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")
def test_what_fits_is_trained_at_once_and_goes_on_when_it_was_interrupted_and_killed(trains: Path, tmp_path: Path):
    out, steps = tmp_path / "out", 3000
    command = [sys.executable, "-m", "gaia_explore", "sweep", str(trains), "-g", "way=own,faster"]
    command += ["-p", f"steps={steps}", "--together", "--out", str(out)]
    folders = [out / "unfinished" / f"way={way}" for way in ("own", "faster")]
    # Tests that were started in the background of a shell ignore Ctrl-C, and so would what they start.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    reached = 0
    for end in (signal.SIGINT, signal.SIGKILL):
        sweep = subprocess.Popen(command, stderr=subprocess.PIPE, preexec_fn=heard)
        until(lambda least=reached: min(map(step_of, folders)) > least)
        (training,) = psutil.Process(sweep.pid).children(recursive=True)
        sweep.send_signal(end)
        _, told = sweep.communicate(timeout=PATIENCE)
        assert psutil.wait_procs([training], PATIENCE)[1] == []
        if end == signal.SIGINT:
            words = b"gaia-explore: interrupted: 0 of 2 runs are finished; the same sweep again goes on"
            assert sweep.returncode == 130 and told.splitlines()[-1] == words
        reached = min(map(step_of, folders))
        assert max(map(step_of, folders)) < steps
    grid = {"way": ["own", "faster", "elsewhere", "not"]}
    swept = batch.sweep(trains, grid, parameters={"steps": steps}, out=out, together=True, progress=False)
    assert swept.table["status"].tolist() == ["finished"] * 3 + ["failed"]
    assert swept.failed["message"].tolist() == ["ValueError: this one does not train"]
    # Rehearsals came to it before the kernel did, which found it finished.
    for way in ("own", "faster"):
        first, second, third, last = begins(out / f"way={way}")
        assert first == 0 < second < third < last == steps
    assert begins(out / "way=elsewhere") == [0, 0]
    # The one that its kernel trained alone is the very same training.
    table = batch.collect(out)
    errors = dict(zip(table["way"], table["error"], strict=True))
    assert errors["own"] == pytest.approx(errors["elsewhere"], rel=1e-3) != errors["faster"]
    # Nothing of what was silenced, or of the rehearsal's own records, is left.
    assert not {path.name for path in (out / "way=own").iterdir()} & {"attempt.json", "kernel.log", "stop"}


@pytest.fixture
def asked(tmp_path: Path) -> Callable[..., Asked]:
    """Finds what a notebook would have asked for."""

    def asked(name: str = "a=1", function: Any = train, **changes: Any) -> Asked:
        place = Place(out=tmp_path, name=name)
        options = {"config": AEConfig(**SMALL), "stimuli": stimuli.moons(n=64, seed=0), "resume": place.unfinished}
        calls: list[Mapping[str, Any]] = []

        def ask(call: Mapping[str, Any]):
            calls.append(call)
            raise InterruptedError

        token = rehearsed.set(ask)
        try:
            function(**({**options, "device": "cpu"} if function is train else {}) | changes)
        except InterruptedError:
            return Asked(place=place, cell=2, call=calls[0])
        finally:
            rehearsed.reset(token)
        raise AssertionError("nobody was told")

    return asked


def test_a_training_fits_that_is_the_runs_own_and_gains_from_company(asked: Any, tmp_path: Path):
    assert asked().fits() and asked(steps=7, held_out=stimuli.moons(n=8, seed=0), progress=False).fits()
    for changes in (
        {"resume": None},
        {"resume": tmp_path},
        {"out": tmp_path / "out"},
        {"watch": print},
        {"stream": True},
        {"config": AEConfig(network=Convolutional(filters=(2, 2), hidden_units=4))},
    ):
        assert not asked(**changes).fits(), changes
    one = asked()
    for wrong in ({"config": "AE"}, {"stimuli": None}, {"held_out": "x"}, {"resume": 7}):
        assert not Asked(place=one.place, cell=1, call={**one.call, **wrong}).fits(), wrong
    many = {"configs": AEConfig(**SMALL), "stimuli": stimuli.moons(n=64, seed=0), "resume": tmp_path}
    assert not asked(function=train_many, **many).fits()


def test_those_are_trained_at_once_that_differ_in_seeds_stimuli_and_numbers(asked: Any):
    other = stimuli.moons(n=65, seed=1)
    group = [asked(), asked(seed=3), asked(stimuli=other), asked(config=AEConfig(**SMALL, learning_rate=0.1))]
    apart = [
        asked(steps=7),
        asked(config=VAEConfig(**SMALL)),
        asked(stimuli=stimuli.Stimuli.from_array(np.random.default_rng(0).random((64, 3)))),
        asked(held_out=other),
        asked(precision="bf16"),
        asked(checkpoint_every=50),
    ]
    assert groups_of([*group, *apart]) == [group, *([one] for one in apart)]


def test_equal_stimuli_are_kept_once(asked: Any):
    same: dict[Any, Any] = {}
    first, second = (sharing(asked(seed=seed, held_out=stimuli.moons(n=8, seed=0)), same) for seed in (0, 1))
    assert first.call["stimuli"] is second.call["stimuli"] is not first.call["held_out"]
    assert first.call["held_out"] is second.call["held_out"] and len(same) == 2
    assert (second.call["seed"], second.place, second.cell) == (1, first.place, 2)
    assert sharing(asked(), same).call["held_out"] is None


def test_trainings_that_fail_are_left_to_be_done_alone(asked: Any, capsys: pytest.CaptureFixture[str]):
    members = [asked(f"a={i}", steps=2, progress=False) for i in (1, 2)]
    damaged = members[1].place.unfinished / FILE
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"no run")
    for member in members:
        member.place.note({"status": "running", "cell": 2})
    assert not trained(members)
    assert f"ValueError: {damaged} is not a safetensors file, or is damaged" in capsys.readouterr().err
    assert members[0].place.attempt() == {"status": "waiting", "cell": 2}
    damaged.unlink()
    assert trained(members)
    for member in members:
        assert load(member.place.unfinished).description["step"] == 2


def named(tmp_path: Path, *parameters: Mapping[str, Any]) -> list[tuple[Task, int]]:
    nothing: dict[str, Any] = {"complete": {}, "content": "", "hash": "", "about": {}, "sweep": ""}
    where = {"out": tmp_path, "notebook": tmp_path / "n.ipynb"}
    return [(Task(name=str(i), parameters=own, **where, **nothing), i) for i, own in enumerate(parameters)]


def test_processes_share_the_runs_so_that_seeds_of_one_kind_stay_together(tmp_path: Path):
    runs = named(tmp_path, *({"model": model, "seed": seed} for seed in range(8) for model in ("ae", "gaia")))
    kinds = [[run.parameters["model"] for run, _ in share] for share in shares_of(runs, 2)]
    assert kinds == [["ae"] * 4 + ["gaia"] * 4] * 2
    assert [sorted(lock for _, lock in share) for share in shares_of(runs, 1)] == [[*range(16)]]
    assert [[lock for _, lock in share] for share in shares_of(runs[:4], 2)] == [[0, 2], [1, 3]]
    assert [len(share) for share in shares_of(runs[:5], 2)] == [3, 2]
    assert shares_of(runs[:1], 0) == []


GRID: dict[str, Any] = {"a": [1, 2, 3]}


def test_where_training_at_once_fails_it_is_said_and_all_are_done_alone(
    notebook: Path, kernel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(together, "PROGRAM", "raise SystemExit('out of memory')")
    with pytest.warns(UserWarning, match="not all that fits was trained together, and is trained alone: out of memory"):
        swept = batch.sweep(notebook, GRID, out=tmp_path / "out", together=True, progress=False)
    assert swept.table["status"].tolist() == ["finished"] * 3
    monkeypatch.setattr(together, "PROGRAM", "import os; os._exit(7)")
    with pytest.warns(UserWarning, match="trained alone: its process ended with 7"):
        batch.sweep(notebook, {"a": [4, 5]}, out=tmp_path / "out", together=True, progress=False)


def test_runs_that_are_done_or_under_way_elsewhere_are_left_alone(
    notebook: Path, kernel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    begun: list[list[str]] = []
    monkeypatch.setattr(together, "_train", lambda runs, jobs: begun.append([task.name for task, _ in runs]))
    monkeypatch.setattr(together, "MOST", 2)
    out = tmp_path / "out"
    sweep = partial(batch.sweep, notebook, out=out, together=True, progress=False)
    sweep({"a": [1, 2, 3]})
    assert begun == [["a=1", "a=2"], ["a=3"]] and len(kernel.calls) == 3
    # Complete, but a kill came before the rename.
    (out / "unfinished").mkdir()
    (out / "a=3").rename(out / "unfinished" / "a=3")

    def held(runs: Any, jobs: int):
        """Who would train has the locks."""
        begun.append([task.name for task, _ in runs])
        with Place(out=out, name="a=4").locked(ended=lambda: True) as lock:
            assert lock is None

    begun.clear()
    monkeypatch.setattr(together, "_train", held)
    swept = sweep({"a": [2, 3, 4]})
    assert begun == [["a=4"]] and swept.table["status"].tolist() == ["done", "done", "finished"]


def test_together_is_for_this_machine(notebook: Path, tmp_path: Path):
    with pytest.raises(ValueError, match="together must be False with a scheduler, got True and tcp://there:8786"):
        batch.sweep(notebook, GRID, out=tmp_path, together=True, scheduler="tcp://there:8786")


def test_a_run_whose_kernel_outlives_its_sweep_is_left_to_it(task: Callable[[str], Task], monkeypatch: Any):
    begun: list[list[str]] = []
    monkeypatch.setattr(together, "_train", lambda runs, jobs: begun.append([one.name for one, _ in runs]))
    with task("a=1").place.locked():
        together.train_together([task("a=1")], 1)
    assert begun == [[]] and task("a=1").place.attempt() is None
