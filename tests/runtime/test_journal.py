"""What a device has promised stands after any crash, and what is half written is never believed."""

import asyncio
import logging
import math
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from eapg_split.codecs import CODECS
from eapg_split.domain.error_budget import ErrorBudget
from eapg_split.domain.latent import Latent
from eapg_split.errors import CorruptPayload, InvalidRequest
from eapg_split.runtime.checkpoint import Checkpoint, KeptTensor
from eapg_split.runtime.events import JobEvent, Notice, OutputFile, PreviewFrame
from eapg_split.runtime.jobs import home as home_module
from eapg_split.runtime.jobs.checkpoint_file import KeptState, read_checkpoint, write_checkpoint
from eapg_split.runtime.jobs.event_log import MOST_PREVIEWS, EventLog, Told
from eapg_split.runtime.jobs.home import JobHome
from eapg_split.runtime.jobs.journal import MOST_EVENTS, Damaged, Journal
from eapg_split.runtime.jobs.keeper import Keeper
from eapg_split.runtime.jobs.queue import JobQueue
from eapg_split.runtime.jobs.retention import to_forget
from eapg_split.runtime.jobs.ticket import CheckpointFile, Ended, JobState, JournalledJob, Terms, Ticket
from eapg_split.runtime.settings import Limits
from tests.nodes import undivided

TERMS = Terms("local", "pyramid", "A cat", ".mp4")
TICKET = Ticket("a1", b"request", TERMS, 100.0)
FILE = OutputFile("video.mp4", 12, "ab" * 32)
DONE = Ended(JobState.DONE, 130.0, b"done", files=(FILE,), step=10, total_steps=10)


def kept(step: int) -> KeptState:
    return KeptState(step, undivided(step), ErrorBudget(40.0, 0.5), "f" * 64)


@dataclass
class Life:
    """One job's operations in the order in which a daemon does them."""

    folder: Path

    def steps(self) -> Iterator[Callable[[Journal], object]]:
        yield lambda journal: journal.accept(TICKET)
        yield lambda journal: journal.begin("a1", 101.0)
        yield lambda journal: journal.tell("a1", [(1, b"one"), (2, b"two")])
        for step in (3, 6):
            yield lambda journal, step=step: self._keep(step)  # type: ignore[misc]
            yield lambda journal, step=step: journal.reach("a1", self.written[step])  # type: ignore[misc]
            yield lambda journal, step=step: self._remove_others(step)  # type: ignore[misc]
        yield lambda journal: journal.tell("a1", [(3, b"three")])
        yield lambda journal: journal.end("a1", DONE)

    def __post_init__(self) -> None:
        self.written: dict[int, CheckpointFile] = {}

    def _keep(self, step: int) -> None:
        (self.folder / "jobs" / "a1").mkdir(exist_ok=True)
        self.written[step] = write_checkpoint(self.folder / "jobs" / "a1", kept(step))

    def _remove_others(self, step: int) -> None:
        for each in (self.folder / "jobs" / "a1").iterdir():
            if each.name != self.written[step].name:
                each.unlink()


