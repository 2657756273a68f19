"""Latents to bytes and back, without a framework. `CODECS` lists them all."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from eapg_split.codecs.auto import AutoCodec
from eapg_split.codecs.base import Codec, Payload
from eapg_split.codecs.clean import CleanCodec
from eapg_split.codecs.int4 import Int4Codec
from eapg_split.codecs.int8 import Int8Codec
from eapg_split.codecs.lossless import LosslessCodec
from eapg_split.errors import InvalidRequest

CODECS: Final[Mapping[str, Codec]] = MappingProxyType(
    {
        "lossless": LosslessCodec(),
        "int8": Int8Codec(),
        "int4": Int4Codec(),
        "clean": CleanCodec(),
        "auto": AutoCodec(),
    }
)


def codec_named(name: str) -> Codec:
    """The codec of that name. Raises InvalidRequest when there is none."""
    if name not in CODECS:
        raise InvalidRequest(f"There is no codec {name[:64]!r}: use one of {', '.join(CODECS)}.")
    return CODECS[name]


__all__ = ["CODECS", "Codec", "Payload", "codec_named"]
