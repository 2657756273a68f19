"""What `simulate --out` writes beside the summary and the records: a table of all jobs, and pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eapg_split.cli.files import write_text
from eapg_split.cli.report_page.figure import check_plots
from eapg_split.cli.simulated.jobs_table import parquet_is_there, write_jobs
from eapg_split.cli.simulated.reading import PolicyRuns, RunFile, by_policy
from eapg_split.cli.simulated.style import policy_label
from eapg_split.errors import InvalidRequest, Unsupported
from simulations.scenario import Scenario
from simulations.tasks import Task


@dataclass(frozen=True)
class Wanted:
    """Pictures: True, False, or None for where they can be drawn; and the job of which one is a chart."""

    pictures: bool | None = None
    job: int | None = None


def check_wanted(wanted: Wanted, folder: Path | None) -> None:
    """Raises InvalidRequest or Unsupported for what cannot be written, before anything has run."""
    asked = wanted.pictures or wanted.job is not None
    if asked and folder is None:
        raise InvalidRequest("Pictures need a folder: add --out DIR.")
    if wanted.job is not None and wanted.pictures is False:
        raise InvalidRequest("--job is for a picture: leave --no-pictures out.")
    if asked:
        check_plots("Pictures of a simulation")


def write_results(
    folder: Path, scenario: Scenario, tasks: Sequence[Task], policies: Sequence[str], wanted: Wanted
) -> list[str]:
    """Writes them; returns what is to be said of what is not there.

    Raises InvalidRequest where the wanted job is not there; all else is written then.
    """
    files = [RunFile(task.policy, task.seed, task.record) for task in tasks if task.record is not None]
    notes = []
    if parquet_is_there():
        write_jobs(folder / "jobs.parquet", files)
    else:
        notes.append(
            'note: no jobs.parquet: pip install "eapg-split[parquet]" adds it; the JSON lines have the same'
        )
    if wanted.pictures is not False:
        try:
            check_plots("Pictures of a simulation")
        except Unsupported as error:
            return [*notes, f"note: no pictures. {error.message}"]
        runs = by_policy(files, [policy_label(name) for name in policies])
        notes += _draw(folder, scenario, runs, wanted.job)
    return notes


def _draw(folder: Path, scenario: Scenario, runs: Sequence[PolicyRuns], job: int | None) -> list[str]:
    """The pictures that there is something to see in; says which are left out, and why."""
    from eapg_split.cli.simulated.devices import devices_picture
    from eapg_split.cli.simulated.gantt import job_picture
    from eapg_split.cli.simulated.latency import latency_picture
    from eapg_split.cli.simulated.load import load_picture
    from eapg_split.cli.simulated.network import map_picture
    from simulations.building import build

    title = scenario.title
    layout = build(scenario, runs[0].first.seed).layout
    # the job comes last: a number that no job has is an error, and the others are there by then
    pictures: tuple[tuple[str, Callable[[], str | None], str], ...] = (
        ("latency", lambda: latency_picture(title, runs), "no job was done"),
        ("devices", lambda: devices_picture(title, runs), "no device has a battery or heat"),
        ("load", lambda: load_picture(title, runs, layout), "nothing left the devices"),
        ("map", lambda: map_picture(title, runs, layout), ""),
        ("jobs", lambda: job_picture(title, runs, job), "no job came"),
    )
    for name, _, _ in pictures:
        (folder / f"{name}.svg").unlink(
            missing_ok=True
        )  # one of an earlier run would be taken for this one's
    notes = []
    for name, make, why_not in pictures:
        drawn = make()
        if drawn is None:
            notes.append(f"note: no {name}.svg: {why_not}")
        else:
            write_text(folder / f"{name}.svg", drawn)
    return notes
