"""The outlook: hot, busy, stale, unknown; weights that are there; links that are not; and what crosses a cut."""

import math
from dataclasses import replace
from types import MappingProxyType

import pytest

from eapg_split.codecs import codec_named
from eapg_split.codecs.base import Fidelity
from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.request import Privacy, Request
from eapg_split.domain.telemetry import Quality, Reading, Telemetry
from eapg_split.domain.topology import Node, NodeId, Tier, Topology
from eapg_split.domain.workload import Stage
from eapg_split.eapg.workload import unroll
from eapg_split.planner.drift import Drift
from eapg_split.planner.estimates import LinkEstimate, NodeEstimate
from eapg_split.planner.knowledge import NodeKnowledge
from eapg_split.planner.outlook import Outlook, codec_options
from eapg_split.planner.policy import Objective
from eapg_split.planner.priors import assumed_link

WORKLOAD = unroll(Request("A cat running", seconds=0.5, fps=8, width=64, height=64, steps=(2, 2, 2, 2)))
DEVICE, EDGE, CLOUD = NodeId("device"), NodeId("edge"), NodeId("cloud")
TOPOLOGY = Topology((Node(DEVICE, Tier.DEVICE), Node(EDGE, Tier.EDGE), Node(CLOUD, Tier.CLOUD)))
COST = StageCost(0.25, 1e9, load_s=3.0, joules_per_s=7.0, entry_flops_per_s=2e9)
PROFILE = Profile(EDGE, "toy", "f" * 64, MappingProxyType({s.name: COST for s in WORKLOAD.stages}))
KNOWN = NodeKnowledge(PROFILE, telemetry_age_s=1.0)
STAGE4 = WORKLOAD.stage("stage4")


Links = dict[tuple[NodeId, NodeId], LinkEstimate | None]


def reading(value: float) -> Reading:
    return Reading(value, Quality.MEASURED)


def with_telemetry(**readings: float) -> NodeKnowledge:
    telemetry = Telemetry(**{name: reading(value) for name, value in readings.items()})  # type: ignore[arg-type]
    return replace(KNOWN, telemetry=telemetry)


def outlook(codec: str = "lossless", **options: object) -> Outlook:
    return Outlook(WORKLOAD, TOPOLOGY, codec_options(codec), **options)  # type: ignore[arg-type]


def estimate_of(node: NodeId, knowledge: NodeKnowledge, **options: object) -> NodeEstimate:
    return outlook().estimates({node: knowledge}, {}, **options).nodes[node]  # type: ignore[arg-type]


def seconds(stage: Stage) -> float:
    return 0.25 + stage.flops_per_step / 1e9


def test_a_step_takes_what_the_profile_says_and_the_first_of_a_stage_its_entry_besides() -> None:
    found = estimate_of(EDGE, KNOWN)
    first, entry = STAGE4.start_step, STAGE4.entry_flops / 2e9
    assert entry > 0
    assert found.step_s[first] == pytest.approx(seconds(STAGE4) + entry)
    assert found.step_s[first + 1] == pytest.approx(seconds(STAGE4))
    assert found.entry_s[first] == 0
    assert found.entry_s[first + 1] == pytest.approx(entry)
    assert len(found.step_s) == len(found.entry_s) == WORKLOAD.steps
    assert not found.uncertain


def test_the_seconds_for_drift_are_those_of_the_estimate() -> None:
    view, hot = outlook(), with_telemetry(clock_ratio=0.5)
    found = view.estimates({EDGE: hot}, {}).nodes[EDGE]
    for step in range(WORKLOAD.steps):
        assert view.step_seconds(EDGE, hot, step) == pytest.approx(found.step_s[step])
    last = STAGE4.stop_step - 1
    there = found.step_s[last] + found.entry_s[last]
    assert view.step_seconds(EDGE, hot, last, arrived=True) == pytest.approx(there)


def test_a_hot_node_and_a_busy_node_are_slower() -> None:
    step = STAGE4.start_step + 1
    plain = estimate_of(EDGE, KNOWN).step_s[step]
    assert estimate_of(EDGE, with_telemetry(clock_ratio=0.4)).step_s[step] == pytest.approx(plain / 0.4)
    assert estimate_of(EDGE, with_telemetry(load=0.25)).step_s[step] == pytest.approx(plain / 0.75)
    assert estimate_of(EDGE, with_telemetry(load=1.0)).step_s[step] == pytest.approx(plain / 0.5)
    assert estimate_of(EDGE, with_telemetry(clock_ratio=0.0)).step_s[step] < math.inf


