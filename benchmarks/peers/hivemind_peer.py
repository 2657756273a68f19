"""hivemind: its 8-bit codec, and remote experts over libp2p with TLS. `serve` in one process, the rest in another."""

import time
from typing import Any

import numpy as np
import torch
from hivemind import DHT, __version__
from hivemind.compression import deserialize_torch_tensor, serialize_torch_tensor
from hivemind.moe import ModuleBackend, RemoteExpert, Server
from hivemind.moe.client.remote_expert_worker import RemoteExpertWorker
from hivemind.moe.expert_uid import ExpertInfo
from hivemind.proto import runtime_pb2
from hivemind.proto.runtime_pb2 import CompressionType
from hivemind.utils.tensor_descr import BatchTensorDescriptor
from peer_pipe import Array, Fields, Reply, serve, timed

READY_S = 50.0
WIDTH = 3840  # elements of a row; a latent is sent as rows


class Nop(torch.nn.Module):
    """Gives back its input, or one number a row, so that only the way there counts."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self._outputs = outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, : self._outputs]


def _backend(name: str, outputs: int, compression: int) -> ModuleBackend:
    return ModuleBackend(
        name=name,
        module=Nop(outputs),
        optimizer=None,
        args_schema=(BatchTensorDescriptor(WIDTH, compression=compression),),
        outputs_schema=BatchTensorDescriptor(outputs, compression=compression),
        max_batch_size=1 << 16,
    )


def _announce_late(server: Server) -> None:
    """Lets the thread that announces the experts begin only when the server is ready.

    It would begin right before the connection handler is forked, and a lock that it holds just then (the one that
    finds the folder for temporary files) is never opened in the fork: the server then hangs for ever.
    """
    thread = server.dht_handler_thread
    announce = thread.run

    def when_ready() -> None:
        if server.ready.wait(READY_S):
            announce()

    thread.run = when_ready


class Peer:
    """Both roles; only one is used in a process."""

    def __init__(self) -> None:
        self._dht: Any = None
        self._server: Any = None
        self._peer_id: Any = None
        self._p2p: Any = None

    def serve(self, fields: Fields, array: Array) -> Reply:
        self._dht = DHT(start=True)
        backends = {
            "echo.0": _backend("echo.0", WIDTH, CompressionType.NONE),
            "hand.0": _backend("hand.0", 1, CompressionType.UNIFORM_8BIT),
        }
        self._server = Server(self._dht, backends, num_connection_handlers=1, device="cpu")
        _announce_late(self._server)
        self._server.start()
        if not self._server.ready.wait(READY_S):
            raise TimeoutError("the server is not ready")
        addresses = [str(address) for address in self._dht.get_visible_maddrs()]
        return {"addresses": addresses, "version": __version__}, None

    def connect(self, fields: Fields, array: Array) -> Reply:
        """`address` may be a shaper's: the daemon keeps the one connection that it opens there."""
        from hivemind.p2p import PeerID

        self._dht = DHT(initial_peers=[fields["address"]], start=True)
        self._peer_id = PeerID.from_base58(fields["address"].rsplit("/", 1)[1])
        self._p2p = RemoteExpertWorker.run_coroutine(self._dht.replicate_p2p())
        return {}, None

    def echo(self, fields: Fields, array: Array) -> Reply:
        """Calls `expert` with the array `times` times, after once to warm up where that is asked for."""
        expert = RemoteExpert(ExpertInfo(uid=fields["expert"], peer_id=self._peer_id), self._p2p)
        rows = torch.from_numpy(_rows(array))
        with torch.no_grad():
            back = expert(rows).numpy() if fields["warm"] else None
            seconds = timed(fields["times"], lambda: expert(rows))
        return {
            "seconds": seconds,
            "same": back is not None and bool(np.array_equal(back, rows.numpy())),
        }, None

    def close(self) -> None:
        for part in (self._server, self._dht):
            if part is not None:
                part.shutdown()


def codec(fields: Fields, array: Array) -> Reply:
    """The array after its way through a codec; bytes, and processor seconds of each encoding and decoding."""
    kind = CompressionType.Value(fields["codec"])
    tensor = torch.from_numpy(array.copy())
    encode_s, decode_s = [], []
    for _ in range(fields["times"]):
        began = time.process_time()
        wire = serialize_torch_tensor(tensor, kind).SerializeToString()
        middle = time.process_time()
        message = runtime_pb2.Tensor()
        message.ParseFromString(wire)
        back = deserialize_torch_tensor(message)
        encode_s.append(middle - began)
        decode_s.append(time.process_time() - middle)
    fields = {"wire_bytes": len(wire), "encode_s": encode_s, "decode_s": decode_s, "version": __version__}
    return fields, back.numpy().reshape(array.shape)


def _rows(array: Array) -> Array:
    flat = array.reshape(-1)
    return np.pad(flat, (0, -flat.size % WIDTH)).reshape(-1, WIDTH)


if __name__ == "__main__":
    torch.set_num_threads(1)
    peer = Peer()
    try:
        serve({"serve": peer.serve, "connect": peer.connect, "echo": peer.echo, "codec": codec})
    finally:
        peer.close()
