"""Whole numbers to bits and back: ANS under small models that travel with the data.

Blocks are sorted into classes by how much is in them; a class bounds its numbers, and the class of the same block one
frame before says which classes are likely. A number's model has three bytes: the share of zeros, the share of ones
among the others, and the ratio by which larger ones thin out. They are built by running products of float64, which
every machine rounds alike, so that all build the same tables. The coder is `constriction`'s (asymmetric numeral
systems, Duda et al. 2015).
"""

from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, TypeAlias

import constriction  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from eapg_split.errors import CorruptPayload

Ints = NDArray[np.int32]
Model: TypeAlias = Any  # constriction has no stubs

CLASSES: Final = 8  # class 0 holds zeros only; class k of 1 to 7 sums of magnitudes in [2**(k-1), 2**k)
CONTEXTS: Final = CLASSES + 1  # the class one frame before, or nothing at the first frame
LARGEST: Final = 16383  # largest magnitude of a number
NUMBER_MODEL_BYTES: Final = 3
_LEVELS: Final = 64  # of a share: coarse, so that parts often have models in common
_FINEST: Final = 2 * _LEVELS - 1
_HEAVIEST: Final = 255
_LEAST_WEIGHT: Final = 1 / 64
_LARGEST_KEPT: Final = (1 << (CLASSES - 2)) - 1  # of every class but the last one


def class_of(sums: NDArray[np.int32]) -> NDArray[np.uint8]:
    """The class of blocks whose magnitudes add up to `sums`."""
    return np.frexp(np.minimum(sums, 1 << (CLASSES - 2)).astype(np.float32))[1].astype(np.uint8)


def largest_of(block_class: int, largest: int) -> int:
    """The largest magnitude in a block of this class; `largest` bounds the last one."""
    return largest if block_class == CLASSES - 1 else min((1 << block_class) - 1, largest)


def fit_numbers(sizes: Ints) -> bytes:
    """The model of numbers with these magnitudes."""
    above, ones = int(np.count_nonzero(sizes)), int(np.count_nonzero(sizes == 1))
    beyond = above - ones
    steps = int(sizes.sum()) - ones - 2 * beyond  # by how much larger ones are above 2
    shares = (_share(sizes.size - above, sizes.size), _share(ones, above), _share(steps, steps + beyond))
    return bytes(shares)


def _share(part: int, whole: int) -> int:
    return _LEVELS // 2 if whole == 0 else min(_LEVELS - 1, part * _LEVELS // whole)


def number_model(model: bytes, largest: int) -> Model:
    """Numbers -largest to largest, as symbols 0 to 2 * largest."""
    # only small ones are kept: a payload chooses `largest`, and could fill memory with tables
    return _kept_model(model, largest) if largest <= _LARGEST_KEPT else _built_model(model, largest)


@lru_cache(maxsize=4096)
def _kept_model(model: bytes, largest: int) -> Model:
    return _built_model(model, largest)


def _built_model(model: bytes, largest: int) -> Model:
    zero, one, ratio = (min(2 * value + 1, _FINEST) / (2 * _LEVELS) for value in model)
    tail = np.empty(largest)
    tail[:2] = (1.0, 1 - one)[:largest]
    tail[2:] = ratio
    # a running product is the same on every machine, which a power is not
    reached = (1 - zero) * np.cumprod(tail)
    halves = reached / 2
    halves[:-1] -= reached[1:] / 2
    return _categorical(np.concatenate([halves[::-1], [zero], halves]))


def fit_classes(counts: NDArray[np.int64]) -> bytes:
    """The model of a context from how often each class came: weights of at most 255."""
    most = int(counts.max())
    return bytes((_HEAVIEST * int(count) + most - 1) // most for count in counts)


def class_model(model: bytes) -> Model:
    """Classes 0 to 7 with these weights."""
    weights = np.frombuffer(model, np.uint8).astype(np.float64) + _LEAST_WEIGHT
    return _categorical(weights / weights.sum())


def _categorical(shares: NDArray[np.float64]) -> Model:
    return constriction.stream.model.Categorical(shares.astype(np.float32), perfect=False)


class Writer:
    """Collects runs of symbols with their models, and codes them all at once: the coder works backwards."""

    def __init__(self) -> None:
        self._runs: list[tuple[Ints, Model]] = []

    def add(self, symbols: Ints, model: Model) -> None:
        """Symbols from 0 on."""
        self._runs.append((symbols, model))

    def finish(self) -> bytes:
        """Everything that was added."""
        coder = constriction.stream.stack.AnsCoder()
        for symbols, model in reversed(self._runs):
            coder.encode_reverse(symbols, model)
        words: NDArray[np.uint32] = coder.get_compressed()
        return words.astype("<u4").tobytes()


class Reader:
    """Reads the runs in the order in which they were added."""

    def __init__(self, body: memoryview) -> None:
        """Raises CorruptPayload for bytes that no Writer gave."""
        if len(body) % 4:
            raise CorruptPayload("The coded numbers are cut short: send the payload again.")
        try:
            self._coder = constriction.stream.stack.AnsCoder(np.frombuffer(body, "<u4").astype(np.uint32))
        except ValueError:
            raise CorruptPayload(
                "The coded numbers do not end as they should: send the payload again."
            ) from None

    def take(self, count: int, model: Model) -> Ints:
        """The next `count` symbols."""
        symbols: Ints = self._coder.decode(model, count)
        return symbols

    def finish(self) -> None:
        """Raise CorruptPayload unless every bit was used."""
        if not self._coder.is_empty():
            raise CorruptPayload("The coded numbers do not add up: send the payload again.")


def places_of(values: NDArray[np.uint8]) -> list[tuple[int, NDArray[np.intp]]]:
    """Where each of a few values is found, for those that occur."""
    order = np.argsort(values, kind="stable")  # a radix sort, faster than a search for each
    stops = np.cumsum(np.bincount(values)).tolist()
    pairs = enumerate(pairwise([0, *stops]))
    return [(value, order[start:stop]) for value, (start, stop) in pairs if stop > start]
