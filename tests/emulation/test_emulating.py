"""A small scenario with real daemons: its jobs end, near what is simulated, and nothing of it stays."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from eapg_split.cli.app import app
from eapg_split.domain.topology import NodeId
from eapg_split.emulation.bounds import MAX_NODES, emulatable
from eapg_split.emulation.emulating import arrivals
from eapg_split.errors import InvalidRequest, Unsupported
from simulations.building import build
from simulations.faults import Fault
from simulations.scenario import parse_scenario
from simulations.simulation import Setup
from tests.daemons import hear_ctrl_c
from tests.emulation.privileges import privileged

SCENARIO = """
title = "A phone and a box"

[workloads.clip]
seconds = 0.5
width = 64
height = 64
steps = [3, 2, 2, 2]
privacy = "any"
at_s = [0, 0.5]

[nodes.phone]
tier = "device"
flops_per_s = 5e9
[nodes.phone.battery]
charge = 0.5

[nodes.box]
tier = "edge"
flops_per_s = 2e10
engines = 2

[[links]]
from = "phone"
to = "box"
rate_mbps = 20
delay_ms = 10
"""
COUNT = "[nodes.phone]\ncount = 12"


@pytest.fixture
def scenario(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(SCENARIO)
    return path


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where everything temporary goes."""
    path = tmp_path / "temporary"
    path.mkdir()
    monkeypatch.setenv("TMPDIR", str(path))
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    return path


def setup_of(text: str) -> Setup:
    return build(parse_scenario(Path("mine.toml"), text), 1)


def ours(word: str) -> list[int]:
    """Processes whose command line has the word in it."""
    return [
        each.pid for each in psutil.process_iter(["cmdline"]) if word in " ".join(each.info["cmdline"] or ())
    ]


NETWORKS = ["user", pytest.param("namespaces", marks=privileged)]


@pytest.mark.cluster
@pytest.mark.parametrize("network", NETWORKS)
def test_an_emulation_stands_beside_its_simulation_and_leaves_nothing(
    scenario: Path, temporary: Path, tmp_path: Path, network: str
) -> None:
    out = tmp_path / "out"
    options = ["--network", network]
    options += ["--policy", "edge-only", "--beside-simulation", "--json", "--out", str(out)]
    result = CliRunner().invoke(app, ["emulate", str(scenario), *options])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)["policies"]["edge-only"]
    assert told["emulated"]["jobs"]["mean"] == 2
    assert told["emulated"]["missed"]["mean"] == 0
    assert told["emulated"]["latency_p50_s"]["mean"] >= 0.9 * told["simulated"]["latency_p50_s"]["mean"]
    assert told["emulated"]["sent_mb"]["mean"] > 0
    assert told["error"]["missed"] == 0
    lines = [json.loads(line) for line in (out / "0-edge-only-1.jsonl").read_text().splitlines()]
    assert [line["end"] for line in lines] == ["done", "done"]
    assert lines[0]["nodes"] == ["box", "phone"]
    assert list(temporary.iterdir()) == []
    assert ours(str(temporary)) == []


@pytest.mark.cluster
@pytest.mark.parametrize("number", [2, 15])
def test_a_signal_ends_all_of_it(scenario: Path, temporary: Path, number: int) -> None:
    scenario.write_text(SCENARIO.replace("at_s = [0, 0.5]", "at_s = [0, 300]"))
    command = [sys.executable, "-m", "eapg_split.cli", "emulate", str(scenario), "--policy", "device-only"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=hear_ctrl_c
    ) as process:
        while len(ours(str(temporary))) < 2:  # the daemons are there
            assert process.poll() is None
        process.send_signal(number)
        _, words = process.communicate(timeout=30)
    assert process.returncode == 128 + number, words
    assert list(temporary.iterdir()) == []
    assert ours(str(temporary)) == []


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_not_even_a_kill_leaves_anything(scenario: Path, temporary: Path, network: str) -> None:
    scenario.write_text(SCENARIO.replace("at_s = [0, 0.5]", "at_s = [0, 300]"))
    command = [sys.executable, "-m", "eapg_split.cli", "emulate", str(scenario), "--network", network]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        while len(ours(str(temporary))) < 3:  # the relay and the daemons
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    until = time.monotonic() + 30
    while ours(str(temporary)) and time.monotonic() < until:
        time.sleep(0.1)
    assert ours(str(temporary)) == []
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--policy", "nope"), "nope"),
        (("--engine", "nope"), "paced"),
        (("--network", "nope"), "namespaces"),
    ],
)
def test_wrong_wishes_are_refused(scenario: Path, options: tuple[str, ...], words: str) -> None:
    result = CliRunner().invoke(app, ["emulate", str(scenario), *options])
    assert result.exit_code == 2
    assert words in result.output


def _struck(setup: Setup) -> Setup:
    return replace(setup, faults=(Fault(node=NodeId("phone")),))


def test_daemons_compute_one_step_at_a_time_and_the_rest_stays() -> None:
    setup, notes = emulatable(setup_of(SCENARIO))
    assert [spec.engines for spec in setup.layout.nodes] == [1, 1]
    (note,) = notes
    assert "box" in note


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda: setup_of(SCENARIO.replace("[nodes.phone]", COUNT)), InvalidRequest),
        (lambda: _struck(setup_of(SCENARIO)), Unsupported),
    ],
)
def test_what_daemons_cannot_do_is_refused(change: Callable[[], Setup], error: type[Exception]) -> None:
    with pytest.raises(error, match=f"{MAX_NODES}|device"):
        emulatable(change())


def test_jobs_come_when_the_simulator_lets_them_come() -> None:
    setup = setup_of(SCENARIO.replace("at_s = [0, 0.5]", "every_s = 10\nuntil_s = 60"))
    moments_s = [moment for moment, _, _ in arrivals(setup, 3)]
    assert moments_s == sorted(moments_s)
    assert moments_s
    assert moments_s == [moment for moment, _, _ in arrivals(setup, 3)]
