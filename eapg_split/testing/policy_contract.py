"""What every policy owes, ours as well as yours: run `check_policy` over it, or `assert_policy` from a test.

A policy's plans are legal; they are a function of the view and of what was observed, and leave the view alone; nothing
hostile in a view makes it raise anything but InfeasiblePlan; it answers in time; and what it learned survives a
round trip through JSON. How much dearer its plans are than the best ones is measured, and limited where you ask for it.
"""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from eapg_split.domain.plan import Plan
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.dp_static import DpStaticPolicy
from eapg_split.planner.limits import check_plan
from eapg_split.planner.placement import rest_of
from eapg_split.planner.policy import (
    API_VERSION,
    LearningPolicy,
    Occasion,
    PlanView,
    Policy,
    Refusal,
    RevisingPolicy,
    Revision,
    Trigger,
)
from eapg_split.planner.registry import api_version_of, fits_api
from eapg_split.planner.solve import price
from eapg_split.testing.views import hostile_views, measured, random_view, with_slow_links

DEFAULT_VIEWS: Final = 100
LIMIT_S: Final = 0.05  # for a plan
MOST_WITHOUT_PLAN: Final = 0.25  # of the views that have one
_OCCASION: Final = Occasion(Trigger.STEP, "a step was finished")

Make = Callable[[], Policy]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `passed` is None for what is only measured."""

    check: str
    passed: bool | None
    detail: str


class _Broken(Exception):  # noqa: N818
    """A check that failed, with a sentence."""


def check_policy(
    make: Make, *, views: int = DEFAULT_VIEWS, seed: int = 0, max_regret: float = math.inf
) -> tuple[Finding, ...]:
    """Every check, whatever it finds; never raises what the policy raises.

    `make` returns a new policy object. `max_regret` is how much dearer than dp-static's plans its own may be in the
    mean (0.1: ten per cent); without it regret is measured only.
    """
    situations = [random_view(1000 * seed + number) for number in range(views)]
    checks: Sequence[tuple[str, Callable[[], str]]] = (
        ("is a policy", lambda: _is_policy(make)),
        ("plans are legal", lambda: _legal(make, situations)),
        ("plans are repeatable", lambda: _repeatable(make, situations)),
        ("views are left alone", lambda: _pure(make, seed, views)),
        ("hostile views", lambda: _hostile(make)),
        ("revisions are legal and settle", lambda: _revisions(make, situations)),
        ("state survives JSON", lambda: _state(make, situations)),
    )
    findings = [_finding(name, check) for name, check in checks]
    if not findings[0].passed:
        return tuple(findings)
    timed = (
        ("plans in time", lambda: _latency(make, situations)),
        ("regret against dp-static", lambda: _regret(make, situations, max_regret)),
    )
    return (*findings, *(_measured(name, measure) for name, measure in timed))


def assert_policy(
    make: Make, *, views: int = DEFAULT_VIEWS, seed: int = 0, max_regret: float = math.inf
) -> None:
    """The same for a test. Raises AssertionError with every check that failed."""
    findings = check_policy(make, views=views, seed=seed, max_regret=max_regret)
    failed = [f"{found.check}: {found.detail}" for found in findings if found.passed is False]
    if failed:
        raise AssertionError("\n".join(failed))


def _finding(name: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(name, True, check())
    except _Broken as broken:
        return Finding(name, False, str(broken))
    except Exception as error:  # the policy may raise anything; that is what is looked for
        return Finding(name, False, _words(error))


def _measured(name: str, measure: Callable[[], Finding]) -> Finding:
    try:
        return measure()
    except Exception as error:
        return Finding(name, False, _words(error))


def _is_policy(make: Make) -> str:
    policy: object = make()
    if not isinstance(policy, Policy) or not isinstance(policy.name, str):
        raise _Broken('a policy has a text "name" and a method plan(view)')
    version = api_version_of(policy)
    if not fits_api(version):
        raise _Broken(f"api_version is {version}, and this is version {API_VERSION}")
    kinds = [
        kind
        for kind, what in (("revises", RevisingPolicy), ("learns", LearningPolicy))
        if isinstance(policy, what)
    ]
    return ", ".join([f"{policy.name!r} plans", *kinds])


def _legal(make: Make, situations: Sequence[PlanView]) -> str:
    """InfeasiblePlan is an answer, by which another policy plans; one that gives it too often is none itself."""
    without = 0
    for number, view in enumerate(situations):
        try:
            check_plan(view, make().plan(view))
        except InfeasiblePlan as error:
            if not _is_own_answer(make, view):
                raise _Broken(f"view {number}: {error.message}") from error
            without += not isinstance(error, Refusal) and _reference(view) is not None
        except Exception as error:
            raise _Broken(f"view {number}: {_words(error)}") from error
    if without > MOST_WITHOUT_PLAN * len(situations):
        raise _Broken(f"no plan for {without} of {len(situations)} views that have one")
    return f"{len(situations)} views, of which {without} were left to the fallback"


def _is_own_answer(make: Make, view: PlanView) -> bool:
    """Whether it was the policy that raised InfeasiblePlan, and not the check of what it returned."""
    return _plan_or_none(make(), view) is None


def _repeatable(make: Make, situations: Sequence[PlanView]) -> str:
    for number, view in enumerate(situations):
        policy = make()
        plans = [_plan_or_none(policy, view), _plan_or_none(policy, view), _plan_or_none(make(), view)]
        if plans[0] != plans[1]:
            raise _Broken(
                f"view {number}: one object made two different plans; draw random numbers from the view"
            )
        if plans[0] != plans[2]:
            raise _Broken(f"view {number}: two new objects made different plans")
    return "equal views give equal plans"


def _pure(make: Make, seed: int, views: int) -> str:
    for number in range(min(views, 20)):
        view, twin = (random_view(1000 * seed + number) for _ in range(2))
        policy = make()
        plan = _plan_or_none(policy, view)
        if plan is not None and isinstance(policy, RevisingPolicy):
            policy.revise(view, plan, _OCCASION)
        if repr(view) != repr(twin):
            raise _Broken(f"view {number} was changed")
    return "a view is the same after planning as before"


def _hostile(make: Make) -> str:
    count = 0
    for hostile in hostile_views():
        policy, view = make(), hostile.view
        try:
            plan = check_plan(view, policy.plan(view))
            if isinstance(policy, RevisingPolicy):
                _check_revision(view, plan, policy.revise(view, plan, _OCCASION))
        except InfeasiblePlan as error:
            if not _is_own_answer(make, view):
                raise _Broken(f"{hostile.name}: {error.message}") from error
        except Exception as error:
            raise _Broken(f"{hostile.name}: {_words(error)}") from error
        count += 1
    return f"{count} of them survived"


def _revisions(make: Make, situations: Sequence[PlanView]) -> str:
    """After a change for the worse a policy may replace its plan, but not again and again with nothing new to see."""
    if not isinstance(make(), RevisingPolicy):
        return "it plans once"
    replaced = 0
    for number, view in enumerate(situations):
        policy = make()
        plan = _plan_or_none(policy, view)
        if plan is None or not isinstance(policy, RevisingPolicy):
            continue
        changed = with_slow_links(view, plan)
        for _ in range(2):
            try:
                revision = policy.revise(changed, plan, _OCCASION)
                _check_revision(changed, plan, revision)
            except InfeasiblePlan:
                break
            if revision.plan is None:
                break
            replaced, plan = replaced + 1, revision.plan
        else:
            raise _Broken(f"view {number}: it replaced its own new plan although nothing had changed")
    return f"{replaced} of {len(situations)} plans replaced after a change for the worse"


def _check_revision(view: PlanView, current: Plan, revision: object) -> None:
    if not isinstance(revision, Revision) or not revision.reason:
        raise _Broken(f"revise returned {type(revision).__name__}: return a Revision with a reason")
    check_plan(view, rest_of(view, current) if revision.plan is None else revision.plan)


def _state(make: Make, situations: Sequence[PlanView]) -> str:
    if not isinstance(make(), LearningPolicy):
        return "it keeps none"
    learner, heir = make(), make()
    assert isinstance(learner, LearningPolicy)
    assert isinstance(heir, LearningPolicy)
    for view in situations[:20]:
        plan = _plan_or_none(learner, view)
        if plan is not None:
            for measurement in measured(view, plan):
                learner.observe(measurement)
    text = json.dumps(dict(learner.state_dict()), allow_nan=False)
    heir.load_state_dict(json.loads(text))
    if json.dumps(dict(heir.state_dict()), allow_nan=False) != text:
        raise _Broken("a state that was loaded is not the one that was saved")
    for number, view in enumerate(situations[:20]):
        if _plan_or_none(learner, view) != _plan_or_none(heir, view):
            raise _Broken(f"view {number}: the plan changed with the round trip of the state")
    for damaged in ({}, {"version": -1}, {"unknown": [1, None, "x"]}):
        try:
            make().load_state_dict(damaged)  # type: ignore[attr-defined]  # it is a LearningPolicy
        except ValueError:
            continue
    return f"{len(text)} bytes after {min(20, len(situations))} jobs"


def _latency(make: Make, situations: Sequence[PlanView]) -> Finding:
    """The median is of time that passes, the 99th percentile of computing, which no other program disturbs."""
    walls, computing = [], []
    policy = make()
    for view in situations:
        began, began_cpu = time.perf_counter(), time.thread_time()
        _plan_or_none(policy, view)
        walls.append(time.perf_counter() - began)
        computing.append(time.thread_time() - began_cpu)
    median, p99 = sorted(walls)[len(walls) // 2], sorted(computing)[math.ceil(0.99 * len(computing)) - 1]
    detail = f"median {median * 1e3:.1f} ms, p99 {p99 * 1e3:.1f} ms (limit {LIMIT_S * 1e3:.0f} ms)"
    return Finding("plans in time", max(median, p99) <= LIMIT_S, detail)


def _regret(make: Make, situations: Sequence[PlanView], limit: float) -> Finding:
    """Against dp-static, by the objective under the same estimates; the mean is of logarithms, as ratios want."""
    ratios, over = [], 0
    for view in situations:
        best, own = _reference(view), _plan_or_none(make(), view)
        if best is None or own is None:
            continue
        least, cost = price(view, best), price(view, own)
        if not cost.feasible:
            over += 1
        elif least.feasible and min(least.objective, cost.objective) > 0:
            ratios.append(cost.objective / least.objective)
    if not ratios:
        return Finding("regret against dp-static", None, "no view could be compared")
    mean, worst = math.exp(sum(map(math.log, ratios)) / len(ratios)) - 1, max(ratios) - 1
    detail = f"mean {mean:+.1%}, worst {worst:+.1%} over {len(ratios)} views; {over} plans over a limit"
    return Finding("regret against dp-static", None if limit == math.inf else mean <= limit, detail)


def _reference(view: PlanView) -> Plan | None:
    return _plan_or_none(DpStaticPolicy(), view)


def _plan_or_none(policy: Policy, view: PlanView) -> Plan | None:
    try:
        return policy.plan(view)
    except InfeasiblePlan:
        return None


def _words(error: Exception) -> str:
    text = " ".join(str(error).split())[:200]
    return f"it raised {type(error).__name__}" + (f": {text}" if text else "")
