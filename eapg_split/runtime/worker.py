"""Serves segments on this node: admission, the steps one by one in the engine's thread, and hand-offs in both ways."""

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from eapg_split.codecs.base import Codec, Fidelity
from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.domain.telemetry import MAX_RESIDENT, LinkSight, Telemetry, reading
from eapg_split.domain.topology import Node
from eapg_split.domain.workload import StageKind, Workload
from eapg_split.errors import (
    CapacityExceeded,
    DeadlineExceeded,
    EapgError,
    EngineFailure,
    InvalidRequest,
    Unsupported,
)
from eapg_split.planner.link_rates import LinkRates
from eapg_split.runtime.backlog import Backlog
from eapg_split.runtime.engine import Engine
from eapg_split.runtime.events import StepDone
from eapg_split.runtime.handoff_spans import HandoffSpans
from eapg_split.runtime.instruments import Kind, Span
from eapg_split.runtime.memory import peak_resident_bytes, resident_bytes, usable_bytes
from eapg_split.runtime.neighbours import Neighbours
from eapg_split.runtime.own_profile import OwnProfile
from eapg_split.runtime.peer import Emit, NodeDescription, SegmentOrder
from eapg_split.runtime.places import Places
from eapg_split.runtime.preview import preview_frames
from eapg_split.runtime.recall import Reached, Recall
from eapg_split.runtime.room import Room
from eapg_split.runtime.serial_thread import SerialThread
from eapg_split.runtime.serving import Serving
from eapg_split.runtime.state_checks import check_finite, check_spec
from eapg_split.runtime.telemetry.senses import Senses
from eapg_split.runtime.turns import Turn
from eapg_split.runtime.worker_setup import WorkerSetup

T = TypeVar("T")
_DECODING: Final[Turn] = ("", "")  # of this node's own jobs
_log = logging.getLogger(__name__)


