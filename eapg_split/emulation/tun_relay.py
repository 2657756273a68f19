"""The process between the namespaces: reads packets from their devices, lets them wait, and writes them to others'.

    python -m eapg_split.emulation.tun_relay FOLDER

Its first line on stdin says what is between them, as `Wiring` writes it; the answer on stdout names the descriptors of
the namespaces, or what is missing. Each further line sets a rate, `{"medium": 0, "bits_per_s": 1e6}`, or nothing, `{}`,
and is answered by `Counts`. When stdin ends, so does the relay, and the kernel takes devices and namespaces away.
"""

import contextlib
import gc
import json
import os
import select
import sys
import time
from dataclasses import asdict, dataclass
from ipaddress import IPv4Interface
from typing import Any, Final

from eapg_split.emulation.fabric import Fabric, Way
from eapg_split.emulation.relay_process import remove_left
from eapg_split.emulation.tun import MTU, new_namespace
from eapg_split.errors import EapgError

MAX_NODES: Final = 200  # select takes descriptors below 1024
_AT_ONCE: Final = 64  # packets of one device, before it is another's turn
_LEAST_SLEEP_S: Final = 0.0002  # what is due within it goes together
_PRIORITY: Final = 1  # before all that is not in a hurry: a late packet is a wrong figure
_DESTINATION: Final = slice(16, 20)  # in an IPv4 header


@dataclass(frozen=True)
class Wiring:
    """Addresses of the nodes as `ADDRESS/PREFIX`, rates of the media, and ways (source, target, media, delay in s)."""

    addresses: list[str]
    rates_bits_per_s: list[float]
    ways: list[tuple[int, int, list[int], float]]


@dataclass(frozen=True)
class Counts:
    """Since the start: bytes and dropped packets of each medium, seconds of processor time and of the clock."""

    carried_bytes: list[int]
    dropped: list[int]
    cpu_s: float
    elapsed_s: float


class Relay:
    """Made where it may open namespaces; `run` returns when stdin ends. Raises Unsupported."""

    def __init__(self, wiring: Wiring) -> None:
        self.fabric = Fabric(wiring.rates_bits_per_s)
        interfaces = [IPv4Interface(each) for each in wiring.addresses]
        made = [new_namespace(each) for each in interfaces]
        self.namespaces = [namespace for namespace, _ in made]
        self._devices = [device for _, device in made]
        self._ways: dict[int, dict[bytes, Way]] = {device: {} for device in self._devices}
        for source, target, media, delay_s in wiring.ways:
            way = Way(target, tuple(media), delay_s)
            self._ways[self._devices[source]][interfaces[target].ip.packed] = way
        self._started_s = time.monotonic()
        self._lines = b""

    def run(self) -> None:
        """Carries packets and answers lines."""
        fabric, stdin = self.fabric, sys.stdin.fileno()
        descriptors = [stdin, *self._devices]
        while True:
            next_s = fabric.next_s
            wait_s = None if next_s is None else max(_LEAST_SLEEP_S, next_s - time.monotonic())
            readable, _, _ = select.select(descriptors, (), (), wait_s)
            for descriptor in readable:
                if descriptor != stdin:
                    self._take(descriptor)
                elif not self._listen(stdin):
                    return
            for target, packet in fabric.arrived(time.monotonic()):
                with contextlib.suppress(OSError):  # the kernel wants it no more than a network card would
                    os.write(self._devices[target], packet)

    def close(self) -> None:
        """Lets go of devices and namespaces."""
        for each in (*self._devices, *self.namespaces):
            os.close(each)

    def _take(self, device: int) -> None:
        ways, take, now_s = self._ways[device], self.fabric.take, time.monotonic()
        for _ in range(_AT_ONCE):
            try:
                packet = os.read(device, MTU)
            except BlockingIOError:
                return
            way = ways.get(packet[_DESTINATION])  # none for IPv6, broadcasts and whom no link leads to
            if way is not None:
                take(now_s, way, packet)

    def _listen(self, stdin: int) -> bool:
        """Does what has been said; returns whether more may come."""
        heard = os.read(stdin, 1 << 16)
        *lines, self._lines = (self._lines + heard).split(b"\n")
        for line in lines:
            told = json.loads(line)
            if told:
                self.fabric.set_rate(time.monotonic(), told["medium"], told["bits_per_s"])
            _say(asdict(self._counts()))
        return bool(heard)

    def _counts(self) -> Counts:
        return Counts(
            [medium.carried_bytes for medium in self.fabric.media],
            [medium.dropped for medium in self.fabric.media],
            time.process_time(),
            time.monotonic() - self._started_s,
        )


def main() -> None:
    """Relays until stdin ends."""
    with open(sys.stdin.fileno(), "rb", buffering=0, closefd=False) as stdin:  # no byte of the lines after it
        line = stdin.readline()
        if not line:
            return
        try:
            relay = Relay(Wiring(**json.loads(line)))
        except EapgError as error:
            _say({"error": error.message})
            stdin.read()
            return
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_PRIORITY))
    gc.disable()  # nothing here refers to itself, and a pause would be a delay
    _say({"namespaces": relay.namespaces})
    relay.run()
    relay.close()


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
    remove_left()
