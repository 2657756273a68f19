"""When a state is worth its way home while its segment goes on: then little is computed twice if the node is lost."""

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SHARE: Final = 0.25  # of the seconds that would be lost, for a way home that takes longer than a step
CODING: Final = 0.1  # of these seconds, for coding
DOUBT: Final = (
    4.0  # so much better may a link be than it is believed to be before a state has gone home by it
)
AHEAD: Final = 2  # messages of a state on its way home that may be before a result
_AHEAD_S: Final = 0.1  # for these together
_UNKNOWN_BITS_PER_S: Final = 4e6  # low, as a wrong guess costs least there
_LEAST_BYTES: Final = 2**14
_MOST_BYTES: Final = 2**17
_REMEMBERED: Final = 3  # journeys: one that was slow by chance says nothing of the link


class Checkpoints(StrEnum):
    """Whether states travel home while a segment runs: where they are worth it, at every step, or not at all."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Journey:
    """What it takes to bring a state home: seconds until it is there, those of coding among them."""

    home_s: float
    encode_s: float


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a segment is: a step takes `step_s`, `at_risk_s` were computed since the state that is home already.

    `left_s` are to come before the result.
    """

    step_s: float
    at_risk_s: float
    left_s: float


def worth_sending(journey: Journey, at: Moment) -> bool:
    """Whether the state is home before it could delay anything, and costs little of what it saves.

    It must be there before the next state is, and before the result: so one step at most is computed twice. Where that
    takes longer it may take a share of the time that would be lost without it, and so may coding it.
    """
    soon_s = max(at.step_s, SHARE * at.at_risk_s)
    return journey.home_s <= min(soon_s, at.left_s) and journey.encode_s <= CODING * at.at_risk_s


def spare_message_bytes(bits_per_s: float) -> int:
    """How large a message of a state on its way home may be on such a link (0: unknown): a result may wait for it."""
    a_share = (bits_per_s or _UNKNOWN_BITS_PER_S) * _AHEAD_S / AHEAD / 8
    return min(max(int(a_share), _LEAST_BYTES), _MOST_BYTES)


class Journeys:
    """What the journeys of one segment's states took, by which those to come are judged; what is not known is tried."""

    def __init__(self, bits_per_s: float = 0.0) -> None:
        """`bits_per_s` is what the way home is believed to carry, 0 where nobody knows."""
        self._bits_per_s = bits_per_s
        self._last: deque[tuple[int, Journey]] = deque(maxlen=_REMEMBERED)

    def took(self, raw_bytes: int, journey: Journey) -> None:
        """A state of so many bytes, decoded, is home."""
        if raw_bytes:
            self._last.append((raw_bytes, journey))

    def expected(self, raw_bytes: int) -> Journey:
        """As the best of the last ones, in proportion where this state is smaller.

        What a larger one has more goes at the rate of the link, where that is known: much of a short journey is delay.
        """
        if not self._last:
            return Journey(8 * raw_bytes / (DOUBT * self._bits_per_s) if self._bits_per_s else 0.0, 0.0)
        told = [self._told_by(journey, went, raw_bytes) for went, journey in self._last]
        return Journey(min(each.home_s for each in told), min(each.encode_s for each in told))

    def _told_by(self, journey: Journey, went_bytes: int, raw_bytes: int) -> Journey:
        """What the journey of other bytes tells of these."""
        share, further_s = min(1.0, raw_bytes / went_bytes), 0.0
        if raw_bytes > went_bytes and self._bits_per_s:
            seen_bits_per_s = 8 * went_bytes / journey.home_s if journey.home_s > 0 else math.inf
            best_bits_per_s = DOUBT * max(self._bits_per_s, seen_bits_per_s)
            further_s = 8 * (raw_bytes - went_bytes) / best_bits_per_s
        return Journey(share * journey.home_s + further_s, share * journey.encode_s)
