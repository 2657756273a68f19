"""What a hand-off costs: bits and final quality, codec speed, transport, shaped links, beside what others ship.

    python benchmarks/wire.py [--quick] [--json FILE]

Ours is measured side by side with hivemind, Dask and Ray in one run; their packages are installed once, in
environments of their own under runs/peers/. A peer that cannot run is named as such in its row. With --quick the
clips are short and little is repeated; what is skipped is said. Nobody on our side reads pickles.
"""

import argparse
import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import wire_accuracy
import wire_echo
import wire_handoff
import wire_job
import wire_links
import wire_quality
import wire_speed
from figures import Row, show, write
from wire_codecs import FP16, FP16_ZSTD, HIVEMIND, Coder, Place, fp16, fp16_zstd, hivemind_coder, our_coders
from wire_latents import PROMPTS, cuts_of, run_of
from wire_peers import PeerError, PeerProcess, peer_process
from wire_quality import QUALITY_DB, SHOWPIECE, Tally
from wire_shaper import Link
from wire_speed import Subject

from eapg_split.domain.request import Request
from eapg_split.eapg.calibration import Reference
from eapg_split.engines import open_engine
from eapg_split.errors import EapgError

HAND_OFF_STAGE: Final = "stage2"  # after its last step the latent leaves the device, by default
VERIFIED: Final = (Link(3e6, 0.040), Link(100e6, 0.040), Link(300e6, 0.040))
ACCURACY: Final = (wire_handoff.SLOW, Link(100e6, 0.040), Link(300e6, 0.040))


