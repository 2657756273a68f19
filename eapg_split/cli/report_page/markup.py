"""HTML that cannot be injected into: only `text` and `tag` make it out of strings, and both escape."""

import html
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NewType

Markup = NewType("Markup", str)

NOTHING: Final = Markup("")
_NO_ATTRIBUTES: Final[Mapping[str, str]] = MappingProxyType({})
_MOST: Final = 500  # characters of one text; what a log says may be long, a page must not be


def plain(value: object, most: int = _MOST) -> str:
    """A value as one line of at most `most` characters, without control and formatting characters."""
    words = str(value)
    words = words if len(words) <= most else words[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in words)


def text(value: object, most: int = _MOST) -> Markup:
    """A value as text on the page."""
    return Markup(html.escape(plain(value, most)))


def tag(name: str, *children: Markup, attributes: Mapping[str, str] = _NO_ATTRIBUTES) -> Markup:
    """An element; values of attributes are escaped as they are, whatever their length."""
    words = "".join(f' {key}="{html.escape(value)}"' for key, value in attributes.items())
    return Markup(f"<{name}{words}>{''.join(children)}</{name}>")


def lone(name: str, attributes: Mapping[str, str]) -> Markup:
    """An element without content or end, such as img."""
    return Markup(tag(name, attributes=attributes).removesuffix(f"</{name}>"))


def join(parts: Iterable[Markup]) -> Markup:
    """Parts one after the other, each on its line."""
    return Markup("\n".join(parts))


def table(caption: str, header: Sequence[str], rows: Iterable[Sequence[Markup]]) -> Markup:
    """A table in a box that scrolls where it is wider than the page."""
    head = (tag("th", text(each), attributes={"scope": "col"}) for each in header)
    body = (tag("tr", *(tag("td", each) for each in row)) for row in rows)
    parts = (
        tag("caption", text(caption), attributes={"class": "unseen"}),
        tag("thead", tag("tr", *head)),
        tag("tbody", join(body)),
    )
    return scrolling(tag("table", *parts), caption)


def scrolling(content: Markup, label: str) -> Markup:
    """A box that scrolls sideways, by keyboard too."""
    return tag(
        "div",
        content,
        attributes={"class": "wide", "role": "group", "tabindex": "0", "aria-label": plain(label)},
    )
