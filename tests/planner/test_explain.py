"""What is said of a plan adds up, and JSON can hold it."""

import json
from dataclasses import replace

import pytest

from eapg_split.domain.topology import NodeId
from eapg_split.errors import InfeasiblePlan
from eapg_split.planner.explain import explain
from eapg_split.planner.solve import solve
from tests.planner.instances import limited, view


def test_the_terms_add_up_to_the_score() -> None:
    explained = 0
    for seed in range(200):
        seen = limited(view(seed), seed) if seed % 2 else view(seed)
        try:
            solution = solve(seen)
        except InfeasiblePlan:
            continue
        story = explain(seen, solution)
        terms = story.terms
        assert sum(t.move_s + t.wait_s + t.compute_s for t in terms) == pytest.approx(story.score.time_s)
        assert sum(t.energy_j for t in terms) == pytest.approx(story.score.energy_j)
        assert sum(t.money for t in terms) == pytest.approx(story.score.money)
        assert [(t.node, t.start_step, t.stop_step) for t in terms] == [
            (s.node, s.start_step, s.stop_step) for s in solution.plan.segments
        ]
        assert all(t.move_s <= t.encode_s + t.send_s + t.rtt_s + t.decode_s + 1e-12 for t in terms)
        if story.runner_up is not None:
            assert story.runner_up.behind >= -1e-9
            assert story.runner_up.plan.segments != solution.plan.segments
        text = json.dumps(story.as_dict(), allow_nan=False)
        assert json.loads(text)["score"]["time_s"] == story.score.time_s
        explained += 1
    assert explained > 100


def test_what_was_not_measured_is_said() -> None:
    seen = view(4, counts=(1, 2, 1), nodes=2)
    known = seen.estimates
    assert known is not None
    doubtful = replace(
        known,
        nodes={name: replace(node, uncertain=True) for name, node in known.nodes.items()},
        links={pair: replace(link, sigma=0.8) for pair, link in known.links.items()},
    )
    seen = replace(seen, estimates=doubtful)
    story = explain(seen, solve(seen))
    assert story.assumptions[0] == "The speed of n0 was not measured but computed from what its steps need."
    crossed = any(term.source != term.node for term in story.terms)
    assert any("Mbit/s" in sentence for sentence in story.assumptions) == crossed
    assert NodeId("n0") in {term.node for term in story.terms}
