"""How a daemon is watched: the table `[observe]` and its flags."""

import argparse
from dataclasses import fields, replace
from types import MappingProxyType
from typing import Final

from eapg_split.config.tables import Table
from eapg_split.errors import InvalidRequest
from eapg_split.runtime.settings import LOG_LEVELS, LogFormat, Observe

_KEYS: Final = MappingProxyType(
    {"metrics": str, "metrics_public": bool, "traces": str, "log_format": str, "log_level": str}
)


def observe_of(table: Table) -> Observe:
    """What `[observe]` says; the path of `file:PATH` is relative to the file. Raises InvalidRequest."""
    observe = Table(table.get("observe", {}), _KEYS, table.path, "observe")
    traces, log_format = observe.get("traces", ""), observe.get("log_format", str(LogFormat.TEXT))
    if traces.startswith("file:"):
        traces = f"file:{table.path.parent / traces.removeprefix('file:')}"
    if log_format not in tuple(LogFormat):
        raise InvalidRequest(
            f"{table.path}: observe.log_format {log_format!r} is not known: choose one of {', '.join(LogFormat)}."
        )
    return Observe(
        metrics=observe.get("metrics", ""),
        metrics_public=observe.get("metrics_public", False),
        traces=traces,
        log_format=LogFormat(log_format),
        log_level=observe.get("log_level", Observe.log_level),
    )


def add_observe_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that `observed` reads."""
    add = parser.add_argument
    add(
        "--metrics",
        metavar="HOST:PORT",
        help="show metrics for Prometheus at /metrics there; port 0 is a free one",
    )
    add("--metrics-public", action="store_const", const=True, help="let other machines read the metrics")
    add(
        "--traces",
        metavar="WHERE",
        help='file:PATH for lines of JSON, otlp:URL for a collector (extra "otel")',
    )
    add(
        "--log-format",
        type=LogFormat,
        choices=tuple(LogFormat),
        help="how the log is written (default: text)",
    )
    add("--log-level", choices=LOG_LEVELS, help="the least of what is logged (default: warning)")


def observed(settings: Observe, flags: argparse.Namespace) -> Observe:
    """The settings with what the flags say instead."""
    given = {field.name: getattr(flags, field.name) for field in fields(Observe)}
    return replace(settings, **{name: value for name, value in given.items() if value is not None})
