"""One tensor's frames, each predicted from the decoded frame before, as classes of blocks and the numbers in them.

Coefficients are divided by their channel's step. A frame's prediction is the frame before times a factor of the
channel; what is left is rounded towards zero a little. Encoder and decoder keep the same decoded frame.

A slice's bytes: u16 the largest number, one factor a channel in 64ths, u64 which models follow, these models, and the
coded numbers.
"""

import struct
from collections.abc import Mapping
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from eapg_split.codecs.blocks import SIDE, Floats, Layout, from_coefficients, to_coefficients
from eapg_split.codecs.entropy import (
    CLASSES,
    CONTEXTS,
    LARGEST,
    NUMBER_MODEL_BYTES,
    Reader,
    Writer,
    class_model,
    class_of,
    fit_classes,
    fit_numbers,
    largest_of,
    number_model,
    places_of,
)
from eapg_split.errors import CorruptPayload

LARGEST_STEP: Final = np.float32(1e30)

_ROUND_UP: Final = np.float32(0.4)  # from .6 on a number rounds away from zero: fewer bits at the same error
_FACTOR_UNIT: Final = 64
_HIGHEST_FACTOR: Final = 80
_BY_GROUP: Final = np.array(  # planes of the coefficients, by frequency: rows + columns
    sorted(range(SIDE * SIDE), key=lambda plane: (0, 1, 2, 2, 3, 3, 3)[plane // SIDE + plane % SIDE])
)
_GROUPS: Final = slice(0, 1), slice(1, 3), slice(3, 10), slice(10, 16)  # those of them that share a model
_PRESENT: Final = struct.Struct("<Q")
_PLANES: Final = SIDE * SIDE

Numbers = NDArray[np.int16]
Classes = NDArray[np.uint8]
_M = TypeVar("_M")


class Header:
    """Reads a part from front to back. Raises CorruptPayload where it ends too early."""

    def __init__(self, body: memoryview) -> None:
        self._rest = body

    def take(self, size: int) -> memoryview:
        """The next `size` bytes."""
        if len(self._rest) < size:
            raise CorruptPayload("A part ends within its header: send it again.")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def floats(self, count: int) -> Floats:
        """The next `count` float32."""
        return np.frombuffer(self.take(4 * count), "<f4").astype(np.float32)

    def rest(self) -> memoryview:
        """What follows the header."""
        return self._rest


class Chain:
    """The frames of one tensor from its first part to its last, on either side."""

    def __init__(self, layout: Layout, steps: Floats) -> None:
        """`steps` (C,) are positive."""
        self._steps = steps[:, None, None]
        self._frame: Floats | None = None  # the last decoded one, in steps: (4, 4, C, h, w)
        self._classes = np.full(layout.shape[3:], CLASSES, np.uint8)  # CLASSES: there was no frame before

    def encode(self, values: Floats, layout: Layout) -> bytes:
        """The frames that follow, as a slice (1, C, T, H, W)."""
        coefficients = to_coefficients(values, layout)
        coefficients /= self._steps
        factors = _factors(coefficients, self._frame)
        numbers = self._quantised(coefficients, factors)
        largest = int(max(numbers.max(), -numbers.min()))
        models, coded = self._coded(numbers.reshape(_PLANES, -1), layout, largest)
        return struct.pack("<H", largest) + factors.tobytes() + models + coded

    def decode(self, header: Header, layout: Layout, shape: tuple[int, ...]) -> Floats:
        """The inverse. Raises CorruptPayload."""
        (largest,) = struct.unpack("<H", header.take(2))
        if largest > LARGEST:
            raise CorruptPayload(f"A part has numbers up to {largest}, more than {LARGEST}: send it again.")
        factors = np.frombuffer(header.take(layout.channels), np.uint8)
        numbers = self._read(header, layout, largest)
        frames = numbers.reshape(layout.shape).astype(np.float32)
        weights = _weights(factors)
        for index in range(layout.frames):
            if self._frame is not None:
                frames[:, :, index] += self._frame * weights
            self._frame = frames[:, :, index]
        self._frame = frames[:, :, -1].copy()
        frames *= self._steps
        return from_coefficients(frames, layout, shape)

    def _quantised(self, coefficients: Floats, factors: NDArray[np.uint8]) -> Numbers:
        weights = _weights(factors)
        numbers = np.empty(coefficients.shape, np.int16)
        for index in range(coefficients.shape[2]):
            predicted = None if self._frame is None else self._frame * weights
            left = coefficients[:, :, index] if predicted is None else coefficients[:, :, index] - predicted
            left = np.trunc(left + np.copysign(_ROUND_UP, left))
            np.clip(left, -LARGEST, LARGEST, out=left)
            numbers[:, :, index] = left
            self._frame = left if predicted is None else np.add(left, predicted, out=predicted)
        return numbers

    def _coded(self, numbers: Numbers, layout: Layout, largest: int) -> tuple[bytes, bytes]:
        """The models, and the classes and numbers (planes, blocks) under them."""
        classes = class_of(np.abs(numbers).sum(axis=0, dtype=np.int32))
        runs = _class_runs(classes.reshape(layout.frames, -1), self._classes.reshape(-1))
        writer, models = Writer(), {}
        tallies = np.zeros((CONTEXTS, CLASSES), np.int64)
        for context, found in runs:
            tallies[context] += np.bincount(found, minlength=CLASSES)
        for context in range(CONTEXTS):
            if tallies[context].any():
                models[context] = fit_classes(tallies[context])
        built = {context: class_model(model) for context, model in models.items()}
        for context, found in runs:
            writer.add(found.astype(np.int32), built[context])
        for block_class, blocks in places_of(classes):
            if not block_class:
                continue
            bound = largest_of(block_class, largest)
            found = np.take(numbers, blocks, axis=1)[_BY_GROUP].astype(np.int32)
            sizes = np.abs(found)
            found += bound
            for group, planes in enumerate(_GROUPS):
                model = fit_numbers(sizes[planes])
                models[_number_key(block_class, group)] = model
                writer.add(found[planes].reshape(-1), number_model(model, bound))
        self._classes = classes.reshape(layout.shape[2:])[-1]
        present = sum(1 << key for key in models)
        return _PRESENT.pack(present) + b"".join(models[key] for key in sorted(models)), writer.finish()

    def _read(self, header: Header, layout: Layout, largest: int) -> Numbers:
        """The inverse of `_coded`."""
        models = _models_in(header)
        reader = Reader(header.rest())
        built = {key: class_model(model) for key, model in models.items() if key < CONTEXTS}
        classes = np.empty((layout.frames, self._classes.size), np.uint8)
        before = self._classes.reshape(-1)
        for now in classes:
            for context, places in places_of(before):
                now[places] = reader.take(len(places), _found(built, context))
            before = now
        numbers = np.zeros((_PLANES, classes.size), np.int16)
        for block_class, blocks in places_of(classes.reshape(-1)):
            if not block_class:
                continue
            bound = largest_of(block_class, largest)
            if not bound:
                raise CorruptPayload("A part has numbers where it says that all are zero: send it again.")
            found = np.empty((_PLANES, len(blocks)), np.int16)
            for group, planes in enumerate(_GROUPS):
                model = number_model(_found(models, _number_key(block_class, group)), bound)
                read = reader.take((planes.stop - planes.start) * len(blocks), model)
                found[_BY_GROUP[planes]] = read.reshape(-1, len(blocks))
            numbers[:, blocks] = found - bound
        reader.finish()
        self._classes = classes[-1].reshape(layout.shape[3:])
        return numbers


def _factors(coefficients: Floats, before: Floats | None) -> NDArray[np.uint8]:
    """(C,): by how much of the frame before each channel is best predicted, in 64ths."""
    channels = coefficients.shape[3]
    along, power = np.zeros(channels, np.float32), np.full(channels, 1e-6, np.float32)
    for index in range(coefficients.shape[2]):
        now = coefficients[:, :, index]
        if before is not None:
            along += np.einsum("uvcij,uvcij->c", before, now)
            power += np.einsum("uvcij,uvcij->c", before, before)
        before = now
    factors: NDArray[np.uint8] = np.clip(np.rint(along / power * _FACTOR_UNIT), 0, _HIGHEST_FACTOR).astype(
        np.uint8
    )
    return factors


def _weights(factors: NDArray[np.uint8]) -> Floats:
    return (factors.astype(np.float32) / np.float32(_FACTOR_UNIT))[:, None, None]


def _class_runs(classes: Classes, before: Classes) -> list[tuple[int, Classes]]:
    """Frame by frame and context by context: the context, and the classes (F, blocks) that follow it."""
    runs = []
    for now in classes:
        runs += [(context, now[places]) for context, places in places_of(before)]
        before = now
    return runs


def _number_key(block_class: int, group: int) -> int:
    """Which model it is, behind those of the contexts."""
    return CONTEXTS + (block_class - 1) * len(_GROUPS) + group


def _models_in(header: Header) -> dict[int, bytes]:
    (present,) = _PRESENT.unpack(header.take(_PRESENT.size))
    if present >> _number_key(CLASSES, 0):
        raise CorruptPayload("A part names models that do not exist: send it again.")
    keys = [key for key in range(present.bit_length()) if present >> key & 1]
    return {key: bytes(header.take(CLASSES if key < CONTEXTS else NUMBER_MODEL_BYTES)) for key in keys}


def _found(models: Mapping[int, _M], key: int) -> _M:
    model = models.get(key)
    if model is None:
        raise CorruptPayload("A part uses a model that it does not have: send it again.")
    return model
