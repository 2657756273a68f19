"""Counts and gauges for Prometheus. Labels are stages, codecs, nodes, triggers and errors: never a session."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from eapg_split.domain.telemetry import Telemetry
from eapg_split.observing.attributes import name_of
from eapg_split.observing.scrape import Page
from eapg_split.runtime.instruments import Kind, Look, Span

MAX_VALUES: Final = 64  # of one label; further ones count as OTHER
OTHER: Final = "other"
_PREFIX: Final = "eapg_split"
_BUCKETS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
# What a look at the node tells: the field of Telemetry, the metric, and what it is.
_GAUGES: Final = (
    ("sessions", "sessions", "Sessions that have a segment in flight here."),
    ("queue_s", "queue_seconds", "Until a segment that arrives now could start."),
    ("charge", "battery_ratio", "Charge of the battery, 0 to 1."),
    ("power_w", "power_watts", "Drawn by the whole node."),
    ("temperature_c", "temperature_celsius", "Of the hottest part that limits the node."),
    ("headroom", "thermal_headroom_ratio", "Android's thermal headroom; 1 is severe throttling."),
    ("clock_ratio", "clock_ratio", "Present clock over the largest."),
    ("load", "load_ratio", "Share of the processor in use."),
    ("memory_free_bytes", "memory_free_bytes", "Memory that is free."),
)


class Metrics:
    """One daemon's, in a registry of its own. Belongs to one event loop."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._looks = _Looks(lambda name: self._label("node", name))
        self._labels: dict[str, dict[str, str]] = {}
        ends = ("source", "target")
        self._jobs = self._counter("jobs", "Jobs that ended here.", "outcome")
        self._running = Gauge(
            f"{_PREFIX}_jobs_running", "Jobs that this device runs now.", registry=self.registry
        )
        self._failures = self._counter(
            "failures", "What went wrong, by the class of the error.", "of", "error"
        )
        self._refusals = self._counter(
            "refusals", "Calls from elsewhere that ended with an error.", "call", "error"
        )
        self._replans = self._counter("replans", "Running plans that were replaced.", "trigger")
        self._segments = self._counter("segments", "Segments that ended.", "role", "outcome")
        self._steps = self._histogram("step_seconds", "Steps computed here.", "stage")
        self._bytes = self._counter("link_bytes", "Coded bytes of states that crossed a link.", *ends)
        self._handoffs = self._histogram("handoff_seconds", "States that crossed a link.", *ends)
        self._saved = self._counter(
            "checkpoint_bytes", "Coded bytes that came home while segments went on.", *ends
        )
        self._waiting = Gauge(
            f"{_PREFIX}_waiting", "Segments that wait for their turn.", registry=self.registry
        )
        self._coding = self._counter(
            "coding_seconds", "From the first part of a state to the last.", "way", "codec"
        )
        self.registry.register(self._looks)
        ProcessCollector(registry=self.registry)

    def _counter(self, name: str, words: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", words, labels, registry=self.registry)

    def _histogram(self, name: str, words: str, *labels: str) -> Histogram:
        return Histogram(f"{_PREFIX}_{name}", words, labels, registry=self.registry, buckets=_BUCKETS)

    @contextmanager
    def span(self, span: Span) -> Iterator[None]:
        began_s, error = time.monotonic(), ""
        if span.kind is Kind.JOB:
            self._running.inc()
        try:
            yield
        except BaseException as raised:
            error = name_of(raised)
            raise
        finally:
            self._ended(span, time.monotonic() - began_s, error)

    def past(self, span: Span, began_s: float, ended_s: float) -> None:
        seconds = max(0.0, ended_s - began_s)
        if span.kind in (Kind.WIRE, Kind.CHECKPOINT):
            ends = self._label("node", span.source), self._label("node", span.target)
            (self._bytes if span.kind is Kind.WIRE else self._saved).labels(*ends).inc(span.bytes)
        if span.kind is Kind.WIRE:
            self._handoffs.labels(*ends).observe(seconds)
        elif span.kind in (Kind.ENCODE, Kind.DECODE):
            self._coding.labels(span.kind.value, self._label("codec", span.codec)).inc(seconds)

    def replanned(self, trigger: str) -> None:
        self._replans.labels(self._label("trigger", trigger)).inc()

    def refused(self, call: str, error: Exception) -> None:
        self._refusals.labels(self._label("call", call), name_of(error)).inc()

    def page(self, look: Look, waiting: Callable[[], int]) -> Page:
        """Makes what a scraper is told."""

        async def page() -> tuple[str, bytes]:
            self._looks.now = await look()
            self._waiting.set(waiting())
            return CONTENT_TYPE_PLAIN_0_0_4, await asyncio.to_thread(generate_latest, self.registry)

        return page

    def _ended(self, span: Span, seconds: float, error: str) -> None:
        outcome = {"": "done", "CancelledError": "cancelled"}.get(error, "failed")
        match span.kind:
            case Kind.JOB:
                self._running.dec()
                self._jobs.labels(outcome).inc()
            case Kind.SEGMENT | Kind.SERVE:
                self._segments.labels("asked" if span.kind is Kind.SEGMENT else "served", outcome).inc()
            case Kind.STEP if outcome == "done":
                self._steps.labels(self._label("stage", span.stage)).observe(seconds)
        if outcome == "failed":
            self._failures.labels(span.kind.value, error).inc()

    def _label(self, name: str, value: str) -> str:
        """The value, while there are not too many: nodes say their names themselves."""
        known = self._labels.setdefault(name, {})
        return known.setdefault(value, value) if value in known or len(known) < MAX_VALUES else OTHER


class _Looks(Collector):
    """The newest look at the node, what is known of it."""

    def __init__(self, node_label: Callable[[str], str]) -> None:
        self.now = Telemetry()
        self._node_label = node_label

    def describe(self) -> Iterable[Metric]:
        """What there may be."""
        for _, name, words in _GAUGES:
            yield GaugeMetricFamily(f"{_PREFIX}_{name}", words)
        yield self._rates()

    def collect(self) -> Iterable[Metric]:
        """What is known now."""
        for field, name, words in _GAUGES:
            reading = getattr(self.now, field)
            if reading.known:
                yield GaugeMetricFamily(f"{_PREFIX}_{name}", words, value=reading.value)
        rates = self._rates()
        links = {
            tuple(map(self._node_label, (sight.source, sight.target))): sight for sight in self.now.links
        }
        for ends, sight in links.items():
            rates.add_metric(ends, sight.bits_per_s)
        yield rates

    def _rates(self) -> GaugeMetricFamily:
        words = "What this node believes a link to carry."
        return GaugeMetricFamily(f"{_PREFIX}_link_bits_per_second", words, labels=("source", "target"))
