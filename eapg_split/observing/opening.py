"""Everything that was asked for to watch one daemon, as one."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final

from eapg_split.observing.logs import LoggedSpans, write_logs
from eapg_split.observing.traces import SpanSink, Traces, open_sink
from eapg_split.runtime.daemon_thread import TooLate, in_daemon_thread
from eapg_split.runtime.instruments import Instruments, Look, Several
from eapg_split.runtime.settings import DaemonSettings

if TYPE_CHECKING:
    from eapg_split.observing.prometheus import Metrics

_FLUSH_S: Final = 1.0  # for the last spans, when the daemon ends


def open_observing(settings: DaemonSettings) -> "Observed":
    """Sets the process's logging up, and opens the rest.

    Raises InvalidRequest for what cannot be used, Unsupported where an extra is missing.
    """
    wanted = settings.observe
    write_logs(settings.node, wanted)
    sink = open_sink(wanted.traces, settings.node, insecure=settings.insecure) if wanted.traces else None
    metrics = None
    if wanted.metrics:
        from eapg_split.observing.prometheus import Metrics

        metrics = Metrics()
    return Observed(settings, sink, metrics)


class Observed:
    """One daemon's, see `runtime.instruments.Observing`."""

    def __init__(self, settings: DaemonSettings, sink: SpanSink | None, metrics: "Metrics | None") -> None:
        self._wanted = settings.observe
        self._sink = sink
        self._metrics = metrics
        watching: list[Instruments] = [LoggedSpans()]
        if sink is not None:
            watching.insert(0, Traces(sink))
        if metrics is not None:
            watching.append(metrics)
        self._instruments = Several(watching) if len(watching) > 1 else watching[0]

    @property
    def instruments(self) -> Instruments:
        """What the runtime is to call."""
        return self._instruments

    @asynccontextmanager
    async def serving(self, look: Look, waiting: Callable[[], int]) -> AsyncIterator[str]:
        """Shows the metrics for as long as the block lasts; the last spans are on their way after it."""
        async with AsyncExitStack() as stack:
            if self._sink is not None:
                stack.push_async_callback(self._flush, self._sink)
            address = ""
            if self._metrics is not None:
                from eapg_split.observing.scrape import scraped

                page = self._metrics.page(look, waiting)
                shown = scraped(self._wanted.metrics, page, public=self._wanted.metrics_public)
                address = await stack.enter_async_context(shown)
            yield address

    async def _flush(self, sink: SpanSink) -> None:
        with suppress(TooLate):  # a collector that does not answer must not hold the end of the process
            await in_daemon_thread(sink.close, _FLUSH_S, "end of the traces")
