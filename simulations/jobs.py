"""The life of one job in virtual time: what `domain.session` decides is done by nodes and links, and told back."""

import math
from collections.abc import Iterator
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
from eapg_split.errors import CapacityExceeded, EapgError, InfeasiblePlan, NodeUnavailable
from eapg_split.planner.limits import check_plan
from eapg_split.planner.placement import rest_of
from eapg_split.planner.policy import LearningPolicy, Occasion, StepMeasured, TransferMeasured, Trigger
from simulations.asking import Asked
from simulations.flights import Flight
from simulations.flying import Flying
from simulations.outcomes import End, Outcome
from simulations.probes import FIRST_LOOK_S
from simulations.sites import Site
from simulations.views import Views
from simulations.world import Demand, World

_TICK_S: Final = 1.0
_STALLED_S: Final = 2.0  # without a byte, before the plan is looked at again
_BACKOFF_S: Final = 0.5
_ASK_S: Final = 0.01  # between two looks at whether all was heard before the first plan


class JobRun:
    """One job on one device."""

    def __init__(self, world: World, site: Site, demand: Demand, number: int, policy_name: str) -> None:
        self.world, self.site, self.number = world, site, number
        self.workload = demand.workload
        self._demand = demand
        self._policy = demand.policy()
        self._asked = Asked(self._policy)
        self._views = Views(world, site, demand, known=self._asked.wants_estimates)
        self.codecs = self._views.codecs
        self._state: State = Opened(self.workload.steps)
        self._flying: Flying | None = None
        self._flight: Flight | None = None
        self._decided: Plan | None = None
        self._placed: tuple[tuple[NodeId, int], ...] = ()
        self._back: set[NodeId] = set()  # noticed while a segment ran
        self._holder: NodeId | None = None  # who computed the last step
        self.outcome = Outcome(number, demand.name, policy_name, site.device.id, world.kernel.now_s)

    def start(self) -> None:
        """The job arrives."""
        kernel = self.world.kernel
        self._note("job", policy=self.outcome.policy, device=self.site.device.id, demand=self._demand.name)
        self._load_state()
        self.world.watch(self.site, self)
        if self._demand.deadline_s < math.inf:
            kernel.at(kernel.now_s + self._demand.deadline_s, self._late)
        kernel.at(kernel.now_s + _TICK_S, self._tick)
        if self._asked.wants_estimates:
            self._prepare()
        else:
            self._advance(Started())

    def _prepare(self) -> None:
        """Begins once stale links were looked at and every node has told how it is, but soon in any case."""
        kernel = self.world.kernel
        until_s, looked = kernel.now_s + FIRST_LOOK_S, list[bool]()

        def wait(_: object = None) -> None:
            if self._over or not isinstance(self._state, Opened):
                return
            missing = [node for node in self.site.nodes if self._views.latest(node) is None]
            if kernel.now_s >= until_s or (looked and not missing):
                self._advance(Started())
            else:
                kernel.at(min(until_s, kernel.now_s + _ASK_S), wait)

        self.world.prober(self.site).first_look(lambda: looked.append(True))
        kernel.at(kernel.now_s, wait, priority=1)

    # the session

    @property
    def _over(self) -> bool:
        return self.outcome.end is not End.OPEN

    def _advance(self, event: Event) -> None:
        """Tells the session what happened, and does what it then wants."""
        if self._over:
            return
        left_out = self._state.unavailable if isinstance(self._state, Planning | Running) else frozenset()
        back = self._back & left_out
        self._back.clear()
        for node in sorted(back) + self._views.returned(left_out - back):
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
        view = self._views.at(wanted.start_step, wanted.unavailable, waiting=wanted.waiting)
        decided, self._decided = self._decided, None
        plan: Plan | None = None
        if decided is not None:
            try:
                plan = check_plan(view, rest_of(view, decided))
            except EapgError:
                plan = None
        if plan is None:
            try:
                plan = self._asked.plan(view)
            except EapgError as error:
                self._advance(PlanFailed(error))
                return
            self._views.planned()
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
        flight = Flight(state.plan, self._chain(state), state.attempt, state.unavailable, own)
        self._flight, self._flying = flight, Flying(self, flight)
        wait_s = self._views.ready_in_s(state.segment.node)
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
        for after in state.plan.segments[state.index + 1 :]:
            before = chain[-1]
            if own in (before.node, after.node) or not self._views.hands_on(before, after):
                break
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
        self._look(self._views.stepped(node, step, seconds, arrived=arrived), at_boundary=flight.own)

    def moved(self, source: NodeId, target: NodeId, size_bytes: int, seconds: float) -> None:
        """The device learns what a state took on its way."""
        self._note("hop", source=source, target=target, bytes=size_bytes, seconds=round(seconds, 6))
        if seconds > 0:
            self._asked.observe(TransferMeasured(source, target, size_bytes, seconds))
        occasion = self._views.moved(source, target)
        if occasion is not None:
            self._look(occasion)

    def ended(self, flight: Flight, reached: int) -> None:
        """The state before a step has come home."""
        segment, attempt = flight.segment, flight.attempt
        self._flight = self._flying = None
        if self._decided is not None or reached < flight.stop_step:
            unasked = self._decided is None
            self._advance(SegmentHandedBack(segment, attempt, reached, unasked))
        else:
            self._advance(SegmentCommitted(segment, attempt, reached))

    def failed(self, flight: Flight, error: EapgError) -> None:
        """The flight is lost."""
        self._flight = self._flying = None
        self.outcome.failures += 1
        self._note("lost", node=error.node_id or flight.segment.node, why=error.message)
        if isinstance(error, CapacityExceeded) and error.retry_after_s is not None:
            self._views.refused(NodeId(error.node_id or flight.segment.node), error.retry_after_s)
        self._advance(SegmentFailed(flight.segment, flight.attempt, error))

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
        if self._asked.revises:
            for occasion in (*self._views.silences(), *self._back_again(), *self._stalls()):
                self._look(occasion)

    def _back_again(self) -> Iterator[Occasion]:
        flight = self._flight
        if flight is None:
            return
        for node in self._views.returned(flight.unavailable):
            self._back.add(node)
            flight.unavailable -= {node}
            yield Occasion(Trigger.NODE, f"{node}, which was lost, may be tried again.", node)

    def _stalls(self) -> Iterator[Occasion]:
        sending = self._flight.sending if self._flight is not None else None
        if sending is None:
            return
        transfer = sending.transfer(self.world.kernel.now_s)
        if transfer.stalled_s >= _STALLED_S:
            words = f"Nothing has gone from {transfer.source} to {transfer.target} for {transfer.stalled_s:.1f} s."
            yield Occasion(Trigger.STALL, words, transfer.target)

    # looks at the plan

    def _look(self, occasion: Occasion, *, at_boundary: bool = False) -> None:
        """Asks the policy about what is left, as the runtime does: at its boundaries, and when something happens."""
        flight = self._flight
        if flight is None or not self._asked.revises or self._over:
            return
        step = flight.next_boundary(at_boundary=at_boundary)
        if step >= self.workload.steps - 1:
            return
        sending = flight.sending
        transfer = sending.transfer(self.world.kernel.now_s) if sending is not None else None
        there = transfer is None and not flight.own and step < flight.stop_step
        holder = flight.node_at(step - 1) if there and step > flight.segment.start_step else None
        view = self._views.at(step, flight.unavailable, at=holder, in_flight=transfer)
        current = flight.plan
        if self._decided is not None and self._decided.start_step <= step:
            current = self._decided
        try:
            revision = self._asked.revise(view, current, occasion)
            kept = rest_of(view, current)
        except InfeasiblePlan:
            return  # the segment that runs goes on: what follows may have changed by then
        plan = revision.plan
        if plan is None or (plan.segments, plan.cuts) == (kept.segments, kept.cuts):
            return
        self._views.planned()
        self._decided = plan
        self._note_plan(plan, f"{occasion.reason} {revision.reason}".strip())
        self._adopt(flight, plan, step)

    def _adopt(self, flight: Flight, plan: Plan, step: int) -> None:
        """Ends the segment where the new plan leaves its nodes. What only comes after it needs no hand-back."""
        assert self._flying is not None
        stop = flight.parts_at(plan, step)
        if flight.sending is not None and stop == step:
            self._flying.abandon()
            self._flight = self._flying = None
            self._advance(SegmentAbandoned(flight.segment, flight.attempt))
        elif stop < flight.stop_step or flight.recall is not None:
            self._flying.recall(stop)

    # the end

    def _late(self, _: object) -> None:
        if not self._over:
            self._finish(End.LATE, "The deadline passed.")

    def close(self) -> None:
        """The simulation ends before the job."""
        if not self._over:
            self.outcome.ended_s = self.world.kernel.now_s

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
        if isinstance(self._policy, LearningPolicy):
            self.site.learned[outcome.policy] = self._policy.state_dict()
        self._note("end", end=end, seconds=round(outcome.latency_s, 6), why=why)

    def _load_state(self) -> None:
        learned = self.site.learned.get(self.outcome.policy)
        if learned is not None and isinstance(self._policy, LearningPolicy):
            try:
                self._policy.load_state_dict(learned)
            except Exception:  # a stranger's code; what it cannot read it does without
                self._asked.failures += 1

    def _note_plan(self, plan: Plan, reason: str) -> None:
        """Records a plan; a switch is one that computes elsewhere than the one before it said."""
        start = plan.start_step
        placed = tuple((part.node, part.stop_step) for part in plan.segments)
        before = tuple(part for part in self._placed if part[1] > start)
        self.outcome.switches += bool(self._placed) and placed != before
        self._placed = placed
        segments = [[part.node, part.start_step, part.stop_step] for part in plan.segments]
        self._note("plan", segments=segments, reason=reason)

    def _note(self, event: str, **fields: object) -> None:
        if self.world.record.kept:
            self.world.record.add(self.world.kernel.now_s, event, job=self.number, **fields)
