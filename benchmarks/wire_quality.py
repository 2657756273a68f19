"""How many bits a number costs at a cut, and what is left of the final video: every step, every codec."""

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from figures import Row, Value
from wire_codecs import DEFAULT_DB, FP16, FP16_ZSTD, HIVEMIND, Coder, Place, elements, our_coder
from wire_latents import cuts_of
from wire_peers import PeerError

from eapg_split.codecs import CODECS
from eapg_split.domain.workload import StageKind
from eapg_split.eapg.calibration import Reference, finish, psnr
from eapg_split.eapg.pipeline import EapgPipeline

SHOWPIECE = "clean"
QUALITY_DB = DEFAULT_DB
_MOST_TRIES = 10
_HEADROOM_DB = 1.0
BITS_BAR = 1.3
HIVEMIND_BAR = 6.0
FP16_BAR = 12.0


@dataclass(frozen=True)
class Sample:
    """One codec at one cut of one prompt; `psnr_db` is None where the video was not finished."""

    step: int
    stage: str
    elements: int
    bits: int
    psnr_db: float | None


@dataclass
class Tally:
    """All samples of one codec."""

    samples: list[Sample] = field(default_factory=list)

    def bits_per_element(self, stage: str = "") -> float:
        """Bits over numbers, of all cuts together."""
        chosen = [s for s in self.samples if stage in ("", s.stage)]
        return sum(s.bits for s in chosen) / max(1, sum(s.elements for s in chosen))

    def worst_db(self, stage: str = "") -> float:
        """The worst final video; NaN where none was finished."""
        found = self._decibels(stage)
        return min(found) if found else math.nan

    def median_db(self) -> float:
        found = self._decibels("")
        return median(found) if found else math.nan

    def _decibels(self, stage: str) -> list[float]:
        return [s.psnr_db for s in self.samples if s.psnr_db is not None and stage in ("", s.stage)]


