"""What replays come to: a line for each policy, and a document for programs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from simulations.outcomes import End
from simulations.replaying import Course, Replay
from simulations.results import interval

AS_IT_WAS = "as it was"


@dataclass(frozen=True)
class Line:
    """One course, real or the mean of several replays; `same` is the policy that ran, replayed.

    `off` is how much longer it took than the real one, as a share; None of the real one, and where not all replays came
    to their end. `half_s` is half of the 95 % interval of the seconds.
    """

    name: str
    same: bool
    done: bool
    ends: str
    seconds: float
    half_s: float
    off: float | None
    sent_bytes: float
    energy_j: float
    money: float
    switches: float
    placed: str


def lines_of(found: Replay) -> list[Line]:
    """As it was, the same policy replayed, the others."""
    was = found.was
    lines = [_line(AS_IT_WAS, [was], None)]
    for name, courses in found.courses.items():
        own = name == found.run.policy
        title = f"{name}, replayed" if own else name
        lines.append(_line(title, courses, was.seconds, same=own))
    return lines


def summary(replays: Sequence[Replay]) -> dict[str, object]:
    """Plain values; docs/replay.md has the fields."""
    own = [line.off for each in replays for line in lines_of(each) if line.same and line.off is not None]
    return {
        "runs": [
            {
                "log": each.run.name,
                "policy": each.run.policy,
                "lines": [asdict(line) for line in lines_of(each)],
                "notes": list(each.notes),
            }
            for each in replays
        ],
        "median_error": median(map(abs, own)) if own else None,
        "largest_error": max(map(abs, own)) if own else None,
    }


def _line(name: str, courses: Sequence[Course], real_s: float | None, *, same: bool = False) -> Line:
    done = all(course.end is End.DONE for course in courses)
    seconds = interval([course.seconds for course in courses])
    placed = [course.placed for course in courses]
    usual = max(dict.fromkeys(placed), key=placed.count)
    count = len(courses)
    return Line(
        name=name,
        same=same,
        done=done,
        ends=", ".join(dict.fromkeys(course.end for course in courses)),
        seconds=seconds.mean,
        half_s=seconds.half if count > 1 else 0.0,
        off=seconds.mean / real_s - 1 if real_s and done else None,
        sent_bytes=sum(course.sent_bytes for course in courses) / count,
        energy_j=sum(course.energy_j for course in courses) / count,
        money=sum(course.money for course in courses) / count,
        switches=sum(course.switches for course in courses) / count,
        placed=usual,
    )
