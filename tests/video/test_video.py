"""Frames that go in come out of the file: their number, size, time and colours, whatever the container."""

import os
import resource
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from eapg_split.errors import InvalidRequest, OutputFailure
from eapg_split.runtime.sink import VideoFormat
from eapg_split.video import encode_png, open_sink, suffix_of

RED, GREEN, SKY = (230, 30, 30), (60, 160, 70), (110, 170, 230)


def cartoon(width: int, height: int, frames: int) -> list[NDArray[np.uint8]]:
    """A red disc that crosses a sky above a meadow: flat colours and hard edges."""
    rows, columns = np.mgrid[0:height, 0:width]
    clip = []
    for index in range(frames):
        frame = np.empty((height, width, 3), np.uint8)
        frame[:] = SKY
        frame[height // 2 :] = GREEN
        centre = width * (index + 1) / (frames + 1)
        frame[(columns - centre) ** 2 + (rows - height / 2) ** 2 < (height / 5) ** 2] = RED
        clip.append(frame)
    return clip


def write(folder: Path, video: VideoFormat, clip: Sequence[NDArray[np.uint8]]) -> Sequence[Path]:
    folder.mkdir(exist_ok=True)
    sink = open_sink(folder, video)
    for frame in clip:
        sink.write(frame)
    files = sink.finish()
    sink.abort()
    return files


def read(path: Path) -> list[NDArray[np.float64]]:
    with av.open(str(path)) as container:
        return [
            frame.reformat(format="rgb24", src_colorspace=frame.colorspace).to_ndarray().astype(float)
            for frame in container.decode(video=0)
        ]


def psnr(shown: Sequence[NDArray[np.float64]], meant: Sequence[NDArray[np.uint8]]) -> float:
    error = np.mean([np.mean((a - b) ** 2) for a, b in zip(shown, meant, strict=True)])
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


@pytest.mark.parametrize(("suffix", "least_db"), [(".mp4", 27.0), (".webm", 27.0), (".gif", 40.0)])
@pytest.mark.parametrize(("width", "height"), [(128, 72), (66, 64), (65, 67)])
def test_a_clip_survives(tmp_path: Path, suffix: str, least_db: float, width: int, height: int) -> None:
    # AV1 keeps half the resolution of colour, which a red edge of one pixel shows most.
    clip = cartoon(width, height, 13)
    (path,) = write(tmp_path, VideoFormat(suffix, 12, width, height), clip)
    assert path.parent == tmp_path
    assert path.suffix == suffix
    assert psnr(read(path), clip) > least_db


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_flat_colours_and_tags_are_right(tmp_path: Path, suffix: str) -> None:
    frame = np.empty((64, 96, 3), np.uint8)
    frame[:] = RED
    (path,) = write(tmp_path, VideoFormat(suffix, 24, 96, 64), [frame] * 3)
    assert np.abs(read(path)[1] - RED).max() <= 3
    with av.open(str(path)) as container:
        context = container.streams.video[0].codec_context
        assert context.name in ("libdav1d", "av1", "libaom-av1")
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (
            1,
            1,
            1,
            1,
        )
        assert context.pix_fmt == "yuv420p"


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
def test_duration_follows_the_frame_rate(tmp_path: Path, suffix: str) -> None:
    (path,) = write(tmp_path, VideoFormat(suffix, 10, 64, 64), cartoon(64, 64, 20))
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([index / 10 for index in range(20)], abs=0.011)


def test_one_frame_is_a_video(tmp_path: Path) -> None:
    for suffix in (".mp4", ".webm", ".gif"):
        (path,) = write(tmp_path, VideoFormat(suffix, 24, 64, 64), cartoon(64, 64, 1))
        assert len(read(path)) == 1


def test_png_is_lossless_and_sorts_in_time(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    clip = [*cartoon(64, 66, 11), random.integers(0, 256, (66, 64, 3), np.uint8)]
    files = write(tmp_path, VideoFormat("", 24, 64, 66), clip)
    assert list(files) == sorted(tmp_path.iterdir())
    for path, frame in zip(files, clip, strict=True):
        assert np.array_equal(read(path)[0], frame)


def test_png_of_one_column() -> None:
    assert encode_png(np.zeros((3, 1, 3), np.uint8)).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "suffix"),
    [
        ("a.mp4", ".mp4"),
        ("a.WebM", ".webm"),
        ("x/y.gif", ".gif"),
        ("cat", ""),
        ("a.b/", ""),
        ("dir.v2/cat", ""),
    ],
)
def test_the_name_says_the_kind(name: str, suffix: str) -> None:
    assert suffix_of(name) == suffix


@pytest.mark.parametrize("name", ["cat.avi", "cat.mp4.txt", "cat.png"])
def test_an_unknown_ending_names_the_known_ones(name: str) -> None:
    with pytest.raises(InvalidRequest, match=r"\.mp4, \.webm or \.gif"):
        suffix_of(name)


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
def test_a_full_disk_is_named(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"video{suffix}").symlink_to("/dev/full")
    with pytest.raises(OutputFailure, match="No space is left"):
        write(tmp_path, VideoFormat(suffix, 24, 128, 72), cartoon(128, 72, 30))


def test_a_full_disk_is_named_for_png(tmp_path: Path) -> None:
    (tmp_path / "frame-00000.png").symlink_to("/dev/full")
    with pytest.raises(OutputFailure, match="No space is left"):
        write(tmp_path, VideoFormat("", 24, 64, 64), cartoon(64, 64, 1))


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ""])
def test_a_missing_folder_is_named(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(OutputFailure, match="does not exist"):
        sink = open_sink(tmp_path / "absent", VideoFormat(suffix, 24, 64, 64))
        sink.write(cartoon(64, 64, 1)[0])


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ""])
@pytest.mark.parametrize("frames", [0, 1, 9])
def test_abort_releases_whatever_was_written(tmp_path: Path, suffix: str, frames: int) -> None:
    sink = open_sink(tmp_path, VideoFormat(suffix, 24, 64, 64))
    for frame in cartoon(64, 64, frames):
        sink.write(frame)
    sink.abort()
    sink.abort()


def test_a_frame_of_another_size_is_refused(tmp_path: Path) -> None:
    sink = open_sink(tmp_path, VideoFormat(".gif", 24, 64, 64))
    with pytest.raises(OutputFailure, match="defect"):
        sink.write(np.zeros((64, 66, 3), np.uint8))
    sink.abort()


@pytest.mark.skipif(
    not hasattr(os, "sched_getscheduler"), reason="only Linux tells how threads are scheduled"
)
def test_no_thread_becomes_a_real_time_one(tmp_path: Path) -> None:
    sink = open_sink(tmp_path, VideoFormat(".mp4", 24, 64, 64))
    for frame in cartoon(64, 64, 3):
        sink.write(frame)
    policies = {os.sched_getscheduler(int(name)) for name in os.listdir("/proc/self/task")}
    sink.finish()
    assert policies == {os.SCHED_OTHER}
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


def test_memory_stays_small(tmp_path: Path) -> None:
    clip = cartoon(512, 288, 8)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write(tmp_path, VideoFormat(".mp4", 24, 512, 288), clip * 8)
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 200
