"""Logs: records of a session name it, in both formats, and what others said cannot forge a line."""

import asyncio
import json
import logging
from collections.abc import Iterator

import pytest

from eapg_split.observing.logs import MAX_MESSAGE, LoggedSpans, write_logs
from eapg_split.runtime.instruments import Kind, Span
from eapg_split.runtime.settings import LogFormat, Observe

_log = logging.getLogger("eapg_split.somewhere")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("eapg_split")
    before = list(root.handlers), root.level, ours.level
    yield
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def written(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


async def test_records_name_the_session_of_their_task(capsys: pytest.CaptureFixture[str]) -> None:
    write_logs("edge", Observe(log_format=LogFormat.JSON))

    async def serve(session: str) -> None:
        with LoggedSpans().span(Span(Kind.SERVE, session)):
            await asyncio.sleep(0)
            with LoggedSpans().span(Span(Kind.STEP)):
                _log.warning("of %s", session)

    await asyncio.gather(serve("s1"), serve("s2"))
    _log.error("of nobody")
    lines = written(capsys)
    assert [(line["session"], line["message"]) for line in lines] == [
        ("s1", "of s1"), ("s2", "of s2"), ("", "of nobody"),
    ]  # fmt: skip
    assert {line["node"] for line in lines} == {"edge"}
    assert [line["level"] for line in lines] == ["warning", "warning", "error"]


def test_spans_are_told_at_the_level_that_they_deserve(capsys: pytest.CaptureFixture[str]) -> None:
    told = {}
    for level in ("warning", "info", "debug"):
        write_logs("edge", Observe(log_format=LogFormat.JSON, log_level=level))
        with LoggedSpans().span(Span(Kind.SERVE, "s1", 5, 7)), LoggedSpans().span(Span(Kind.STEP, "s1", 5)):
            logging.getLogger("grpc").info("noise")
        told[level] = [line["message"] for line in written(capsys)]
    assert told == {"warning": [], "info": ["serve"], "debug": ["step", "serve"]}


@pytest.mark.parametrize("log_format", LogFormat)
def test_a_record_is_one_bounded_line(log_format: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    write_logs("edge", Observe(log_format=log_format))
    _log.warning("refused: %s", "x\n2026-01-01 edge ERROR all is lost " + 10 * MAX_MESSAGE * "y")
    text = capsys.readouterr().err
    assert text.count("\n") == 1
    assert "refused" in text
    assert len(text) < MAX_MESSAGE + 500


def test_the_trace_of_what_nobody_foresaw_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    write_logs("edge", Observe(log_format=LogFormat.JSON))
    try:
        raise ValueError("deep inside")
    except ValueError:
        _log.exception("it broke")
    (line,) = written(capsys)
    assert "ValueError: deep inside" in str(line["trace"])
