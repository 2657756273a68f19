"""`eapg-split report`: the page shows what the log says, loads nothing, and nothing in a log can write on it."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from eapg_split.cli.app import app
from eapg_split.cli.report_page import figure
from eapg_split.cli.report_page.markup import plain, tag, text
from eapg_split.cli.run_log import LogWriter
from eapg_split.cli.run_log.values import MAX_INTEGER, MAX_NUMBER
from eapg_split.cli.run_log.writer import header_of
from eapg_split.domain.request import Request
from eapg_split.eapg.workload import unroll
from eapg_split.errors import NodeUnavailable
from eapg_split.runtime.events import (
    Goodput,
    Hop,
    JobEvent,
    Notice,
    PlanMade,
    PlanReviewed,
    PreviewFrame,
    StepDone,
)
from tests.cli.conftest import HOP, story

PROMPT = "A purple cat"
EVIL = "\"'></text></svg></style><script>alert(1)</script><img src=//x onerror=alert(1)>$\\frac{$<!--&amp;]]>\n\0"
VOID = {"meta", "img"}


class Page(HTMLParser):
    """Every element with its attributes, and the text; fails where elements do not nest."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.words += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag == name]


def full_story() -> list[JobEvent]:
    """The story with all that a hand-off can tell, and pictures with something in them."""
    hop = replace(HOP, start_s=1.6, encode_s=0.02, decode_s=0.03, sent=("xbar", "source"), codec="clean")
    frame = np.random.default_rng(0).integers(0, 255, (36, 64, 3), np.uint8)
    events: list[JobEvent] = []
    for event in story():
        match event:
            case Hop():
                events += [hop, Goodput("device", "attic", 4096, 0.01, 1.8)]
            case PreviewFrame():
                events.append(replace(event, frame=frame))
            case _:
                events.append(event)
    return events


def write_log(path: Path, *events: JobEvent, understood: str = "", error: Exception | None = None) -> None:
    header = header_of(
        unroll(Request(PROMPT)),
        understood=understood,
        policy="pyramid",
        codec="clean",
        quality_db=45.0,
        engine="onnx",
    )
    try:
        with LogWriter(path, header, print) as log:
            for event in events:
                log.add(event)
            if error is not None:
                raise error
    except NodeUnavailable:
        pass


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["report", *arguments])


def page_of(*events: JobEvent, understood: str = "", error: Exception | None = None) -> str:
    """The page of a log with these events, in the current folder."""
    write_log(Path("run.jsonl"), *events, understood=understood, error=error)
    result = call("run.jsonl")
    assert result.exit_code == 0, result.stderr
    return Path("report.html").read_text(encoding="utf-8")


def test_the_page_shows_what_the_log_says(here: Path) -> None:
    page = Page(page_of(*full_story()))
    for words in (
        "2 frames of 64×64 at 1 FPS", "1 hand-off", "text to stage1", "attic (cloud)", "90.0 MB",
        "device → attic", "clean", "xbar, source", "12.3 kB", "6.8 kB", "17.60", "250 ms", "20 ms", "30 ms",
        "no edge node answered", "a sentence", "ab" * 32, "run.jsonl", "at 45 dB",
    ):  # fmt: skip
        assert words in page.words, words
    assert sorted(path.name for path in here.iterdir()) == ["report.html", "run.jsonl"]
    assert "What the planner did" not in page.words


def test_the_page_says_why_plans_changed(here: Path) -> None:
    first, *rest = full_story()
    assert isinstance(first, PlanMade)
    kept = PlanReviewed(
        "link", "attic", "The link is slow.", "keep", "It would save 3 %.", 2, 20.0, 19.5, 1.0
    )
    left = PlanReviewed("heat", "device", "device got hot.", "replace", "It saves 40 %.", 2, 20.0, 12.0, 2.0)
    again = replace(first, revision=1, at_s=2.5, reason="device got hot. It saves 40 %.", predicted_s=12.5)
    page = Page(page_of(replace(first, predicted_s=33.0), kept, left, again, *rest))
    for words in (
        "What the planner did", "The link is slow. It would save 3 %.", "keep", "replace",
        "device got hot. It saves 40 %.", "made by pyramid", "33.0 s", "planned anew once", "12.5 s",
    ):  # fmt: skip
        assert words in page.words, words


