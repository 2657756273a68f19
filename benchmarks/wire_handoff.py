"""One latent handed over a shaped link: ours through a real daemon with mutual TLS, a raw POST, and hivemind."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from figures import Row
from wire_codecs import FP16, HIVEMIND, counted
from wire_http import RawPost, raw_post_server
from wire_links import AUTO, AUTO_BAR
from wire_ours import hand_off, our_node, peer_at
from wire_peers import PeerError, PeerProcess, peer_process
from wire_quality import SHOWPIECE
from wire_series import Series, times_faster
from wire_shaper import Link, ShaperProcess, shaped
from wire_speed import Subject

from eapg_split.codecs import CODECS
from eapg_split.codecs.auto import AutoCodec
from eapg_split.codecs.base import Codec
from eapg_split.errors import EapgError
from eapg_split.rpc.client import GrpcPeer

SLOW: Final = Link(10e6, 0.040)
FP16_BAR: Final = 10.0
HIVEMIND_BAR: Final = 5.0
IDEAL_BAR: Final = 1.05
_HIVEMIND_S: Final = 120.0


@dataclass
class HandOffs(Series):
    """Hand-offs of one contestant. `ideal_s` is bytes over bandwidth and one round trip."""

    coded_bytes: int = 0
    ideal_s: float = 0.0

    def figures(self) -> str:
        spread = f"{min(self.seconds):.3f} to {max(self.seconds):.3f}, {len(self.seconds)} times"
        return f"{self.median_s:.3f} s ({spread}), {self.coded_bytes} bytes, ideal {self.ideal_s:.3f} s"


Attempt = Callable[[], Awaitable[tuple[float, int]]]  # seconds, coded bytes


async def measure(
    subject: Subject, link: Link, codecs: Mapping[str, Codec], *, times: int, build: bool | None
) -> dict[str, HandOffs]:
    """All contestants in turn, `times` times after one round to warm up.

    `build` says whether hivemind's environment may be built; None leaves hivemind out.
    """
    found: dict[str, HandOffs] = {}
    async with _contestants(subject, link, codecs, found, build=build) as attempts:
        for turn in range(times + 1):
            for name, attempt in attempts.items():
                series = found.setdefault(name, HandOffs())
                if series.failed:
                    continue
                try:
                    seconds, coded_bytes = await attempt()
                except (EapgError, PeerError, OSError, RuntimeError) as error:
                    series.failed = f"{type(error).__name__}: {error}"
                    continue
                if turn > 0:
                    series.seconds.append(seconds)
                series.coded_bytes = coded_bytes
                series.ideal_s = link.ideal_s(coded_bytes)
    return found


@asynccontextmanager
async def _contestants(
    subject: Subject,
    link: Link,
    codecs: Mapping[str, Codec],
    found: dict[str, HandOffs],
    *,
    build: bool | None,
) -> AsyncIterator[dict[str, Attempt]]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wire-")))
        node = await stack.enter_async_context(our_node(folder))
        peer = peer_at(node, stack.enter_context(shaped(link, node.port)).port)
        stack.push_async_callback(peer.close)
        attempts: dict[str, Attempt] = {}
        for name, codec in codecs.items():
            attempts[name] = lambda codec=codec: _ours(peer, subject, codec)  # type: ignore[misc]
        post = RawPost(stack.enter_context(shaped(link, stack.enter_context(raw_post_server()))).port)
        stack.callback(post.close)
        attempts[FP16] = lambda: _raw(post, subject)
        if build is not None:
            try:
                client, shaper = stack.enter_context(_hivemind(link, build=build))
                attempts[HIVEMIND] = lambda: _theirs(client, shaper, subject)
            except PeerError as error:
                found[HIVEMIND] = HandOffs(failed=str(error))
        yield attempts


async def _ours(peer: GrpcPeer, subject: Subject, codec: Codec) -> tuple[float, int]:
    done = await hand_off(peer, subject, codec)
    return done.seconds, done.coded_bytes


async def _raw(post: RawPost, subject: Subject) -> tuple[float, int]:
    arrays = counted(subject.latent).values()
    seconds = [await asyncio.to_thread(post.hand_off, array) for array in arrays]
    return sum(seconds), sum(2 * array.size for array in arrays)


async def _theirs(client: PeerProcess, shaper: ShaperProcess, subject: Subject) -> tuple[float, int]:
    """A remote expert that takes the latent in 8 bits and answers with next to nothing."""
    seconds, before = 0.0, shaper.carried()[0]
    for array in counted(subject.latent).values():
        answer = await asyncio.to_thread(
            client.ask, "echo", array, limit_s=_HIVEMIND_S, expert="hand.0", times=1, warm=False
        )
        seconds += answer.numbers("seconds")[0]
    carried = shaper.carried()[0] - before
    if carried < sum(array.size for array in counted(subject.latent).values()):
        raise PeerError(f"only {carried} bytes went over the link: hivemind found another way")
    return seconds, carried


@contextlib.contextmanager
def _hivemind(link: Link, *, build: bool) -> Iterator[tuple[PeerProcess, ShaperProcess]]:
    """A server and a client of hivemind whose one connection goes over the link."""
    script = "hivemind_peer.py"
    with peer_process("hivemind", script, "shaped-server", build=build) as server:
        address = str(server.ask("serve", limit_s=_HIVEMIND_S).fields["addresses"][0])
        port = int(address.split("/tcp/")[1].split("/")[0])
        with shaped(link, port) as shaper, peer_process("hivemind", script, "shaped-client") as client:
            client.ask("connect", address=address.replace(f"/tcp/{port}/", f"/tcp/{shaper.port}/"))
            yield client, shaper


def rows(found: Mapping[str, HandOffs], link: Link, label: str) -> Iterator[Row]:
    """The bars of the slow link."""
    name = SHOWPIECE if found.get(SHOWPIECE, HandOffs()).seconds else AUTO
    ours = found.get(name, HandOffs())
    where = f"{link.rate_bit_s / 1e6:g} Mbit/s and {link.rtt_s * 1e3:g} ms, {label}"
    beside = {other: series.text() for other, series in found.items() if other != name}
    yield Row(f"hand-off with {name} at {where}", ours.text(), beside)
    for rival, bar in ((FP16, FP16_BAR), (HIVEMIND, HIVEMIND_BAR)):
        theirs = found.get(rival, HandOffs())
        figure = f"hand-off with {name}, times faster than {rival}, {where}"
        yield times_faster(figure, ours, theirs, bar, {rival: theirs.text()})
    if ours.seconds:
        ratio = ours.median_s / ours.ideal_s
        shares = {other: s.median_s / s.ideal_s for other, s in found.items() if s.seconds and other != name}
        figure = f"hand-off with {name} over bytes/bandwidth + RTT, {where}"
        yield Row(figure, ratio, shares, f"<= {IDEAL_BAR}", ratio <= IDEAL_BAR)


def verified_rows(
    found: Mapping[str, HandOffs], good: Sequence[str], link: Link, label: str
) -> Iterator[Row]:
    """Over the shaped link: clean against raw 16-bit floats, and `auto` against the best single codec of `good`."""
    where = f"measured at {link.rate_bit_s / 1e6:g} Mbit/s and {link.rtt_s * 1e3:g} ms, {label}"
    beside = {name: series.text() for name, series in found.items()}
    taken = {name: series.median_s for name, series in found.items() if series.seconds}
    figure = f"times faster than {FP16}, {SHOWPIECE}, {where}"
    if SHOWPIECE in taken and FP16 in taken:
        ratio = taken[FP16] / taken[SHOWPIECE]
        yield Row(figure, ratio, beside, "> 1", ratio > 1)
    else:
        yield Row(figure, "not measured", beside, "> 1", False)
    figure = f"time over that of the best single codec, {AUTO}, {where}"
    best = min((name for name in good if name in taken), key=lambda name: taken[name], default="")
    if best and AUTO in taken:
        ratio = taken[AUTO] / taken[best]
        yield Row(figure, ratio, {"best": best, **beside}, f"<= {AUTO_BAR}", ratio <= AUTO_BAR)
    else:
        yield Row(figure, "not measured", beside, f"<= {AUTO_BAR}", False)


def codecs_for(link: Link, names: Sequence[str]) -> dict[str, Codec]:
    """The named codecs that exist, and `auto` as told of the link."""
    found: dict[str, Codec] = {name: CODECS[name] for name in names if name in CODECS}
    return {**found, AUTO: AutoCodec(link.rate_bit_s, clock=time.thread_time)}
