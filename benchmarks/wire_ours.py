"""Our own end of the wire: a real daemon with mutual TLS, an engine that only waits, and hand-offs to it.

The daemon is started as `python -m cloud_node --engine wire_idle:open_engine`, so that all but the networks is what
everybody runs.
"""

import asyncio
import contextlib
import json
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from wire_idle import FINGERPRINT, STEP_S
from wire_peers import ROOT, PeerError, last_words
from wire_speed import Subject

from eapg_split.codecs.base import Codec
from eapg_split.rpc.access import Access
from eapg_split.rpc.callers import Role
from eapg_split.rpc.certificates import Authority, Identity
from eapg_split.rpc.client import GrpcPeer
from eapg_split.runtime.events import Accepted, SegmentEvent
from eapg_split.runtime.handoff import Coded, Encoding, Outgoing
from eapg_split.runtime.peer import SegmentOrder
from eapg_split.runtime.settings import PeerAddress, TlsFiles

_READY_S: Final = 60.0
_HAND_OFF_S: Final = 120.0


@dataclass(frozen=True)
class OurNode:
    """A running daemon: its port, and the files with which it is spoken to."""

    port: int
    tls: TlsFiles


@asynccontextmanager
async def our_node(folder: Path) -> AsyncIterator[OurNode]:
    """A cloud daemon with mutual TLS for as long as the block lasts. Raises PeerError when it does not start."""
    tls = certificates(folder)
    command = [sys.executable, "-m", "cloud_node", "--node", "cloud", "--listen", "127.0.0.1:0"]
    command += ["--engine", "wire_idle:open_engine", "--with-parent", str(os.getpid())]
    command += ["--tls-ca", str(tls.ca), "--tls-cert", str(tls.cert), "--tls-key", str(tls.key)]
    with (folder / "cloud.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "benchmarks")))},
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(_READY_S):
            line = await process.stdout.readline()
        if not line:
            raise PeerError(f"our own daemon did not start: {last_words(folder / 'cloud.log')}")
        yield OurNode(int(json.loads(line)["address"].rpartition(":")[2]), tls)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def peer_at(node: OurNode, port: int) -> GrpcPeer:
    """The node, dialled at a port that leads to it."""
    return GrpcPeer(PeerAddress("cloud", f"127.0.0.1:{port}"), Access(node.tls))


@dataclass(frozen=True)
class HandOff:
    """Seconds from the first look at the latent until the node said that it has all of it decoded; coded bytes."""

    seconds: float
    coded_bytes: int


async def hand_off(peer: GrpcPeer, subject: Subject, codec: Codec) -> HandOff:
    """Sends the state after `subject.place.step`, as a coordinator does, and calls the segment off."""
    place, fidelity = subject.place, subject.place.fidelity()
    order = SegmentOrder(
        uuid.uuid4().hex,
        place.workload.request.without_prompt(),
        place.step + 1,
        place.step + 2,
        FINGERPRINT,
    )
    accepted = asyncio.Event()

    async def emit(event: SegmentEvent) -> None:
        if isinstance(event, Accepted):
            accepted.set()

    began = time.perf_counter()
    spec = subject.latent.spec
    encodings = [Encoding.of(codec, t.name, subject.latent[t.name], fidelity) for t in spec.tensors]
    outgoing = Outgoing([Coded(tensor, codec.name) for tensor in spec.tensors], encodings)
    running = asyncio.create_task(peer.run(order, outgoing, emit))
    waiting = asyncio.create_task(accepted.wait())
    try:
        await asyncio.wait((running, waiting), timeout=_HAND_OFF_S, return_when=asyncio.FIRST_COMPLETED)
        seconds = time.perf_counter() - began
        if running.done():
            running.result()
        if not accepted.is_set():
            raise PeerError(f"a hand-off was not accepted within {_HAND_OFF_S:g} s")
    finally:
        running.cancel()
        waiting.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
    await asyncio.sleep(2 * STEP_S)  # the node notices at its next step boundary
    return HandOff(seconds, outgoing.body_bytes)


def certificates(folder: Path) -> TlsFiles:
    """An authority and one node's certificate, made for this run."""
    ends = datetime.now(UTC) + timedelta(days=1)
    return Authority.create(folder, days=2).issue(folder, Identity("cloud", Role.CLOUD), ends=ends)
