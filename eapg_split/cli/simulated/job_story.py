"""One job under one policy: what ran where and when, in seconds since it came."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from eapg_split.cli.simulated.reading import Line, RunFile, ends, header, of_job
from eapg_split.errors import InvalidRequest
from simulations.outcomes import Placed, switches


@dataclass(frozen=True)
class Arrival:
    """A job as it came: the same under every policy, where numbers may be others."""

    demand: str
    device: str
    began_s: float

    @classmethod
    def of(cls, line: Line) -> "Arrival":
        """From what became of it."""
        return cls(line["demand"], line["device"], line["began_s"])


@dataclass
class JobStory:
    """Steps as (node, stage, from, to), hops as (source, target, from, to), losses as (node, when, why)."""

    end: str
    latency_s: float
    device: str
    stages: list[str]
    steps: list[tuple[str, str, float, float]] = field(default_factory=list)
    hops: list[tuple[str, str, float, float]] = field(default_factory=list)
    losses: list[tuple[str, float, str]] = field(default_factory=list)
    changes: list[tuple[float, str]] = field(default_factory=list)  # of the plan: when, why

    @property
    def nodes(self) -> list[str]:
        """Whoever had to do with it, the device first."""
        used = [self.device]
        used += [node for node, _, _, _ in self.steps]
        used += [node for source, target, _, _ in self.hops for node in (source, target)]
        used += [node for node, _, _ in self.losses]
        return list(dict.fromkeys(used))


def chosen(run: RunFile, job: int | None) -> Line | None:
    """What became of the job of that number, or of the one whose latency is nearest to the median; None without jobs.

    Raises InvalidRequest where none has the number.
    """
    jobs = list(ends(run))
    if job is not None:
        found = next((line for line in jobs if line["job"] == job), None)
        if found is None:
            words = f"they are 0 to {len(jobs) - 1}" if jobs else "none came"
            raise InvalidRequest(f"There is no job {job} to draw: under seed {run.seed} {words}.")
        return found
    done = sorted(
        (line for line in jobs if line["end"] == "done"), key=lambda line: (line["latency_s"], line["job"])
    )
    return done[(len(done) - 1) // 2] if done else next(iter(jobs), None)


def story(run: RunFile, arrival: Arrival) -> JobStory | None:
    """What happened to it in a run; None where it did not come, because its device was off."""
    last = next((line for line in list(ends(run)) if Arrival.of(line) == arrival), None)
    if last is None:
        return None
    stages: list[tuple[str, int, int]] = header(run)["demands"][arrival.demand]
    told = JobStory(last["end"], last["latency_s"], arrival.device, [name for name, _, _ in stages])
    placed: Placed = ()
    for line in of_job(run, last["job"]):
        at_s = line["at_s"] - arrival.began_s
        if line["event"] == "plan":
            before, placed = placed, tuple((node, stop) for node, _, stop in line["segments"])
            if switches(before, placed, line["segments"][0][1]):
                told.changes.append((at_s, line["reason"] or "after a loss"))
        else:
            _add(told, line, at_s, stages)
    return told


def _add(told: JobStory, line: Line, at_s: float, stages: Sequence[tuple[str, int, int]]) -> None:
    event = line["event"]
    if event == "step":
        name = next(name for name, start, stop in stages if start <= line["step"] < stop)
        told.steps.append((line["node"], name, at_s - line["seconds"], at_s))
    elif event == "hop":
        told.hops.append((line["source"], line["target"], at_s - line["seconds"], at_s))
    elif event == "lost":
        told.losses.append((line["node"], at_s, line["why"]))
