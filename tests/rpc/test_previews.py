"""A frame survives in bands; one that lost a band never appears, and a band that makes no sense is refused."""

import numpy as np
import pytest

from eapg_split.errors import InvalidRequest
from eapg_split.rpc.previews import PreviewAssembly, preview_bands
from eapg_split.rpc.v1 import common_pb2
from eapg_split.runtime.events import PreviewFrame

MESSAGE_BYTES = 64 * 1024


def _frame(height: int = 512, width: int = 512, index: int = 0) -> PreviewFrame:
    rgb = np.random.default_rng(index).integers(0, 256, (height, width, 3)).astype(np.uint8)
    return PreviewFrame("stage1", 4, index, 2, rgb)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (9, 16), (144, 256), (512, 512)])
def test_a_frame_comes_in_small_messages(height: int, width: int) -> None:
    frame, assembly = _frame(height, width), PreviewAssembly()
    bands = preview_bands(frame)
    assert all(band.ByteSize() <= MESSAGE_BYTES for band in bands)
    *before, last = [assembly.add(band) for band in bands]
    assert before == [None] * (len(bands) - 1)
    assert last is not None
    assert (last, last.frame.tobytes()) == (frame, frame.frame.tobytes())


def test_a_frame_without_one_of_its_bands_is_left_out() -> None:
    assembly, whole = PreviewAssembly(), _frame(index=1)
    lost, other = preview_bands(_frame()), preview_bands(whole)
    assert [assembly.add(band) for band in (*lost[:2], *lost[3:])] == [None] * (len(lost) - 1)
    assert [assembly.add(band) for band in (*lost[:2], other[2])] == [None] * 3
    assert [assembly.add(band) for band in other][-1] == whole


@pytest.mark.parametrize(
    "band",
    [
        common_pb2.PreviewFrame(height=2, width=2, rgb=b"12345"),
        common_pb2.PreviewFrame(height=2, width=0, rgb=b"123456"),
        common_pb2.PreviewFrame(height=2, width=1, first_row=1, rgb=b"123456"),
        common_pb2.PreviewFrame(height=2**31, width=1, rgb=b"123"),
        common_pb2.PreviewFrame(height=2, width=1),
    ],
)
def test_a_band_that_is_no_picture_is_refused(band: common_pb2.PreviewFrame) -> None:
    with pytest.raises(InvalidRequest):
        PreviewAssembly().add(band)
