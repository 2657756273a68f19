"""What a log tells, sorted by what the page shows; bounded, so that a long log gives a page that still opens."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeVar

from eapg_split.cli.run_log import Failed, Header, PreviewPicture, RunLog, read_log
from eapg_split.runtime.events import (
    Goodput,
    Hop,
    JobDone,
    Notice,
    PlacedSegment,
    PlanMade,
    PlanReviewed,
    StepDone,
)

T = TypeVar("T")

_MOST_STEPS: Final = 2000
_MOST_HOPS: Final = 60
_MOST_SAMPLES: Final = 4000
_MOST_NOTICES: Final = 100
_MOST_STAGES: Final = 16


@dataclass
class Story:
    """One run. Times are in seconds since the device accepted the job, on the device's clock."""

    name: str
    header: Header
    plans: list[PlanMade] = field(default_factory=list)
    steps: list[StepDone] = field(default_factory=list)
    hops: list[Hop] = field(default_factory=list)
    samples: list[Goodput] = field(default_factory=list)
    reviews: list[PlanReviewed] = field(default_factory=list)
    notices: list[tuple[float, str]] = field(default_factory=list)
    pictures: dict[str, dict[int, PreviewPicture]] = field(default_factory=dict)
    done: JobDone | None = None
    failed: Failed | None = None
    remarks: list[str] = field(default_factory=list)

    @property
    def segments(self) -> Sequence[PlacedSegment]:
        """What really ran where; of a run without an end, as far as it came."""
        if self.done is not None:
            return self.done.segments
        ran: list[PlacedSegment] = []
        for step in self.steps:
            if ran and (ran[-1].node, ran[-1].stop_step) == (step.node, step.step):
                ran[-1] = replace(ran[-1], stop_step=step.step + 1)
            else:
                ran.append(PlacedSegment(step.node, step.tier, step.step, step.step + 1))
        return ran

    @property
    def nodes(self) -> list[str]:
        """Nodes in the order in which they come into the story."""
        placed = [segment.node for plan in self.plans for segment in plan.segments]
        return list(dict.fromkeys([*placed, *(step.node for step in self.steps)]))

    @property
    def end_s(self) -> float:
        """When the last thing that is known of ended."""
        ends = [step.start_s + step.seconds for step in self.steps]
        ends += [hop.start_s + hop.seconds for hop in self.hops]
        return max([*ends, *(sample.at_s for sample in self.samples), 1e-3])


def read_story(path: Path) -> Story:
    """The story in a log. Raises InvalidRequest."""
    return tell(path.name, read_log(path))


def tell(name: str, log: RunLog) -> Story:
    """Sorts a log that was read."""
    story = Story(name, log.header)
    offset_s = 0.0
    for line in log.lines:
        match line.record:
            case PlanMade() as plan:
                if not story.plans:
                    offset_s = line.seen_s - plan.at_s
                story.plans.append(plan)
            case StepDone() as step:
                story.steps.append(step)
            case Hop() as hop:
                story.hops.append(hop)
            case Goodput() as sample:
                story.samples.append(sample)
            case PlanReviewed() as review:
                story.reviews.append(review)
            case Notice(text):
                story.notices.append((max(0.0, line.seen_s - offset_s), text))
            case PreviewPicture() as picture:
                _keep(story, picture)
            case JobDone() as done:
                story.done = done
            case Failed() as failed:
                story.failed = failed
            case _:
                pass
    if log.unfinished:
        story.remarks.append(log.unfinished)
    if log.unknown_lines:
        story.remarks.append(f"{log.unknown_lines} lines are of kinds that this version does not know.")
    _bound(story)
    return story


def _keep(story: Story, picture: PreviewPicture) -> None:
    """The last estimate of each stage: what a lost node had begun is replaced by what came in its place."""
    if picture.stage in story.pictures or len(story.pictures) < _MOST_STAGES:
        kept = story.pictures.setdefault(picture.stage, {})
        if picture.index == 0:
            kept.clear()
        if picture.webp and len(kept) < 3:
            kept[picture.index] = picture


def _bound(story: Story) -> None:
    story.plans = _first(story, story.plans, _MOST_NOTICES, "plans")
    story.steps = _first(story, story.steps, _MOST_STEPS, "steps")
    story.hops = _first(story, story.hops, _MOST_HOPS, "hand-offs")
    story.reviews = _first(story, story.reviews, _MOST_NOTICES, "looks at the plan")
    story.notices = _first(story, story.notices, _MOST_NOTICES, "notices")
    every = -(-len(story.samples) // _MOST_SAMPLES) or 1
    story.samples = story.samples[::every]


def _first(story: Story, items: list[T], most: int, what: str) -> list[T]:
    if len(items) > most:
        story.remarks.append(f"Only the first {most} of {len(items)} {what} are shown.")
    return items[:most]
