"""Writes finished frames as a file that people can open; the wanted name's ending says which kind.

AV1 by SVT is the default because it is the fastest good encoder here, the smallest on flat pictures, and free of the
GPL encoders that PyAV's wheels also carry. PyAV is imported when a sink is opened, not before: an idle daemon does
not pay for it.
"""

import contextlib
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from eapg_split.errors import InvalidRequest, OutputFailure
from eapg_split.runtime.sink import VideoFormat, VideoSink

if TYPE_CHECKING:
    from av import VideoFrame, VideoStream

    _Convert = Callable[[VideoFrame | None], Iterator[VideoFrame]]

_BT709: Final = 1  # the number of BT.709 in every colour table of ISO/IEC 23091-2
_STUDIO_RANGE: Final = 1  # 16..235, what players expect of a video file
# Above this the encoder's own picture buffers matter more than its last per cent of efficiency.
_LARGE_PIXELS: Final = 1280 * 720
_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"

SUFFIXES: Final = (".mp4", ".webm", ".gif", "")


def suffix_of(output: str) -> str:
    """The ending of the wanted name in lower case, with its dot; empty for a folder of PNG.

    A name that ends with a slash, or that has no ending, is a folder. Raises InvalidRequest for an unknown ending.
    """
    suffix = "" if output.endswith(("/", os.sep)) else PurePath(output).suffix.lower()
    if suffix not in SUFFIXES:
        raise InvalidRequest(
            f"Cannot write '{suffix}' files: let the output end in .mp4, .webm or .gif, or in / for a folder of PNG."
        )
    return suffix


def open_sink(folder: Path, video: VideoFormat) -> VideoSink:
    """Opens the sink for `video.suffix` below `folder`, as `runtime.sink.OpenSink` asks."""
    suffix = suffix_of(f"video{video.suffix}")
    if suffix == "":
        return PngSink(folder, video)
    path = folder / f"video{suffix}"
    with _reported_as_output(path):
        path.touch()  # FFmpeg opens its file at the first packet, which is late to learn of a wrong place
        return _open_gif(path, video) if suffix == ".gif" else _open_av1(path, video)


def encode_png(frame: NDArray[np.uint8]) -> bytes:
    """The bytes of a PNG file with `frame`, uint8 RGB (height, width, 3)."""
    height, width, _ = frame.shape
    # Filter 1: every pixel minus its left neighbour, modulo 256. It makes flat pictures and gradients tiny.
    rows = np.empty((height, 1 + width * 3), np.uint8)
    rows[:, 0] = 1
    flat = frame.reshape(height, width * 3)
    rows[:, 1:4] = flat[:, :3]
    np.subtract(flat[:, 3:], flat[:, :-3], out=rows[:, 4:])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    return _PNG_SIGNATURE + b"".join(_png_chunk(kind, data) for kind, data in chunks)


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


class PngSink:
    """One PNG file a frame, numbered from 0 so that names sort in the order of time."""

    def __init__(self, folder: Path, video: VideoFormat) -> None:
        self._folder = folder
        self._video = video
        self._files: list[Path] = []

    def write(self, frame: NDArray[np.uint8]) -> None:
        _check_frame(frame, self._video)
        path = self._folder / f"frame-{len(self._files):05d}.png"
        with _reported_as_output(path):
            path.write_bytes(encode_png(frame))
        self._files.append(path)

    def finish(self) -> Sequence[Path]:
        return tuple(self._files)

    def abort(self) -> None:
        """There is nothing to release: every file was closed when it was written."""


class ContainerSink:
    """Frames into one file by a PyAV encoder; `convert` makes what the encoder takes out of an RGB frame."""

    def __init__(self, path: Path, video: VideoFormat, stream: "VideoStream", convert: "_Convert") -> None:
        from av.container import OutputContainer

        assert isinstance(stream.container, OutputContainer)
        self._path = path
        self._video = video
        self._stream = stream
        self._container = stream.container
        self._convert = convert
        self._count = 0
        self._open = True

    def write(self, frame: NDArray[np.uint8]) -> None:
        import av

        _check_frame(frame, self._video)
        with _reported_as_output(self._path):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            picture.pts, picture.time_base = self._count, Fraction(1, self._video.fps)
            self._count += 1
            self._encode(self._convert(picture))

    def finish(self) -> Sequence[Path]:
        with _reported_as_output(self._path):
            self._encode(self._convert(None))
            self._container.mux(self._stream.encode(None))
            self._open = False
            self._container.close()
        return (self._path,)

    def abort(self) -> None:
        if self._open:
            self._open = False
            with contextlib.suppress(OSError, ValueError):
                self._container.close()

    def _encode(self, pictures: "Iterator[VideoFrame]") -> None:
        for picture in pictures:
            self._container.mux(self._stream.encode(picture))


