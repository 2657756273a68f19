"""Flags whose text needs more than a type: each either becomes a value or says how to write it."""

import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from eapg_split.domain.request import Privacy
from eapg_split.domain.topology import NodeId
from eapg_split.errors import InvalidRequest
from eapg_split.planner.checkpoints import Checkpoints
from eapg_split.planner.policy import MAX_CUTS, Goal, Objective

# More than any legal prompt, so that what is too long is reported by its rule and a pipe cannot fill the memory.
_MAX_STDIN_BYTES: Final = 64 * 1024
_ENGINES: Final = ("onnx", "torch")
_MAX_CAP_MB: Final = 1e7
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


def parse_wishes(
    goal: str, max_entropy: float, max_cuts: int, *, pins: Sequence[str], caps: Sequence[str]
) -> Objective:
    """What plans are to mind besides privacy, codec and deadline."""
    return Objective(
        goal=parse_goal(goal),
        max_entropy_bits=parse_entropy(max_entropy),
        max_cuts=parse_cuts(max_cuts),
        pins=parse_pins(pins),
        memory_caps=parse_caps(caps),
    )


def parse_policies(text: str) -> tuple[str, ...]:
    """A,B,C: names, or where the code of a policy is; what is none of them is the planner's business."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def parse_checkpoints(text: str) -> Checkpoints:
    check_choice("--checkpoints", text, tuple(Checkpoints))
    return Checkpoints(text)


def parse_goal(text: str) -> Goal:
    check_choice("--objective", text, tuple(Goal))
    return Goal(text)


def parse_pins(texts: Sequence[str]) -> dict[str, NodeId]:
    """STAGE=NODE, each stage once; which stages and nodes there are is the device's business."""
    return {stage: NodeId(node) for stage, node in _pairs("--pin", "stage4=cloud", texts).items()}


def parse_caps(texts: Sequence[str]) -> dict[NodeId, int]:
    """NODE=MB, each node once, as bytes."""
    caps = {}
    for node, number in _pairs("--cap", "edge=500", texts).items():
        try:
            size = float(number)
        except ValueError:
            size = math.nan
        if not 0 < size <= _MAX_CAP_MB:
            raise InvalidRequest(f"--cap {node}={number} must give a number of megabytes, such as 500.")
        caps[NodeId(node)] = round(size * 1e6)
    return caps


def parse_entropy(bits: float) -> float:
    """What --max-entropy says: 0 stands for no limit."""
    if not 0 <= bits < math.inf:
        raise InvalidRequest("--max-entropy must be a number of bits, or 0 for no limit.")
    return bits or math.inf


def parse_cuts(count: int) -> int:
    if not 0 <= count <= MAX_CUTS:
        raise InvalidRequest(f"--max-cuts must be from 0 to {MAX_CUTS}, not {count}.")
    return count


def _pairs(flag: str, example: str, texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise InvalidRequest(f"{flag} {text!r} is not NAME=VALUE; write for example {flag} {example}.")
        if name in found:
            raise InvalidRequest(f"{flag} names {name} twice: keep one.")
        found[name] = value
    return found


def parse_sweep(what: str | None, output: Path | None) -> Path | None:
    """Where the picture of a sweep goes; None where none is wanted."""
    if what is None:
        if output is not None:
            raise InvalidRequest("-o is for the picture of a sweep: write --sweep bandwidth -o who.svg.")
        return None
    check_choice("--sweep", what, ("bandwidth",))
    if output is None:
        raise InvalidRequest("--sweep needs a file: write --sweep bandwidth -o who.svg.")
    return output


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
