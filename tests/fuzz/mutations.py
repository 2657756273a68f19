"""Changes to bytes, and to the trees that JSON and TOML are read into."""

import json
import math
import struct
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

INTERESTING: Final = bytes((0, 1, 2, 3, 4, 15, 16, 127, 128, 129, 130, 131, 132, 254, 255))
_NUMBERS: Final = tuple(
    struct.pack(form, number)
    for form, numbers in (
        ("<H", (0, 1, 0xFFFF)),
        ("<I", (0, 1, 1 << 20, 1 << 31, (1 << 32) - 1)),
        ("<Q", (0, 1 << 32, 1 << 62, (1 << 64) - 1)),
        ("<e", (float("nan"), float("inf"), -1.0, 65504.0)),
        ("<f", (float("nan"), float("inf"), -1.0, 3e38, 1e-45)),
        ("<d", (float("nan"), float("inf"), -1.0, 1e300, 3.4e38, 5e-324)),
    )
    for number in numbers
)
FLOATS: Final = (
    0.0, -0.0, 1.0, -1.0, 0.5, 1e-9, 5e-324, 1e9, 1e15, 1.7e308, -1e308, math.nan, math.inf, -math.inf
)  # fmt: skip
INTEGERS: Final = (0, 1, 2, 3, 7, 16, 64, 65, 255, 4096, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1)
TEXTS: Final = (
    "", " ", "a", "0", "-1", "NaN", "../../etc/passwd", "/", ".", "..", "\0", "\n\r\t", "\x1b[2J", "\u202e", "\ufeff",
    "é", "漢字", "😀", "%s%n", "{}", "{0}", "x" * 65, "x" * 300, "1" * 5000, "[bold]", "::", "[::1]:1", "@/dev/null",
    "unix:x", "127.0.0.1:99999", "²:1", "h:²", "0x10", "1e400", "1_000",
)  # fmt: skip


def mutated_bytes(data: bytes, other: bytes, random: Random) -> bytes:
    """One to six things wrong."""
    body = bytearray(data)
    for _ in range(_count(random)):
        _CHANGES[random.randrange(len(_CHANGES))](body, other, random)
    return bytes(body)


def _count(random: Random) -> int:
    count = 1
    while count < 6 and random.random() < 0.4:
        count += 1
    return count


def _place(body: Sequence[int], random: Random) -> int:
    """Somewhere, half of the time in the first bytes, where the lengths and tables are."""
    return random.randrange(min(len(body), 64) if random.random() < 0.5 else len(body)) if body else 0


def _bits(body: bytearray, other: bytes, random: Random) -> None:
    del other
    for _ in range(random.randint(1, 4)):
        if body:
            body[_place(body, random)] ^= 1 << random.randrange(8)


def _bytes(body: bytearray, other: bytes, random: Random) -> None:
    del other
    at, count = _place(body, random), random.randint(1, 8)
    fresh = random.choices(INTERESTING, k=count) if random.random() < 0.5 else random.randbytes(count)
    body[at : at + count] = bytes(fresh)


def _number(body: bytearray, other: bytes, random: Random) -> None:
    del other
    fresh = random.choice(_NUMBERS)
    at = _place(body, random)
    body[at : at + len(fresh)] = fresh


def _cut(body: bytearray, other: bytes, random: Random) -> None:
    del other, body[random.randint(0, len(body)) :]


def _remove(body: bytearray, other: bytes, random: Random) -> None:
    del other
    at = _place(body, random)
    del body[at : at + random.randint(1, 16)]


def _insert(body: bytearray, other: bytes, random: Random) -> None:
    del other
    at = _place(body, random)
    body[at:at] = random.randbytes(random.randint(1, 16))


def _splice(body: bytearray, other: bytes, random: Random) -> None:
    if body and other:
        body[_place(body, random) :] = other[_place(other, random) :]


def _repeat(body: bytearray, other: bytes, random: Random) -> None:
    del other
    at = _place(body, random)
    body[at:at] = body[at : at + 32] * random.randint(1, 8)


def _replace(body: bytearray, other: bytes, random: Random) -> None:
    del other
    size = len(body) if random.random() < 0.5 else random.randint(0, 300)
    body[random.randint(0, 2) :] = random.randbytes(size)


_CHANGES: Final[tuple[Callable[[bytearray, bytes, Random], None], ...]] = (
    _bits, _bits, _bytes, _bytes, _number, _number, _cut, _remove, _insert, _splice, _repeat, _replace,
)  # fmt: skip


def a_value(random: Random, depth: int = 0) -> object:
    """Something that JSON can say: mostly small, often troublesome."""
    match random.randrange(11):
        case 0:
            return None
        case 1:
            return random.random() < 0.5
        case 2 | 3:
            return random.choice(INTEGERS) * random.choice((1, 1, 1, -1))
        case 4 | 5:
            return random.choice(FLOATS)
        case 6 | 7:
            return random.choice(TEXTS)
        case 8:
            return 10 ** random.randint(0, 400)
        case 9 if depth < 3:
            return [a_value(random, depth + 1) for _ in range(random.randint(0, 4))]
        case _ if depth < 3:
            return {random.choice(TEXTS): a_value(random, depth + 1) for _ in range(random.randint(0, 3))}
    return 0


def change_tree(tree: object, other: object, random: Random) -> object:
    """The tree with one thing wrong; it is changed in place where that can be."""
    holder, key = _place_in(tree, random)
    if holder is None:
        return a_value(random)
    match random.randrange(8):
        case 0 | 1:
            holder[key] = a_value(random)
        case 2:
            del holder[key]
        case 3 | 4:
            from_holder, from_key = _place_in(random.choice((tree, other)), random)
            if from_holder is not None:
                holder[key] = _copy(from_holder[from_key])
        case 5:
            more = [holder[key]] * random.randint(2, 99)
            holder[key] = random.choice(([holder[key]], {"": holder[key]}, more))
        case 6 if isinstance(holder, dict):
            holder[random.choice(TEXTS)] = holder.pop(key)
        case _:
            holder[key] = _near(holder[key], random)
    return tree


def _near(value: object, random: Random) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return random.choice((-value, value + 1, value - 1, value * 2, str(value), value * 1_000_000))
    if isinstance(value, str):
        text = random.choice(TEXTS)
        return random.choice((value + text, text + value, value.upper(), value[1:], value * 2, text))
    return a_value(random)


def _place_in(tree: Any, random: Random) -> tuple[Any, Any]:
    """A value somewhere in the tree, as what holds it and the key there; None where nothing is inside."""
    holder, key = None, None
    while isinstance(tree, dict | list) and tree and (holder is None or random.random() < 0.7):
        holder, key = (
            tree,
            random.choice(list(tree)) if isinstance(tree, dict) else random.randrange(len(tree)),
        )
        tree = holder[key]
    return holder, key


def _copy(value: object) -> object:
    return json.loads(json.dumps(value, default=str))
