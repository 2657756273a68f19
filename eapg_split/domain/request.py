"""What a person asks for, checked once, here, so that nothing further in needs to doubt it."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Self

from eapg_split.errors import InvalidRequest

MAX_PROMPT_CHARACTERS: Final = 2000
MAX_PROMPT_BYTES: Final = 8000
MIN_SECONDS: Final = 0.5
MAX_SECONDS: Final = 30.0
MAX_FPS: Final = 60
MIN_SIDE: Final = 64
MAX_WIDTH: Final = 4096
MAX_HEIGHT: Final = 2304
MAX_STEPS: Final = 64
MAX_SEED: Final = 2**63 - 1
MAX_GUIDANCE: Final = 10.0


class Privacy(StrEnum):
    """Where the text may be read: on the device only (the default), or on any node."""

    PROMPT_LOCAL = "prompt-local"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class Request:
    """One video to generate.

    `steps` are the denoising steps of the four stages. `prompt_withheld` marks the copy that goes to nodes
    which may not see the text: its prompt is empty, everything else is the same.
    Raises InvalidRequest when a field is outside its documented range.
    """

    prompt: str
    seconds: float = 5.0
    fps: int = 24
    width: int = 512
    height: int = 288
    steps: tuple[int, int, int, int] = (16, 8, 4, 4)
    seed: int = 0
    guidance: float = 2.0
    privacy: Privacy = Privacy.PROMPT_LOCAL
    prompt_withheld: bool = False

    def __post_init__(self) -> None:
        _check_prompt(self.prompt, withheld=self.prompt_withheld)
        _check_real("seconds", self.seconds, low=MIN_SECONDS, high=MAX_SECONDS)
        _check_real("guidance", self.guidance, low=0.0, high=MAX_GUIDANCE)
        _check_int("fps", self.fps, low=1, high=MAX_FPS)
        _check_side("width", self.width, high=MAX_WIDTH)
        _check_side("height", self.height, high=MAX_HEIGHT)
        _check_int("seed", self.seed, low=0, high=MAX_SEED)
        _check_steps(self.steps)
        if not isinstance(self.privacy, Privacy):
            raise InvalidRequest(f"privacy must be one of {', '.join(Privacy)}, not {self.privacy!r}.")

    def without_prompt(self) -> Self:
        """The same request for a node that may not see the text."""
        return replace(self, prompt="", prompt_withheld=True)


def _check_prompt(prompt: object, *, withheld: bool) -> None:
    if not isinstance(prompt, str):
        raise InvalidRequest(f"The prompt must be text, not {type(prompt).__name__}.")
    if withheld:
        if prompt:
            raise InvalidRequest("A request whose prompt is withheld must carry an empty prompt.")
        return
    stripped = prompt.strip()
    if not stripped:
        raise InvalidRequest('The prompt is empty: say what to show, for instance "A cat running".')
    if len(stripped) > MAX_PROMPT_CHARACTERS:
        raise InvalidRequest(
            f"The prompt has {len(stripped)} characters: shorten it to at most {MAX_PROMPT_CHARACTERS}."
        )
    try:
        size = len(prompt.encode())
    except UnicodeEncodeError:
        raise InvalidRequest("The prompt is not valid Unicode: send it as UTF-8 text.") from None
    if size > MAX_PROMPT_BYTES:
        raise InvalidRequest(
            f"The prompt has {size} bytes in UTF-8: shorten it to at most {MAX_PROMPT_BYTES}."
        )


def _check_steps(steps: object) -> None:
    if not isinstance(steps, tuple) or len(steps) != 4:
        raise InvalidRequest(f"steps must be four whole numbers such as 16,8,4,4, not {steps!r}.")
    for count in steps:
        _check_int("each of the four steps", count, low=1, high=MAX_STEPS)


def _check_real(name: str, value: object, *, low: float, high: float) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidRequest(f"{name} must be a number from {low:g} to {high:g}, not {value!r}.")


def _check_int(name: str, value: object, *, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise InvalidRequest(f"{name} must be a whole number from {low} to {high}, not {value!r}.")
    return value


def _check_side(name: str, value: object, *, high: int) -> None:
    side = _check_int(name, value, low=MIN_SIDE, high=high)
    if side % 2:
        raise InvalidRequest(f"{name} must be even, not {side}: use {side - 1} or {side + 1}.")
