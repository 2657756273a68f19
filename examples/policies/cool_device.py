"""Keeps the heavy stages off a warm device, wherever else they may run; needs `filter` only."""

from eapg_split.domain.topology import Tier
from eapg_split.planner.scoring import Arc, ScorePolicy

WARM_C = 38.0


class CoolDevice(ScorePolicy):
    """No step of more than 10 GFLOP on a device that is warmer than 38 Celsius."""

    name = "cool-device"

    def filter(self, arc: Arc) -> bool:
        heavy = not arc.moves and arc.stage.flops_per_step > 10e9
        movable = not arc.stage.sees_text and arc.stage.name != "decode"
        warm = arc.estimate.temperature_c > WARM_C  # False for an unknown one, which is NaN
        return not (heavy and movable and warm and arc.target.tier is Tier.DEVICE)
