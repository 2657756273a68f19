"""Serves segments on this node: admission, the steps one by one in the engine's thread, and hand-offs in both ways."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from eapg_split.codecs.base import DEFAULT_FIDELITY, Codec, Fidelity
from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.domain.telemetry import MAX_RESIDENT, LinkSight, Telemetry, reading
from eapg_split.domain.topology import Node, NodeId, Tier
from eapg_split.domain.workload import StageKind, Workload
from eapg_split.errors import (
    DeadlineExceeded,
    EapgError,
    EngineFailure,
    InvalidRequest,
    Unsupported,
)
from eapg_split.runtime.backlog import Backlog
from eapg_split.runtime.checkpoint import Checkpoint, KeptTensor
from eapg_split.runtime.engine import Engine
from eapg_split.runtime.events import Accepted, StepDone
from eapg_split.runtime.forwarding import Forwarder
from eapg_split.runtime.handoff import Declaration
from eapg_split.runtime.held import HeldStates
from eapg_split.runtime.kept import KeptResults, SegmentResult, way_back
from eapg_split.runtime.links import LinkRates, on_link
from eapg_split.runtime.memory import peak_resident_bytes, resident_bytes
from eapg_split.runtime.neighbours import Neighbours
from eapg_split.runtime.own_profile import OwnProfile, ProfileHome
from eapg_split.runtime.peer import Emit, NodeDescription, SegmentOrder
from eapg_split.runtime.places import Places
from eapg_split.runtime.preview import preview_frames
from eapg_split.runtime.recall import HandBack, Recall
from eapg_split.runtime.reception import Received, Reception
from eapg_split.runtime.serial_thread import SerialThread
from eapg_split.runtime.settings import Limits, Network
from eapg_split.runtime.state_checks import check_declaration, check_finite, check_spec
from eapg_split.runtime.telemetry.senses import Senses
from eapg_split.runtime.telemetry.source import NoSensors, OpenTelemetry

T = TypeVar("T")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerSetup:
    """Who the node is and what it works with; `open_engine` is called at first need, in the engine's thread."""

    node: NodeId
    tier: Tier
    version: Callable[[], str]
    codecs: Mapping[str, Codec]
    open_engine: Callable[[], Engine]
    limits: Limits
    price_per_s: float = 0.0
    open_telemetry: OpenTelemetry = NoSensors
    network: Network = field(default_factory=Network)
    profile_home: ProfileHome | None = None  # None keeps no profile on disk


@dataclass(frozen=True)
class Reached:
    """The state before `stop_step`, and on which terms it was handed back where that is not the order's."""

    state: Latent
    stop_step: int
    early: HandBack | None = None


