"""One move of the state, in numbers."""

from dataclasses import dataclass
from typing import Final

from eapg_split.planner.cost import CostTables


@dataclass(frozen=True, slots=True)
class Move:
    """Encoding, sending and decoding overlap, so that `seconds` is less than their sum and rtt.

    `joules` are the device's, besides what it draws while it waits. `codec` is empty where nothing is coded.
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
    """The move of the state before the step number `boundary`, through one codec, or the one that arrives first."""
    links, coded = tables.links, tables.coded
    rate, rtt = float(links.bits_per_s[source, target]), float(links.rtt_s[source, target])
    rate_95, per_byte = (
        float(links.bits_per_s_95[source, target]),
        float(links.joules_per_byte[source, target]),
    )
    flying = tables.flying
    if boundary == 0 and flying is not None and flying[:2] == (source, target):
        send = flying[2] / rate
        return Move(
            rtt + send,
            rtt + flying[2] / rate_95,
            bits=flying[2],
            rtt_s=rtt,
            send_s=send,
            joules=flying[2] * per_byte / 8,
        )
    numbers = range(len(tables.codecs)) if codec is None else (codec,)
    seconds, number = coded.seconds_at(boundary, rate, numbers)
    seconds_95, _ = coded.seconds_at(boundary, rate_95, numbers)
    encode, decode = float(coded.encode_s[number, boundary]), float(coded.decode_s[number, boundary])
    bits = float(coded.bits[number, boundary])
    by_device = encode * (source == tables.device) + decode * (target == tables.device)
    return Move(
        seconds + rtt,
        seconds_95 + rtt,
        codec=tables.codecs[number].name,
        bits=bits,
        rtt_s=rtt,
        encode_s=encode,
        send_s=bits / rate,
        decode_s=decode,
        joules=bits * per_byte / 8 + tables.extra_w * by_device,
    )
