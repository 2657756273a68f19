"""Links of the emulation with namespaces, asked for and found: python benchmarks/emulated_links.py [--json FILE]

One TCP connection, with the machine's own congestion control, over two media and a delay each way. Beside it, at no
delay, the kernel's tbf on a pair of veth devices, which needs iproute2. Needs root, and leaves nothing.
"""

import argparse
import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from figures import Row, show, write

from eapg_split.emulation.tun import socket_in
from eapg_split.emulation.tun_relay import Counts, Wiring
from eapg_split.errors import Unsupported

RATES_MBPS: Final = (1.0, 5.0, 20.0, 100.0, 300.0)
DELAYS_MS: Final = (2.0, 10.0, 50.0)
SEGMENT: Final = 1448 / 1500  # what a packet carries for whoever sends
GOODPUT_BAR: Final = 0.9
BARRED_UP_TO_MS: Final = 10.0  # beyond, the sender's window is what limits fast links in a few seconds
RTT_BAR_MS: Final = 1.0
_PORT: Final = 7000
_ECHOES: Final = 20
_HOSTS: Final = ("198.18.0.1", "198.18.0.2")


@dataclass(frozen=True)
class Found:
    """Of one connection: round trips of a byte, and bits a second without headers once it is under way."""

    rtts_s: tuple[float, ...]
    bits_per_s: float


def connection(near: int, far: int, seconds: float) -> Found:
    """Talks from one namespace to the other."""
    with socket_in(far) as listener, socket_in(near) as sender:
        listener.bind((_HOSTS[1], _PORT))
        listener.listen()
        sender.connect((_HOSTS[1], _PORT))
        receiver, _ = listener.accept()
        with receiver:
            for each in (sender, receiver):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            rtts = tuple(_echo(sender, receiver) for _ in range(_ECHOES))
            return Found(rtts, _goodput(sender, receiver, seconds))


def _echo(near: socket.socket, far: socket.socket) -> float:
    began = time.perf_counter()
    near.sendall(b"?")
    far.recv(1)
    far.sendall(b"!")
    near.recv(1)
    return time.perf_counter() - began


def _goodput(sender: socket.socket, receiver: socket.socket, seconds: float) -> float:
    """In the second half of the time."""
    pieces: list[tuple[float, int]] = []

    def receive() -> None:
        while piece := receiver.recv(1 << 18):
            pieces.append((time.monotonic(), len(piece)))

    receiving = threading.Thread(target=receive)
    receiving.start()
    began, data = time.monotonic(), bytes(1 << 16)
    while time.monotonic() < began + seconds:
        sender.sendall(data)
    sender.shutdown(socket.SHUT_WR)
    receiving.join()
    late = [(at_s, size) for at_s, size in pieces if began + seconds / 2 < at_s < began + seconds]
    return 8 * sum(size for _, size in late[1:]) / (late[-1][0] - late[0][0])


