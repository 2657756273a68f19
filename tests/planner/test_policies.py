from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.codecs import CODECS
from eapg_split.domain.plan import Cut, Plan, Segment
from eapg_split.domain.request import Privacy, Request
from eapg_split.domain.topology import Node, NodeId, Tier, Topology
from eapg_split.eapg.workload import unroll
from eapg_split.errors import InfeasiblePlan, InvalidRequest
from eapg_split.planner import POLICIES, resolve
from eapg_split.planner.policy import Objective, PlanView
from tests.contracts.check_policy import check_policy

NAMES = tuple(CODECS)
WORKLOAD = unroll(Request("A cat running"))
SMALL = unroll(Request("A cat running", steps=(2, 1, 1, 2)))


def node(name: str, tier: Tier) -> Node:
    return Node(NodeId(name), tier, codecs=NAMES)


DEVICE, EDGE, CLOUD = node("d", Tier.DEVICE), node("e", Tier.EDGE), node("c", Tier.CLOUD)
THREE = Topology((DEVICE, EDGE, CLOUD))
ANY = Objective(Privacy.ANY)


def runs(plan: Plan) -> list[tuple[str, int, int]]:
    return [(s.node, s.start_step, s.stop_step) for s in plan.segments]


def test_pyramid() -> None:
    plan = POLICIES["pyramid"]().plan(PlanView(WORKLOAD, THREE))
    assert runs(plan) == [("d", 0, 25), ("e", 25, 29), ("c", 29, 33), ("d", 33, 34)]
    assert [cut.step for cut in plan.cuts] == [25, 29, 33]
    assert plan.notes == ()
    assert runs(POLICIES["pyramid"]().plan(PlanView(WORKLOAD, THREE, objective=ANY))) == runs(plan)


@pytest.mark.parametrize(
    ("name", "privacy", "expected"),
    [
        ("device-only", Privacy.ANY, [("d", 0, 34)]),
        ("edge-only", Privacy.PROMPT_LOCAL, [("d", 0, 25), ("e", 25, 33), ("d", 33, 34)]),
        ("cloud-only", Privacy.PROMPT_LOCAL, [("d", 0, 25), ("c", 25, 33), ("d", 33, 34)]),
        ("edge-only", Privacy.ANY, [("e", 0, 33), ("d", 33, 34)]),
        ("cloud-only", Privacy.ANY, [("c", 0, 33), ("d", 33, 34)]),
    ],
)
def test_fixed_policies(name: str, privacy: Privacy, expected: list[tuple[str, int, int]]) -> None:
    plan = POLICIES[name]().plan(PlanView(WORKLOAD, THREE, objective=Objective(privacy)))
    assert runs(plan) == expected
    assert plan.notes == ()


@pytest.mark.parametrize(
    ("topology", "unavailable", "expected"),
    [
        (Topology((DEVICE, EDGE)), (), [("d", 0, 25), ("e", 25, 33), ("d", 33, 34)]),
        (Topology((DEVICE, CLOUD)), (), [("d", 0, 25), ("c", 25, 33), ("d", 33, 34)]),
        (Topology((DEVICE,)), (), [("d", 0, 34)]),
        (THREE, ("e",), [("d", 0, 25), ("c", 25, 33), ("d", 33, 34)]),
        (THREE, ("c",), [("d", 0, 25), ("e", 25, 33), ("d", 33, 34)]),
        (THREE, ("c", "e"), [("d", 0, 34)]),
    ],
)
def test_pyramid_makes_do_and_says_so(
    topology: Topology, unavailable: tuple[str, ...], expected: list[tuple[str, int, int]]
) -> None:
    view = PlanView(WORKLOAD, topology, unavailable=frozenset(map(NodeId, unavailable)))
    plan = POLICIES["pyramid"]().plan(view)
    assert runs(plan) == expected
    assert plan.notes


def test_a_second_node_of_the_tier_takes_over() -> None:
    topology = Topology((DEVICE, EDGE, node("e2", Tier.EDGE), CLOUD))
    plan = POLICIES["pyramid"]().plan(PlanView(WORKLOAD, topology, unavailable=frozenset({EDGE.id})))
    assert runs(plan)[1] == ("e2", 25, 29)
    assert plan.notes == ()


