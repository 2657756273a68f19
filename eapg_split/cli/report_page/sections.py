"""The parts of the page that are text, tables and pictures."""

from collections.abc import Iterator, Sequence
from typing import Final

from eapg_split.cli.display import where
from eapg_split.cli.report_page.markup import NOTHING, Markup, lone, table, tag, text
from eapg_split.cli.report_page.story import Story
from eapg_split.cli.run_log import PreviewPicture
from eapg_split.cli.text import duration, size
from eapg_split.runtime.events import Hop, PlacedSegment

_NONE: Final = text("\N{EN DASH}")


def heading(story: Story) -> Markup:
    """What was asked for, and whether it came to its end."""
    header = story.header
    request = header.request
    asked = (
        f"{request.seconds:g} s at {request.fps} FPS, {request.width}\N{MULTIPLICATION SIGN}{request.height},"
        f" seed {request.seed}, policy {header.policy}, codec {header.codec}"
    )
    if header.codec != "lossless":
        asked += f" at {header.quality_db:g} dB"
    parts = [tag("h1", text("A run of eapg-split")), tag("p", text(asked), attributes={"class": "asked"})]
    if request.prompt:
        parts.append(tag("p", text(f"\u201c{request.prompt}\u201d", 2000), attributes={"class": "prompt"}))
    if header.understood:
        parts.append(tag("p", text(header.understood), attributes={"class": "note"}))
    if story.failed is not None:
        parts.append(_banner("This run failed", story.failed.message))
    parts += (_banner("Mind", remark) for remark in story.remarks)
    return tag("header", *parts)


def figures(story: Story) -> Markup:
    """The headline figures."""
    items = (
        tag(
            "div",
            tag("dt", text(name)),
            tag("dd", text(value)),
            tag("dd", text(more), attributes={"class": "more"}),
        )
        for name, value, more in _figures(story)
    )
    return tag("dl", *items, attributes={"class": "figures"})


def _figures(story: Story) -> Iterator[tuple[str, str, str]]:
    done, hops = story.done, story.hops
    if done is not None:
        more = f"{done.frames} frames of {done.width}\N{MULTIPLICATION SIGN}{done.height} at {done.fps} FPS"
        yield "from accepted to done", duration(done.wall_s), more
    else:
        yield "until the log ends", duration(story.end_s), f"{_count(len(story.steps), 'step')} finished"
    replans = len(story.plans) - 1
    again = (
        f", planned anew {replans} times" if replans > 1 else ", planned anew once" if replans == 1 else ""
    )
    yield "nodes", str(len(story.nodes)), f"{_count(len(hops), 'hand-off')}{again}"
    computing = sum(step.seconds for step in story.steps)
    yield "computing", duration(computing), f"{_count(len(story.steps), 'step')}, all nodes together"
    if hops:
        wire, raw = sum(hop.wire_bytes for hop in hops), sum(hop.raw_bytes for hop in hops)
        bits = f"{32 * wire / raw:.2f} bits an element, " if raw else ""
        yield "on the wire", size(wire), f"{bits}{size(raw)} as float32"
        yield (
            "handing off",
            duration(sum(hop.seconds for hop in hops)),
            "all hand-offs together, coding included",
        )


def placed(story: Story) -> Markup:
    """What ran where."""
    memory = story.done.peak_rss_bytes if story.done is not None else {}
    rows = (
        (
            text(_steps(segment)),
            text(_stages(story, segment)),
            text(where(segment.node, segment.tier)),
            text(duration(sum(step.seconds for step in story.steps if _within(step.step, segment)))),
            text(size(memory[segment.node])) if segment.node in memory else _NONE,
        )
        for segment in story.segments[:100]
    )
    return table("What ran where", ("steps", "stages", "node", "computing", "peak memory"), rows)


