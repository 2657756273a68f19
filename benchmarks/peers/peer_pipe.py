"""How a peer's script is asked: a JSON line and a raw float32 array in, the same out. Runs in the peer's environment.

Nothing here knows the project: numpy is all that it needs. What libraries print goes to stderr.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

Fields = Mapping[str, Any]
Array = Any  # numpy.ndarray of float32; the peers' numpy may be older than typing it needs
Reply = tuple[dict[str, Any], Array | None]
Action = Callable[[Fields, Array], Reply]


def serve(actions: Mapping[str, Action]) -> None:
    """Answers questions until stdin ends. An exception is an answer too."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not speak in our place
    questions = sys.stdin.buffer
    while line := questions.readline():
        fields = json.loads(line)
        array = np.frombuffer(_exactly(questions, fields["bytes"]), "<f4").reshape(fields["shape"] or (0,))
        try:
            answer, result = actions[fields["question"]](fields, array)
        except Exception as error:
            answer, result = {"error": f"{type(error).__name__}: {error}"[:500]}, None
        raw = b"" if result is None else np.ascontiguousarray(result, "<f4").tobytes()
        shape = [] if result is None else list(result.shape)
        replies.write(json.dumps({**answer, "bytes": len(raw), "shape": shape}).encode() + b"\n" + raw)
        replies.flush()


def timed(times: int, call: Callable[[], object]) -> list[float]:
    """Wall seconds of each call."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return seconds


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = stream.read(count) if count else b""
    if len(data) != count:
        raise SystemExit("the question ended in the middle")
    return data
