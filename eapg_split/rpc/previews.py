"""Preview frames as messages: whole for a person's program, in bands of rows between nodes, where latents pass."""

from typing import Final

import numpy as np

from eapg_split.errors import InvalidRequest
from eapg_split.rpc.v1 import common_pb2
from eapg_split.runtime.events import PreviewFrame
from eapg_split.runtime.preview import MAX_FRAMES, MAX_SIDE

BAND_BYTES: Final = 60 * 1024  # with what is around it less than 64 KiB
_CHANNELS: Final = 3


def preview_to_proto(event: PreviewFrame) -> common_pb2.PreviewFrame:
    """The whole frame."""
    return _rows(event, 0, event.frame.shape[0])


def preview_bands(event: PreviewFrame) -> tuple[common_pb2.PreviewFrame, ...]:
    """The frame in messages of at most 64 KiB."""
    height, width, _ = event.frame.shape
    rows = max(1, BAND_BYTES // (width * _CHANNELS))
    return tuple(_rows(event, start, min(start + rows, height)) for start in range(0, height, rows))


def preview_from_proto(message: common_pb2.PreviewFrame) -> PreviewFrame:
    """A whole frame. Raises InvalidRequest when the bytes are not a picture of the declared size."""
    whole = PreviewAssembly().add(message)
    if whole is None:
        raise InvalidRequest("A preview's bytes do not fit its declared size.")
    return whole


class PreviewAssembly:
    """Puts frames together from bands; one of which a band is missing never appears."""

    def __init__(self) -> None:
        self._bands: list[common_pb2.PreviewFrame] = []

    def add(self, band: common_pb2.PreviewFrame) -> PreviewFrame | None:
        """The frame that the band completes, if it does. Raises InvalidRequest for what is no band."""
        row_bytes = band.width * _CHANNELS
        rows, odd = divmod(len(band.rgb), row_bytes) if row_bytes else (0, 1)
        if odd or not 1 <= rows <= band.height - band.first_row or max(band.width, band.height) > MAX_SIDE:
            raise InvalidRequest("A preview's bytes do not fit its declared size.")
        if not (band.index < band.count <= MAX_FRAMES and band.stage.isidentifier()):
            raise InvalidRequest("A preview's frame is not one of a stage's.")
        if band.first_row == 0:
            self._bands = []
        elif not self._bands or _next_row(self._bands[-1]) != (*_frame(band), band.first_row):
            return None
        self._bands.append(band)
        if band.first_row + rows < band.height:
            return None
        rgb, self._bands = b"".join(each.rgb for each in self._bands), []
        frame = np.frombuffer(rgb, np.uint8).reshape(band.height, band.width, _CHANNELS)
        return PreviewFrame(band.stage, band.step, band.index, band.count, frame)


def _rows(event: PreviewFrame, start: int, stop: int) -> common_pb2.PreviewFrame:
    height, width, _ = event.frame.shape
    return common_pb2.PreviewFrame(
        stage=event.stage,
        step=event.step,
        index=event.index,
        count=event.count,
        height=height,
        width=width,
        first_row=start,
        rgb=event.frame[start:stop].tobytes(),
    )


def _frame(band: common_pb2.PreviewFrame) -> tuple[int, int, int, int]:
    return band.step, band.index, band.height, band.width


def _next_row(band: common_pb2.PreviewFrame) -> tuple[int, int, int, int, int]:
    return (*_frame(band), band.first_row + len(band.rgb) // (band.width * _CHANNELS))