def judged_cuts(run: Reference) -> tuple[int, ...]:
    """The first, the middle and the last cut of each stage."""
    chosen = []
    for stage in run.workload.stages:
        if stage.kind is StageKind.DENOISE:
            start, last = stage.start_step, stage.stop_step - 1
            chosen += [start, (start + last) // 2, last]
    return tuple(dict.fromkeys(chosen))


def last_cuts(run: Reference) -> tuple[int, ...]:
    """The last cut of each stage."""
    stages = (stage for stage in run.workload.stages if stage.kind is StageKind.DENOISE)
    return tuple(stage.stop_step - 1 for stage in stages)


def tallies(
    engine: EapgPipeline,
    runs: Sequence[Reference],
    coders: Mapping[str, Coder],
    *,
    judge: Callable[[Reference], tuple[int, ...]],
    every: Sequence[str],
) -> dict[str, Tally]:
    """Every codec at every cut; the video is finished at the cuts to judge, and for codecs of `every` at all cuts.

    A peer that fails is left out.
    """
    found = {name: Tally() for name in coders}
    for run in runs:
        judged = judge(run)
        for step in cuts_of(run.workload):
            for name in list(found):
                finished = step in judged or name in every
                try:
                    found[name].samples.append(sample(engine, run, step, coders[name], finished=finished))
                except PeerError as error:
                    print(f"{name} is left out: {error}", file=sys.stderr, flush=True)
                    del found[name]
    return found


def sample(engine: EapgPipeline, run: Reference, step: int, coder: Coder, *, finished: bool) -> Sample:
    """One codec at one cut."""
    state = run.states[step]
    coded = coder(state, Place(engine, run.workload, step))
    decibels = None
    if finished and coded.latent == state:
        decibels = math.inf
    elif finished:
        decibels = psnr(finish(engine, run.workload, step, coded.latent), run.frames)
    stage = run.workload.stage_of(step).name
    return Sample(step, stage, elements(state), 8 * coded.size, decibels)


def equal_row(
    engine: EapgPipeline, runs: Sequence[Reference], found: Mapping[str, Tally], missing: str
) -> Row:
    """Our bytes against hivemind's where ours must give a video at least as good as theirs, cut by cut.

    `missing` says why there is no hivemind.
    """
    figure = f"times fewer bytes than {HIVEMIND}, {SHOWPIECE} at its final PSNR or better"
    if HIVEMIND not in found or SHOWPIECE not in CODECS:
        return Row(figure, missing or "not measured", {}, f">= {HIVEMIND_BAR:g}", False)
    ours_bits, their_bits, margin, cuts = 0, 0, math.inf, 0
    samples = iter(found[HIVEMIND].samples)
    for run in runs:
        for step in cuts_of(run.workload):
            other = next(samples)
            if other.psnr_db is None or math.isinf(other.psnr_db):
                continue
            mine = _at_least(engine, run, step, max(QUALITY_DB, other.psnr_db))
            assert mine.psnr_db is not None
            ours_bits, their_bits, cuts = ours_bits + mine.bits, their_bits + other.bits, cuts + 1
            margin = min(margin, mine.psnr_db - other.psnr_db)
    ratio = their_bits / max(1, ours_bits)
    beside: dict[str, Value] = {"cuts": cuts, "above hivemind's at the worst cut": f"{margin:.2f} dB"}
    return Row(figure, ratio, beside, f">= {HIVEMIND_BAR:g}", ratio >= HIVEMIND_BAR and margin >= 0)


def _at_least(engine: EapgPipeline, run: Reference, step: int, wanted_db: float) -> Sample:
    """Ours at a final PSNR of at least so much, if a few tries reach it.

    The table is for qualities at which errors are larger than the rounding of frames to bytes. Beyond, a decibel that
    is asked for may give a third of one: two to four tries are usual, and so many that none falls short.
    """
    asked = wanted_db
    for _ in range(_MOST_TRIES):
        mine = sample(engine, run, step, our_coder(CODECS[SHOWPIECE], asked), finished=True)
        assert mine.psnr_db is not None
        if mine.psnr_db >= wanted_db:
            break
        asked += wanted_db - mine.psnr_db + _HEADROOM_DB
    return mine


def rows(found: Mapping[str, Tally], label: str) -> Iterator[Row]:
    """The table of bits and decibels; `label` says which clips."""
    ours = found.get(SHOWPIECE)
    others = {name: tally for name, tally in found.items() if name != SHOWPIECE}
    if ours is None:
        yield Row(
            f"bits an element, {SHOWPIECE}", f"there is no codec {SHOWPIECE}", {}, f"<= {BITS_BAR}", False
        )
        yield Row(f"bits an element, {label}", "-", {n: _summary(t) for n, t in others.items()})
        return
    worst = ours.worst_db()
    beside = {name: _summary(tally) for name, tally in others.items()}
    holds = ours.bits_per_element() <= BITS_BAR and worst >= QUALITY_DB
    bar = f"<= {BITS_BAR} at >= {QUALITY_DB:g} dB"
    yield Row(f"bits an element, {SHOWPIECE}, {label}", _summary(ours), beside, bar, holds)
    yield _against(ours, found.get(FP16), FP16, FP16_BAR)
    yield _against(ours, found.get(HIVEMIND), HIVEMIND, HIVEMIND_BAR)
    for stage in dict.fromkeys(s.stage for s in ours.samples):
        beside = {name: _summary(tally, stage) for name, tally in others.items()}
        yield Row(f"bits an element at cuts of {stage}, {SHOWPIECE}", _summary(ours, stage), beside)
    for step in sorted({s.step for s in ours.samples}):
        yield _step_row(found, step)


def handed_row(found: Mapping[str, Tally], label: str) -> Row:
    """The codecs at one cut: where the latent leaves the device, whose clip may be larger than those above."""
    ours = found[SHOWPIECE]
    beside = {name: _summary(tally) for name, tally in found.items() if name != SHOWPIECE}
    figure = f"bits an element and final video, {SHOWPIECE}, {label}"
    return Row(figure, _summary(ours), beside, f">= {QUALITY_DB:g} dB", ours.worst_db() >= QUALITY_DB)


def _against(ours: Tally, other: Tally | None, name: str, bar: float) -> Row:
    figure = f"times fewer bytes than {name}, {SHOWPIECE} at {QUALITY_DB:g} dB"
    if other is None:
        return Row(figure, "not measured", {}, f">= {bar:g}", False)
    ratio = other.bits_per_element() / ours.bits_per_element()
    beside = {"ours": _summary(ours), name: _summary(other)}
    return Row(figure, ratio, beside, f">= {bar:g}", ratio >= bar and ours.worst_db() >= QUALITY_DB)


def _step_row(found: Mapping[str, Tally], step: int) -> Row:
    def at(tally: Tally) -> str:
        return _summary(Tally([s for s in tally.samples if s.step == step]))

    stage = next(s.stage for s in found[SHOWPIECE].samples if s.step == step)
    beside = {name: at(tally) for name, tally in found.items() if name != SHOWPIECE}
    return Row(f"bits an element after step {step} ({stage}), {SHOWPIECE}", at(found[SHOWPIECE]), beside)


def _summary(tally: Tally, stage: str = "") -> str:
    worst = tally.worst_db(stage)
    decibels = "" if math.isnan(worst) else f", worst {worst:.1f} dB"
    return f"{tally.bits_per_element(stage):.2f} bit{decibels}"


def lossless_row(found: Mapping[str, Tally]) -> Row:
    """How much smaller than what it codes: our lossless codec on 32-bit floats, zstd on 16-bit ones."""
    ours = 32 / found["lossless"].bits_per_element()
    zstd = found[FP16_ZSTD].bits_per_element()
    beside = {"zstd on fp16, against fp16": 16 / zstd, "zstd on fp16, against fp32": 32 / zstd}
    return Row("lossless ratio, against fp32 to the bit", ours, beside)
