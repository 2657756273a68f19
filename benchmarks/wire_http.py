"""The plain way: POST a latent's 16-bit floats. As a script it is the server, which makes 32-bit floats of them."""

import contextlib
import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

_ANSWER_S: Final = 60.0
_MAX_BYTES: Final = 1 << 28


class _Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # the connection stays open
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        size = min(int(self.headers["Content-Length"]), _MAX_BYTES)
        latent = np.frombuffer(self.rfile.read(size), np.float16).astype(np.float32)
        answer = str(latent.size).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class RawPost:
    """A client whose connection is open already."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)
        self.hand_off(np.zeros(1, np.float32))

    def hand_off(self, array: NDArray[np.float32]) -> float:
        """Seconds until the server has all of the array as 32-bit floats and said so."""
        began = time.perf_counter()
        self._connection.request("POST", "/", array.astype(np.float16).tobytes())
        answer = self._connection.getresponse().read()
        seconds = time.perf_counter() - began
        if int(answer) != array.size:
            raise RuntimeError(f"the server got {answer!r} of {array.size} numbers")
        return seconds

    def close(self) -> None:
        self._connection.close()


@contextlib.contextmanager
def raw_post_server() -> Iterator[int]:
    """The server in a process of its own; yields its port."""
    command = [sys.executable, str(Path(__file__))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Service)
    print(server.server_address[1], flush=True)
    server.serve_forever()
