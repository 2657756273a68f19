"""How the error that a job may make is shared among the cuts that lose something. Pure arithmetic.

Errors of different cuts are taken as independent, so their squares add up: a cut that may use the share s of the
squared error of the final video must by itself reach quality_db - 10 log10(s).
"""

import math
from dataclasses import dataclass, replace
from typing import Final

DEFAULT_QUALITY_DB: Final = 45.0
MIN_QUALITY_DB: Final = 20.0
MAX_QUALITY_DB: Final = 90.0
MAX_RESULT_DB: Final = (
    200.0  # that one cut is ever asked to leave by itself; the budget's shares need far less
)
# Where a new plan has more cuts than the one before, the last ones must still be able to code at all.
_LEAST_SHARE: Final = 1 / 64


def on_the_way_db(result_db: float) -> float:
    """What a state must keep that comes home while its segment goes on, where the result is to leave `result_db`.

    If it is used it has half of the result's share, so that the other half is left for the result. 0 stays 0.
    """
    return result_db + 10 * math.log10(2) if result_db else 0.0


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """`quality_db` is the PSNR of the final video against the lossless run.

    `remaining` is how much of its squared error is left, 1 at the start.
    """

    quality_db: float = DEFAULT_QUALITY_DB
    remaining: float = 1.0

    def share(self, cuts_to_come: int) -> float:
        """What the next lossy cut may use where `cuts_to_come` others follow: all of them the same."""
        return max(self.remaining / (cuts_to_come + 1), _LEAST_SHARE)

    def target_db(self, share: float) -> float:
        """The quality that a cut must reach by itself in order to use no more than its share (above 0)."""
        return self.quality_db - 10 * math.log10(share)

    def share_of(self, target_db: float) -> float:
        """The share that a cut uses which leaves `target_db` by itself; 0 stands for one that loses nothing."""
        return 10 ** ((self.quality_db - target_db) / 10) if target_db else 0.0

    @property
    def has_left(self) -> bool:
        """Whether the cuts to come can still have what they need at least."""
        return self.remaining >= _LEAST_SHARE

    def without(self, share: float) -> "ErrorBudget":
        """What is left once a share is used."""
        return replace(self, remaining=max(0.0, self.remaining - share))
