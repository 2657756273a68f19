"""One self-contained page: nothing is loaded, nothing is run, and its own policy forbids both to the browser."""

from pathlib import Path
from typing import Final

from eapg_split.cli.files import write_text
from eapg_split.cli.report_page.charts import bandwidth, cuts
from eapg_split.cli.report_page.figure import check_plots
from eapg_split.cli.report_page.gantt import gantt
from eapg_split.cli.report_page.markup import NOTHING, Markup, join, lone, tag, text
from eapg_split.cli.report_page.sections import (
    estimates,
    figures,
    footer,
    heading,
    hop_table,
    notices,
    placed,
    reviews,
)
from eapg_split.cli.report_page.story import Story, read_story
from eapg_split.errors import InvalidRequest

_POLICY: Final = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_WHEN: Final = (
    "Every bar is a step, or a hand-off on the lane of its link, by the device's clock. Encoding and decoding overlap"
    " the sending: their bars show how long they took, not when."
)
_CUTS: Final = (
    "Bytes as they travelled, without what gRPC and TLS add. A hand-off's seconds include its coding."
)
_BANDWIDTH: Final = (
    "A dot is what came without a pause of the sender, a line a whole hand-off: waiting for the encoder and for the"
    " other end is in the line and not in the dots. On one machine it is the speed of loopback."
)
_REVIEWS: Final = (
    "When the plan was made, and when something made the policy look at it again. It looks after every step too, which"
    " is told only where it changed the plan. Seconds are those that what was left was to take."
)
_ESTIMATES: Final = (
    "What each stage took the clip to be when it ended: the first, middle and last frame that came."
)


def write_report(log: Path, output: Path) -> None:
    """Reads a log and writes its page. Raises InvalidRequest, Unsupported and OutputFailure."""
    check_plots()
    if not output.name or output.resolve() == log.resolve():
        raise InvalidRequest(f"The page cannot be '{output}': choose another name, for instance report.html.")
    page = render(read_story(log))
    write_text(output, page)


def render(story: Story) -> str:
    """The whole page."""
    parts = [heading(story), figures(story)]
    if story.steps or story.hops:
        parts.append(_section("When", _WHEN, gantt(story)))
    if story.segments:
        parts.append(_section("Where", "", placed(story)))
    if story.hops:
        parts.append(_section("What crossed each cut", _CUTS, cuts(story), hop_table(story.hops)))
        parts.append(_section("Bandwidth", _BANDWIDTH, bandwidth(story)))
    if story.reviews or len(story.plans) > 1:
        parts.append(_section("What the planner did", _REVIEWS, reviews(story)))
    if any(story.pictures.values()):
        parts.append(_section("What each stage saw", _ESTIMATES, estimates(story)))
    if told := notices(story):
        parts.append(_section("Notices", "", told))
    parts.append(footer(story))
    return f"<!doctype html>\n{tag('html', _head(), _body(parts), attributes={'lang': 'en'})}\n"


def _head() -> Markup:
    style = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    return tag(
        "head",
        lone("meta", {"charset": "utf-8"}),
        lone("meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        lone("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        lone("meta", {"name": "color-scheme", "content": "light dark"}),
        tag("title", text("A run of eapg-split")),
        tag("style", Markup(style)),
    )


def _body(parts: list[Markup]) -> Markup:
    return tag("body", tag("main", join(parts)))


def _section(title: str, caption: str, *content: Markup) -> Markup:
    note = tag("p", text(caption), attributes={"class": "note"}) if caption else NOTHING
    return tag("section", tag("h2", text(title)), note, *content)