def test_a_crash_between_any_two_operations(tmp_path: Path) -> None:
    """Copies of the folder, with the journal open, are what a killed daemon leaves."""
    folder = tmp_path / "state"
    home = JobHome(folder)
    life, crashes = Life(folder), []
    for number, operation in enumerate(life.steps()):
        operation(home.journal)
        crashes.append(tmp_path / f"crash-{number}")
        shutil.copytree(folder, crashes[-1])
    home.close()
    reached: list[int] = []
    told: list[int] = []
    for crash in crashes:
        again = JobHome(crash)
        (job,) = again.journal.jobs()
        assert job.ticket == TICKET
        told.append(again.journal.last_event("a1"))
        if job.checkpoint is not None:
            found = read_checkpoint(again.job("a1").path, job.checkpoint)
            assert found == kept(job.checkpoint.step)
            reached.append(found.step)
        again.close()
    assert reached == sorted(reached)
    assert set(reached) == {3, 6}
    assert told == sorted(told)
    assert job.ended == DONE
    assert job.checkpoint is None


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    with_deadline = replace(TICKET, session="b2", terms=replace(TERMS, deadline_s=1e9), accepted_s=99.0)
    failed = Ended(
        JobState.FAILED, 120.0, error=("InfeasiblePlan", "No plan.", "edge"), step=3, total_steps=9
    )
    journal = Journal(tmp_path / "jobs.sqlite")
    for ticket in (TICKET, with_deadline):
        journal.accept(ticket)
    journal.begin("a1", 101.0)
    journal.begin("a1", 105.0)
    assert journal.end("b2", failed)
    assert not journal.end("b2", DONE), "it has ended"
    journal.close()
    journal = Journal(tmp_path / "jobs.sqlite")
    second, first = journal.jobs()
    assert (first.ticket, first.began_s, first.beginnings, first.ended) == (TICKET, 101.0, 2, None)
    assert (second.ticket, second.ended) == (with_deadline, failed)
    assert math.isinf(first.ticket.terms.deadline_s)
    assert second.ended is not None
    error = second.ended.raised("b2")
    assert (type(error).__name__, error.message, error.node_id, error.session_id) == (
        "InfeasiblePlan", "No plan.", "edge", "b2",
    )  # fmt: skip
    journal.tell("a1", [(number, b"x") for number in range(1, MOST_EVENTS + 11)])
    assert journal.events("a1", 0)[0] == (11, b"x")
    assert [number for number, _ in journal.events("a1", MOST_EVENTS + 10)] == [MOST_EVENTS + 10]
    journal.forget("a1")
    assert journal.job("a1") is None
    assert journal.last_event("a1") == 0
    journal.close()


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    match how:
        case "empty":
            path.write_bytes(b"")
        case "half":
            path.write_bytes(data[: len(data) // 2])
        case "altered":
            place = min(4096, len(data) // 2)  # SQLite's second page
            path.write_bytes(data[:place] + bytes(64) + data[place + 64 :])
        case "noise":
            path.write_bytes(np.random.default_rng(0).bytes(len(data)))


def make_alien(path: Path, statement: str) -> None:
    database = sqlite3.connect(path)
    database.execute(statement)
    database.commit()
    database.close()


@pytest.mark.parametrize(
    "how", ["half", "altered", "noise", "PRAGMA user_version=77", "UPDATE jobs SET error='{', state='failed'",
            "UPDATE jobs SET checkpoint='[1]'", "DROP TABLE jobs"],
)  # fmt: skip
def test_a_journal_that_cannot_be_read_is_set_aside(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    home = JobHome(tmp_path)
    home.journal.accept(TICKET)
    home.job("a1").make()
    home.close()
    path = tmp_path / "jobs.sqlite"
    if " " in how:
        make_alien(path, how)
    else:
        damage(path, how)
    for _ in range(2):
        with caplog.at_level(logging.WARNING):
            home = JobHome(tmp_path)
        assert home.journal.jobs() == []
        assert not home.job("a1").path.exists()
        assert (tmp_path / "damaged" / "jobs.sqlite").exists()
        assert (tmp_path / "damaged" / "jobs" / "a1").exists()
        home.close()
    assert caplog.text.count("set aside") == 1
    with pytest.raises(Damaged):
        Journal(tmp_path / "damaged" / "jobs.sqlite")


@pytest.mark.parametrize("how", ["empty", "half", "altered", "noise"])
def test_a_checkpoint_that_is_not_whole_is_no_checkpoint(tmp_path: Path, how: str) -> None:
    file = write_checkpoint(tmp_path, kept(6))
    assert read_checkpoint(tmp_path, file) == kept(6)
    damage(tmp_path / file.name, how)
    with pytest.raises(CorruptPayload, match="begins again"):
        read_checkpoint(tmp_path, file)


@pytest.mark.parametrize(
    "lie", [{"step": 5}, {"name": "../step-6.safetensors"}, {"size_bytes": 2**40}, {"checksum": "0" * 32}]
)
def test_a_journal_cannot_make_a_checkpoint_of_something_else(tmp_path: Path, lie: dict[str, object]) -> None:
    folder = tmp_path / "a1"
    folder.mkdir()
    file = write_checkpoint(folder, kept(6))
    shutil.copy(folder / file.name, tmp_path)
    with pytest.raises(CorruptPayload):
        read_checkpoint(folder, replace(file, **lie))  # type: ignore[arg-type]


def test_one_daemon_uses_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_module, "_LOCK_S", 0.1)
    home = JobHome(tmp_path / "state")
    with pytest.raises(InvalidRequest, match="--state"):
        JobHome(tmp_path / "state")
    home.close()
    JobHome(tmp_path / "state").close()
    (tmp_path / "file").write_text("")
    with pytest.raises(InvalidRequest, match="--state"):
        JobHome(tmp_path / "file" / "state")


def test_old_jobs_are_forgotten_first() -> None:
    def job(session: str, at_s: float | None, size: int) -> JournalledJob:
        ended = None
        if at_s is not None:
            ended = Ended(JobState.DONE, at_s, files=(OutputFile("v", size),))
        return JournalledJob(replace(TICKET, session=session), 0.0, 1, None, ended)

    jobs = [job("old", 100, 1), job("big", 900, 60), job("more", 950, 50), job("last", 990, 70)]
    limits = Limits(kept_jobs_s=500, kept_output_bytes=130)
    assert sorted(to_forget([*jobs, job("runs", None, 0)], limits, 1000)) == ["big", "old"]
    assert to_forget([job("huge", 990, 10**9)], limits, 1000) == []


async def test_turns_go_from_caller_to_caller() -> None:
    queue, order = JobQueue(1), list[str]()

    async def one(caller: str, name: str) -> None:
        await queue.take(caller)
        order.append(name)
        await asyncio.sleep(0)
        queue.give()

    names = ("a1", "a2", "a3", "b1", "c1", "b2")
    jobs = [asyncio.create_task(one(name[0], name)) for name in names]
    await asyncio.sleep(0)
    assert queue.waiting == 5
    jobs[2].cancel()
    await asyncio.gather(*jobs, return_exceptions=True)
    assert order == ["a1", "a2", "b1", "c1", "b2"]
    assert (queue.free, queue.waiting) == (True, 0)


async def nothing(events: Sequence[Told]) -> None:
    del events


async def test_who_reads_slowly_is_told_and_slows_nobody() -> None:
    written: list[Told] = []

    async def write(events: Sequence[Told]) -> None:
        written.extend(events)

    log = EventLog(write, [Told(1, Notice("before"))], last=1)
    slow = log.follow()
    assert await anext(slow) == Told(1, Notice("before"))
    for number in range(MOST_EVENTS + 5):
        await log.emit(Notice(str(number)))
    await log.close()
    heard = [told async for told in slow]
    assert isinstance(heard[0].event, Notice)
    assert heard[0].event.text.startswith("5 events were left out")
    assert heard[1:] == written[5:]
    assert [told.number for told in written] == list(range(2, MOST_EVENTS + 7))
    assert [told async for told in log.follow(MOST_EVENTS)] == written[MOST_EVENTS - 2 :]


async def test_previews_are_not_kept_and_bounded() -> None:
    log = EventLog(nothing)
    follower = log.follow()
    first = asyncio.create_task(anext(follower))
    await asyncio.sleep(0)
    events: list[JobEvent] = [
        PreviewFrame("stage1", 1, index, 100, np.zeros((2, 2, 3), np.uint8)) for index in range(100)
    ]
    for event in (Notice("begin"), *events, Notice("end")):
        await log.emit(event)
    await log.close()
    heard = [(await first).event, *[told.event async for told in follower]]
    assert heard == [Notice("begin"), *events[-MOST_PREVIEWS:], Notice("end")]
    assert [told.event async for told in log.follow()] == [Notice("begin"), Notice("end")]


def checkpoint(step: int) -> Checkpoint:
    state = Latent({"x": np.full((1, 1), step, np.float32)})
    tensors = {spec.name: KeptTensor(spec, array=state[spec.name]) for spec in state.spec.tensors}
    return Checkpoint(step, CODECS, tensors)


async def test_the_newest_checkpoint_is_written_and_failures_do_not_end_a_job() -> None:
    written: list[int] = []
    going, may_go = asyncio.Event(), asyncio.Event()

    async def write(found: Checkpoint) -> None:
        going.set()
        await may_go.wait()
        written.append(found.step)
        if found.step == 1:
            raise OSError("No space left on device")

    keeper = Keeper(write)
    keeper.keep(checkpoint(1))
    await going.wait()
    for step in (2, 5, 4):
        keeper.keep(checkpoint(step))
    may_go.set()
    await keeper.flush()
    assert written == [1, 5]
    await keeper.close()
