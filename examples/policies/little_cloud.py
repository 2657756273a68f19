"""Five lines: a second in the cloud counts for one and a half, so it must be much faster to be worth it."""

from eapg_split.domain.topology import Tier
from eapg_split.planner.scoring import Arc, ScorePolicy


class LittleCloud(ScorePolicy):
    name = "little-cloud"

    def score(self, arc: Arc) -> float:
        return 0.5 * arc.seconds if arc.target.tier is Tier.CLOUD else 0.0
