"""The yardstick of `benchmarks.first_light`: all steps of a job in this one process, without daemons, plan or wire.

Reads lines from stdin; runs the job once for each and answers with a line of JSON.
"""

import argparse
import hashlib
import json
import sys
import tempfile
import time
from pathlib import Path

from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.engines import open_engine
from eapg_split.runtime.engine import Engine, engine_opener
from eapg_split.runtime.sink import VideoFormat
from eapg_split.video import open_sink


def run_once(engine: Engine, request: Request) -> dict[str, object]:
    """Every step in order, then decode, digest and encode frame by frame."""
    began, began_cpu = time.perf_counter(), time.process_time()
    workload = engine.unroll(request)
    state = Latent()
    for step in range(workload.steps - 1):
        state = engine.run_step(workload, step, state)
    digest = hashlib.sha256()
    with tempfile.TemporaryDirectory() as folder:
        sink = open_sink(Path(folder), VideoFormat(".mp4", request.fps, request.width, request.height))
        for frame in engine.decode(workload, state):
            digest.update(frame.tobytes())
            sink.write(frame)
        sink.finish()
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - began_cpu,
        "frames_sha256": digest.hexdigest(),
    }


def main() -> None:
    """Serves until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="onnx")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--request", type=json.loads, required=True)
    flags = parser.parse_args()
    engine = engine_opener(flags.engine, open_engine)(flags.engine, threads=flags.threads)
    request = Request(**flags.request)
    workload = engine.unroll(request)
    engine.prepare(workload.parts(0, workload.steps))
    for _ in sys.stdin:
        print(json.dumps(run_once(engine, request)), flush=True)


if __name__ == "__main__":
    main()
