"""Drives one session: performs what `domain.session` decides, on this node's worker and on its peers."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace

from eapg_split.codecs.base import Fidelity
from eapg_split.domain.error_budget import ErrorBudget
from eapg_split.domain.plan import Plan, Segment
from eapg_split.domain.session import (
    Action,
    Event,
    Failed,
    MakePlan,
    Opened,
    PlanFailed,
    Planned,
    RunSegment,
    SegmentCommitted,
    SegmentFailed,
    Started,
    StopSegment,
    advance,
)
from eapg_split.domain.workload import StageKind, Workload
from eapg_split.errors import DeadlineExceeded, EapgError
from eapg_split.planner.policy import PlanView
from eapg_split.runtime.checkpoint import Checkpoint
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.events import (
    Accepted,
    Goodput,
    Hop,
    JobDone,
    JobEvent,
    Notice,
    Passage,
    PlacedSegment,
    PlanMade,
    Returning,
    SegmentEvent,
    StepDone,
)
from eapg_split.runtime.job import Job, JobRecord
from eapg_split.runtime.memory import peak_resident_bytes
from eapg_split.runtime.output import Output
from eapg_split.runtime.peer import SegmentOrder
from eapg_split.runtime.remote import Assignment, RemoteSegments

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
        self._remote = RemoteSegments(cluster, self._fidelity, self._forward)
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
        state, actions = advance(Opened(workload.steps), Started())
        while actions:
            state, actions = advance(state, await self._perform(actions[0], workload))
        if isinstance(state, Failed):
            state.error.session_id = state.error.session_id or self._job.session
            raise state.error

    async def _perform(self, action: Action, workload: Workload) -> Event:
        match action:
            case MakePlan():
                return await self._make_plan(action, workload)
            case RunSegment(segment, attempt):
                try:
                    await self._run_segment(segment, attempt, workload)
                except EapgError as error:
                    _log.warning("session %s: %s failed: %s", self._job.session, segment, error)
                    return SegmentFailed(segment, attempt, error)
                return SegmentCommitted(segment, attempt)
            case StopSegment():
                raise AssertionError("a segment is stopped by cancelling run()")

    async def _make_plan(self, action: MakePlan, workload: Workload) -> Event:
        job, cluster = self._job, self._cluster
        view = PlanView(workload, cluster.topology, action.start_step, job.objective, action.unavailable)
        if action.unavailable:
            lost = ", ".join(sorted(action.unavailable))
            await self._emit(Notice(f"Going on without {lost} from step {action.start_step}."))
        try:
            plan = job.policy.plan(view)
            plan.check(view.rules)
        except EapgError as error:
            if cluster.missing:
                unreached = f"{error.message} Not reached: {', '.join(cluster.missing)}."
                error = type(error)(unreached, session_id=job.session)
            return PlanFailed(error)
        self._plan = plan
        placed = tuple(self._placed(segment) for segment in plan.segments)
        made = PlanMade(job.session, job.policy.name, placed, plan.notes, workload.steps, self._revision)
        await self._emit(replace(made, at_s=self._since_start()))
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

    async def _run_segment(self, segment: Segment, attempt: int, workload: Workload) -> None:
        if attempt > 1:
            await asyncio.sleep(_BACKOFF_S * 2 ** (attempt - 2))
        if self._cluster.is_own(segment.node):
            await self._run_here(segment, attempt, workload)
        else:
            await self._run_there(segment, attempt, workload)

    async def _run_here(self, segment: Segment, attempt: int, workload: Workload) -> None:
        last = workload.steps - 1
        stop = min(segment.stop_step, last)
        checkpoint, state = self._checkpoint, await self._checkpoint.latent()
        if segment.start_step < stop:
            order = self._order(Segment(segment.node, segment.start_step, stop), attempt, workload)
            state = await self._worker.execute(order, state, self._forward)
        if segment.stop_step > last:
            began = asyncio.get_running_loop().time()
            stage = workload.stage_of(last)
            await self._output.write(self._worker.frames(workload, state), stage.geometry.frames, self._emit)
            placed, seconds = self._placed(segment), asyncio.get_running_loop().time() - began
            await self._forward(StepDone(placed.node, placed.tier, stage.name, last, workload.steps, seconds))
        self._commit(segment, checkpoint.followed_by(stop, state), peak_resident_bytes())

    async def _run_there(self, segment: Segment, attempt: int, workload: Workload) -> None:
        assert self._plan is not None
        if attempt > 1:
            await self._cluster.check_alive(segment.node)  # a node that hangs must not cost its time twice
        order = self._order(segment, attempt, workload)
        task = Assignment(segment.node, order, self._plan, workload, self._checkpoint)
        checkpoint, done = await self._remote.run(task)
        self._commit(segment, checkpoint, done.peak_rss_bytes)

    async def _fidelity(self, workload: Workload, step: int, target_db: float) -> Fidelity:
        """What a lossy codec may do to the state before `step`, so that this cut alone leaves `target_db`."""
        return await self._worker.fidelity(workload, step - 1, target_db)

    def _commit(self, segment: Segment, checkpoint: Checkpoint, peak_rss_bytes: int) -> None:
        self._checkpoint = checkpoint
        self._record.add(self._placed(segment), peak_rss_bytes)

    async def _forward(self, event: JobEvent | SegmentEvent) -> None:
        """An event of a segment as one of the job, its moments counted from the job's start."""
        match event:
            case Accepted() | Returning() | Passage():
                return
            case StepDone():
                event = replace(event, start_s=max(0.0, self._since_start() - event.seconds))
            case Goodput():
                event = replace(event, at_s=event.at_s - self._began)
            case Hop():
                event = replace(event, start_s=event.start_s - self._began)
                self._record.hops.append(event)
        await self._emit(event)

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