class Worker:
    """One per daemon. All methods belong to one event loop."""

    def __init__(self, setup: WorkerSetup) -> None:
        self.setup = setup
        self.thread = SerialThread("engine")
        self.links = LinkRates(setup.node, setup.network)
        self._engine: Engine | None = None
        self.places = Places(setup.node, setup.limits)
        self.senses = Senses(setup.open_telemetry(self.thread.busy_s))
        self.backlog = Backlog()
        self.profile = OwnProfile(setup.node, setup.profile_home)
        self._resident: dict[str, None] = {}
        self._kept = KeptResults(setup.limits)
        self._held = HeldStates(setup.limits)
        self._serving: dict[Recall, SegmentOrder] = {}
        self.neighbours = Neighbours()  # to which it may hand a state on

    @property
    def running_sessions(self) -> int:
        """How many sessions have a segment in flight here."""
        return len(self.places)

    async def describe(self, *, brief: bool = False) -> NodeDescription:
        """What this node is and can do; `brief` asks no other node. Raises CorruptWeights without usable weights."""
        engine = await self.engine()
        further = () if brief else await self.neighbours.ids()
        setup = self.setup
        profile = self.profile.current or await self._call("profiling", lambda: self.profile.open(engine))
        return NodeDescription(
            node=Node(setup.node, setup.tier, "", (engine.kind,), tuple(setup.codecs)),
            version=setup.version(),
            fingerprint=engine.fingerprint,
            pid=os.getpid(),
            rss_bytes=resident_bytes(),
            peak_rss_bytes=peak_resident_bytes(),
            running_sessions=self.running_sessions,
            limits=setup.limits,
            profile=profile,
            price_per_s=setup.price_per_s,
            reaches=tuple(
                LinkSight(setup.node, node, self.links.bits_per_s(setup.node, node) or 0.0)
                for node in further
            ),
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
        )

    async def engine(self) -> Engine:
        """The engine, opened at the first call."""
        if self._engine is None:
            self._engine = await self._call("opening the engine", self._open)
        return self._engine

    async def prepare(self, order: SegmentOrder) -> None:
        """Loads the weights of a segment ahead of its hand-off."""
        workload = await self._unrolled(order)
        engine = await self.engine()
        await self._load(engine, workload.parts(order.start_step, order.stop_step))

    async def execute(
        self, order: SegmentOrder, state: Latent, emit: Emit, recall: Recall | None = None
    ) -> Reached:
        """The state after the segment's last step; `emit` gets each step, and previews when asked.

        Ends early, but not before its first step, where `recall` asks for it: also while `emit` has that step. When
        this is cancelled the engine ends its step and the session leaves nothing behind.
        """
        async with self.places.held(order), self._within(order):
            workload = await self._unrolled(order)
            check_spec(order, workload, state.spec)
            engine = await self.engine()
            await self._load(engine, workload.parts(order.start_step, order.stop_step))
            reached, early = order.start_step, None
            while reached < order.stop_step and early is None:
                state = await self._step(order, workload, reached, state, emit)
                reached += 1
                if recall is not None and (reached < order.stop_step or order.onward):
                    early = recall.ends_at(reached)
            check_finite(state, self.setup.node)
            return Reached(state, reached, None if early is None else replace(early, step=reached))

    def give_back(self) -> None:
        """Hands back, at their next step boundaries, the segments that run here for others."""
        for recall, order in self._serving.items():
            recall.ask(HandBack(0, order.result_codec, order.result_db))

    def kept(self, order: SegmentOrder, handoff: str) -> SegmentResult | None:
        """The result of that very hand-off, where it was computed already."""
        return self._kept.get(order, handoff)

    async def receive(self, order: SegmentOrder, declaration: Declaration, *, resume: bool) -> Reception:
        """What takes the state that the order begins with; with `resume` it may have some parts already.

        Refuses here, before any of it has come: CorruptPayload where it cannot be the right state, SessionNotFound
        where a tensor that is only named is not here any more.
        """
        workload = await self._unrolled(order)
        check_declaration(order, workload, declaration)
        self._codec(order.result_codec)
        for onward in order.onward:
            self._codec(onward.codec)
        begun = self._held.begun(order.session, declaration) if resume else None
        if begun is not None:
            return begun
        reception = Reception(
            declaration,
            self.setup.codecs,
            given=self._held.given(order.session, declaration),
            limit_bytes=self.setup.limits.payload_bytes,
            keep=bool(order.onward),  # what only passes through goes on as it came
        )
        self._held.begin(order.session, reception)
        return reception

    async def serve(
        self, order: SegmentOrder, reception: Reception, emit: Emit, recall: Recall | None = None
    ) -> SegmentResult:
        """Like `execute`, on a state that has come, with one to send; the same hand-off is computed once.

        `emit` gets Accepted first. Raises CorruptPayload where the state is not whole.
        """
        handoff = reception.declaration.id
        received = await reception.finish()
        kept = self._kept.get(order, handoff)
        async with self.places.held(order):
            await emit(Accepted(reception.seconds))
            if kept is not None:
                return kept
            with self._recallable(order, recall or Recall()) as serving:
                began = asyncio.get_running_loop().time()
                reached = await self.execute(order, Latent(received.arrays), emit, serving)
                compute_s = asyncio.get_running_loop().time() - began
                result = await self._result(order, received, reached, compute_s)
                if order.onward and reached.early is None:
                    # for the sender, should it ask for this segment alone because the further one was lost
                    self._kept.add(_alone(order), handoff, result)
                    result = await self._forwarded(order, received, reached, result, emit, serving)
        self._kept.add(order, handoff, result)
        return result

    async def _result(
        self, order: SegmentOrder, received: Received, reached: Reached, compute_s: float
    ) -> SegmentResult:
        terms = reached.early or HandBack(
            order.stop_step, _alone(order).result_codec, _alone(order).result_db
        )
        codec = await on_link(self._codec(terms.codec), order.result_link_bits_per_s or None)
        state = Latent(received.arrays)
        outgoing = way_back(codec, await self._permitted(order, terms), state, reached.state)
        # what a lossy codec makes of the result is known to the receiver only
        after = reached.state.values() if codec.lossless else ()
        await self._held.keep(order.session, [*state.values(), *after])
        return SegmentResult(outgoing, reached.stop_step, compute_s, peak_resident_bytes())

    async def _forwarded(
        self,
        order: SegmentOrder,
        received: Received,
        reached: Reached,
        own: SegmentResult,
        emit: Emit,
        recall: Recall,
    ) -> SegmentResult:
        """The result of the nodes after this one."""
        codecs, spec = self.setup.codecs, Latent(received.arrays).spec
        tensors = {
            each.name: KeptTensor(
                each, array=received.arrays[each.name], coded=received.encodings.get(each.name)
            )
            for each in spec.tensors
        }
        forwarder = Forwarder(self.setup.node, codecs, self.links, self.neighbours, self._permitted)
        before = Checkpoint(order.start_step, codecs, tensors)
        relayed = await forwarder.forward(order, before, reached.state, emit, recall)
        done = relayed.done
        arrays = [*received.arrays.values(), *reached.state.values(), *done.received.arrays.values()]
        await self._held.keep(order.session, arrays)
        return SegmentResult(
            relayed.outgoing,
            done.stop_step,
            own.compute_s + done.compute_s,
            own.peak_rss_bytes,
            {**done.further_peaks, order.onward[0].node: done.peak_rss_bytes},
        )

    async def frames(self, workload: Workload, state: Latent) -> AsyncIterator[NDArray[np.uint8]]:
        """Decodes the last state: RGB frames (height, width, 3), one by one."""
        engine = await self.engine()
        await self._load(engine, workload.parts(workload.steps - 1, workload.steps))
        frames = self.profile.decoded(workload, engine.decode(workload, state))
        while (frame := await self._call("decoding", lambda: next(frames, None))) is not None:
            yield frame

    async def unroll(self, request: Request) -> Workload:
        """The request as steps. Raises InvalidRequest beyond the documented bounds."""
        engine = await self.engine()
        return await self._call("unrolling", lambda: engine.unroll(request))

    async def fidelity(self, workload: Workload, step: int, quality_db: float) -> Fidelity:
        """What a lossy codec may do to the state after a step, by what these weights were measured to bear."""
        engine = await self.engine()
        return await self._call("looking up", lambda: engine.fidelity(workload, step, quality_db))

    @contextmanager
    def _recallable(self, order: SegmentOrder, recall: Recall) -> Iterator[Recall]:
        self._serving[recall] = order
        try:
            yield recall
        finally:
            del self._serving[recall]

    async def _permitted(self, order: SegmentOrder, terms: HandBack) -> Fidelity:
        """What the codec may do to the state before a step: the weights' own table says it on every node."""
        if self._codec(terms.codec).lossless or not terms.quality_db:
            return DEFAULT_FIDELITY
        workload = await self.unroll(order.request)
        return await self.fidelity(workload, terms.step - 1, terms.quality_db)

    async def _load(self, engine: Engine, parts: tuple[str, ...]) -> None:
        await self._call("loading weights", lambda: engine.prepare(parts))
        self._resident.update(dict.fromkeys(parts))

    async def _step(
        self, order: SegmentOrder, workload: Workload, step: int, state: Latent, emit: Emit
    ) -> Latent:
        engine = await self.engine()
        stage = workload.stage_of(step)
        loop = asyncio.get_running_loop()
        began = loop.time()
        after = await self._call(
            f"step {step} ({stage.name})",
            lambda: self.profile.timed(
                workload, step, lambda: engine.run_step(workload, step, state), first=step == order.start_step
            ),
        )
        setup, seconds = self.setup, loop.time() - began
        self.backlog.stepped(order.session, step, seconds)
        await emit(StepDone(setup.node, setup.tier, stage.name, step, workload.steps, seconds))
        if order.previews and stage.kind is StageKind.DENOISE and step + 1 == stage.stop_step:
            clip = await self._call("previewing", lambda: engine.preview(workload, step, after))
            for frame in preview_frames(stage.name, step, clip):
                await emit(frame)
        return after

    async def _unrolled(self, order: SegmentOrder) -> Workload:
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

    async def _call(self, doing: str, call: Callable[[], T]) -> T:
        """Runs in the engine's thread; whatever is not one of our errors is a failure of the engine."""
        try:
            return await self.thread.run(call)
        except EapgError as error:
            error.node_id = error.node_id or self.setup.node
            raise
        except Exception as error:
            _log.exception("the engine failed while %s", doing)
            raise EngineFailure(
                f"The engine of node {self.setup.node} failed while {doing} ({type(error).__name__}): its log"
                " has the details.",
                node_id=self.setup.node,
            ) from error

    def _open(self) -> Engine:
        return self._engine or self.setup.open_engine()

    def _codec(self, name: str) -> Codec:
        codec = self.setup.codecs.get(name)
        if codec is None:
            raise Unsupported(
                f"Node {self.setup.node} does not know the codec {name[:32]!r}; it has"
                f" {', '.join(self.setup.codecs)}.",
                node_id=self.setup.node,
            )
        return codec


def _alone(order: SegmentOrder) -> SegmentOrder:
    """The same segment without what comes after it."""
    if not order.onward:
        return order
    first = order.onward[0]
    return replace(order, onward=(), result_codec=first.codec, result_db=first.quality_db)
