"""The command with the weights that ship: what is promised to a stranger, on a clip small enough for a test."""

import json
import signal
from pathlib import Path

import pytest

from eapg_split.engines.store import SHIPPED
from tests.cli.test_end_to_end import call, daemons_of, start

SMALL = ["--seconds", "1", "--fps", "4", "--width", "64", "--height", "64", "--steps", "2,1,1,1"]
WAYS = {
    "pyramid": [],
    "device-only": [],
    "cloud-only": [],
    "cloud-only, any": ["--privacy", "any"],
}

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not (SHIPPED / "manifest.json").exists(), reason="the weights are not in this tree"),
]


def test_the_same_frames_under_every_policy(tmp_path: Path) -> None:
    digests = {}
    for way, flags in WAYS.items():
        result = call(tmp_path, "城市夜景", "--json", "--policy", way.split(",")[0], *flags, *SMALL)
        assert result.returncode == 0, result.stderr
        record = json.loads(result.stdout)
        assert "scene city" in record["understood"]
        digests[way] = record["frames_sha256"]
    assert len(set(digests.values())) == 1, digests


def test_no_daemon_holds_torch(tmp_path: Path) -> None:
    process = start(tmp_path, "A cat running", "--steps", "64,64,64,64")
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(("stage1", "text")):
            break
    held = {
        node.pid: {Path(library.path).name for library in node.memory_maps()} for node in daemons_of(tmp_path)
    }
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert len(held) == 3
    assert not any("torch" in name for libraries in held.values() for name in libraries)
    assert any("onnxruntime" in name for libraries in held.values() for name in libraries)
    assert daemons_of(tmp_path) == []


def test_an_altered_file_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    for path in SHIPPED.iterdir():
        if path.is_file():
            (folder / path.name).write_bytes(path.read_bytes())
    damaged = folder / "text.safetensors"
    data = bytearray(damaged.read_bytes())
    for kind in ("altered", "truncated"):
        if kind == "altered":
            data[len(data) // 2] ^= 1
        else:
            del data[-1]
        damaged.write_bytes(data)
        result = call(tmp_path, "A cat", "--weights", "weights", *SMALL)
        assert result.returncode == 12
        assert "text.safetensors" in result.stderr
        assert not list(tmp_path.glob("video*"))