@dataclass(frozen=True)
class Setup:
    """What is measured, and how often."""

    quick: bool
    prompts: int
    weights: Path | None
    size: tuple[int, int]

    def times(self, full: int) -> int:
        """Repetitions."""
        return max(1, full // 5) if self.quick else full


class Bench:
    """One run of the benchmark; what several sections need is made once."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.engine = open_engine(weights=setup.weights)

    @cached_property
    def runs(self) -> list[Reference]:
        """The clips whose latents are coded."""
        width, height = self.setup.size
        seconds, fps = (1.0, 8) if self.setup.quick else (5.0, 24)
        requests = [
            Request(PROMPTS[i], seconds=seconds, fps=fps, width=width, height=height)
            for i in range(self.setup.prompts)
        ]
        return [run_of(self.engine, request) for request in requests]

    @cached_property
    def largest(self) -> Reference:
        """The clip whose latent is handed over links: the default one, or a short one."""
        return self.runs[0] if self.setup.quick else run_of(self.engine, Request(PROMPTS[0]))

    @property
    def subject(self) -> Subject:
        """The latent that leaves the device by default."""
        step = self.largest.workload.stage(HAND_OFF_STAGE).stop_step - 1
        return Subject(self.largest.states[step], Place(self.engine, self.largest.workload, step))

    @property
    def label(self) -> str:
        """Which latent that is."""
        megabytes = self.subject.latent.spec.raw_bytes / 1e6
        return f"{megabytes:.2f} MB of fp32 after {HAND_OFF_STAGE}"

    @cached_property
    def handed(self) -> dict[str, Tally]:
        """What each single codec makes of the latent that leaves the device, and of the video."""
        step, coders = self.subject.place.step, our_coders()
        return {
            name: Tally([wire_quality.sample(self.engine, self.largest, step, coders[name], finished=True)])
            for name in wire_links.single_codecs()
        }

    @property
    def good(self) -> tuple[str, ...]:
        """The single codecs that reach the quality there."""
        return tuple(name for name, tally in self.handed.items() if tally.worst_db() >= QUALITY_DB)


def quality(bench: Bench) -> Iterator[Row]:
    """Bits an element and the final video, at every step."""
    with _hivemind(bench.setup) as (peer, missing):
        coders: dict[str, Coder] = {**our_coders(), FP16: fp16, FP16_ZSTD: fp16_zstd}
        if peer is not None:
            coders[HIVEMIND] = hivemind_coder(peer)
        judge = wire_quality.last_cuts if bench.setup.quick else wire_quality.judged_cuts
        every = () if bench.setup.quick else (SHOWPIECE,)
        found = wire_quality.tallies(bench.engine, bench.runs, coders, judge=judge, every=every)
    run = bench.runs[0]
    size = f"{run.workload.request.width}x{run.workload.request.height}, {run.workload.request.seconds:g} s"
    yield from wire_quality.rows(
        found, f"{len(bench.runs)} clips of {size}, {len(cuts_of(run.workload))} cuts each"
    )
    yield wire_quality.equal_row(bench.engine, bench.runs, found, missing)
    yield wire_quality.lossless_row(found)


def speed(bench: Bench) -> Iterator[Row]:
    """Codecs on one thread."""
    with _hivemind(bench.setup) as (peer, missing):
        found = wire_speed.measure(bench.subject, peer, times=bench.setup.times(20))
    yield from wire_speed.rows(found, bench.label, missing)


def shaper(bench: Bench) -> Iterator[Row]:
    """The measuring instrument first."""
    links = ACCURACY[:1] if bench.setup.quick else ACCURACY
    yield from wire_accuracy.rows(links, times=bench.setup.times(5))


def echo(bench: Bench) -> Iterator[Row]:
    """Transport alone, on loopback."""
    yield from wire_echo.rows(wire_echo.measure(turns=bench.setup.times(20), build=not bench.setup.quick))


def handoff(bench: Bench) -> Iterator[Row]:
    """One latent over a slow link."""
    link = wire_handoff.SLOW
    names = (SHOWPIECE,) if bench.setup.quick else (SHOWPIECE, "int8", "lossless")
    codecs = wire_handoff.codecs_for(link, names)
    times, build = bench.setup.times(5), not bench.setup.quick
    found = asyncio.run(wire_handoff.measure(bench.subject, link, codecs, times=times, build=build))
    yield from wire_handoff.rows(found, link, bench.label)


def links(bench: Bench) -> Iterator[Row]:
    """All rates, computed; some of them measured."""
    yield wire_quality.handed_row(bench.handed, bench.label)
    yield from wire_links.rows(bench.subject, bench.good, bench.label, times=bench.setup.times(10))
    if bench.setup.quick:
        yield Row("hand-offs over further shaped links", "skipped with --quick")
        return
    for link in VERIFIED:
        codecs = wire_handoff.codecs_for(link, (*bench.good, SHOWPIECE))
        found = asyncio.run(wire_handoff.measure(bench.subject, link, codecs, times=3, build=None))
        yield from wire_handoff.verified_rows(found, bench.good, link, bench.label)


def jobs(bench: Bench) -> Iterator[Row]:
    """From the prompt to the frames, over daemons."""
    count, seconds = (2, 1.0) if bench.setup.quick else (len(PROMPTS), 5.0)
    yield from wire_job.rows(bench.setup.size, seconds, count, bench.setup.weights)


SECTIONS: Final[Mapping[str, Callable[[Bench], Iterator[Row]]]] = {
    "quality": quality,
    "jobs": jobs,
    "speed": speed,
    "shaper": shaper,
    "echo": echo,
    "hand-off": handoff,
    "links": links,
}


@contextlib.contextmanager
def _hivemind(setup: Setup) -> Iterator[tuple[PeerProcess | None, str]]:
    """Hivemind's codecs in their own process, or why there are none."""
    with contextlib.ExitStack() as stack:
        try:
            process = peer_process("hivemind", "hivemind_peer.py", "codec", build=not setup.quick)
            peer, missing = stack.enter_context(process), ""
        except (PeerError, OSError) as error:
            peer, missing = None, str(error)
        yield peer, missing


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table, writes it as JSON where asked, and returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="short clips, few repetitions, nothing installed"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument(
        "--prompts",
        type=int,
        choices=range(1, len(PROMPTS) + 1),
        metavar="N",
        help="clips whose latents are coded (default: 2; 1 with --quick)",
    )
    parser.add_argument(
        "--weights", type=Path, metavar="DIR", help="folder with the weights (default: the shipped ones)"
    )
    parser.add_argument(
        "--size", default="256x144", help="of the clips whose latents are coded (default: 256x144)"
    )
    parser.add_argument(
        "--only", nargs="+", choices=list(SECTIONS), default=list(SECTIONS), help="only these sections"
    )
    flags = parser.parse_args(arguments)
    width, _, height = flags.size.partition("x")
    prompts = flags.prompts or (1 if flags.quick else 2)
    bench = Bench(Setup(flags.quick, prompts, flags.weights, (int(width), int(height))))
    rows = []
    for name in flags.only:
        for row in _rows(name, bench):
            rows.append(row)
            print(show(row), flush=True)
            write(rows, flags.json)
    return 0 if flags.quick or all(row.holds for row in rows) else 1


def _rows(name: str, bench: Bench) -> Iterator[Row]:
    """The rows of a section; where it fails, a row that says so takes the place of the rest."""
    try:
        yield from SECTIONS[name](bench)
    except (EapgError, PeerError, OSError) as error:
        yield Row(f"section {name}", f"failed: {type(error).__name__}: {error}", {}, "measured", False)


if __name__ == "__main__":
    sys.exit(main())
