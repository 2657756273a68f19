"""`eapg-split codec list` and `eapg-split codec calibrate`."""

from pathlib import Path

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

_WIDTH, _HEIGHT = 256, 144  # what the table says of steps holds for other sizes too


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
    requests = [
        Request(prompt=f"A {scene}", width=_WIDTH, height=_HEIGHT, seed=seed)
        for seed, scene in enumerate(SCENES[:scenes])
    ]
    columns = (
        TextColumn("{task.description:<34}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as display:
        task = display.add_task("starting", total=1.0)
        found = calibrate(
            engine, requests, lambda text, share: display.update(task, description=text, completed=share)
        )
        display.update(task, completed=1.0)
    try:
        write_quality(folder, found)
    except OSError as error:
        raise OutputFailure(
            f"{error.filename} cannot be written ({error.strerror}): choose other --weights."
        ) from error
    rows = [
        (key, f"{point.moment:.2f}", f"{point.step:.4f}", *(f"{bits:.2f}" for bits in point.bits))
        for key, points in found.points.items()
        for point in points
    ]
    print(table(("stage and tensor", "moment", "step at 45 dB", "bits at 36", "at 45", "at 54 dB"), rows))
