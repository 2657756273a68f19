"""The segments of one job, one after the other: on this node's worker or on a peer, from checkpoint to checkpoint."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Final

from eapg_split.codecs.base import Fidelity
from eapg_split.domain.error_budget import ErrorBudget
from eapg_split.domain.latent import Latent
from eapg_split.domain.plan import Plan, Segment
from eapg_split.domain.session_words import (
    Answer,
    Running,
    SegmentAbandoned,
    SegmentCommitted,
    SegmentFailed,
    SegmentHandedBack,
)
from eapg_split.domain.topology import NodeId
from eapg_split.domain.workload import StageKind, Workload
from eapg_split.errors import CapacityExceeded, CorruptPayload, EapgError, EngineFailure, NodeUnavailable
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.runtime.chains import Chain, blame, chain_at
from eapg_split.runtime.checkpoint import Checkpoint
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.events import Hop, JobEvent, SegmentEvent, StepDone
from eapg_split.runtime.instruments import Kind, Span
from eapg_split.runtime.job import Job
from eapg_split.runtime.job_events import JobEvents
from eapg_split.runtime.memory import peak_resident_bytes
from eapg_split.runtime.output import Output
from eapg_split.runtime.peer import SegmentOrder
from eapg_split.runtime.preparing import Preparations
from eapg_split.runtime.progress import Progress
from eapg_split.runtime.recall import HandBack, Recall
from eapg_split.runtime.remote import Assignment, RemoteSegments
from eapg_split.runtime.replanner import InFlight, Replanner

_log = logging.getLogger(__name__)
_AT_ONCE: Final = 2  # attempts without a pause, as the node answers
_BACKOFF_S: Final = 0.2


class SegmentRuns:
    """One per job."""

    def __init__(
        self,
        job: Job,
        cluster: Cluster,
        workload: Workload,
        output: Output,
        events: JobEvents,
        *,
        keep: Callable[[Checkpoint], None],
    ) -> None:
        """`keep` gets every newer checkpoint to go on from, also of the middle of a segment, and does not wait."""
        self._job = job
        self._cluster = cluster
        self._worker = cluster.worker
        self._workload = workload
        self._output = output
        self._events = events
        first = Checkpoint(0, self._worker.setup.codecs, {}, ErrorBudget(job.quality_db))
        self._progress = Progress(first, keep)
        self._remote = RemoteSegments(cluster, self._fidelity, self._step_there, self._progress.add)
        self._recall = Recall()
        self._planner: Replanner | None = None
        self._preparations = Preparations()

    def start_from(self, checkpoint: Checkpoint) -> None:
        """What is before it was computed by an earlier daemon."""
        self._progress.start_from(checkpoint)

    async def run(self, state: Running, planner: Replanner) -> Answer:
        """Runs `state.segment`, and says what came of it; `planner` may end it early.

        It runs as a task, so that a hand-off can be given up from wherever that is decided.
        """
        segment, attempt = state.segment, state.attempt
        if attempt == 1:
            self._recall = Recall()
            self._progress.begin()
        if attempt > _AT_ONCE:
            await asyncio.sleep(_BACKOFF_S * 2 ** (attempt - _AT_ONCE - 1))
        is_own = self._cluster.is_own
        chain = chain_at(state.plan, state.index, is_own, planner.routes, self._workload)
        work = self._run_here(state) if is_own(segment.node) else self._run_there(state, chain)
        running = asyncio.create_task(self._watched(segment, work))
        self._planner, planner.running = planner, self._in_flight(state, chain, running)
        try:
            step = await running
        except EapgError as error:
            _log.warning("session %s: %s failed: %s", self._job.session, segment, error)
            return await self._failed(state, chain, error, planner)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return SegmentAbandoned(segment, attempt)
        finally:
            planner.running = None
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        if planner.decided or step < chain[-1].stop_step:
            return SegmentHandedBack(segment, attempt, step, unasked=not planner.decided)
        return SegmentCommitted(segment, attempt, step)

    async def _failed(
        self, state: Running, chain: Chain, error: EapgError, planner: Replanner
    ) -> SegmentFailed:
        """What is left of the segment, and whether whoever lost it still answers."""
        segment = state.segment
        blame(error, chain, planner.routes)
        node = next((part.node for part in chain if part.node == error.node_id), segment.node)
        if isinstance(error, CapacityExceeded) and error.retry_after_s is not None:
            planner.refused(node, error.retry_after_s)
        reached = 0 if planner.running is None else planner.running.reached
        step, gone = await asyncio.gather(self._fall_back(chain), self._is_gone(node, error))
        gone = gone or self._is_waste(node, error, reached)
        own = self._cluster.is_own(segment.node)
        return SegmentFailed(segment, state.attempt, error, step=step, node=node, gone=gone, own=own)

    async def _is_gone(self, node: NodeId, error: EapgError) -> bool:
        """A node that hangs or is dead must not cost its time twice."""
        if self._cluster.is_own(node) or not isinstance(error, NodeUnavailable):
            return False
        try:
            await self._cluster.check_alive(node)
        except EapgError as answer:
            _log.info("session %s: %s is gone: %s", self._job.session, node, answer)
            return True
        return False

    def _is_waste(self, node: NodeId, error: EapgError, reached: int) -> bool:
        """Whether a node has computed what nobody can use: each time that it is asked again costs as much."""
        computed = reached > self._progress.newest.step
        return computed and isinstance(error, CorruptPayload) and not self._cluster.is_own(node)

    async def _fall_back(self, chain: Chain) -> int:
        """Before which step the job goes on; what comes before it stays done, whoever was lost."""
        step = await self._progress.fall_back()
        for part in chain:
            if part.start_step < step:
                self._commit(part, min(part.stop_step, step), 0)
        return step

    def prepare(self, plan: Plan) -> None:
        """Lets the plan's other nodes load their weights while the first steps are computed."""
        for segment in plan.segments:
            if not self._cluster.is_own(segment.node):
                peer = self._cluster.peer(segment.node)
                self._preparations.begin(peer, self._order(plan, segment, 1))

    async def close(self) -> None:
        """Waits for nobody any more."""
        await self._preparations.close()

    def _in_flight(self, state: Running, chain: Chain, running: "asyncio.Task[int]") -> InFlight:
        def abandon() -> None:
            running.cancel()

        def terms(step: int, plan: Plan) -> HandBack:
            return self._remote.terms(self._assignment(state, chain), step, plan)

        return InFlight(
            plan=state.plan,
            chain=chain,
            unavailable=state.unavailable,
            own=self._cluster.is_own(state.segment.node),
            recall=self._recall,
            terms=terms,
            abandon=abandon,
            transfer=self._remote.transfer,
        )

    async def _watched(self, segment: Segment, work: Coroutine[None, None, int]) -> int:
        span = Span(
            Kind.SEGMENT, self._job.session, segment.start_step, segment.stop_step, target=segment.node
        )
        with self._worker.setup.instruments.span(span):
            return await work

    async def _run_here(self, state: Running) -> int:
        segment, last = state.segment, self._workload.steps - 1
        stop = min(segment.stop_step, last)
        latent, reached = await self._progress.began.latent(), segment.start_step
        if segment.start_step < stop:
            order = self._order(state.plan, replace(segment, stop_step=stop), state.attempt)
            done = await self._worker.execute(
                order, latent, self._step_here, self._recall, reached_state=self._reached_here
            )
            latent, reached = done.state, done.stop_step
        if reached == stop and segment.stop_step > last:
            await self._decode(segment, latent)
            reached = segment.stop_step
        self._commit(segment, reached, peak_resident_bytes())
        return reached

    def _reached_here(self, step: int, state: Latent) -> None:
        self._progress.add(self._progress.newest.followed_by(step, state))

    async def _decode(self, segment: Segment, latent: Latent) -> None:
        loop, steps = asyncio.get_running_loop(), self._workload.steps
        began, stage = loop.time(), self._workload.stage_of(steps - 1)
        frames = self._worker.frames(self._workload, latent)
        step = Span(Kind.STEP, self._job.session, steps - 1, stage=stage.name)
        with self._worker.setup.instruments.span(step):
            await self._output.write(frames, stage.geometry.frames, self._events.emit)
        placed, seconds = self._events.placed(segment), loop.time() - began
        await self._events.take(StepDone(placed.node, placed.tier, stage.name, steps - 1, steps, seconds))

    async def _run_there(self, state: Running, chain: Chain) -> int:
        node = state.segment.node
        try:
            checkpoint, done = await self._remote.run(self._assignment(state, chain))
        except (EapgError, MemoryError):  # which is this node's own
            raise
        except Exception as error:  # it costs the node, and not the job
            _log.exception("session %s: nobody foresaw what came of %s", self._job.session, state.segment)
            raise EngineFailure(
                f"What came of a segment on node {node} was not foreseen ({type(error).__name__}): the device's log has"
                " the details.",
                node_id=node,
            ) from error
        self._progress.add(checkpoint)
        peaks = {node: done.peak_rss_bytes, **done.further_peaks}
        for part in chain:
            if part.start_step < done.stop_step:
                self._commit(part, min(part.stop_step, done.stop_step), peaks.get(part.node, 0))
        return done.stop_step

    def _assignment(self, state: Running, chain: Chain) -> Assignment:
        order = self._order(state.plan, state.segment, state.attempt)
        node, plan = state.segment.node, state.plan
        wait_s = self._planner.ready_in_s(node) if self._planner is not None else 0.0
        return Assignment(
            node, order, plan, self._workload, self._progress.began, self._recall, chain[1:], wait_s
        )

    def _order(self, plan: Plan, segment: Segment, attempt: int) -> SegmentOrder:
        """The order for a segment; a node that need not read the text does not get it."""
        job, own = self._job, self._cluster.is_own(segment.node)
        stages = (s for s in self._workload.stages if s.kind is StageKind.TEXT)
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
            result_codec=plan.codec_at(segment.stop_step),
            checkpoints=self._checkpoints,
            previews=job.previews,
            deadline=job.deadline,
        )

    @property
    def _checkpoints(self) -> Checkpoints:
        """Whether states are to come home on the way; bytes that cost money are not spent unless somebody asked."""
        wanted = self._job.checkpoints
        spares = wanted is Checkpoints.AUTO and self._worker.setup.network.costs_money
        return Checkpoints.NEVER if spares else wanted

    def _commit(self, segment: Segment, reached: int, peak_rss_bytes: int) -> None:
        placed = self._events.placed(replace(segment, stop_step=reached))
        self._events.record.add(placed, peak_rss_bytes)

    async def _fidelity(self, workload: Workload, step: int, target_db: float) -> Fidelity:
        """What a lossy codec may do to the state before `step`, so that this cut alone leaves `target_db`."""
        return await self._worker.fidelity(workload, step - 1, target_db)

    async def _step_here(self, event: SegmentEvent) -> None:
        """Of a segment on this node: the next step waits until its policy has looked."""
        await self._events.take(event)
        if isinstance(event, StepDone) and self._planner is not None:
            await self._planner.stepped(event, at_boundary=True)

    async def _step_there(self, event: JobEvent | SegmentEvent) -> None:
        """Of a segment on another node, which goes on meanwhile."""
        await self._events.take(event)
        if self._planner is None:
            return
        match event:
            case StepDone():
                await self._planner.stepped(event, at_boundary=False)
            case Hop():
                await self._planner.moved(event)
