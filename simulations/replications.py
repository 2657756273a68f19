"""The same scenario under several policies and seeds, one after the other or in several processes: the same results."""

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Final

from eapg_split.errors import InvalidRequest
from eapg_split.planner import resolve
from simulations.building import build
from simulations.record import Record
from simulations.results import Figures, figures
from simulations.scenario import Scenario, parse_scenario
from simulations.simulation import simulate

MAX_REPLICATIONS: Final = 100_000
MAX_PROCESSES: Final = 256
_AHEAD: Final = 2  # tasks of a process that wait


@dataclass(frozen=True)
class Task:
    """One run. `record` is the file of its JSON lines, none without."""

    scenario: Scenario
    policy: str
    seed: int
    until_s: float
    jobs: int | None = None
    record: Path | None = None


@dataclass(frozen=True)
class Replication:
    """What came of a task."""

    policy: str
    seed: int
    figures: Figures


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


def replicate(wanted: Sequence[Task], processes: int = 1) -> Iterator[Replication]:
    """What comes of the tasks, in their order."""
    if processes <= 1:
        yield from map(run, wanted)
        return
    # fresh processes: whatever this one has open or has drawn is not theirs
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        waiting, running = iter(wanted), []
        for task in islice(waiting, processes * _AHEAD):
            running.append(pool.submit(_run_text, _as_text(task)))
        while running:
            yield running.pop(0).result()
            running += [pool.submit(_run_text, _as_text(task)) for task in islice(waiting, 1)]


def run(task: Task) -> Replication:
    """One task."""
    with ExitStack() as stack:
        record = Record()
        if task.record is not None:
            record = Record(stack.enter_context(task.record.open("w", encoding="utf-8")).write)
        setup = build(task.scenario, task.seed)
        policy = (task.policy, lambda: resolve(task.policy))
        result = simulate(setup, policy, seed=task.seed, until_s=task.until_s, jobs=task.jobs, record=record)
    return Replication(task.policy, task.seed, figures(result))


def _file(folder: Path | None, number: int, policy: str, seed: int) -> Path | None:
    """`policy-seed.jsonl`; a policy that is a path has only its last part, and its number."""
    if folder is None:
        return None
    name = "".join(each if each.isalnum() or each in "-_" else "-" for each in Path(policy).stem)
    return folder / f"{number}-{name}-{seed}.jsonl"


Text = tuple[str, str, str, int, float, int | None, str | None]


def _as_text(task: Task) -> Text:
    """What another process is told: plain values."""
    scenario, record = task.scenario, task.record
    where = None if record is None else str(record)
    return str(scenario.path), scenario.text, task.policy, task.seed, task.until_s, task.jobs, where


def _run_text(text: Text) -> Replication:
    path, toml, policy, seed, until_s, jobs, record = text
    scenario = parse_scenario(Path(path), toml)
    return run(Task(scenario, policy, seed, until_s, jobs, None if record is None else Path(record)))
