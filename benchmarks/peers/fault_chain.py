"""A chain of equal steps that leaves a line for each one that begins, and the killing of whoever is inside one.

Runs in a peer's environment; the line is "STEP PID MOMENT", the moment on the monotonic clock of this machine.
"""

import os
import signal
import time
from pathlib import Path
from typing import Any

DEADLINE_S = 60.0
_LOOK_S = 0.002


def step(value: Any, number: int, log: str, seconds: float) -> Any:
    """One step: says that it begins, takes its time, and adds one."""
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(f"{number} {os.getpid()} {time.monotonic()}\n")
    time.sleep(seconds)
    return value + 1


def kill_inside(log: str, number: int, seconds: float) -> float:
    """SIGKILL for whoever computes that step, half a step after it began; when that was, on the monotonic clock."""
    until = time.monotonic() + DEADLINE_S
    while time.monotonic() < until:
        for line in _lines(log):
            if int(line[0]) == number:
                time.sleep(max(0.0, float(line[2]) + seconds / 2 - time.monotonic()))
                killed = time.monotonic()
                os.kill(int(line[1]), signal.SIGKILL)
                return killed
        time.sleep(_LOOK_S)
    raise TimeoutError(f"step {number} did not begin within {DEADLINE_S:.0f} s")


def told(log: str, killed: float) -> dict[str, Any]:
    """Seconds until the next step began after the kill, and how many steps began."""
    lines = _lines(log)
    return {
        "next_s": min(float(line[2]) for line in lines if float(line[2]) > killed) - killed,
        "begun": len(lines),
    }


def _lines(log: str) -> list[list[str]]:
    path = Path(log)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [line.split() for line in text.split("\n")[:-1]]
