"""One move of the state, in numbers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from eapg_split.planner.cost import CostTables


@dataclass(frozen=True, slots=True)
class Move:
    """Encoding, sending and decoding overlap, so that `seconds` is less than their sum and rtt.

    `joules` are the device's, besides what it draws while it waits. `codec` is empty where nothing is coded anew.
    """

    seconds: float
    seconds_95: float
    codec: str = ""
    bits: float = 0.0
    rtt_s: float = 0.0
    encode_s: float = 0.0
    send_s: float = 0.0
    decode_s: float = 0.0
    joules: float = 0.0


STAYS: Final = Move(0.0, 0.0)


def price_move(tables: CostTables, boundary: int, source: int, target: int, codec: int | None = None) -> Move:
    """The move of the state before the step number `boundary`, through one codec, or the one that arrives first.

    There must be a link and a codec.
    """
    links = tables.links
    rate, rate_95, rtt, per_byte = (
        float(table[source, target])
        for table in (links.bits_per_s, links.bits_per_s_95, links.rtt_s, links.joules_per_byte)
    )
    if tables.device not in (source, target):
        per_byte = 0.0
    flying = tables.flying
    if boundary == 0 and flying is not None and flying[:2] == (source, target):
        bits, send = flying[2], flying[2] / rate
        seconds, surely = rtt + send, rtt + bits / rate_95
        return Move(seconds, surely, bits=bits, rtt_s=rtt, send_s=send, joules=bits * per_byte / 8)
    numbers = range(len(tables.codecs)) if codec is None else (codec,)
    seconds, number = _soonest(tables, boundary, rate, numbers)
    surely, _ = _soonest(tables, boundary, rate_95, numbers)
    estimate, at = tables.codecs[number], tables.view.start_step + boundary
    bits, encode, decode = estimate.bits[at], estimate.encode_s[at], estimate.decode_s[at]
    by_device = encode * (source == tables.device) + decode * (target == tables.device)
    joules = bits * per_byte / 8 + tables.extra_w * by_device
    return Move(seconds + rtt, surely + rtt, estimate.name, bits, rtt, encode, bits / rate, decode, joules)


def _soonest(tables: CostTables, boundary: int, rate: float, numbers: Iterable[int]) -> tuple[float, int]:
    """`CodedArrays.seconds` of one move: the seconds and the number of the codec that arrives first."""
    at = tables.view.start_step + boundary
    single = 1.0 / float(tables.coded.parts[boundary])
    codecs = tables.codecs
    return min(
        (_seconds(codecs[n].encode_s[at], codecs[n].bits[at] / rate, codecs[n].decode_s[at], single), n)
        for n in numbers
        if tables.coded.usable[n, boundary]
    )


def _seconds(encode: float, send: float, decode: float, single: float) -> float:
    slowest = max(encode, send, decode)
    return slowest + (encode + send + decode - slowest) * single
