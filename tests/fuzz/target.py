"""What is fuzzed: a border that takes bytes from outside, inputs that it takes, and what it may raise."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from eapg_split.errors import EapgError

KIB: Final = 1 << 10
MIB: Final = 1 << 20
_LONGEST: Final = (1 << 24) - 1  # of one of several items

Mutate = Callable[[bytes, bytes, Random], bytes]
"""One input with something wrong in it; the second one is another input, to take pieces from."""


@dataclass(frozen=True, slots=True)
class Target:
    """One border.

    `enter` gets an input and raises one of `refusals`, or returns; anything else is a finding. So is more processor
    time than `slow_s`, and more memory than `base_bytes` with `bytes_per_byte` for each byte of the input.
    """

    name: str
    group: str
    corpus: Callable[[], Sequence[bytes]]
    mutate: Mutate
    enter: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...] = (EapgError,)
    base_bytes: int = 2 * MIB
    bytes_per_byte: int = 64
    slow_s: float = 2.0
    quick_runs: int = 1500  # of the short run in the tests; 0 leaves it out, where a run takes long


def packed(items: Sequence[bytes]) -> bytes:
    """Several byte strings as one input, each behind its length."""
    return b"".join(len(item[:_LONGEST]).to_bytes(3, "little") + item[:_LONGEST] for item in items)


def unpacked(data: bytes) -> list[bytes]:
    """The other way round, for any bytes: a length that is too large means the rest."""
    items, start = list[bytes](), 0
    while start + 3 <= len(data):
        stop = start + 3 + int.from_bytes(data[start : start + 3], "little")
        items.append(data[start + 3 : stop])
        start = stop
    return items
