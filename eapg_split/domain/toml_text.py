"""TOML from somebody else: read in bounded time and depth."""

import tomllib
from typing import Any, Final

from eapg_split.errors import InvalidRequest

_MAX_DOTS: Final = 1000  # in a line: the reader's time grows with the square of a key's parts


def tables_in(text: str, name: str) -> dict[str, Any]:
    """The tables of a text. Raises InvalidRequest, which calls the text by its `name`, where it is no TOML."""
    if any(line.count(".") > _MAX_DOTS for line in text.splitlines()):
        raise InvalidRequest(f"{name} has a line with more than {_MAX_DOTS} dots: break it up.")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise InvalidRequest(f"{name} is nested too deeply: flatten it.") from error
    except ValueError as error:  # besides TOML's own errors, numbers with thousands of digits
        raise InvalidRequest(f"{name} is not TOML: {error}.") from error
