"""Drives one session: performs what `domain.session` decides, on this node's worker and on its peers."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from eapg_split.domain.session import advance
from eapg_split.domain.session_words import (
    Action,
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
    Started,
    State,
    StopSegment,
)
from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import Workload
from eapg_split.errors import DeadlineExceeded, EapgError
from eapg_split.runtime.checkpoint import Checkpoint
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.events import JobDone, JobEvent, PlanMade
from eapg_split.runtime.instruments import LOST, Kind, Span
from eapg_split.runtime.job import Job, check_wishes
from eapg_split.runtime.job_events import JobEvents
from eapg_split.runtime.memory import peak_resident_bytes
from eapg_split.runtime.output import Output
from eapg_split.runtime.past import NOTHING, Past
from eapg_split.runtime.policy_host import PolicyHost
from eapg_split.runtime.replanner import Decision, Replanner
from eapg_split.runtime.segment_runs import SegmentRuns
from eapg_split.runtime.surroundings import Surroundings
from eapg_split.runtime.views import LiveViews
from eapg_split.runtime.watch import watched


def _forget(checkpoint: Checkpoint) -> None:
    del checkpoint


class Coordinator:
    """One per job. `emit` may wait, which slows the job down; `keep` gets every newer checkpoint and does not.

    When `run` is cancelled every node stops at its next step boundary.
    """

    def __init__(
        self,
        job: Job,
        cluster: Cluster,
        output: Output,
        *,
        emit: Callable[[JobEvent], Awaitable[None]],
        past: Past = NOTHING,
        keep: Callable[[Checkpoint], None] = _forget,
    ) -> None:
        self._job = job
        self._cluster = cluster
        self._output = output
        self._emit = emit
        self._past = past
        self._keep = keep
        self._instruments = cluster.worker.setup.instruments

    async def run(self) -> JobDone:
        """Runs the job to its end, from where an earlier daemon left it. Raises the EapgError that ended it."""
        with self._instruments.span(Span(Kind.JOB, self._job.session)):
            return await self._run()

    async def _run(self) -> JobDone:
        events = JobEvents(self._cluster, self._emit, self._past.began_s)
        try:
            async with asyncio.timeout_at(self._job.deadline.when):
                workload = await self._cluster.worker.unroll(self._job.request)
                for text in await self._cluster.discover(self._job.deadline):
                    await events.say(text)
                check_wishes(self._job.wishes, workload, self._cluster.topology)
                await self._drive(workload, events)
        except TimeoutError as error:
            raise DeadlineExceeded(
                "The job's deadline passed: give it more time, fewer steps or a smaller video.",
                session_id=self._job.session,
            ) from error
        return self._done(events)

    async def _drive(self, workload: Workload, events: JobEvents) -> None:
        job, host = self._job, PolicyHost(self._job.policy, states=self._job.policy_states)
        async with AsyncExitStack() as until_the_end:
            watch = None
            if job.wants_estimates or job.observed:
                watch = await until_the_end.enter_async_context(watched(self._cluster))
            views = LiveViews(job, self._cluster, workload, watch if job.wants_estimates else None)
            until_the_end.push_async_callback(views.close)
            await views.prepare()
            surroundings = Surroundings(self._cluster, events, wanted=job.observed)
            await until_the_end.enter_async_context(surroundings.told(workload, views, watch))
            planner = Replanner(host, views, events.take, revises=job.revises)
            await until_the_end.enter_async_context(planner.attending(watch))
            runs = SegmentRuns(job, self._cluster, workload, self._output, events, keep=self._keep)
            until_the_end.push_async_callback(runs.close)
            drive = _Drive(job, self._cluster, planner, runs, surroundings, events, self._past.next_revision)
            start_step = await self._resume(workload, runs, events)
            state, actions = advance(Opened(workload.steps, start_step), Started())
            while actions:
                event = await drive.perform(actions[0], state)
                back = planner.returned(_left_out(state))
                await surroundings.back(back)
                for node in back:
                    state, _ = advance(state, NodeReturned(node))
                state, actions = advance(state, event)
        await events.say(await host.close())
        if isinstance(state, Failed):
            state.error.session_id = state.error.session_id or job.session
            raise state.error

    async def _resume(self, workload: Workload, runs: SegmentRuns, events: JobEvents) -> int:
        """The step to go on from: that of the checkpoint that was kept, where it is one of this job's states."""
        if self._past is NOTHING:
            return 0
        checkpoint = self._past.checkpoint_for(workload, self._cluster)
        step = 0 if checkpoint is None else checkpoint.step
        events.record.restore(self._past.events, step)
        await events.say(
            f"The device's daemon was started again: going on from step {step} of {workload.steps}."
        )
        if checkpoint is not None:
            runs.start_from(checkpoint)
        return step

    def _done(self, events: JobEvents) -> JobDone:
        request, record = self._job.request, events.record
        own = self._cluster.worker.setup.node
        return JobDone(
            session=self._job.session,
            frames=self._output.frames,
            width=request.width,
            height=request.height,
            fps=request.fps,
            seed=request.seed,
            wall_s=events.since_start(),
            frames_sha256=self._output.sha256,
            segments=tuple(record.segments),
            hops=tuple(record.hops),
            peak_rss_bytes=record.peak_rss_bytes | {own: peak_resident_bytes()},
            checkpoints=record.checkpoints,
            checkpoint_bytes=record.checkpoint_bytes,
        )


