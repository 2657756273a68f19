"""How well the shaped link keeps to its rate and delay: one sender, one receiver, nothing of ours between them."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

from figures import Row
from wire_shaper import Link, shaped

TOLERANCE: Final = 0.02
_WAIT_S: Final = 60.0


def transfer_s(link: Link, size: int, *, times: int) -> list[float]:
    """Seconds from the first byte sent until the receiver's one byte is back; after one transfer to warm up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_receive, args=(listener, size), daemon=True).start()
        with shaped(link, listener.getsockname()[1]) as shaper:
            address = ("127.0.0.1", shaper.port)
            with socket.create_connection(address, timeout=_WAIT_S) as sender:
                sender.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return [_once(sender, bytes(size)) for _ in range(times + 1)][1:]


def rows(links: Sequence[Link], *, times: int) -> Iterator[Row]:
    """Small and large transfers over each link, against bytes over bandwidth and one round trip."""
    for link in links:
        for seconds_of_link in (0.1, 1.0):
            size = int(link.rate_bit_s / 8 * seconds_of_link)
            ideal_s = link.ideal_s(size)
            taken = transfer_s(link, size, times=times)
            ratio = median(taken) / ideal_s
            where = f"{link.rate_bit_s / 1e6:g} Mbit/s, {link.rtt_s * 1e3:g} ms, {size / 1e6:g} MB"
            spread = f"{min(taken) / ideal_s:.4f} to {max(taken) / ideal_s:.4f}"
            yield Row(
                f"the shaped link itself over bytes/bandwidth + RTT, {where}",
                ratio,
                {"spread": spread, "runs": len(taken)},
                f"within {TOLERANCE:.0%}",
                abs(ratio - 1) <= TOLERANCE,
            )


def _once(sender: socket.socket, data: bytes) -> float:
    began = time.perf_counter()
    sender.sendall(data)
    if not sender.recv(1):
        raise ConnectionError("the receiver left")
    return time.perf_counter() - began


def _receive(listener: socket.socket, size: int) -> None:
    connection, _ = listener.accept()
    with connection:
        while True:
            left = size
            while left:
                data = connection.recv(min(left, 1 << 16))
                if not data:
                    return
                left -= len(data)
            connection.sendall(b"1")
