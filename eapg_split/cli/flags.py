"""Flags whose text needs more than a type: each either becomes a value or says how to write it."""

import sys
from collections.abc import Iterable
from typing import Final

from eapg_split.domain.request import Privacy
from eapg_split.errors import InvalidRequest

# More than any legal prompt, so that what is too long is reported by its rule and a pipe cannot fill the memory.
_MAX_STDIN_BYTES: Final = 64 * 1024
_ENGINES: Final = ("onnx", "torch")
_MIN_QUALITY_DB: Final = 20.0
_MAX_QUALITY_DB: Final = 80.0


def parse_prompt(text: str) -> str:
    """The prompt itself, or what stdin holds where it is "-"."""
    if text != "-":
        return text
    data = sys.stdin.buffer.read(_MAX_STDIN_BYTES + 1)
    if len(data) > _MAX_STDIN_BYTES:
        raise InvalidRequest(f"The prompt on stdin has more than {_MAX_STDIN_BYTES} bytes: shorten it.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("The prompt on stdin is not valid Unicode: send it as UTF-8 text.") from None


def parse_steps(text: str) -> tuple[int, int, int, int]:
    """Four whole numbers; their ranges are the request's business."""
    try:
        first, second, third, fourth = (int(part) for part in text.split(","))
    except ValueError:
        raise InvalidRequest(f"--steps must be four whole numbers such as 16,8,4,4, not {text!r}.") from None
    return first, second, third, fourth


def parse_privacy(text: str) -> Privacy:
    check_choice("--privacy", text, tuple(Privacy))
    return Privacy(text)


def check_quality(quality_db: float) -> None:
    """Raises InvalidRequest outside what makes a difference: below it nothing is left, above it nothing is lost."""
    if not _MIN_QUALITY_DB <= quality_db <= _MAX_QUALITY_DB:
        raise InvalidRequest(
            f"--quality must be from {_MIN_QUALITY_DB:g} to {_MAX_QUALITY_DB:g} dB, not {quality_db:g}."
        )


def check_engine(text: str) -> None:
    """Whether the engine is one of ours, or `module:callable`, which the daemon looks up itself."""
    if ":" not in text:
        check_choice("--engine", text, _ENGINES)


def check_choice(flag: str, text: str, known: Iterable[str]) -> None:
    """Raises InvalidRequest with the known names where `text` is none of them."""
    names = tuple(known)
    if text not in names:
        raise InvalidRequest(f"{flag} {text!r} is not known: choose one of {', '.join(names)}.")
