"""What a node still has of its sessions: the state that came last, whole or in part, and what was computed from it.

So a broken hand-off goes on where it broke off, and a tensor that the node has had is named instead of sent again.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from eapg_split.codecs.base import Floats, checksum_of
from eapg_split.errors import SessionNotFound
from eapg_split.runtime.handoff import Declaration, HeldThere
from eapg_split.runtime.reception import Reception
from eapg_split.runtime.sessions import BySession
from eapg_split.runtime.settings import Limits


def digest_of(array: Floats) -> str:
    """XXH3-128 of the float32 bytes, little-endian, in hex."""
    return checksum_of(array.astype("<f4", copy=False).reshape(-1).view(np.uint8).data)


@dataclass
class _Held:
    reception: Reception | None = None
    tensors: dict[str, Floats] = field(default_factory=dict)  # by digest
    computed: bool = False  # then the tensors are those of the reception, and more

    @property
    def size_bytes(self) -> int:
        """At most, once all of the reception is there."""
        arriving = 0 if self.reception is None or self.computed else self.reception.declaration.spec.raw_bytes
        return arriving + sum(array.nbytes for array in self.tensors.values())


class HeldStates:
    """Bounded in bytes and in time."""

    def __init__(self, limits: Limits) -> None:
        self._by_session = BySession[_Held](
            limits.held_state_bytes, limits.kept_result_s, lambda held: held.size_bytes
        )

    def begun(self, session: str, declaration: Declaration) -> Reception | None:
        """The reception of these very parts that broke off, if it can go on."""
        held = self._by_session.get(session)
        reception = held.reception if held is not None else None
        if reception is None or reception.broken or reception.declaration != declaration:
            return None
        return reception

    def given(self, session: str, declaration: Declaration) -> Mapping[str, Floats]:
        """The tensors that the declaration names by digest. Raises SessionNotFound where one is gone."""
        held = self._by_session.get(session) or _Held()
        found = {}
        for item in declaration.items:
            if isinstance(item, HeldThere):
                array = held.tensors.get(item.digest)
                if array is None or array.shape != item.tensor.shape:
                    raise SessionNotFound(
                        f"Tensor {item.tensor.name} is not here any more: send the whole state.",
                        session_id=session,
                    )
                found[item.tensor.name] = array
        return found

    def begin(self, session: str, reception: Reception) -> None:
        """Notes a state that starts to arrive."""
        earlier = self._by_session.get(session) or _Held()
        self._by_session.put(session, _Held(reception, earlier.tensors))

    async def keep(self, session: str, arrays: Iterable[Floats]) -> None:
        """The tensors of the session's last segment, in place of those of the one before."""
        tensors = await asyncio.to_thread(lambda: {digest_of(array): array for array in arrays})
        earlier = self._by_session.get(session) or _Held()
        self._by_session.put(session, _Held(earlier.reception, tensors, computed=True))
