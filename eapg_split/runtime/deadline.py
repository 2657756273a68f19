"""An absolute moment by which something must be over; a timeout is only how it is created."""

import asyncio
import math
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Deadline:
    """A moment on the running loop's clock; `math.inf` is never."""

    at_s: float = math.inf

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """`seconds` from now; zero or less means that there is no deadline."""
        return cls(asyncio.get_running_loop().time() + seconds) if seconds > 0 else cls()

    @classmethod
    def on_wall_clock(cls, moment_s: float) -> "Deadline":
        """A moment of the wall clock, as it is seen now; `math.inf` is never."""
        return cls(asyncio.get_running_loop().time() + (moment_s - time.time()))

    @property
    def when(self) -> float | None:
        """The moment as `asyncio.timeout_at` wants it."""
        return None if math.isinf(self.at_s) else self.at_s

    def remaining(self) -> float:
        """Seconds left, never negative; `math.inf` where there is no deadline."""
        return max(0.0, self.at_s - asyncio.get_running_loop().time())

    def capped(self, seconds: float) -> float:
        """The smaller of `seconds` and what is left: how long one wait inside the job may take."""
        return min(seconds, self.remaining())

    def wire_seconds(self) -> float:
        """What is left as it is sent to another node: 0 says that there is no deadline."""
        return 0.0 if math.isinf(self.at_s) else max(self.remaining(), 1e-3)
