"""The commands beside `generate`, and how all of them end."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from eapg_split.cli.__main__ import run
from eapg_split.cli.display import LiveDisplay
from eapg_split.cli.doctor import Finding, examine, render
from eapg_split.cli.exits import exit_codes
from eapg_split.cli.text import duration, size, table
from eapg_split.errors import LEAVES
from eapg_split.planner import POLICIES
from tests.cli.conftest import story

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "nothing"),
        (["--nope"], "--nope"),
        (["policy"], "command"),
        (["generate"], "PROMPT"),
        (["generate", "A cat", "--fps", "many"], "--fps"),
    ],
)
def test_a_wrong_flag_is_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: Sequence[str], words: str
) -> None:
    assert run(arguments) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("error: ")
    assert words in line
    assert captured.out == ""


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    shown = capsys.readouterr().out
    for command in ("generate", "doctor", "train", "policy"):
        assert command in shown


def test_policy_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["policy", "list"]) == 0
    shown = capsys.readouterr().out
    for name in POLICIES:
        assert name in shown


def test_train_names_the_extra_that_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eapg_split.cli.train.find_spec", lambda name: None)
    assert run(["train", "--smoke"]) == 3
    assert "pip install 'eapg-split[train]'" in capsys.readouterr().err


def test_doctor_looks_at_everything() -> None:
    names = {finding.name for finding in examine()}
    assert {"machine", "onnxruntime", "av", "torch", "engine onnx", "engine torch", "GPU", "weights"} <= names


def test_doctor_says_what_to_do() -> None:
    text = render(
        [Finding("torch", False, "not installed", False, "pip install it"), Finding("av", True, "18")]
    )
    assert text.splitlines()[-1] == "torch: pip install it"
    assert "MISSING" not in text


def test_every_exit_code_is_distinct_and_explained() -> None:
    codes = exit_codes()
    assert len(codes) == len(LEAVES) + 4
    assert all(0 <= code < 256 and meaning for code, meaning in codes.items())


def test_the_command_line_starts_light() -> None:
    """Help must not wait for what only a job needs."""
    heavy = ("torch", "onnxruntime", "av", "grpc", "numpy", "rich.progress")
    code = f"import sys, eapg_split.cli.__main__; print([m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.strip() == "[]"


def test_the_live_display_names_who_is_at_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with LiveDisplay(["text", "stage1", "stage2", "decode"].__getitem__) as display:
        shown = []
        for event in story():
            display.show(event)
            shown.append(display.at_work)
    assert list(dict.fromkeys(shown)) == [
        "text on device",
        "stage1 on device",
        "stage2 on attic (cloud)",
        "decode on device",
        "finishing",
    ]


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (812, "812 B"),
        (4096, "4.1 kB"),
        (12_900_000, "12.9 MB"),
        (123_456, "123 kB"),
        (2e9, "2.0 GB"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.012, "12 ms"), (0.9999, "1.0 s"), (3.44, "3.4 s"), (125.0, "2 min 05 s")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_table_counts_columns_not_characters() -> None:
    lines = table(("name", "n"), [("猫", "1"), ("ball", "12")]).splitlines()
    assert lines == ["name   n", "猫     1", "ball  12"]
    assert table(("a", "b"), []) == "a  b"
