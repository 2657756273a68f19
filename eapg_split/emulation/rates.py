"""Plays what media carry on a network: their traces, and what faults leave of them."""

import asyncio
import math
from collections.abc import Mapping
from typing import Final

from eapg_split.emulation.clock import Clock
from eapg_split.emulation.network import Network
from simulations.traces import LEAST_RATE, RateTrace

_DARK: Final = 2 * LEAST_RATE  # what stands for nothing at all in traces is below


class RatePlayer:
    """One per emulation, from its time 0 on; `run` plays until it is cancelled."""

    def __init__(self, clock: Clock, network: Network, media: Mapping[str, RateTrace]) -> None:
        self._clock, self._network, self._media = clock, network, media
        self._factors = dict.fromkeys(media, 1.0)
        self._changed = {name: asyncio.Event() for name in media}

    def throttle(self, medium: str, factor: float) -> None:
        """From now on a medium carries so many times what its trace says; 0 is an outage."""
        self._factors[medium] = factor
        self._changed[medium].set()

    async def run(self) -> None:
        """Raises what the network raises."""
        async with asyncio.TaskGroup() as playing:
            for medium in self._media:
                playing.create_task(self._play(medium))

    async def _play(self, medium: str) -> None:
        trace, changed = self._media[medium], self._changed[medium]
        while True:
            changed.clear()
            now_s = self._clock.now_s
            rate = trace.at(now_s) * self._factors[medium]
            await self._network.set_rate(medium, rate if rate > _DARK else 0.0)
            until_s = trace.changes_s(now_s)
            try:
                async with asyncio.timeout(None if until_s == math.inf else until_s - self._clock.now_s):
                    await changed.wait()
            except TimeoutError:
                continue