def hop_table(hops: Sequence[Hop]) -> Markup:
    """What crossed each cut."""
    rows = (
        (
            text(hop.step),
            text(f"{hop.source} \N{RIGHTWARDS ARROW} {hop.target}"),
            text(hop.codec),
            text(", ".join(hop.sent)) if hop.sent else _NONE,
            text(size(hop.raw_bytes)),
            text(size(hop.wire_bytes)),
            text(f"{hop.bits_per_element:.2f}") if hop.raw_bytes else _NONE,
            text(duration(hop.encode_s)) if hop.encode_s else _NONE,
            text(duration(hop.seconds)),
            text(duration(hop.decode_s)) if hop.decode_s else _NONE,
        )
        for hop in hops
    )
    header = (
        "before step", "link", "codec", "sent", "float32", "on the wire", "bits an element", "encoded in",
        "hand-off", "decoded in",
    )  # fmt: skip
    return table("What crossed each cut", header, rows)


def estimates(story: Story) -> Markup:
    """The clean estimate that each stage ended with, at the start, the middle and the end of the clip."""
    cards = (_estimate(story, stage, list(kept.values())) for stage, kept in story.pictures.items() if kept)
    return tag("div", *cards, attributes={"class": "cards"})


def notices(story: Story) -> Markup:
    """What a person was told, and why the plan is not the ideal."""
    told = [(plan.at_s, note) for plan in story.plans for note in plan.notes[:20]] + story.notices
    rows = (
        tag("li", tag("span", text(duration(at_s)), attributes={"class": "moment"}), text(words))
        for at_s, words in sorted(told)
    )
    return tag("ul", *rows, attributes={"class": "notices"}) if told else NOTHING


def reviews(story: Story) -> Markup:
    """Why there was a plan, and why it was kept or replaced when something happened."""
    made = [
        (plan.at_s, "plan", plan.reason or f"made by {plan.policy}", plan.predicted_s) for plan in story.plans
    ]
    looks = [
        (look.at_s, look.outcome, f"{look.occasion} {look.reason}".strip(), look.chosen_s)
        for look in story.reviews
    ]
    rows = (
        (text(duration(at_s)), text(outcome), text(words), text(duration(seconds)) if seconds else _NONE)
        for at_s, outcome, words, seconds in sorted(made + looks)
    )
    return table("What the planner did", ("at", "outcome", "why", "seconds to go"), rows)


def footer(story: Story) -> Markup:
    """Where the page comes from, and how to tell whether two runs made the same video."""
    words = f"{story.name}, started {story.header.started}, eapg-split {story.header.software}."
    lines = [tag("p", text(words))]
    if story.done is not None:
        digest = tag("code", text(story.done.frames_sha256))
        lines.append(tag("p", text("SHA-256 of the frames: "), digest))
    return tag("footer", *lines)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _banner(title: str, words: str) -> Markup:
    return tag("p", tag("strong", text(f"{title}: ")), text(words), attributes={"class": "banner"})


def _estimate(story: Story, stage: str, pictures: Sequence[PreviewPicture]) -> Markup:
    images = (
        lone(
            "img",
            {
                "src": f"data:image/webp;base64,{picture.webp}",
                "alt": f"Clean estimate of {stage[:64]}, frame {picture.index + 1} of {picture.count}",
            },
        )
        for picture in pictures
    )
    first = pictures[0]
    words = f" after step {first.step}, {first.width}\N{MULTIPLICATION SIGN}{first.height}"
    rates = [f" at {each.fps:g} FPS" for each in story.header.stages if each.name == stage]
    caption = tag("figcaption", tag("strong", text(stage, 64)), text(words + "".join(rates[:1])))
    return tag("figure", tag("div", *images, attributes={"class": "frames"}), caption)


def _steps(segment: PlacedSegment) -> str:
    last = segment.stop_step - 1
    return str(last) if last <= segment.start_step else f"{segment.start_step}\N{EN DASH}{last}"


def _stages(story: Story, segment: PlacedSegment) -> str:
    names = [
        stage.name
        for stage in story.header.stages
        if stage.start_step < segment.stop_step and segment.start_step < stage.stop_step
    ]
    return names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}" if names else ""


def _within(step: int, segment: PlacedSegment) -> bool:
    return segment.start_step <= step < segment.stop_step
