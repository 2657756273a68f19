"""Small WebP pictures for the log: about 5 kB where PNG takes 40, and every browser shows them."""

import base64
from fractions import Fraction
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.cli.run_log.values import BadValue

if TYPE_CHECKING:
    from av import VideoFrame

MAX_SIDE: Final = 256
MAX_PICTURE_BYTES: Final = 48 << 10  # 64 KiB in base64
_QUALITIES: Final = ("85", "50", "10")  # the next one is tried where a picture is too large


def encode_webp(frame: NDArray[np.uint8]) -> bytes:
    """A WebP file with `frame`, uint8 RGB (height, width, 3), made smaller where it exceeds 256 pixels a side.

    Empty where even the lowest quality has more than 48 KiB, or where FFmpeg came without WebP.
    """
    import av

    height, width, _ = frame.shape
    shrink = max(1.0, max(height, width) / MAX_SIDE)
    size = max(1, round(width / shrink)), max(1, round(height / shrink))
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    picture = picture.reformat(*size, format="yuv420p")
    for quality in _QUALITIES:
        try:
            data = _encode(picture, quality)
        except (av.FFmpegError, ValueError):  # the codec is not there
            return b""
        if len(data) <= MAX_PICTURE_BYTES:
            return data
    return b""


def check_webp(text: str) -> None:
    """Raises BadValue unless `text` is empty or a WebP file in base64."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        raise BadValue("'webp' must be base64") from None
    if data and not (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
        raise BadValue("'webp' must be a WebP file")


def _encode(picture: "VideoFrame", quality: str) -> bytes:
    from av.video.codeccontext import VideoCodecContext

    context = VideoCodecContext.create("libwebp", "w")
    assert isinstance(context, VideoCodecContext)
    context.width, context.height, context.pix_fmt = picture.width, picture.height, "yuv420p"
    context.time_base, picture.pts = Fraction(1, 1), 0
    context.options = {"quality": quality}
    packets = [*context.encode(picture), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets)
