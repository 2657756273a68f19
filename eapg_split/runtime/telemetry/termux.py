"""Android without root: what Termux:API says of the battery."""

import json
import subprocess
import time
from collections.abc import Callable
from typing import Final

from eapg_split.domain.telemetry import Quality, Telemetry, reading

COMMAND: Final = "termux-battery-status"
_LEAST_S: Final = 10.0  # each call starts a process
_TIMEOUT_S: Final = 5.0
_NOMINAL_V: Final = 3.85
_MOST_BYTES: Final = 64 * 1024
_LARGEST: Final = 1e12  # of any number that a battery tells


class TermuxSource:
    """Asks at most every ten seconds; what it said holds until then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_s = float("-inf")
        self._said = Telemetry()

    def read(self) -> Telemetry:
        """Charge, mains, power while on battery, and the battery's temperature."""
        now = self._clock()
        if now - self._asked_s >= _LEAST_S:
            self._asked_s = now
            self._said = _telemetry(_status())
        return self._said


def _status() -> dict[str, object]:
    try:
        answer = subprocess.run(
            [COMMAND], stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT_S, check=True
        ).stdout
        status = json.loads(answer[:_MOST_BYTES])
    except (OSError, ValueError, RecursionError, subprocess.SubprocessError):
        return {}
    return status if isinstance(status, dict) else {}


def _number(status: dict[str, object], key: str) -> float | None:
    value = status.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) <= _LARGEST:
        return None
    return float(value)


def _telemetry(status: dict[str, object]) -> Telemetry:
    percentage = _number(status, "percentage")
    plug = status.get("plugged")
    plugged = float(plug != "UNPLUGGED") if isinstance(plug, str) and plug else None
    micro_amperes, millivolts = _number(status, "current"), _number(status, "voltage")
    volts = None if millivolts is None else millivolts / 1000
    measured = volts is not None and 2 <= volts <= 30
    watts = None
    if plugged == 0 and micro_amperes:
        watts = abs(micro_amperes) * 1e-6 * (volts if measured and volts else _NOMINAL_V)
    return Telemetry(
        charge=reading("charge", None if percentage is None else percentage / 100),
        plugged=reading("plugged", plugged),
        power_w=reading("power_w", watts, Quality.MEASURED if measured else Quality.MODELLED),
        temperature_c=reading("temperature_c", _number(status, "temperature") or None),
    )
