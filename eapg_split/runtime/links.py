"""What this node saw of its links: how fast they carried what was handed over."""

import asyncio
import time
from typing import Final

from eapg_split.codecs.auto import AutoCodec
from eapg_split.codecs.base import Codec
from eapg_split.runtime.events import Goodput

_WEIGHT: Final = 0.3  # of the newest sample
_MOST_LINKS: Final = 1024


class LinkRates:
    """One per daemon: an exponentially weighted mean of the goodput of each direction of each link."""

    def __init__(self) -> None:
        self._bits_per_s: dict[tuple[str, str], float] = {}

    def observe(self, sample: Goodput) -> None:
        """Takes a sample; beyond so many links the oldest is forgotten."""
        link, rate = (sample.source, sample.target), 8 * sample.bytes / sample.seconds
        before = self._bits_per_s.pop(link, rate)
        self._bits_per_s[link] = before + _WEIGHT * (rate - before)
        if len(self._bits_per_s) > _MOST_LINKS:
            del self._bits_per_s[next(iter(self._bits_per_s))]

    def bits_per_s(self, source: str, target: str) -> float | None:
        """The rate of a link; None while nothing was seen of it."""
        return self._bits_per_s.get((source, target))


async def on_link(codec: Codec, bits_per_s: float | None) -> Codec:
    """The codec as it is used on a link of that speed: only `auto` minds.

    In a thread, as the first `auto` of a process measures the other codecs, which takes a tenth of a second.
    """
    if not isinstance(codec, AutoCodec):
        return codec
    return await asyncio.to_thread(AutoCodec, bits_per_s, clock=time.perf_counter)
