"""Traces: one a job over all its nodes, written as lines of JSON, or sent by OpenTelemetry's protocol.

A span belongs to the one that is current in its task, which may have come from another node as W3C `traceparent`.
"""

import json
import logging
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from eapg_split.errors import InvalidRequest
from eapg_split.observing.attributes import attributes_of, name_of
from eapg_split.runtime.addresses import is_loopback_host
from eapg_split.runtime.instruments import Span, belonging_to, traceparent

MAX_FILE_BYTES: Final = 64 * 2**20
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """A span that is over: ids in hex, no `parent_id` for the first one of a trace, moments of the system's clock."""

    trace_id: str
    span_id: str
    parent_id: str
    span: Span
    began_ns: int
    ended_ns: int
    error: str = ""  # a word of `attributes.name_of`


class SpanSink(Protocol):
    """Where spans go. `take` neither waits nor raises; nothing is taken after `close`, which may wait."""

    def take(self, record: SpanRecord) -> None: ...

    def close(self) -> None: ...


class Traces:
    """Makes a record of every span."""

    def __init__(self, sink: SpanSink) -> None:
        self._sink = sink

    @contextmanager
    def span(self, span: Span) -> Iterator[None]:
        trace_id, parent_id = _current()
        span_id, error = secrets.token_hex(8), ""
        wall_ns, began_ns = time.time_ns(), time.monotonic_ns()
        try:
            with belonging_to(f"00-{trace_id}-{span_id}-01"):
                yield
        except BaseException as raised:
            error = name_of(raised)
            raise
        finally:
            ended_ns = wall_ns + time.monotonic_ns() - began_ns
            self._sink.take(SpanRecord(trace_id, span_id, parent_id, span, wall_ns, ended_ns, error))

    def past(self, span: Span, began_s: float, ended_s: float) -> None:
        trace_id, parent_id = _current()
        offset_ns = time.time_ns() - time.monotonic_ns()
        began_ns, ended_ns = (offset_ns + int(moment * 1e9) for moment in (began_s, max(began_s, ended_s)))
        self._sink.take(SpanRecord(trace_id, secrets.token_hex(8), parent_id, span, began_ns, ended_ns))

    def replanned(self, trigger: str) -> None:
        del trigger  # the segments of a trace show it

    def refused(self, call: str, error: Exception) -> None:
        del call, error  # the span of whoever called shows it


def _current() -> tuple[str, str]:
    """The trace and the span of this task; a new trace and no span where there is none."""
    parent = traceparent()
    if not parent:
        return secrets.token_hex(16), ""
    _, trace_id, span_id, _ = parent.split("-")
    return trace_id, span_id


class SpanFile:
    """Lines of JSON at the end of a file, which several daemons of one machine may share; at most 64 MiB of them."""

    def __init__(self, path: Path, node: str) -> None:
        """Raises InvalidRequest where the file cannot be written."""
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise InvalidRequest(
                f"Cannot write {path} ({error.strerror}): choose another file for --traces."
            ) from error
        self._node = node
        self._full = False

    def take(self, record: SpanRecord) -> None:
        if self._full:
            return
        line = json.dumps(_fields(record, self._node), ensure_ascii=False).encode() + b"\n"
        try:
            self._full = os.fstat(self._file).st_size + len(line) > MAX_FILE_BYTES
            if not self._full:
                os.write(self._file, line)
        except OSError:
            self._full = True
        if self._full:
            _log.warning("no more traces are written: their file is full, or cannot be written any more")

    def close(self) -> None:
        self._full = True
        os.close(self._file)


def _fields(record: SpanRecord, node: str) -> dict[str, object]:
    return {
        "name": record.span.kind.value,
        "trace_id": record.trace_id,
        "span_id": record.span_id,
        "parent_id": record.parent_id,
        "node": node,
        "session": record.span.session,
        "began_s": record.began_ns / 1e9,
        "seconds": (record.ended_ns - record.began_ns) / 1e9,
        **attributes_of(record.span),
        **({"error": record.error} if record.error else {}),
    }


def open_sink(where: str, node: str, *, insecure: bool) -> SpanSink:
    """Opens `file:PATH` or `otlp:URL`.

    Raises InvalidRequest for anything else, and for clear text beyond loopback unless `insecure`; Unsupported where the
    extra "otel" is missing.
    """
    kind, _, rest = where.partition(":")
    if kind == "file" and rest:
        return SpanFile(Path(rest), node)
    url = urlsplit(rest)
    if kind != "otlp" or url.scheme not in ("http", "https") or not url.hostname or url.username:
        raise InvalidRequest(
            "--traces takes file:PATH or otlp:URL, for example otlp:http://127.0.0.1:4317 (OTLP over gRPC)."
        )
    if url.scheme == "http" and not insecure and not is_loopback_host(url.hostname):
        raise InvalidRequest(
            "--traces would go to another machine in the clear: use otlp:https://…, or --insecure where the"
            " network itself is trusted."
        )
    from eapg_split.observing.otlp import OtlpSpans

    return OtlpSpans(rest, node)