def test_our_own_job_slows_nothing_down_and_is_not_waited_for() -> None:
    ours = replace(with_telemetry(load=1.0, queue_s=10.0), ours=True)
    assert estimate_of(EDGE, ours).step_s == estimate_of(EDGE, KNOWN).step_s
    assert estimate_of(EDGE, ours).ready_s == estimate_of(EDGE, KNOWN).ready_s


def test_stale_telemetry_is_as_if_there_were_none() -> None:
    busy = with_telemetry(
        clock_ratio=0.4, load=0.9, queue_s=20.0, plugged=0.0, charge=0.2, temperature_c=90.0
    )
    stale = estimate_of(EDGE, replace(busy, telemetry_age_s=31.0))
    unknown = estimate_of(EDGE, KNOWN)
    assert (stale.step_s, stale.ready_s, stale.battery_j) == (unknown.step_s, unknown.ready_s, math.inf)
    assert math.isnan(stale.temperature_c)


def test_weights_are_loaded_once_and_not_where_they_are_already() -> None:
    cold = estimate_of(EDGE, KNOWN)
    # stage 3 brings "low" and "encoder", and stage 4 needs one part more; the others may not run here
    assert cold.ready_s == pytest.approx(3.0 + 3.0 / 3)
    parts = Telemetry(resident=("low", "encoder", "decoder"))
    assert estimate_of(EDGE, replace(KNOWN, telemetry=parts)).ready_s == 0
    assert estimate_of(EDGE, KNOWN, start_step=STAGE4.start_step).ready_s == pytest.approx(3.0)
    anywhere = outlook(objective=Objective(privacy=Privacy.ANY)).estimates({EDGE: KNOWN}, {}).nodes[EDGE]
    assert anywhere.ready_s == pytest.approx(cold.ready_s + 3 * 3.0)


def test_the_device_waits_for_its_own_weights_at_the_step_that_needs_them() -> None:
    resident = replace(KNOWN, telemetry=Telemetry(resident=("text", "stage1", "stage2", "low", "encoder")))
    found = estimate_of(DEVICE, resident)
    warm = estimate_of(EDGE, KNOWN)
    assert found.ready_s == 0
    late = {i for i in range(WORKLOAD.steps) if found.step_s[i] > warm.step_s[i] + 1e-9}
    assert late == {STAGE4.start_step}
    resumed = estimate_of(DEVICE, resident, start_step=STAGE4.start_step + 1)
    assert resumed.step_s[STAGE4.start_step + 1] == pytest.approx(seconds(STAGE4) + 1.0)


def test_a_queue_and_a_lease_are_waited_for_at_the_same_time() -> None:
    parts = ("low", "encoder", "decoder")
    waiting = NodeKnowledge(PROFILE, Telemetry(queue_s=reading(4.0), resident=parts), 0.0, lease_s=6.0)
    assert estimate_of(EDGE, waiting).ready_s == pytest.approx(6.0)


@pytest.mark.parametrize("readings", [{}, {"charge": 0.5}, {"plugged": 1.0, "charge": 0.5}, {"plugged": 0.0}])
def test_on_mains_and_where_nobody_knows_energy_does_not_count(readings: dict[str, float]) -> None:
    found = estimate_of(DEVICE, with_telemetry(**readings))
    assert (found.active_w, found.idle_w, found.battery_j) == (0, 0, math.inf)


def test_on_battery_the_charge_above_the_floor_may_be_spent() -> None:
    found = estimate_of(DEVICE, with_telemetry(plugged=0.0, charge=0.55))
    assert found.active_w == pytest.approx(7.0)  # as the profile measured
    assert 0 < found.idle_w < found.active_w
    less = estimate_of(DEVICE, with_telemetry(plugged=0.0, charge=0.35))
    assert found.battery_j > 1.4 * less.battery_j > 0
    assert found.battery_j < 19 * 3600 * 0.55
    assert estimate_of(DEVICE, with_telemetry(plugged=0.0, charge=0.05)).battery_j == 0
    assert found.charge == 0.55


