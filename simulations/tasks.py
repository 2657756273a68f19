"""One run of a scenario under one policy, here or in another process: that is told, and answers, in plain values."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from io import StringIO
from pathlib import Path
from typing import Any, Final

from eapg_split.errors import LEAVES, EapgError, InvalidRequest
from eapg_split.planner import absolute, resolve
from simulations.building import build
from simulations.record import Record
from simulations.results import Figures, figures
from simulations.scenario import Scenario, parse_scenario
from simulations.settings import Setting
from simulations.simulation import simulate

Plain = dict[str, Any]  # numbers, text, lists and tables of them
_ERRORS: Final = {leaf.__name__: leaf for leaf in LEAVES}


@dataclass(frozen=True)
class Task:
    """One run. `record` is the file of its JSON lines, none without."""

    scenario: Scenario
    policy: str
    seed: int
    until_s: float
    jobs: int | None = None
    record: Path | None = None

    def __str__(self) -> str:
        settings = "".join(f", {setting}" for setting in self.scenario.settings)
        return f"{self.policy} on {self.scenario.name} with seed {self.seed}{settings}"


@dataclass(frozen=True)
class Replication:
    """What came of a task."""

    policy: str
    seed: int
    figures: Figures

    def plain(self) -> Plain:
        """For another process."""
        return asdict(self)

    @classmethod
    def of(cls, plain: Plain) -> "Replication":
        """From what another process said."""
        return cls(**{**plain, "figures": Figures(**plain["figures"])})


def run(task: Task) -> Replication:
    """One task, here. Raises InvalidRequest for what is wrong with the scenario, else EapgError that names the task."""
    try:
        if task.record is None:
            return _run(task, task.policy, None)
        with task.record.open("w", encoding="utf-8") as file:
            return _run(task, task.policy, file.write)
    except InvalidRequest:
        raise
    except Exception as error:
        raise failure(task, error) from error


def failure(task: Task, error: Exception) -> EapgError:
    """What is said of a task that failed, whatever was raised."""
    if isinstance(error, EapgError):
        return type(error)(f"The run of {task} failed: {error.message}")
    first = (str(error).strip().splitlines() or [""])[0][:300]
    return EapgError(f"The run of {task} failed: {type(error).__name__}{': ' if first else ''}{first}")


def told(task: Task) -> Plain:
    """What another process needs to know for the same run; it may stand in another folder."""
    scenario, record = task.scenario, task.record
    return {
        "path": str(scenario.path.absolute()),
        "text": scenario.text,
        "settings": [(setting.path, setting.value) for setting in scenario.settings],
        "policy": task.policy,
        "found": absolute(task.policy),
        "seed": task.seed,
        "until_s": task.until_s,
        "jobs": task.jobs,
        "record": None if record is None else str(record.absolute()),
    }


def attempt(plain: Plain, *, shared: bool = True) -> Plain:
    """What a process that was told of a task answers: never an exception.

    The record goes to its file where the disk is `shared` with whoever asked, else it is part of the answer.
    """
    kept = StringIO()
    try:
        settings = [Setting(*each) for each in plain["settings"]]
        scenario = parse_scenario(Path(plain["path"]), plain["text"], settings)
        record = None if plain["record"] is None else Path(plain["record"])
        task = Task(scenario, plain["policy"], plain["seed"], plain["until_s"], plain["jobs"], record)
    except EapgError as error:
        return {"error": type(error).__name__, "message": error.message}
    try:
        if record is None:
            came = _run(task, plain["found"], None)
        elif shared:
            with record.open("w", encoding="utf-8") as file:
                came = _run(task, plain["found"], file.write)
        else:
            came = _run(task, plain["found"], kept.write)
    except Exception as error:
        known = error if isinstance(error, InvalidRequest) else failure(task, error)
        return {"error": type(known).__name__, "message": known.message}
    return {"came": came.plain(), "record": kept.getvalue()}


def answered(task: Task, answer: Plain) -> Replication:
    """What another process answered, with the record where it belongs. Raises EapgError for a run that failed."""
    if "error" in answer:
        raise _ERRORS.get(answer["error"], EapgError)(answer["message"])
    if answer["record"] and task.record is not None:
        task.record.write_text(answer["record"], encoding="utf-8")
    return Replication.of(answer["came"])


def _run(task: Task, policy: str, write: Callable[[str], object] | None) -> Replication:
    """`policy` is where the task's is found from here."""
    setup = build(task.scenario, task.seed)
    made = (task.policy, lambda: resolve(policy))
    result = simulate(setup, made, seed=task.seed, until_s=task.until_s, jobs=task.jobs, record=Record(write))
    return Replication(task.policy, task.seed, figures(result))
