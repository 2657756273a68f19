"""What a byte costs the device's battery, by how it is connected.

Cellular figures are linear fits of the power of a whole Galaxy S20, screen included, against its rate, made from the
Monsoon measurements of "A Variegated Look at 5G in the Wild" (SIGCOMM'21 artifact): P = base + slope * Mbit/s, and a
slope of 1 mW per Mbit/s is 8 nJ a byte. Wi-Fi and Ethernet are assumptions in the order of magnitude of data sheets:
nobody measured them for this project.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

_J_PER_BYTE: Final = 8e-9  # of a slope of 1 mW per Mbit/s


class Technology(StrEnum):
    """How a node reaches the others."""

    LTE = "lte"
    NSA_LOW = "nsa-low"  # 5G in the low band beside an LTE anchor
    MMWAVE = "mmwave"
    WIFI = "wifi"
    ETHERNET = "ethernet"

    @property
    def metered(self) -> bool:
        """Whether its bytes usually cost money."""
        return self in (Technology.LTE, Technology.NSA_LOW, Technology.MMWAVE)


@dataclass(frozen=True, slots=True)
class Direction:
    """`base_w` is drawn for as long as a transfer lasts, `joules_per_byte` besides."""

    base_w: float
    joules_per_byte: float

    def joules(self, size_bytes: float, seconds: float) -> float:
        """One transfer."""
        return self.base_w * seconds + self.joules_per_byte * size_bytes


@dataclass(frozen=True, slots=True)
class Radio:
    """Both directions as the device sees them."""

    sending: Direction
    receiving: Direction


def _radio(send: tuple[float, float], receive: tuple[float, float]) -> Radio:
    """Base in watts and slope in mW per Mbit/s, for each direction."""
    sending, receiving = (Direction(base_w, slope * _J_PER_BYTE) for base_w, slope in (send, receive))
    return Radio(sending, receiving)


RADIOS: Final[Mapping[Technology, Radio]] = MappingProxyType(
    {
        Technology.LTE: _radio((2.93, 76.7), (2.84, 11.5)),
        Technology.NSA_LOW: _radio((3.20, 32.2), (3.06, 11.5)),
        Technology.MMWAVE: _radio((5.66, 8.9), (5.24, 1.73)),
        Technology.WIFI: _radio((0.8, 10.0), (0.6, 5.0)),  # assumed
        Technology.ETHERNET: _radio((0.3, 1.0), (0.3, 1.0)),  # assumed
    }
)
