"""A payload as a declared header and bounded chunks, and back: committed only when length and checksum both match."""

from collections.abc import Iterator

from eapg_split.codecs.base import MAX_BODY_BYTES, Payload, checksum_of
from eapg_split.domain.latent import LatentSpec, TensorSpec
from eapg_split.errors import CapacityExceeded, CorruptPayload
from eapg_split.rpc.v1 import common_pb2
from eapg_split.rpc.wire import CHUNK_BYTES

# No codec makes a latent much larger than it is; what declares more is refused.
_SLACK_BYTES = 65536


def header_of(payload: Payload) -> common_pb2.PayloadHeader:
    """What is said of a payload before its first byte."""
    tensors = [
        common_pb2.Tensor(name=tensor.name, shape=tensor.shape, dtype=tensor.dtype)
        for tensor in payload.spec.tensors
    ]
    return common_pb2.PayloadHeader(
        tensors=tensors, codec=payload.codec, body_bytes=len(payload.body), checksum=payload.checksum
    )


def chunks_of(body: bytes) -> Iterator[memoryview]:
    """The body in pieces that fit into one message each; none for an empty body."""
    view = memoryview(body)
    return (view[start : start + CHUNK_BYTES] for start in range(0, len(view), CHUNK_BYTES))


class Assembly:
    """Collects what a header declared. Memory grows only with bytes that really came."""

    def __init__(self, header: common_pb2.PayloadHeader, *, limit_bytes: int = MAX_BODY_BYTES) -> None:
        """Raises InvalidRequest for a spec beyond the bounds, CapacityExceeded for a body beyond `limit_bytes`."""
        tensors = (TensorSpec(tensor.name, tuple(tensor.shape), tensor.dtype) for tensor in header.tensors)
        self.spec = LatentSpec(tuple(tensors))
        self.codec = header.codec
        self._checksum = header.checksum
        self._declared = header.body_bytes
        self._body = bytearray()
        limit = min(limit_bytes, 2 * self.spec.raw_bytes + _SLACK_BYTES)
        if self._declared > limit:
            raise CapacityExceeded(
                f"A payload of {self._declared} bytes was announced where at most {limit} are taken: ask for a"
                " smaller video, or raise limits.payload_bytes."
            )

    @property
    def complete(self) -> bool:
        """Whether as many bytes came as were declared."""
        return len(self._body) == self._declared

    def add(self, chunk: bytes | memoryview) -> None:
        """Takes the next chunk. Raises CorruptPayload for an empty one or when more comes than was declared."""
        if not len(chunk) or len(self._body) + len(chunk) > self._declared:
            raise CorruptPayload(
                "More or emptier chunks came than the payload's header declared: send it again."
            )
        self._body += chunk

    def finish(self) -> Payload:
        """The whole payload. Raises CorruptPayload when bytes are missing or altered."""
        if not self.complete:
            raise CorruptPayload(
                f"The payload ended after {len(self._body)} of {self._declared} bytes: send it again."
            )
        body = bytes(self._body)
        if checksum_of(body) != self._checksum:
            raise CorruptPayload("The payload does not match its checksum: send it again.")
        return Payload(self.spec, self.codec, body, self._checksum)
