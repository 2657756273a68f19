"""Tells what a job sees of its nodes and links while it runs, where its owner wants to know."""

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from eapg_split.domain.telemetry import RANGES, Telemetry
from eapg_split.domain.topology import Ends, NodeId
from eapg_split.domain.workload import Workload
from eapg_split.planner.knowledge import NodeKnowledge
from eapg_split.planner.priors import assumed_link
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.job_events import JobEvents
from eapg_split.runtime.observed import (
    LinkBelieved,
    NodeBack,
    NodeDescribed,
    NodeLost,
    StageSeconds,
    TelemetryHeard,
)
from eapg_split.runtime.survey import ages_s, heard_by
from eapg_split.runtime.views import LiveViews
from eapg_split.runtime.watch import NodeWatch

_EVERY_S: Final = 1.0
_MOVED: Final = 0.05  # a share of a link's rate or of a reading, below which it has not changed
_MOST_RATE: Final = 1e12  # bits/s, as the log has no larger number
# In the reading's own unit: what is less is noise.
_STEPS: Final[Mapping[str, float]] = {
    "charge": 0.005,
    "plugged": 0.5,
    "power_w": 0.25,
    "temperature_c": 0.5,
    "headroom": 0.02,
    "clock_ratio": 0.02,
    "load": 0.1,
    "memory_free_bytes": 64e6,
    "queue_s": 0.25,
    "sessions": 0.5,
}


class Surroundings:
    """One per job; says nothing unless `wanted`."""

    def __init__(self, cluster: Cluster, events: JobEvents, *, wanted: bool) -> None:
        self.wanted = wanted
        self._cluster = cluster
        self._events = events
        self._looks: dict[NodeId, TelemetryHeard] = {}
        self._rates: dict[Ends, float] = {}

    async def lost(self, nodes: Iterable[NodeId], reason: str) -> None:
        """The job goes on without these nodes."""
        if self.wanted:
            for node in sorted(nodes):
                await self._events.emit(NodeLost(node, reason, self._events.since_start()))

    async def back(self, nodes: Iterable[NodeId]) -> None:
        """These may be used again."""
        if self.wanted:
            for node in nodes:
                await self._events.emit(NodeBack(node, self._events.since_start()))

    @asynccontextmanager
    async def told(
        self, workload: Workload, views: LiveViews, watch: NodeWatch | None
    ) -> AsyncIterator[None]:
        """Describes the nodes and links now, and tells what changes as long as the block lasts."""
        if not self.wanted:
            yield
            return
        for node in self._cluster.topology.nodes:
            await self._events.emit(self._described(node.id, workload))
        await self._tell(views, watch)
        telling = asyncio.create_task(self._keep_telling(views, watch))
        try:
            yield
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)
        await self._tell(views, watch)

    async def _keep_telling(self, views: LiveViews, watch: NodeWatch | None) -> None:
        while True:
            await asyncio.sleep(_EVERY_S)
            await self._tell(views, watch)

    async def _tell(self, views: LiveViews, watch: NodeWatch | None) -> None:
        for probed in views.probed():
            await self._events.take(probed)
        for link in self._links(views, watch):
            await self._events.emit(link)
        for node in self._cluster.topology.nodes:
            look = None if watch is None else watch.latest(node.id)
            if look is not None:
                await self._look(node.id, look)

    async def _look(self, node: NodeId, look: Telemetry) -> None:
        readings = {name: max(0.0, known.value) for name in RANGES if (known := getattr(look, name)).known}
        now = TelemetryHeard(node, readings, look.resident, look.draining, self._events.since_start())
        before = self._looks.get(node)
        if before is None or _changed(before, now):
            self._looks[node] = now
            await self._events.emit(now)

    def _described(self, node: NodeId, workload: Workload) -> NodeDescribed:
        said = self._cluster.description(node)
        knowledge = NodeKnowledge(profile=said.profile)
        costs = {stage.name: knowledge.cost(stage.name, said.node.tier) for stage in workload.stages}
        return NodeDescribed(
            node=node,
            tier=said.node.tier,
            engine=", ".join(said.node.engines),
            memory_bytes=said.node.memory_bytes or 0,
            price_per_s=said.price_per_s,
            stages=tuple(
                StageSeconds(
                    stage.name,
                    costs[stage.name].seconds(stage.flops_per_step),
                    costs[stage.name].entry_seconds(stage.entry_flops),
                    costs[stage.name].load_s,
                    costs[stage.name].joules_per_s or 0.0,
                    costs[stage.name].uncertain,
                )
                for stage in workload.stages
            ),
            at_s=self._events.since_start(),
        )

    def _links(self, views: LiveViews, watch: NodeWatch | None) -> Iterable[LinkBelieved]:
        """Those whose rate is not the one that was told last; the device's own are told once, then by their samples."""
        topology = self._cluster.topology
        device, links = topology.device.id, views.routes.links()
        relayed = frozenset(ends for ends in links if device not in ends and views.routes.relayed(*ends))
        ages = ages_s(self._cluster, heard_by(watch, topology) if watch is not None else {}, relayed)
        for (source, target), estimate in links.items():
            found = estimate or assumed_link(topology.node(source).tier, topology.node(target).tier)
            told = self._rates.get((source, target))
            still = told is not None and abs(math.log(found.bits_per_s / told)) <= _MOVED
            if still or (told is not None and device in (source, target)):
                continue
            self._rates[source, target] = found.bits_per_s
            age_s = ages.get((source, target), math.inf)
            yield LinkBelieved(
                source,
                target,
                min(_MOST_RATE, found.bits_per_s),
                0.0 if math.isnan(found.rtt_s) else found.rtt_s,
                found.sigma,
                known=math.isfinite(age_s),
                age_s=age_s if math.isfinite(age_s) else 0.0,
                relayed=(source, target) in relayed,
                at_s=self._events.since_start(),
            )


def _changed(before: TelemetryHeard, now: TelemetryHeard) -> bool:
    if (before.draining, before.resident) != (now.draining, now.resident):
        return True
    if before.readings.keys() != now.readings.keys():
        return True
    return any(
        abs(value - before.readings[name]) > max(_STEPS[name], _MOVED * abs(before.readings[name]))
        for name, value in now.readings.items()
    )
