"""The echo of one latent between two processes of this machine: ours over mutual TLS, and what others do.

All of them wait in processes of their own and are asked in turn, a few echoes at a time, so that whatever else the
machine does hits all alike. The latent is an array at both ends of every echo: what it takes to make messages of it,
and an array of them, is part of the time.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
from figures import Row
from numpy.typing import NDArray
from wire_our_echo import our_echo
from wire_peers import PeerError, peer_process
from wire_series import Series, times_faster

SHAPE: Final = (1, 8, 16, 48, 80)
OURS: Final = "ours, mTLS"
HIVEMIND: Final = "hivemind RemoteExpert, TLS"
DASK: Final = "Dask comm, plain TCP"
RAY: Final = "Ray actor, shared memory"
HIVEMIND_BAR: Final = 8.0
DASK_BAR: Final = 2.0
_AT_ONCE: Final = 5
_START_S: Final = 120.0

Floats = NDArray[np.float32]
Echo = Callable[[Floats, int], list[float]]  # the seconds of so many echoes


def measure(*, turns: int, build: bool) -> dict[str, Series]:
    """Everybody's echoes: `turns` times a few, after one turn to warm up. Nobody's failure stops the others."""
    latent = np.random.default_rng(0).standard_normal(SHAPE, dtype=np.float32)
    found: dict[str, Series] = {}
    with ExitStack() as stack:
        echoes: dict[str, Echo] = {}
        for name, start in ((OURS, _ours), (DASK, _dask), (HIVEMIND, _hivemind), (RAY, _ray)):
            found[name] = Series()
            try:
                echoes[name] = start(stack, build=build)
            except (PeerError, OSError) as error:
                found[name].failed = str(error)
        for turn in range(turns + 1):
            for name, echo in echoes.items():
                _take(found[name], echo, latent, counts=turn > 0)
    return found


def rows(found: Mapping[str, Series]) -> Iterator[Row]:
    """The medians side by side, and the two bars."""
    ours = found[OURS]
    size = 4 * int(np.prod(SHAPE)) / 1e6
    beside = {name: series.text() for name, series in found.items() if name != OURS}
    yield Row(f"echo of a {size:.2f} MB latent over loopback, {OURS}", ours.text(), beside)
    for rival, bar in ((HIVEMIND, HIVEMIND_BAR), (DASK, 1 / DASK_BAR), (RAY, 0.0)):
        yield times_faster(f"echo, times faster than {rival}", ours, found[rival], bar, {})


def _take(series: Series, echo: Echo, latent: Floats, *, counts: bool) -> None:
    if series.failed:
        return
    try:
        seconds = echo(latent, _AT_ONCE)
    except (PeerError, OSError) as error:
        series.failed = str(error)
        return
    series.seconds += seconds if counts else []


def _ours(stack: ExitStack, *, build: bool) -> Echo:
    del build
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wire-")))
    return stack.enter_context(our_echo(folder))


def _dask(stack: ExitStack, *, build: bool) -> Echo:
    server = stack.enter_context(peer_process("dask", "dask_peer.py", "server", build=build))
    client = stack.enter_context(peer_process("dask", "dask_peer.py", "client"))
    client.ask("connect", address=server.ask("serve").fields["address"])
    return lambda latent, times: client.ask("echo", latent, times=times).numbers("seconds")


def _hivemind(stack: ExitStack, *, build: bool) -> Echo:
    server = stack.enter_context(peer_process("hivemind", "hivemind_peer.py", "server", build=build))
    client = stack.enter_context(peer_process("hivemind", "hivemind_peer.py", "client"))
    client.ask("connect", address=server.ask("serve", limit_s=_START_S).fields["addresses"][0])
    ask = partial(client.ask, "echo", expert="echo.0", warm=False)
    return lambda latent, times: ask(latent, times=times).numbers("seconds")


def _ray(stack: ExitStack, *, build: bool) -> Echo:
    driver = stack.enter_context(peer_process("ray", "ray_peer.py", build=build))
    driver.ask("start", limit_s=_START_S)
    return lambda latent, times: driver.ask("echo", latent, times=times).numbers("seconds")
