"""A link with a rate and a delay between two TCP sockets of this machine, in user space and without privileges.

Each direction is one lane, shared by all connections: a piece leaves when the pieces before it have left and its own
bytes had their time, and arrives one delay later. A lane reads ahead only a little, so a sender feels the rate.
As a script it is the link in a process of its own, where nothing else takes the interpreter's time.
"""

import argparse
import contextlib
import json
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

_PIECE_S: Final = 0.002  # a piece takes the lane about so long
_LEAST_PIECE: Final = 1448
_LARGEST_PIECE: Final = 64 << 10
_AHEAD_S: Final = 0.05  # what a lane takes in before its turn
_BUFFER_BYTES: Final = 64 << 10
_START_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Link:
    """Bits a second in each direction, and the round-trip time in seconds."""

    rate_bit_s: float
    rtt_s: float

    def ideal_s(self, size: int) -> float:
        """When the answer to `size` bytes can be here at the earliest: bytes over bandwidth, and one round trip."""
        return size * 8 / self.rate_bit_s + self.rtt_s


class Lane:
    """One direction: says when each piece arrives."""

    def __init__(self, link: Link, clock: Callable[[], float] = time.monotonic) -> None:
        self._byte_s = 8 / link.rate_bit_s
        self._delay_s = link.rtt_s / 2
        self._clock = clock
        self._lock = threading.Lock()
        self._free_at = clock()
        self.carried = 0
        self.piece = int(min(_LARGEST_PIECE, max(_LEAST_PIECE, _PIECE_S / self._byte_s)))

    def admit(self, size: int) -> float:
        """The clock's time at which a piece that is here now arrives at the other end."""
        with self._lock:
            self._free_at = max(self._free_at, self._clock()) + size * self._byte_s
            self.carried += size
            return self._free_at + self._delay_s

    def set_rate(self, rate_bit_s: float) -> None:
        """From now on it carries more or less; what it has taken in already arrives as it was promised."""
        with self._lock:
            self._byte_s = 8 / rate_bit_s

    def wait(self) -> None:
        """Returns when the lane may take the next piece in."""
        ahead = self._free_at - self._clock() - _AHEAD_S
        if ahead > 0:
            time.sleep(ahead)


class Shaper:
    """Listens on loopback and carries every connection to `target` over the link."""

    def __init__(self, link: Link, target: tuple[str, int]) -> None:
        self.forth, self.back = Lane(link), Lane(link)
        self._target = target
        self._open: list[socket.socket] = []
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = int(self._listener.getsockname()[1])
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
            except OSError:
                return
            self._open += [near, far]
            for each in (near, far):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for lane, source, sink in ((self.forth, near, far), (self.back, far, near)):
                pieces: queue.Queue[tuple[float, bytes]] = queue.Queue()
                self._start(_take, lane, source, pieces)
                self._start(_give, sink, pieces)


def _take(lane: Lane, source: socket.socket, pieces: "queue.Queue[tuple[float, bytes]]") -> None:
    while True:
        lane.wait()
        try:
            data = source.recv(lane.piece)
        except OSError:
            data = b""
        pieces.put((lane.admit(len(data)), data))
        if not data:
            return


def _give(sink: socket.socket, pieces: "queue.Queue[tuple[float, bytes]]") -> None:
    with contextlib.suppress(OSError):
        while True:
            arrives, data = pieces.get()
            time.sleep(max(0.0, arrives - time.monotonic()))
            if not data:
                sink.shutdown(socket.SHUT_WR)
                return
            sink.sendall(data)


class ShaperProcess:
    """A shaper that runs in another process; `carried` asks it how many bytes went through."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.port = int(self._answer()["port"])

    def carried(self) -> tuple[int, int]:
        """Bytes so far, forth and back."""
        assert self._process.stdin is not None
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        answer = self._answer()
        return answer["forth"], answer["back"]

    def set_rate(self, rate_bit_s: float) -> None:
        """Both directions carry so many bits a second from now on."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{rate_bit_s}\n")
        self._process.stdin.flush()
        self._answer()

    def _answer(self) -> dict[str, int]:
        assert self._process.stdout is not None
        answer: dict[str, int] = json.loads(self._process.stdout.readline())
        return answer


@contextlib.contextmanager
def shaped(link: Link, port: int) -> Iterator[ShaperProcess]:
    """A link to 127.0.0.1:`port` for as long as the block lasts."""
    command = [sys.executable, str(Path(__file__)), "--port", str(port)]
    command += ["--rate", str(link.rate_bit_s), "--rtt", str(link.rtt_s)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield ShaperProcess(process)
        finally:
            process.kill()


def main() -> None:
    """Shapes until stdin ends; says its port first, and what it carried at every line that it reads.

    A line with a number sets the rate of both directions, in bits a second.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="bits a second")
    parser.add_argument("--rtt", type=float, required=True, help="seconds")
    flags = parser.parse_args()
    with Shaper(Link(flags.rate, flags.rtt), ("127.0.0.1", flags.port)) as shaper:
        print(json.dumps({"port": shaper.port}), flush=True)
        for line in sys.stdin:
            if line.strip() != "?":
                shaper.forth.set_rate(float(line))
                shaper.back.set_rate(float(line))
            print(json.dumps({"forth": shaper.forth.carried, "back": shaper.back.carried}), flush=True)


if __name__ == "__main__":
    main()
