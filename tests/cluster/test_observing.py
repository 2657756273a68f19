"""One job over three real daemons, as those see it who watch: metrics, a trace and logs, with nothing private."""

import asyncio
import json
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio
from prometheus_client.parser import text_string_to_metric_families

from eapg_split.domain.request import Request
from eapg_split.errors import InvalidRequest
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.rpc.job_client import JobOptions, generate
from eapg_split.rpc.local_topology import local_topology
from eapg_split.runtime.events import JobDone, PlanMade, StepDone
from tests.daemons import FAST

pytestmark = [pytest.mark.cluster, pytest.mark.asyncio(loop_scope="module")]

SECRET = "A cat running, and what nobody else may read"
REQUEST = Request(SECRET, seconds=0.5, fps=8, width=64, height=64, steps=(2, 2, 2, 2))
Lines = list[dict[str, object]]


@dataclass(frozen=True)
class Watched:
    """What a job left behind with those who watched it."""

    done: JobDone
    session: str
    steps: tuple[StepDone, ...]
    pages: dict[str, str]
    spans: Lines
    logs: dict[str, Lines]
    folder: Path

    def samples(self, node: str, name: str) -> dict[tuple[str, ...], float]:
        """The values of one metric of a node, by its labels in the order of their names."""
        families = text_string_to_metric_families(self.pages[node])
        return {
            tuple(sample.labels.values()): sample.value
            for family in families
            for sample in family.samples
            if sample.name == f"eapg_split_{name}"
        }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def watched(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Watched]:
    folder = tmp_path_factory.mktemp("watched")
    traces = folder / "spans.jsonl"
    flags = [
        "--metrics",
        "127.0.0.1:0",
        "--traces",
        f"file:{traces}",
        "--log-format",
        "json",
        "--log-level",
        "debug",
    ]
    async with local_topology(engine=FAST, device_options=flags, other_options=flags) as topology:
        options = JobOptions(policy="pyramid", suffix="", checkpoints=Checkpoints.ALWAYS)
        async with (
            asyncio.timeout(30),
            aclosing(generate(topology.device_address, REQUEST, options)) as events,
        ):
            told = [event async for event in events]
        with pytest.raises(InvalidRequest):
            await anext(generate(topology.device_address, REQUEST, replace(options, policy="magic")))
        pages = {name: await asyncio.to_thread(_page, node.metrics) for name, node in topology.nodes.items()}
        logs = {
            name: [json.loads(line) for line in (topology.logs / f"{name}.log").read_text().splitlines()]
            for name in topology.nodes
        }
    (plan,) = (event for event in told if isinstance(event, PlanMade))
    done = told[-1]
    assert isinstance(done, JobDone)
    spans = [json.loads(line) for line in traces.read_text().splitlines()]
    steps = tuple(event for event in told if isinstance(event, StepDone))
    yield Watched(done, plan.session, steps, pages, spans, logs, folder)


def _page(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as answer:
        return str(answer.read().decode())


async def test_the_metrics_of_all_nodes_together_are_the_job(watched: Watched) -> None:
    moved: Counter[tuple[str, ...]] = Counter()
    crossed: Counter[tuple[str, ...]] = Counter()
    for node in watched.pages:
        moved.update({ends: int(value) for ends, value in watched.samples(node, "link_bytes_total").items()})
        crossed.update(
            {ends: int(value) for ends, value in watched.samples(node, "handoff_seconds_count").items()}
        )
        ran = Counter((step.stage,) for step in watched.steps if step.node == node)
        assert watched.samples(node, "step_seconds_count") == ran
        assert watched.samples(node, "failures_total") == {}
        assert watched.samples(node, "sessions") == {(): 0.0}
    hops = watched.done.hops
    assert len(hops) == 4
    assert moved == {(hop.source, hop.target): hop.wire_bytes for hop in hops}
    assert crossed == Counter((hop.source, hop.target) for hop in hops)
    assert watched.samples("device", "jobs_total") == {("done",): 1.0}
    assert watched.samples("device", "jobs_running") == {(): 0.0}
    assert watched.samples("device", "refusals_total") == {("Generate", "InvalidRequest"): 1.0}
    assert watched.samples("cloud", "segments_total") == {("done", "served"): 1.0}


async def test_a_job_is_one_trace_over_its_nodes(watched: Watched) -> None:
    spans = {str(span["span_id"]): span for span in watched.spans}
    assert len({span["trace_id"] for span in watched.spans}) == 1
    assert {span["session"] for span in watched.spans} == {watched.session}
    assert not any("error" in span for span in watched.spans)

    def line(span: dict[str, object]) -> list[str]:
        above = spans.get(str(span["parent_id"]))
        return [*(line(above) if above else []), f"{span['name']}@{span['node']}"]

    lines = {tuple(line(span)) for span in watched.spans}
    there = ("job@device", "segment@device", "serve@edge", "segment@edge", "serve@cloud")
    assert {there[:count] for count in range(1, 6)} <= lines
    for depth, node, kinds in (
        (2, "device", {"encode", "wire", "step", "decode"}),
        (3, "edge", {"decode", "step", "segment"}),
        (4, "edge", {"encode", "wire", "decode"}),
        (5, "cloud", {"decode", "step", "encode"}),
    ):
        below = {path[depth] for path in lines if path[:depth] == there[:depth] and len(path) == depth + 1}
        assert {f"{kind}@{node}" for kind in kinds} <= below
    steps = {(span["node"], span["stage"], span["step"]) for span in watched.spans if span["name"] == "step"}
    assert steps == {(step.node, step.stage, step.step) for step in watched.steps}
    assert all(
        span["stage"] for span in watched.spans if span["name"] in ("encode", "wire", "decode", "step")
    )
    wires = Counter(
        (span["source"], span["target"], span["bytes"]) for span in watched.spans if span["name"] == "wire"
    )
    assert wires == Counter((hop.source, hop.target, hop.wire_bytes) for hop in watched.done.hops)


async def test_states_that_came_home_early_are_told_of(watched: Watched) -> None:
    saved = [span for span in watched.spans if (span["name"], span["node"]) == ("checkpoint", "device")]
    counted = watched.samples("device", "checkpoint_bytes_total")
    assert len(saved) == watched.done.checkpoints > 0
    assert counted == {("edge", "device"): sum(int(str(span["bytes"])) for span in saved)}


async def test_every_line_of_the_logs_names_its_node_and_those_of_a_job_its_session(watched: Watched) -> None:
    for node, lines in watched.logs.items():
        assert {line["node"] for line in lines} == {node}
        assert {line["level"] for line in lines} <= {"debug", "info"}
        spans = [line for line in lines if line["logger"] == "eapg_split.spans"]
        told = [line for line in spans if line["message"] != "refused"]
        assert len(spans) - len(told) == (1 if node == "device" else 0)
        assert {line["session"] for line in told} == {watched.session}
        assert ("job" if node == "device" else "serve") in {line["message"] for line in told}
        assert {line["trace_id"] for line in told} == {watched.spans[0]["trace_id"]}


async def test_nothing_private_is_told(watched: Watched) -> None:
    """No prompt anywhere, no session in what is kept for long, no path of anybody's files."""
    logs = "".join(json.dumps(line, ensure_ascii=False) for lines in watched.logs.values() for line in lines)
    spans = json.dumps(watched.spans, ensure_ascii=False)
    for text in (*watched.pages.values(), logs, spans):
        assert SECRET not in text
        assert str(watched.folder) not in text
        assert "nobody else" not in text
    assert not any(watched.session in page for page in watched.pages.values())
