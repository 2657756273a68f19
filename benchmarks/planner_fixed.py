"""Plans that are fixed stage by stage: `planner_fixed:DDDEC` is text to stage 2 here, 3 at the edge, 4 in the cloud.

Decoding stays on the device. The names are those of a module's attributes, so that a daemon finds them as it finds any
policy of a stranger.
"""

from itertools import combinations_with_replacement

from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import Tier
from eapg_split.domain.workload import Stage, StageKind
from eapg_split.planner.placement import place
from eapg_split.planner.policy import PlanView

STAGES = ("text", "stage1", "stage2", "stage3", "stage4")
_TIERS = {"D": Tier.DEVICE, "E": Tier.EDGE, "C": Tier.CLOUD}


class FixedPolicy:
    """Each stage on the tier that a letter names."""

    def __init__(self, letters: str) -> None:
        self.name = letters
        self._tiers = {stage: _TIERS[letter] for stage, letter in zip(STAGES, letters, strict=True)}

    def plan(self, view: PlanView) -> Plan:
        return place(view, self._wish)

    def _wish(self, stage: Stage) -> tuple[Tier, ...]:
        tier = Tier.DEVICE if stage.kind is StageKind.DECODE else self._tiers[stage.name]
        return () if tier is Tier.DEVICE else (tier,)


def monotone(private: bool) -> list[str]:
    """Every plan that goes from the device to the edge to the cloud and never back before decoding."""
    kept = "DDD" if private else ""
    return [
        kept + "".join(letters) for letters in combinations_with_replacement("DEC", len(STAGES) - len(kept))
    ]


def __getattr__(name: str) -> object:
    if len(name) == len(STAGES) and set(name) <= set(_TIERS):
        return lambda: FixedPolicy(name)
    raise AttributeError(name)
