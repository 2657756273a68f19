"""One table covers every error, and what gRPC says by itself is understood as well."""

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eapg_split.errors import (
    LEAVES,
    CapacityExceeded,
    DeadlineExceeded,
    EapgError,
    EngineFailure,
    NodeUnavailable,
    Retry,
)
from eapg_split.rpc.status import CLASS_KEY, CORRELATION_KEY, RETRY_KEY, from_status, to_status


def _leaves(base: type[EapgError]) -> set[type[EapgError]]:
    """Those of the ground floor: what is told apart further up travels as the leaf that it is one of."""
    further = [each for each in base.__subclasses__() if each.__module__ == EapgError.__module__]
    return {base} if not further else set().union(*map(_leaves, further))


def test_every_error_is_in_the_table() -> None:
    assert set(LEAVES) == _leaves(EapgError)


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.__name__)
@settings(max_examples=25)
@given(text=st.text(max_size=300), node=st.text(max_size=50), session=st.text(max_size=50))
def test_an_error_survives_the_wire(leaf: type[EapgError], text: str, node: str, session: str) -> None:
    code, details, trailing = to_status(leaf(text, node_id=node or None, session_id=session or None))
    assert code.name == leaf.code
    assert all(value.isascii() and key.islower() for key, value in trailing)
    back = from_status(code, details, trailing, node="peer")
    assert type(back) is leaf
    assert (back.node_id, back.session_id) == (node or "peer", session or None)
    assert back.message == text or not text


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("2.5", 2.5),
        ("0", 0.0),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("-1", None),
        ("1e9", None),
        ("9" * 999, None),
    ],
)
def test_when_to_come_back_is_heard_where_it_makes_sense(said: str, heard: float | None) -> None:
    trailing = ((CLASS_KEY, "CapacityExceeded"), (RETRY_KEY, said))
    error = from_status(grpc.StatusCode.RESOURCE_EXHAUSTED, "full", trailing, node="edge")
    assert isinstance(error, CapacityExceeded)
    assert error.retry_after_s == heard
    if heard is not None:
        assert dict(to_status(error)[2])[RETRY_KEY] == f"{heard:.3f}"


@pytest.mark.parametrize("code", list(grpc.StatusCode))
def test_every_bare_code_has_a_meaning(code: grpc.StatusCode) -> None:
    error = from_status(code, "", (), node="edge")
    assert error.node_id == "edge"
    assert error.message


def test_codes_that_grpc_itself_emits() -> None:
    code = grpc.StatusCode
    assert isinstance(from_status(code.RESOURCE_EXHAUSTED, "too large", (), node="n"), CapacityExceeded)
    assert isinstance(from_status(code.DEADLINE_EXCEEDED, "", (), node="n"), DeadlineExceeded)
    for broken in (code.UNAVAILABLE, code.CANCELLED, code.UNKNOWN, code.INTERNAL):
        error = from_status(broken, "Socket closed at /somewhere", (), node="n")
        assert isinstance(error, NodeUnavailable)
        assert "somewhere" not in error.message  # words for gRPC's developers stay in the log


def test_an_unforeseen_error_is_final_and_can_be_found_in_the_log() -> None:
    trailing = ((CORRELATION_KEY, "abc123"),)
    error = from_status(grpc.StatusCode.INTERNAL, "look for abc123", trailing, node="cloud")
    assert isinstance(error, EngineFailure)
    assert error.retry is Retry.NEVER
    assert "abc123" in error.message
