"""A span in the words that traces and logs share: nothing of a prompt, a token or a path is among them."""

from eapg_split.errors import LEAVES
from eapg_split.runtime.instruments import Span

_KNOWN = frozenset(leaf.__name__ for leaf in LEAVES) | {"CancelledError"}


def attributes_of(span: Span) -> dict[str, str | int | float]:
    """What applies to the span, without its kind and its session."""
    texts = {"stage": span.stage, "source": span.source, "target": span.target, "codec": span.codec}
    found: dict[str, str | int | float] = {key: value for key, value in texts.items() if value}
    if span.step >= 0:
        found["step"] = span.step
    if span.stop_step >= 0:
        found["stop_step"] = span.stop_step
    if span.codec or span.bytes:
        found["bytes"] = span.bytes
    return found


def name_of(error: BaseException) -> str:
    """One of few words: what an error is called, `Unforeseen` where it is none of ours."""
    name = type(error).__name__
    return name if name in _KNOWN else "Unforeseen"
