"""The life of one job in virtual time: what `domain.session` decides is done by nodes and links, and told back."""

import math
from typing import Final

from eapg_split.domain.plan import Plan, Segment
from eapg_split.domain.session import advance
from eapg_split.domain.session_words import (
    CancelRequested,
    Done,
    Event,
    Failed,
    MakePlan,
    NodeReturned,
    Opened,
    PlanFailed,
    Planned,
    Planning,
    Running,
    RunSegment,
    SegmentAbandoned,
    SegmentCommitted,
    SegmentFailed,
    SegmentHandedBack,
    Started,
    State,
)
from eapg_split.domain.topology import NodeId
from eapg_split.errors import CapacityExceeded, EapgError, NodeUnavailable
from eapg_split.planner.policy import Occasion, StepMeasured, TransferMeasured, Trigger
from simulations.asking import Asked
from simulations.flights import Flight
from simulations.flying import Flying
from simulations.outcomes import End, Outcome, Placed, switches
from simulations.probes import FIRST_LOOK_S
from simulations.replanning import Replanner
from simulations.sites import Site
from simulations.views import views_of
from simulations.world import Demand, World

_TICK_S: Final = 1.0
_BACKOFF_S: Final = 0.5
_ASK_S: Final = 0.01  # between two looks at whether the links were looked at before the first plan


