"""When a state is worth its way home while its segment goes on: then little is computed twice if the node is lost."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

HIDDEN: Final = 0.5  # of the step that follows: twice as slow a link than was believed still delays nothing
AMORTISED: Final = (
    0.1  # of the seconds that would be lost, for the link where it takes longer, and for coding
)


class Checkpoints(StrEnum):
    """Whether states travel home while a segment runs: where they are worth it, at every step, or not at all."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Journey:
    """What it takes to bring a state home: seconds on the link, and seconds of coding."""

    send_s: float
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
    """Whether the state is there before it could delay anything, and costs little of what it saves.

    It must be home before the result is ready, and hidden behind half of the next step; or else it may take a tenth of
    the time that would be lost without it. Coding it may take a tenth of that time as well.
    """
    hidden_s = max(HIDDEN * at.step_s, AMORTISED * at.at_risk_s)
    return journey.send_s <= min(hidden_s, at.left_s) and journey.encode_s <= AMORTISED * at.at_risk_s
