"""`eapg-split generate` from the outside: what it prints, what it leaves, how it ends."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from eapg_split.cli.app import app
from eapg_split.domain.error_budget import DEFAULT_QUALITY_DB
from eapg_split.domain.request import Request
from eapg_split.errors import LEAVES, CorruptPayload, EapgError, NodeUnavailable
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.rpc.access import Access
from eapg_split.rpc.job_client import JobOptions
from eapg_split.rpc.local_topology import LocalTopology, RunningNode
from eapg_split.runtime.events import JobEvent, OutputChunk, OutputFile
from tests.cli.conftest import VIDEO, Tell, story

RECORD_FIELDS = [
    "output", "frames", "width", "height", "fps", "seed", "wall_s", "frames_sha256", "plan", "hops",
    "peak_rss_mb", "understood",
]  # fmt: skip


def call(*arguments: str, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, ["generate", *arguments], input=stdin)


def is_one_sentence(result: Result) -> bool:
    """One line that says error, and no trace."""
    lines = result.stderr.strip().splitlines()
    return lines[-1].startswith("error: ") and "Traceback" not in result.stderr and result.stdout == ""


def test_the_file_and_the_summary(here: Path, tell: Tell) -> None:
    tell(story())
    result = call("A cat running", "-o", "cat.mp4")
    assert result.exit_code == 0, result.stderr
    assert (here / "cat.mp4").read_bytes() == VIDEO
    assert [path.name for path in here.iterdir()] == ["cat.mp4"]
    for words in (
        "device",
        "attic (cloud)",
        "text to stage1",
        "6.8 kB",
        "12.3 kB",
        "75.0 s",
        "cat.mp4: 2 frames",
    ):
        assert words in result.stdout
    for words in (
        "understood: scene cat",
        "note: no edge node answered",
        "stage1: 1 step on device in 1.5 s",
    ):
        assert words in result.stderr


def test_json_is_the_only_line_on_stdout(here: Path, tell: Tell) -> None:
    tell(story())
    result = call("城市夜景", "--json")
    assert result.exit_code == 0, result.stderr
    (line,) = result.stdout.splitlines()
    fields = json.loads(line)
    assert list(fields) == RECORD_FIELDS
    assert fields["output"] == "video.mp4"
    assert fields["plan"][1] == {"node": "attic", "tier": "cloud", "start_step": 2, "stop_step": 3}
    assert fields["hops"] == [
        {
            "from": "device", "to": "attic", "step": 2, "codec": "lossless",
            "raw_bytes": 12345, "wire_bytes": 6789, "seconds": 0.25,
        }
    ]  # fmt: skip
    assert fields["peak_rss_mb"] == {"device": 90.0, "attic": 0.0}
    assert "city" in fields["understood"]


def test_previews_become_gifs(here: Path, tell: Tell) -> None:
    tell(story())
    assert call("A cat", "--preview", "looks").exit_code == 0
    (preview,) = (here / "looks").iterdir()
    assert preview.name == "step-01-stage1.gif"
    assert preview.read_bytes().startswith(b"GIF89a")


def test_a_folder_of_png(here: Path, tell: Tell) -> None:
    events: list[JobEvent] = story()[:-4]
    events += [OutputFile("frame-0.png", 1), OutputChunk(b"a")]
    events += [OutputFile("frame-1.png", 1), OutputChunk(b"b")]
    tell([*events, story()[-1]])
    assert call("A cat", "-o", "frames/").exit_code == 0
    assert {path.name: path.read_bytes() for path in (here / "frames").iterdir()} == {
        "frame-0.png": b"a",
        "frame-1.png": b"b",
    }
    refused = call("A cat", "-o", "frames/")
    assert refused.exit_code == 2
    assert "not empty" in refused.stderr


SHA = hashlib.sha256(VIDEO).hexdigest()


def test_bytes_that_are_not_those_that_were_declared_are_no_video(here: Path, tell: Tell) -> None:
    events: list[JobEvent] = [OutputFile("", len(VIDEO), SHA), OutputChunk(VIDEO[::-1]), story()[-1]]
    tell(events)
    result = call("A cat", "-o", "cat.mp4")
    assert result.exit_code == CorruptPayload.exit_code
    assert "altered on its way" in result.stderr
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("name", ["", "frame-0.png"])
def test_a_file_that_is_announced_again_begins_anew(here: Path, tell: Tell, name: str) -> None:
    """The device was away in the middle of it."""
    events: list[JobEvent] = [OutputFile(name, len(VIDEO), SHA), OutputChunk(b"lost"), *story()[:2]]
    events += [OutputFile(name, len(VIDEO), SHA), OutputChunk(VIDEO), story()[-1]]
    tell(events)
    assert call("A cat", "-o", "frames/" if name else "cat.mp4").exit_code == 0
    written = here / "frames" / name if name else here / "cat.mp4"
    assert written.read_bytes() == VIDEO
    tell([*events[:-1], OutputFile("another", 1), OutputChunk(b"a"), story()[-1]])
    assert call("A cat", "-o", "more/" if name else "cat.mp4").exit_code == (0 if name else 8)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["generate", "A cat", "--detach"], "--nodes FILE"),
        (["generate", "A cat", "--detach", "--nodes", "n.toml", "--log", "l"], "--log needs somebody"),
        (["jobs"], "--nodes FILE"),
        (["attach", "a1"], "--nodes FILE"),
        (["cancel", "a1"], "--nodes FILE"),
        (["cancel", "a1", "--nodes", "absent.toml"], "absent.toml cannot be read"),
    ],
)
def test_jobs_need_a_device_that_lives_on(here: Path, arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert is_one_sentence(result)
    assert words in result.stderr
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("leaf", LEAVES)
def test_every_error_has_its_exit_code_and_leaves_nothing(
    here: Path, tell: Tell, leaf: type[EapgError]
) -> None:
    tell([*story()[:-2], leaf("It went wrong: mend it.", node_id="attic")])
    result = call("A cat", "-o", "cat.mp4")
    assert result.exit_code == leaf.exit_code
    assert is_one_sentence(result)
    assert "It went wrong: mend it. (node attic)" in result.stderr
    assert list(here.iterdir()) == []


def test_an_unforeseen_error_shows_no_trace_unless_asked(
    here: Path, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell([ZeroDivisionError("by zero")])
    result = call("A cat")
    assert result.exit_code == 1
    assert is_one_sentence(result)
    assert "EAPG_SPLIT_DEBUG=1" in result.stderr
    monkeypatch.setenv("EAPG_SPLIT_DEBUG", "1")
    assert "Traceback" in call("A cat").stderr
    assert list(here.iterdir()) == []


def test_an_interrupt_is_130(here: Path, tell: Tell) -> None:
    tell([*story()[:5], KeyboardInterrupt()])
    result = call("A cat")
    assert result.exit_code == 130
    assert is_one_sentence(result)
    assert list(here.iterdir()) == []


def test_a_cancellation_by_somebody_else_is_said(here: Path, tell: Tell) -> None:
    tell([*story()[:5], asyncio.CancelledError()])
    result = call("A cat")
    assert result.exit_code == 10
    assert is_one_sentence(result)
    assert list(here.iterdir()) == []


def test_what_was_there_stays_when_a_job_fails(here: Path, tell: Tell) -> None:
    (here / "cat.mp4").write_bytes(b"before")
    tell([NodeUnavailable("Gone: start it.")])
    assert call("A cat", "-o", "cat.mp4").exit_code == NodeUnavailable.exit_code
    assert (here / "cat.mp4").read_bytes() == b"before"


@pytest.mark.parametrize("missing", ["end", "done", "file", "rest"])
def test_a_job_that_ends_early_is_no_success(here: Path, tell: Tell, missing: str) -> None:
    events = story()
    tell(
        {
            "end": events[:3],
            "done": events[:-1],
            "file": events[:-4] + events[-1:],
            "rest": events[:-2] + events[-1:],
        }[missing]
    )
    result = call("A cat")
    assert result.exit_code in (5, 8)
    assert is_one_sentence(result)
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("name", ["../x.png", "/x.png", "", "..", "a/b.png"])
def test_a_device_cannot_write_elsewhere(here: Path, tell: Tell, name: str) -> None:
    tell([OutputFile(name, 1), OutputChunk(b"a"), story()[-1]])
    result = call("A cat", "-o", "frames/")
    assert result.exit_code == 8
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    "flags",
    [[], ["--quality", "38.5", "--codec", "int8", "--checkpoints", "always", "--log", "run.jsonl"]],
)
def test_the_flags_reach_the_device(here: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str]) -> None:
    heard: list[JobOptions] = []

    async def play(
        address: str, request: Request, options: JobOptions, *, access: Access, reattach_s: float
    ) -> AsyncIterator[JobEvent]:
        heard.append(options)
        for event in story():
            yield event

    @asynccontextmanager
    async def local_topology(**settings: object) -> AsyncIterator[LocalTopology]:
        yield LocalTopology({"device": RunningNode("device", "device", "127.0.0.1:1", 1)}, here)

    monkeypatch.setattr("eapg_split.cli.connect.generate", play)
    monkeypatch.setattr("eapg_split.cli.connect.local_topology", local_topology)
    assert call("A cat", *flags).exit_code == 0
    (options,) = heard
    assert options.quality_db == (38.5 if flags else DEFAULT_QUALITY_DB)
    assert options.codec == ("int8" if flags else "lossless")
    assert options.checkpoints is (Checkpoints.ALWAYS if flags else Checkpoints.AUTO)
    assert options.previews == bool(flags)


def test_the_prompt_may_come_from_stdin(here: Path, tell: Tell) -> None:
    tell(story())
    result = call("-", "--json", stdin="一只猫".encode())
    assert "cat" in json.loads(result.stdout)["understood"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([""], "The prompt is empty"),
        (["   "], "The prompt is empty"),
        (["x" * 2001], "shorten it to at most 2000"),
        (["猫" * 1999 + "🐈" * 1, "--seconds", "0"], "seconds must be"),
        (["A cat", "--seconds", "-1"], "seconds must be"),
        (["A cat", "--seconds", "nan"], "seconds must be"),
        (["A cat", "--seconds", "inf"], "seconds must be"),
        (["A cat", "--seconds", "soon"], "valid number"),
        (["A cat", "--width", "0"], "width must be"),
        (["A cat", "--width", "-512"], "width must be"),
        (["A cat", "--width", "513"], "use 512 or 514"),
        (["A cat", "--height", "2306"], "height must be"),
        (["A cat", "--height", "1e3"], "valid integer"),
        (["A cat", "--fps", "61"], "fps must be"),
        (["A cat", "--seed", "-1"], "seed must be"),
        (["A cat", "--steps", "16,8,4"], "such as 16,8,4,4"),
        (["A cat", "--steps", "16,8,4,0"], "each of the four steps"),
        (["A cat", "--guidance", "11"], "guidance must be"),
        (["A cat", "--policy", "fastest"], "use one of"),
        (["A cat", "--objective", "fame"], "choose one of latency, energy, cost, balanced"),
        (["A cat", "--max-entropy", "-1"], "--max-entropy must be"),
        (["A cat", "--max-entropy", "nan"], "--max-entropy must be"),
        (["A cat", "--max-cuts", "65"], "--max-cuts must be from 0 to 64, not 65"),
        (["A cat", "--pin", "stage4"], "write for example --pin stage4=cloud"),
        (["A cat", "--pin", "stage4=edge", "--pin", "stage4=cloud"], "names stage4 twice"),
        (["A cat", "--cap", "edge=much"], "megabytes, such as 500"),
        (["A cat", "--cap", "edge=0"], "megabytes, such as 500"),
        (["A cat", "--cap", "edge=nan"], "megabytes, such as 500"),
        (["A cat", "--codec", "zip"], "use one of lossless, int8"),
        (["A cat", "--quality", "19"], "--quality must be from 20 to 80 dB, not 19"),
        (["A cat", "--quality", "80.5"], "--quality"),
        (["A cat", "--quality", "nan"], "--quality"),
        (["A cat", "--engine", "cuda"], "choose one of onnx, torch"),
        (["A cat", "--privacy", "none"], "choose one of prompt-local, any"),
        (["A cat", "--checkpoints", "often"], "choose one of auto, always, never"),
        (["A cat", "--nodes", "absent.toml"], "absent.toml cannot be read"),
        (["A cat", "-o", "cat.avi"], ".mp4, .webm or .gif"),
        (["A cat", "-o", "absent/cat.mp4"], "does not exist"),
        (["A cat", "-o", "/dev/full/cat.mp4"], "does not exist"),
        (["A cat", "-o", ""], "not a name"),
        (["A cat", "--speed", "3"], "--speed"),
        ([], "PROMPT"),
    ],
)
def test_bad_input_is_refused_before_anything_starts(here: Path, arguments: list[str], words: str) -> None:
    result = call(*arguments)
    assert result.exit_code in (2, 13)
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert list(here.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "words"), [(b"A cat " * 2_000_000, "shorten it"), (b"\xff\xfe cat", "UTF-8"), (b"", "empty")]
)
def test_a_bad_prompt_on_stdin(here: Path, data: bytes, words: str) -> None:
    result = call("-", stdin=data)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_full_disk_leaves_nothing(here: Path, tell: Tell) -> None:
    (here / "cat.mp4.part").symlink_to("/dev/full")
    tell([OutputFile("", 10**6), OutputChunk(bytes(10**6)), story()[-1]])
    result = call("A cat", "-o", "cat.mp4")
    assert result.exit_code == 13
    assert "No space is left" in result.stderr
    assert list(here.iterdir()) == []
