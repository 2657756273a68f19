"""Generates the clips of the quality benchmark, measures each once, and remembers the measurements."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from eapg_split.domain.latent import Latent
from eapg_split.domain.request import Request
from eapg_split.eapg.attributes import SCENES, Attributes
from eapg_split.eapg.pipeline import EapgPipeline
from eapg_split.training.captions import evaluation_prompts
from eapg_split.training.classifier import AttributeClassifier, judge
from eapg_split.training.motion_metrics import BreakCount, count_breaks, flicker
from eapg_split.training.world import render, sample_scene

Frames = list[NDArray[np.uint8]]

STRIP_FRAMES: Final = 6
STRIP_HEIGHT: Final = 90
_MEASURES: Final = 2  # raise it when a measure changes: older records are then measured again


@dataclass(frozen=True, slots=True)
class Case:
    """One clip to generate, and what its prompt asks for."""

    request: Request
    language: str
    wanted: Attributes


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured on one clip; `judged` holds the recovered value of each judged attribute."""

    judged: dict[str, str]
    flicker: float
    breaks: BreakCount
    shuffled: BreakCount
    seconds: float
    strip: str

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        record = json.loads(text)
        for name in ("breaks", "shuffled"):
            record[name] = BreakCount(**record[name])
        return cls(**record)


def cases(template: Request, *, seeds: int, scenes: tuple[str, ...] = SCENES) -> Iterator[Case]:
    """Every scene in each language `seeds` times, each time with another prompt; seed by seed.

    `template` gives size, length and steps. Whoever stops early has met many scenes, in both languages.
    """
    full = [entry for entry in evaluation_prompts() if entry[2].direction is not None]
    for seed in range(seeds):
        for turn in range(2):
            for number, scene in enumerate(scenes):
                language = ("en", "zh")[(number + turn) % 2]
                asked = [e for e in full if e[1] == language and e[2].scene == scene]
                prompt, _, wanted = asked[seed % len(asked)]
                yield Case(replace(template, prompt=prompt, seed=seed), language, wanted)


class Bench:
    """Measures clips and true renders, and keeps the records in a folder so that a stopped run goes on."""

    def __init__(self, engine: EapgPipeline, classifier: AttributeClassifier, folder: Path) -> None:
        self._engine = engine
        self._classifier = classifier
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def generated(self, case: Case) -> Measured:
        """The measures of the clip that the shipped model makes of this case."""
        return self._remember(case, self._engine.fingerprint, lambda: generate(self._engine, case.request))

    def rendered(self, case: Case) -> Measured:
        """The same measures on a true render of what the case asks for: floor and ceiling."""
        return self._remember(case, world_fingerprint(), lambda: _render(case))

    def strip(self, measured: Measured) -> NDArray[np.uint8]:
        """A few frames of the clip side by side, RGB."""
        picture = cv2.imread(str(self._folder / measured.strip))
        return np.asarray(picture, dtype=np.uint8)[..., ::-1]

    def _remember(self, case: Case, source: str, make: Callable[[], Frames]) -> Measured:
        name = hashlib.sha256(f"{_MEASURES} {source} {case}".encode()).hexdigest()[:24]
        record, strip = self._folder / f"{name}.json", f"{name}.png"
        if record.exists() and (self._folder / strip).exists():
            return Measured.from_json(record.read_text(encoding="utf-8"))
        started = time.monotonic()
        frames = make()
        seconds = time.monotonic() - started
        cv2.imwrite(str(self._folder / strip), _strip(frames)[..., ::-1])
        measured = self._measure(frames, case.request.fps, seconds, strip)
        partial = record.with_suffix(".part")
        partial.write_text(measured.to_json(), encoding="utf-8")
        partial.replace(record)
        return measured

    def _measure(self, frames: Frames, fps: int, seconds: float, strip: str) -> Measured:
        order = np.random.default_rng(0).permutation(len(frames))
        return Measured(
            judged=dict(judge(self._classifier, frames)),
            flicker=flicker(frames),
            breaks=count_breaks(frames, fps),
            shuffled=count_breaks([frames[i] for i in order], fps),
            seconds=seconds,
            strip=strip,
        )


def generate(engine: EapgPipeline, request: Request) -> Frames:
    """All frames of a request, computed in this process."""
    workload = engine.unroll(request)
    state = Latent()
    for step in range(workload.steps - 1):
        state = engine.run_step(workload, step, state)
    return list(engine.decode(workload, state))


def _render(case: Case) -> Frames:
    request = case.request
    aspect = request.width / request.height
    scene = sample_scene(case.wanted, request.seed, duration_s=request.seconds, aspect=aspect)
    times = np.arange(int(np.ceil(request.seconds * request.fps - 1e-9)) + 1) / request.fps
    return list(render(scene, times.tolist(), request.width, request.height))


@lru_cache(maxsize=1)
def world_fingerprint() -> str:
    """Changes when renders do."""
    pictures = [render(sample_scene(Attributes(scene=name), 7), [1.0], 128, 72).tobytes() for name in SCENES]
    return hashlib.sha256(b"".join(pictures)).hexdigest()


def _strip(frames: Frames) -> NDArray[np.uint8]:
    height, width = frames[0].shape[:2]
    size = (max(1, round(STRIP_HEIGHT * width / height)), STRIP_HEIGHT)
    chosen = np.linspace(0, len(frames) - 1, STRIP_FRAMES).round().astype(int)
    pictures = [np.asarray(cv2.resize(frames[i], size, interpolation=cv2.INTER_AREA)) for i in chosen]
    return np.concatenate(pictures, axis=1).astype(np.uint8)
