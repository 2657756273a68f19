"""Spans to a collector, by OpenTelemetry's own exporter: in batches, by a thread of its own, bounded."""

from importlib import import_module
from typing import TYPE_CHECKING, Final

from eapg_split.errors import Unsupported
from eapg_split.observing.attributes import attributes_of
from eapg_split.observing.traces import SpanRecord

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

MAX_WAITING: Final = 2048  # spans; when the collector is too slow, further ones are dropped
_ANSWER_S: Final = 5.0


class OtlpSpans:
    """Sends what it takes to `url`, whose scheme says whether by TLS."""

    def __init__(self, url: str, node: str) -> None:
        """Raises Unsupported without the extra."""
        try:
            import_module("opentelemetry.exporter.otlp.proto.grpc.trace_exporter")
        except ImportError as error:
            raise Unsupported(
                "--traces otlp:URL needs the extra \"otel\": pip install 'eapg-split[otel]'."
            ) from error
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporter = OTLPSpanExporter(endpoint=url, insecure=url.startswith("http:"), timeout=_ANSWER_S)
        self._batches = BatchSpanProcessor(exporter, max_queue_size=MAX_WAITING)
        self._resource = Resource({"service.name": "eapg-split", "service.instance.id": node})
        self._node = node

    def take(self, record: SpanRecord) -> None:
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import Status, StatusCode

        status = Status(StatusCode.ERROR, record.error) if record.error else Status(StatusCode.UNSET)
        span = ReadableSpan(
            name=record.span.kind.value,
            context=_context(record.trace_id, record.span_id),
            parent=_context(record.trace_id, record.parent_id) if record.parent_id else None,
            resource=self._resource,
            attributes={"node": self._node, "session": record.span.session, **attributes_of(record.span)},
            status=status,
            start_time=record.began_ns,
            end_time=record.ended_ns,
        )
        self._batches.on_end(span)

    def close(self) -> None:
        self._batches.shutdown()  # type: ignore[no-untyped-call]


def _context(trace_id: str, span_id: str) -> "SpanContext":
    from opentelemetry.trace import SpanContext, TraceFlags

    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(1))
