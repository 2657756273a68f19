"""How often a plan is looked at again when nothing but a step has happened. Pure.

A step on the device waits until its policy has looked, some milliseconds: where steps are short, that would be a share
of the whole job that one can feel.
"""

import math
from collections import deque
from typing import Final

SHARE: Final = 0.01  # of a job's time


class LookBudget:
    """One per job. Moments are seconds of any clock that does not go back."""

    def __init__(self) -> None:
        self._took_s = deque([0.0, 0.0], maxlen=2)  # the first two looks are free
        self._ended_s = -math.inf

    def looked(self, seconds: float, now_s: float) -> None:
        """A look has ended that took so long, whatever it was made for."""
        self._took_s.append(seconds)
        self._ended_s = now_s

    def affords(self, now_s: float) -> bool:
        """Whether the last look is so long ago that looks like these take no more than their share of the time.

        The quicker one of the last two counts: one that happened to be slow says nothing of the next.
        """
        return SHARE * (now_s - self._ended_s) >= min(self._took_s)
