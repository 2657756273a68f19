"""The run log: what `--log` writes, what `read_log` makes of it, and of what is no log."""

import base64
import io
import json
import os
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import av
import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from eapg_split.cli.app import app
from eapg_split.cli.run_log import Failed, LogWriter, OutputBytes, PreviewPicture, read_log, reader
from eapg_split.cli.run_log.lines import KINDS
from eapg_split.cli.run_log.pictures import MAX_PICTURE_BYTES, encode_webp
from eapg_split.cli.run_log.schema import schema, schema_text
from eapg_split.cli.run_log.writer import header_of
from eapg_split.domain.request import Request
from eapg_split.eapg.workload import unroll
from eapg_split.errors import InvalidRequest, NodeUnavailable
from eapg_split.runtime.events import JobDone, JobEvent, Notice, PreviewFrame, StepDone
from tests.cli.conftest import SEGMENTS, VIDEO, Tell, story

SHIPPED = Path(reader.__file__).with_name("run_log.schema.json")
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "run-log.md"
PROMPT = "A purple cat with a zeppelin"
JOB_EVENTS = get_args(JobEvent)


def generate(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["generate", PROMPT, "--log", "run.jsonl", *arguments])


def sample(annotation: Any) -> Any:
    """Some value of a field's type, so that an event that is added is tested at once."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is tuple:
        return (sample(inner[0]),)
    if origin is dict:
        return {"a node": sample(inner[1])}
    if is_dataclass(annotation):
        hints = get_type_hints(annotation)
        return annotation(*(sample(hints[each.name]) for each in fields(annotation)))  # type: ignore[operator]
    plain = {str: 'a "word" & 猫\n', int: 3, float: 0.125, bool: True, bytes: b"abc"}
    return plain.get(annotation, np.full((4, 6, 3), 7, np.uint8))


def written(path: Path, *events: JobEvent, prompt: bool = False) -> list[dict[str, Any]]:
    """The lines of a log with these events."""
    header = header_of(
        unroll(Request(PROMPT)),
        understood="understood: a cat" if prompt else "",
        policy="pyramid",
        codec="clean",
        quality_db=45.0,
        engine="onnx",
    )
    with LogWriter(path, header, print) as log:
        for event in events:
            log.add(event)
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_generate_writes_every_event(here: Path, tell: Tell) -> None:
    tell(story())
    result = generate()
    assert result.exit_code == 0, result.stderr
    log = read_log(here / "run.jsonl")
    assert log.unfinished == ""
    told = [event for event in story() if not isinstance(event, PreviewFrame)]
    kept = [line.record for line in log.lines if not isinstance(line.record, PreviewPicture)]
    sizes = [OutputBytes(5), OutputBytes(len(VIDEO) - 5)]
    assert [event for event in kept if not isinstance(event, OutputBytes)] == [
        event for event in told if type(event).__name__ != "OutputChunk"
    ]
    assert [event for event in kept if isinstance(event, OutputBytes)] == sizes
    seen = [line.seen_s for line in log.lines]
    assert seen == sorted(seen)
    assert log.header.codec == "lossless"
    assert log.header.stages[0].name == "text"


def test_the_prompt_stays_out_unless_asked_for(here: Path, tell: Tell) -> None:
    tell(story())
    generate()
    text = (here / "run.jsonl").read_text(encoding="utf-8")
    assert not any(word in text for word in ("purple", "zeppelin", "cat "))
    assert read_log(here / "run.jsonl").header.request == Request(PROMPT).without_prompt()
    generate("--log-prompt")
    header = read_log(here / "run.jsonl").header
    assert header.request.prompt == PROMPT
    assert "zeppelin" in header.understood


def test_a_job_that_fails_says_how(here: Path, tell: Tell) -> None:
    tell([*story()[:5], NodeUnavailable("The node is gone: start it.")])
    assert generate().exit_code == 5
    log = read_log(here / "run.jsonl")
    assert log.lines[-1].record == Failed("NodeUnavailable", "The node is gone: start it.")
    assert log.unfinished == ""
    tell([*story()[:5], KeyboardInterrupt()])
    assert generate().exit_code == 130
    assert read_log(here / "run.jsonl").lines[-1].record == Failed(
        "Interrupted", "The run was interrupted or terminated."
    )


def test_lines_are_there_as_soon_as_things_happen(tmp_path: Path) -> None:
    header = header_of(
        unroll(Request(PROMPT)), understood="", policy="p", codec="c", quality_db=45.0, engine="e"
    )
    with LogWriter(tmp_path / "run.jsonl", header, print) as writer:
        for count, event in enumerate(story(), start=1):
            writer.add(event)
            log = read_log(tmp_path / "run.jsonl")
            assert len(log.lines) == count
            assert bool(log.unfinished) == (not isinstance(event, JobDone))


@pytest.mark.parametrize("place", ["absent/run.jsonl", "/dev/full", "."])
def test_a_log_that_cannot_be_opened_is_said_before_anything_starts(here: Path, place: str) -> None:
    result = CliRunner().invoke(app, ["generate", PROMPT, "--log", place])
    assert result.exit_code == 13
    assert "Traceback" not in result.stderr
    assert list(here.iterdir()) == []


def test_the_log_is_not_the_video(here: Path) -> None:
    result = CliRunner().invoke(app, ["generate", PROMPT, "-o", "a.gif", "--log", "./a.gif"])
    assert result.exit_code == 2
    assert list(here.iterdir()) == []


def test_a_full_disk_ends_the_log_and_not_the_job(
    here: Path, tell: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(story())
    whole = LogWriter._write

    def write(self: LogWriter, line: dict[str, object]) -> None:
        if line["kind"] == "hop":
            raise OSError(28, "No space left on device")
        whole(self, line)

    monkeypatch.setattr(LogWriter, "_write", write)
    result = generate()
    assert result.exit_code == 0
    assert result.stderr.count("the log 'run.jsonl' ends here") == 1
    assert "killed" in read_log(here / "run.jsonl").unfinished


@pytest.mark.parametrize("kind", JOB_EVENTS, ids=lambda kind: kind.__name__)
def test_every_event_fits_the_schema_and_comes_back(tmp_path: Path, kind: type[JobEvent]) -> None:
    event = sample(kind)
    header, line = written(tmp_path / "run.jsonl", event)
    for each in (header, line):
        jsonschema.validate(each, schema(), cls=jsonschema.Draft202012Validator)
    (read,) = read_log(tmp_path / "run.jsonl").lines
    if type(read.record) is kind:
        assert read.record == event
    else:
        assert type(read.record) in (PreviewPicture, OutputBytes)


def test_the_schema_refuses_what_the_reader_refuses(tmp_path: Path) -> None:
    _, line = written(tmp_path / "run.jsonl", story()[1])
    for name, value in (("kind", "step"), ("seconds", -1), ("node", 5), ("step", 1.5)):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(line | {name: value}, schema())


def test_the_shipped_schema_is_up_to_date() -> None:
    shipped = SHIPPED.read_text(encoding="utf-8")
    assert shipped == schema_text(), f"python -m eapg_split.cli.run_log.schema > {SHIPPED}"
    jsonschema.Draft202012Validator.check_schema(json.loads(shipped))


def test_every_kind_and_field_is_documented() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for kind, record in KINDS.items():
        (section,) = [part for part in text.split("\n### ") if part.startswith(f"`{kind}`")]
        for each in fields(record):
            assert f"`{each.name}`" in section, (kind, each.name)


def test_pictures_are_small_webp_files() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
    data = encode_webp(noise)
    assert 0 < len(data) <= MAX_PICTURE_BYTES
    with av.open(io.BytesIO(data), "r") as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height) == (256, 256)
    wide = np.full((1, 512, 3), (200, 30, 30), np.uint8)
    with av.open(io.BytesIO(encode_webp(wide)), "r") as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height) == (256, 1)
    assert np.abs(frame.to_ndarray(format="rgb24").astype(int) - wide[:, :256]).max() < 12


def test_three_pictures_a_preview_are_kept(tmp_path: Path) -> None:
    frame = np.zeros((8, 8, 3), np.uint8)
    written(tmp_path / "run.jsonl", *(PreviewFrame("stage2", 24, i, 7, frame) for i in range(7)))
    pictures = [line.record for line in read_log(tmp_path / "run.jsonl").lines]
    kept = [each.index for each in pictures if isinstance(each, PreviewPicture) and each.webp]
    assert kept == [0, 3, 6]


def test_a_killed_run_is_readable(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    written(path, *story())
    data = path.read_bytes()
    whole = read_log(path)
    for end in range(data.index(b"\n") + 1, len(data) - 1, 7):
        path.write_bytes(data[:end])
        log = read_log(path)
        assert log.unfinished
        assert log.lines == whole.lines[: len(log.lines)]
        assert len(log.lines) >= data[:end].count(b"\n") - 1
    path.write_bytes(data[:-1])
    assert read_log(path) == whole


def test_a_line_from_the_future_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    lines = written(path, *story())
    lines[3]["mood"] = "good"
    lines.insert(2, {"kind": "weather", "seen_s": 1.0, "sun": True})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    log = read_log(path)
    assert log.unknown_lines == 1
    assert len(log.lines) == len(story())


BAD_LINES = [
    (b"nonsense", "not a line of JSON"),
    (b"", "not a line of JSON"),
    (b"\xff\xfe", "not UTF-8"),
    (b"[1]", "not a JSON object"),
    (b"[" * 100_000, "not a line of JSON"),
    (b'{"kind":"notice","text":"x"}', "'seen_s' is missing"),
    (b'{"kind":"notice","seen_s":1}', "'text' is missing"),
    (b'{"kind":"notice","seen_s":1,"text":null}', "'text' must be text"),
    (b'{"kind":"notice","seen_s":NaN,"text":""}', "not a line of JSON"),
    (b'{"kind":"notice","seen_s":1e400,"text":""}', "'seen_s' must be a number"),
    (b'{"kind":"notice","seen_s":1' + b"0" * 5000 + b',"text":""}', "not a line of JSON"),
    (b'{"kind":"notice","seen_s":1' + b"0" * 400 + b',"text":""}', "'seen_s' must be a number"),
    (b'{"kind":"frame_done","seen_s":1,"frame":1.5,"total_frames":2}', "'frame' must be a whole number"),
    (b'{"kind":"frame_done","seen_s":1,"frame":-1,"total_frames":2}', "'frame' must be a whole number"),
    (b'{"kind":"frame_done","seen_s":1,"frame":true,"total_frames":2}', "'frame' must be a whole number"),
    (
        b'{"kind":"preview_picture","seen_s":1,"stage":"s","step":1,"index":0,"count":1,"width":1,"height":1,'
        b'"webp":"PHN2Zz4="}',
        "'webp' must be a WebP file",
    ),
    (b'{"kind":"notice","seen_s":1,"text":"' + b"x" * (1 << 20) + b'"}', "more than"),
]


@pytest.mark.parametrize(("line", "words"), BAD_LINES, ids=[words for _, words in BAD_LINES])
def test_a_bad_line_is_one_sentence_with_its_number(tmp_path: Path, line: bytes, words: str) -> None:
    path = tmp_path / "run.jsonl"
    written(path, *story())
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:4], line + b"\n", *lines[4:]]))
    with pytest.raises(InvalidRequest) as raised:
        read_log(path)
    assert "line 5" in raised.value.message
    assert words in raised.value.message
    assert len(raised.value.message) < 300 + len(str(path))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "the log's version is 2 and this eapg-split reads 1"),
        ({"version": "1"}, "version is of another kind"),
        ({"version": None}, "version is of another kind"),
        ({"format": "another"}, "not the header of a run log"),
        ({"kind": "notice"}, "not the header of a run log"),
        ({"stages": {}}, "'stages' must be a list"),
        ({"request": {"prompt": "x", "fps": 61}}, "fps must be a whole number from 1 to 60"),
        ({"request": {"prompt": "x", "steps": [1, 2]}}, "'steps' must have 4 values"),
        ({"request": {"prompt": "x", "privacy": "none"}}, "'privacy' must be one of"),
    ],
)
def test_a_bad_header_is_line_one(tmp_path: Path, change: dict[str, object], words: str) -> None:
    path = tmp_path / "run.jsonl"
    header, *rest = written(path, *story())
    path.write_text("".join(json.dumps(line) + "\n" for line in (header | change, *rest)))
    with pytest.raises(InvalidRequest, match="line 1: ") as raised:
        read_log(path)
    assert words in raised.value.message


def test_what_is_no_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    for place, words in (
        (path, "is empty"),
        (tmp_path, "not a file|cannot be read"),
        (tmp_path / "absent", "cannot be read"),
        (tmp_path / "pipe", "is not a file"),
        (Path("/dev/zero"), "is not a file"),
        (Path("a\0b"), "cannot be read"),
    ):
        with pytest.raises(InvalidRequest, match=words):
            read_log(place)
    written(path, *story())
    monkeypatch.setattr(reader, "MAX_LINES", 5)
    with pytest.raises(InvalidRequest, match="line 6: a log has at most"):
        read_log(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of every event of the story; tests leave it as it is."""
    path = tmp_path_factory.mktemp("log") / "whole.jsonl"
    written(path, *story())
    return path


@given(damage=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_log_is_read_or_refused(whole: Path, damage: list[tuple[int, int]]) -> None:
    content = bytearray(whole.read_bytes())
    for position, byte in damage:
        content[position % len(content)] = byte
    path = whole.with_name("damaged.jsonl")
    path.write_bytes(content)
    with suppress(InvalidRequest):
        read_log(path)


def test_text_that_is_no_unicode_does_not_stop_the_log(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    written(path, Notice("a\udc80b"))
    assert [line.record for line in read_log(path).lines] == [Notice("a\udc80b")]
    done = story()[-1]
    assert isinstance(done, JobDone)
    nan = StepDone("device", "device", "stage1", 1, 4, float("nan"))
    written(path, nan, replace(done, segments=SEGMENTS))
    assert read_log(path).lines == ()


def test_pictures_are_standard_base64(tmp_path: Path) -> None:
    *_, line = written(tmp_path / "run.jsonl", PreviewFrame("stage1", 1, 0, 1, np.zeros((8, 8, 3), np.uint8)))
    assert base64.b64decode(line["webp"], validate=True).startswith(b"RIFF")
