"""Which ended jobs are forgotten: the oldest first, by age, by number and by the bytes of their output."""

from collections.abc import Iterable
from typing import Final

from eapg_split.runtime.jobs.ticket import JournalledJob
from eapg_split.runtime.settings import Limits

MOST_ENDED: Final = 256


def to_forget(jobs: Iterable[JournalledJob], limits: Limits, now_s: float) -> list[str]:
    """The sessions to forget; the one that ended last stays for its time, however large."""
    ended = sorted(
        ((job.ended.at_s, job) for job in jobs if job.ended is not None), key=lambda each: -each[0]
    )
    found: list[str] = []
    held_bytes = 0
    for place, (at_s, job) in enumerate(ended):
        assert job.ended is not None
        held_bytes += sum(file.size_bytes for file in job.ended.files)
        too_much = place > 0 and held_bytes > limits.kept_output_bytes
        if too_much or place >= MOST_ENDED or now_s - at_s > limits.kept_jobs_s:
            found.append(job.ticket.session)
    return found
