"""Asks a device what it believes now, and plans by that in this process: nothing is computed on the nodes."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from eapg_split.cli.connect import open_device
from eapg_split.domain.plan import Plan
from eapg_split.domain.request import Request
from eapg_split.domain.workload import Workload
from eapg_split.eapg.workload import unroll
from eapg_split.errors import EapgError, InfeasiblePlan
from eapg_split.planner import POLICIES, absolute, resolve
from eapg_split.planner.explain import Explanation, explain_plan
from eapg_split.planner.pareto import front
from eapg_split.planner.policy import Objective, PlanView, Policy, wants_estimates
from eapg_split.planner.solve import Solution, price
from eapg_split.planner.sweep import SweepPoint, rates, sweep
from eapg_split.planner.walk import Score
from eapg_split.rpc.job_client import JobOptions, outlook
from eapg_split.runtime.policy_host import Answer, PolicyHost
from eapg_split.runtime.survey import Survey

MOST_FRONT: Final = 12  # plans of a front: more cannot be told apart in a picture


@dataclass(frozen=True)
class PlanOptions:
    """What the flags of `plan` say. `who` and `front` are the pictures that are wanted."""

    request: Request
    policy: str
    codec: str
    quality_db: float
    engine: str
    threads: int
    weights: Path | None
    nodes: Path | None
    deadline_s: float
    wishes: Objective
    explain: bool = False
    as_json: bool = False
    who: Path | None = None
    front: Path | None = None

    @property
    def objective(self) -> Objective:
        """All that the plan is to mind."""
        return replace(
            self.wishes,
            privacy=self.request.privacy,
            codec=self.codec,
            deadline_s=self.deadline_s or math.inf,
        )


@dataclass(frozen=True)
class MadePlan:
    """A plan and all that there is to say of it.

    `planner` is the policy that made it: a stand-in where the one that was asked for failed, as `warning` tells.
    `explanation` is missing where the estimates do not allow the plan; then the score says why.
    """

    view: PlanView
    survey: Survey
    plan: Plan
    planner: str
    warning: str
    score: Score
    explanation: Explanation | None
    points: tuple[SweepPoint, ...] | None = None
    choices: tuple[Solution, ...] | None = None

    @property
    def workload(self) -> Workload:
        return self.view.workload


def make(options: PlanOptions) -> MadePlan:
    """Blocks for some seconds. Raises InfeasiblePlan that names the limit, and what keeps the device from answering."""
    policy = resolve(options.policy)
    workload = unroll(options.request)
    survey = asyncio.run(_ask(options, workload))
    view = PlanView(workload, survey.topology, objective=options.objective, estimates=survey.estimates)
    try:
        answer = _planned(policy, view)
    except EapgError as error:
        if survey.missing:
            raise type(error)(f"{error.message} Not reached: {', '.join(survey.missing)}.") from error
        raise
    plan = answer.value
    score, explanation = price(view, plan), None
    try:
        explanation = explain_plan(view, plan)
    except InfeasiblePlan as error:
        score = replace(score, feasible=False, why=score.why or error.message)
    return MadePlan(
        view,
        survey,
        plan,
        answer.policy,
        answer.warning,
        score,
        explanation,
        points=_sweep(options, policy, view, survey) if options.who is not None else None,
        choices=front(view, most=MOST_FRONT) if options.front is not None else None,
    )


async def _ask(options: PlanOptions, workload: Workload) -> Survey:
    where = open_device(
        options.nodes, engine=options.engine, threads=options.threads, weights=options.weights
    )
    async with where as device:
        job = JobOptions(
            policy=absolute(options.policy),
            codec=options.codec,
            quality_db=options.quality_db,
            wishes=options.wishes,
            peers=device.peers,
        )
        return await outlook(device.address, options.request, job, steps=workload.steps, access=device.access)


def _sweep(options: PlanOptions, policy: Policy, view: PlanView, survey: Survey) -> tuple[SweepPoint, ...]:
    """Each point by a policy that has seen no other, where that can be had for nothing."""
    kind = POLICIES.get(options.policy)
    fresh: Callable[[], Policy] = kind if kind is not None else lambda: policy
    return sweep(view, lambda each: _planned(fresh(), each).value, rates(), survey.relayed)


def _planned(policy: Policy, view: PlanView) -> Answer[Plan]:
    """As a job would be planned: behind the guards, and without estimates for a policy that wants none."""
    if not wants_estimates(policy):
        view = replace(view, estimates=None)
    return asyncio.run(PolicyHost(policy).plan(view))
