"""A node's own profile: read or guessed at the first question, corrected by what runs, kept at the end."""

import logging
import time
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.topology import NodeId, Tier, Topology
from eapg_split.planner.knowledge import NodeKnowledge
from eapg_split.planner.outlook import Outlook
from eapg_split.runtime.loopback import LoopbackPeer
from eapg_split.runtime.own_profile import OwnProfile, ProfileHome
from eapg_split.runtime.profile_store import Machine, StoredProfile, default_path, read, save
from tests.nodes import SMALL, STEPS, coded, ignore, order, toy_worker, undivided
from tests.toy_engine import open_engine

ENGINE = open_engine("toy")
WORKLOAD = ENGINE.unroll(SMALL)
EDGE = NodeId("edge")
COST = StageCost(0.5, 1e9, load_s=0.1, entry_flops_per_s=1e9)
STAGE4 = WORKLOAD.stage("stage4")
MEASURED = Profile(
    EDGE, "toy", ENGINE.fingerprint, MappingProxyType({stage.name: COST for stage in WORKLOAD.stages})
)
STEP_S = COST.seconds(STAGE4.flops_per_step)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def own_path() -> Path:
    return default_path(EDGE, "toy", ENGINE.fingerprint)


def opened(profile: Profile | None = MEASURED, clock_s: list[float] | None = None) -> OwnProfile:
    if profile is not None:
        save(StoredProfile(profile, Machine.here()), own_path())
    times = clock_s or [0.0]
    own = OwnProfile(EDGE, ProfileHome(), clock=lambda: times[0])
    own.open(ENGINE)
    return own


def cost_of(own: OwnProfile, stage: str = "stage4") -> StageCost:
    assert own.current is not None
    return own.current.stages[stage]


def test_without_a_stored_profile_every_stage_is_guessed_and_says_so() -> None:
    own = opened(None)
    assert own.current is not None
    assert set(own.current.stages) == {stage.name for stage in WORKLOAD.stages}
    assert all(cost.uncertain and 1e8 < cost.flops_per_s < 1e14 for cost in own.current.stages.values())
    assert (own.current.node, own.current.engine) == (EDGE, "toy")


def test_a_stored_profile_is_used_and_what_it_lacks_is_guessed() -> None:
    part = replace(MEASURED, stages=MappingProxyType({"stage4": COST}))
    own = opened(part)
    assert cost_of(own) == COST
    assert cost_of(own, "stage1").uncertain


def test_a_file_that_was_named_is_used_and_one_that_does_not_fit_only_costs_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    named = tmp_path / "mine.json"
    save(StoredProfile(replace(MEASURED, node=NodeId("other")), Machine.here()), named)
    own = OwnProfile(EDGE, ProfileHome(named))
    assert own.open(ENGINE).stages["stage4"] == COST
    assert own.open(ENGINE).node == EDGE
    save(StoredProfile(replace(MEASURED, fingerprint="0" * 64), Machine.here()), named)
    with caplog.at_level(logging.WARNING):
        assert OwnProfile(EDGE, ProfileHome(named)).open(ENGINE).stages["stage4"].uncertain
    assert "another weights" in caplog.text


def test_steps_move_a_measured_cost_a_little_and_replace_a_guess() -> None:
    measured, guess = opened(), opened(replace(MEASURED, stages=MappingProxyType({"text": COST})))
    for own in (measured, guess):
        own.observe(WORKLOAD, STAGE4.start_step + 1, 2 * STEP_S, first=False)
    assert cost_of(measured).seconds(STAGE4.flops_per_step) == pytest.approx(STEP_S * 2**0.1)
    assert cost_of(guess).seconds(STAGE4.flops_per_step) == pytest.approx(2 * STEP_S)
    assert not cost_of(guess).uncertain


def test_a_thousand_steps_come_to_what_they_take() -> None:
    own = opened()
    for _ in range(100):
        own.observe(WORKLOAD, STAGE4.start_step + 1, 3 * STEP_S, first=False)
    assert cost_of(own).seconds(STAGE4.flops_per_step) == pytest.approx(3 * STEP_S, rel=0.01)


def test_the_first_step_of_a_stage_tells_what_entering_it_costs() -> None:
    own, entry_s = opened(), COST.entry_seconds(STAGE4.entry_flops)
    for _ in range(30):
        own.observe(WORKLOAD, STAGE4.start_step, STEP_S + 2 * entry_s, first=True)
    assert cost_of(own).entry_seconds(STAGE4.entry_flops) == pytest.approx(2 * entry_s, rel=0.01)
    assert cost_of(own).seconds(STAGE4.flops_per_step) == pytest.approx(STEP_S)