@pytest.mark.parametrize(
    "unfit",
    [Node(NodeId("e"), Tier.EDGE, codecs=("int8",)), Node(NodeId("e"), Tier.EDGE, "", (), NAMES, 1000)],
)
def test_a_node_that_is_not_fit_is_passed_over(unfit: Node) -> None:
    plan = POLICIES["pyramid"]().plan(PlanView(WORKLOAD, Topology((DEVICE, unfit, CLOUD))))
    assert runs(plan) == [("d", 0, 25), ("c", 25, 33), ("d", 33, 34)]
    assert "codec" in plan.notes[0] or "memory" in plan.notes[0]


@pytest.mark.parametrize("name", ["edge-only", "cloud-only"])
def test_a_tier_that_was_asked_for_must_exist(name: str) -> None:
    with pytest.raises(InfeasiblePlan, match=name):
        POLICIES[name]().plan(PlanView(WORKLOAD, Topology((DEVICE,))))
    gone = frozenset({EDGE.id, CLOUD.id})
    plan = POLICIES[name]().plan(PlanView(WORKLOAD, THREE, start_step=27, unavailable=gone))
    assert runs(plan) == [("d", 27, 34)]
    assert plan.notes


def test_a_plan_that_resumes_names_the_way_out_of_the_device() -> None:
    plan = POLICIES["pyramid"]().plan(PlanView(WORKLOAD, THREE, start_step=27))
    assert runs(plan) == [("e", 27, 29), ("c", 29, 33), ("d", 33, 34)]
    assert [cut.step for cut in plan.cuts] == [27, 29, 33]


def test_a_device_that_is_gone_is_the_end() -> None:
    for policy in POLICIES.values():
        with pytest.raises(InfeasiblePlan):
            policy().plan(PlanView(WORKLOAD, THREE, unavailable=frozenset({DEVICE.id})))


views = st.builds(
    PlanView,
    workload=st.sampled_from([WORKLOAD, SMALL]),
    topology=st.just(THREE),
    start_step=st.integers(0, 6),
    objective=st.builds(Objective, st.sampled_from(Privacy), st.sampled_from(NAMES)),
    unavailable=st.frozensets(st.sampled_from([EDGE.id, CLOUD.id])),
)


@pytest.mark.parametrize("name", POLICIES)
@given(view=views)
def test_contract(name: str, view: PlanView) -> None:
    assert resolve(name).name == name
    check_policy(resolve(name), view)


@given(
    st.lists(st.sampled_from(["d", "e", "c"]), min_size=SMALL.steps, max_size=SMALL.steps),
    st.sampled_from(Privacy),
    st.frozensets(st.sampled_from([EDGE.id, CLOUD.id])),
)
def test_legal_plans_are_made_and_illegal_ones_are_not(
    nodes: list[str], privacy: Privacy, unavailable: frozenset[NodeId]
) -> None:
    rules = PlanView(SMALL, THREE, objective=Objective(privacy), unavailable=unavailable).rules
    starts = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(nodes)) if a != b), SMALL.steps]
    segments = [Segment(NodeId(nodes[a]), a, b) for a, b in pairwise(starts)]
    cuts = [Cut(step, "lossless") for step in starts[1:-1]]
    private = privacy is Privacy.ANY or all(n == "d" for n in nodes[: 1 + 2 + 1])
    legal = nodes[-1] == "d" and private and not unavailable & set(nodes)
    if not legal:
        with pytest.raises(InfeasiblePlan):
            Plan.checked(rules, segments, cuts)
        return
    plan = Plan.checked(rules, segments, cuts)
    assert [plan.segment_at(step).node for step in range(SMALL.steps)] == nodes


class Custom:
    name = "custom"

    def plan(self, view: PlanView) -> Plan:
        return POLICIES["device-only"]().plan(view)


class NeedsArguments:
    def __init__(self, something: int) -> None: ...


def test_a_policy_of_ones_own() -> None:
    policy = resolve(f"{__name__}:Custom")
    assert policy.name == "custom"
    check_policy(policy, PlanView(WORKLOAD, THREE))


@pytest.mark.parametrize(
    "name",
    [
        "fastest",
        "",
        "no.such.module:Policy",
        "json:Nothing",
        "json:dumps",
        f"{__name__}:NeedsArguments",
        ":",
        "a:b:c",
    ],
)
def test_what_is_no_policy_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        resolve(name)
