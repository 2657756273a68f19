"""Who computed what, and what moved, one course below the other: as it was, replayed, and under other policies."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from eapg_split.cli.planning.svg import head, picture
from eapg_split.cli.replaying.summary import AS_IT_WAS
from eapg_split.cli.report_page.figure import INK, MUTED, clean_axes, label
from eapg_split.cli.report_page.palette import WIRE, in_order
from simulations.replaying import Course, Replay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH: Final = 9.6
_LANE: Final = 0.27  # inches
_BETWEEN: Final = 0.62
_HEAD: Final = 0.8
_STEP: Final = (-0.36, 0.72)  # below and height, around the middle of a lane
_MOVE: Final = (-0.16, 0.32)
_LEAST_WIDTH: Final = 0.9  # points, so that what takes milliseconds of minutes can still be seen
_MOST_COURSES: Final = 12


def replay_picture(found: Replay) -> str:
    """The SVG document; of several seeds the first is drawn."""
    own = found.run.policy
    shown = [(AS_IT_WAS, found.was)]
    shown += [
        (f"{name}, replayed" if name == own else name, courses[0]) for name, courses in found.courses.items()
    ]
    shown = shown[:_MOST_COURSES]
    lanes = [node.id for node in found.run.nodes] + ["moves"]
    height = _HEAD + len(shown) * (_LANE * len(lanes) + _BETWEEN)
    longest_s = max(course.seconds for _, course in shown)
    colours = in_order(stage.name for stage in found.run.workload.stages)

    def paint(figure: "Figure") -> None:
        from matplotlib.patches import Patch

        rows = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (name, course) in zip(rows, shown, strict=True):
            _course(axes, course, lanes, colours)
            axes.set_title(f"{label(name)}: {course.seconds:.2f} s")
            axes.set_xlim(0, longest_s * 1.01)
        rows[-1].set_xlabel("seconds since the job was accepted")
        entries = [Patch(facecolor=colour, label=stage) for stage, colour in colours.items()]
        entries.append(Patch(facecolor=WIRE, label="state on its way"))
        below = f"{label(found.run.name)}, {len(found.run.nodes)} nodes, seed 1"
        head(figure, "The same run under other policies", below, entries)

    words = "; ".join(f"{name} {course.seconds:.2f} s" for name, course in shown)
    return picture("replay", f"Who computed what and when: {words}.", (_WIDTH, height), paint)


def _course(axes: "Axes", course: Course, lanes: Sequence[str], colours: dict[str, str]) -> None:
    heights = {lane: len(lanes) - 1 - index for index, lane in enumerate(lanes)}
    for bar in course.bars:
        moves = len(bar.where) > 1
        below, tall = _MOVE if moves else _STEP
        colour = WIRE if moves else colours.get(bar.stage, MUTED)
        middle = heights["moves"] if moves else heights[bar.where[0]]
        axes.broken_barh(
            [(bar.start_s, bar.seconds)],
            (middle + below, tall),
            facecolor=colour,
            edgecolor=colour,
            linewidth=_LEAST_WIDTH,
        )
    axes.axvline(course.seconds, color=INK, linewidth=0.9)
    axes.set_yticks(list(heights.values()), [label(lane) for lane in heights])
    axes.set_ylim(-0.6, len(lanes) - 0.4)
    clean_axes(axes)
