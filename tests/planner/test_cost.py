"""The arrays that costs are made of, and what becomes of estimates that are no numbers."""

import math
from dataclasses import replace

import numpy as np
import pytest

from eapg_split.domain.request import Privacy
from eapg_split.domain.topology import NodeId
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner import charges
from eapg_split.planner.cost import CostTables
from eapg_split.planner.estimates import LinkEstimate, NodeEstimate
from eapg_split.planner.moves import price_move
from eapg_split.planner.policy import Goal, Objective, PlanView, Transfer
from eapg_split.planner.solve import solve
from eapg_split.planner.weights import TIE, Weights, seconds_per_joule, weights_of
from tests.planner.brute import moved
from tests.planner.instances import limited, view

N0, N1 = NodeId("n0"), NodeId("n1")


def test_moves_are_the_brute_ones_one_by_one_and_as_arrays() -> None:
    for seed in range(120):
        seen = limited(view(seed), seed)
        tables = CostTables.of(seen)
        joules = charges.energy(tables, waiting=False).moves
        for boundary in range(tables.steps):
            for source, target in np.ndindex(len(tables.nodes), len(tables.nodes)):
                if source == target:
                    continue
                exact = moved(seen, seen.start_step + boundary, source, target)
                assert tables.open_moves[boundary, source, target] == (exact is not None)
                if exact is None:
                    continue
                single = price_move(tables, boundary, source, target)
                spent = exact[2] + exact[3] * tables.extra_w
                assert tables.move_s[boundary, source, target] == pytest.approx(exact[0], rel=1e-12)
                assert tables.move_95_s[boundary, source, target] == pytest.approx(exact[1], rel=1e-9)
                assert joules[boundary, source, target] == pytest.approx(spent, rel=1e-12, abs=1e-15)
                assert (single.seconds, single.seconds_95) == pytest.approx(exact[:2], rel=1e-9)
                assert single.joules == pytest.approx(spent, rel=1e-12, abs=1e-15)
                assert tables.move_bits[boundary, source, target] == single.bits


def plain(**changes: object) -> PlanView:
    """Two nodes that know all and may do all."""
    seen = view(4, counts=(1, 2, 1), nodes=2)
    known = seen.estimates
    assert known is not None
    links = {pair: LinkEstimate(1e8, 0.01, 0.2, 1e-7) for pair in ((N0, N1), (N1, N0))}
    nodes = tuple(replace(node, memory_bytes=None, codecs=("auto",)) for node in seen.topology.nodes)
    nodes_known = {
        N0: NodeEstimate((1.0,) * 4, active_w=5.0, idle_w=1.0, battery_j=900.0, charge=0.8),
        N1: NodeEstimate((0.1,) * 4, price_per_s=0.001),
    }
    estimates = replace(known, nodes=nodes_known, links=links)
    topology = replace(seen.topology, nodes=nodes)
    objective = Objective(Privacy.ANY, "auto", Goal.LATENCY)
    return replace(seen, estimates=estimates, topology=topology, objective=objective, **changes)  # type: ignore[arg-type]


def nodes_of(seen: PlanView) -> list[str]:
    return [segment.node for segment in solve(seen).plan.segments]


def with_node(seen: PlanView, name: NodeId, **changes: object) -> PlanView:
    known = seen.estimates
    assert known is not None
    changed = replace(known.nodes[name], **changes)  # type: ignore[arg-type]
    return replace(seen, estimates=replace(known, nodes={**known.nodes, name: changed}))


def with_links(seen: PlanView, **changes: object) -> PlanView:
    known = seen.estimates
    assert known is not None
    links = {pair: replace(link, **changes) for pair, link in known.links.items()}  # type: ignore[arg-type]
    return replace(seen, estimates=replace(known, links=links))


def test_an_idle_fast_node_takes_all_but_the_decoding() -> None:
    assert nodes_of(plain()) == ["n1", "n0"]


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_what_is_no_number_of_seconds_or_bits_closes_its_way(value: float) -> None:
    assert nodes_of(with_node(plain(), N1, step_s=(value,) * 4)) == ["n0"]
    known = plain().estimates
    assert known is not None
    broken = tuple(replace(codec, bits=(value,) * 5) for codec in known.codecs)
    assert nodes_of(replace(plain(), estimates=replace(known, codecs=broken))) == ["n0"]


@pytest.mark.parametrize(
    "changes",
    [
        {"bits_per_s": 0.0},
        {"bits_per_s": math.nan},
        {"bits_per_s": -5.0},
        {"rtt_s": math.inf},
        {"rtt_s": math.nan},
    ],
)
def test_dead_links_leave_the_device_alone(changes: dict[str, float]) -> None:
    assert nodes_of(with_links(plain(), **changes)) == ["n0"]


