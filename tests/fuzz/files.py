"""What is read from disk: configurations, lists of nodes, weights, logs, profiles, recorded runs, learned states."""

import json
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.fuzz.mutations import change_tree, mutated_bytes
from tests.fuzz.target import Mutate

_SCRATCH: Final = tempfile.TemporaryDirectory(
    prefix="eapg-fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None
)
FOLDER: Final = Path(_SCRATCH.name)
Tree = Any


def file_of(data: bytes, name: str = "input") -> Path:
    """The input as a file."""
    path = FOLDER / name
    path.write_bytes(data)
    return path


def toml_of(tree: Mapping[str, object]) -> str:
    """A tree as TOML; what TOML has no word for becomes an empty text."""
    return "\n".join(f"{json.dumps(str(key))} = {_toml(value)}" for key, value in tree.items())


def _toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case dict():
            return (
                "{"
                + ", ".join(f"{json.dumps(str(key))} = {_toml(each)}" for key, each in value.items())
                + "}"
            )
        case list():
            return f"[{', '.join(map(_toml, value))}]"
        case int() | float():
            return (
                str(value)
                if isinstance(value, int) or "." in str(value) or "n" in str(value)
                else f"{value:.1f}"
            )
        case None:
            return '""'
    return json.dumps(str(value)).replace("\x7f", "\\u007f")


def in_trees(read: Callable[[str], Tree], write: Callable[[Tree], str]) -> Mutate:
    """Three times out of four the tree is changed, else the text."""

    def mutate(data: bytes, other: bytes, random: Random) -> bytes:
        if random.random() < 0.25:
            return mutated_bytes(data, other, random)
        tree, elsewhere = read(data.decode()), read(other.decode())
        for _ in range(random.choice((1, 1, 1, 2, 2, 3))):
            tree = change_tree(tree, elsewhere, random)
        return write(tree).encode("utf-8", "surrogatepass")

    return mutate


def _toml_text(tree: Tree) -> str:
    return toml_of(tree if isinstance(tree, dict) else {"": tree})


def _lines(tree: Tree) -> str:
    return "".join(f"{json.dumps(line)}\n" for line in (tree if isinstance(tree, list) else [tree]))


IN_TOML: Final = in_trees(tomllib.loads, _toml_text)
IN_JSON: Final = in_trees(json.loads, json.dumps)
IN_LINES: Final = in_trees(lambda text: [json.loads(line) for line in text.splitlines()], _lines)
IN_ARGUMENTS: Final = in_trees(
    lambda text: text.split("\0"), lambda tree: "\0".join(map(str, tree)) if isinstance(tree, list) else ""
)
DEEP: Final = tuple(
    text.encode()
    for text in (
        "[" * 5000,
        '{"a":' * 5000,
        "a = " + "[" * 5000,
        "9" * 5000,
        "a = " + "9" * 5000,
        "a.a." * 3000 + "a = 1",
    )
)


def texts(*written: str | Mapping[str, object] | bytes) -> Callable[[], Sequence[bytes]]:
    """A corpus of texts, and of trees as JSON."""
    honest = [each if isinstance(each, str | bytes) else json.dumps(each) for each in written]
    return lambda: [each.encode() if isinstance(each, str) else each for each in honest]


def deep_or(mutate: Mutate) -> Mutate:
    """Now and then something that is nested or long beyond reason."""

    def mutated(data: bytes, other: bytes, random: Random) -> bytes:
        return random.choice(DEEP) if random.random() < 0.003 else mutate(data, other, random)

    return mutated
