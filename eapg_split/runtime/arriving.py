"""States that come home while their segment goes on, as whoever asked for it sees it."""

from collections.abc import Mapping

from eapg_split.domain.error_budget import ErrorBudget
from eapg_split.errors import CorruptPayload
from eapg_split.runtime.checkpoint import Checkpoint, Codecs, KeptTensor
from eapg_split.runtime.events import CheckpointCame
from eapg_split.runtime.handoff import Coded, Item, SameAsBefore, SameAsInput


class ArrivingCheckpoints:
    """One per call of a segment: each state may name tensors of the one before it, and of what the segment began with.

    Nothing is decoded before it is used.
    """

    def __init__(self, codecs: Codecs, given: Mapping[str, KeptTensor]) -> None:
        """`given` is the state that the segment began with, as the node got it."""
        self._codecs = codecs
        self._given = given
        self._before: Mapping[str, KeptTensor] = {}

    def add(self, came: CheckpointCame, budget: ErrorBudget | None = None) -> Checkpoint:
        """The state. Raises CorruptPayload where it names what there is not."""
        tensors = {item.tensor.name: self._kept(item, came) for item in came.declaration.items}
        self._before = tensors
        return Checkpoint(came.step, self._codecs, tensors, budget)

    def _kept(self, item: Item, came: CheckpointCame) -> KeptTensor:
        match item:
            case Coded(tensor) if tensor.name in came.encodings:
                return KeptTensor(tensor, coded=came.encodings[tensor.name])
            case SameAsInput(tensor, name):
                known = self._given.get(name)
            case SameAsBefore(tensor, name):
                known = self._before.get(name)
            case _:
                tensor, known = item.tensor, None
        if known is None or known.tensor.shape != tensor.shape:
            raise CorruptPayload(f"A checkpoint names tensor {tensor.name}, which did not travel.")
        return known.called(tensor)