def test_the_first_step_of_a_segment_does_not_spoil_the_others() -> None:
    own = opened()
    own.observe(WORKLOAD, STAGE4.start_step + 1, 50 * STEP_S, first=True)
    own.observe(WORKLOAD, WORKLOAD.stage("stage1").start_step, 50 * STEP_S, first=True)
    assert own.current == MEASURED


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_duration_is_passed_over(seconds: float) -> None:
    own = opened()
    own.observe(WORKLOAD, STAGE4.start_step + 1, seconds, first=False)
    assert own.current == MEASURED


def test_a_throttled_step_is_kept_as_at_full_clock_while_the_clock_is_known() -> None:
    now = [100.0]
    own = opened(clock_s=now)
    own.saw_clock(0.5)
    own.observe(WORKLOAD, STAGE4.start_step + 1, 2 * STEP_S, first=False)
    assert cost_of(own).seconds(STAGE4.flops_per_step) == pytest.approx(STEP_S)
    now[0] += 10
    own.observe(WORKLOAD, STAGE4.start_step + 1, 2 * STEP_S, first=False)
    assert cost_of(own).seconds(STAGE4.flops_per_step) > 1.05 * STEP_S


def test_corrections_are_kept_at_the_end_and_guesses_are_not() -> None:
    own = opened(None)
    own.save()
    assert not own_path().exists()
    own.observe(WORKLOAD, STAGE4.start_step + 1, 2.0, first=False)
    own.save()
    assert set(read(own_path()).profile.stages) == {"stage4"}
    again = opened(None)
    assert cost_of(again).seconds(STAGE4.flops_per_step) == pytest.approx(2.0)
    assert not cost_of(again).uncertain


def test_corrections_are_kept_every_two_minutes() -> None:
    now = [0.0]
    own = opened(None, now)
    step = STAGE4.start_step + 1
    assert own.timed(WORKLOAD, step, lambda: "state", first=False)[0] == "state"
    now[0] = 60.0
    own.timed(WORKLOAD, step, lambda: "state", first=False)
    assert not own_path().exists()
    now[0] = 121.0
    own.timed(WORKLOAD, step, lambda: "state", first=False)
    assert own_path().exists()


def test_a_disk_that_refuses_costs_a_line_in_the_log(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    own = opened(None)
    (home / "eapg_split").write_text("a file where a folder should be")
    own.observe(WORKLOAD, STAGE4.start_step + 1, 2.0, first=False)
    with caplog.at_level(logging.WARNING):
        own.save()
    assert "cannot be written" in caplog.text


def test_decoding_counts_as_one_step_without_the_time_of_its_reader() -> None:
    own = opened(None)
    frames = own.decoded(WORKLOAD, iter(range(1, 5)))
    seen = []
    for frame in frames:
        time.sleep(0.05)
        seen.append(frame)
    assert seen == [1, 2, 3, 4]
    decode = WORKLOAD.stages[-1]
    assert not cost_of(own, "decode").uncertain
    assert cost_of(own, "decode").seconds(decode.flops_per_step) < 0.05


def test_a_decode_that_breaks_off_tells_nothing() -> None:
    own = opened(None)
    frames = own.decoded(WORKLOAD, iter(range(1, 5)))
    assert next(frames) == 1
    assert cost_of(own, "decode").uncertain


async def test_a_worker_describes_its_costs_and_corrects_them_by_what_it_runs() -> None:
    worker = toy_worker("edge", Tier.EDGE)
    before = (await worker.describe()).profile
    assert before is not None
    assert all(cost.uncertain for cost in before.stages.values())
    await LoopbackPeer(worker).run(order(5, STEPS - 1), coded(undivided(5)), ignore)
    after = (await worker.describe()).profile
    assert after is not None
    certain = {name for name, cost in after.stages.items() if not cost.uncertain}
    assert certain == {"stage3", "stage4"}


async def test_a_planner_can_use_what_a_node_describes() -> None:
    worker = toy_worker("device", Tier.DEVICE)
    described = await worker.describe()
    outlook = Outlook(WORKLOAD, Topology((described.node,)), ())
    estimate = outlook.estimates({described.node.id: NodeKnowledge(described.profile)}, {})
    assert all(0 < seconds < 1e3 for seconds in estimate.nodes[described.node.id].step_s)
