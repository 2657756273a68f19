"""The result of a segment on its way back, kept for as long as its sender may ask again because it was lost."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from eapg_split.codecs.base import Codec, Fidelity
from eapg_split.domain.latent import Latent
from eapg_split.runtime.handoff import Coded, Encoding, Item, Outgoing, SameAsInput
from eapg_split.runtime.peer import Onward, SegmentOrder
from eapg_split.runtime.sessions import BySession
from eapg_split.runtime.settings import Limits


@dataclass(frozen=True)
class SegmentResult:
    """The state before `stop_step` on its way back, and what it cost.

    `stop_step` is before that of the order where the segment was handed back.
    """

    outgoing: Outgoing
    stop_step: int
    compute_s: float
    peak_rss_bytes: int
    further_peaks: Mapping[str, int] = field(
        default_factory=dict
    )  # of the nodes that the state was handed on to


_Key = tuple[int, int, str, str, tuple[Onward, ...]]


@dataclass(frozen=True)
class _Kept:
    key: _Key
    result: SegmentResult


class KeptResults:
    """Bounded in bytes and in time."""

    def __init__(self, limits: Limits) -> None:
        self._by_session = BySession[_Kept](
            limits.kept_result_bytes, limits.kept_result_s, lambda kept: kept.result.outgoing.held_bytes
        )

    def get(self, order: SegmentOrder, handoff: str) -> SegmentResult | None:
        """What the same order on the same input gave, where it is still there; perhaps it was handed back."""
        kept = self._by_session.get(order.session)
        return kept.result if kept is not None and kept.key == _key(order, handoff) else None

    def add(self, order: SegmentOrder, handoff: str, result: SegmentResult) -> None:
        """Keeps `result` in place of the session's earlier one."""
        self._by_session.put(order.session, _Kept(_key(order, handoff), result))


def _key(order: SegmentOrder, handoff: str) -> _Key:
    return order.start_step, order.stop_step, handoff, order.result_codec, order.onward


def way_back(codec: Codec, fidelity: Fidelity, state: Latent, after: Latent) -> Outgoing:
    """The result; a tensor that went through the segment untouched is named, not sent."""
    items: list[Item] = []
    encodings = []
    for tensor in after.spec.tensors:
        array = after[tensor.name]
        same = next((name for name in state if state[name] is array), None)
        if same is not None:
            items.append(SameAsInput(tensor, same))
            continue
        items.append(Coded(tensor, codec.name))
        encodings.append(Encoding.of(codec, tensor.name, array, fidelity))
    return Outgoing(items, encodings)
