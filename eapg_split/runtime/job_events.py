"""What a job tells: events with their moments counted from the job's start, and the record for its end."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from eapg_split.domain.plan import Segment
from eapg_split.runtime.cluster import Cluster
from eapg_split.runtime.events import (
    Accepted,
    Acknowledged,
    CheckpointCame,
    CheckpointKept,
    Goodput,
    Hop,
    JobEvent,
    Notice,
    Passage,
    PlacedSegment,
    PlanReviewed,
    Returning,
    SegmentEvent,
    StepDone,
)
from eapg_split.runtime.job import JobRecord
from eapg_split.runtime.observed import LinkProbed, RoundTrip


class JobEvents:
    """One per job; its clock started at `began_s` of the loop's, or starts when it is made, in the event loop."""

    def __init__(
        self, cluster: Cluster, emit: Callable[[JobEvent], Awaitable[None]], began_s: float | None = None
    ) -> None:
        self.emit = emit
        self.record = JobRecord()
        self._cluster = cluster
        self._began_s = asyncio.get_running_loop().time() if began_s is None else began_s

    def since_start(self) -> float:
        """Seconds since the job began."""
        return asyncio.get_running_loop().time() - self._began_s

    async def take(self, event: JobEvent | SegmentEvent) -> None:
        """Tells it, unless it is of the way alone; its moments are those of the loop's clock."""
        match event:
            case Accepted() | Acknowledged() | Returning() | Passage() | CheckpointCame():
                return
            case StepDone():
                event = replace(event, start_s=max(0.0, self.since_start() - event.seconds))
            case PlanReviewed():
                if event.outcome == "replace":
                    self._cluster.worker.setup.instruments.replanned(event.trigger)
                event = replace(event, at_s=self.since_start())
            case Goodput():
                event = replace(event, at_s=event.at_s - self._began_s)
            case LinkProbed() | RoundTrip():
                event = replace(event, at_s=max(0.0, event.at_s - self._began_s))
            case CheckpointKept():
                event = replace(event, at_s=event.at_s - self._began_s)
                self.record.checkpoints += 1
                self.record.checkpoint_bytes += event.wire_bytes
            case Hop():
                event = replace(event, start_s=max(0.0, event.start_s - self._began_s))
                self.record.hops.append(event)
        await self.emit(event)

    async def say(self, sentence: str) -> None:
        """A notice, unless there is nothing to say."""
        if sentence:
            await self.emit(Notice(sentence))

    def placed(self, segment: Segment) -> PlacedSegment:
        """A segment with the tier of its node."""
        tier = self._cluster.topology.node(segment.node).tier
        return PlacedSegment(segment.node, tier, segment.start_step, segment.stop_step)
