"""Links with rates, delays and shared media between sockets of this machine, in user space and without privileges.

Each direction of a connection is a lane: its bytes pass the media of its way, as the simulator's fluids share them
(`simulations.links`), and arrive one delay later. A lane takes in only a little ahead of its turn, so that whoever
sends feels the rate. As a script it is a process of its own, where nothing else takes the interpreter's time.
"""

import asyncio
import contextlib
import json
import socket
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from eapg_split.emulation.relay_process import remove_left
from simulations.kernel import Kernel
from simulations.links import Media
from simulations.traces import RateTrace

_PIECE_S: Final = 0.002  # a piece takes its way about so long
_LEAST_PIECE: Final = 1448
_LARGEST_PIECE: Final = 64 << 10
_AHEAD: Final = 12  # pieces of a lane that are taken in: this process may get its turn late
_UNWRITTEN_BYTES: Final = 256 << 10  # that have arrived and that nobody reads
_BUFFER_BYTES: Final = 64 << 10
_SEGMENT_BYTES: Final = 1448  # as on Ethernet: with loopback's, a sender's buffer alone would hold a megabyte
_ALMOST_NOTHING: Final = 1e-6  # bits a second
_MBIT: Final = 1e6


class Shaping:
    """All media and the lanes on them, in real time. Belongs to one event loop."""

    def __init__(self, media: int) -> None:
        """`media` is how many there are; they carry nothing until `set_rate`."""
        self._kernel = Kernel()
        one_mbit = RateTrace(np.array([_MBIT]))
        self._media = Media(self._kernel, [one_mbit] * media, least_bits_per_s=_ALMOST_NOTHING)
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        for medium in range(media):
            self._media.throttle(medium, 0.0)

    def set_rate(self, medium: int, bits_per_s: float) -> None:
        """From now on it carries so much."""
        self._catch_up()
        self._media.throttle(medium, bits_per_s / _MBIT)
        self._arm()

    def piece_bytes(self, media: Sequence[int]) -> int:
        """How much of a lane's bytes is handled at a time."""
        rate = min(map(self._media.rate, media), default=1e12)
        return int(min(_LARGEST_PIECE, max(_LEAST_PIECE, rate / 8 * _PIECE_S)))

    def send(self, media: tuple[int, ...], size: int, passed: Callable[[], None]) -> None:
        """So many bytes of a lane begin to pass now; also from within `passed`, which is called at the very moment."""
        self._catch_up()
        self._media.send(media, 8.0 * size, passed)
        self._arm()

    def later(self, delay_s: float, call: Callable[[], None]) -> None:
        """Calls after a delay."""
        self._catch_up()
        self._kernel.at(self._kernel.now_s + delay_s, lambda _: call())
        self._arm()

    def _catch_up(self) -> None:
        """What was due until now has happened; a timer that was late delays nothing else."""
        if not self._running:
            self._running = True
            try:
                self._kernel.run(max(self._kernel.now_s, self._loop.time() - self._began_s))
            finally:
                self._running = False

    def _arm(self) -> None:
        next_s = self._began_s + self._kernel.next_s
        if self._timer is not None:
            if self._timer.when() <= next_s:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(next_s, self._due) if next_s < float("inf") else None

    def _due(self) -> None:
        self._timer = None
        self._catch_up()
        self._arm()


