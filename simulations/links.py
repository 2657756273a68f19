"""Links as fluids: flows share what their media carry, max-min fair, and change only when a share or a rate does.

A medium is whatever limits a rate: one direction of a line, a cell that many phones share, the uplink of an edge node.
A flow may cross several of them and gets what the tightest leaves it.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from simulations.kernel import Kernel
from simulations.traces import LEAST_RATE, RateTrace

_DARK: Final = 2 * LEAST_RATE  # bits a second: nothing that counts gets through


class Flow:
    """Bits on their way. `rate` and what is left hold from `since_s` on."""

    __slots__ = ("_due", "bits", "dark_since_s", "done", "left", "media", "rate", "since_s")

    def __init__(self, media: tuple[int, ...], bits: float, done: Callable[[], None]) -> None:
        self.media = media
        self.bits = self.left = bits
        self.done = done
        self.rate = 0.0
        self.since_s = 0.0
        self.dark_since_s: float | None = None  # since when nothing gets through
        self._due = 0  # the last completion that was asked for; older ones are void

    def left_at(self, now_s: float) -> float:
        """Bits that have not passed yet."""
        return max(0.0, self.left - self.rate * (now_s - self.since_s))

    def share(self, rate: float, now_s: float) -> int:
        """Takes a new rate; returns the number under which its completion is to be asked for."""
        self.left, self.since_s, self.rate = self.left_at(now_s), now_s, rate
        if rate > _DARK:
            self.dark_since_s = None
        elif self.dark_since_s is None:
            self.dark_since_s = now_s
        self._due += 1
        return self._due

    def due(self, number: int) -> bool:
        """Whether that completion still counts."""
        return number == self._due

    def void(self) -> None:
        """No completion counts any more."""
        self._due += 1


class Media:
    """All media of a world and the flows on them."""

    def __init__(
        self, kernel: Kernel, traces: Sequence[RateTrace], *, least_bits_per_s: float = LEAST_RATE
    ) -> None:
        """`least_bits_per_s` stands in for nothing at all."""
        self._kernel = kernel
        self._least = least_bits_per_s
        self._traces = list(traces)
        self._factors = [1.0] * len(self._traces)
        self._flows: list[dict[Flow, None]] = [{} for _ in self._traces]
        self._carried = [0.0] * len(self._traces)  # bits of flows that are over
        self._watched = [False] * len(self._traces)  # whether the next change of its rate has been asked for

    def rate(self, medium: int) -> float:
        """Bits a second that a medium carries now."""
        return max(self._least, self._traces[medium].at(self._kernel.now_s) * self._factors[medium])

    def carries(self, media: Iterable[int]) -> bool:
        """Whether anything gets through all of them now."""
        return all(self.rate(medium) > _DARK for medium in media)

    def throttle(self, medium: int, factor: float) -> None:
        """From now on a medium carries so many times what its trace says; 0 is an outage."""
        self._factors[medium] = factor
        self._share({medium})

    def send(self, media: tuple[int, ...], bits: float, done: Callable[[], None]) -> Flow:
        """A flow that begins now; `done` is called when its last bit has passed."""
        flow = Flow(media, bits, done)
        flow.since_s = self._kernel.now_s
        for medium in media:
            self._flows[medium][flow] = None
            self._watch(medium)
        if media:
            self._share(set(media))
        else:
            self._kernel.at(
                self._kernel.now_s, self._passed, (flow, flow.share(math.inf, self._kernel.now_s))
            )
        return flow

    def drop(self, flow: Flow) -> None:
        """Ends a flow before it is done; `done` is not called."""
        flow.void()
        self._leave(flow)

    def carried(self, medium: int, now_s: float) -> float:
        """Bits that a medium has carried until now."""
        on_it = sum(flow.bits - flow.left_at(now_s) for flow in self._flows[medium])
        return self._carried[medium] + on_it

    def _leave(self, flow: Flow) -> None:
        shared, carried = set(), flow.bits - flow.left_at(self._kernel.now_s)
        for medium in flow.media:
            self._carried[medium] += carried
            self._flows[medium].pop(flow, None)
            if self._flows[medium]:
                shared.add(medium)
        if shared:
            self._share(shared)

    def _watch(self, medium: int) -> None:
        """Asks for the next change of a medium's rate while somebody uses it."""
        changes_s = self._traces[medium].changes_s(self._kernel.now_s)
        if not self._watched[medium] and changes_s < math.inf:
            self._watched[medium] = True
            self._kernel.at(changes_s, self._changed, medium)

    def _changed(self, medium: int) -> None:
        self._watched[medium] = False
        if self._flows[medium]:
            self._watch(medium)
            self._share({medium})

    def _passed(self, which: tuple[Flow, int]) -> None:
        flow, number = which
        if flow.due(number):
            flow.void()
            self._leave(flow)
            flow.done()

    def _share(self, media: set[int]) -> None:
        """Gives every flow that may be touched its share, and asks for its end where that has changed."""
        now_s = self._kernel.now_s
        for flow, rate in self._fair(media).items():
            if rate != flow.rate or flow.since_s == now_s:
                number = flow.share(rate, now_s)
                self._kernel.at(now_s + flow.left / rate, self._passed, (flow, number))

    def _fair(self, media: set[int]) -> dict[Flow, float]:
        """Max-min fair rates of all flows that share a medium with one of these, directly or not."""
        reached, open_media, flows = sorted(media), set(media), dict[Flow, None]()
        for medium in reached:  # grows on the way
            for flow in self._flows[medium]:
                flows[flow] = None
                for other in flow.media:
                    if other not in open_media:
                        open_media.add(other)
                        reached.append(other)
        if len(reached) == 1:
            rate = self.rate(reached[0]) / max(1, len(flows))
            return dict.fromkeys(flows, rate)
        room = {medium: self.rate(medium) for medium in reached}
        waiting = {medium: len(self._flows[medium]) for medium in reached if self._flows[medium]}
        rates = dict[Flow, float]()
        while waiting:
            tightest = min(waiting, key=lambda medium: (room[medium] / waiting[medium], medium))
            share = room[tightest] / waiting[tightest]
            for flow in self._flows[tightest]:
                if flow in rates:
                    continue
                rates[flow] = share
                for medium in flow.media:
                    room[medium] = max(0.0, room[medium] - share)
                    waiting[medium] -= 1
            waiting = {medium: count for medium, count in waiting.items() if count > 0}
        return rates
