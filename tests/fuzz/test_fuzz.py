"""A short run of every target; `python tests/fuzz/fuzz.py` makes long ones."""

import itertools

import pytest

from eapg_split.rpc.v1 import common_pb2, job_pb2, node_pb2, outlook_pb2
from tests.fuzz.fuzz import attempt, fuzz, inputs, judged
from tests.fuzz.message_targets import BORDERS
from tests.fuzz.protobuf import names_within
from tests.fuzz.target import Target, packed, unpacked
from tests.fuzz.targets import TARGETS

QUICK = [name for name, target in TARGETS.items() if target.quick_runs]
OUTCOMES = {  # of targets whose readers make nothing of what is broken, and an error of anything
    "batteries": {"taken"}, "sensors": {"taken"}, "statuses": {"refused"}
}  # fmt: skip
# a number, a name or nothing: what gRPC and protobuf make of it is used as it is
PLAIN = {
    "DescribeRequest", "PrepareReply", "CancelRequest", "CancelReply", "ListRequest", "ListReply",
    "Ticket", "AttachRequest", "ForgetRequest", "ForgetReply",
}  # fmt: skip


@pytest.mark.parametrize("name", QUICK)
def test_borders_take_or_refuse(name: str) -> None:
    target = TARGETS[name]
    summary = fuzz(target, target.quick_runs, seed=1)
    assert summary.findings == {}
    reached = OUTCOMES.get(name, {"taken", "refused"})
    assert set(summary.outcomes) == reached, "the inputs must reach behind the first check"


@pytest.mark.parametrize("name", QUICK)
def test_honest_inputs_are_taken(name: str) -> None:
    target = TARGETS[name]
    assert OUTCOMES.get(name, {"taken"}) <= {attempt(target, data) for data in target.corpus()}


@pytest.mark.parametrize("name", ["int8", "messages", "segments", "run-logs"])
def test_the_same_seed_gives_the_same_inputs(name: str) -> None:
    first, second = (list(itertools.islice(inputs(TARGETS[name], 3), 50)) for _ in range(2))
    assert first == second


def test_every_message_of_the_protocol_has_a_target() -> None:
    files = (common_pb2, job_pb2, node_pb2, outlook_pb2)
    known = {name for file in files for name in file.DESCRIPTOR.message_types_by_name}
    kinds = [border.kind for border in BORDERS]
    streams = [node_pb2.RunRequest, node_pb2.RunReply, outlook_pb2.OutlookReply, job_pb2.GenerateRequest]
    fuzzed = {name for kind in (*kinds, *streams) for name in names_within(kind)}
    assert known - fuzzed - PLAIN == set()


def test_findings_are_told() -> None:
    def enter(data: bytes) -> None:
        kept = bytes(100 * len(data))
        assert kept is not None
        if data == b"ill":
            raise KeyError
        while data == b"slow":
            pass

    target = Target("t", "g", lambda: [b"ill"], lambda data, other, random: b"slow", enter, slow_s=0.05)
    summary = fuzz(target, 30)
    assert {outcome.split(" at ")[0] for outcome in summary.findings} == {"KeyError", "too slow"}
    assert judged(target, b"well") == "taken"


def test_inputs_of_several_items() -> None:
    assert unpacked(packed([b"", b"abc", b"d"])) == [b"", b"abc", b"d"]
    assert unpacked(packed([b"abc"])[:-1]) == [b"ab"]
