"""Dask's comm over plain TCP: `server` echoes what it reads, `client` measures the echo."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import distributed
import numpy as np
from distributed.comm import connect, listen
from distributed.protocol import to_serialize
from peer_pipe import Array, Fields, Reply, serve

ANSWER_S = 30.0


class Loop:
    """An event loop in a thread of its own, for questions that come from outside it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def run(self, work: "Coroutine[Any, Any, Any]") -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(ANSWER_S)


class Peer:
    """Both roles; only one is used in a process."""

    def __init__(self) -> None:
        self._loop = Loop()
        self._comm: Any = None
        self._listener: Any = None

    def serve(self, fields: Fields, array: Array) -> Reply:
        async def echo(comm: Any) -> None:
            try:
                while True:
                    message = await comm.read()
                    await comm.write({"x": to_serialize(message["x"])})
            except distributed.comm.CommClosedError:
                pass

        async def start() -> str:
            self._listener = listen("tcp://127.0.0.1:0", echo)
            await self._listener.start()
            return str(self._listener.contact_address)

        return {"address": self._loop.run(start()), "version": distributed.__version__}, None

    def connect(self, fields: Fields, array: Array) -> Reply:
        self._comm = self._loop.run(connect(fields["address"]))
        return {}, None

    def echo(self, fields: Fields, array: Array) -> Reply:
        async def once() -> Array:
            await self._comm.write({"x": to_serialize(array)})
            return (await self._comm.read())["x"]

        async def several() -> list[float]:
            loop, seconds = asyncio.get_running_loop(), []
            for _ in range(fields["times"]):
                began = loop.time()
                await once()
                seconds.append(loop.time() - began)
            return seconds

        same = bool(np.array_equal(self._loop.run(once()), array))
        return {"seconds": self._loop.run(several()), "same": same}, None


if __name__ == "__main__":
    peer = Peer()
    serve({"serve": peer.serve, "connect": peer.connect, "echo": peer.echo})
