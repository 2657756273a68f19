"""Where in a TOML file something stands: its parser does not say."""

import re
from collections.abc import Sequence
from typing import Final

_HEADER: Final = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY: Final = re.compile(r"^\s*([A-Za-z0-9_\-\"'.]+)\s*=")

Path = tuple[str | int, ...]


def line_of(text: str, path: Sequence[str | int]) -> int:
    """The number of the line, from 1 on, where the value at a path stands, or the nearest thing around it."""
    wanted, best, found = tuple(path), 1, 0
    for number, where in _places(text):
        common = _common(where, wanted)
        if common == len(where) and common > found:
            best, found = number, common
    return best


def _places(text: str) -> list[tuple[int, Path]]:
    """Each line with a table or a key, and the path of that."""
    places, table, counts = list[tuple[int, Path]](), Path(), dict[Path, int]()
    for number, line in enumerate(text.splitlines(), start=1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            table = _resolved(_split(header[2]), counts, again=header[1] == "[[")
            places.append((number, table))
        elif key:
            places.append((number, (*table, *_split(key[1]))))
    return places


def _resolved(names: Path, counts: dict[Path, int], *, again: bool) -> Path:
    """The path of a table, with the numbers of the lists of tables that it lies in."""
    path = Path()
    for index, name in enumerate(names):
        path = (*path, name)
        if again and index == len(names) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _split(dotted: str) -> Path:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _common(first: Path, second: Path) -> int:
    length = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        length += 1
    return length