class JobRun:
    """One job on one device."""

    def __init__(self, world: World, site: Site, demand: Demand, number: int, policy_name: str) -> None:
        self.world, self.site, self.number = world, site, number
        self.workload = demand.workload
        self._demand = demand
        self._asked = Asked(demand.policy())
        outlook = world.outlook(demand, site)
        self.codecs = demand.codecs or outlook.codecs
        views = views_of(world, site, demand, outlook if self._asked.wants_estimates else None)
        self.replanner = Replanner(self._asked, views, lambda: world.kernel.now_s)
        self._state: State = Opened(self.workload.steps)
        self._flying: Flying | None = None
        self._flight: Flight | None = None
        self._placed: Placed = ()
        self._holder: NodeId | None = None  # who computed the last step
        self.outcome = Outcome(number, demand.name, policy_name, site.device.id, world.kernel.now_s)

    def start(self) -> None:
        """The job arrives."""
        kernel = self.world.kernel
        self._note("job", policy=self.outcome.policy, device=self.site.device.id, demand=self._demand.name)
        self._asked.load(self.site.learned.get(self.outcome.policy))
        self.world.watch(self.site, self)
        if self._demand.deadline_s < math.inf:
            kernel.at(kernel.now_s + self._demand.deadline_s, self._late)
        kernel.at(kernel.now_s + _TICK_S, self._tick)
        kernel.at(kernel.now_s + self.world.describe_s(self.site), self._described, priority=1)

    def _described(self, _: object) -> None:
        """Every node that answers has said who and how it is; stale links are looked at before the first plan."""
        if not self._asked.wants_estimates:
            self._advance(Started())
        elif not self._over:
            self.world.prober(self.site).first_look()
            self._wait(self.world.kernel.now_s + FIRST_LOOK_S)

    def _wait(self, until_s: float) -> None:
        """Begins once stale links were looked at, or at that moment."""
        kernel, prober = self.world.kernel, self.world.prober(self.site)
        if prober.looking and kernel.now_s < until_s and not self._over:
            kernel.at(min(until_s, kernel.now_s + _ASK_S), self._wait, until_s)
        else:
            prober.late(FIRST_LOOK_S)
            self._advance(Started())

    # the session

    @property
    def _over(self) -> bool:
        return self.outcome.end is not End.OPEN

    def _advance(self, event: Event) -> None:
        """Tells the session what happened, and does what it then wants."""
        if self._over:
            return
        left_out = self._state.unavailable if isinstance(self._state, Planning | Running) else frozenset()
        for node in self.replanner.views.returned(left_out):
            self._state, _ = advance(self._state, NodeReturned(node))
        self._state, actions = advance(self._state, event)
        for action in actions[:1]:
            if isinstance(action, MakePlan):
                self._make_plan(action)
            elif isinstance(action, RunSegment):
                self._run_segment()
        if isinstance(self._state, Done):
            self._finish(End.DONE)
        elif isinstance(self._state, Failed):
            self._finish(End.FAILED, self._state.error.message)

    def _make_plan(self, wanted: MakePlan) -> None:
        try:
            plan = self.replanner.plan(wanted)
        except EapgError as error:
            self._advance(PlanFailed(error))
            return
        self._note_plan(plan, "")
        for segment in plan.segments:
            if segment.node != self.site.device.id and self.site.nodes[segment.node].up:
                node = self.site.nodes[segment.node]
                node.prepare(self.workload, segment.start_step, segment.stop_step)
        self._advance(Planned(plan))

    def _run_segment(self) -> None:
        state = self._state
        assert isinstance(state, Running)
        own = state.segment.node == self.site.device.id
        flight = Flight(state.plan, self._chain(state), state.unavailable, own, state.attempt)
        self._flight, self._flying = flight, Flying(self, flight)
        wait_s = self.replanner.views.ready_in_s(state.segment.node)
        if state.attempt > 1:
            wait_s += _BACKOFF_S * 2 ** (state.attempt - 2)
        if wait_s > 0:
            kernel = self.world.kernel
            kernel.at(kernel.now_s + wait_s, self._begin, flight)
        else:
            self._flying.begin()

    def _begin(self, flight: Flight) -> None:
        if flight is self._flight and flight.open and self._flying is not None:
            self._flying.begin()

    def _chain(self, state: Running) -> tuple[Segment, ...]:
        """The segment, and those to whose nodes its state is handed on past the device."""
        chain, own = [state.segment], self.site.device.id
        routes = self.replanner.views.routes
        for after in state.plan.segments[state.index + 1 :]:
            before = chain[-1]
            if own in (before.node, after.node) or not routes.hands_on(before, after, self.workload):
                break
            if after.node in {part.node for part in chain}:
                break  # it has the job's first order still, and takes no second one
            chain.append(after)
        return tuple(chain)

    # what a flight tells

    def stepped(self, flight: Flight, step: int, node: NodeId, seconds: float, *, entered: bool) -> None:
        """The device learns that a step is done."""
        if flight is not self._flight:
            return
        arrived = entered or self._holder not in (None, node)
        self._holder, flight.reached = node, step + 1
        self._note("step", step=step, node=node, seconds=round(seconds, 6))
        self._asked.observe(StepMeasured(node, step, seconds))
        if self._asked.wants_estimates and step + 1 < self.replanner.views.last_step:
            self.world.prober(self.site).look_again()
        occasion = self.replanner.views.stepped(node, step, seconds, arrived=arrived)
        self._look(occasion, at_boundary=flight.own)

    def moved(self, source: NodeId, target: NodeId, size_bytes: int, seconds: float) -> None:
        """The device learns what a state took on its way."""
        self._note("hop", source=source, target=target, bytes=size_bytes, seconds=round(seconds, 6))
        if seconds > 0:
            self._asked.observe(TransferMeasured(source, target, size_bytes, seconds))
        occasion = self.replanner.views.moved(source, target)
        if occasion is not None:
            self._look(occasion)

    def ended(self, flight: Flight, reached: int) -> None:
        """The state before a step has come home."""
        segment, attempt = flight.segment, flight.attempt
        self._flight = self._flying = None
        if self.replanner.decided or reached < flight.stop_step:
            unasked = not self.replanner.decided
            self._advance(SegmentHandedBack(segment, attempt, reached, unasked))
        else:
            self._advance(SegmentCommitted(segment, attempt, reached))

    def failed(self, flight: Flight, error: EapgError) -> None:
        """The flight is lost."""
        self._flight = self._flying = None
        self.outcome.failures += 1
        self._note("lost", node=error.node_id or flight.segment.node, why=error.message)
        if isinstance(error, CapacityExceeded) and error.retry_after_s is not None:
            self.replanner.views.refused(NodeId(error.node_id or flight.segment.node), error.retry_after_s)
        node = NodeId(error.node_id or flight.segment.node)
        gone = isinstance(error, NodeUnavailable) and not self.site.nodes[node].up
        self._advance(
            SegmentFailed(flight.segment, flight.attempt, error, step=flight.saved, node=node, gone=gone)
        )

    # what nodes tell

    def heard(self, occasion: Occasion) -> None:
        """A look at a node crossed a threshold; how long it is busy with this very job is no news."""
        flight = self._flight
        if flight is None or self._over:
            return
        if occasion.trigger is Trigger.QUEUE and occasion.node in flight.nodes:
            return
        self._look(occasion)

    def lost(self, node: NodeId) -> None:
        """A node went away; one that works for this job takes its segment with it."""
        if node == self.site.device.id:
            self._finish(End.FAILED, "The device went off.")
        elif self._flight is not None and self._flying is not None and node in self._flight.nodes:
            self._flying.fail(NodeUnavailable(f"{node} went away.", node_id=node))

    def _tick(self, _: object) -> None:
        if self._over:
            return
        kernel = self.world.kernel
        kernel.at(kernel.now_s + _TICK_S, self._tick)
        if self._flying is not None:
            self._flying.attend()
        for occasion in self.replanner.noticed(self._flight):
            self._look(occasion)

    def _look(self, occasion: Occasion, *, at_boundary: bool = False) -> None:
        """Asks the policy about what is left, and ends what runs where a new plan leaves its nodes."""
        flight, flying = self._flight, self._flying
        if flight is None or flying is None or self._over:
            return
        found = self.replanner.look(flight, occasion, at_boundary=at_boundary)
        if found is None:
            return
        self._note_plan(found.plan, found.reason)
        if flight.sending is not None and found.stop_step == found.plan.start_step:
            flying.abandon()
            self._flight = self._flying = None
            self._advance(SegmentAbandoned(flight.segment, flight.attempt))
        elif found.stop_step < flight.stop_step or flight.recall is not None:
            flying.recall(found.stop_step)

    # the end

    def _late(self, _: object) -> None:
        if not self._over:
            self._finish(End.LATE, "The deadline passed.")

    def close(self) -> None:
        """The simulation ends before the job."""
        if not self._over:
            self.outcome.ended_s = self.world.kernel.now_s
            self._note_end()

    def _finish(self, end: End, why: str = "") -> None:
        if self._over:
            return
        if self._flying is not None:
            self._flying.abandon()
        self._state, _ = advance(self._state, CancelRequested())
        self._flight = self._flying = None
        self.world.unwatch(self.site, self)
        outcome = self.outcome
        outcome.end, outcome.why, outcome.ended_s = end, why, self.world.kernel.now_s
        outcome.energy_j += self.site.device.body.idle_w * outcome.latency_s
        outcome.policy_failures = self._asked.failures
        learned = self._asked.state()
        if learned is not None:
            self.site.learned[outcome.policy] = learned
        self._note_end()

    def _note_plan(self, plan: Plan, reason: str) -> None:
        """Records a plan."""
        placed = tuple((part.node, part.stop_step) for part in plan.segments)
        self.outcome.switches += switches(self._placed, placed, plan.start_step)
        self._placed = placed
        segments = [[part.node, part.start_step, part.stop_step] for part in plan.segments]
        self._note("plan", segments=segments, reason=reason)

    def _note_end(self) -> None:
        if self.world.record.kept:
            self._note("end", **self.outcome.as_line())

    def _note(self, event: str, **fields: object) -> None:
        if self.world.record.kept:
            self.world.record.add(self.world.kernel.now_s, event, job=self.number, **fields)