class Lane:
    """One direction of one connection."""

    def __init__(self, shaping: Shaping, media: tuple[int, ...], delay_s: float) -> None:
        self._shaping, self._media, self._delay_s = shaping, media, delay_s
        self._waiting: deque[bytes] = deque()
        self._arrived: asyncio.Queue[bytes] = asyncio.Queue()
        self._unwritten = 0
        self._room = asyncio.Event()
        self._room.set()

    async def carry(self, source: socket.socket, sink: socket.socket) -> None:
        """Until the source has ended and all that it said is written. Raises OSError where one end breaks."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._take(source))
            both.create_task(self._give(sink))

    async def _take(self, source: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room.wait()
            data = await loop.sock_recv(source, self._shaping.piece_bytes(self._media))
            self._waiting.append(data)
            if len(self._waiting) == 1:
                self._pass()
            self._look()
            if not data:
                return

    def _pass(self) -> None:
        """The piece that is first begins to pass."""
        self._shaping.send(self._media, len(self._waiting[0]), self._passed)

    def _passed(self) -> None:
        data = self._waiting.popleft()
        self._unwritten += len(data)
        self._shaping.later(self._delay_s, lambda: self._arrived.put_nowait(data))
        if self._waiting:
            self._pass()
        self._look()

    async def _give(self, sink: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while data := await self._arrived.get():
            await loop.sock_sendall(sink, data)
            self._unwritten -= len(data)
            self._look()
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _look(self) -> None:
        if len(self._waiting) < _AHEAD and self._unwritten < _UNWRITTEN_BYTES + self._on_the_way:
            self._room.set()
        else:
            self._room.clear()

    @property
    def _on_the_way(self) -> int:
        """Bytes that may have passed and not arrived yet."""
        return int(self._shaping.piece_bytes(self._media) / _PIECE_S * self._delay_s)


class Way:
    """Where one node dials another: a listener on loopback whose connections go there and back through their media."""

    def __init__(self, shaping: Shaping, told: Mapping[str, Any]) -> None:
        """`told` has `forth` and `back`, each the numbers of media and the seconds of delay, and `target`."""
        self.target: str = told["target"]
        self._shaping = shaping
        self._lanes = [(tuple(media), float(delay_s)) for media, delay_s in (told["forth"], told["back"])]
        self._connections: set[asyncio.Task[None]] = set()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT_BYTES)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen(64)
        self._listener.setblocking(False)
        self.port = int(self._listener.getsockname()[1])

    async def serve(self, ports: Mapping[str, int]) -> None:
        """Carries connections to whatever port the target has when they come."""
        loop = asyncio.get_running_loop()
        while True:
            near, _ = await loop.sock_accept(self._listener)
            task = asyncio.create_task(self._connection(near, ports))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

    async def _connection(self, near: socket.socket, ports: Mapping[str, int]) -> None:
        loop, far = asyncio.get_running_loop(), socket.socket()
        (forth, delay_s), (back, back_s) = self._lanes
        try:
            for each in (near, far):
                each.setblocking(False)
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            far.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT_BYTES)
            await asyncio.sleep(delay_s + back_s)  # TCP's handshake
            await loop.sock_connect(far, ("127.0.0.1", ports[self.target]))
            async with asyncio.TaskGroup() as lanes:
                lanes.create_task(Lane(self._shaping, forth, delay_s).carry(near, far))
                lanes.create_task(Lane(self._shaping, back, back_s).carry(far, near))
        except* (OSError, KeyError):
            pass  # one end is gone, and so is the connection
        finally:
            near.close()
            far.close()


async def _serve() -> None:
    """Reads what there is from the first line of stdin and says its ports; every further line is a change."""
    lines = asyncio.StreamReader(limit=2**24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    line = await lines.readline()
    if not line:
        return
    told = json.loads(line)
    shaping = Shaping(len(told["rates"]))
    for medium, bits_per_s in enumerate(told["rates"]):
        shaping.set_rate(medium, bits_per_s)
    ways, ports = [Way(shaping, each) for each in told["ways"]], dict[str, int]()
    serving = [asyncio.create_task(way.serve(ports)) for way in ways]
    print(json.dumps([way.port for way in ways]), flush=True)
    while line := await lines.readline():
        change = json.loads(line)
        if "node" in change:
            ports[change["node"]] = change["port"]
        else:
            shaping.set_rate(change["medium"], change["bits_per_s"])
        print("{}", flush=True)
    for task in serving:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(_serve())
    remove_left()
