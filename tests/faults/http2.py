"""HTTP/2 as it passes a relay: whole frames, the call that each belongs to, and what of a segment it carries."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hpack import Decoder
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, HeadersFrame

from eapg_split.rpc.wire import ReplyField

HEAD_BYTES: Final = 9
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_PREFIX_BYTES: Final = 5  # of a gRPC message: whether it is compressed, and its length


@dataclass(frozen=True, slots=True)
class Sight:
    """One frame: the gRPC method whose call it belongs to ("" where none), and whether the call begins with it.

    `fields` are the protobuf fields that the messages which begin in it begin with, `size` its bytes of messages.
    """

    method: str
    forth: bool
    begins: bool = False
    fields: tuple[int, ...] = ()
    size: int = 0
    data: bool = False

    def says(self, field: ReplyField) -> bool:
        """Whether a message of that kind begins in it, on its way back from a segment."""
        return self.method == "Run" and not self.forth and field in self.fields


@dataclass
class Segments:
    """What has passed of the segments that a node computed for a job.

    Bytes of the calls to it; steps that it told of; and bytes that came back since the last of these.
    """

    there_bytes: int = 0
    steps: int = 0
    back_bytes: int = 0

    def add(self, sight: Sight) -> None:
        """Counts what belongs to a segment."""
        if sight.method != "Run":
            return
        if sight.forth:
            self.there_bytes += sight.size
        elif sight.says(ReplyField.STEP):
            self.steps += 1
            self.back_bytes = 0
        else:
            self.back_bytes += sight.size


class Frames:
    """Cuts the bytes of one direction into whole frames; the client's preface counts as one."""

    def __init__(self, *, forth: bool) -> None:
        self._buffer = bytearray()
        self._preface = forth

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that are whole now."""
        self._buffer += data
        if self._preface and len(self._buffer) >= len(_PREFACE):
            self._preface = False
            yield self._take(len(_PREFACE))
        while not self._preface and len(self._buffer) >= HEAD_BYTES:
            size = HEAD_BYTES + int.from_bytes(self._buffer[:3], "big")
            if len(self._buffer) < size:
                return
            yield self._take(size)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


class Calls:
    """The calls of one connection."""

    def __init__(self) -> None:
        self._headers = Decoder()
        self._block = bytearray()
        self._methods: dict[int, str] = {}
        self._messages: dict[tuple[bool, int], _Messages] = {}

    def sight(self, raw: bytes, *, forth: bool) -> Sight:
        """What a frame is. Frames must come in their order."""
        if raw == _PREFACE:
            return Sight("", forth)
        frame, _ = Frame.parse_frame_header(memoryview(raw[:HEAD_BYTES]))
        frame.parse_body(memoryview(raw[HEAD_BYTES:]))
        stream = frame.stream_id
        begins = False
        if forth and isinstance(frame, HeadersFrame | ContinuationFrame):
            begins = self._began(frame)
        method = self._methods.get(stream, "")
        if not isinstance(frame, DataFrame):
            return Sight(method, forth, begins)
        messages = self._messages.setdefault((forth, stream), _Messages())
        return Sight(method, forth, False, tuple(messages.fields(frame.data)), len(frame.data), data=True)

    def _began(self, frame: HeadersFrame | ContinuationFrame) -> bool:
        self._block += frame.data
        if "END_HEADERS" not in frame.flags:
            return False
        headers = dict(self._headers.decode(bytes(self._block), raw=True))
        self._block.clear()
        path = headers.get(b":path", b"").decode()
        self._methods[frame.stream_id] = path.rpartition("/")[2]
        return True


class _Messages:
    """The gRPC messages of one direction of a call."""

    def __init__(self) -> None:
        self._head = b""
        self._left = 0

    def fields(self, data: bytes) -> Iterator[int]:
        """The first field of each message whose first byte is in `data`."""
        while data:
            if self._left:
                took = min(self._left, len(data))
                self._left, data = self._left - took, data[took:]
                continue
            missing = _PREFIX_BYTES + 1 - len(self._head)
            self._head, data = self._head + data[:missing], data[missing:]
            length = int.from_bytes(self._head[1:_PREFIX_BYTES], "big")
            if len(self._head) >= _PREFIX_BYTES and not length:
                self._head, data = b"", self._head[_PREFIX_BYTES:] + data
            elif len(self._head) > _PREFIX_BYTES:
                yield self._head[_PREFIX_BYTES] >> 3
                self._head, self._left = b"", length - 1
