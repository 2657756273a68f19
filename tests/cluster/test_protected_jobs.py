"""Jobs over daemons that ask who calls: the same video, with and without a node that refuses."""

import json
from contextlib import aclosing
from pathlib import Path

import pytest

from eapg_split.domain.request import Request
from eapg_split.rpc.job_client import JobOptions, generate
from eapg_split.rpc.local_credentials import Protection
from eapg_split.rpc.local_topology import LocalTopology, local_topology
from eapg_split.rpc.tokens import read_rows, write_rows
from eapg_split.runtime.events import JobDone, JobEvent, Notice, StepDone
from tests.daemons import FAST

pytestmark = pytest.mark.cluster

REQUEST = Request("A cat running", seconds=0.5, fps=8, width=64, height=64, steps=(2, 2, 2, 2))
SLOW = "tests.toy_engine:open_slow_engine"
OPTIONS = JobOptions(policy="pyramid", suffix="")


async def events_of(topology: LocalTopology) -> list[JobEvent]:
    events = generate(topology.device_address, REQUEST, OPTIONS, access=topology.access)
    async with aclosing(events):
        return [event async for event in events]


def video_of(events: list[JobEvent]) -> str:
    assert isinstance(events[-1], JobDone)
    return events[-1].frames_sha256


def nodes_of(events: list[JobEvent]) -> set[str]:
    return {event.node for event in events if isinstance(event, StepDone)}


def revoke(book: Path, *names: str) -> None:
    """The daemons see the change at the next call."""
    write_rows(book, [row for row in read_rows(book) if row.name not in names])


async def test_every_protection_makes_the_same_video() -> None:
    videos = set()
    for protection in Protection:
        async with local_topology(engine=FAST, protection=protection) as topology:
            events = await events_of(topology)
            assert nodes_of(events) == {"device", "edge", "cloud"}
            videos.add(video_of(events))
    assert len(videos) == 1


async def test_a_job_goes_on_without_nodes_that_refuse_it_and_says_why() -> None:
    async with local_topology(engine=FAST, protection=Protection.TOKENS) as topology:
        whole = await events_of(topology)
        revoke(topology.logs / "certs" / "tokens.json", "device")
        events = await events_of(topology)
        told = [event.text for event in events if isinstance(event, Notice)]
        assert any("does not know the token" in text for text in told), told
        assert nodes_of(events) == {"device"}
        assert video_of(events) == video_of(whole)


async def test_a_node_that_begins_to_refuse_counts_as_lost() -> None:
    async with local_topology(engine=SLOW, protection=Protection.TOKENS) as topology:
        book = topology.logs / "certs" / "tokens.json"
        events: list[JobEvent] = []
        async with aclosing(
            generate(topology.device_address, REQUEST, OPTIONS, access=topology.access)
        ) as job:
            async for event in job:
                if not events:
                    revoke(book, "device")
                events.append(event)
        assert isinstance(events[-1], JobDone)
        assert json.loads(book.read_text())["tokens"]
        assert nodes_of(events) == {"device"}
