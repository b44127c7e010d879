"""Many members trained as one batched program, or one alone: a forward and a backward pass a step for all."""

import math
import time
from collections.abc import Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, final

import torch
from torch import Tensor

from gaia_explore.models import Share, over_all, stack
from gaia_explore.training.capturing import Captured, Lead
from gaia_explore.training.compiling import compile_networks
from gaia_explore.training.feeding import Resident, Together, resident, scaled
from gaia_explore.training.health import Health
from gaia_explore.training.member import MOST_STEPS, Member, Result
from gaia_explore.training.player import Player
from gaia_explore.training.stop import StopRequest
from gaia_explore.training.streaming import Streamed


@final
class Program:
    """Members that take their steps together; use as a context.

    One member alone has no member axis; several are stacked, and each has its own stimuli, generator, paces, balances
    and learning rates. Nothing of one member enters another, so that one that is lost disturbs nobody.

    Parameters
    ----------
    members
        At the same step of the same course, with models of one ``program()`` and stimuli of one shape and type.
    """

    def __init__(self, members: Sequence[Member]):
        self.members = list(members)
        self.step = members[0].step
        self._course = members[0].course
        self._device = members[0].device
        self._lead = Lead(self._device)
        self._held_out: dict[int, Tensor] = {}
        self._begin({})

    def __enter__(self) -> "Program":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._end()

    def _end(self):
        self._feed.__exit__(None, None, None)
        # It refers to the program, and may hold gigabytes: without this they would wait for the garbage collector.
        del self._take

    def _begin(self, players: dict[Member, dict[str, dict[str, Tensor]]]):
        """Stack the members, with their players as they were, as their checkpoints have them, or new."""
        configs = [member.task.config for member in self.members]
        self._alone = len(configs) == 1
        models = [member.model for member in self.members]
        self._model = models[0] if self._alone else stack(models)
        self._rng: Any = self.members[0].chance if self._alone else [member.rng for member in self.members]
        chance = self.members[0].chance
        self._share = chance if self._alone and isinstance(chance, Share) else None
        rates = [config.learning_rates() for config in configs]
        self._players: dict[str, Player] = {}
        for name, module in self._model.players().items():
            rate = torch.tensor([own[name] for own in rates], dtype=torch.float64)
            self._players[name] = Player(
                module, rate[0] if self._alone else rate, self._model.averaging if configs[0].averaging else None
            )
        if self._course.compile:
            compile_networks(self._model.players().values(), self._device)
        self._feed = self._feed_of_members()
        self._factors = self._schedule().to(self._device)
        self._now, self._row = (torch.zeros(1, dtype=torch.int64, device=self._device) for _ in range(2))
        self._terms: list[str] = []
        self._take = self._captured()
        for i, member in enumerate(self.members):
            for name, player in self._players.items():
                if member in players:
                    player.restore(players[member][name], self._at(i))
                elif member.saved is not None:
                    parts = player.state(self._at(i))
                    player.restore({part: member.saved[f"{name}/{part}"] for part in parts}, self._at(i))
            member.saved = None
            if not self._alone:
                # A member's own model sees its row of the stack.
                for own, stacked in zip(member.model.parameters(), self._model.parameters(), strict=True):
                    own.data = stacked.data[i]

    def _schedule(self) -> Tensor:
        """The factor of the learning rates at each step."""
        steps = self._course.steps
        if self._model.config.schedule == "constant":
            return torch.ones(steps, dtype=torch.float64)
        return torch.tensor([0.5 * (1 + math.cos(math.pi * i / steps)) for i in range(steps)], dtype=torch.float64)

    def _captured(self) -> Captured:
        why_not = "" if self._share is None else "several processes take it together"
        generators = [member.rng for member in self.members]
        return Captured(self._one_step, self._device, generators, forget=self._forget, why_not=why_not)

    def _forget(self):
        for player in self._players.values():
            player.forget()

    def _at(self, member: int) -> int | None:
        return None if self._alone else member

    def _feed_of_members(self) -> Resident | Streamed | Together:
        first, size = self.members[0], self._course.batch_size
        if self._alone:
            data: dict[str, Any] = {"x": first.task.x, "rows": first.rows, "batch_size": size, "device": self._device}
            return Streamed(**data, seed=first.task.seed, share=self._share) if first.streamed else Resident(**data)
        return Together([(m.task.x, m.task.rows) for m in self.members], batch_size=size, device=self._device)

    def advance(self, until: int, stop: StopRequest, seconds: float = math.inf):
        """Take steps up to ``until``, or to the first after a wish to stop or after so many seconds.

        Several processes each take theirs, and what they recorded of their shares is averaged at the end.
        """
        self._now.fill_(self.step)
        self._row.zero_()
        late = time.monotonic() + seconds
        n = 0
        while self.step < until:
            self._feed.fetch(self.step)
            self._take()
            self._lead.keep(self.step)
            self.step += 1
            n += 1
            # Several processes end together, between two blocks.
            if (stop.asked() or time.monotonic() > late) and self._share is None:
                break
        history = over_all(self._recorded[:n].clone(), self._rng).reshape(n, len(self.members), -1).cpu().numpy()
        for i, member in enumerate(self.members):
            member.step, member.terms = self.step, self._terms
            member.history.append(history[:, i])

    def _one_step(self):
        """One step of all members. What changes from one to the next lies on the device: it may be captured."""
        x = self._feed.minibatch(self._rng)
        if self._course.augmentation is not None:
            x = self._course.augmentation(x, self.members[0].shape, self._rng)
        # Nothing is cast twice, and a captured step must not keep what was cast in another.
        bf16 = self._course.precision == "bf16"
        with torch.autocast(self._device.type, torch.bfloat16, enabled=bf16, cache_enabled=False):
            played = self._model.play(x, self._rng)
        torch.stack([objective.loss for objective in played.objectives.values()]).sum().backward()
        factor = self._factors[self._now].squeeze(0)
        for name, player in self._players.items():
            gradient = player.collect()
            if self._share is not None:
                self._share.average(gradient)
            player.step(played.objectives[name].pace.detach(), factor)
        self._record(played.terms)
        self._now += 1

    def _record(self, terms: dict[str, Tensor]):
        if not self._terms:
            self._terms = list(terms)
            shape = next(iter(terms.values())).shape
            self._recorded = torch.zeros((MOST_STEPS, *shape, len(terms)), device=self._device)
        values = torch.stack([terms[name].float() for name in self._terms], -1)
        self._recorded.index_copy_(0, self._row, values[None])
        self._row += 1

    def evaluate(self):
        """Let every member that has held-out stimuli look at them, with averaged weights where there are any."""
        # Too seldom, and of too many sizes, to be worth compiling for.
        with ExitStack() as averaged, torch.no_grad(), torch.compiler.set_stance("force_eager"):
            for player in self._players.values():
                averaged.enter_context(player.averaged())
            for i, member in enumerate(self.members):
                x = member.task.held_out
                if x is not None:
                    # Several members may share theirs.
                    if id(x) not in self._held_out:
                        self._held_out[id(x)] = scaled(resident(x, torch.arange(len(x)).numpy(), self._device))
                    weights = {n: player.state(self._at(i))["weights"] for n, player in self._players.items()}
                    member.evaluate(self._held_out[id(x)], weights)

    def result(self, member: Member, health: Health) -> Result:
        """A member's state, and beside it its description in JSON."""
        i = self._at(self.members.index(member))
        players = {name: player.state(i) for name, player in self._players.items()}
        return member.state(players), member.description(health)

    def narrow(self):
        """Go on without the members that are over: they cost nothing more."""
        players = {
            member: {name: player.state(self._at(i)) for name, player in self._players.items()}
            for i, member in enumerate(self.members)
            if not member.over
        }
        self.members = list(players)
        if players:
            self._end()
            self._begin(players)
