"""One move of the state, in numbers."""

import math
from dataclasses import dataclass
from typing import Final

from eapg_split.planner.arrays import SIGMAS_95
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
    device, nodes = tables.device, tables.nodes
    link = tables.estimates.links[nodes[source], nodes[target]]
    rate = link.bits_per_s
    surely = rate * math.exp(-SIGMAS_95 * float(tables.links.sigma[source, target]))
    per_byte = float(tables.links.joules_per_byte[source, target]) if device in (source, target) else 0.0
    flying = tables.flying
    if boundary == 0 and flying is not None and flying[:2] == (source, target):
        bits = flying[2]
        joules, send = bits * per_byte / 8, bits / rate
        return Move(
            link.rtt_s + send, link.rtt_s + bits / surely, "", bits, link.rtt_s, 0.0, send, 0.0, joules
        )
    at, single = tables.view.start_step + boundary, 1.0 / float(tables.coded.parts[boundary])
    best = best_95 = math.inf
    chosen = None
    for each in tables.codecs if codec is None else (tables.codecs[codec],):
        encode, bits, decode = each.encode_s[at], each.bits[at], each.decode_s[at]
        if not (0 <= encode < math.inf and 0 <= bits < math.inf and 0 <= decode < math.inf):
            continue
        seconds = _seconds(encode, bits / rate, decode, single)
        if seconds < best:
            best, chosen = seconds, each
        best_95 = min(best_95, _seconds(encode, bits / surely, decode, single))
    if chosen is None:
        return Move(math.inf, math.inf)
    encode, bits, decode = chosen.encode_s[at], chosen.bits[at], chosen.decode_s[at]
    coding = encode * (source == device) + decode * (target == device)
    joules = bits * per_byte / 8 + tables.extra_w * coding
    rtt = link.rtt_s
    return Move(rtt + best, rtt + best_95, chosen.name, bits, rtt, encode, bits / rate, decode, joules)


def _seconds(encode: float, send: float, decode: float, single: float) -> float:
    """As in CodedArrays: the longest of the three, and one part's share of the other two."""
    slowest = max(encode, send, decode)
    return slowest + (encode + send + decode - slowest) * single
