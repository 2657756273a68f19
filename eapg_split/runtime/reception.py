"""A state that arrives in parts: each is decoded in a thread while the next one comes, and none is used unchecked."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from eapg_split.codecs.base import MAX_BODY_BYTES, Codec, Decoder, Floats, Part, Payload
from eapg_split.domain.latent import ITEM_BYTES, LatentSpec
from eapg_split.errors import CapacityExceeded, CorruptPayload, Unsupported
from eapg_split.runtime.handoff import Coded, Declaration, Encoding, Interval

# No codec makes a slice much larger than it is; what declares more is refused.
_SLACK_BYTES: Final = 65536
_NONE: Final[Mapping[str, Floats]] = MappingProxyType({})


@dataclass(frozen=True)
class Received:
    """The tensors of a state that arrived, and for those that came in parts what they came as (where it was kept)."""

    arrays: Mapping[str, Floats]
    encodings: Mapping[str, Encoding]


class Reception:
    """Takes the parts of one declared state in their order; memory grows only with what really came.

    At any moment at most one part is being decoded and one waits for it. Not for two tasks at a time, but another one
    may go on where the first was cancelled.
    """

    def __init__(
        self,
        declaration: Declaration,
        codecs: Mapping[str, Codec],
        *,
        given: Mapping[str, Floats] = _NONE,
        limit_bytes: int = MAX_BODY_BYTES,
        keep: bool = False,
        decode: bool = True,
    ) -> None:
        """`given` are the tensors that do not travel; with `keep` the parts stay, to be sent on as they came.

        Without `decode` they are only verified, for a state that is decoded when it is needed, if ever.

        Raises Unsupported for a codec that is not known.
        """
        self.declaration = declaration
        self.seconds = 0.0  # spent on decoding
        self.arrived_s = 0.0  # when the last part had come, on the loop's clock
        self.decoding: Interval | None = None  # when its parts were decoded, so far
        self._given = given
        self._limit_bytes = limit_bytes
        self._slices = declaration.slices
        decoders = {item.tensor.name: _decoder(item, codecs) for item in declaration.coded}
        self._decoders = decoders if decode else {}
        self._keep = keep
        self._parts: dict[str, list[Part]] = {name: [] for name in decoders}
        self._taken = 0
        self._first = 0.0, 0  # when the first part had come, and its bytes
        self._body_bytes = 0
        self._decoding: asyncio.Future[None] | None = None
        self._arrays: Mapping[str, Floats] | None = None
        self.broken = False

    @property
    def count(self) -> int:
        """How many parts were declared."""
        return len(self._slices)

    @property
    def taken(self) -> int:
        """How many of them have come whole."""
        return self._taken

    @property
    def body_bytes(self) -> int:
        """Coded bytes that have come."""
        return self._body_bytes

    @property
    def bits_per_s(self) -> float:
        """How fast the parts came after the first one, by the link or by who coded them; 0 where nobody can say."""
        first_s, first_bytes = self._first
        seconds = self.arrived_s - first_s
        return 8 * (self._body_bytes - first_bytes) / seconds if seconds > 0 else 0.0

    def check(self, index: int, body_bytes: int) -> None:
        """Judges a part by its header, before its bytes. Raises CorruptPayload or CapacityExceeded."""
        if index != self._taken or index >= self.count:
            raise CorruptPayload(
                f"Part {index} came where part {self._taken} of {self.count} was due: send the hand-off again."
            )
        most = 2 * ITEM_BYTES * self._slices[index].size + _SLACK_BYTES
        if body_bytes > most:
            raise CapacityExceeded(
                f"A part of {body_bytes} bytes was announced where at most {most} are taken."
            )
        if self._body_bytes + body_bytes > self._limit_bytes:
            raise CapacityExceeded(
                f"A hand-off of more than {self._limit_bytes} bytes was announced: ask for a smaller video, or raise"
                " limits.payload_bytes."
            )

    async def add(self, part: Part) -> None:
        """Takes the next part, once the one before it is decoded. Raises CorruptPayload on anything wrong in that."""
        self.check(self._taken, len(part.body))
        await self._settled()
        wanted = self._slices[self._taken]
        decoder = self._decoders.get(wanted.tensor.name)
        if decoder is None:
            part.verify()
        if self._keep:
            self._parts[wanted.tensor.name].append(part)
        self._taken += 1
        self.arrived_s = asyncio.get_running_loop().time()
        if self._taken == 1:
            self._first = self.arrived_s, len(part.body)
        self._body_bytes += len(part.body)
        if decoder is not None:
            self._decoding = asyncio.ensure_future(asyncio.to_thread(self._decode, decoder, part))
            self._decoding.add_done_callback(self._note)

    async def finish(self) -> Received:
        """The state. Raises CorruptPayload while parts are missing, or when one was wrong."""
        await self._settled()
        if self._taken < self.count:
            raise CorruptPayload(
                f"The hand-off ended after {self._taken} of {self.count} parts: send it again."
            )
        if self._arrays is None:
            self._arrays = {**self._given, **await asyncio.to_thread(self._assembled)}
        encodings = {
            item.tensor.name: Encoding(
                Payload(LatentSpec((item.tensor,)), item.codec, tuple(self._parts[item.tensor.name]))
            )
            for item in self.declaration.coded
        }
        return Received(self._arrays, encodings if self._keep else {})

    async def _settled(self) -> None:
        if self._decoding is not None:
            await asyncio.shield(self._decoding)

    def _decode(self, decoder: Decoder, part: Part) -> None:
        began = time.perf_counter()
        decoder.add(part)  # compares its checksum first
        self._decoded(time.perf_counter() - began)

    def _assembled(self) -> dict[str, Floats]:
        began = time.perf_counter()
        found = {name: decoder.finish()[name] for name, decoder in self._decoders.items()}
        self._decoded(time.perf_counter() - began)
        return found

    def _decoded(self, seconds: float) -> None:
        now_s = time.monotonic()
        self.seconds += seconds
        if self.count:
            self.decoding = (now_s - seconds if self.decoding is None else self.decoding[0], now_s)

    def _note(self, decoding: "asyncio.Future[None]") -> None:
        """A part that could not be decoded spoils the whole: what its decoder did with it is not known."""
        self.broken |= decoding.cancelled() or decoding.exception() is not None


def _decoder(item: Coded, codecs: Mapping[str, Codec]) -> Decoder:
    if item.codec not in codecs:
        raise Unsupported(f"There is no codec {item.codec[:32]!r} here; there are {', '.join(codecs)}.")
    return codecs[item.codec].decoder(LatentSpec((item.tensor,)))