class Worker:
    """One per daemon. All methods belong to one event loop."""

    def __init__(self, setup: WorkerSetup) -> None:
        self.setup = setup
        self.thread = SerialThread("engine")
        self.links = LinkRates(setup.node, setup.network, clock=time.monotonic)
        self._engine: Engine | None = None
        self.senses = Senses(setup.open_telemetry(self.thread.busy_s))
        self.backlog = Backlog()
        self.places = Places(setup.node, setup.limits, self.backlog.retry_after_s)
        self.memory_bytes = setup.limits.memory_bytes or usable_bytes()
        self.room = Room(setup.node, self.memory_bytes, setup.limits.in_flight_bytes)
        self.profile = OwnProfile(setup.node, setup.profile_home)
        self._resident: dict[str, None] = {}
        self.neighbours = Neighbours()  # to which it may hand a state on
        self.serving = Serving(self)

    @property
    def running_sessions(self) -> int:
        """How many sessions have a segment in flight here."""
        return len(self.places)

    async def describe(self, *, brief: bool = False) -> NodeDescription:
        """What this node is and can do; `brief` asks no other node. Raises CorruptWeights without usable weights."""
        engine = await self.engine()
        further = () if brief else await self.neighbours.ids()
        telemetry = None if brief else await self.telemetry()
        setup = self.setup
        profile = self.profile.current or await self._call("profiling", lambda: self.profile.open(engine))
        return NodeDescription(
            node=Node(setup.node, setup.tier, "", (engine.kind,), tuple(setup.codecs), self.memory_bytes),
            version=setup.version(),
            fingerprint=engine.fingerprint,
            pid=os.getpid(),
            rss_bytes=resident_bytes(),
            peak_rss_bytes=peak_resident_bytes(),
            running_sessions=self.running_sessions,
            draining=self.places.closed,
            limits=setup.limits,
            profile=profile,
            price_per_s=setup.price_per_s,
            reaches=tuple(
                LinkSight(setup.node, node, self.links.bits_per_s(setup.node, node) or 0.0)
                for node in further
            ),
            telemetry=telemetry,
        )

    async def telemetry(self) -> Telemetry:
        """How this node is now; `at_s` is on the loop's clock."""
        look = await self.senses.look()
        self.profile.saw_clock(look.clock_ratio.or_else(1.0))
        return replace(
            look,
            at_s=asyncio.get_running_loop().time(),
            queue_s=self.backlog.queue_s(self.places.sessions),
            sessions=reading("sessions", self.running_sessions),
            resident=tuple(self._resident)[:MAX_RESIDENT],
            links=self.links.sights(),
            draining=self.places.closed,
        )

    def drain(self) -> None:
        """Takes no segment of others from now on, and hands back those that run at their next step boundaries."""
        self.places.close()
        self.serving.give_back()

    async def engine(self) -> Engine:
        """The engine, opened at the first call."""
        if self._engine is None:
            self._engine = await self._call("opening the engine", self._open)
        return self._engine

    async def prepare(self, order: SegmentOrder) -> None:
        """Loads the weights of a segment ahead of its hand-off."""
        workload = await self.checked(order)
        engine = await self.engine()
        await self._load(engine, workload.parts(order.start_step, order.stop_step), _turn_of(order))

    async def execute(
        self,
        order: SegmentOrder,
        state: Latent,
        emit: Emit,
        recall: Recall | None = None,
        *,
        reached_state: Callable[[int, Latent], None] = lambda step, state: None,
    ) -> Reached:
        """The state after the segment's last step; `emit` gets each step, and previews when asked.

        `reached_state` is told the state before each further step, the segment's stop included; it must not wait.

        Ends early, but not before its first step, where `recall` asks for it: also while `emit` has that step. When
        this is cancelled the engine ends its step and the session leaves nothing behind.
        """
        async with self.places.held(order), self._within(order):
            workload = await self.checked(order)
            check_spec(order, workload, state.spec)
            engine = await self.engine()
            await self._load(engine, workload.parts(order.start_step, order.stop_step), _turn_of(order))
            reached, early = order.start_step, None
            while reached < order.stop_step and early is None:
                state = await self._step(order, workload, reached, state, emit)
                reached += 1
                reached_state(reached, state)
                if recall is not None and (reached < order.stop_step or order.onward):
                    early = recall.ends_at(reached)
            check_finite(state, self.setup.node)
            return Reached(state, reached, None if early is None else replace(early, step=reached))

    async def frames(self, workload: Workload, state: Latent) -> AsyncIterator[NDArray[np.uint8]]:
        """Decodes the last state: RGB frames (height, width, 3), one by one."""
        engine = await self.engine()
        await self._load(engine, workload.parts(workload.steps - 1, workload.steps), _DECODING)
        frames = self.profile.decoded(workload, engine.decode(workload, state))
        while (frame := await self._call("decoding", lambda: next(frames, None), _DECODING)) is not None:
            yield frame

    async def unroll(self, request: Request) -> Workload:
        """The request as steps. Raises InvalidRequest beyond the documented bounds."""
        engine = await self.engine()
        return await self._call("unrolling", lambda: engine.unroll(request))

    async def fidelity(self, workload: Workload, step: int, quality_db: float) -> Fidelity:
        """What a lossy codec may do to the state after a step, by what these weights were measured to bear."""
        engine = await self.engine()
        return await self._call("looking up", lambda: engine.fidelity(workload, step, quality_db))

    async def _load(self, engine: Engine, parts: tuple[str, ...], turn: Turn) -> None:
        await self._call("loading weights", lambda: engine.prepare(parts), turn)
        self._resident.update(dict.fromkeys(parts))

    async def _step(
        self, order: SegmentOrder, workload: Workload, step: int, state: Latent, emit: Emit
    ) -> Latent:
        engine = await self.engine()
        stage = workload.stage_of(step)
        loop = asyncio.get_running_loop()
        began = loop.time()
        with self.setup.instruments.span(Span(Kind.STEP, order.session, step, stage=stage.name)):
            after, computed_s = await self._call(
                f"computing step {step} ({stage.name})",
                lambda: self.profile.timed(
                    workload,
                    step,
                    lambda: engine.run_step(workload, step, state),
                    first=step == order.start_step,
                ),
                _turn_of(order),
            )
        setup, seconds = self.setup, loop.time() - began
        self.backlog.stepped(order.session, step, computed_s)  # its wait for other steps is in theirs
        await emit(StepDone(setup.node, setup.tier, stage.name, step, workload.steps, seconds))
        if order.previews and stage.kind is StageKind.DENOISE and step + 1 == stage.stop_step:
            clip = await self._call(
                "previewing", lambda: engine.preview(workload, step, after), _turn_of(order)
            )
            for frame in preview_frames(stage.name, step, clip):
                await emit(frame)
        return after

    async def checked(self, order: SegmentOrder) -> Workload:
        """The workload, after checking that this node may and can run the order's steps of it."""
        engine = await self.engine()
        if order.fingerprint != engine.fingerprint:
            raise Unsupported(
                f"Node {self.setup.node} has weights {engine.fingerprint[:12]} and the job was planned with"
                f" {order.fingerprint[:12]}: install the same version on every node.",
                node_id=self.setup.node,
            )
        workload = await self.unroll(order.request)
        last = order.onward[-1].stop_step if order.onward else order.stop_step
        if not 0 <= order.start_step < order.stop_step <= last < workload.steps:
            raise InvalidRequest(
                f"Steps {order.start_step} to {last} are not a segment of this workload, whose"
                f" steps before decoding are 0 to {workload.steps - 1}."
            )
        first = workload.stage_of(order.start_step)
        if first.kind is StageKind.TEXT and order.request.prompt_withheld:
            raise InvalidRequest(
                "The text step needs the prompt, which was withheld: send it or run it elsewhere."
            )
        self.backlog.expect(order.session, workload, order.start_step, order.stop_step)
        return workload

    @asynccontextmanager
    async def _within(self, order: SegmentOrder) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout_at(order.deadline.when):
                yield
        except TimeoutError as error:
            raise DeadlineExceeded(
                "The job's deadline passed: give it more time, fewer steps or a smaller video.",
                session_id=order.session,
            ) from error

    async def _call(self, doing: str, call: Callable[[], T], turn: Turn | None = None) -> T:
        """Runs in the engine's thread; whatever is not one of our errors is a failure of the engine."""
        try:
            return await self.thread.run(call, turn)
        except EapgError as error:
            error.node_id = error.node_id or self.setup.node
            raise
        except MemoryError as error:
            raise CapacityExceeded(
                f"Node {self.setup.node} ran out of memory while {doing}: give it more, or place the work elsewhere.",
                node_id=self.setup.node,
            ) from error
        except Exception as error:
            _log.exception("the engine failed while %s", doing)
            raise EngineFailure(
                f"The engine of node {self.setup.node} failed while {doing} ({type(error).__name__}): its log"
                " has the details.",
                node_id=self.setup.node,
            ) from error

    def _open(self) -> Engine:
        return self._engine or self.setup.open_engine()

    def handoff_spans(self, session: str) -> HandoffSpans:
        """What notes the states that come and go for a session whose order was checked here."""
        return HandoffSpans(
            self.setup.instruments, session, lambda step: self.backlog.stage_at(session, step)
        )

    def codec(self, name: str) -> Codec:
        """The codec of that name. Raises Unsupported."""
        codec = self.setup.codecs.get(name)
        if codec is None:
            raise Unsupported(
                f"Node {self.setup.node} does not know the codec {name[:32]!r}; it has"
                f" {', '.join(self.setup.codecs)}.",
                node_id=self.setup.node,
            )
        return codec


def _turn_of(order: SegmentOrder) -> Turn:
    """For whom the engine works on an order."""
    return order.caller, order.session
