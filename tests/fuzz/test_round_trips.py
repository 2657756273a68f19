"""Values of any content survive the trip through their messages: what is generated follows their annotations."""

import dataclasses
import itertools
from contextlib import suppress
from typing import Any, Final, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st

from eapg_split.domain.latent import TensorSpec
from eapg_split.domain.telemetry import RANGES, LinkSight, Quality, Reading, Telemetry
from eapg_split.domain.topology import NodeId
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.rpc import convert, convert_handoff, convert_job, convert_outlook, convert_telemetry
from eapg_split.rpc.v1 import common_pb2, job_pb2, node_pb2, outlook_pb2
from eapg_split.runtime.events import JobEvent, PlanMade, PreviewFrame
from eapg_split.runtime.handoff import Coded, Declaration, HeldThere, Item, SameAsBefore, SameAsInput
from eapg_split.runtime.observed import TelemetryHeard
from eapg_split.runtime.peer import Onward, SegmentOrder
from eapg_split.runtime.recall import HandBack
from tests.fuzz.fuzz import inputs
from tests.fuzz.loop import run
from tests.fuzz.message_targets import BORDERS, REFUSALS, STEPS
from tests.fuzz.targets import TARGETS
from tests.nodes import FINGERPRINT, SMALL

FEW = settings(max_examples=25, deadline=None)
TEXT: Final = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES: Final = st.text("abcdefgh", min_size=1, max_size=20)
DECIBELS: Final = st.floats(0, 200)
PLAIN: Final[dict[object, st.SearchStrategy[Any]]] = {
    str: TEXT,
    int: st.integers(0, 2**32 - 1),
    float: st.floats(0, 1e9),
    bool: st.booleans(),
    bytes: st.binary(max_size=40),
}
PICTURES: Final = st.tuples(st.integers(1, 20), st.integers(1, 20)).map(
    lambda size: np.arange(size[0] * size[1] * 3, dtype=np.uint8).reshape(*size, 3)
)
PREVIEWS: Final = st.builds(
    PreviewFrame, NAMES, st.integers(0, 99), st.integers(0, 15), st.integers(16, 32), PICTURES
)


HEARD: Final = st.fixed_dictionaries(
    {}, optional={name: st.floats(max(0.0, low), high) for name, (low, high) in RANGES.items()}
)


def any_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is tuple:
        return st.lists(any_of(inner[0]), max_size=3).map(tuple)
    if origin is dict:
        return st.dictionaries(any_of(inner[0]), any_of(inner[1]), max_size=3)
    if isinstance(annotation, type) and dataclasses.is_dataclass(annotation):
        hints = get_type_hints(annotation)
        return st.builds(
            annotation, **{each.name: any_of(hints[each.name]) for each in dataclasses.fields(annotation)}
        )
    return PLAIN[annotation]


@pytest.mark.parametrize("kind", get_args(JobEvent), ids=lambda kind: kind.__name__)
def test_job_events(kind: type) -> None:
    values: st.SearchStrategy[Any] = PREVIEWS if kind is PreviewFrame else any_of(kind)
    if kind is PlanMade:
        values = values.filter(lambda made: made.segments)
    if kind is TelemetryHeard:  # readings of no known name, or beyond their ranges, are left out
        values = st.builds(dataclasses.replace, values, readings=HEARD)

    @FEW
    @given(values)
    def survives(event: JobEvent) -> None:
        wire = convert_job.event_to_proto(event).SerializeToString()
        back = convert_job.event_from_proto(job_pb2.JobEvent.FromString(wire))
        assert back == event
        if isinstance(event, PreviewFrame) and isinstance(back, PreviewFrame):
            assert np.array_equal(back.frame, event.frame)

    survives()


