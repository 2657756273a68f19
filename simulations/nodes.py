"""A node in virtual time: who may compute, what waits, which weights are loaded, and what it tells of itself."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from eapg_split.domain.telemetry import Quality, Reading, Telemetry, reading
from eapg_split.domain.workload import Stage, Workload
from eapg_split.errors import CapacityExceeded
from eapg_split.planner.link_rates import LinkRates, Network
from simulations.body import Body, busy_factor
from simulations.kernel import Kernel
from simulations.node_specs import NodeSpec

LOOK_S: Final = 1.0  # between two looks at a node that somebody watches


@dataclass
class Task:
    """A step that waits for an engine; `done` is told how many seconds and joules it took.

    `entering` says that the state came from another node just before it.
    """

    session: int
    workload: Workload
    step: int
    done: Callable[[float, float], None]
    entering: bool = False
    work_s: float = 0.0  # at full clock
    stage: str = ""
    dropped: bool = False


@dataclass
class _Work:
    workload: Workload
    next_step: int
    stop_step: int


class SimNode:
    """One node, and its own record of the links that it has used."""

    def __init__(
        self, spec: NodeSpec, kernel: Kernel, draws: np.random.Generator, parts: tuple[str, ...]
    ) -> None:
        """`parts` are all weights that there are."""
        self.spec = spec
        self._parts = parts
        self.id = spec.id
        self.up = True
        self.body = Body(spec.cell, spec.heat, watts=spec.watts)
        self.rates = LinkRates(spec.id, Network(spec.technology), clock=lambda: kernel.now_s)
        self.latest: deque[Telemetry] = deque(maxlen=2)
        self._busy_s = 0.0  # of all engines together, with what is left of the steps that run
        self._ends_s = 0.0  # sum of the moments at which those end
        self._kernel = kernel
        self._draws = draws
        self._waiting: deque[Task] = deque()
        self._free = spec.engines
        self._sessions: dict[int, _Work] = {}
        self._resident = dict.fromkeys(spec.resident, 0.0)  # weights, and when they are there
        self._boots = 0  # steps of an earlier life do not count
        self._loading_s = 0.0  # until when others are being loaded

    # sessions

    def admit(self, session: int, workload: Workload, start_step: int, stop_step: int) -> None:
        """Takes a segment on. Raises CapacityExceeded where the node is full, with a guess of when it will not be."""
        if session not in self._sessions and len(self._sessions) >= self.spec.slots:
            shortest = min(map(self._left_s, self._sessions.values()))
            raise CapacityExceeded(
                f"Node {self.id} already runs {len(self._sessions)} sessions, its limit.",
                node_id=self.id,
                retry_after_s=max(0.1, shortest),
            )
        self._sessions[session] = _Work(workload, start_step, stop_step)

    def release(self, session: int) -> None:
        """The session has no segment here any more; what it had waiting is dropped."""
        self._sessions.pop(session, None)
        for task in self._waiting:
            task.dropped = task.dropped or task.session == session

    def stop(self) -> None:
        """It dies, and forgets all that it had."""
        self.up = False
        self._busy_s, self._ends_s = self.busy_s(self._kernel.now_s), 0.0
        self._free = self.spec.engines
        self._waiting.clear()
        self._sessions.clear()
        self._resident.clear()
        self.latest.clear()

    def start(self) -> None:
        """It is there again."""
        self.up = True
        self._boots += 1

    # computing

    def prepare(self, workload: Workload, start_step: int, stop_step: int) -> None:
        """Begins to load the weights of these steps, one after the other."""
        for stage in workload.stages:
            if stage.start_step < stop_step and start_step < stage.stop_step:
                self._loaded_s(stage)

    def compute(self, task: Task) -> None:
        """Queues a step, once its weights are there."""
        stage, step = task.workload.stage_of(task.step), task.step
        cost = self.spec.cost(stage.name)
        entry = cost.entry_seconds(stage.entry_flops) if task.entering or step == stage.start_step else 0.0
        drawn = float(np.exp(self.spec.noise * self._draws.standard_normal())) if self.spec.noise else 1.0
        slower = self.spec.drift * drawn * busy_factor(self.spec.load)
        ready_s = self._loaded_s(stage)
        if (looks := self.spec.looks) is not None:
            slower /= looks.clock_ratio(self._kernel.now_s)
            if task.entering:
                ready_s = max(ready_s, self._kernel.now_s + looks.queue_s(self._kernel.now_s))
        task.stage = stage.name
        task.work_s = (cost.seconds(stage.flops_per_step) + entry) * slower
        if session := self._sessions.get(task.session):
            session.next_step = step
        if ready_s > self._kernel.now_s:
            self._kernel.at(ready_s, self._queue, task)
        else:
            self._queue(task)

    def _queue(self, task: Task) -> None:
        self._waiting.append(task)
        self._serve()

    def _serve(self) -> None:
        while self._free and self.up:
            batch = self._batch()
            if not batch:
                return
            self._free -= 1
            work_s = max(task.work_s for task in batch) * (1 + self.spec.batch_cost * (len(batch) - 1))
            now_s = self._kernel.now_s
            seconds = self.body.compute(work_s, now_s)
            self._busy_s += seconds
            self._ends_s += now_s + seconds
            self._kernel.at(now_s + seconds, self._computed, (batch, seconds, self._boots))

    def _batch(self) -> list[Task]:
        """The task that waits longest, and as many of the same stage as may run with it."""
        waiting, found = self._waiting, list[Task]()
        while waiting and waiting[0].dropped:
            waiting.popleft()
        if not waiting:
            return found
        found.append(waiting.popleft())
        if self.spec.batch > 1:
            same = [task for task in waiting if task.stage == found[0].stage and not task.dropped]
            for task in same[: self.spec.batch - 1]:
                waiting.remove(task)
                found.append(task)
        return found

    def _computed(self, what: tuple[list[Task], float, int]) -> None:
        batch, seconds, boots = what
        if boots != self._boots or not self.up:
            return
        self._free += 1
        self._ends_s = self._ends_s - self._kernel.now_s if self._free < self.spec.engines else 0.0
        joules = self.body.watts * seconds / len(batch)
        self._serve()
        for task in batch:
            if not task.dropped:
                task.done(seconds, joules)

    def _loaded_s(self, stage: Stage) -> float:
        """When the stage's weights are there; loads what is missing, after what is being loaded."""
        if self.spec.warm:
            return 0.0
        ready_s, share = 0.0, self.spec.cost(stage.name).load_s / max(1, len(stage.parts))
        for part in stage.parts:
            if part not in self._resident:
                self._loading_s = max(self._loading_s, self._kernel.now_s) + share
                self._resident[part] = self._loading_s
            ready_s = max(ready_s, self._resident[part])
        return ready_s

    # what it tells

    def look(self) -> Telemetry:
        """What it says of itself now, with the noise of its sensors."""
        now_s, spec, body = self._kernel.now_s, self.spec, self.body
        charge, skin_c = body.seen(now_s)
        on_battery = spec.cell is not None
        used = spec.load + (1 - spec.load) * (1 - self._free / spec.engines)
        noise = self._draws.standard_normal(2)
        taken = sum(self._memory(work) for work in self._sessions.values())
        free = None if spec.memory_bytes is None else max(0.0, float(spec.memory_bytes - taken))
        look = Telemetry(
            at_s=now_s,
            charge=reading("charge", round(charge, 2)) if on_battery else Reading(),
            plugged=reading("plugged", float(spec.cell.plugged(now_s))) if spec.cell else Reading(),
            temperature_c=reading("temperature_c", round(skin_c + 0.1 * float(noise[0]), 1))
            if spec.heat
            else Reading(),
            clock_ratio=reading("clock_ratio", body.clock_ratio) if spec.heat else Reading(),
            load=reading("load", min(1.0, max(0.0, round(used + 0.01 * float(noise[1]), 2)))),
            memory_free_bytes=reading("memory_free_bytes", free),
            queue_s=reading("queue_s", self.queue_s, Quality.MODELLED),
            sessions=reading("sessions", float(len(self._sessions))),
            resident=self.resident,
            links=self.rates.sights(),
        )
        return look if spec.looks is None else spec.looks.told(look, now_s, 1 - self._free / spec.engines)

    def busy_s(self, now_s: float) -> float:
        """Seconds that its engines have computed until now, all together."""
        left_s = self._ends_s - (self.spec.engines - self._free) * now_s
        return self._busy_s - max(0.0, left_s)

    @property
    def queue_s(self) -> float:
        """Seconds of work that its sessions still have here, over its engines."""
        return sum(map(self._left_s, self._sessions.values())) / self.spec.engines

    @property
    def resident(self) -> tuple[str, ...]:
        """The weights that are loaded; all that anybody could name where the node is always warm."""
        if not self.spec.warm:
            return tuple(part for part, ready_s in self._resident.items() if ready_s <= self._kernel.now_s)
        return self._parts

    def _left_s(self, work: _Work) -> float:
        seconds, workload = 0.0, work.workload
        for stage in workload.stages:
            steps = min(stage.stop_step, work.stop_step) - max(stage.start_step, work.next_step)
            if steps > 0:
                seconds += steps * self.spec.cost(stage.name).seconds(stage.flops_per_step)
        return seconds * busy_factor(self.spec.load) / self.body.clock_ratio

    def _memory(self, work: _Work) -> int:
        first, last = work.next_step, work.stop_step
        stages = (s for s in work.workload.stages if s.start_step < last and first < s.stop_step)
        return max((stage.memory_bytes for stage in stages), default=0)
