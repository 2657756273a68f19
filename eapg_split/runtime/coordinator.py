"""Drives one session: performs what `domain.session` decides, on this node's worker and on its peers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from itertools import pairwise

from eapg_split.codecs.base import Fidelity
from eapg_split.domain.error_budget import ErrorBudget
from eapg_split.domain.latent import Latent
from eapg_split.domain.plan import Plan, Segment
from eapg_split.domain.session import (
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
    SegmentAbandoned,
    SegmentCommitted,
    SegmentFailed,
    SegmentHandedBack,
    Started,
    State,
    StopSegment,
    advance,
)
from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import StageKind, Workload
from eapg_split.errors import DeadlineExceeded, EapgError
from eapg_split.runtime.checkpoint import Checkpoint
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.events import (
    Accepted,
    Acknowledged,
    Goodput,
    Hop,
    JobDone,
    JobEvent,
    Notice,
    Passage,
    PlacedSegment,
    PlanMade,
    PlanReviewed,
    Returning,
    SegmentEvent,
    StepDone,
)
from eapg_split.runtime.job import Job, JobRecord, check_wishes
from eapg_split.runtime.memory import peak_resident_bytes
from eapg_split.runtime.output import Output
from eapg_split.runtime.peer import SegmentOrder
from eapg_split.runtime.policy_host import PolicyHost
from eapg_split.runtime.recall import HandBack, Recall
from eapg_split.runtime.remote import Assignment, RemoteSegments
from eapg_split.runtime.replanner import InFlight, Replanner
from eapg_split.runtime.views import Views
from eapg_split.runtime.watch import watched

_log = logging.getLogger(__name__)
_BACKOFF_S = 0.2


class Coordinator:
    """One per job. `emit` may wait, which slows the job down to what its reader takes.

    When `run` is cancelled every node stops at its next step boundary, and nothing of the output is left.
    """

    def __init__(
        self, job: Job, cluster: Cluster, output: Output, *, emit: Callable[[JobEvent], Awaitable[None]]
    ) -> None:
        self._job = job
        self._cluster = cluster
        self._worker = cluster.worker
        self._output = output
        self._emit = emit
        self._record = JobRecord()
        self._checkpoint = Checkpoint(0, self._worker.setup.codecs, {}, ErrorBudget(job.quality_db))
        self._remote = RemoteSegments(cluster, self._fidelity, self._step_there)
        self._host = PolicyHost(job.policy, states=job.policy_states)
        self._views: Views
        self._planner: Replanner
        self._recall = Recall()
        self._told: frozenset[NodeId] = frozenset()
        self._began = 0.0
        self._plan: Plan | None = None
        self._revision = 0
        self._preparing: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Runs the job to its end; the last event is JobDone. Raises the EapgError that ended it otherwise."""
        self._began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout_at(self._job.deadline.when):
                workload = await self._worker.unroll(self._job.request)
                for text in await self._cluster.discover(self._job.deadline):
                    await self._emit(Notice(text))
                check_wishes(self._job.wishes, workload, self._cluster.topology)
                await self._drive(workload)
                await self._output.send(self._emit)
        except TimeoutError as error:
            raise DeadlineExceeded(
                "The job's deadline passed: give it more time, fewer steps or a smaller video.",
                session_id=self._job.session,
            ) from error
        finally:
            for task in self._preparing:
                task.cancel()
            await asyncio.gather(*self._preparing, return_exceptions=True)
        await self._emit(self._done(self._since_start()))

    async def _drive(self, workload: Workload) -> None:
        async with AsyncExitStack() as until_the_end:
            watch = None
            if self._job.wants_estimates:
                watch = await until_the_end.enter_async_context(watched(self._cluster))
            self._views = views = Views(self._job, self._cluster, workload, watch)
            await views.prepare()
            self._planner = Replanner(self._host, views, self._forward, revises=self._job.revises)
            await until_the_end.enter_async_context(self._planner.attending(watch))
            state, actions = advance(Opened(workload.steps), Started())
            while actions:
                event = await self._perform(actions[0], state, workload)
                for node in views.returned(_left_out(state)):
                    state, _ = advance(state, NodeReturned(node))
                state, actions = advance(state, event)
        await self._say(await self._host.close())
        if isinstance(state, Failed):
            state.error.session_id = state.error.session_id or self._job.session
            raise state.error

    async def _perform(self, action: Action, state: State, workload: Workload) -> Event:
        match action:
            case MakePlan():
                assert isinstance(state, Planning)
                return await self._make_plan(state, workload)
            case RunSegment():
                assert isinstance(state, Running)
                return await self._run_segment(state, workload)
            case StopSegment():
                raise AssertionError("a segment is stopped by cancelling run()")

    async def _make_plan(self, state: Planning, workload: Workload) -> Event:
        job, cluster = self._job, self._cluster
        if state.unavailable - self._told:
            self._told = state.unavailable
            lost = ", ".join(sorted(state.unavailable))
            await self._emit(Notice(f"Going on without {lost} from step {state.start_step}."))
        reason = "" if state.cause is None else state.cause.message
        try:
            made = await self._planner.plan(state.start_step, state.unavailable, reason)
        except EapgError as error:
            if cluster.missing:
                unreached = f"{error.message} Not reached: {', '.join(cluster.missing)}."
                error = type(error)(unreached, session_id=job.session)
            return PlanFailed(error)
        self._plan = plan = made.plan
        placed = tuple(self._placed(segment) for segment in plan.segments)
        await self._emit(
            PlanMade(
                job.session,
                made.policy,
                placed,
                plan.notes,
                workload.steps,
                self._revision,
                self._since_start(),
                made.reason,
                made.predicted_s,
            )
        )
        self._revision += 1
        self._prepare(plan, workload)
        return Planned(plan)

    def _prepare(self, plan: Plan, workload: Workload) -> None:
        """Lets the plan's other nodes load their weights while the first steps are computed."""
        for segment in plan.segments:
            if not self._cluster.is_own(segment.node):
                task = asyncio.create_task(self._prepare_one(segment, workload))
                self._preparing.add(task)
                task.add_done_callback(self._preparing.discard)

    async def _prepare_one(self, segment: Segment, workload: Workload) -> None:
        try:
            await self._cluster.peer(segment.node).prepare(self._order(segment, 1, workload))
        except EapgError as error:
            _log.info("node %s is not prepared: %s", segment.node, error)  # the hand-off will tell

    async def _run_segment(self, state: Running, workload: Workload) -> Event:
        """The segment as a task, so that a hand-off can be given up from wherever that is decided."""
        segment, attempt = state.segment, state.attempt
        if attempt > 1:
            await asyncio.sleep(_BACKOFF_S * 2 ** (attempt - 2))
        else:
            self._recall = Recall()
        further = self._further(state, workload)
        if self._cluster.is_own(segment.node):
            running = asyncio.create_task(self._run_here(segment, attempt, workload))
        else:
            running = asyncio.create_task(self._run_there(state, further, workload))
        self._planner.running = self._in_flight(state, further, running, workload)
        try:
            step = await running
        except EapgError as error:
            _log.warning("session %s: %s failed: %s", self._job.session, segment, error)
            self._blame(error, segment, further)
            return SegmentFailed(segment, attempt, error)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return SegmentAbandoned(segment, attempt)
        finally:
            self._planner.running = None
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        if self._planner.decided or step < (segment, *further)[-1].stop_step:
            return SegmentHandedBack(segment, attempt, step, unasked=not self._planner.decided)
        return SegmentCommitted(segment, attempt, step)

    def _further(self, state: Running, workload: Workload) -> tuple[Segment, ...]:
        """The segments to whose nodes the running one's should hand its state on, so that it passes the device."""
        chain = [state.segment]
        for segment in state.plan.segments[state.index + 1 :]:
            pair = chain[-1], segment
            if any(self._cluster.is_own(each.node) for each in pair):
                break
            if not self._views.routes.hands_on(*pair, workload):
                break
            chain.append(segment)
        return tuple(chain[1:])

    def _blame(self, error: EapgError, segment: Segment, further: Sequence[Segment]) -> None:
        """A state that could not be handed on comes home the next time."""
        for before, after in pairwise((segment, *further)):
            if error.node_id == after.node:
                self._views.routes.broke(before.node, after.node)

    def _in_flight(
        self,
        state: Running,
        further: tuple[Segment, ...],
        running: "asyncio.Task[int]",
        workload: Workload,
    ) -> InFlight:
        segment = state.segment

        def abandon() -> None:
            running.cancel()

        def terms(step: int, plan: Plan) -> HandBack:
            task = self._assignment(segment, state.attempt, workload, further)
            return self._remote.terms(task, step, plan)

        return InFlight(
            segment=segment,
            further=further,
            plan=state.plan,
            unavailable=state.unavailable,
            own=self._cluster.is_own(segment.node),
            recall=self._recall,
            terms=terms,
            abandon=abandon,
            transfer=self._remote.transfer,
        )

    async def _run_here(self, segment: Segment, attempt: int, workload: Workload) -> int:
        last = workload.steps - 1
        stop = min(segment.stop_step, last)
        checkpoint, state, reached = self._checkpoint, await self._checkpoint.latent(), segment.start_step
        if segment.start_step < stop:
            order = self._order(Segment(segment.node, segment.start_step, stop), attempt, workload)
            done = await self._worker.execute(order, state, self._step_here, self._recall)
            state, reached = done.state, done.stop_step
        self._checkpoint = checkpoint.followed_by(reached, state)
        if reached == stop and segment.stop_step > last:
            await self._decode(segment, state, workload)
            reached = segment.stop_step
        self._commit(segment, reached, peak_resident_bytes())
        return reached

    async def _decode(self, segment: Segment, state: Latent, workload: Workload) -> None:
        began, last = asyncio.get_running_loop().time(), workload.steps - 1
        stage = workload.stage_of(last)
        await self._output.write(self._worker.frames(workload, state), stage.geometry.frames, self._emit)
        placed, seconds = self._placed(segment), asyncio.get_running_loop().time() - began
        await self._forward(StepDone(placed.node, placed.tier, stage.name, last, workload.steps, seconds))

    async def _run_there(self, state: Running, further: tuple[Segment, ...], workload: Workload) -> int:
        segment, attempt = state.segment, state.attempt
        if attempt > 1:
            await self._cluster.check_alive(segment.node)  # a node that hangs must not cost its time twice
        task = self._assignment(segment, attempt, workload, further)
        self._checkpoint, done = await self._remote.run(task)
        peaks = {segment.node: done.peak_rss_bytes, **done.further_peaks}
        for part in (segment, *further):
            if part.start_step < done.stop_step:
                self._commit(part, min(part.stop_step, done.stop_step), peaks.get(part.node, 0))
        return done.stop_step

    def _assignment(
        self, segment: Segment, attempt: int, workload: Workload, further: tuple[Segment, ...]
    ) -> Assignment:
        assert self._plan is not None
        order = self._order(segment, attempt, workload)
        return Assignment(segment.node, order, self._plan, workload, self._checkpoint, self._recall, further)

    async def _fidelity(self, workload: Workload, step: int, target_db: float) -> Fidelity:
        """What a lossy codec may do to the state before `step`, so that this cut alone leaves `target_db`."""
        return await self._worker.fidelity(workload, step - 1, target_db)

    def _commit(self, segment: Segment, reached: int, peak_rss_bytes: int) -> None:
        self._record.add(self._placed(replace(segment, stop_step=reached)), peak_rss_bytes)

    async def _step_here(self, event: SegmentEvent) -> None:
        """Of a segment on this node: the next step waits until its policy has looked."""
        await self._forward(event)
        if isinstance(event, StepDone):
            await self._planner.stepped(event, at_boundary=True)

    async def _step_there(self, event: JobEvent | SegmentEvent) -> None:
        """Of a segment on another node, which goes on meanwhile."""
        await self._forward(event)
        match event:
            case StepDone():
                await self._planner.stepped(event, at_boundary=False)
            case Hop():
                await self._planner.moved(event)

    async def _forward(self, event: JobEvent | SegmentEvent) -> None:
        """An event of a segment as one of the job, its moments counted from the job's start."""
        match event:
            case Accepted() | Acknowledged() | Returning() | Passage():
                return
            case StepDone():
                event = replace(event, start_s=max(0.0, self._since_start() - event.seconds))
            case PlanReviewed():
                event = replace(event, at_s=self._since_start())
            case Goodput():
                event = replace(event, at_s=event.at_s - self._began)
            case Hop():
                event = replace(event, start_s=event.start_s - self._began)
                self._record.hops.append(event)
        await self._emit(event)

    async def _say(self, warning: str) -> None:
        if warning:
            await self._emit(Notice(warning))

    def _since_start(self) -> float:
        return asyncio.get_running_loop().time() - self._began

    def _order(self, segment: Segment, attempt: int, workload: Workload) -> SegmentOrder:
        """The order for a segment; a node that need not read the text does not get it."""
        assert self._plan is not None
        job = self._job
        own = self._cluster.is_own(segment.node)
        stages = (s for s in workload.stages if s.kind is StageKind.TEXT)
        reads_text = any(
            segment.start_step < s.stop_step and s.start_step < segment.stop_step for s in stages
        )
        return SegmentOrder(
            session=job.session,
            request=job.request if own or reads_text else job.request.without_prompt(),
            start_step=segment.start_step,
            stop_step=segment.stop_step,
            fingerprint=self._cluster.fingerprint,
            attempt=attempt,
            result_codec=self._plan.codec_at(segment.stop_step),
            previews=job.previews,
            deadline=job.deadline,
        )

    def _placed(self, segment: Segment) -> PlacedSegment:
        tier = self._cluster.topology.node(segment.node).tier
        return PlacedSegment(segment.node, tier, segment.start_step, segment.stop_step)

    def _done(self, wall_s: float) -> JobDone:
        request, record = self._job.request, self._record
        return JobDone(
            session=self._job.session,
            frames=self._output.frames,
            width=request.width,
            height=request.height,
            fps=request.fps,
            seed=request.seed,
            wall_s=wall_s,
            frames_sha256=self._output.sha256,
            segments=tuple(record.segments),
            hops=tuple(record.hops),
            peak_rss_bytes=record.peak_rss_bytes | {self._worker.setup.node: peak_resident_bytes()},
        )


def _left_out(state: State) -> frozenset[NodeId]:
    return state.unavailable if isinstance(state, Planning | Running) else frozenset()
