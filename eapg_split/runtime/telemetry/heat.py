"""Which of many temperatures is the one that limits a node, and how far it is from slowing the node down.

A phone is limited by its skin and battery, at 35 to 45 C; a computer by its processor, near 95 C. A number of degrees
alone says nothing then, so that processors come with a headroom in Android's sense: 1 where they throttle severely, and
0 at 30 C below.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from eapg_split.domain.telemetry import RANGES

_SKIN: Final = re.compile(r"skin|batt|shell|surface|quiet|xo.?therm|back.?cover", re.IGNORECASE)
_PROCESSOR: Final = re.compile(r"cpu|core|soc|gpu|k10temp|zenpower|pkg|apu|tegra|acpitz", re.IGNORECASE)
_ELSEWHERE: Final = re.compile(
    r"nvme|iwlwifi|wifi|wlan|modem|mdm|pch|drivetemp|charger|usb|pa-therm", re.IGNORECASE
)
_ASSUMED_LIMIT_C: Final = 95.0
_PER_DEGREE: Final = 1 / 30


@dataclass(frozen=True, slots=True)
class Heat:
    """One sensor: what it is called, what it says, and where its part throttles, if it says so."""

    name: str
    celsius: float
    limit_c: float | None = None


@dataclass(frozen=True, slots=True)
class Limiting:
    """The temperature that counts; `assumed` says that the limit behind the headroom is a guess."""

    celsius: float | None = None
    headroom: float | None = None
    assumed: bool = False


def limiting(heats: Iterable[Heat]) -> Limiting:
    """The hottest skin or battery, where there is one; else the hottest processor, else whatever is hottest.

    A sensor that says exactly 0, or what cannot be, is broken and left out.
    """
    low, high = RANGES["temperature_c"]
    sane = [heat for heat in heats if low <= heat.celsius <= high and heat.celsius != 0]
    skins = [heat for heat in sane if _SKIN.search(heat.name)]
    if skins:
        return Limiting(max(heat.celsius for heat in skins))
    others = [heat for heat in sane if not _ELSEWHERE.search(heat.name)]
    parts = [heat for heat in others if _PROCESSOR.search(heat.name)] or others
    if not parts:
        return Limiting()
    hottest = max(parts, key=lambda heat: heat.celsius)
    stated = hottest.limit_c if hottest.limit_c is not None and 40 <= hottest.limit_c <= high else None
    limit_c = _ASSUMED_LIMIT_C if stated is None else stated
    headroom = max(0.0, 1 - (limit_c - hottest.celsius) * _PER_DEGREE)
    return Limiting(hottest.celsius, headroom, assumed=stated is None)
