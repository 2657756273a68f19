"""The journal of a device's jobs: a file of SQLite whose pages are broken, or whose rows hold anything."""

import contextlib
import json
import sqlite3
from functools import cache
from random import Random
from typing import Final

from eapg_split.errors import EapgError
from eapg_split.runtime.events import OutputFile
from eapg_split.runtime.jobs.journal import Damaged, Journal
from eapg_split.runtime.jobs.ticket import CheckpointFile, Ended, JobState, JournalledJob, Terms, Ticket
from tests.fuzz.files import FOLDER, file_of
from tests.fuzz.mutations import a_value, mutated_bytes
from tests.fuzz.target import MIB, Target

_COLUMNS: Final = {
    "jobs": (
        "request", "caller", "accepted_s", "deadline_s", "state", "began_s", "beginnings", "checkpoint", "ended_s",
        "done", "error", "step", "total_steps",
    ),
    "events": ("number", "event"),
    "files": ("position", "name", "size_bytes", "sha256"),
}  # fmt: skip
_TERMS: Final = Terms("local", "pyramid", "A cat", ".mp4")


def _remove() -> None:
    for name in ("journal", "journal-wal", "journal-shm"):
        (FOLDER / name).unlink(missing_ok=True)


def _open(data: bytes) -> None:
    """Everything that it says is read."""
    _remove()
    journal = Journal(file_of(data, "journal"))
    with contextlib.closing(journal):
        for job in journal.jobs():
            assert isinstance(job, JournalledJob)
            journal.events(job.ticket.session)
            journal.last_event(job.ticket.session)


@cache
def _honest() -> tuple[bytes, ...]:
    _remove()
    journal = Journal(FOLDER / "journal")
    for session in ("a1", "b2"):
        journal.accept(Ticket(session, b"request", _TERMS, 100.0))
        journal.begin(session, 101.0)
        journal.tell(session, [(1, b"one"), (2, b"two")])
        journal.reach(session, CheckpointFile(3, "step-3.safetensors", 12, "ab" * 16))
    journal.end(
        "b2",
        Ended(JobState.DONE, 130.0, b"done", files=(OutputFile("", 12, "ab" * 32),), step=9, total_steps=9),
    )
    journal.close()
    return ((FOLDER / "journal").read_bytes(),)


def _mutate(data: bytes, other: bytes, random: Random) -> bytes:
    if random.random() < 0.4:
        return mutated_bytes(data, other, random)
    _remove()
    path = file_of(data, "journal")
    table = random.choice(list(_COLUMNS))
    column, value = random.choice(_COLUMNS[table]), a_value(random)
    if isinstance(value, list | dict) or (isinstance(value, int) and abs(value) >= 2**63):
        value = json.dumps(value)
    elif random.random() < 0.2:
        value = str(value).encode()
    with contextlib.closing(sqlite3.connect(path)) as db, contextlib.suppress(sqlite3.Error), db:
        db.execute("PRAGMA journal_mode=DELETE")
        db.execute(f"UPDATE {table} SET {column} = ?", (value,))
    return path.read_bytes()


JOURNAL_TARGETS: Final = (
    Target(
        "journals", "states", lambda: _honest(), _mutate, _open,
        refusals=(EapgError, Damaged, OSError), base_bytes=4 * MIB, quick_runs=150,
    ),
)  # fmt: skip
