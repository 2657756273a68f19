"""Packets through media and delays, in moments that the tests name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.emulation.fabric import LEAST_QUEUE_BYTES, Fabric, Way

PACKET = bytes(1250)  # 10 000 bits


def _through(fabric: Fabric, until_s: float = 1e9) -> list[tuple[float, bytes]]:
    """What arrives, and when, looked for at exactly the moments at which something happens."""
    arrived = []
    while (next_s := fabric.next_s) is not None and next_s <= until_s:
        arrived += [(next_s, packet) for _, packet in fabric.arrived(next_s)]
    return arrived


def test_a_packet_takes_its_bits_over_each_rate_and_the_delay() -> None:
    fabric = Fabric([1e6, 2e6])
    fabric.take(5.0, Way(0, (0, 1), 0.05), PACKET)
    [(at_s, packet)] = _through(fabric)
    assert at_s == pytest.approx(5.0 + 0.010 + 0.005 + 0.05)
    assert packet == PACKET
    assert fabric.next_s is None


def test_packets_leave_at_the_rate_and_in_order_however_late_one_looks() -> None:
    fabric = Fabric([1e6])
    way = Way(3, (0,), 0.02)
    for number in range(20):
        fabric.take(0.0, way, bytes([number]) + PACKET[1:])
    early = fabric.arrived(0.0201)
    late = fabric.arrived(0.2201)
    assert early == []
    assert [packet[0] for _, packet in late] == list(range(20))
    assert {target for target, _ in late} == {3}


def test_two_ways_share_what_both_go_through() -> None:
    fabric = Fabric([1e6])
    for number in range(10):
        fabric.take(0.0, Way(number % 2, (0,), 0.0), PACKET)
    assert [at_s for at_s, _ in _through(fabric)] == pytest.approx([0.01 * n for n in range(1, 11)])


def test_what_finds_the_queue_full_is_dropped() -> None:
    fabric = Fabric([1e6])
    for _ in range(100):
        fabric.take(0.0, Way(0, (0,), 0.0), PACKET)
    kept = LEAST_QUEUE_BYTES // len(PACKET) + 1  # and the one that passes
    assert len(_through(fabric)) == kept
    assert fabric.media[0].dropped == 100 - kept
    assert fabric.media[0].carried_bytes == kept * len(PACKET)


def test_a_rate_that_changes_holds_for_what_is_passing() -> None:
    fabric = Fabric([1e6])
    fabric.take(0.0, Way(0, (0,), 0.0), PACKET)
    fabric.set_rate(0.004, 0, 3e6)
    [(at_s, _)] = _through(fabric)
    assert at_s == pytest.approx(0.004 + 0.006 / 3)


def test_in_an_outage_packets_wait_and_nothing_is_to_be_done() -> None:
    fabric = Fabric([1e6])
    for _ in range(2):
        fabric.take(0.0, Way(0, (0,), 0.0), PACKET)
    fabric.set_rate(0.005, 0, 0.0)
    assert fabric.arrived(100.0) == []
    assert fabric.next_s is None or fabric.next_s <= 100.0
    fabric.set_rate(100.0, 0, 1e6)
    assert [at_s for at_s, _ in _through(fabric)] == pytest.approx([100.005, 100.015])


@given(
    rates=st.lists(st.floats(1e4, 1e8), min_size=1, max_size=3),
    packets=st.lists(st.tuples(st.floats(0, 2), st.integers(20, 1500), st.integers(0, 6)), max_size=60),
    changes=st.lists(st.tuples(st.floats(0, 2), st.integers(0, 2), st.sampled_from([0.0, 1e5, 1e7]))),
)
def test_nothing_is_lost_unsaid_and_no_medium_carries_more_than_its_rate(
    rates: list[float], packets: list[tuple[float, int, int]], changes: list[tuple[float, int, float]]
) -> None:
    fabric = Fabric(rates)
    ways = [
        Way(0, tuple(number for number in range(len(rates)) if bits >> number & 1), 0.01) for bits in range(8)
    ]
    moments: list[tuple[float, int, int, float]] = [(at_s, 0, size, way) for at_s, size, way in packets]
    moments += [(at_s, 1, medium, rate) for at_s, medium, rate in changes if medium < len(rates)]
    room = [0.0] * len(rates)  # bits that a medium could have carried
    now, last_s = list(rates), 0.0
    arrived = 0
    for at_s, kind, first, second in sorted(moments):
        arrived += len(fabric.arrived(at_s))
        room = [bits + rate * (at_s - last_s) for bits, rate in zip(room, now, strict=True)]
        last_s = at_s
        for medium, bits in zip(fabric.media, room, strict=True):
            assert 8 * medium.carried_bytes <= bits * (1 + 1e-9) + 1e-6
        if kind:
            now[first] = second
            fabric.set_rate(at_s, first, second)
        else:
            fabric.take(at_s, ways[int(second)], bytes(first))
    for number in range(len(rates)):
        fabric.set_rate(last_s, number, 1e9)
    arrived += len(_through(fabric))
    assert arrived + sum(medium.dropped for medium in fabric.media) == len(packets)
