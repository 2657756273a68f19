"""The installed command with real daemons and gRPC over loopback; only the networks are toys."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import psutil
import pytest

from eapg_split.cli.report_page import write_report
from eapg_split.cli.run_log import PreviewPicture, read_log
from eapg_split.runtime.events import Hop, JobDone, PlanMade, StepDone
from tests.daemons import hear_ctrl_c

ROOT = Path(__file__).resolve().parents[2]
TOY = "tests.toy_engine:open_engine"
SMALL = [
    "--engine",
    TOY,
    "--seconds",
    "1",
    "--fps",
    "4",
    "--width",
    "64",
    "--height",
    "64",
    "--steps",
    "2,1,1,1",
]
PYRAMID = ["--policy", "pyramid"]  # every node has its part
# Long enough to be in the middle of it when a signal comes.
LONG = [
    "--engine",
    "tests.toy_engine:open_slow_engine",
    "--seconds",
    "1",
    "--fps",
    "4",
    "--steps",
    "64,64,64,64",
    *PYRAMID,
]

pytestmark = pytest.mark.cluster


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "eapg_split.cli", "generate", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_ctrl_c,
    )


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    process = start(folder, *arguments)
    out, err = process.communicate(timeout=120)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def daemons_of(folder: Path) -> list[psutil.Process]:
    """Node processes that a command in `folder` has started; its folder is theirs too."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        if process.info["cwd"] == str(folder) and any(word.endswith("_node") for word in words):
            found.append(process)
    return found


