"""`eapg-split profile`: measures the shipped weights, says what it found, and keeps it where a daemon looks."""

import json
from pathlib import Path

import pytest

from eapg_split.cli.__main__ import run
from eapg_split.domain.topology import NodeId
from eapg_split.engines import open_engine
from eapg_split.runtime.own_profile import OwnProfile, ProfileHome
from eapg_split.runtime.profile_store import default_path, read

STAGES = ("text", "stage1", "stage2", "stage3", "stage4", "decode")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("eapg_split.cli.profile._QUICK_S", 1.0)
    return tmp_path


def test_the_shipped_weights_are_measured_and_a_daemon_finds_that(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["profile", "--quick"]) == 0
    shown = capsys.readouterr().out
    engine = open_engine()
    path = default_path("any", "onnx", engine.fingerprint)
    assert str(path) in shown
    assert all(stage in shown for stage in STAGES)
    own = OwnProfile(NodeId("edge"), ProfileHome()).open(engine)
    assert tuple(own.stages) == STAGES
    assert not any(cost.uncertain for cost in own.stages.values())
    assert own.stages["stage4"].load_s > 0
    assert own.stages["stage4"].memory_bytes > 1_000_000


def test_json_and_a_file_of_ones_own(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = home / "mine.json"
    arguments = ["profile", "--quick", "--engine", "tests.toy_engine:open_engine"]
    assert run([*arguments, "--node", "edge-7", "--json", "-o", str(path)]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown.pop("path") == str(path)
    assert shown == json.loads(path.read_text())
    stored = read(path)
    assert (stored.profile.node, stored.profile.engine) == ("edge-7", "toy")
    assert not (home / "eapg_split").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--node", "a/b"], "--node"),
        (["--engine", "abacus"], "--engine"),
        (["--engine", "no.such:thing"], "was not found"),
        (
            ["--quick", "--engine", "tests.toy_engine:open_engine", "-o", "/proc/none/p.json"],
            "cannot be written",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert run(["profile", *arguments]) != 0
    (line,) = [each for each in capsys.readouterr().err.splitlines() if each.startswith("error: ")]
    assert words in line
