"""What every Peer owes, however its calls travel. Run over a peer whose node computes with the toy engine."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

import pytest

from eapg_split.codecs import CODECS
from eapg_split.codecs.base import Part, Payload, payload_of
from eapg_split.domain.latent import Latent
from eapg_split.errors import (
    CorruptPayload,
    EapgError,
    InvalidRequest,
    SessionConflict,
    SessionNotFound,
    Unsupported,
)
from eapg_split.runtime.events import (
    Accepted,
    Acknowledged,
    Passage,
    PreviewFrame,
    Returning,
    SegmentEvent,
    StepDone,
)
from eapg_split.runtime.handoff import Coded, Encoding, HeldThere, Outgoing
from eapg_split.runtime.held import digest_of
from eapg_split.runtime.peer import Peer, SegmentDone, SegmentOrder
from eapg_split.runtime.recall import HandBack, Recall
from eapg_split.runtime.worker import Worker
from tests.nodes import FINGERPRINT, SMALL, STEPS, coded, ignore, order, state_of, undivided, until


async def check_peer(peer: Peer, worker: Worker) -> None:
    """`worker` is what stands behind the peer: it is asked what is left behind."""
    await _check_description(peer, worker)
    await _check_segment(peer)
    await _check_previews(peer)
    await _check_idempotence(peer, worker)
    await _check_hand_back(peer, worker)
    await _check_refusals(peer)
    await _check_telemetry(peer)
    assert worker.running_sessions == 0


async def _check_description(peer: Peer, worker: Worker) -> None:
    description = await peer.describe()
    assert description.node.id == worker.setup.node
    assert description.node.tier is worker.setup.tier
    assert set(description.node.codecs) == set(CODECS)
    assert description.fingerprint == FINGERPRINT
    assert 0 < description.rss_bytes <= description.peak_rss_bytes
    assert description.pid > 0
    await peer.prepare(order(5, 9))


async def _check_telemetry(peer: Peer) -> None:
    """Looks come by themselves, with the moment of their arrival on this loop's clock."""
    began = asyncio.get_running_loop().time()
    async with aclosing(peer.telemetry(0.1)) as looks:
        first, second = await anext(looks), await anext(looks)
    assert began <= first.at_s < second.at_s <= asyncio.get_running_loop().time()
    assert first.sessions.value == 0
    assert first.queue_s.value == 0
    assert first.resident


async def _check_segment(peer: Peer) -> None:
    """The result is that of the undivided run; events come in order, each step once."""
    events: list[SegmentEvent] = []

    async def note(event: SegmentEvent) -> None:
        events.append(event)

    done = await peer.run(order(5, 9), coded(undivided(5)), note)
    assert state_of(done, undivided(5)) == undivided(9)
    assert done.compute_s > 0
    assert done.peak_rss_bytes > 0
    told = [event for event in events if not isinstance(event, Acknowledged | Passage)]
    assert isinstance(told[0], Accepted)
    assert sum(isinstance(event, Returning) for event in events) == 1
    steps = [event for event in events if isinstance(event, StepDone)]
    assert [event.step for event in steps] == [5, 6, 7, 8]
    assert [event.stage for event in steps] == ["stage3", "stage3", "stage4", "stage4"]
    assert {event.total_steps for event in steps} == {STEPS}


async def _check_previews(peer: Peer) -> None:
    events: list[SegmentEvent] = []

    async def note(event: SegmentEvent) -> None:
        events.append(event)

    asked = replace(order(0, 5, session="s2"), previews=True, result_codec="int8")
    done = await peer.run(asked, coded(Latent()), note)
    assert {item.codec for item in done.declaration.coded} == {"int8"}
    previews = [event for event in events if isinstance(event, PreviewFrame)]
    assert [preview.stage for preview in previews if preview.index == 0] == ["stage1", "stage2"]
    assert all(preview.frame.nbytes < 2**20 and preview.frame.shape[2] == 3 for preview in previews)


async def _check_idempotence(peer: Peer, worker: Worker) -> None:
    """The same hand-off twice is computed once; an older attempt is refused, a newer one takes over."""
    events: list[SegmentEvent] = []

    async def note(event: SegmentEvent) -> None:
        events.append(event)

    asked, payload = order(5, 9, session="s3"), coded(undivided(5))
    first = await peer.run(asked, payload, ignore)
    again = await peer.run(replace(asked, attempt=2), payload, note)
    assert again.declaration == first.declaration
    assert state_of(again, undivided(5)) == state_of(first, undivided(5))
    assert not any(isinstance(event, StepDone) for event in events)

    older = asyncio.create_task(peer.run(order(5, 9, attempt=2, session="s4"), payload, ignore))
    await until(lambda: worker.running_sessions == 1)
    with pytest.raises(SessionConflict):
        await peer.run(order(5, 9, attempt=1, session="s4"), payload, ignore)
    newer = await peer.run(order(5, 9, attempt=3, session="s4"), payload, ignore)
    assert state_of(newer, undivided(5)) == undivided(9)
    with pytest.raises(SessionConflict):
        await older


