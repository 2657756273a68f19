"""The contract of policies over all of ours, and over ones that break it."""

from collections.abc import Mapping

import pytest

from eapg_split.domain.plan import Plan
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner import POLICIES
from eapg_split.planner.device_only import DeviceOnlyPolicy
from eapg_split.planner.dp_adaptive import DpAdaptivePolicy
from eapg_split.planner.policy import Measurement, Occasion, PlanView, Revision
from eapg_split.planner.random_valid import RandomValidPolicy
from eapg_split.testing.policy_contract import Make, assert_policy, check_policy
from eapg_split.testing.views import hostile_views, random_view

VIEWS = 60


@pytest.mark.parametrize("name", POLICIES)
def test_ours_keep_it(name: str) -> None:
    assert_policy(POLICIES[name], views=VIEWS)


def test_the_exact_planner_has_no_regret_and_the_measure_can_fail() -> None:
    assert_policy(DpAdaptivePolicy, views=VIEWS, max_regret=1e-9)
    with pytest.raises(AssertionError, match="regret"):
        assert_policy(DeviceOnlyPolicy, views=VIEWS, max_regret=0.01)


class Illegal:
    """The last node gets everything, whatever it may."""

    name = "illegal"

    def plan(self, view: PlanView) -> Plan:
        plan = DeviceOnlyPolicy().plan(view)
        object.__setattr__(plan.segments[0], "node", view.topology.nodes[-1].id)
        return plan


class Fickle:
    name = "fickle"
    calls = 0

    def plan(self, view: PlanView) -> Plan:
        Fickle.calls += 1
        return RandomValidPolicy(Fickle.calls).plan(view)


class Vandal:
    """Takes nodes off the view's estimates, which are a plain dict there."""

    name = "vandal"

    def plan(self, view: PlanView) -> Plan:
        plan = DeviceOnlyPolicy().plan(view)
        if view.estimates is not None and isinstance(view.estimates.nodes, dict):
            view.estimates.nodes.clear()
        return plan


class Fragile:
    name = "fragile"

    def plan(self, view: PlanView) -> Plan:
        assert view.estimates is not None
        slowest = (
            min(link.bits_per_s for link in view.estimates.links.values()) if view.estimates.links else 1.0
        )
        del slowest
        return DeviceOnlyPolicy().plan(view)


class Timid:
    name = "timid"

    def plan(self, view: PlanView) -> Plan:
        raise InfeasiblePlan("I dare not.")


class Flapping(DeviceOnlyPolicy):
    name = "flapping"

    def revise(self, view: PlanView, current: Plan, occasion: Occasion) -> Revision:
        return Revision(self.plan(view), "why not")


class Forgetful(DeviceOnlyPolicy):
    name = "forgetful"

    def __init__(self) -> None:
        self.seen = 0

    def observe(self, measurement: Measurement) -> None:
        self.seen += 1

    def state_dict(self) -> Mapping[str, object]:
        return {"seen": self.seen}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        self.seen = 0


class Nameless:
    def plan(self, view: PlanView) -> Plan:
        return DeviceOnlyPolicy().plan(view)


class Futuristic(DeviceOnlyPolicy):
    api_version = 2


@pytest.mark.parametrize(
    ("make", "check"),
    [
        (Illegal, "plans are legal"),
        (Fickle, "plans are repeatable"),
        (Vandal, "views are left alone"),
        (Fragile, "hostile views"),
        (Timid, "plans are legal"),
        (Flapping, "revisions are legal and settle"),
        (Forgetful, "state survives JSON"),
        (Nameless, "is a policy"),
        (Futuristic, "is a policy"),
    ],
)
def test_what_breaks_it_is_found(make: Make, check: str) -> None:
    findings = {found.check: found for found in check_policy(make, views=20)}
    assert findings[check].passed is False
    assert findings[check].detail
    with pytest.raises(AssertionError, match=check):
        assert_policy(make, views=20)


def test_situations_are_equal_for_equal_seeds_and_differ_otherwise() -> None:
    assert repr(random_view(3)) == repr(random_view(3))
    assert len({repr(random_view(seed)) for seed in range(30)}) == 30
    sizes = {len(random_view(seed).topology.nodes) for seed in range(60)}
    assert {1, 2, 3} <= sizes
    assert len({hostile.name for hostile in hostile_views()}) == len(list(hostile_views()))
