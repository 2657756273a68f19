"""Small situations whose best plans can be computed by hand: eight steps, round numbers, coding for nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from eapg_split.domain.plan import Plan
from eapg_split.domain.request import Privacy, Request
from eapg_split.domain.topology import Node, NodeId, Tier, Topology
from eapg_split.eapg.workload import unroll
from eapg_split.planner.estimates import CodecEstimate, Estimates, LinkEstimate, NodeEstimate
from eapg_split.planner.policy import Goal, Objective, PlanView

# text 0; stage1 1, 2; stage2 3; stage3 4; stage4 5, 6; decode 7
WORKLOAD = unroll(Request("A cat running", steps=(2, 1, 1, 2)))
STEPS = WORKLOAD.steps
DEVICE, EDGE, CLOUD = NodeId("d"), NodeId("e"), NodeId("c")
TIERS = {DEVICE: Tier.DEVICE, EDGE: Tier.EDGE, CLOUD: Tier.CLOUD}
FAST = Objective(goal=Goal.LATENCY)
FAST_ANYWHERE = Objective(Privacy.ANY, goal=Goal.LATENCY)
Seconds = float | Sequence[float]


def situation(
    steps: Mapping[NodeId, Seconds],
    *,
    objective: Objective = FAST,
    transfer_s: float | Mapping[tuple[NodeId, NodeId], float] = 1.0,
    rtt_s: float = 0.0,
    ready_s: Mapping[NodeId, float] | None = None,
    start_step: int = 0,
    at: NodeId | None = None,
    now_s: float = 0.0,
) -> PlanView:
    """Every step takes what `steps` says of the node, every transfer of a state `transfer_s` besides the round trip.

    The prompt travels for nothing but the round trip.
    """
    nodes = tuple(Node(name, TIERS[name], codecs=("lossless",)) for name in steps)
    known = {
        name: NodeEstimate(each_step(seconds), (ready_s or {}).get(name, 0.0))
        for name, seconds in steps.items()
    }
    links = {}
    for source in steps:
        for target in steps:
            if source != target:
                seconds = transfer_s if isinstance(transfer_s, float) else transfer_s[source, target]
                links[source, target] = LinkEstimate(8e6 / seconds, rtt_s)
    codec = CodecEstimate("lossless", (0.0, *[8e6] * STEPS), (0.0,) * (STEPS + 1), (0.0,) * (STEPS + 1))
    return PlanView(
        WORKLOAD,
        Topology(nodes),
        start_step,
        objective,
        estimates=Estimates(known, links, (codec,)),
        at=at,
        now_s=now_s,
    )


def each_step(seconds: Seconds) -> tuple[float, ...]:
    return (seconds,) * STEPS if isinstance(seconds, float) else tuple(seconds)


def runs(plan: Plan) -> list[tuple[str, int, int]]:
    return [(part.node, part.start_step, part.stop_step) for part in plan.segments]


def later(view: PlanView, step: int, at: NodeId, **changes: object) -> PlanView:
    """The same situation when `step` is next and the state is on a node."""
    return replace(view, start_step=step, at=at, **changes)  # type: ignore[arg-type]


def with_rate(view: PlanView, source: NodeId, target: NodeId, factor: float) -> PlanView:
    """The same situation with one link so many times as fast."""
    assert view.estimates is not None
    link = view.estimates.links[source, target]
    links = {**view.estimates.links, (source, target): replace(link, bits_per_s=link.bits_per_s * factor)}
    return replace(view, estimates=replace(view.estimates, links=links))
