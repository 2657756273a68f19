"""The same scenario under several policies and seeds: one after the other, in several processes, or on a cluster."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice, product
from pathlib import Path
from typing import Final

from eapg_split.errors import EapgError, InvalidRequest
from eapg_split.planner import resolve
from simulations.scenario import Scenario
from simulations.tasks import Plain, Replication, Task, answered, attempt, run, told

MAX_REPLICATIONS: Final = 100_000
MAX_PROCESSES: Final = 256
_AHEAD: Final = 2  # tasks of a process that wait


def tasks(
    scenario: Scenario,
    policies: Sequence[str],
    seeds: Sequence[int],
    *,
    until_s: float,
    jobs: int | None = None,
    folder: Path | None = None,
) -> list[Task]:
    """Every policy under every seed. Raises InvalidRequest where there are too many, or a policy is not there."""
    if len(policies) * len(seeds) > MAX_REPLICATIONS:
        raise InvalidRequest(f"These are more than {MAX_REPLICATIONS} runs: ask for fewer seeds.")
    for name in policies:
        resolve(name)
    return [
        Task(scenario, name, seed, until_s, jobs, _file(folder, number, name, seed))
        for (number, name), seed in product(enumerate(policies), seeds)
    ]


def replicate(wanted: Iterable[Task], processes: int = 1, cluster: str = "") -> Iterator[Replication]:
    """What comes of the tasks, in their order: here, in so many processes, or on the Ray cluster at an address.

    Raises EapgError at the first run that fails; that, and closing this, ends what runs elsewhere.
    """
    if cluster:
        from simulations.cluster import replicate_on

        return replicate_on(cluster, wanted, processes)
    if processes > 1:
        return _in_processes(wanted, processes)
    return map(run, wanted)


def _in_processes(wanted: Iterable[Task], processes: int) -> Iterator[Replication]:
    # fresh processes: whatever this one has open or has drawn is not theirs
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_parent)
    waiting, running = iter(wanted), list[tuple[Task, Future[Plain]]]()
    done = False
    try:
        while True:
            for task in islice(waiting, processes * _AHEAD - len(running)):
                running.append((task, _submitted(pool, task)))
            if not running:
                break
            task, future = running.pop(0)
            yield answered(task, _result(task, future))
        done = True
    finally:
        pool.shutdown(wait=done, cancel_futures=not done)
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()


def _submitted(pool: ProcessPoolExecutor, task: Task) -> Future[Plain]:
    """Processes that this starts do not hear Ctrl-C: whoever does ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return pool.submit(attempt, told(task))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _result(task: Task, future: Future[Plain]) -> Plain:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise EapgError(
            f"A process was ended from outside while it ran {task}, or one of the runs after it: perhaps memory is"
            " short, so try fewer processes."
        ) from error


def _end_with_parent() -> None:
    """In a process of the pool: whatever becomes of the one that started it, nobody stays behind."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _file(folder: Path | None, number: int, policy: str, seed: int) -> Path | None:
    """`policy-seed.jsonl`; a policy that is a path has only its last part, and its number."""
    if folder is None:
        return None
    name = "".join(each if each.isalnum() or each in "-_" else "-" for each in Path(policy).stem)
    return folder / f"{number}-{name}-{seed}.jsonl"
