"""The chart of what ran where and when: a lane for each node, and one for each link."""

from typing import TYPE_CHECKING, Final

from eapg_split.cli.report_page.figure import clean_axes, draw, label, legend
from eapg_split.cli.report_page.markup import Markup, join
from eapg_split.cli.report_page.palette import DECODE, ENCODE, HANDOFF, WIRE, colour_of, stage_colours
from eapg_split.cli.report_page.story import Story
from eapg_split.cli.text import duration
from eapg_split.runtime.events import Hop

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_LANES: Final = 24
_STEP = (-0.36, 0.72)  # below and height, around the middle of a lane
_WIRE = (-0.14, 0.28)
_ENCODE = (0.2, 0.14)
_DECODE = (-0.34, 0.14)
_LEAST_WIDTH: Final = 0.9  # points, so that what takes milliseconds of minutes can still be seen


def gantt(story: Story) -> Markup:
    """Steps by node and hand-offs by link, over the seconds of the job."""
    links = _links(story)
    lanes = (story.nodes + list(dict.fromkeys(links.values())))[:_MOST_LANES]
    colours = stage_colours(story.header)
    used = {step.stage for step in story.steps}

    def paint(figure: "Figure") -> None:
        axes = figure.add_subplot()
        heights = {name: len(lanes) - 1 - index for index, name in enumerate(lanes)}
        _steps(axes, story, heights, colours)
        for hop in story.hops:
            _hop(axes, hop, heights.get(links[hop.source, hop.target]))
        axes.set_yticks(list(heights.values()), [label(name) for name in heights])
        axes.set_xlabel("seconds since the job was accepted")
        axes.set_xlim(0, story.end_s * 1.01)
        axes.set_ylim(-0.6, len(lanes) - 0.4)
        clean_axes(axes)

    alt = (
        f"Chart of {len(story.steps)} steps on {len(story.nodes)} nodes and {len(story.hops)} hand-offs"
        f" over {duration(story.end_s)}; the tables below have the same figures."
    )
    entries = [(colour, name) for name, colour in colours.items() if name in used]
    entries += HANDOFF if story.hops else ()
    return join((legend(entries), draw("when", alt, (9.6, 0.75 + 0.42 * len(lanes)), paint)))


def _links(story: Story) -> dict[tuple[str, str], str]:
    """The lane of each way that was taken; both directions of a link share one."""
    lanes: dict[tuple[str, str], str] = {}
    for hop in story.hops:
        name = lanes.get((hop.target, hop.source), f"{hop.source} \N{LEFT RIGHT ARROW} {hop.target}")
        lanes.setdefault((hop.source, hop.target), name)
    return lanes


def _steps(axes: "Axes", story: Story, heights: dict[str, int], colours: dict[str, str]) -> None:
    spans: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for step in story.steps:
        span = step.start_s, step.seconds
        spans.setdefault((step.node, colour_of(step.stage, colours)), []).append(span)
    for (node, colour), bars in spans.items():
        _bars(axes, bars, heights.get(node), _STEP, colour)


def _hop(axes: "Axes", hop: Hop, height: int | None) -> None:
    end_s = hop.start_s + hop.seconds
    _bars(axes, [(hop.start_s, hop.seconds)], height, _WIRE, WIRE)
    if hop.encode_s:
        _bars(axes, [(hop.start_s, hop.encode_s)], height, _ENCODE, ENCODE)
    if hop.decode_s:
        _bars(axes, [(max(0.0, end_s - hop.decode_s), hop.decode_s)], height, _DECODE, DECODE)


def _bars(
    axes: "Axes",
    spans: list[tuple[float, float]],
    height: int | None,
    place: tuple[float, float],
    colour: str,
) -> None:
    """Bars on the lane at `height`; none where the chart has no room for the lane."""
    if height is not None:
        below, tall = place
        axes.broken_barh(
            spans, (height + below, tall), facecolor=colour, edgecolor=colour, linewidth=_LEAST_WIDTH
        )