async def _handed_back(peer: Peer, state: Outgoing) -> tuple[SegmentOrder, SegmentDone]:
    """A segment that was recalled after its first step; on a busy machine that may come too late, a few times."""
    for number in range(20):
        recall, asked = Recall(), order(5, 9, session=f"back{number}")

        async def ask(event: SegmentEvent, recall: Recall = recall) -> None:
            if isinstance(event, StepDone):
                recall.ask(HandBack(0, "int8"))

        done = await peer.run(asked, state, ask, recall=recall)
        if done.stop_step < asked.stop_step:
            break
    return asked, done


async def _check_hand_back(peer: Peer, worker: Worker) -> None:
    """A segment ends where it is recalled; what came of it is not taken for what another order wants."""
    state = coded(undivided(5))
    asked, done = await _handed_back(peer, state)
    assert 5 < done.stop_step < 9
    assert {item.codec for item in done.declaration.coded} == {"int8"}
    assert done.declaration.spec == undivided(done.stop_step).spec
    again = await peer.run(replace(asked, attempt=2), state, ignore)
    assert (again.stop_step, again.declaration) == (done.stop_step, done.declaration)
    other = await peer.run(order(5, 8, session=asked.session, attempt=3), state, ignore)
    assert other.stop_step == 8
    assert state_of(other, undivided(5)) == undivided(8)

    later = Recall()
    later.ask(HandBack(0))
    later.ask(HandBack(7))
    exact = await peer.run(order(5, 9, session="h2"), coded(undivided(5)), ignore, recall=later)
    assert exact.stop_step == 7
    assert state_of(exact, undivided(5)) == undivided(7)
    late = Recall()
    late.ask(HandBack(9))
    assert (
        await peer.run(order(5, 9, session="h3"), coded(undivided(5)), ignore, recall=late)
    ).stop_step == 9

    async def leave(event: SegmentEvent) -> None:
        if isinstance(event, StepDone):
            worker.serving.give_back()

    left = await peer.run(order(5, 9, session="h4"), coded(undivided(5)), leave)
    assert 5 < left.stop_step < 9
    assert state_of(left, undivided(5)) == undivided(left.stop_step)


async def _check_refusals(peer: Peer) -> None:
    good, payload = order(5, 9, session="s5"), coded(undivided(5))
    withheld = replace(order(0, 5), request=SMALL.without_prompt())
    refusals: list[tuple[SegmentOrder, Outgoing, type[EapgError]]] = [
        (good, _forged(undivided(5)), CorruptPayload),
        (good, coded(undivided(3)), CorruptPayload),
        (replace(good, fingerprint="0" * 64), payload, Unsupported),
        (replace(good, result_codec="mp3"), payload, Unsupported),
        (replace(good, stop_step=STEPS), payload, InvalidRequest),  # decoding is the device's
        (replace(good, stop_step=5), payload, InvalidRequest),
        (withheld, coded(Latent()), InvalidRequest),
    ]
    for asked, sent, error in refusals:
        with pytest.raises(error) as caught:
            await peer.run(asked, sent, ignore)
        assert caught.value.message


def _forged(state: Latent) -> Outgoing:
    """Its first part has another checksum than its bytes."""
    (tensor,) = state.spec.tensors
    payload = payload_of(CODECS["lossless"], state)
    first, *rest = payload.parts
    wrong = Part(bytes([first.body[0] ^ 1]) + first.body[1:], first.checksum)
    forged = Encoding(Payload(payload.spec, payload.codec, (wrong, *rest)))
    return Outgoing([Coded(tensor, payload.codec)], [forged])


async def check_references(peer: Peer, forget: Callable[[], None]) -> None:
    """What the node has had is named in both ways; `forget` makes the node lose it."""
    before = undivided(3)
    middle = await peer.run(order(3, 4, session="s6"), coded(before), ignore)
    assert {item.tensor.name for item in middle.declaration.coded} == {"xbar"}
    after = state_of(middle, before)
    assert after == undivided(4)

    asked = order(4, 5, session="s6")
    known = [HeldThere(tensor, digest_of(after[tensor.name])) for tensor in after.spec.tensors]
    done = await peer.run(asked, Outgoing(known, []), ignore)
    assert state_of(done, after) == undivided(5)
    unknown = [HeldThere(tensor, "00" * 16) for tensor in after.spec.tensors]
    with pytest.raises(SessionNotFound):
        await peer.run(asked, Outgoing(unknown, []), ignore)
    with pytest.raises(SessionNotFound):
        await peer.run(replace(asked, session="s7"), Outgoing(known, []), ignore)
    forget()
    with pytest.raises(SessionNotFound):
        await peer.run(asked, Outgoing(known, []), ignore)