class _Drive:
    """Performs a session's actions."""

    def __init__(
        self,
        job: Job,
        cluster: Cluster,
        planner: Replanner,
        runs: SegmentRuns,
        surroundings: Surroundings,
        events: JobEvents,
        revision: int,
    ) -> None:
        self._job = job
        self._cluster = cluster
        self._planner = planner
        self._runs = runs
        self._surroundings = surroundings
        self._events = events
        self._told: frozenset[NodeId] = frozenset()
        self._revision = revision

    async def perform(self, action: Action, state: State) -> Event:
        """The event that answers the action, which `state` waits for."""
        match action:
            case MakePlan():
                assert isinstance(state, Planning)
                return await self._make_plan(state)
            case RunSegment():
                assert isinstance(state, Running)
                return await self._runs.run(state, self._planner)
            case StopSegment():
                raise AssertionError("a segment is stopped by cancelling run()")

    async def _make_plan(self, state: Planning) -> Event:
        if state.unavailable - self._told:
            lost = ", ".join(sorted(state.unavailable))
            await self._events.say(f"Going on without {lost} from step {state.start_step}.")
            why = "" if state.cause is None else state.cause.message
            await self._surroundings.lost(state.unavailable - self._told, why)
        self._told = state.unavailable
        if state.waiting:
            await self._events.say(
                "No plan is left without the nodes that are full: waiting for one of them."
            )
        reason = "" if state.cause is None else state.cause.message
        if state.cause is not None:
            self._cluster.worker.setup.instruments.replanned(LOST)
        try:
            made = await self._planner.plan(
                state.start_step, state.unavailable, reason, waiting=state.waiting
            )
        except EapgError as error:
            missing = self._cluster.missing
            if missing:
                unreached = f"{error.message} Not reached: {', '.join(missing)}."
                error = type(error)(unreached, session_id=self._job.session)
            return PlanFailed(error)
        await self._events.emit(self._told_of(made))
        self._revision += 1
        self._runs.prepare(made.plan)
        return Planned(made.plan)

    def _told_of(self, made: Decision) -> PlanMade:
        return PlanMade(
            session=self._job.session,
            policy=made.policy,
            segments=tuple(self._events.placed(segment) for segment in made.plan.segments),
            notes=made.plan.notes,
            total_steps=made.plan.stop_step,
            revision=self._revision,
            at_s=self._events.since_start(),
            reason=made.reason,
            predicted_s=made.predicted_s,
        )


def _left_out(state: State) -> frozenset[NodeId]:
    return state.unavailable if isinstance(state, Planning | Running) else frozenset()