def test_the_radio_costs_energy_on_battery_only() -> None:
    links: Links = {(DEVICE, EDGE): None, (EDGE, DEVICE): None, (EDGE, CLOUD): None}
    told: Links = {link: LinkEstimate(1e6, joules_per_byte=1e-6) for link in links}
    for each in (links, told):
        on_mains = outlook().estimates({}, each)
        assert all(link.joules_per_byte == 0 for link in on_mains.links.values())
    drained = outlook().estimates({DEVICE: with_telemetry(plugged=0.0, charge=0.5)}, links).links
    assert drained[DEVICE, EDGE].joules_per_byte > drained[EDGE, DEVICE].joules_per_byte > 0
    assert drained[EDGE, CLOUD].joules_per_byte == 0
    measured = outlook().estimates({DEVICE: with_telemetry(plugged=0.0, charge=0.5)}, told).links
    assert measured[DEVICE, EDGE].joules_per_byte == 1e-6


def test_dead_links_are_absent_and_unknown_ones_have_their_prior() -> None:
    nan = math.nan
    links = {
        (DEVICE, EDGE): None,
        (DEVICE, CLOUD): LinkEstimate(0.0),
        (EDGE, CLOUD): LinkEstimate(5e6, nan, nan),
        (EDGE, DEVICE): LinkEstimate(nan, 0.2, 0.1),
        (DEVICE, NodeId("stranger")): LinkEstimate(1e6),
    }
    found = outlook().estimates({}, links).links
    assert set(found) == {(DEVICE, EDGE), (EDGE, CLOUD), (EDGE, DEVICE)}
    assert found[DEVICE, EDGE] == assumed_link(Tier.DEVICE, Tier.EDGE)
    prior = assumed_link(Tier.EDGE, Tier.CLOUD)
    assert found[EDGE, CLOUD] == LinkEstimate(5e6, prior.rtt_s, prior.sigma)
    assert found[EDGE, DEVICE] == LinkEstimate(assumed_link(Tier.EDGE, Tier.DEVICE).bits_per_s, 0.2, 0.1)


def test_a_node_without_a_profile_is_guessed_and_says_so() -> None:
    guessed = outlook().estimates({}, {}).nodes
    assert all(node.uncertain for node in guessed.values())
    assert guessed[DEVICE].step_s[1] > guessed[EDGE].step_s[1] > guessed[CLOUD].step_s[1] > 0


def test_what_is_guessed_and_what_is_measured_is_known_for_drift() -> None:
    assert not outlook().guessed(EDGE, KNOWN, 1)
    assert outlook().guessed(EDGE, NodeKnowledge(), 1)


def test_a_stage_that_was_not_measured_is_taken_for_the_slowest_that_was() -> None:
    slow = replace(COST, flops_per_s=1e8)
    part = replace(PROFILE, stages=MappingProxyType({"stage1": COST, "stage2": slow}))
    found = estimate_of(EDGE, NodeKnowledge(part))
    assert found.uncertain
    assert found.step_s[STAGE4.stop_step - 1] == pytest.approx(0.25 + STAGE4.flops_per_step / 1e8)


def test_too_little_memory_rules_a_remote_node_out_but_never_the_device() -> None:
    tight = with_telemetry(memory_free_bytes=STAGE4.memory_bytes - 1.0)
    assert estimate_of(EDGE, tight).step_s[STAGE4.start_step] == math.inf
    assert estimate_of(DEVICE, tight).step_s[STAGE4.start_step] < math.inf
    enough = with_telemetry(memory_free_bytes=float(STAGE4.memory_bytes))
    assert estimate_of(EDGE, enough).step_s[STAGE4.start_step] < math.inf


HOT_AND_EMPTY = with_telemetry(plugged=0.0, charge=0.06, temperature_c=43.0)
ANYTHING = Objective()
BOTH_WAYS: Links = {(DEVICE, CLOUD): None, (CLOUD, DEVICE): None}


def budget_of_device(
    device: NodeKnowledge,
    links: Links = BOTH_WAYS,
    unavailable: frozenset[NodeId] = frozenset(),
    objective: Objective = ANYTHING,
) -> float:
    view = outlook(objective=objective)
    return view.estimates({DEVICE: device}, links, unavailable=unavailable).nodes[DEVICE].max_entropy_bits


def test_a_hot_and_empty_device_takes_on_less() -> None:
    fresh = budget_of_device(with_telemetry(plugged=1.0, charge=0.06, temperature_c=20.0))
    assert 0 < budget_of_device(HOT_AND_EMPTY) < 0.1 * fresh
    declared = replace(HOT_AND_EMPTY, max_entropy_bits=10.0)
    assert budget_of_device(declared) == 10


