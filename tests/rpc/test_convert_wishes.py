"""What a job's plans are to mind survives the trip; what no plan can mind is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.domain.topology import NodeId
from eapg_split.errors import InvalidRequest
from eapg_split.planner.policy import MAX_CUTS, Goal, Objective
from eapg_split.rpc.convert_wishes import wishes_from_proto, wishes_to_proto
from eapg_split.rpc.v1 import job_pb2

NAMES = st.text("abcdefgh123", min_size=1, max_size=12)
WISHES = st.builds(
    Objective,
    goal=st.sampled_from(Goal),
    max_entropy_bits=st.floats(1, 1e15) | st.just(math.inf),
    max_cuts=st.integers(0, MAX_CUTS),
    pins=st.dictionaries(NAMES, NAMES.map(NodeId), max_size=8),
    memory_caps=st.dictionaries(NAMES.map(NodeId), st.integers(1, 2**60), max_size=8),
)


@given(WISHES)
def test_wishes_arrive_as_they_were_sent(wishes: Objective) -> None:
    assert wishes_from_proto(wishes_to_proto(wishes)) == wishes


def test_without_wishes_there_are_none() -> None:
    assert wishes_from_proto(job_pb2.GenerateRequest().wishes) == Objective()


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (job_pb2.Wishes(goal="fame"), "latency, energy, cost, balanced"),
        (job_pb2.Wishes(max_entropy_bits=math.nan), "number of bits"),
        (job_pb2.Wishes(max_entropy_bits=-1), "number of bits"),
        (job_pb2.Wishes(max_cuts=65), "at most 64 cuts"),
        (job_pb2.Wishes(pins={f"s{n}": "cloud" for n in range(65)}), "at most 64 pins"),
        (job_pb2.Wishes(pins={"stage4": "c" * 201}), "200 letters"),
    ],
)
def test_nonsense_is_refused(message: job_pb2.Wishes, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        wishes_from_proto(message)
