"""The exact planner against every path there is, on random small instances."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eapg_split.domain.plan import Cut, Plan, Segment
from eapg_split.domain.request import Privacy
from eapg_split.domain.topology import NodeId
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.estimates import LinkEstimate
from eapg_split.planner.limits import check_plan
from eapg_split.planner.policy import Goal, PlanView, Transfer
from eapg_split.planner.solve import Solution, price, solve
from tests.planner.brute import binding, every, within
from tests.planner.instances import limited, view

CLOSE = 1e-9


def drawn(seed: int) -> PlanView:
    """Plain, with closed ways and budgets, or with limits that lie among what the paths take."""
    base = view(seed)
    match seed % 4:
        case 0:
            return base
        case 1:
            return limited(base, seed)
        case 2:
            return binding(base, seed)
        case _:
            return binding(limited(base, seed), seed)


def agrees(seen: PlanView) -> tuple[str, Solution | None]:
    """Holds `solve` to the best of all paths; says what became of the view."""
    everything = every(seen)
    kept = [plan for plan in everything if within(seen, plan)]
    if not kept:
        with pytest.raises(InfeasiblePlan):
            solve(seen)
        return ("infeasible" if everything else "closed"), None
    found = solve(seen)
    best = min(plan.objective for plan in kept)
    assert found.score.objective == pytest.approx(best, rel=CLOSE, abs=CLOSE)
    same = next(plan for plan in kept if plan.path == found.path)
    for name in ("time_s", "time95_s", "energy_j", "money"):
        assert getattr(found.score, name) == pytest.approx(getattr(same, name), rel=CLOSE, abs=CLOSE)
    assert price(seen, found.plan) == found.score
    check_plan(seen, found.plan)
    return ("binds" if best > min(plan.objective for plan in everything) + CLOSE else "free"), found


def test_solve_is_the_best_of_all_paths_on_thousands_of_instances() -> None:
    became: dict[str, int] = {}
    for seed in range(2000):
        outcome, _ = agrees(drawn(seed))
        became[outcome] = became.get(outcome, 0) + 1
    assert all(became[outcome] >= 100 for outcome in ("binds", "free", "infeasible", "closed")), became


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.integers(0, 10**9),
    st.lists(st.integers(1, 2), min_size=2, max_size=4),
    st.integers(1, 4),
    st.integers(0, 3),
    st.sampled_from(Goal),
)
def test_solve_is_the_best_of_all_paths(
    seed: int, counts: list[int], nodes: int, codecs: int, goal: Goal
) -> None:
    seen = view(seed, counts=tuple(counts), nodes=nodes, codecs=codecs)
    seen = replace(seen, objective=replace(seen.objective, goal=goal))
    agrees(seen)
    agrees(limited(seen, seed))
    agrees(binding(limited(seen, seed), seed))


def test_the_runner_up_is_the_best_of_the_others() -> None:
    for seed in range(400):
        seen = drawn(seed)
        _, found = agrees(seen)
        if found is None:
            continue
        others = [plan.objective for plan in every(seen) if within(seen, plan) and plan.path != found.path]
        if found.runner_up is None:
            assert not others
        else:
            assert price(seen, found.runner_up).objective == pytest.approx(min(others), rel=CLOSE)


def test_price_is_the_brute_price_for_every_path_and_says_what_is_broken() -> None:
    for seed in range(1, 200, 2):
        seen = drawn(seed)
        legal = {plan.path: plan for plan in every(seen)}
        random = np.random.default_rng(seed)
        number, left = len(seen.topology.nodes), seen.workload.steps - seen.start_step
        some = [*list(legal)[:10], *(tuple(random.integers(0, number, left).tolist()) for _ in range(10))]
        for path in some:
            score = price(seen, plan_along(seen, path))
            exact = legal.get(path)
            assert score.feasible == (exact is not None and within(seen, exact))
            assert bool(score.why) != score.feasible
            assert (score.objective == math.inf) != score.feasible
            if exact is not None:
                assert score.time_s == pytest.approx(exact.time_s, rel=CLOSE)
                assert score.energy_j == pytest.approx(exact.energy_j, rel=CLOSE)


def plan_along(seen: PlanView, path: tuple[int, ...]) -> Plan:
    segments: list[Segment] = []
    for step, number in enumerate(path, seen.start_step):
        node = seen.topology.nodes[number].id
        if segments and segments[-1].node == node:
            segments[-1] = replace(segments[-1], stop_step=step + 1)
        else:
            segments.append(Segment(node, step, step + 1))
    return Plan(tuple(segments), tuple(Cut(segment.start_step, "auto") for segment in segments[1:]))


def test_price_looks_only_at_what_is_left_of_a_plan_that_began_earlier() -> None:
    seen = view(5, counts=(1, 2, 1), nodes=3)
    seen = replace(seen, objective=replace(seen.objective, privacy=Privacy.ANY))
    whole = solve(seen).plan
    later = replace(seen, start_step=2, at=whole.segment_at(1).node)
    assert price(later, whole) == price(later, solve(later).plan)
    assert price(later, whole).time_s < price(seen, whole).time_s


def test_price_of_a_plan_with_a_stranger_or_a_gap_is_infeasible() -> None:
    seen = view(5, counts=(1, 2, 1), nodes=2)
    stranger = Plan((Segment(NodeId("nobody"), 0, 4),))
    assert "not among the known nodes" in price(seen, stranger).why
    assert "does not cover" in price(seen, Plan((Segment(NodeId("n0"), 2, 4),))).why


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.floats(1.0, 20.0))
def test_a_faster_link_or_node_never_makes_the_fastest_plan_slower(seed: int, factor: float) -> None:
    seen = view(seed)
    seen = replace(seen, objective=replace(seen.objective, goal=Goal.LATENCY))
    known = seen.estimates
    assert known is not None
    try:
        before = solve(seen).score.objective
    except InfeasiblePlan:
        return
    random = np.random.default_rng(seed)
    quicker = dict(known.links)
    for pair, link in known.links.items():
        if random.random() < 0.5:
            quicker[pair] = replace(link, bits_per_s=link.bits_per_s * factor)
    faster = replace(seen, estimates=replace(known, links=quicker))
    # radio and coding joules have a share of a millionth: a codec that arrives first may need more of them
    assert solve(faster).score.objective <= before + 1e-4
    nodes = {
        name: replace(node, step_s=tuple(s / factor for s in node.step_s))
        for name, node in known.nodes.items()
    }
    assert solve(replace(seen, estimates=replace(known, nodes=nodes))).score.objective <= before + CLOSE


def test_what_is_on_its_way_costs_only_the_rest_of_its_bytes() -> None:
    seen = view(11, counts=(1, 2, 1), nodes=2, codecs=1)
    n0, n1 = NodeId("n0"), NodeId("n1")
    known = seen.estimates
    assert known is not None
    fast = replace(known.nodes[n1], step_s=(0.01,) * 4, entry_s=(), ready_s=0.0)
    links = {(n0, n1): LinkEstimate(8e6), (n1, n0): LinkEstimate(8e6)}
    estimates = replace(known, nodes={n0: known.nodes[n0], n1: fast}, links=links)
    seen = replace(
        seen,
        estimates=estimates,
        start_step=1,
        objective=replace(seen.objective, privacy=Privacy.ANY, codec="lossless"),
    )
    flying = replace(seen, in_flight=Transfer(n0, n1, 1000))
    plan = Plan((Segment(n1, 1, 3), Segment(n0, 3, 4)), (Cut(1, "lossless"), Cut(3, "lossless")))
    saved = price(seen, plan).time_s - price(flying, plan).time_s
    codec = known.codecs[0]
    assert saved == pytest.approx(
        max(codec.bits[1] / 8e6, codec.encode_s[1]) + codec.decode_s[1] - 1000 * 8 / 8e6, rel=0.3
    )
    assert saved > 0


def test_a_view_without_estimates_is_told_what_is_missing() -> None:
    with pytest.raises(InfeasiblePlan, match="needs estimates"):
        solve(replace(view(0), estimates=None))


def test_infeasible_plans_name_the_limit() -> None:
    seen = view(4, counts=(1, 2, 1), nodes=2)
    deadline = replace(seen, objective=replace(seen.objective, deadline_s=0.1))
    with pytest.raises(InfeasiblePlan, match=r"No plan keeps the deadline of 0\.1 s: the fastest needs"):
        solve(deadline)
    joules = replace(seen, objective=replace(seen.objective, max_energy_j=0.01))
    with pytest.raises(InfeasiblePlan, match=r"No plan keeps the limit of 0\.01 J: the least is"):
        solve(joules)
    pinned = replace(seen, objective=replace(seen.objective, pins={"stage2": NodeId("n1")}))
    with pytest.raises(
        InfeasiblePlan, match=r"No node may compute step 3 \(stage2\): n0 is not where it is pinned"
    ):
        solve(pinned)
    alone = replace(seen, unavailable=frozenset({NodeId("n0")}))
    with pytest.raises(InfeasiblePlan, match="n0 is unavailable"):
        solve(alone)


def test_binding_names_the_limit_that_changed_the_plan() -> None:
    found: set[str] = set()
    for seed in range(600):
        seen = drawn(seed)
        try:
            solution = solve(seen)
        except InfeasiblePlan:
            continue
        everything = every(seen)
        free = min(plan.objective for plan in everything)
        if solution.score.objective > free + CLOSE:
            assert solution.binding, seed
        found |= {
            word for word in ("deadline", " J", "money", "cuts", "not ready") if word in solution.binding
        }
    assert found == {"deadline", " J", "money", "cuts", "not ready"}


def test_binding_names_the_privacy_of_the_prompt() -> None:
    seen = view(4, counts=(2, 1, 1), nodes=2)
    known = seen.estimates
    assert known is not None
    fast = replace(known.nodes[NodeId("n1")], step_s=(0.001,) * 4, ready_s=0.0)
    links = {pair: LinkEstimate(1e9) for pair in ((NodeId("n0"), NodeId("n1")), (NodeId("n1"), NodeId("n0")))}
    estimates = replace(known, nodes={**known.nodes, NodeId("n1"): fast}, links=links)
    objective = replace(seen.objective, privacy=Privacy.PROMPT_LOCAL, goal=Goal.LATENCY, codec="lossless")
    topology = replace(
        seen.topology, nodes=tuple(replace(node, memory_bytes=None) for node in seen.topology.nodes)
    )
    solution = solve(replace(seen, estimates=estimates, objective=objective, topology=topology))
    assert solution.binding.startswith(
        "That the prompt stays on the device binds: without it the plan would be n1 3, n0 1"
    )


def test_the_same_view_gives_the_same_solution() -> None:
    for seed in range(50):
        seen = drawn(seed)
        try:
            first = solve(seen)
        except InfeasiblePlan:
            continue
        assert (first.plan, first.score) == (solve(seen).plan, solve(seen).score)
