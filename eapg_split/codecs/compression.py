"""zstd with the size known beforehand: what does not decompress to exactly that size is never decompressed."""

from collections.abc import Callable
from typing import Final

import zstandard

from eapg_split.errors import CorruptPayload

_LEVEL: Final = 1  # the higher ones shorten clean latents by less than a hundredth
_BLOCK_BYTES: Final = 128 << 10  # zstd's largest block
_LEAST_BLOCK: Final = 3  # the header of the smallest one


def compressor() -> Callable[[bytes | memoryview], bytes]:
    """What turns bytes into a zstd frame that declares its size; for one thread, and worth keeping for a few calls."""
    return zstandard.ZstdCompressor(level=_LEVEL, write_content_size=True).compress


def decompress(body: bytes | memoryview, size: int) -> bytes:
    """Exactly `size` bytes. Raises CorruptPayload, and allocates nothing for a frame that declares otherwise."""
    try:
        declared = zstandard.get_frame_parameters(body).content_size
        if declared != size:
            raise CorruptPayload(f"The payload declares {declared} bytes where {size} belong: send it again.")
        if size > (len(body) // _LEAST_BLOCK + 1) * _BLOCK_BYTES:
            raise CorruptPayload(f"{len(body)} bytes cannot hold {size}: the payload is cut short or forged.")
        raw = zstandard.ZstdDecompressor().decompress(body, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError:
        raise CorruptPayload("The payload is not valid zstd data: send it again.") from None
    if len(raw) != size:
        raise CorruptPayload(f"The payload holds {len(raw)} bytes where {size} belong: send it again.")
    return raw
