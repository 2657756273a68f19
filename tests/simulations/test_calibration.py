"""Fitted models give back what made the runs, say what there was too little of, and foretell other runs."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from eapg_split.domain.topology import NodeId
from simulations.building import build
from simulations.calibrated import check, scenario_text
from simulations.calibration import Calibration, calibrate
from simulations.recorded import RecordedRun, RecordedSample
from simulations.scenario import parse_scenario
from simulations.simulation import simulate
from tests.simulations.recorded_runs import DEVICE, EDGE, SPEEDS, alone, run_of


def test_speeds_and_rates_are_found() -> None:
    found = calibrate([run_of(slower=2.0), alone(slower=2.0)])
    device, edge = found.nodes
    for name, fit in device.stages.items():
        assert fit.flops_per_s == pytest.approx(SPEEDS[DEVICE] / 2), name
    assert set(edge.stages) == {"stage4"}
    assert edge.stages["stage4"].flops_per_s == pytest.approx(SPEEDS[EDGE] / 2)
    there = next(link for link in found.links if link.ends == (DEVICE, EDGE))
    assert there.bits_per_s == pytest.approx(8e6)
    assert there.delay_s == pytest.approx(0.01)
    assert all(residual.median < 0.01 for residual in found.residuals)


def test_outliers_do_not_move_a_figure() -> None:
    run = alone()
    disturbed = tuple(
        replace(step, seconds=20 * step.seconds) if step.step in (3, 9) else step for step in run.steps
    )
    found = calibrate([replace(run, steps=disturbed)])
    assert found.nodes[0].stages["stage1"].flops_per_s == pytest.approx(SPEEDS[DEVICE])
    stage1 = next(each for each in found.residuals if each.what == "stage1 on phone")
    assert stage1.median < 0.01
    assert stage1.p95 > 0.5


def test_entry_costs_stand_apart() -> None:
    run = alone()
    starts = {stage.start_step for stage in run.workload.stages if stage.entry_flops > 0}
    assert starts
    late = tuple(
        replace(step, seconds=step.seconds + 0.5) if step.step in starts else step for step in run.steps
    )
    found = calibrate([replace(run, steps=late)]).nodes[0]
    plain = calibrate([run]).nodes[0]
    for stage in run.workload.stages:
        if stage.start_step in starts:
            slower, usual = found.stages[stage.name], plain.stages[stage.name]
            assert slower.flops_per_s == pytest.approx(usual.flops_per_s)
            assert slower.entry_flops_per_s is not None
            assert usual.entry_flops_per_s is not None
            added = stage.entry_flops / slower.entry_flops_per_s - stage.entry_flops / usual.entry_flops_per_s
            assert added == pytest.approx(0.5)


def test_how_a_rate_wanders_is_found() -> None:
    """An AR(1) process of the logarithm: sigma 0.4, correlation 1/e after 5 s."""
    draws, memory_s, sigma = np.random.default_rng(7), 5.0, 0.4
    samples, log = list[RecordedSample](), 0.0
    keep = math.exp(-0.5 / memory_s)
    for number in range(4000):
        log = keep * log + sigma * math.sqrt(1 - keep**2) * float(draws.standard_normal())
        samples.append(RecordedSample((DEVICE, EDGE), 100_000, 0.1 * math.exp(-log), 0.5 * number))
    run = replace(run_of(), samples=tuple(samples))
    link = next(each for each in calibrate([run]).links if each.ends == (DEVICE, EDGE))
    assert link.sigma == pytest.approx(sigma, rel=0.15)
    assert link.memory_s == pytest.approx(memory_s, rel=0.35)


def test_what_there_was_too_little_of_is_said() -> None:
    bare = replace(alone(), samples=(), links=tuple(replace(link, known=False) for link in alone().links))
    notes = " ".join(calibrate([bare]).notes)
    assert "box computed nothing" in notes
    assert "Fewer than 3 steps of text" in notes
    assert "Nothing was seen of the link from phone to box" in notes


def throttled(levels: tuple[tuple[float, float], ...]) -> RecordedRun:
    """The phone's looks go through temperatures and clocks; its steps are as slow as the clock."""
    run = alone()
    looks = tuple(
        (0.01 * index, {"temperature_c": temperature + 0.2 * part, "clock_ratio": ratio})
        for index, (ratio, temperature, part) in enumerate(
            (ratio, temperature, part) for ratio, temperature in levels for part in range(4)
        )
    )
    ratio = levels[-1][0]
    steps = tuple(replace(step, seconds=step.seconds / ratio) for step in run.steps)
    return replace(run, looks={DEVICE: looks}, steps=steps)


