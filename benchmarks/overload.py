"""What a full node does with more than it can take: who is served, who is refused, its memory, and a fair share.

    python benchmarks/overload.py [--quick] [--json FILE]

One cloud daemon with mutual TLS and its default limits computes with the toy engine; the clients are of this process.
Exit code 1 if a bar is missed.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from figures import Row, show, write

from eapg_split.rpc.client import GrpcPeer
from tests.crowd import Crowded, Tally, crowded, session, storm

GROWTH_BAR: Final = 128.0  # MB; a state of each session would be more
WAIT_BAR: Final = 5.0  # times a segment alone
_SLOW: Final = "tests.toy_engine:open_slow_engine"
_GREEDY: Final = 40  # sessions that one client always has there
_MB: Final = 1e6


async def measure(
    *, sessions: int, rounds: int, times: int, say: Callable[[str], None]
) -> AsyncIterator[Row]:
    """`rounds` (at least 3) of so many sessions at once; a small client asks so many `times`."""
    with tempfile.TemporaryDirectory(prefix="overload-") as name:
        async with crowded(Path(name)) as node:
            for row in await _memory(node, sessions, rounds, say):
                yield row
            yield await _throughput(node, sessions, say)
    with tempfile.TemporaryDirectory(prefix="overload-") as name:
        async with crowded(Path(name), engine=_SLOW) as node:
            yield await _fairness(node, times, say)


async def _memory(node: Crowded, sessions: int, rounds: int, say: Callable[[str], None]) -> list[Row]:
    idle_bytes, _ = node.footprint()
    footprints, total = [], Tally()
    for _ in range(rounds):
        tally = await storm(node.clients["greedy"], sessions, patient=False)
        while await node.busy():  # noqa: ASYNC110  # nothing tells us
            await asyncio.sleep(0.05)
        footprints.append(node.footprint())
        say(f"{tally.finished} done, {tally.refused} refused, {footprints[-1][0] / _MB:.0f} MB")
        total.finished += tally.finished
        total.refused += tally.refused
        total.wrong += tally.wrong
        total.left_in_the_dark += tally.left_in_the_dark
    whole = total.finished + total.refused == rounds * sessions
    growth = (footprints[-1][0] - footprints[1][0]) / _MB
    files = footprints[-1][1] - footprints[1][1]
    peak = (await node.peak_bytes() - idle_bytes) / _MB
    return [
        Row(
            f"{sessions} sessions at once, {rounds} rounds: share that is refused",
            total.refused / (rounds * sessions),
            {"refused without a time": float(total.left_in_the_dark), "wrong": float(total.wrong)},
            "all done or refused with a time",
            whole and not total.left_in_the_dark and not total.wrong,
        ),
        Row(
            f"the same: growth of the daemon's memory from round 2 to {rounds}, MB",
            growth,
            {"peak over idle, MB": peak, "files left open": float(files)},
            f"<= {GROWTH_BAR:g}, none left open",
            growth <= GROWTH_BAR and files <= 0,
        ),
    ]


async def _throughput(node: Crowded, sessions: int, say: Callable[[str], None]) -> Row:
    tally = await storm(node.clients["greedy"], sessions, patient=True)
    say(f"{tally.finished} sessions in {tally.seconds:.1f} s, {tally.refused} refusals")
    return Row(
        f"{sessions} sessions at once that come again when they are told to: finished a second",
        tally.finished / tally.seconds,
        {"refusals for each": tally.refused / sessions, "longest, s": max(tally.waits_s)},
        "all",
        tally.finished == sessions and not tally.wrong,
    )


async def _fairness(node: Crowded, times: int, say: Callable[[str], None]) -> Row:
    small = node.clients["small"]
    alone = await _asked(small, times)
    crowd, beside = Tally(), Tally()

    async def always() -> None:
        while True:
            await session(node.clients["greedy"], crowd, patient=True)

    greedy = [asyncio.create_task(always()) for _ in range(_GREEDY)]
    try:
        while await node.busy() < 4:  # noqa: ASYNC110  # nothing tells us
            await asyncio.sleep(0.02)
        beside = await _asked(small, times)
    finally:
        for task in greedy:
            task.cancel()
        await asyncio.gather(*greedy, return_exceptions=True)
    worst, segment_s = max(beside.waits_s), alone.seconds / times
    say(f"waits beside {_GREEDY} sessions: {', '.join(f'{wait_s:.2f}' for wait_s in beside.waits_s)} s")
    return Row(
        f"a client with one session beside one with {_GREEDY}: its wait for a place, mean, s",
        sum(beside.waits_s) / times,
        {"worst, s": worst, "its segment alone, s": segment_s, "refused": float(beside.refused)},
        f"worst <= {WAIT_BAR:g} segments, never refused",
        worst <= WAIT_BAR * segment_s and not beside.refused,
    )


async def _asked(peer: GrpcPeer, times: int) -> Tally:
    """One session after the other."""
    tally, loop = Tally(), asyncio.get_running_loop()
    began_s = loop.time()
    for _ in range(times):
        await session(peer, tally, patient=True)
    tally.seconds = loop.time() - began_s
    return tally


async def rows(*, quick: bool, say: Callable[[str], None]) -> list[Row]:
    """All of them, in the size of the published run or a small one."""
    size = {"sessions": 60, "rounds": 3, "times": 2} if quick else {"sessions": 200, "rounds": 8, "times": 10}
    return [row async for row in measure(**size, say=say)]


def main() -> int:
    """Measures, prints, writes; 0 when every bar holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, metavar="FILE")
    flags = parser.parse_args()
    found = asyncio.run(rows(quick=flags.quick, say=lambda words: print(f"  {words}", file=sys.stderr)))
    for row in found:
        print(show(row))
    write(found, flags.json)
    return 0 if all(row.holds for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