@given(
    st.builds(
        SegmentOrder,
        session=NAMES,
        request=st.just(SMALL) | st.just(SMALL.without_prompt()),
        start_step=st.integers(0, 9),
        stop_step=st.integers(0, 9),
        fingerprint=st.just(FINGERPRINT) | TEXT,
        attempt=st.integers(0, 99),
        result_codec=TEXT,
        result_db=DECIBELS,
        result_link_bits_per_s=st.floats(0, 1e12),
        checkpoints=st.sampled_from(Checkpoints),
        previews=st.booleans(),
        onward=st.lists(st.builds(Onward, NAMES.map(NodeId), st.integers(), TEXT, DECIBELS), max_size=8).map(
            lambda onward: tuple(
                dataclasses.replace(each, stop_step=10 + at) for at, each in enumerate(onward)
            )
        ),
    )
)
@FEW
def test_orders(order: SegmentOrder) -> None:
    async def travelled() -> SegmentOrder:
        message = convert.order_to_proto(order, Declaration("a", ()))
        return convert.order_from_proto(node_pb2.RunHeader.FromString(message.SerializeToString()))

    assert run(travelled()) == order


SPECS: Final = st.builds(TensorSpec, NAMES, st.lists(st.integers(1, 9), min_size=1, max_size=6).map(tuple))
DIGESTS: Final = st.binary(min_size=16, max_size=16).map(bytes.hex)
ITEMS: Final[st.SearchStrategy[Item]] = (
    st.builds(Coded, SPECS, NAMES)
    | st.builds(HeldThere, SPECS, DIGESTS)
    | st.builds(SameAsInput, SPECS, NAMES)
    | st.builds(SameAsBefore, SPECS, NAMES)
)
STATES: Final = st.lists(ITEMS, max_size=4, unique_by=lambda item: item.tensor.name).map(
    lambda items: tuple(sorted(items, key=lambda item: item.tensor.name))
)


@given(st.builds(Declaration, NAMES, STATES))
@FEW
def test_declarations(declaration: Declaration) -> None:
    wire = convert_handoff.declaration_to_proto(declaration).SerializeToString()
    assert convert_handoff.declaration_from_proto(common_pb2.Handoff.FromString(wire)) == declaration


@given(st.builds(HandBack, st.integers(0, 2**32 - 1), TEXT, DECIBELS))
def test_recalls(terms: HandBack) -> None:
    wire = convert.recall_to_proto(terms).SerializeToString()
    assert convert.recall_from_proto(node_pb2.RunRecall.FromString(wire)) == terms


SIGHTS: Final = st.builds(
    LinkSight, NAMES, NAMES, st.floats(1, 1e13), st.floats(0, 10), st.floats(0, 1e7), st.floats(0, 1e7)
)
READINGS: Final = {
    name: st.builds(Reading, st.floats(*bounds), st.sampled_from((Quality.MEASURED, Quality.MODELLED)))
    for name, bounds in RANGES.items()
}


@given(st.builds(Telemetry, at_s=st.just(5.0), links=st.lists(SIGHTS, max_size=3).map(tuple), **READINGS))
@FEW
def test_telemetry(look: Telemetry) -> None:
    wire = convert_telemetry.telemetry_to_proto(look).SerializeToString()
    back = convert_telemetry.telemetry_from_proto(node_pb2.NodeTelemetry.FromString(wire), at_s=5.0)
    assert back == look


def same(one: object, other: object) -> bool:
    """NaN stands for what is not known, and is not equal to itself."""
    return one == other or repr(one) == repr(other)


def test_outlooks_that_were_let_in() -> None:
    let_in = 0
    for data in itertools.islice(inputs(TARGETS["surveys"], 2), 600):
        with suppress(*REFUSALS):
            found = convert_outlook.survey_from_proto(outlook_pb2.OutlookReply.FromString(data), STEPS)
            wire = convert_outlook.survey_to_proto(found).SerializeToString()
            assert same(
                convert_outlook.survey_from_proto(outlook_pb2.OutlookReply.FromString(wire), STEPS), found
            )
            let_in += 1
    assert let_in > 100


def test_messages_that_were_let_in() -> None:
    let_in = set[str]()
    for data in itertools.islice(inputs(TARGETS["messages"], 2), 1500):
        border = BORDERS[data[0] % len(BORDERS)] if data else BORDERS[0]
        with suppress(*REFUSALS):
            value = border.read(border.kind.FromString(data[1:]))
            if border.unread is not None:
                again = border.unread(value)
                assert isinstance(again, Message)
                assert same(border.read(border.kind.FromString(again.SerializeToString())), value)
                let_in.add(border.kind.__name__)
    assert len(let_in) == sum(border.unread is not None for border in BORDERS)
