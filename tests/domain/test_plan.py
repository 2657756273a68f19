import pytest

from eapg_split.domain.plan import Cut, Plan, PlanRules, Segment
from eapg_split.domain.request import Privacy, Request
from eapg_split.domain.topology import Link, Node, NodeId, Tier, Topology
from eapg_split.eapg.workload import unroll
from eapg_split.errors import InfeasiblePlan, InvalidRequest

D, E = NodeId("d"), NodeId("e")
BOTH = ("lossless", "int8")
TOPOLOGY = Topology((Node(D, Tier.DEVICE, codecs=BOTH), Node(E, Tier.EDGE, codecs=("lossless",))))
WORKLOAD = unroll(Request("A cat", steps=(1, 1, 1, 1)))  # text 0, stages 1 to 4, decode 5
GOOD = (Segment(D, 0, 3), Segment(E, 3, 5), Segment(D, 5, 6))
CUTS = (Cut(3, "lossless"), Cut(5, "lossless"))


def rules(**changes: object) -> PlanRules:
    fields = {"workload": WORKLOAD, "topology": TOPOLOGY, **changes}
    return PlanRules(**fields)  # type: ignore[arg-type]


def test_a_legal_plan_answers_questions() -> None:
    plan = Plan.checked(rules(), GOOD, CUTS, notes=["well"])
    assert (plan.start_step, plan.stop_step, plan.notes) == (0, 6, ("well",))
    assert plan.segment_at(4) == GOOD[1]
    assert plan.codec_at(3) == "lossless"
    with pytest.raises(InfeasiblePlan):
        plan.segment_at(6)


@pytest.mark.parametrize(
    ("segments", "cuts"),
    [
        ((), ()),
        ((Segment(D, 0, 6), Segment(D, 6, 6)), ()),
        ((Segment(D, 0, 3), Segment(E, 2, 5), Segment(D, 5, 6)), CUTS),
        ((Segment(D, 0, 3), Segment(E, 4, 5), Segment(D, 5, 6)), CUTS),
        ((Segment(D, -1, 6),), ()),
        ((Segment(D, 0, 3), Segment(D, 3, 6)), (Cut(3, "lossless"),)),
        (GOOD, ()),
        (GOOD, CUTS[:1]),
        (GOOD, (*CUTS, Cut(4, "lossless"))),
        (GOOD, CUTS[::-1]),
        ((Segment(D, 0, 6),), (Cut(0, "lossless"),)),
    ],
)
def test_a_broken_plan_cannot_even_be_built(segments: tuple[Segment, ...], cuts: tuple[Cut, ...]) -> None:
    with pytest.raises(InfeasiblePlan):
        Plan(segments, cuts)


def test_rules() -> None:
    plan = Plan(GOOD, CUTS)
    plan.check(rules())
    late = Plan((Segment(E, 3, 5), Segment(D, 5, 6)), CUTS)
    late.check(rules(start_step=3))
    for broken, rule, hint in [
        (late, rules(), "must cover"),
        (Plan((Segment(D, 0, 5),)), rules(), "must cover"),
        (Plan((Segment(D, 0, 3), Segment(E, 3, 6)), CUTS[:1]), rules(), "decode"),
        (
            Plan((Segment(D, 0, 2), Segment(E, 2, 5), GOOD[2]), (Cut(2, "lossless"), CUTS[1])),
            rules(),
            "--privacy",
        ),
        (Plan((GOOD[0], Segment(NodeId("x"), 3, 5), GOOD[2]), CUTS), rules(), "not among"),
        (plan, rules(unavailable=frozenset({E})), "unavailable"),
        (Plan(GOOD, (Cut(3, "int8"), CUTS[1])), rules(), "codec"),
        (Plan((Segment(E, 3, 5), Segment(D, 5, 6)), (Cut(3, "int8"), CUTS[1])), rules(start_step=3), "codec"),
    ]:
        with pytest.raises(InfeasiblePlan, match=hint):
            broken.check(rule)
    Plan((Segment(E, 0, 5), GOOD[2]), CUTS[1:]).check(rules(privacy=Privacy.ANY))


def test_memory_limits_bind() -> None:
    tight = Node(E, Tier.EDGE, codecs=BOTH, memory_bytes=1000)
    with pytest.raises(InfeasiblePlan, match="MB"):
        Plan(GOOD, CUTS).check(rules(topology=Topology((TOPOLOGY.device, tight))))


def test_topology() -> None:
    assert TOPOLOGY.device.id == D
    assert TOPOLOGY.node(E).tier is Tier.EDGE
    assert TOPOLOGY.of_tier(Tier.CLOUD) == ()
    with pytest.raises(InvalidRequest, match="d, e"):
        TOPOLOGY.node(NodeId("x"))
    for nodes in [(), (Node(E, Tier.EDGE),), (Node(D, Tier.DEVICE), Node(E, Tier.DEVICE))]:
        with pytest.raises(InvalidRequest, match="exactly one device"):
            Topology(nodes)
    with pytest.raises(InvalidRequest, match="share"):
        Topology((Node(D, Tier.DEVICE), Node(D, Tier.EDGE)))
    with pytest.raises(InvalidRequest, match="link"):
        Topology((Node(D, Tier.DEVICE),), (Link(D, E, 1e6, 0.01),))
    with pytest.raises(InvalidRequest):
        Node(NodeId(""), Tier.EDGE)
    with pytest.raises(InvalidRequest):
        Node(E, Tier.EDGE, memory_bytes=0)
