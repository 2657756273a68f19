"""How a segment that runs is asked to end before its stop: preemption at a step boundary."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from eapg_split.domain.latent import Latent


@dataclass(frozen=True, slots=True)
class HandBack:
    """End at the first boundary that is not before `step`; the state leaves through `codec`.

    A lossy codec is to leave `quality_db` of the final video, 0 leaves it to the codec.
    """

    step: int
    codec: str = "lossless"
    quality_db: float = 0.0


@dataclass(frozen=True)
class Reached:
    """The state before `stop_step`, and on which terms it was handed back where that is not the order's."""

    state: Latent
    stop_step: int
    early: HandBack | None = None


class Recall:
    """One for each segment, for all attempts at it. Whoever computes looks at it at every boundary."""

    def __init__(self) -> None:
        self._terms: HandBack | None = None
        self._changed = asyncio.Event()

    @property
    def terms(self) -> HandBack | None:
        """What was asked last; None while nobody asked."""
        return self._terms

    def ask(self, terms: HandBack) -> None:
        """Asks, or asks for something else. A step beyond the segment takes it back."""
        self._terms = terms
        self._changed.set()

    def ends_at(self, step: int) -> HandBack | None:
        """The terms, where the segment is to end before `step`."""
        return self._terms if self._terms is not None and self._terms.step <= step else None

    async def asked(self) -> AsyncIterator[HandBack]:
        """What is asked now, and what is asked later; for one listener at a time."""
        told = None
        while True:
            if self._terms is not None and self._terms is not told:
                told = self._terms
                yield told
                continue
            self._changed.clear()
            await self._changed.wait()
