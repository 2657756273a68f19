"""What the fuzzers found, each as small as it gets: refused now, in words."""

import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from eapg_split.cli.display import PlainDisplay
from eapg_split.cli.text import printable
from eapg_split.domain.topology import NodeId
from eapg_split.errors import CorruptPayload, InvalidRequest
from eapg_split.rpc.convert import description_from_proto, step_from_proto
from eapg_split.rpc.convert_hop import hop_from_proto
from eapg_split.rpc.convert_job import event_from_proto
from eapg_split.rpc.previews import preview_from_proto, preview_to_proto
from eapg_split.rpc.v1 import common_pb2, job_pb2, node_pb2
from eapg_split.rpc.wire import ReplyField, pack
from eapg_split.runtime.events import Hop, Notice, PreviewFrame, StepDone
from eapg_split.runtime.goodput import Trip, samples
from eapg_split.runtime.jobs.journal import Damaged, Journal
from eapg_split.runtime.state_checks import check_told
from tests.fuzz.fuzz import attempt
from tests.fuzz.message_targets import PREVIEW
from tests.fuzz.target import packed, unpacked
from tests.fuzz.targets import TARGETS
from tests.nodes import SMALL, order
from tests.toy_engine import open_engine

HUGE = "9" * 400
MANY_DIGITS = "9" * 5000
LEARNED = {"version": 1, "jobs": 1, "samples": 1, "beliefs": {"node a": [7777, 0, 1, 0, 0, 1]}}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("daemon-files", f"threads = {MANY_DIGITS}"),
        ("daemon-files", f"drain_s = {HUGE}"),
        ("daemon-files", "drain_s = nan"),
        ("daemon-files", "threads = -1"),
        ("daemon-files", "a = " + "[" * 5000),
        ("daemon-files", "a." * 3000 + "a = 1"),
        ("flags-files", "generate = {seed = " + MANY_DIGITS + "}"),
        ("nodes-files", "nodes = " + "[" * 5000),
        ("ready-files", "[" * 5000),
        ("policy-states", "[" * 5000),
        ("policy-states", json.dumps(LEARNED).replace("7777", HUGE)),
        ("rate-traces", ""),
        ("rate-traces", "\n"),
        ("rate-traces", "0 1\n1e15 2\n"),
        ("packet-traces", ""),
    ],
)  # fmt: skip
def test_files_are_refused(name: str, text: str) -> None:
    assert attempt(TARGETS[name], text.encode()) == "refused"


def test_a_number_that_no_battery_tells_is_unknown() -> None:
    assert attempt(TARGETS["batteries"], f'{{"percentage": {HUGE}}}'.encode()) == "taken"


def test_a_line_of_a_log_whose_kind_is_a_list() -> None:
    header = TARGETS["run-logs"].corpus()[0].splitlines()[0]
    assert (
        attempt(TARGETS["run-logs"], header + b'\n{"kind": []}\n') == "taken"
    )  # as a kind that is not known


def test_a_quality_table_with_a_number_beyond_floats() -> None:
    items = unpacked(TARGETS["weights"].corpus()[-1])
    manifest = json.loads(items[0])
    manifest["quality"]["channels"] = {"1": [int(HUGE)]}
    assert attempt(TARGETS["weights"], packed([json.dumps(manifest).encode(), *items[1:]])) == "refused"


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1.0, 1e300])
def test_events_with_numbers_that_are_none(seconds: float) -> None:
    with pytest.raises(CorruptPayload, match="seconds"):
        step_from_proto(common_pb2.StepDone(seconds=seconds))
    with pytest.raises(CorruptPayload, match="decode_s"):
        hop_from_proto(common_pb2.Hop(decode_s=seconds))
    accepted = pack(ReplyField.ACCEPTED, node_pb2.RunAccepted(decode_s=seconds).SerializeToString())
    assert attempt(TARGETS["replies"], packed([accepted])) == "refused"


def test_a_plan_of_nothing() -> None:
    with pytest.raises(CorruptPayload, match="segment"):
        event_from_proto(job_pb2.JobEvent(plan=job_pb2.PlanMade(session="s")))


@pytest.mark.parametrize(
    "change", [{"stage": "../../x"}, {"stage": "a\0"}, {"count": 2**32 - 1}, {"index": 2}]
)
def test_previews_that_are_none_of_a_stages(change: dict[str, object]) -> None:
    message = preview_to_proto(PREVIEW)
    message.MergeFrom(common_pb2.PreviewFrame(**change))  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest):
        preview_from_proto(message)


@pytest.mark.parametrize("name", ["", "a\x1b[2J", "x" * 201])
def test_a_node_whose_name_cannot_be_printed(name: str) -> None:
    with pytest.raises(InvalidRequest, match="printed"):
        description_from_proto(node_pb2.NodeDescription(node=name, tier="edge"), address="edge:1")


def test_words_of_others_do_not_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainDisplay() as display:
        display.show(Notice("a\x1b[2Jb\r\u202ec"))
    mark = "\N{REPLACEMENT CHARACTER}"
    assert capsys.readouterr().err == f"note: a{mark}[2Jb{mark}{mark}c\n"
    assert printable("两只猫\nand more") == "两只猫\nand more"


def test_a_node_tells_only_of_its_own_segment() -> None:
    workload, node = open_engine("toy").unroll(SMALL), NodeId("edge")
    mine, stage = order(5, 7), workload.stage_of(5).name
    check_told(StepDone("edge", "edge", stage, 5, 10, 0.1), mine, node, workload)
    check_told(Hop("edge", "edge", 5, "lossless", 1, 1, 0.1), mine, node, workload)
    for event in (
        StepDone("other", "edge", stage, 5, 10, 0.1),
        StepDone("edge", "edge", stage, 4_000_000_000, 10, 0.1),
        StepDone("edge", "edge", "another", 5, 10, 0.1),
        PreviewFrame("another", 5, 0, 1, PREVIEW.frame),
        Hop("device", "other", 5, "lossless", 1, 1, 0.1),
    ):
        with pytest.raises(CorruptPayload):
            check_told(event, mine, node, workload)


def test_moments_of_another_clock_may_be_anything() -> None:
    for moment in (math.nan, math.inf, -math.inf, 1e300):
        trips = [Trip(100_000, 0.0, 1.0), Trip(100_000, 0.0, moment), Trip(100_000, 0.0, 3.0)]
        assert all(0 < sample.seconds < 1e6 for sample in samples(trips))


def test_a_journal_whose_rows_are_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    path.write_bytes(TARGETS["journals"].corpus()[0])
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE events SET event = 'text'")
    with closing(Journal(path)) as journal:
        assert journal.events("a1") == []
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE jobs SET request = 1000000000000")  # as many bytes would be made of it
    with pytest.raises(Damaged, match="request"):
        Journal(path)