def test_the_page_loads_nothing_and_runs_nothing(here: Path) -> None:
    source = page_of(*full_story())
    page = Page(source)
    assert page.all("script") == page.all("link") == page.all("iframe") == []
    namespaces = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r"\w+://[^\s\"'<>)]*", source)) <= namespaces
    assert "@import" not in source
    assert set(re.findall(r"url\((.)", source)) <= {"#"}
    assert any("default-src 'none'" in (each.get("content") or "") for each in page.all("meta"))


def test_pictures_can_be_read_without_eyes(here: Path) -> None:
    page = Page(page_of(*full_story()))
    images, charts = page.all("img"), page.all("svg")
    assert len(images) == 2
    assert len(charts) == 3
    assert all(each["alt"] and (each["src"] or "").startswith("data:image/webp;base64,") for each in images)
    assert all(each["aria-label"] and each["role"] == "img" for each in charts)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_prompt_is_shown_where_it_was_logged(here: Path) -> None:
    assert "purple" not in page_of(*full_story())
    shown = page_of(*full_story(), understood="understood: scene cat")
    assert f"“{PROMPT}”" in shown
    assert "understood: scene cat" in shown


def poisoned(value: Any) -> Any:
    """The same JSON with hostile words wherever there are words."""
    if isinstance(value, str):
        return EVIL
    if isinstance(value, list):
        return [poisoned(each) for each in value]
    if isinstance(value, dict):
        kept = ("kind", "webp", "format", "privacy", "goal", "request")
        return {
            (key if key != "attic" else EVIL): value[key] if key in kept else poisoned(value[key])
            for key in value
        }
    return value


