"""The echo of a latent through our own daemon over mutual TLS: parts with checksums there and back."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from wire_ours import our_node, peer_at
from wire_peers import PeerError

from eapg_split.codecs.base import TIME_AXIS, Part, slices_of
from eapg_split.domain.latent import LatentSpec
from eapg_split.errors import EapgError

Floats = NDArray[np.float32]


@contextmanager
def our_echo(folder: Path) -> Iterator[Callable[[Floats, int], list[float]]]:
    """A running daemon as a function: seconds of so many echoes of an array. Raises PeerError."""
    with asyncio.Runner() as runner:
        serving = our_node(folder)
        node = runner.run(serving.__aenter__())
        peer = peer_at(node, node.port)

        async def several(array: Floats, times: int) -> list[float]:
            seconds = []
            for _ in range(times):
                began = time.perf_counter()
                back = array_of((await peer.probe(parts_of(array))).parts, array.shape)
                seconds.append(time.perf_counter() - began)
            if not np.array_equal(back, array):
                raise PeerError("the echo is not what was sent")
            return seconds

        def echo(array: Floats, times: int) -> list[float]:
            try:
                return runner.run(several(array, times))
            except EapgError as error:
                raise PeerError(error.message) from error

        try:
            yield echo
        finally:
            runner.run(peer.close())
            runner.run(serving.__aexit__(None, None, None))


def parts_of(array: Floats) -> list[Part]:
    """The array's bytes as they are, cut as the runtime cuts them."""
    spec = LatentSpec.of(xbar=array.shape)
    return [Part.of(array[:, :, piece.start : piece.stop].tobytes()) for piece in slices_of(spec)]


def array_of(parts: Sequence[Part], shape: tuple[int, ...]) -> Floats:
    """The array again, from parts whose checksums the transport has compared."""
    pairs = zip(slices_of(LatentSpec.of(xbar=shape)), parts, strict=True)
    pieces = [np.frombuffer(part.body, "<f4").reshape(piece.shape) for piece, part in pairs]
    return np.concatenate(pieces, axis=TIME_AXIS)
