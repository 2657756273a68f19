"""`eapg-split codec list` and `eapg-split codec calibrate`."""

from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from eapg_split.cli.text import purpose, table
from eapg_split.codecs import CODECS
from eapg_split.domain.request import Request
from eapg_split.eapg.attributes import SCENES
from eapg_split.eapg.calibration import calibrate
from eapg_split.engines import open_engine
from eapg_split.engines.store import SHIPPED, write_quality
from eapg_split.errors import OutputFailure

# Early states need finer steps the larger the video is. Most of that is between these sizes; where a run is long, the
# scenes that need the finest steps stand for all.
_SIZES: Final = ((256, 144), (512, 288), (1024, 576))
_SCENES: Final = (SCENES, ("city", "fish", "train", "cat"), ("city", "fish"))
_USUAL: Final = (4, 1, 1)  # clips of the usual length at each size, on which bits are counted


def codec_lines() -> list[str]:
    """Each codec with what it does."""
    rows = [(name, "yes" if codec.lossless else "no", purpose(type(codec))) for name, codec in CODECS.items()]
    return table(("name", "lossless", "what it does"), rows).splitlines()


def calibrate_weights(weights: Path | None, *, threads: int, scenes: int) -> None:
    """Measures the weights in a folder and writes the quality table into their manifest.

    Raises CorruptWeights for unusable weights, OutputFailure where the manifest cannot be written.
    """
    folder = SHIPPED if weights is None else weights
    engine = open_engine(threads=threads, weights=folder)
    requests, usual = _requests(scenes)
    columns = (
        TextColumn("{task.description:<34}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as display:
        task = display.add_task("starting", total=1.0)
        found = calibrate(
            engine,
            requests,
            usual,
            lambda text, share: display.update(task, description=text, completed=share),
        )
        display.update(task, completed=1.0)
    try:
        write_quality(folder, found)
    except OSError as error:
        raise OutputFailure(
            f"{error.filename} cannot be written ({error.strerror}): choose other --weights."
        ) from error
    rows = [
        (
            str(pixels),
            key,
            f"{point.moment:.2f}",
            f"{point.step:.4f}",
            *(f"{bits:.2f}" for bits in point.bits),
        )
        for pixels, stages in found.sizes.items()
        for key, points in stages.items()
        for point in points
    ]
    print(
        table(
            ("pixels", "stage and tensor", "moment", "step at 45 dB", "bits at 36", "at 45", "at 54 dB"), rows
        )
    )


def _requests(scenes: int) -> tuple[list[Request], list[Request]]:
    """Clips to find steps on, short ones, which lose the most; and clips of the usual length to count bits on."""
    short, usual = [], []
    for (width, height), chosen, count in zip(_SIZES, _SCENES, _USUAL, strict=True):
        short += [
            Request(prompt=f"A {scene}", seconds=1, fps=8, width=width, height=height, seed=seed)
            for seed, scene in enumerate(chosen[:scenes])
        ]
        usual += [
            Request(prompt=f"A {scene}", width=width, height=height, seed=seed)
            for seed, scene in enumerate(SCENES[: min(scenes, count)])
        ]
    return short, usual
