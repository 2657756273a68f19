"""`replay` and `calibrate` on logs as `--log` writes them, and on what is none."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from eapg_split.cli.app import app
from eapg_split.cli.run_log import LogWriter
from eapg_split.cli.run_log.writer import header_of
from eapg_split.domain.request import Request
from eapg_split.eapg.workload import unroll
from eapg_split.errors import NodeUnavailable
from eapg_split.planner.policy import Goal, Objective
from eapg_split.runtime.events import Goodput, Hop, JobDone, JobEvent, PlacedSegment, PlanMade, StepDone
from eapg_split.runtime.observed import (
    LinkBelieved,
    LinkProbed,
    NodeBack,
    NodeDescribed,
    NodeLost,
    RoundTrip,
    StageSeconds,
    TelemetryHeard,
)

REQUEST = Request("A purple cat", seconds=1.0, width=128, height=72)
WORKLOAD = unroll(REQUEST)
OWN = """
from eapg_split.planner.scoring import Arc, ScorePolicy


class Mine(ScorePolicy):
    name = "mine"

    def score(self, arc: Arc) -> float:
        return 0.0
"""
STEP_S = {"device": 0.2, "edge": 0.05}


def described(node: str) -> NodeDescribed:
    stages = tuple(StageSeconds(stage.name, STEP_S[node]) for stage in WORKLOAD.stages)
    return NodeDescribed(node, node, "toy", 0, 0.0, stages, 0.3)


def believed(source: str, target: str) -> LinkBelieved:
    return LinkBelieved(source, target, 8e6, 0.02, 0.1, True, 1.0, False, 0.3)


def story() -> list[JobEvent]:
    """A job on the device, its fourth stage at the edge."""
    events: list[JobEvent] = [
        described("device"),
        described("edge"),
        LinkProbed("device", "edge", 65_536, 0.065, 0.2),
        RoundTrip("edge", 0.02, 0.1),
        believed("device", "edge"),
        believed("edge", "device"),
        TelemetryHeard("device", {"load": 0.0, "charge": 0.5, "plugged": 0.0}, (), False, 0.3),
        PlanMade("a1", "device-only", (PlacedSegment("device", "device", 0, 34),), (), 34, at_s=0.4),
        NodeLost("edge", "It is gone.", 0.5),
        NodeBack("edge", 0.6),
    ]
    now_s, before = 0.4, "device"
    for step in range(WORKLOAD.steps):
        stage = WORKLOAD.stage_of(step)
        node = "edge" if stage.name == "stage4" else "device"
        if node != before:
            events.append(Hop(before, node, step, "lossless", 100_000, 80_000, 0.1, now_s))
            events.append(Goodput(before, node, 70_000, 0.07, now_s + 0.1))
            now_s, before = now_s + 0.1, node
        events.append(StepDone(node, node, stage.name, step, WORKLOAD.steps, STEP_S[node], now_s))
        now_s += STEP_S[node]
    segments = (PlacedSegment("device", "device", 0, 34),)
    return [*events, JobDone("a1", 25, 128, 72, 24, 0, now_s + 0.05, "ab" * 32, segments, (), {})]


def write(
    path: Path, events: list[JobEvent], policy: str = "pyramid", error: Exception | None = None
) -> Path:
    header = header_of(
        WORKLOAD,
        understood="",
        policy=policy,
        codec="lossless",
        quality_db=45.0,
        engine="toy",
        wishes=Objective(goal=Goal.LATENCY),
        deadline_s=100.0,
    )
    try:
        with LogWriter(path, header, print) as log:
            for event in events:
                log.add(event)
            if error is not None:
                raise error
    except NodeUnavailable:
        pass
    return path


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write(Path("run.jsonl"), story())


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def document(*arguments: str) -> dict[str, Any]:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    loaded: dict[str, Any] = json.loads(result.stdout)
    return loaded


def test_a_replay_says_how_true_it_is_and_what_others_would_have_done(log: Path) -> None:
    (run,) = document("replay", str(log), "--policy", "device-only,edge-only", "--seeds", "2")["runs"]
    was, same, device, edge = run["lines"]
    assert [line["name"] for line in run["lines"]] == [
        "as it was", "pyramid, replayed", "device-only", "edge-only",
    ]  # fmt: skip
    assert was["off"] is None
    assert same["same"]
    assert device["seconds"] == pytest.approx(0.4 + 34 * 0.2 + 0.05, rel=0.02)
    assert device["sent_bytes"] == 0
    assert edge["sent_bytes"] > 0
    assert "device 0-34" in device["placed"]


def test_several_logs_are_summed_up(log: Path) -> None:
    write(Path("other.jsonl"), story(), policy="device-only")
    result = call("replay", str(log), "other.jsonl", "--policy", "device-only", "--seeds", "1")
    assert result.exit_code == 0, result.stderr
    assert "as it was" in result.stdout
    assert "Over 2 runs the policy that ran was replayed within" in result.stdout
    found = document("replay", str(log), "other.jsonl", "--seeds", "1")
    assert found["largest_error"] >= found["median_error"] >= 0


def test_records_summary_and_picture_are_kept(log: Path) -> None:
    result = call(
        "replay", str(log), "--policy", "edge-only", "--seeds", "2", "--out", "kept", "--picture", "who.svg"
    )
    assert result.exit_code == 0, result.stderr
    names = sorted(path.name for path in Path("kept").iterdir())
    assert names == [
        "0-0-pyramid-1.jsonl", "0-0-pyramid-2.jsonl", "0-1-edge-only-1.jsonl", "0-1-edge-only-2.jsonl", "summary.json",
    ]  # fmt: skip
    svg = Path("who.svg").read_text(encoding="utf-8")
    assert "as it was" in svg
    assert "edge-only" in svg


def test_a_fit_is_a_scenario(log: Path) -> None:
    found = document("calibrate", str(log), "-o", "fit.toml", "--check", str(log))
    fitted = found["nodes"]["device"]["stages"]["stage1"]
    assert fitted["step_s"] == pytest.approx(0.2)
    assert fitted["count"] == 16
    assert any(each["what"] == "link device to edge" for each in found["residuals"])
    assert found["checked"][0]["name"] == "run.jsonl"
    simulated = call("simulate", "fit.toml", "--seeds", "1", "--policy", "device-only")
    assert simulated.exit_code == 0, simulated.stderr
    assert "Fitted to 1 real runs" in simulated.stdout
    plain = call("calibrate", str(log), "--check", str(log))
    assert plain.exit_code == 0, plain.stderr
    assert "What steps cost" in plain.stdout
    assert "Runs that were foretold" in plain.stdout


@pytest.mark.parametrize("command", ["replay", "calibrate"])
def test_what_is_no_log_of_a_whole_run_is_refused(log: Path, command: str) -> None:
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    Path("cut.jsonl").write_text("".join(lines[:-1]), encoding="utf-8")
    Path("foreign.jsonl").write_text('{"a": 1}\n', encoding="utf-8")
    Path("old.jsonl").write_text(
        "".join(line for line in lines if "node_described" not in line), encoding="utf-8"
    )
    there, away = '"node":"edge","tier":"edge","stage"', '"node":"attic","tier":"edge","stage"'
    strange = "".join(line.replace(there, away) for line in lines)
    Path("stranger.jsonl").write_text(strange, encoding="utf-8")
    write(Path("failed.jsonl"), story()[:-1], error=NodeUnavailable("The node is gone."))
    flags = ("--until", "5", "--seeds", "1", "--policy", "device-only", "--out", "made")
    assert call("simulate", "home-wifi", *flags).exit_code == 0
    (record,) = Path("made").glob("*device-only-1.jsonl")
    for path, words in (
        ("cut.jsonl", "Take the log of a run that ended"),
        ("foreign.jsonl", "line 1: not the header"),
        ("old.jsonl", "run it again with 'generate --log' of this version"),
        ("stranger.jsonl", "attic computed and was not described"),
        ("failed.jsonl", "the run failed (NodeUnavailable)"),
        (str(record), "the record of a simulated run"),
        ("absent.jsonl", "cannot be read"),
    ):
        result = call(command, path)
        assert result.exit_code == 2, path
        assert words in " ".join(result.stderr.split()), result.stderr


def test_policies_that_are_not_there_are_said(log: Path) -> None:
    assert call("replay", str(log), "--policy", "nonsense").exit_code == 2
    write(Path("mine.jsonl"), story(), policy="/nowhere/mine.py")
    for command in (("replay", "mine.jsonl"), ("calibrate", str(log), "--check", "mine.jsonl")):
        result = call(*command)
        assert result.exit_code == 2
        assert "is code:" in result.stderr
    assert "cannot be loaded" in call("replay", "mine.jsonl", "--policy", "/nowhere/mine.py").stderr
    assert call("calibrate", "mine.jsonl", "-o", "fit.toml").exit_code == 0
    assert 'policies = ["dp-adaptive"]' in Path("fit.toml").read_text(encoding="utf-8")


def test_a_policy_of_ones_own_that_ran_is_replayed_where_it_is_trusted(log: Path) -> None:
    Path("mine.py").write_text(OWN, encoding="utf-8")
    write(Path("mine.jsonl"), story(), policy="./mine.py")
    (run,) = document("replay", "mine.jsonl", "--policy", "mine.py,device-only", "--seeds", "1")["runs"]
    assert [line["same"] for line in run["lines"]] == [False, True, False]


def test_what_nobody_can_have_waited_for_is_refused(log: Path) -> None:
    text = log.read_text(encoding="utf-8").replace('"wall_s":', '"wall_s":9e9,"was":')
    Path("long.jsonl").write_text(text, encoding="utf-8")
    result = call("replay", "long.jsonl")
    assert result.exit_code == 2
    assert "longer than a week" in result.stderr


def test_what_the_run_did_to_a_node_is_not_the_work_of_others(log: Path) -> None:
    """A queue that a node tells of while the state is on its way to it, or later, is the job's own."""
    events = story()
    hop = next(event for event in events if isinstance(event, Hop))
    busy = TelemetryHeard("edge", {"load": 1.0, "queue_s": 50.0}, (), False, hop.start_s + 0.05)
    idle = TelemetryHeard("edge", {"load": 0.0, "queue_s": 0.0}, (), False, 0.4)
    told = write(Path("busy.jsonl"), [*events[:-1], idle, busy, events[-1]])
    plain = document("replay", str(log), "--seeds", "1")["runs"][0]["lines"][1]["seconds"]
    found = document("replay", str(told), "--policy", "edge-only", "--seeds", "1")["runs"][0]["lines"]
    assert found[1]["seconds"] == pytest.approx(plain, rel=0.05)
    assert found[2]["seconds"] < 50
    others = write(Path("others.jsonl"), [TelemetryHeard("edge", {"queue_s": 50.0}, (), False, 0.3), *events])
    waits = document("replay", str(others), "--policy", "edge-only", "--seeds", "1")["runs"][0]["lines"]
    assert waits[2]["seconds"] > 50
