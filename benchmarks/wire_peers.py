"""Environments of the peers that we stand beside, and processes in them that answer questions over pipes.

Each peer has pinned packages of its own under `runs/peers/`, which are built once. What is asked and answered is a
JSON line and raw arrays, see `peers/peer_pipe.py`; every answer has a time limit.
"""

import contextlib
import hashlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
from numpy.typing import NDArray

ROOT: Final = Path(__file__).resolve().parents[1]
SCRIPTS: Final = Path(__file__).resolve().parent / "peers"
ENVIRONMENTS: Final = ROOT / "runs" / "peers"
BUILD_S: Final = 1200.0
ANSWER_S: Final = 60.0
_STOP_S: Final = 10.0
_LINE_BYTES: Final = 1 << 20
_LAST_WORDS: Final = 300

Floats = NDArray[np.float32]
# hivemind decodes its 8 bits only with an older numpy, and starts its loop only with an older uvloop
PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "hivemind": ("hivemind==1.1.12", "torch==2.13.0", "numpy<2.4", "uvloop<0.22"),
    "dask": ("distributed==2026.8.0", "dask==2026.8.0", "numpy<2.5"),
    "ray": ("ray==2.60.0", "numpy<2.5"),
    "simpy": ("simpy==4.1.2", "numpy<2.5"),
    "salabim": ("salabim==26.0.9", "greenlet", "numpy<2.5"),
}


class PeerError(Exception):
    """A peer could not be installed, started or asked; the message says what happened."""


def environment(name: str, *, build: bool = True) -> Path:
    """The Python interpreter of a peer's environment, built first where it is missing and `build` allows it.

    Raises PeerError, with pip's last words where it was pip.
    """
    folder, packages = ENVIRONMENTS / name, PACKAGES[name]
    stamp, digest = folder / "built", hashlib.sha256("\n".join(packages).encode()).hexdigest()
    python = folder / "bin" / "python"
    if stamp.exists() and stamp.read_text(encoding="utf-8").strip() == digest:
        return python
    if not build:
        raise PeerError("not installed: run without --quick, which builds its environment")
    ENVIRONMENTS.mkdir(parents=True, exist_ok=True)
    print(f"building {folder} with {', '.join(packages)}", file=sys.stderr, flush=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    for command in ([sys.executable, "-m", "venv", "--clear", str(folder)], pip):
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=BUILD_S)
        except subprocess.TimeoutExpired:
            raise PeerError(f"not installed: pip took longer than {BUILD_S:.0f} s") from None
        except subprocess.CalledProcessError as error:
            raise PeerError(f"not installed: {_last_line(error.stderr)}") from None
    stamp.write_text(digest + "\n", encoding="utf-8")
    return python


@dataclass(frozen=True)
class Answer:
    """What a peer said: the fields of its JSON line, and an array (empty where there was none)."""

    fields: Mapping[str, Any]
    array: Floats

    def numbers(self, name: str) -> list[float]:
        """A field that is a list of numbers."""
        return [float(value) for value in self.fields[name]]


class PeerProcess:
    """A script in a peer's environment, asked one question at a time."""

    def __init__(self, python: Path, script: str, log: Path, *arguments: str) -> None:
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        quiet = {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0", "PYTHONUNBUFFERED": "1"}
        with log.open("wb") as opened:
            self._process = subprocess.Popen(
                [str(python), str(SCRIPTS / script), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=opened,
                env={**os.environ, **quiet},
                start_new_session=True,
            )

    def ask(
        self, question: str, array: Floats | None = None, *, limit_s: float = ANSWER_S, **fields: object
    ) -> Answer:
        """Sends a question and waits for its answer. Raises PeerError beyond the limit or when the peer ends."""
        raw = b"" if array is None else np.ascontiguousarray(array, "<f4").tobytes()
        shape = [] if array is None else list(array.shape)
        line = json.dumps({"question": question, "bytes": len(raw), "shape": shape, **fields}) + "\n"
        stdin = self._process.stdin
        assert stdin is not None
        if stdin.closed:
            raise PeerError("ended: it was given up")
        try:
            stdin.write(line.encode() + raw)
            stdin.flush()
        except OSError:
            raise PeerError(f"ended: {self._words()}") from None
        return self._answer(time.monotonic() + limit_s, question, limit_s)

    def close(self) -> None:
        """Ends the script and whatever it started; nothing of it is left."""
        self._end(_STOP_S)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _end(self, patience_s: float) -> None:
        family: list[psutil.Process] = []
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(self._process.pid).children(recursive=True)
        with contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()  # the script's reason to leave by itself
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_s)
        for left in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                left.kill()  # psutil sees to it that it still is the same process
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _answer(self, until: float, question: str, limit_s: float) -> Answer:
        buffer = bytearray()
        while b"\n" not in buffer:
            self._fill(buffer, until, f"no answer to {question!r} within {limit_s:.0f} s")
            if len(buffer) > _LINE_BYTES and b"\n" not in buffer:
                raise PeerError(f"answered {question!r} with something else than a line")
        line, _, rest = bytes(buffer).partition(b"\n")
        fields = json.loads(line)
        if "error" in fields:
            raise PeerError(f"{question}: {fields['error']}")
        body = bytearray(rest)
        while len(body) < fields["bytes"]:
            self._fill(body, until, f"half an answer to {question!r} after {limit_s:.0f} s")
        return Answer(fields, np.frombuffer(bytes(body), "<f4").reshape(fields["shape"] or (0,)))

    def _fill(self, buffer: bytearray, until: float, late: str) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        ready, _, _ = select.select([stdout], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            self._end(0.0)  # an answer that comes too late must not be taken for the next one's
            raise PeerError(late)
        read = os.read(stdout.fileno(), 1 << 20)
        if not read:
            raise PeerError(f"ended: {self._words()}")
        buffer += read

    def _words(self) -> str:
        return last_words(self._log)


@contextlib.contextmanager
def peer_process(name: str, script: str, *arguments: str, build: bool = True) -> Iterator[PeerProcess]:
    """A peer's script for as long as the block lasts. Raises PeerError."""
    python = environment(name, build=build)
    log = ENVIRONMENTS / f"{script.removesuffix('.py')}{'-'.join(('', *arguments))}.log"
    process = PeerProcess(python, script, log, *arguments)
    try:
        yield process
    finally:
        process.close()


def last_words(log: Path) -> str:
    """The last line of a log, which tells why a process ended."""
    return _last_line(log.read_text(encoding="utf-8", errors="replace"))


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1][-_LAST_WORDS:] if lines else "it said nothing"
