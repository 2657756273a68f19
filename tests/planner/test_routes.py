"""Which way a state goes between two nodes that are not the device."""

from dataclasses import dataclass

import pytest

from eapg_split.domain.plan import Segment
from eapg_split.domain.telemetry import LinkSight, Telemetry
from eapg_split.domain.topology import Node, NodeId, Topology
from eapg_split.planner.link_rates import LinkRates
from eapg_split.planner.priors import assumed_link
from eapg_split.planner.routes import Routes
from tests.planner.situations import CLOUD, DEVICE, EDGE, TIERS, WORKLOAD

ENDS = (EDGE, CLOUD)
FIRST, SECOND = Segment(EDGE, 1, 3), Segment(CLOUD, 3, 5)


@dataclass(frozen=True)
class Carried:
    source: str
    target: str
    bytes: int
    seconds: float


def routes(
    measured: dict[tuple[NodeId, NodeId], float], *, known: float | None = 0.0, told: Telemetry | None = None
) -> Routes:
    """Links of the device as they were measured, in bits a second; what was known of EDGE to CLOUD, and a look."""
    rates = LinkRates(DEVICE, clock=lambda: 0.0)
    for (source, target), bits_per_s in measured.items():
        for _ in range(50):
            rates.observe(Carried(source, target, int(bits_per_s / 8), 1.0))
    reaches = {} if known is None else {ENDS: LinkSight(*ENDS, known)}
    looks = {} if told is None else {CLOUD: told}
    topology = Topology(tuple(Node(node, tier) for node, tier in TIERS.items()))
    return Routes(topology, rates, reaches, lambda: looks)


def test_a_state_goes_through_the_device_where_the_nodes_do_not_know_each_other() -> None:
    found = routes({(EDGE, DEVICE): 8e6, (DEVICE, CLOUD): 8e6}, known=None)
    link = found.links()[ENDS]
    assert link is not None
    assert link.bits_per_s == pytest.approx(4e6, rel=0.02)  # one after the other
    assert found.relayed(*ENDS)
    assert not found.hands_on(FIRST, SECOND, WORKLOAD)
    assert found.links()[CLOUD, DEVICE] is None  # nothing was seen of it


def test_a_link_that_carried_nothing_yet_is_no_worse_than_the_way_through_the_device() -> None:
    fast = routes({(EDGE, DEVICE): 8e9, (DEVICE, CLOUD): 4e9}).links()[ENDS]
    assert fast is not None
    assert fast.bits_per_s == pytest.approx(4e9, rel=0.02)
    slow = routes({(EDGE, DEVICE): 8e3, (DEVICE, CLOUD): 4e3}).links()[ENDS]
    assert slow == assumed_link(TIERS[EDGE], TIERS[CLOUD])


@pytest.mark.parametrize("told", [None, Telemetry(links=(LinkSight(*ENDS, 2e9, rtt_s=0.5),))])
def test_what_was_seen_of_a_link_counts_and_the_newest_look_first(told: Telemetry | None) -> None:
    link = routes({(EDGE, DEVICE): 8e6}, known=1e9, told=told).links()[ENDS]
    assumed = assumed_link(TIERS[EDGE], TIERS[CLOUD])
    assert link is not None
    assert link.bits_per_s == (1e9 if told is None else 2e9)
    assert link.rtt_s == (assumed.rtt_s if told is None else 0.5)
    assert link.sigma == assumed.sigma


def test_a_state_is_handed_on_where_that_is_the_shorter_way_and_did_not_fail() -> None:
    found = routes({(EDGE, DEVICE): 8e6, (DEVICE, CLOUD): 8e6, (CLOUD, DEVICE): 8e6}, known=1e9)
    assert found.hands_on(FIRST, SECOND, WORKLOAD)
    assert not found.relayed(*ENDS)
    found.broke(*ENDS)
    assert not found.hands_on(FIRST, SECOND, WORKLOAD)
    assert found.relayed(*ENDS)


def test_the_way_home_counts_too() -> None:
    """The result comes back along the call: a slow way home past the first node is not worth it."""
    found = routes({(EDGE, DEVICE): 1e5, (DEVICE, CLOUD): 1e9, (CLOUD, DEVICE): 1e9}, known=1e6)
    longer = Segment(CLOUD, 3, 7)
    assert not found.hands_on(FIRST, longer, WORKLOAD)
