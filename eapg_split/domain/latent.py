"""The state that travels between steps: a few named float32 arrays, and its shape without data.

The bounds are checked when a spec is built, so that nothing is ever allocated for one that lies.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.errors import InvalidRequest

MAX_TENSORS: Final = 4
MAX_RANK: Final = 6
MAX_DIM: Final = 65536
MAX_RAW_BYTES: Final = 2**31
DTYPE: Final = "float32"
ITEM_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Name, shape and dtype of one array (float32 is the only dtype that crosses a cut)."""

    name: str
    shape: tuple[int, ...]
    dtype: str = DTYPE

    def __post_init__(self) -> None:
        if not self.name.isidentifier() or len(self.name) > 32:
            raise InvalidRequest("A tensor's name must be an identifier of at most 32 characters.")
        if self.dtype != DTYPE:
            raise InvalidRequest(f"Tensor {self.name} has dtype {self.dtype[:32]!r}: send {DTYPE}.")
        if not 1 <= len(self.shape) <= MAX_RANK or not all(1 <= side <= MAX_DIM for side in self.shape):
            raise InvalidRequest(
                f"Tensor {self.name} must have 1 to {MAX_RANK} dimensions of 1 to {MAX_DIM} each."
            )

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def raw_bytes(self) -> int:
        return self.size * ITEM_BYTES


@dataclass(frozen=True, slots=True)
class LatentSpec:
    """The tensors of one state, sorted by name. Raises InvalidRequest beyond the documented bounds."""

    tensors: tuple[TensorSpec, ...] = ()

    def __post_init__(self) -> None:
        names = [tensor.name for tensor in self.tensors]
        if len(names) > MAX_TENSORS or names != sorted(set(names)):
            raise InvalidRequest(f"A latent has at most {MAX_TENSORS} tensors, sorted by distinct names.")
        if self.raw_bytes > MAX_RAW_BYTES:
            raise InvalidRequest(
                f"The latent would take {self.raw_bytes / 1e9:.1f} GB, more than "
                f"{MAX_RAW_BYTES / 1e9:.1f} GB: ask for a shorter, smaller or slower video."
            )

    @classmethod
    def of(cls, **shapes: tuple[int, ...]) -> "LatentSpec":
        """A spec from name=shape pairs in any order."""
        return cls(tuple(TensorSpec(name, shapes[name]) for name in sorted(shapes)))

    @property
    def raw_bytes(self) -> int:
        return sum(tensor.raw_bytes for tensor in self.tensors)

    @property
    def elements(self) -> int:
        return sum(tensor.size for tensor in self.tensors)


class Latent(Mapping[str, NDArray[np.float32]]):
    """An immutable mapping from name to a C-contiguous float32 array; equal when the bits are equal.

    The arrays are handed over, not copied: the caller must not write to them afterwards.
    Raises InvalidRequest for another dtype or beyond the bounds of LatentSpec.
    """

    __slots__ = ("_spec", "_tensors")

    def __init__(self, tensors: Mapping[str, NDArray[np.float32]] | None = None) -> None:
        given = dict(tensors or {})
        self._tensors = {name: _frozen(name, given[name]) for name in sorted(given)}
        self._spec = LatentSpec(tuple(TensorSpec(n, array.shape) for n, array in self._tensors.items()))

    @property
    def spec(self) -> LatentSpec:
        return self._spec

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Latent):
            return NotImplemented
        return self.spec == other.spec and all(
            np.array_equal(self[name].view(np.uint32), other[name].view(np.uint32)) for name in self
        )

    __hash__ = None  # type: ignore[assignment]  # content-equal and large: not a key

    def __repr__(self) -> str:
        shapes = ", ".join(f"{tensor.name}={tensor.shape}" for tensor in self.spec.tensors)
        return f"Latent({shapes})"


def _frozen(name: str, array: NDArray[np.float32]) -> NDArray[np.float32]:
    if array.dtype != np.float32:
        raise InvalidRequest(f"Tensor {name} has dtype {array.dtype}: send {DTYPE}.")
    if array.flags.c_contiguous and not array.flags.writeable:
        return array  # keeps its identity, which the pipeline uses to see that a stage goes on
    frozen = np.ascontiguousarray(array).view()
    frozen.flags.writeable = False
    return frozen
