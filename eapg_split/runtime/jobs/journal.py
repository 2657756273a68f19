"""What a device promised: accepted jobs, how far they came and how they ended, in one SQLite file.

Blocking, and used by one thread at a time. A promise is on the disk when its method returns (`synchronous=FULL`); what
only helps to tell a job's story survives the process, not a power cut (`NORMAL`).
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from eapg_split.errors import OutputFailure
from eapg_split.runtime.events import OutputFile
from eapg_split.runtime.jobs.ticket import CheckpointFile, Ended, JobState, JournalledJob, Terms, Ticket

FORMAT: Final = 1
MOST_EVENTS: Final = 4096  # of one job; the oldest go first
_ACCEPTED: Final = "accepted"
_OF_THE_PLACE: Final = (
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED,
)  # fmt: skip
_SCHEMA: Final = """
CREATE TABLE jobs (
    session TEXT PRIMARY KEY, request BLOB NOT NULL, caller TEXT NOT NULL, policy TEXT NOT NULL, label TEXT NOT NULL,
    suffix TEXT NOT NULL, accepted_s REAL NOT NULL, deadline_s REAL NOT NULL, state TEXT NOT NULL,
    began_s REAL, beginnings INTEGER NOT NULL DEFAULT 0, checkpoint TEXT, ended_s REAL, done BLOB, error TEXT,
    step INTEGER NOT NULL DEFAULT 0, total_steps INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE events (
    session TEXT NOT NULL, number INTEGER NOT NULL, event BLOB NOT NULL, PRIMARY KEY (session, number)
) WITHOUT ROWID;
CREATE TABLE files (
    session TEXT NOT NULL, position INTEGER NOT NULL, name TEXT NOT NULL, size_bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL, PRIMARY KEY (session, position)
) WITHOUT ROWID;
"""


_Row = tuple[Any, ...]  # what SQLite gives; a row that lies is found out when values are made of it


class Damaged(Exception):  # noqa: N818  (the name says it)
    """The file is no journal of ours, or not whole."""


class Journal:
    """Every method but `close` raises OutputFailure where the disk does not take it."""

    def __init__(self, path: Path) -> None:
        """Opens or makes the file. Raises Damaged, and OSError where the place cannot be used."""
        self._path = path
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except (sqlite3.Error, UnicodeDecodeError, OutputFailure, Damaged) as error:
            self._db.close()
            cause = error.__cause__ if isinstance(error, OutputFailure) else error
            code = getattr(cause, "sqlite_errorcode", 0)  # what is not text, Python itself complains of
            if code & 0xFF in _OF_THE_PLACE:
                raise OSError(str(cause)) from error
            raise Damaged(str(cause)) from error

    def _prepare(self) -> None:
        db = self._db
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA secure_delete=ON")  # a prompt that is forgotten is gone
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version == 0 and db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
            with self._writing(durable=True):
                for statement in _SCHEMA.split(";"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version={FORMAT}")
        elif version != FORMAT:
            raise Damaged(f"it has format {version}, not {FORMAT}")
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise Damaged(str(found))
        self.jobs()  # a row that cannot be read is damage too

    def close(self) -> None:
        """Nothing is asked of it any more."""
        self._db.close()

    def accept(self, ticket: Ticket) -> None:
        """Promises the job."""
        terms = ticket.terms
        with self._writing(durable=True) as db:
            db.execute(
                "INSERT INTO jobs (session, request, caller, policy, label, suffix, accepted_s, deadline_s, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    ticket.session, ticket.request, terms.caller, terms.policy, terms.label, terms.suffix,
                    ticket.accepted_s, terms.deadline_s, _ACCEPTED,
                ),
            )  # fmt: skip

    def begin(self, session: str, at_s: float) -> None:
        """The job's turn has come, perhaps again; `JournalledJob.beginnings` counts it before anything can go wrong."""
        with self._writing(durable=True) as db:
            db.execute(
                "UPDATE jobs SET began_s = COALESCE(began_s, ?), beginnings = beginnings + 1 WHERE session = ?",
                (at_s, session),
            )

    def tell(self, session: str, events: Sequence[tuple[int, bytes]]) -> None:
        """Adds numbered events; the oldest beyond MOST_EVENTS go."""
        with self._writing(durable=False) as db:
            db.executemany(
                "INSERT OR REPLACE INTO events VALUES (?, ?, ?)",
                [(session, number, event) for number, event in events],
            )
            last = events[-1][0] - MOST_EVENTS
            db.execute("DELETE FROM events WHERE session = ? AND number <= ?", (session, last))

    def reach(self, session: str, checkpoint: CheckpointFile) -> None:
        """The job can go on from a file that is whole on the disk already."""
        fields = [checkpoint.step, checkpoint.name, checkpoint.size_bytes, checkpoint.checksum]
        with self._writing(durable=True) as db:
            db.execute(
                "UPDATE jobs SET checkpoint = ?, beginnings = 1 WHERE session = ?",
                (json.dumps(fields), session),
            )

    def pause(self, session: str) -> None:
        """The daemon stops in an orderly way: this beginning did not end badly."""
        with self._writing(durable=False) as db:
            db.execute("UPDATE jobs SET beginnings = 0 WHERE session = ?", (session,))

    def end(self, session: str, ended: Ended) -> bool:
        """Declares how the job ended; False where it has ended already, and then nothing changes."""
        with self._writing(durable=True) as db:
            changed = db.execute(
                "UPDATE jobs SET state = ?, ended_s = ?, done = ?, error = ?, step = ?, total_steps = ?,"
                " checkpoint = NULL WHERE session = ? AND state = ?",
                (
                    ended.state, ended.at_s, ended.done, json.dumps(ended.error), ended.step, ended.total_steps,
                    session, _ACCEPTED,
                ),
            ).rowcount  # fmt: skip
            if changed:
                db.executemany(
                    "INSERT INTO files VALUES (?, ?, ?, ?, ?)",
                    [
                        (session, position, file.name, file.size_bytes, file.sha256)
                        for position, file in enumerate(ended.files)
                    ],
                )
        return bool(changed)

    def forget(self, session: str) -> None:
        """Nothing of the job is kept."""
        with self._writing(durable=True) as db:
            for table in ("jobs", "events", "files"):
                db.execute(f"DELETE FROM {table} WHERE session = ?", (session,))

    def job(self, session: str) -> JournalledJob | None:
        """One job, where it is known."""
        return next(self._jobs("WHERE session = ?", session), None)

    def jobs(self) -> list[JournalledJob]:
        """All jobs, in the order in which they were accepted."""
        return list(self._jobs("ORDER BY accepted_s, session"))

    def events(self, session: str, first: int = 0) -> list[tuple[int, bytes]]:
        """What happened in a job, from number `first` on; what is none in a damaged file is left out."""
        rows = self._read(
            "SELECT number, event FROM events WHERE session = ? AND number >= ? ORDER BY number",
            session,
            first,
        )
        return [row for row in rows if isinstance(row[0], int) and isinstance(row[1], bytes)]

    def last_event(self, session: str) -> int:
        """The number of the last event, 0 where there is none."""
        ((number,),) = self._read("SELECT COALESCE(MAX(number), 0) FROM events WHERE session = ?", session)
        return number if isinstance(number, int) else 0

    def _jobs(self, which: str, *values: object) -> Iterator[JournalledJob]:
        rows = self._read(
            "SELECT session, request, caller, policy, label, suffix, accepted_s, deadline_s, state, began_s,"
            f" beginnings, checkpoint, ended_s, done, error, step, total_steps FROM jobs {which}",
            *values,
        )
        for row in rows:
            try:
                yield self._job(row)
            except (TypeError, ValueError, RecursionError) as error:
                raise Damaged(f"a row cannot be read: {error}") from error

    def _job(self, row: _Row) -> JournalledJob:
        session, request, caller, policy, label, suffix, accepted_s, deadline_s, state, *rest = row
        began_s, beginnings, checkpoint, ended_s, done, error, step, total_steps = rest
        if not isinstance(request, bytes):
            raise TypeError("a request is no bytes")
        ended = None
        if state != _ACCEPTED:
            name, message, node = json.loads(error)
            files = self._read(
                "SELECT name, size_bytes, sha256 FROM files WHERE session = ? ORDER BY position", session
            )
            ended = Ended(
                JobState(state), ended_s, memoryview(done).tobytes(), (name, message, node),
                tuple(OutputFile(*file) for file in files), step, total_steps,
            )  # fmt: skip
        return JournalledJob(
            Ticket(session, request, Terms(caller, policy, label, suffix, deadline_s), accepted_s),
            began_s,
            beginnings,
            None if checkpoint is None else CheckpointFile(*json.loads(checkpoint)),
            ended,
        )

    def _read(self, query: str, *values: object) -> list[_Row]:
        with self._reported():
            return self._db.execute(query, values).fetchall()

    @contextmanager
    def _writing(self, *, durable: bool) -> Iterator[sqlite3.Connection]:
        with self._reported():
            self._db.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise OutputFailure(
                f"The journal of jobs, {self._path}, cannot be used ({error}): make room there, or choose another"
                " folder with --state."
            ) from error
