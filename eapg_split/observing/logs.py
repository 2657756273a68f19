"""The process's log on stderr, as text or as lines of JSON; each record names the node, and its session."""

import json
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

from eapg_split.observing.attributes import attributes_of, name_of
from eapg_split.runtime.instruments import Kind, Span, traceparent
from eapg_split.runtime.settings import LogFormat, Observe

MAX_MESSAGE: Final = 4000  # characters of a message; of a trace, the last so many times four
_log = logging.getLogger("eapg_split.spans")
_session: ContextVar[str] = ContextVar("session", default="")
_TOLD: Final = frozenset({Kind.JOB, Kind.SERVE})  # at level info, the others at debug


def write_logs(node: str, wanted: Observe) -> None:
    """Sends our records from `wanted.log_level` on to stderr, as `wanted.log_format` says; others from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(node) if wanted.log_format is LogFormat.JSON else _Text(node))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    level = logging.getLevelNamesMapping()[wanted.log_level.upper()]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("eapg_split").setLevel(level)


class LoggedSpans:
    """Puts the session into every record of a span, and writes a record when a span has ended."""

    @contextmanager
    def span(self, span: Span) -> Iterator[None]:
        token = _session.set(span.session or _session.get())
        began_s, error = time.monotonic(), ""
        try:
            yield
        except BaseException as raised:
            error = name_of(raised)
            raise
        finally:
            self._say(span, time.monotonic() - began_s, error)
            _session.reset(token)

    def past(self, span: Span, began_s: float, ended_s: float) -> None:
        self._say(span, ended_s - began_s)

    def replanned(self, trigger: str) -> None:
        _log.info("replanned", extra={"span": {"trigger": trigger}})

    def refused(self, call: str, error: Exception) -> None:
        _log.info("refused", extra={"span": {"call": call, "error": name_of(error)}})

    def _say(self, span: Span, seconds: float, error: str = "") -> None:
        level = logging.INFO if span.kind in _TOLD else logging.DEBUG
        if not _log.isEnabledFor(level):
            return
        fields = {**attributes_of(span), "seconds": round(seconds, 6)}
        if error:
            fields["error"] = error
        _log.log(level, span.kind.value, extra={"span": fields})


class _JsonLines(logging.Formatter):
    """One object a line."""

    def __init__(self, node: str) -> None:
        super().__init__()
        self._node = node

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname.lower(),
            "node": self._node,
            "session": _session.get(),
            "logger": record.name,
            "message": record.getMessage()[:MAX_MESSAGE],
            **getattr(record, "span", {}),
        }
        parent = traceparent()
        if parent:
            fields["trace_id"] = parent.split("-")[1]
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)[-4 * MAX_MESSAGE :]
        return json.dumps(fields, ensure_ascii=False)


class _Text(logging.Formatter):
    """One line a record, and the trace of what nobody foresaw below it."""

    def __init__(self, node: str) -> None:
        super().__init__(f"%(asctime)s {node} %(levelname)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # logging's name
        fields = "".join(f" {key}={value}" for key, value in getattr(record, "span", {}).items())
        session = f" [{_session.get()}]" if _session.get() else ""
        # what another node said must not look like a line of its own
        record.message = record.message[:MAX_MESSAGE].replace("\n", " ") + fields + session
        return super().formatMessage(record)
