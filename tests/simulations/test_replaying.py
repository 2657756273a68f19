"""Recorded runs once more: the same policy takes what it took, and what the log does not show is said."""

import math
from dataclasses import replace

import pytest

from eapg_split.domain.topology import NodeId
from simulations.logged import rates_over_time, rebuilt
from simulations.outcomes import End
from simulations.paces import paces_of
from simulations.recorded import RecordedLoss, RecordedSample
from simulations.replaying import as_it_was, replay
from tests.simulations.recorded_runs import DEVICE, EDGE, alone, run_of

ENDS = DEVICE, EDGE


def test_the_policy_that_ran_takes_as_long_as_it_did() -> None:
    for slower in (1.0, 3.0):
        run = alone(slower=slower)
        found = replay(run, ["device-only"], [1, 2])
        for course in found.courses["device-only"]:
            assert course.end is End.DONE
            assert course.seconds == pytest.approx(run.wall_s, rel=0.01)
            assert course.placed == f"phone 0-{run.workload.steps}"
        assert found.was.seconds == run.wall_s


def test_another_policy_meets_the_links_and_nodes_of_the_run() -> None:
    slow, fast = run_of(bits_per_s=1e6), run_of(bits_per_s=50e6)
    seconds = []
    for run in (slow, fast):
        (course,) = replay(run, ["edge-only"], [1]).courses["edge-only"]
        assert course.end is End.DONE
        assert EDGE in {bar.where[0] for bar in course.bars}
        seconds.append(course.seconds)
    assert seconds[0] > seconds[1] + 1.0
    assert as_it_was(slow).sent_bytes == 600_000


def test_a_seed_gives_the_same_course() -> None:
    run = run_of()
    first, second = (replay(run, ["dp-adaptive"], [4]).courses for _ in range(2))
    assert first == second


def test_what_the_log_does_not_show_is_said() -> None:
    silent = replace(alone(), links=(), samples=(), trips=())
    notes = " ".join(rebuilt(silent).notes)
    assert "box computed nothing" in notes
    assert "Nothing was seen of the link from phone to box: it has the 40 Mbit/s" in notes
    assert not any("link" in note for note in rebuilt(run_of()).notes)


def test_a_node_that_was_lost_is_away() -> None:
    run = run_of()
    lost = replace(run, losses=(RecordedLoss(EDGE, 0.0, math.inf),))
    (course,) = replay(lost, ["edge-only"], [1]).courses["edge-only"]
    assert course.placed == f"phone 0-{run.workload.steps}"


def test_a_throttled_clock_slows_the_steps_of_all_policies() -> None:
    run = alone()
    cool = replay(run, ["device-only"], [1]).courses["device-only"][0].seconds
    looks = {DEVICE: ((0.0, {"clock_ratio": 1.0}), (0.6, {"clock_ratio": 0.5}))}
    hot = replace(run, looks=looks)
    # steps after that moment took what they took at half the clock: at full clock they take half
    assert paces_of(hot, hot.device).costs["decode"].flops_per_s == pytest.approx(
        2 * paces_of(run, run.device).costs["decode"].flops_per_s
    )
    again = replay(hot, ["device-only"], [1]).courses["device-only"][0].seconds
    assert again == pytest.approx(cool, rel=0.05)


def test_a_node_that_computed_nothing_is_believed_with_its_load() -> None:
    run = replace(alone(), looks={EDGE: ((0.0, {"load": 0.5}),)})
    idle = alone()
    edge = run.nodes[1]
    busy_s, idle_s = (paces_of(each, edge).costs["stage1"].seconds(1e9) for each in (run, idle))
    assert busy_s == pytest.approx(2 * idle_s)


def test_rates_between_samples_carry_what_was_carried() -> None:
    """Two samples a while apart: each rate holds around its sample, and the bytes of a sample take its seconds."""
    samples = [RecordedSample(ENDS, 1_000_000, 1.0, 2.0), RecordedSample(ENDS, 250_000, 1.0, 12.0)]
    trace = rates_over_time(samples)
    assert trace.at(1.5) == pytest.approx(8e6, rel=0.01)
    assert trace.at(11.5) == pytest.approx(2e6, rel=0.01)
    assert trace.at(3.0) > 7.9e6
    assert trace.at(10.0) < 2.1e6
    assert trace.at(500.0) == pytest.approx(2e6, rel=0.01)
    assert trace.arrival(1.0, 8e6) == pytest.approx(2.0, abs=0.02)


def test_strangers_among_the_samples_change_nothing() -> None:
    run = run_of()
    stranger = RecordedSample((NodeId("phone"), NodeId("attic")), 10, 1.0, 1.0)
    more = replace(run, samples=(*run.samples, stranger))
    assert replay(more, ["edge-only"], [1]).courses == replay(run, ["edge-only"], [1]).courses