@pytest.mark.parametrize(
    "obstacle",
    [
        {"links": {}},
        {"links": {(DEVICE, CLOUD): None}},
        {"unavailable": frozenset({CLOUD})},
        {"objective": Objective(pins={"stage4": DEVICE})},
        {"objective": Objective(memory_caps={CLOUD: 1})},
    ],
)
def test_what_nobody_else_can_take_the_device_does_at_any_charge(obstacle: dict[str, object]) -> None:
    assert budget_of_device(HOT_AND_EMPTY, **obstacle) == math.inf  # type: ignore[arg-type]


def test_entropy_is_what_there_is_in_a_state_whichever_codec_carries_it() -> None:
    lossless = outlook("lossless").estimates({}, {})
    assert lossless.entropy_bits == outlook("int8").estimates({}, {}).entropy_bits
    assert lossless.entropy_bits[0] == lossless.entropy_bits[-1] == 0
    assert all(
        0 < bits <= size
        for bits, size in zip(lossless.entropy_bits[1:-1], lossless.codecs[0].bits[1:-1], strict=True)
    )


def test_entropy_budgets_do_not_follow_noise() -> None:
    view = outlook()
    budgets = {
        view.estimates({EDGE: with_telemetry(temperature_c=40 + wobble)}, {}).nodes[EDGE].max_entropy_bits
        for wobble in (0.0, 0.4, -0.3, 0.8)
    }
    assert len(budgets) == 1


def test_a_phone_that_tells_its_skin_warms_and_a_processor_with_headroom_does_not() -> None:
    phone = with_telemetry(plugged=0.0, charge=0.5, temperature_c=33.0)
    assert estimate_of(DEVICE, phone).heat is not None
    laptop = with_telemetry(plugged=0.0, charge=0.5, temperature_c=70.0, headroom=0.1)
    assert estimate_of(DEVICE, laptop).heat is None
    assert estimate_of(DEVICE, with_telemetry(plugged=1.0, charge=0.5, temperature_c=33.0)).heat is None


def test_drift_multiplies_the_steps_of_its_node_and_stage() -> None:
    drift = Drift()
    drift.observe(EDGE, "stage4", predicted_s=1e6, measured_s=4e6, uncertain=True)
    found = outlook().estimates({EDGE: KNOWN, CLOUD: KNOWN}, {}, drift=drift).nodes
    step = STAGE4.start_step + 1
    assert found[EDGE].step_s[step] == pytest.approx(4 * found[CLOUD].step_s[step], rel=1e-4)
    assert found[EDGE].entry_s[step] == pytest.approx(4 * found[CLOUD].entry_s[step], rel=1e-4)


def test_the_state_before_each_step_crosses_and_before_the_first_only_the_prompt() -> None:
    (found,) = outlook("int8").estimates({}, {}).codecs
    assert len(found.bits) == len(found.encode_s) == len(found.decode_s) == WORKLOAD.steps + 1
    assert 8 * 100 < found.bits[0] < 8 * 1000
    assert found.encode_s[0] == found.bits[-1] == 0
    for step in range(WORKLOAD.steps - 1):
        spec = WORKLOAD.specs[step]
        assert found.bits[step + 1] == codec_named("int8").estimate_bits(spec)
        assert found.encode_s[step + 1] > 0


def test_auto_is_priced_as_each_of_its_candidates_that_is_fine_enough() -> None:
    asked = Fidelity({"xbar": 0.01, "source": 0.01}, bits={"xbar": 2.0, "source": 2.0})
    fine = outlook("auto", fidelities=[asked] * WORKLOAD.steps).estimates({}, {}).codecs
    assert {codec.name for codec in fine} == {"auto"}
    assert all(math.isfinite(bits) for codec in fine for bits in codec.bits)
    plain = outlook("auto").estimates({}, {}).codecs
    coarse = [codec for codec in plain if math.inf in codec.bits]
    assert len(coarse) == 1  # int4 needs to be told how coarse it may be


def test_a_codec_that_a_person_names_is_not_ruled_out() -> None:
    (found,) = outlook("int4").estimates({}, {}).codecs
    assert found.name == "int4"
    assert all(math.isfinite(bits) for bits in found.bits)
