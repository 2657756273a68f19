"""Runs on a Ray cluster (extra `ray`): its workers are told, and answer, in plain values, and share no disk with us."""

import logging
import os
import socket
from collections.abc import Iterable, Iterator
from itertools import islice
from types import ModuleType
from typing import Any, Final

from eapg_split.errors import EapgError, InvalidRequest, NodeUnavailable, Unsupported
from simulations.tasks import Plain, Replication, Task, answered, attempt, told

_AHEAD: Final = 2  # tasks of a processor that wait
_LOCAL: Final = "local"
_NAMES: Final = (_LOCAL, "auto")
_ANSWERS_S: Final = 5.0  # within which the head of a cluster takes a connection


def replicate_on(address: str, wanted: Iterable[Task], processes: int) -> Iterator[Replication]:
    """What comes of the tasks, in their order. `address` is what Ray calls so: local, auto, HOST:PORT, ray://HOST:PORT.

    A cluster that is begun here, by local, has so many `processes`. Raises Unsupported without Ray, NodeUnavailable
    where no cluster answers, and EapgError for the first run that fails.
    """
    ray = _joined(address, processes)
    running = list[tuple[Task, Any]]()
    try:
        remote = ray.remote(attempt).options(num_cpus=1, name="eapg-split")
        most = max(1, int(ray.cluster_resources().get("CPU", 1))) * _AHEAD
        waiting = iter(wanted)
        while True:
            for task in islice(waiting, most - len(running)):
                running.append((task, remote.remote(told(task), shared=False)))
            if not running:
                break
            yield answered(running[0][0], _got(ray, *running[0]))
            del running[0]
    finally:
        for _, answer in running:  # nothing, unless somebody gave up
            ray.cancel(answer, force=True)
        ray.shutdown()


def _joined(address: str, processes: int) -> ModuleType:
    """Ray, connected to that cluster."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody is told that it was used
    os.environ.setdefault(
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0"
    )  # what will be its default: else it warns
    try:
        import ray
    except ImportError as error:
        raise Unsupported("--ray needs the extra \"ray\": pip install 'eapg-split[ray]'.") from error
    if address not in _NAMES:
        _reach(address)
    own: Plain = {"num_cpus": processes, "include_dashboard": False} if address == _LOCAL else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise NodeUnavailable(
            f"There is no Ray cluster at {address!r} ({_first(error)}): begin one with 'ray start --head', or use"
            " --ray local."
        ) from error
    joined: ModuleType = ray
    return joined


def _reach(address: str) -> None:
    """Ray itself goes on trying for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise InvalidRequest(
            f"--ray {address!r} is no address: use local, auto, HOST:PORT or ray://HOST:PORT."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWERS_S).close()
    except OSError as error:
        raise NodeUnavailable(
            f"There is no Ray cluster at {address!r} ({error}): begin one with 'ray start --head', or use --ray local."
        ) from error


def _got(ray: ModuleType, task: Task, answer: Any) -> Plain:
    try:
        got: Plain = ray.get(answer)
    except ray.exceptions.RayError as error:
        raise EapgError(
            f"The run of {task} was lost on the cluster ({_first(error)}): see that its nodes have memory, and this"
            " version of eapg-split."
        ) from error
    return got


def _first(error: Exception) -> str:
    """What Ray says in its last line that says something, without colours."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    found = next((line for line in lines if "Error: " in line), lines[0] if lines else "")
    return f"{type(error).__name__}: {found[:200]}" if found else type(error).__name__
