"""zstd with the size known beforehand: what does not decompress to exactly that size is never decompressed."""

from typing import Final

import zstandard

from eapg_split.errors import CorruptPayload

LEVEL: Final = 3
FAST: Final = 1
_BLOCK_BYTES: Final = 128 << 10  # zstd's largest block
_LEAST_BLOCK: Final = 3  # the header of the smallest one


def compress(raw: bytes | memoryview, level: int = LEVEL) -> bytes:
    """One zstd frame that declares its size; nothing for nothing."""
    if not raw:
        return b""
    return zstandard.ZstdCompressor(level=level, write_content_size=True).compress(raw)


def decompress(body: bytes | memoryview, size: int) -> bytes:
    """Exactly `size` bytes. Raises CorruptPayload, and allocates nothing for a frame that declares otherwise."""
    if size == 0 and not body:
        return b""
    try:
        declared = zstandard.get_frame_parameters(body).content_size
        if declared != size or size == 0:
            raise CorruptPayload(f"The payload declares {declared} bytes where {size} belong: send it again.")
        if size > (len(body) // _LEAST_BLOCK + 1) * _BLOCK_BYTES:
            raise CorruptPayload(f"{len(body)} bytes cannot hold {size}: the payload is cut short or forged.")
        raw = zstandard.ZstdDecompressor().decompress(body, max_output_size=size, allow_extra_data=False)
    except zstandard.ZstdError:
        raise CorruptPayload("The payload is not valid zstd data: send it again.") from None
    if len(raw) != size:
        raise CorruptPayload(f"The payload holds {len(raw)} bytes where {size} belong: send it again.")
    return raw
