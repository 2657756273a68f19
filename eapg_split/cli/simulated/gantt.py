"""`jobs.svg`: who computed what of one job and when, a group of rows for each policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from eapg_split.cli.planning.svg import head
from eapg_split.cli.report_page.figure import INK, LINE, MUTED, label
from eapg_split.cli.report_page.palette import WIRE, in_order
from eapg_split.cli.simulated.job_story import Arrival, JobStory, chosen, story
from eapg_split.cli.simulated.reading import PolicyRuns
from eapg_split.cli.simulated.style import WIDE, colour, draw
from eapg_split.cli.text import duration

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW: Final = 0.27  # inches
_HEAD_ROWS: Final = 4.9
_BAR: Final = 0.62
_MOST_LOSSES: Final = 100
_LOST: Final = "#c0182b"
_ENDS: Final = {
    "done": "done after {}",
    "failed": "failed after {}",
    "late": "passed its deadline after {}",
    "open": "still running after {}, when the simulation ended",
}


@dataclass(frozen=True)
class _Group:
    """A policy's rows: the height of its title, and of each node's row."""

    number: int
    label: str
    story: JobStory | None
    top: float

    @property
    def rows(self) -> dict[str, float]:
        """Nodes and the middles of their rows, downwards."""
        if self.story is None:
            return {}
        return {node: self.top - 1 - index for index, node in enumerate(self.story.nodes)}

    @property
    def bottom(self) -> float:
        return self.top - len(self.rows) - 1.25


def job_picture(title: str, policies: Sequence[PolicyRuns], job: int | None) -> str | None:
    """The SVG document; None where no job came. Raises InvalidRequest where there is none of that number."""
    line = chosen(policies[0].first, job)
    if line is None:
        return None
    arrival = Arrival.of(line)
    groups, top = list[_Group](), 0.0
    for number, each in enumerate(policies):
        groups.append(_Group(number, each.label, story(each.first, arrival), top))
        top = groups[-1].bottom
    told = [group.story for group in groups if group.story is not None]
    longest_s = max((each.latency_s for each in told), default=1.0) or 1.0

    def paint(figure: "Figure") -> None:
        axes = figure.add_subplot()
        for group in groups:
            _group(axes, group, longest_s)
        ticks = {height: node for group in groups for node, height in group.rows.items()}
        axes.set_yticks(list(ticks), [label(node) for node in ticks.values()])
        axes.set_ylim(groups[-1].bottom + 0.4, 0.8)
        axes.set_xlim(0, longest_s * 1.02)
        axes.set_xlabel(f"seconds since the job came, at {duration(arrival.began_s)} of simulated time")
        axes.grid(visible=True, axis="x", color=LINE)
        which = f"{title}: job {line['job']}, '{arrival.demand}' from {label(arrival.device)}"
        which += f", seed {policies[0].first.seed}"
        head(figure, "How one job went under each policy", which, _legend(told))

    size = (WIDE, _ROW * (_HEAD_ROWS - groups[-1].bottom))
    words = "; ".join(f"{group.label}: {_end(group)}" for group in groups)
    return draw("jobs", f"{title}: one job under each policy. {words}.", size, paint)


def _group(axes: "Axes", group: _Group, longest_s: float) -> None:
    axes.text(0, group.top, group.label, color=colour(group.number), fontweight="bold", va="center")
    room = 0.012 * len(group.label) + 0.02
    axes.text(room * longest_s, group.top, _end(group), color=MUTED, va="center", fontsize=9)
    told, rows = group.story, group.rows
    if told is None:
        return
    for height in rows.values():
        axes.plot([0, told.latency_s], [height, height], color=LINE, linewidth=1, zorder=1)
    for at_s, _ in told.changes:
        axes.plot(
            [at_s, at_s],
            [group.top - 0.5, group.bottom + 0.75],
            color=INK,
            linewidth=0.9,
            linestyle=(0, (2, 1.5)),
            zorder=3,
        )
    colours = in_order(told.stages)
    spans: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for node, stage, begin_s, end_s in told.steps:
        spans.setdefault((node, stage), []).append((begin_s, end_s - begin_s))
    for (node, stage), bars in spans.items():
        place = rows[node] - _BAR / 2, _BAR
        axes.broken_barh(
            bars, place, facecolor=colours[stage], edgecolor=colours[stage], linewidth=0.4, zorder=2
        )
    for source, target, begin_s, end_s in told.hops:
        lean = _BAR / 2 if rows[source] > rows[target] else -_BAR / 2
        axes.plot(
            [begin_s, end_s], [rows[source] - lean, rows[target] + lean], color=WIRE, linewidth=1.6, zorder=4
        )
    lost = told.losses[:_MOST_LOSSES]
    (crosses,) = axes.plot(
        [at_s for _, at_s, _ in lost],
        [rows[node] for node, _, _ in lost],
        "X",
        color=_LOST,
        markeredgecolor="white",
        markersize=8,
        clip_on=False,
        linestyle="none",
        zorder=5,
    )
    crosses.set_in_layout(False)
    axes.plot(
        [told.latency_s] * 2, [group.top - 0.6, group.bottom + 0.75], color=INK, linewidth=1.6, zorder=3
    )


def _end(group: _Group) -> str:
    """How it ended, in words."""
    told = group.story
    if told is None:
        return "the job did not come: its device was off"
    words = _ENDS[told.end].format(duration(told.latency_s))
    words += f", {_count(told.losses, 'segment')} lost or refused" if told.losses else ""
    if told.changes:
        why = ", ".join(dict.fromkeys(reason for _, reason in told.changes))
        words += f", {_count(told.changes, 'change')} of plan: {label(why)}"
    return words


def _count(things: Sequence[object], name: str) -> str:
    return f"{len(things)} {name}{'' if len(things) == 1 else 's'}"


def _legend(told: Sequence[JobStory]) -> "list[Artist]":
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    used = {stage for each in told for _, stage, _, _ in each.steps}
    stages = {stage: hue for each in told for stage, hue in in_order(each.stages).items() if stage in used}
    found: list[Artist] = [Patch(color=hue, label=label(stage)) for stage, hue in stages.items()]
    if any(each.hops for each in told):
        found.append(Line2D([], [], color=WIRE, linewidth=1.8, label="state on its way"))
    if any(each.changes for each in told):
        found.append(Line2D([], [], color=INK, linewidth=1, linestyle=(0, (2, 1.5)), label="new plan"))
    if any(each.losses for each in told):
        found.append(
            Line2D([], [], color=_LOST, marker="X", linestyle="none", label="segment lost or refused")
        )
    return found