def _open_av1(path: Path, video: VideoFormat) -> ContainerSink:
    """AV1 in MP4 or WebM: 4:2:0, BT.709, studio range, at a quality at which flat pictures look untouched."""
    import av

    # The encoder prints its settings on every start unless its own variable says otherwise; what matters is raised.
    os.environ.setdefault("SVT_LOG", "0")
    kind = video.suffix.removeprefix(".")
    # Players can begin before the whole file has arrived when the index comes first.
    container = av.open(
        str(path), "w", format=kind, options={"movflags": "+faststart"} if kind == "mp4" else {}
    )
    large = video.width * video.height > _LARGE_PIXELS
    # At most two worker threads; for large pictures low delay and no lookahead, which bounds the memory.
    parameters = "lp=2:pred-struct=1:lookahead=0" if large else "lp=2"
    options = {"crf": "24", "preset": "10" if large else "8", "svtav1-params": parameters}
    stream = container.add_stream("libsvtav1", rate=video.fps, options=options)
    _set_geometry(stream, video, "yuv420p")
    context = stream.codec_context
    context.color_primaries = context.color_trc = context.colorspace = _BT709
    context.color_range = _STUDIO_RANGE
    with _usual_priority():
        context.open()

    def convert(picture: "VideoFrame | None") -> "Iterator[VideoFrame]":
        if picture is not None:
            yield picture.reformat(format="yuv420p", dst_colorspace=_BT709, dst_color_range=_STUDIO_RANGE)

    return ContainerSink(path, video, stream, convert)


@contextlib.contextmanager
def _usual_priority() -> Iterator[None]:
    """Keeps threads as they were, and new ones usual.

    Where it may (as root, so in most containers), SVT-AV1 makes its threads and the one that opens it real-time ones
    of the highest priority: they would starve the engine, the event loop and the rest of the machine.
    """
    tasks = Path("/proc/self/task")
    if not tasks.is_dir() or not hasattr(os, "sched_setscheduler"):
        yield
        return
    policy, parameters, before = os.sched_getscheduler(0), os.sched_getparam(0), set(os.listdir(tasks))
    yield
    for task in (0, *(int(name) for name in os.listdir(tasks) if name not in before)):
        with contextlib.suppress(OSError):  # a thread may be gone by now
            os.sched_setscheduler(task, policy, parameters)


def _open_gif(path: Path, video: VideoFormat) -> ContainerSink:
    """GIF with a palette of its own for every frame, so that memory does not grow with the clip."""
    import av

    push, pull = _palette_filter(video)
    stream = av.open(str(path), "w", format="gif").add_stream("gif", rate=video.fps)
    _set_geometry(stream, video, "pal8")

    def convert(picture: "VideoFrame | None") -> "Iterator[VideoFrame]":
        push(picture)
        while (coloured := pull()) is not None:
            coloured.time_base = Fraction(1, video.fps)
            yield coloured

    return ContainerSink(path, video, stream, convert)


def _set_geometry(stream: "VideoStream", video: VideoFormat, pixels: str) -> None:
    stream.width, stream.height, stream.pix_fmt = video.width, video.height, pixels
    stream.codec_context.time_base = Fraction(1, video.fps)


def _palette_filter(
    video: VideoFormat,
) -> "tuple[Callable[[VideoFrame | None], None], Callable[[], VideoFrame | None]]":
    """RGB in, 256 colours out: two ends of a filter graph; the second returns None while nothing is ready."""
    import av

    graph = av.filter.Graph()
    source = graph.add_buffer(
        width=video.width,
        height=video.height,
        format=av.VideoFormat("rgb24"),
        time_base=Fraction(1, video.fps),
    )
    split, sink = graph.add("split"), graph.add("buffersink")
    generate = graph.add("palettegen", "stats_mode=single")
    use = graph.add("paletteuse", "new=1:dither=bayer:bayer_scale=5")
    source.link_to(split)
    split.link_to(generate, 0, 0)
    split.link_to(use, 1, 0)
    generate.link_to(use, 0, 1)
    use.link_to(sink)
    graph.configure()

    def pull() -> "VideoFrame | None":
        try:
            return graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return None

    return graph.vpush, pull


def _check_frame(frame: NDArray[np.uint8], video: VideoFormat) -> None:
    wanted = (video.height, video.width, 3)
    if frame.shape != wanted or frame.dtype != np.uint8:
        raise OutputFailure(
            f"A frame must be uint8 {wanted}, not {frame.dtype} {frame.shape}: this is a defect."
        )


@contextlib.contextmanager
def _reported_as_output(path: Path) -> Iterator[None]:
    """Turns what the system and FFmpeg say while writing `path` into an OutputFailure with the way out."""
    try:
        yield
    except (OSError, ValueError, MemoryError) as error:
        raise OutputFailure.of(error, path) from error
