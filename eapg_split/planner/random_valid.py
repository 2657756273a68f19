"""Any legal plan: for tests that must not depend on which one it is."""

from random import Random

from eapg_split.domain.plan import Plan
from eapg_split.domain.topology import NodeId
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.placement import assemble, obstacle, place
from eapg_split.planner.policy import PlanView

_TRIES = 20


class RandomValidPolicy:
    """A random legal plan, drawn anew for each video's seed and each place to resume at; for fuzzing."""

    name = "random-valid"
    uses_estimates = False

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed

    def plan(self, view: PlanView) -> Plan:
        """Raises InfeasiblePlan where no stage's node can be found, or none of some draws is within the limits."""
        lost = ",".join(sorted(view.unavailable))
        rng = Random(f"{self._seed} {view.workload.request.seed} {view.start_step} {lost}")
        for _ in range(_TRIES):
            try:
                return assemble(view, _draw(view, rng))
            except InfeasiblePlan:
                continue
        return place(view, lambda stage: ())


def _draw(view: PlanView, rng: Random) -> list[NodeId]:
    """A node for each step: mostly the one before, now and then another one that may compute the step."""
    path: list[NodeId] = []
    stay = rng.choice((0.3, 0.7, 0.9))
    for step in range(view.start_step, view.workload.steps):
        stage = view.workload.stage_of(step)
        able = [node.id for node in view.topology.nodes if not obstacle(view, stage, node)]
        if not able:
            raise InfeasiblePlan(f"No node can compute {stage.name}: allow more memory, or lift a pin.")
        if path and path[-1] in able and rng.random() < stay:
            path.append(path[-1])
        else:
            path.append(rng.choice(able))
    return path