def test_unknown_watts_batteries_and_sigmas_do_not_drive_the_work_away() -> None:
    hostile = with_node(plain(), N0, active_w=math.nan, idle_w=math.nan, battery_j=math.nan, charge=math.nan)
    hostile = with_node(hostile, N1, price_per_s=math.nan, max_entropy_bits=math.nan)
    assert nodes_of(with_links(hostile, sigma=math.nan, joules_per_byte=math.nan)) == ["n1", "n0"]
    assert nodes_of(with_node(plain(), N1, ready_s=math.inf)) == ["n0"]


def test_a_node_without_estimate_or_codec_is_left_out() -> None:
    known = plain().estimates
    assert known is not None
    assert nodes_of(replace(plain(), estimates=replace(known, nodes={N0: known.nodes[N0]}))) == ["n0"]
    nodes = tuple(replace(node, codecs=() if node.id == N1 else ("auto",)) for node in plain().topology.nodes)
    assert nodes_of(replace(plain(), topology=replace(plain().topology, nodes=nodes))) == ["n0"]
    assert nodes_of(replace(plain(), estimates=replace(known, codecs=()))) == ["n0"]


def test_estimates_of_another_workload_are_refused() -> None:
    with pytest.raises(InfeasiblePlan, match="The estimate of n1 has 3 steps and the workload 4"):
        solve(with_node(plain(), N1, step_s=(1.0,) * 3))
    known = plain().estimates
    assert known is not None
    short = tuple(replace(codec, bits=codec.bits[:-1]) for codec in known.codecs)
    with pytest.raises(InfeasiblePlan, match="must have 5 boundaries"):
        solve(replace(plain(), estimates=replace(known, codecs=short)))
    with pytest.raises(InfeasiblePlan, match="is said to be on nobody"):
        solve(plain(start_step=1, at=NodeId("nobody")))
    with pytest.raises(InfeasiblePlan, match="on its way at nobody"):
        solve(plain(start_step=1, in_flight=Transfer(N0, NodeId("nobody"), 10)))


def test_the_entropy_budget_moves_work_away_but_never_what_only_the_device_may_do() -> None:
    slow = with_node(plain(), N1, step_s=(9.0,) * 4)
    assert nodes_of(slow) == ["n0"]
    tired = with_node(slow, N0, max_entropy_bits=1.0)
    local = replace(tired, objective=replace(tired.objective, privacy=Privacy.PROMPT_LOCAL))
    assert nodes_of(tired) == nodes_of(local) == ["n0", "n1", "n0"]
    with pytest.raises(
        InfeasiblePlan, match=r"n0 takes on 1 bits and the state has \d.*, n1 takes on 1 bits"
    ):
        solve(replace(slow, objective=replace(slow.objective, max_entropy_bits=1.0)))


def test_weights_of_the_goals() -> None:
    phone = NodeEstimate((), battery_j=100.0, charge=0.0)
    assert weights_of(Objective(goal=Goal.LATENCY), phone) == Weights(1.0, TIE, TIE)
    assert weights_of(Objective(goal=Goal.ENERGY), phone) == Weights(TIE, 1.0, TIE)
    assert weights_of(Objective(goal=Goal.COST), phone) == Weights(TIE, TIE, 1.0)
    assert weights_of(Objective(goal=Goal.BALANCED), phone).energy == pytest.approx(0.5)


def test_a_joule_is_dearer_the_emptier_the_battery_and_free_on_mains() -> None:
    charges_ = [1.0, 0.5, 0.4, 0.2, 0.1, 0.0]
    prices = [seconds_per_joule(NodeEstimate((), battery_j=9.0, charge=charge)) for charge in charges_]
    assert prices[0] == prices[1] == 0.02
    assert prices[1:] == sorted(set(prices))
    assert seconds_per_joule(NodeEstimate((), battery_j=math.inf, charge=0.1)) == 0.0
    assert seconds_per_joule(NodeEstimate((), battery_j=9.0)) == 0.02


def test_with_less_charge_balanced_spends_fewer_joules() -> None:
    def joules(charge: float) -> float:
        seen = with_node(plain(), N1, step_s=(1.1,) * 4)
        seen = replace(seen, objective=replace(seen.objective, goal=Goal.BALANCED))
        return solve(with_node(seen, N0, charge=charge)).score.energy_j

    spent = [joules(charge) for charge in (1.0, 0.3, 0.05)]
    assert spent[0] >= spent[1] >= spent[2]
    assert spent[0] > spent[2]
