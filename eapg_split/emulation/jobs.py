"""One job of an emulation: asked for as anybody would ask, and what its events come to."""

import math
from collections.abc import Sequence
from contextlib import aclosing
from typing import Final

from eapg_split.domain.request import Privacy, Request
from eapg_split.domain.topology import NodeId
from eapg_split.emulation.clock import Clock
from eapg_split.emulation.network import Network
from eapg_split.errors import DeadlineExceeded, EapgError
from eapg_split.rpc.job_client import JobOptions, generate
from eapg_split.runtime.events import CheckpointKept, Hop, JobEvent, PlanMade, StepDone
from eapg_split.runtime.settings import PeerAddress
from simulations.node_specs import NodeSpec
from simulations.outcomes import End, Outcome, Placed, switches
from simulations.world import Demand, Layout

_SUFFIX: Final = ".gif"  # black frames: what coding them takes says nothing
_TINY: Final = Request(
    "A cat running", seconds=0.5, width=64, height=64, steps=(1, 1, 1, 1), privacy=Privacy.ANY
)


async def run_job(
    outcome: Outcome, demand: Demand, policy: str, layout: Layout, where: tuple[Network, Clock]
) -> None:
    """Runs a job on the device that the outcome names, and fills the outcome; cancelled, it stays open.

    Energy and money are what the simulator's models make of the seconds and bytes that were measured.
    """
    network, clock = where
    tally = Tally(outcome, {spec.id: spec for spec in layout.nodes})
    wishes = demand.objective
    deadline_s = 0.0 if demand.deadline_s == math.inf else demand.deadline_s
    options = JobOptions(
        policy=policy, codec=wishes.codec, suffix=_SUFFIX, deadline_s=deadline_s, wishes=wishes
    )
    address = network.outside(outcome.device)
    try:
        events = generate(address, demand.workload.request, options, access=network.access)
        async with aclosing(events):
            async for event in events:
                tally.take(event)
        outcome.end = End.DONE
    except DeadlineExceeded as error:
        outcome.end, outcome.why = End.LATE, error.message
    except EapgError as error:
        outcome.end, outcome.why = End.FAILED, error.message
    finally:
        outcome.ended_s = clock.now_s
        tally.close()


async def warm_up(device: NodeId, others: Sequence[NodeSpec], network: Network) -> None:
    """A tiny job on the device alone, and one on each of the others: a daemon's first one loads what later ones find.

    They are too small to say anything of a link.
    """
    await _tiny(device, network, JobOptions(policy="device-only", suffix=_SUFFIX))
    for other in others:
        peers = (PeerAddress(other.id, network.address(device, other.id)),)
        await _tiny(device, network, JobOptions(policy="pyramid", codec="auto", suffix=_SUFFIX, peers=peers))


async def _tiny(device: NodeId, network: Network, options: JobOptions) -> None:
    events = generate(network.outside(device), _TINY, options, access=network.access)
    async with aclosing(events):
        async for _ in events:
            pass


class Tally:
    """What a job's events come to, in the terms of a simulated job's."""

    def __init__(self, outcome: Outcome, specs: dict[NodeId, NodeSpec]) -> None:
        self._outcome, self._specs = outcome, specs
        self._device = specs[outcome.device]
        self._placed: Placed = ()

    def take(self, event: JobEvent) -> None:
        """The next event."""
        match event:
            case StepDone():
                self._step(event)
            case Hop():
                self._moved(event.source, event.target, event.wire_bytes, event.seconds)
            case CheckpointKept():
                self._moved(event.node, self._device.id, event.wire_bytes, event.seconds)
            case PlanMade():
                self._plan(event)

    def close(self) -> None:
        """The job has ended: what its device drew while it waited."""
        self._outcome.energy_j += self._device.watts[1] * self._outcome.latency_s

    def _step(self, event: StepDone) -> None:
        outcome, node = self._outcome, self._specs[NodeId(event.node)]
        outcome.money += event.seconds * node.price_per_s
        if node is self._device:
            active_w, idle_w = node.watts
            outcome.energy_j += (active_w - idle_w) * event.seconds
        if not outcome.nodes or outcome.nodes[-1] != node.id:
            outcome.nodes.append(node.id)

    def _moved(self, source: str, target: str, size_bytes: int, seconds: float) -> None:
        device = self._device
        self._outcome.sent_bytes += size_bytes
        if source == device.id:
            self._outcome.energy_j += device.radio.sending.joules(size_bytes, seconds)
        elif target == device.id:
            self._outcome.energy_j += device.radio.receiving.joules(size_bytes, seconds)

    def _plan(self, event: PlanMade) -> None:
        placed = tuple((part.node, part.stop_step) for part in event.segments)
        self._outcome.switches += switches(self._placed, placed, event.segments[0].start_step)
        self._placed = placed
