"""One daemon as a process that may die and come back on its port, and what it holds of the machine."""

import asyncio
import contextlib
import json
import os
import resource
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from tests.faults.engine import WORK_BYTES
from tests.faults.kinds import Phase, Target

ROOT: Final = Path(__file__).resolve().parents[2]
ENGINE: Final = "tests.faults.engine:open_engine"
_READY_S: Final = 60.0
_LEAVE_S: Final = 5.0


@dataclass(frozen=True)
class Footprint:
    """What a daemon holds: resident bytes, open files, ports that it listens on, children, temporary files."""

    pid: int
    rss_bytes: int
    files: int
    ports: int
    children: int
    temporary: tuple[str, ...]


class Daemon:
    """The daemon of a tier; `folder` takes its log, its state and its temporary files."""

    def __init__(self, tier: Target, folder: Path, flags: Sequence[str] = ()) -> None:
        self.tier = tier
        self.port = 0
        self.log = folder / f"{tier}.log"
        self._folder = folder
        self._flags = list(flags)
        self._process: asyncio.subprocess.Process | None = None
        self.lie: Phase | None = None
        self.limited = False  # since its start
        self.told = folder / f"{tier}.told"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self, lie: Phase | None = None) -> None:
        """Starts it, on its former port where it had one; with `lie` as the rogue that lies at that phase."""
        self.lie, self.limited = lie, False
        self.told.unlink(missing_ok=True)
        program = ["tests.faults.rogue", self.tier] if lie else [f"{self.tier}_node"]
        command = [sys.executable, "-m", *program, "--node", self.tier, "--listen", f"127.0.0.1:{self.port}"]
        command += ["--engine", ENGINE, "--with-parent", str(os.getpid()), *self._flags]
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, **self._environment(lie)},
                start_new_session=True,
            )
        assert self._process.stdout is not None
        async with asyncio.timeout(_READY_S):
            line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the {self.tier} daemon did not start: {self.log.read_text().strip()}")
        self.port = int(json.loads(line)["address"].rpartition(":")[2])

    async def stop(self) -> None:
        """Ends it, and waits until it is gone."""
        if self._process is None:
            return
        if self.alive:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _LEAVE_S)
        if self.alive:
            self._process.kill()
        await self._process.communicate()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal, where it still lives."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def died(self) -> None:
        """Returns when the process is gone."""
        assert self._process is not None
        await self._process.communicate()

    def starve(self) -> None:
        """It has more memory than it may, so it gets none until it has given some back."""
        used = psutil.Process(self.pid).memory_info().vms
        self._limit(resource.RLIMIT_AS, used - WORK_BYTES)

    def fill_disk(self) -> None:
        """No file of it may grow."""
        self._limit(resource.RLIMIT_FSIZE, 0)

    def relieve(self) -> None:
        """Takes the limits back."""
        if self.limited:
            for which in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE):
                self._limit(which, resource.RLIM_INFINITY)

    def footprint(self) -> Footprint:
        """What it holds now."""
        process = psutil.Process(self.pid)
        listening = [each for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN]
        return Footprint(
            pid=self.pid,
            rss_bytes=process.memory_info().rss,
            files=process.num_fds(),
            ports=len(listening),
            children=len(process.children(recursive=True)),
            temporary=tuple(path.name for path in self._temporary.iterdir()),
        )

    def _limit(self, which: int, most: int) -> None:
        self.limited = True
        _, hard = resource.prlimit(self.pid, which)
        resource.prlimit(self.pid, which, (most, hard))

    @property
    def _temporary(self) -> Path:
        return self._folder / f"{self.tier}-temporary"

    def _environment(self, lie: Phase | None) -> Mapping[str, str]:
        self._temporary.mkdir(exist_ok=True)
        changed = {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
            "TMPDIR": str(self._temporary),
            "XDG_STATE_HOME": str(self._folder / f"{self.tier}-state"),
        }
        if lie is not None:
            changed |= {"EAPG_FAULTS_LIE": lie, "EAPG_FAULTS_LIED": str(self.told)}
        return changed
