"""Learns: each remote node is trusted by how its steps compared with what was believed of it, and remembered."""

import math

from eapg_split.planner.cost import CostTables
from eapg_split.planner.policy import Measurement, PlanView, State, StepMeasured
from eapg_split.planner.scoring import Arc, ScorePolicy


class Loyal(ScorePolicy):
    """Adds what a node was late on the average, in parts of what was believed, to all that it shall compute."""

    name = "loyal"

    def __init__(self) -> None:
        super().__init__()
        self._late: dict[str, float] = {}
        self._view: PlanView | None = None

    def tables(self, view: PlanView) -> CostTables:
        self._view = view  # what is believed now is what the next measurements are compared with
        return super().tables(view)

    def score(self, arc: Arc) -> float:
        return 0.0 if arc.moves else self._late.get(arc.target.id, 0.0) * arc.seconds

    def observe(self, measurement: Measurement) -> None:
        if not isinstance(measurement, StepMeasured) or self._view is None or self._view.estimates is None:
            return
        believed = self._view.estimates.nodes[measurement.node].step_s[measurement.step]
        if 0 < believed < math.inf:
            late = max(0.0, min(10.0, measurement.seconds / believed - 1))
            before = self._late.get(measurement.node, late)
            self._late[measurement.node] = 0.8 * before + 0.2 * late

    def state_dict(self) -> State:
        return {"late": dict(self._late)}

    def load_state_dict(self, state: State) -> None:
        late = state.get("late")
        if not isinstance(late, dict) or not all(isinstance(value, float) for value in late.values()):
            raise ValueError("this is no state of the policy loyal")
        self._late = {str(node): value for node, value in late.items()}
