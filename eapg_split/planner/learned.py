"""A trained model as a policy: it places stage after stage, and is asked again where a plan cannot go on."""

from pathlib import Path

import numpy as np

from eapg_split.domain.plan import Plan
from eapg_split.planner.optimal import unmeasured_plan
from eapg_split.planner.policy import PlanView
from eapg_split.planner.policy_models import read_model
from eapg_split.planner.stage_choices import StageChoices


class LearnedPolicy:
    """Gives each stage to the legal node that a trained model likes best."""

    api_version = 1

    def __init__(self, path: Path) -> None:
        """Raises InvalidRequest for a file that holds no model."""
        self.name = path.stem[:64]
        self._model = read_model(path)

    def plan(self, view: PlanView) -> Plan:
        """Raises InfeasiblePlan where no chain of nodes is legal."""
        if view.estimates is None:
            return unmeasured_plan(view)
        choices = StageChoices(view)
        while (choice := choices.next()) is not None:
            nodes, codecs = self._model.logits(choice)
            node = np.where(choice.node_mask, nodes, -np.inf).argmax()
            codec = np.where(choice.codec_mask, codecs, -np.inf).argmax()
            choices.take(int(node), int(codec))
        return choices.plan()
