"""What a node believes that its segments will still take."""

from eapg_split.errors import MAX_RETRY_AFTER_S
from eapg_split.runtime.backlog import Backlog
from tests.nodes import SMALL
from tests.toy_engine import open_engine

WORKLOAD = open_engine("toy").unroll(SMALL)


def test_whoever_runs_is_not_forgotten_for_those_that_only_ask() -> None:
    backlog = Backlog()
    backlog.expect("running", WORKLOAD, 5, 9)
    for number in range(600):
        backlog.expect(f"asks{number}", WORKLOAD, 5, 9)
        if number % 200 == 0:
            backlog.stepped("running", 5, 2.0)
    assert backlog.queue_s(["running"]).value > 2
    assert backlog.queue_s(["asks0"]).value == 0


def test_when_to_come_again_is_when_the_others_should_be_done() -> None:
    backlog = Backlog()
    assert backlog.retry_after_s(["nobody"]) == 1
    for session in ("a", "b"):
        backlog.expect(session, WORKLOAD, 5, 9)
    assert backlog.retry_after_s(["a", "b"]) == 1  # nothing is known yet
    backlog.stepped("a", 5, 10.0)
    alone_s = backlog.retry_after_s(["a"])
    assert backlog.queue_s(["a"]).value == alone_s
    assert backlog.retry_after_s(["a", "b"]) > 2 * alone_s
    backlog.stepped("a", 6, 1e9)
    assert backlog.retry_after_s(["a", "b"]) == MAX_RETRY_AFTER_S
    backlog.forget("b")
    backlog.forget("a")
    assert backlog.retry_after_s(["a", "b"]) == 1
