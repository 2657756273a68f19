"""How much latent information a node takes on: it falls with the battery and with heat.

    max_entropy(b, T) = H * clip((b - 0.05) / 0.45, 0.15, 1) / (1 + exp((T - 41) / 2))

in bits, for a charge b from 0 to 1 and a temperature T in Celsius. H is the tier's: 2e6 for a phone (720p in four-bit
numbers), 5e6 for an edge node (1080p in eight or sixteen bits), 4e7 for a server (4K). A full and cool phone takes on
all of H; at half charge still; at 5 % or empty 15 %; at 41 C half of it.
"""

import math
from types import MappingProxyType
from typing import Final

from eapg_split.domain.telemetry import Reading, Telemetry
from eapg_split.domain.topology import Tier

TIER_BITS: Final = MappingProxyType({Tier.DEVICE: 2e6, Tier.EDGE: 5e6, Tier.CLOUD: 4e7})
COOL_C: Final = 25.0  # where nobody knows
_EMPTY, _SPAN, _LEAST_SHARE = 0.05, 0.45, 0.15
_HALF_C, _WIDTH_C = 41.0, 2.0
_SEVERE_C: Final = 44.0  # the skin of a phone that throttles severely: a headroom of 1
_DEGREES: Final = 30.0  # by which a headroom of 0 is cooler
_STEP_C: Final = 1.0
_STEP_CHARGE: Final = 0.03


def max_entropy(tier_bits: float, charge: float, temperature_c: float) -> float:
    """Bits by the formula; a charge that is NaN is mains, a temperature that is NaN is 25 C."""
    charge = 1.0 if math.isnan(charge) else charge
    temperature_c = COOL_C if math.isnan(temperature_c) else temperature_c
    share = min(1.0, max(_LEAST_SHARE, (charge - _EMPTY) / _SPAN))
    # the exponent is bounded so that no temperature overflows
    return tier_bits * share / (1 + math.exp(min(500.0, (temperature_c - _HALF_C) / _WIDTH_C)))


class EntropyBudget:
    """One node's budget over time. It follows a change of 1 C or 3 % of charge, so that noise changes no plan."""

    def __init__(self, tier: Tier, bits: float | None = None) -> None:
        """`bits` stands in for the tier's own."""
        self._bits = TIER_BITS[tier] if bits is None else bits
        self._charge = self._temperature_c = math.nan

    def seen(self, look: Telemetry) -> float:
        """Bits that the node takes on now. On mains the battery does not count; what is unknown limits nothing."""
        on_mains = look.plugged.or_else(0.0) >= 0.5
        charge = 1.0 if on_mains else look.charge.or_else(1.0)
        self._charge = _held(self._charge, charge, _STEP_CHARGE)
        self._temperature_c = _held(self._temperature_c, _felt(look), _STEP_C)
        return max_entropy(self._bits, self._charge, self._temperature_c)


def _held(before: float, now: float, step: float) -> float:
    return before if abs(now - before) < step else now


def _felt(look: Telemetry) -> float:
    """The temperature in a phone's terms: a headroom says how far a part of any kind is from throttling."""
    if look.headroom.known:
        return _SEVERE_C - _DEGREES * (1 - look.headroom.value)
    known: Reading = look.temperature_c
    return known.or_else(COOL_C)