@contextlib.contextmanager
def relayed(rate_bits_per_s: float, delay_s: float) -> "Iterator[tuple[Relay, int, int]]":
    """Two namespaces with the emulation's relay between them."""
    rates = [rate_bits_per_s] * 2
    wiring = Wiring([f"{host}/15" for host in _HOSTS], rates, [(0, 1, [0], delay_s), (1, 0, [1], delay_s)])
    command = [sys.executable, "-m", "eapg_split.emulation.tun_relay", "/nonexistent"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        relay = Relay(process)
        answer = relay.ask(asdict(wiring))
        if "error" in answer:
            raise Unsupported(answer["error"])
        descriptors = [
            os.open(f"/proc/{process.pid}/fd/{each}", os.O_RDONLY) for each in answer["namespaces"]
        ]
        try:
            yield relay, descriptors[0], descriptors[1]
        finally:
            for each in descriptors:
                os.close(each)
            process.kill()


class Relay:
    """The relay's process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, what: object) -> dict[str, Any]:
        """One line, one answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(what), file=self._process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def counts(self) -> Counts:
        """So far."""
        return Counts(**self.ask({}))


@contextlib.contextmanager
def token_bucket(rate_bits_per_s: float) -> Iterator[tuple[int, int]]:
    """Two namespaces with a pair of veth devices between them, each with the kernel's tbf."""
    run = secrets.token_hex(3)
    names = [f"eapg-{run}-{end}" for end in "ab"]
    try:
        for name in names:
            _ip("netns", "add", name)
        _ip("-n", names[0], "link", "add", "v", "type", "veth", "peer", "name", "v", "netns", names[1])
        for name, host in zip(names, _HOSTS, strict=True):
            _ip("-n", name, "addr", "add", f"{host}/15", "dev", "v")
            _ip("-n", name, "link", "set", "v", "up")
            shape = f"rate {rate_bits_per_s:.0f}bit burst 16kb latency 100ms"
            command = ["tc", "-n", name, "qdisc", "add", "dev", "v", "root", "tbf", *shape.split()]
            subprocess.run(command, check=True)
        descriptors = [os.open(f"/run/netns/{name}", os.O_RDONLY) for name in names]
        try:
            yield descriptors[0], descriptors[1]
        finally:
            for each in descriptors:
                os.close(each)
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def rows(rates_mbps: Sequence[float], delays_ms: Sequence[float], seconds: float) -> Iterator[Row]:
    """One row for each link, one for the worst round trip of them, and one for each rate with tbf."""
    late_ms = {}
    for rate in rates_mbps:
        for delay in delays_ms:
            with relayed(rate * 1e6, delay / 1e3) as (relay, near, far):
                before = relay.counts()
                found = connection(near, far, seconds)
                after = relay.counts()
            cpu = (after.cpu_s - before.cpu_s) / (after.elapsed_s - before.elapsed_s)
            link = f"{rate:g} Mbit/s, {delay:g} ms"
            late_ms[link] = _late_ms(rate, delay, found)
            yield _goodput_row(rate, delay, found, {"cpu": f"{cpu:.2f} of a core"})
    worst = max(late_ms, key=lambda link: late_ms[link])
    yield Row(
        "least round trip beyond asked in ms, the worst of these links",
        late_ms[worst],
        {"at": worst},
        f"0 to {RTT_BAR_MS:g}",
        min(late_ms.values()) >= 0 and late_ms[worst] <= RTT_BAR_MS,
    )
    for rate in rates_mbps:
        with token_bucket(rate * 1e6) as (near, far):
            found = connection(near, far, seconds)
        yield Row(f"tbf: goodput over asked, {rate:g} Mbit/s", _share(rate, found))


def _goodput_row(rate: float, delay: float, found: Found, beside: Mapping[str, str]) -> Row:
    share, barred = _share(rate, found), delay <= BARRED_UP_TO_MS
    return Row(
        f"goodput over asked, {rate:g} Mbit/s, {delay:g} ms",
        share,
        {**beside, "median round trip": f"{1e3 * median(found.rtts_s):.1f} ms"},
        f"{GOODPUT_BAR} to 1.02" if barred else "",
        not barred or GOODPUT_BAR <= share <= 1.02,
    )


def _share(rate: float, found: Found) -> float:
    return found.bits_per_s / (rate * 1e6 * SEGMENT)


def _late_ms(rate: float, delay: float, found: Found) -> float:
    wire_ms = 2 * 53 * 8 / (rate * 1e3)  # a byte with its headers, there and back
    return 1e3 * min(found.rtts_s) - 2 * delay - wire_ms


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=4.0, help="of sending on each link")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES_MBPS, metavar="MBPS")
    parser.add_argument("--delays", type=float, nargs="+", default=DELAYS_MS, metavar="MS")
    parser.add_argument("--json", type=Path, help="where the rows go")
    flags = parser.parse_args()
    found = []
    try:
        for row in rows(flags.rates, flags.delays, flags.seconds):
            print(show(row), flush=True)
            found.append(row)
    except Unsupported as error:
        print(error, file=sys.stderr)
        return error.exit_code
    write(found, flags.json)
    return 0 if all(row.holds for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
