"""What happened, as JSON lines: one seed gives the same bytes."""

import json
from collections.abc import Callable


class Record:
    """Takes events in the order in which they happen; without `write` it forgets them."""

    def __init__(self, write: Callable[[str], object] | None = None) -> None:
        self._write = write

    def add(self, at_s: float, event: str, **fields: object) -> None:
        """One line. Fields are what JSON can hold."""
        if self._write is not None:
            line = {"at_s": round(at_s, 9), "event": event, **fields}
            self._write(json.dumps(line, separators=(",", ":"), allow_nan=False) + "\n")

    @property
    def kept(self) -> bool:
        """Whether anybody reads it."""
        return self._write is not None