def test_a_hostile_log_writes_nothing_on_the_page(here: Path) -> None:
    """Whatever names, notes and errors say, it is text."""
    write_log(
        Path("run.jsonl"),
        *full_story(),
        understood="so",
        error=NodeUnavailable("The node is gone: start it."),
    )
    lines = [
        poisoned(json.loads(line)) for line in Path("run.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    lines[0]["request"]["prompt"] = EVIL
    Path("run.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert call("run.jsonl").exit_code == 0
    harmless = Page(page_of(*full_story()))
    Path("report.html").unlink()
    Path("run.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert call("run.jsonl").exit_code == 0
    page = Page(Path("report.html").read_text(encoding="utf-8"))
    assert page.all("script") == []
    assert {name for name, _ in page.elements} <= {name for name, _ in harmless.elements} | {"strong"}
    allowed = {key for _, attributes in harmless.elements for key in attributes}
    assert {key for _, attributes in page.elements for key in attributes} <= allowed
    assert all((each["src"] or "").startswith("data:image/webp;base64,") for each in page.all("img"))
    assert page.words.count("<script>alert(1)</script>") > 10
    assert "\0" not in page.words


def test_a_picture_that_is_none_is_refused(here: Path) -> None:
    write_log(Path("run.jsonl"), *full_story())
    source = Path("run.jsonl").read_text(encoding="utf-8")
    Path("run.jsonl").write_text(source.replace('"webp":"', '"webp":"#'), encoding="utf-8")
    result = call("run.jsonl")
    assert result.exit_code == 2
    assert "line 5: 'webp' must be base64" in result.stderr
    assert not Path("report.html").exists()


@pytest.mark.parametrize("count", range(0, len(full_story()) - 1, 4))
def test_every_beginning_of_a_run_gives_a_page(here: Path, count: int) -> None:
    page = Page(page_of(*full_story()[:count]))
    assert "The log ends before its job did" in page.words
    assert not any(word in page.words for word in ("nan", "inf "))


def test_a_failed_run_says_so(here: Path) -> None:
    page = Page(page_of(*full_story()[:6], error=NodeUnavailable("The node is gone: start it.")))
    assert "This run failed: The node is gone: start it." in page.words
    assert "text to stage1" in page.words
    assert "attic (cloud)" not in page.words  # it was planned and did not run


def test_extreme_numbers_give_a_page(here: Path) -> None:
    numbers: dict[str, Any] = {"step": MAX_INTEGER, "raw_bytes": MAX_INTEGER, "wire_bytes": MAX_INTEGER}
    for seconds in (0.0, 1e-6, MAX_NUMBER):
        hops = [
            replace(HOP, **numbers, seconds=seconds, start_s=seconds, encode_s=seconds, decode_s=seconds),
            replace(HOP, raw_bytes=0, wire_bytes=0, seconds=seconds),
        ]
        samples = [Goodput("a", "b", count, seconds, seconds) for count in (0, 1, MAX_INTEGER)]
        page = Page(page_of(StepDone("a", "b", "c", MAX_INTEGER, 1, seconds, seconds), *hops, *samples))
        assert len(page.all("svg")) >= 2


def test_a_long_log_gives_a_page_that_still_opens(here: Path) -> None:
    def many() -> Iterator[JobEvent]:
        for index in range(3000):
            node = f"node {index % 50}"
            yield StepDone(node, "edge", f"stage{index % 99}", index, 3000, 0.5, index * 0.5)
            yield replace(HOP, source=node, start_s=index * 0.5, step=index)
            yield Goodput(node, "device", 1000, 0.01, index * 0.5)
            yield Notice("x" * 1000)

    source = page_of(*many())
    assert len(source) < 3_000_000
    words = Page(source).words
    assert "Only the first 60 of 3000 hand-offs are shown." in words
    assert "Only the first 100 of 3000 notices are shown." in words


def test_names_in_any_script(here: Path) -> None:
    hop = replace(HOP, source="手机", target="云$x$")
    events = [hop if isinstance(event, Hop) else event for event in full_story()]
    assert "手机 → 云$x$" in Page(page_of(*events)).words


def test_without_matplotlib_there_is_one_sentence(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_log(Path("run.jsonl"), *full_story())
    monkeypatch.setattr(figure, "find_spec", lambda name: None)
    result = call("run.jsonl")
    assert result.exit_code == 3
    assert 'pip install "eapg-split[plots]"' in result.stderr
    assert not Path("report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["absent.jsonl"], 2, "absent.jsonl cannot be read"),
        ([], 2, "RUN.jsonl"),
        (["run.jsonl", "-o", "run.jsonl"], 2, "choose another name"),
        (["run.jsonl", "-o", "."], 2, "choose another name"),
        (["run.jsonl", "-o", "absent/report.html"], 13, "does not exist"),
        (["run.jsonl", "-o", "folder"], 13, "could not be written"),
        (["text"], 2, "text, line 1: not a line of JSON."),
    ],
)
def test_what_cannot_be_done_is_one_sentence(here: Path, arguments: list[str], code: int, words: str) -> None:
    write_log(Path("run.jsonl"), *full_story())
    Path("text").write_text("hello\n")
    Path("folder").mkdir()
    before = Path("run.jsonl").read_bytes()
    result = call(*arguments)
    assert result.exit_code == code
    assert words in result.stderr
    assert Path("run.jsonl").read_bytes() == before
    assert sorted(path.name for path in here.iterdir()) == ["folder", "run.jsonl", "text"]


def test_markup_is_escaped() -> None:
    element = tag("a", text("<b>&"), attributes={"title": '"><'})
    assert element == '<a title="&quot;&gt;&lt;">&lt;b&gt;&amp;</a>'
    assert plain("a\u202eb\x1b[0m", 5) == "a\ufffdb\ufffd…"
