"""How a codec is used on a link, by what is known of the link."""

import asyncio
import time

from eapg_split.codecs.auto import AutoCodec
from eapg_split.codecs.base import Codec


async def on_link(codec: Codec, bits_per_s: float | None) -> Codec:
    """The codec as it is used on a link of that speed: only `auto` minds.

    In a thread, as the first `auto` of a process measures the other codecs, which takes a tenth of a second.
    """
    if not isinstance(codec, AutoCodec):
        return codec
    return await asyncio.to_thread(AutoCodec, bits_per_s, clock=time.thread_time)
