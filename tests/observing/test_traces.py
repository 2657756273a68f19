"""Traces: what belongs to what, where they go, and what happens when they cannot."""

import asyncio
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from eapg_split.errors import InvalidRequest, NodeUnavailable, Unsupported
from eapg_split.observing import traces
from eapg_split.observing.traces import SpanFile, SpanRecord, Traces, open_sink
from eapg_split.runtime.instruments import Kind, Span, belonging_to, traceparent

JOB = Span(Kind.JOB, "s1")
STEP = Span(Kind.STEP, "s1", 3, stage="stage1")
WIRE = Span(Kind.WIRE, "s1", 5, stage="stage3", source="a", target="b", codec="clean", bytes=7)


class Kept:
    """Keeps what it takes."""

    def __init__(self) -> None:
        self.records: list[SpanRecord] = []

    def take(self, record: SpanRecord) -> None:
        self.records.append(record)

    def close(self) -> None:
        pass


async def test_spans_belong_to_the_one_around_them_in_their_own_task() -> None:
    kept = Kept()
    watching = Traces(kept)

    async def one(number: int) -> None:
        with watching.span(Span(Kind.STEP, "s1", number)):
            await asyncio.sleep(0)
            watching.past(WIRE, 1.0, 2.5)

    with watching.span(JOB):
        await asyncio.gather(one(1), one(2))
    assert traceparent() == ""
    (job,) = (record for record in kept.records if record.span is JOB)
    steps = {record.span_id: record for record in kept.records if record.span.kind is Kind.STEP}
    wires = [record for record in kept.records if record.span is WIRE]
    assert {record.trace_id for record in kept.records} == {job.trace_id}
    assert {record.parent_id for record in steps.values()} == {job.span_id}
    assert {record.parent_id for record in wires} == set(steps)
    assert job.parent_id == ""
    assert abs(wires[0].ended_ns - wires[0].began_ns - 1.5e9) < 1000


def test_what_another_node_says_is_believed_only_where_it_is_a_traceparent() -> None:
    kept = Kept()
    watching = Traces(kept)
    for said in (
        f"00-{'a' * 32}-{'b' * 16}-01",
        "",
        "nonsense",
        f"00-{'0' * 32}-{'b' * 16}-01",
        "00-" + 10**6 * "a",
    ):
        with belonging_to(said), watching.span(STEP):
            pass
    first, *others = kept.records
    assert (first.trace_id, first.parent_id) == ("a" * 32, "b" * 16)
    assert len({record.trace_id for record in others}) == 4
    assert {record.parent_id for record in others} == {""}


def test_a_failed_span_says_the_class_of_the_error_and_no_more() -> None:
    kept = Kept()
    for error in (NodeUnavailable("edge, at /home/me, does not answer"), KeyError("mine")):
        with suppress(type(error)), Traces(kept).span(STEP):
            raise error
    assert [record.error for record in kept.records] == ["NodeUnavailable", "Unforeseen"]


def test_a_file_is_shared_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "spans.jsonl"
    files = [SpanFile(path, "a"), SpanFile(path, "b")]
    for file in files:
        Traces(file).past(WIRE, 1.0, 2.0)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["node"] for line in lines] == ["a", "b"]
    assert {key: lines[0][key] for key in ("name", "source", "target", "codec", "step", "bytes")} == {
        "name": "wire", "source": "a", "target": "b", "codec": "clean", "step": 5, "bytes": 7,
    }  # fmt: skip
    full = path.stat().st_size
    monkeypatch.setattr(traces, "MAX_FILE_BYTES", full + 10)
    for file in files:
        Traces(file).past(WIRE, 1.0, 2.0)
        file.close()
    assert path.stat().st_size == full


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("file:", "file:PATH"),
        ("otlp:", "otlp:URL"),
        ("otlp:127.0.0.1:4317", "otlp:URL"),
        ("otlp:http://me:secret@127.0.0.1:4317", "otlp:URL"),
        ("zipkin:http://127.0.0.1", "otlp:URL"),
        ("otlp:http://10.0.0.9:4317", "--insecure"),
        ("file:/nonexistent/spans.jsonl", "another file"),
    ],
)
def test_where_traces_cannot_go_is_said(where: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as raised:
        open_sink(where, "a", insecure=False)
    assert "secret" not in str(raised.value)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.grpc.trace_exporter", None)
    with pytest.raises(Unsupported, match=r"eapg-split\[otel\]"):
        open_sink("otlp:http://127.0.0.1:4317", "a", insecure=False)


@contextmanager
def collector() -> Iterator[tuple[str, list[trace_service_pb2.ExportTraceServiceRequest]]]:
    """Takes what exporters send; yields its URL and what has come."""
    came: list[trace_service_pb2.ExportTraceServiceRequest] = []

    def export(
        request: trace_service_pb2.ExportTraceServiceRequest, context: grpc.ServicerContext
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        del context
        came.append(request)
        return trace_service_pb2.ExportTraceServiceResponse()

    method = grpc.unary_unary_rpc_method_handler(
        export,
        request_deserializer=trace_service_pb2.ExportTraceServiceRequest.FromString,
        response_serializer=trace_service_pb2.ExportTraceServiceResponse.SerializeToString,
    )
    service = "opentelemetry.proto.collector.trace.v1.TraceService"
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"http://127.0.0.1:{port}", came
    finally:
        server.stop(None).wait()


def test_a_collector_gets_the_spans_as_they_were() -> None:
    with collector() as (url, came):
        sink = open_sink(f"otlp:{url}", "edge", insecure=False)
        watching = Traces(sink)
        with suppress(NodeUnavailable), watching.span(JOB):
            watching.past(WIRE, 1.0, 2.5)
            raise NodeUnavailable("gone")
        sink.close()
    (resource,) = (each for request in came for each in request.resource_spans)
    assert {each.key: each.value.string_value for each in resource.resource.attributes}[
        "service.instance.id"
    ] == "edge"
    wire, job = resource.scope_spans[0].spans
    assert (wire.name, job.name) == ("wire", "job")
    assert (wire.trace_id, wire.parent_span_id) == (job.trace_id, job.span_id)
    attributes = {each.key: each.value for each in wire.attributes}
    assert attributes["codec"].string_value == "clean"
    assert attributes["bytes"].int_value == 7
    assert attributes["session"].string_value == "s1"
    assert (job.status.code, job.status.message) == (2, "NodeUnavailable")
