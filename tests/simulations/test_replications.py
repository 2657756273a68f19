import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex

import pytest

from eapg_split.errors import EapgError, InvalidRequest, NodeUnavailable, Unsupported
from simulations.replications import replicate, tasks
from simulations.scenario import Scenario, parse_scenario
from simulations.settings import Setting
from simulations.tasks import answered, attempt, run, told
from tests.simulations.test_scenarios import SMALL

DYING = """
import os
from eapg_split.planner.dp_static import DpStaticPolicy

class Dying(DpStaticPolicy):
    name = "dying"
    def plan(self, view):
        os._exit(1)
"""


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return parse_scenario(tmp_path / "mine.toml", SMALL)


def test_another_process_is_told_and_answers_in_plain_values(
    scenario: Scenario, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = scenario.having([Setting("links.rate_mbps", 5)])
    (task,) = tasks(here, ["greedy"], [3], until_s=100, folder=tmp_path)
    expected = run(task)
    assert task.record is not None
    record = task.record.read_bytes()
    task.record.unlink()
    plain = json.loads(json.dumps(told(task)))
    monkeypatch.chdir("/")
    answer = json.loads(json.dumps(attempt(plain, shared=False)))
    assert not task.record.exists()
    assert answered(task, answer) == expected
    assert task.record.read_bytes() == record
    assert answered(task, attempt(plain)) == expected


def test_a_run_that_fails_is_named_wherever_it_was(scenario: Scenario, tmp_path: Path) -> None:
    (tmp_path / "dying.py").write_text(DYING)
    (task,) = tasks(scenario, [str(tmp_path / "dying.py")], [3], until_s=100)
    wrong = parse_scenario(tmp_path / "mine.toml", SMALL.replace('to = "edge"', 'to = "edg"'))
    (mistaken,) = tasks(wrong, ["greedy"], [1], until_s=100)
    with pytest.raises(InvalidRequest, match=r"^mine.toml, line 17: there is no node 'edg'"):
        run(mistaken)
    with pytest.raises(InvalidRequest, match=r"^mine.toml, line 17: there is no node 'edg'"):
        answered(mistaken, attempt(told(mistaken)))
    (tmp_path / "dying.py").unlink()
    with pytest.raises(EapgError, match=r"dying.py' cannot be loaded"):
        answered(task, attempt(told(task)))


def test_a_process_that_dies_is_told_of(scenario: Scenario, tmp_path: Path) -> None:
    (tmp_path / "dying.py").write_text(DYING)
    policy = str(tmp_path / "dying.py")
    with pytest.raises(EapgError, match=r"ended from outside while it ran .*dying.py on mine with seed 1"):
        list(replicate(tasks(scenario, [policy], [1, 2], until_s=100), 2))


def test_without_ray_or_without_a_cluster_that_is_said(scenario: Scenario) -> None:
    wanted = tasks(scenario, ["greedy"], [1], until_s=100)
    if find_spec("ray") is None:
        with pytest.raises(Unsupported, match=r"eapg-split\[ray\]"):
            list(replicate(wanted, cluster="local"))
        return
    with pytest.raises(InvalidRequest, match="is no address"):
        list(replicate(wanted, cluster="nowhere"))
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    with pytest.raises(NodeUnavailable, match="There is no Ray cluster"):
        list(replicate(wanted, cluster=f"127.0.0.1:{port}"))


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a Ray cluster of our own, with two workers and a token of its own."""
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", token_hex(32))
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    flags = f"--head --block --port={port} --num-cpus=2 --include-dashboard=false --disable-usage-stats"
    ray = Path(sys.executable).with_name("ray")
    log = (tmp_path / "ray.log").open("w")
    head = subprocess.Popen(
        [ray, "start", *flags.split(), "--object-store-memory=100000000"],
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        for _ in range(600):
            if "Ray runtime started" in (tmp_path / "ray.log").read_text():
                break
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        head.terminate()  # it ends what it began
        head.wait(30)
        log.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_cluster_changes_nothing(cluster: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(SMALL)
    (tmp_path / "dying.py").write_text(DYING)

    def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "eapg_split.cli", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    many = ("mine.toml", "--policy", "greedy,dp-static", "--seeds", "2")
    for folder, where in (("here", []), ("there", ["--ray", cluster])):
        done = ran("simulate", *many, "--no-pictures", "--out", folder, *where)
        assert done.returncode == 0, done.stderr
        done = ran("sweep", *many, "--set", "links.rate_mbps=1,9", "--out", folder, *where)
        assert done.returncode == 0, done.stderr
    here, there = (
        {path.name: path.read_bytes() for path in sorted((tmp_path / folder).iterdir())}
        for folder in ("here", "there")
    )
    assert {"summary.json", "sweep.csv", "0-greedy-1.jsonl", "1-dp-static-2.jsonl"} <= set(here)
    assert here == there
    dead = ran("simulate", "mine.toml", "--policy", "./dying.py", "--seeds", "1", "--ray", cluster)
    assert dead.returncode == 1
    assert "The run of ./dying.py on mine with seed 1 was lost on the cluster" in dead.stderr