@contextmanager
def daemon(folder: Path, tier: str, *arguments: str) -> Iterator[dict[str, object]]:
    """A node of its own, and what its ready line says."""
    command = [
        sys.executable,
        "-m",
        f"{tier}_node",
        "--engine",
        TOY,
        "--with-parent",
        str(os.getpid()),
        *arguments,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()
            process.wait(30)


def nodes_file(folder: Path, nodes: list[dict[str, object]]) -> str:
    path = folder / "nodes.toml"
    path.write_text(
        "".join(f'[[nodes]]\nid = "{node["node"]}"\naddress = "{node["address"]}"\n' for node in nodes)
    )
    return str(path)


def test_the_same_frames_wherever_they_are_computed(tmp_path: Path) -> None:
    """And a file that players open, one line of JSON, and nothing left behind."""
    digests = {}
    for policy, privacy in (("pyramid", "prompt-local"), ("device-only", "any"), ("cloud-only", "any")):
        result = call(tmp_path, "城市夜景", "--json", "--policy", policy, "--privacy", privacy, *SMALL)
        assert result.returncode == 0, result.stderr
        record = json.loads(result.stdout)
        digests[policy] = record["frames_sha256"]
        assert record["plan"][0]["start_step"] == 0
        assert record["plan"][-1]["node"] == "device"
        assert len(record["hops"]) == {"pyramid": 4, "device-only": 0, "cloud-only": 2}[policy]
        assert set(record["peak_rss_mb"]) == {segment["node"] for segment in record["plan"]}
        with av.open(str(tmp_path / "video.mp4")) as container:
            assert sum(1 for _ in container.decode(video=0)) == record["frames"] == 5
    assert len(set(digests.values())) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["video.mp4"]
    assert daemons_of(tmp_path) == []


def test_a_log_of_a_real_run(tmp_path: Path) -> None:
    """Everything is in it, on one clock, and it makes a page."""
    result = call(tmp_path, "A cat running", "--codec", "int8", "--log", "run.jsonl", *PYRAMID, *SMALL)
    assert result.returncode == 0, result.stderr
    log = read_log(tmp_path / "run.jsonl")
    assert log.unfinished == ""
    records = [line.record for line in log.lines]
    done = records[-1]
    assert isinstance(done, JobDone)
    steps = [record for record in records if isinstance(record, StepDone)]
    assert [step.step for step in steps] == list(range(7))
    ends = [step.start_s + step.seconds for step in steps]
    assert all(end <= later.start_s + 1e-3 for end, later in zip(ends, steps[1:], strict=False))
    assert ends[-1] <= done.wall_s + 1e-3
    hops = [record for record in records if isinstance(record, Hop)]
    assert tuple(hops) == done.hops
    assert all(hop.start_s > 0 and hop.start_s + hop.seconds <= done.wall_s + 1e-3 for hop in hops)
    assert {record.stage for record in records if isinstance(record, PreviewPicture) and record.webp} == {
        f"stage{number}" for number in (1, 2, 3, 4)
    }
    write_report(tmp_path / "run.jsonl", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3
    assert "What each stage saw" in page


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_everywhere(tmp_path: Path, number: signal.Signals, code: int) -> None:
    process = start(tmp_path, "A cat running", *LONG)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("plan"):
            break
    assert len(daemons_of(tmp_path)) == 3
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert err.strip().splitlines()[-1].startswith("error: ")
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []
    assert daemons_of(tmp_path) == []


def test_a_killed_command_leaves_no_daemon(tmp_path: Path) -> None:
    process = start(tmp_path, "A cat running", "--log", "run.jsonl", *LONG)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("plan"):
            break
    process.kill()
    process.communicate(timeout=30)
    log = read_log(tmp_path / "run.jsonl")
    assert log.unfinished
    assert any(isinstance(line.record, PlanMade) for line in log.lines)
    limit = time.monotonic() + 20
    while daemons_of(tmp_path) and time.monotonic() < limit:
        time.sleep(0.1)
    assert daemons_of(tmp_path) == []


def test_running_daemons_are_used(tmp_path: Path) -> None:
    with daemon(tmp_path, "device") as device, daemon(tmp_path, "edge", "--node", "attic") as attic:
        listed = nodes_file(tmp_path, [attic, device])
        result = call(tmp_path, "A cat", "--json", "--nodes", listed, *PYRAMID, *SMALL)
        assert result.returncode == 0, result.stderr
        assert [segment["node"] for segment in json.loads(result.stdout)["plan"]] == [
            "device",
            "attic",
            "device",
        ]
        assert "note: " in result.stderr  # there is no cloud
        alone = call(tmp_path, "A cat", "--nodes", nodes_file(tmp_path, [attic]), *SMALL)
        assert alone.returncode == 2
        assert "lists no device" in alone.stderr
    gone = call(tmp_path, "A cat", "-o", "gone.mp4", "--nodes", listed, *SMALL)
    assert gone.returncode == 5
    assert "cannot be reached" in gone.stderr
    assert not list(tmp_path.glob("gone*"))


def test_something_else_on_the_port(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        refused = subprocess.run(
            [sys.executable, "-m", "edge_node", "--listen", address],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert refused.returncode == 2
        assert "in use" in refused.stderr
        assert "Traceback" not in refused.stderr
        server.settimeout(60)
        process = start(
            tmp_path, "A cat", "--nodes", nodes_file(tmp_path, [{"node": "x", "address": address}]), *SMALL
        )
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"HTTP/1.0 418 I'm a teapot\r\n\r\n")
        server.close()
        _, err = process.communicate(timeout=60)
    assert process.returncode == 5
    assert err.strip().splitlines()[-1].startswith("error: ")
    assert "Traceback" not in err


@pytest.mark.parametrize(("manifest", "words"), [(None, "no weights"), ('{"format": 1', "malformed")])
def test_bad_weights_are_named(tmp_path: Path, manifest: str | None, words: str) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    if manifest is not None:
        (folder / "manifest.json").write_text(manifest)
    result = call(tmp_path, "A cat", "--weights", "weights")
    assert result.returncode == 12
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not list(tmp_path.glob("video*"))


def test_the_wrong_engine_is_said_by_the_daemon(tmp_path: Path) -> None:
    result = call(tmp_path, "A cat", "--engine", "nothing:here")
    assert result.returncode != 0
    assert "nothing:here" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []
