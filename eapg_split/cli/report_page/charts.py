"""Bars for what crossed each cut, and the bandwidth over time."""

from typing import TYPE_CHECKING, Final

from eapg_split.cli.report_page.figure import INK, clean_axes, draw, label, legend
from eapg_split.cli.report_page.markup import Markup, join, tag, text
from eapg_split.cli.report_page.palette import DECODE, ENCODE, HANDOFF, LINKS, WIRE
from eapg_split.cli.report_page.story import Story
from eapg_split.cli.text import duration, size
from eapg_split.runtime.events import Hop

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ARROW: Final = "\N{RIGHTWARDS ARROW}"
_LEAST_SECONDS: Final = 1e-9
_WIDE_RANGE: Final = 30  # of the largest to the smallest rate; beyond it the axis is logarithmic


def cuts(story: Story) -> Markup:
    """Bytes on the wire, and seconds, of each hand-off."""
    hops = story.hops
    names = [f"{label(hop.source)} {_ARROW} {label(hop.target)}, step {hop.step}" for hop in hops]
    heights = [float(len(hops) - 1 - index) for index in range(len(hops))]

    def paint(figure: "Figure") -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        _bytes(left, hops, heights)
        _seconds(right, hops, heights)
        left.set_yticks(heights, names)
        right.tick_params(labelleft=False)
        left.set_ylim(-0.6, len(hops) - 0.4)

    alt = f"Bars of the bytes and the seconds of {len(hops)} hand-offs; the table below has the figures."
    return join((legend(list(HANDOFF)), draw("cuts", alt, (9.6, 0.8 + 0.42 * len(hops)), paint)))


def bandwidth(story: Story) -> Markup:
    """Goodput samples over time, and each hand-off's own rate as a line as long as it took."""
    lines = [(hop, _rate(hop.wire_bytes, hop.seconds)) for hop in story.hops]
    lines = [(hop, rate) for hop, rate in lines if rate > 0]
    dots = [(sample, _rate(sample.bytes, sample.seconds)) for sample in story.samples]
    dots = [(sample, rate) for sample, rate in dots if rate > 0]
    rates = [rate for _, rate in lines] + [rate for _, rate in dots]
    if not rates:
        return tag("p", text("Nothing travelled, so nothing was measured."), attributes={"class": "note"})
    ways = list(
        dict.fromkeys([(h.source, h.target) for h, _ in lines] + [(s.source, s.target) for s, _ in dots])
    )
    colours = {way: LINKS[index % len(LINKS)] for index, way in enumerate(ways)}

    def paint(figure: "Figure") -> None:
        axes = figure.add_subplot()
        for hop, rate in lines:
            colour, span = colours[hop.source, hop.target], (hop.start_s, hop.start_s + hop.seconds)
            axes.plot(span, (rate, rate), color=colour, linewidth=2, marker="_", markersize=9)
        moments = [sample.at_s for sample, _ in dots]
        hues = [colours[sample.source, sample.target] for sample, _ in dots]
        axes.scatter(moments, [rate for _, rate in dots], s=14, c=hues, linewidths=0)
        if max(rates) > _WIDE_RANGE * min(rates):
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        else:
            axes.set_ylim(0, max(rates) * 1.1)
        axes.set_xlim(0, story.end_s * 1.01)
        axes.set_xlabel("seconds since the job was accepted")
        axes.set_title("Mbit/s")
        axes.grid(visible=True)

    alt = f"{len(dots)} samples of goodput from {min(rates):.3g} to {max(rates):.3g} Mbit/s on {len(ways)} links."
    entries = [(colour, f"{source} {_ARROW} {target}") for (source, target), colour in colours.items()]
    return join((legend(entries), draw("bandwidth", alt, (9.6, 2.8), paint)))


def _bytes(axes: "Axes", hops: list[Hop], heights: list[float]) -> None:
    axes.barh(heights, [hop.wire_bytes / 1e6 for hop in hops], height=0.5, color=WIRE)
    _ends(axes, heights, [(hop.wire_bytes / 1e6, size(hop.wire_bytes)) for hop in hops])
    axes.set_title("MB on the wire")
    clean_axes(axes)


def _seconds(axes: "Axes", hops: list[Hop], heights: list[float]) -> None:
    for shift, colour, values in (
        (0.24, ENCODE, [hop.encode_s for hop in hops]),
        (0.0, WIRE, [hop.seconds for hop in hops]),
        (-0.24, DECODE, [hop.decode_s for hop in hops]),
    ):
        axes.barh([height + shift for height in heights], values, height=0.2, color=colour)
    longest = [max(hop.encode_s, hop.seconds, hop.decode_s) for hop in hops]
    _ends(axes, heights, [(long, duration(hop.seconds)) for hop, long in zip(hops, longest, strict=True)])
    axes.set_title("seconds")
    clean_axes(axes)


def _ends(axes: "Axes", heights: list[float], ends: list[tuple[float, str]]) -> None:
    """Words behind the end of each bar, and room for them."""
    for height, (end, words) in zip(heights, ends, strict=True):
        axes.annotate(
            words, (end, height), (4, 0), textcoords="offset points", va="center", color=INK, fontsize=8.5
        )
    axes.set_xlim(0, max([end for end, _ in ends] + [1e-6]) * 1.25)


def _rate(count: int, seconds: float) -> float:
    """Megabits per second; 0 where the time is too short to be one."""
    return 8 * count / seconds / 1e6 if seconds >= _LEAST_SECONDS else 0.0