def test_throttle_levels_are_found_and_taken_out_of_the_steps() -> None:
    levels = ((1.0, 30.0), (0.7, 38.0), (0.5, 42.0))
    device = calibrate([throttled(levels)]).nodes[0]
    assert device.strain.levels == levels
    assert device.stages["stage1"].flops_per_s == pytest.approx(SPEEDS[DEVICE])
    constant = calibrate([throttled(((0.5, 44.0),))])
    assert constant.nodes[0].strain.levels == ()
    assert constant.nodes[0].stages["stage1"].flops_per_s == pytest.approx(SPEEDS[DEVICE] / 2)
    assert any("did not change with its temperature" in note for note in constant.notes)


def test_what_a_battery_gives_is_found_where_a_meter_tells() -> None:
    run = alone()
    looks = (
        *((step.start_s, {"charge": 0.5, "plugged": 0.0, "power_w": 6.0}) for step in run.steps[:5]),
        *((0.01 * number, {"charge": 0.5, "plugged": 0.0, "power_w": 1.5}) for number in range(4)),
    )
    strain = (
        calibrate([replace(run, looks={DEVICE: tuple(sorted(looks, key=lambda look: look[0]))})])
        .nodes[0]
        .strain
    )
    assert (strain.active_w, strain.idle_w, strain.charge) == (6.0, 1.5, 0.5)
    unmetered = replace(run, looks={DEVICE: ((0.0, {"charge": 0.5, "plugged": 0.0}),)})
    notes = calibrate([unmetered]).notes
    assert any("battery of phone lost too little" in note for note in notes)


def scenario_of(found: Calibration) -> str:
    return scenario_text(found, 'Runs with a "title" \u732b')


def test_the_scenario_is_one_that_simulate_takes() -> None:
    found = calibrate([run_of(), throttled(((1.0, 30.0), (0.6, 40.0)))])
    scenario = parse_scenario(Path("fitted.toml"), scenario_of(found))
    assert scenario.policies == ("device-only",)
    setup = build(scenario, 1)
    assert {spec.id for spec in setup.layout.nodes} == {DEVICE, EDGE}
    result = simulate(setup, seed=1, until_s=scenario.until_s)
    assert len(result.outcomes) == 2
    assert all(job.end == "done" for job in result.outcomes)
    device = next(spec for spec in setup.layout.nodes if spec.id == DEVICE)
    assert device.heat is not None
    assert device.heat.governor.ratios == (1.0, 0.6)


def test_other_runs_are_foretold() -> None:
    found = calibrate([alone(slower=1.5), run_of(slower=1.5)])
    (checked,) = check(found, [alone(slower=1.5)])
    assert checked.error == pytest.approx(0.0, abs=0.02)
    (wrong,) = check(found, [alone(slower=3.0)])
    assert wrong.error == pytest.approx(-0.5, abs=0.05)


def test_names_of_nodes_are_text_in_the_file() -> None:
    odd = NodeId('a "node" # one')
    run = alone()
    nodes = (replace(run.nodes[0], id=odd), run.nodes[1])
    steps = tuple(replace(step, node=odd) for step in run.steps)
    links = tuple(
        replace(link, ends=(odd, EDGE) if link.ends[0] == DEVICE else (EDGE, odd)) for link in run.links
    )
    found = calibrate([replace(run, nodes=nodes, steps=steps, links=links)])
    setup = build(parse_scenario(Path("fitted.toml"), scenario_of(found)), 1)
    assert odd in {spec.id for spec in setup.layout.nodes}
