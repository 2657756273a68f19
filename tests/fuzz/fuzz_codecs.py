"""Feeds a codec's decoder with payloads that nobody encoded.

    python tests/fuzz/fuzz_codecs.py --codec int8 --runs 1000000

Each run takes honest payloads, breaks them (bits, bytes, lengths, order, specs), puts checksums on that match, and
decodes. What may come out is a latent of the declared spec or CorruptPayload. Anything else, a run that takes more
than `--slow` seconds of processor time, and memory that grows beyond what the spec explains, is a finding: it is
written to a file that `--replay` reads again. The generator is seeded, so the same command breaks the same payloads.
"""

import argparse
import json
import resource
import sys
import time
import traceback
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from eapg_split.codecs import CODECS
from eapg_split.codecs.base import Codec, Fidelity, Part, payload_of
from eapg_split.domain.latent import Latent, LatentSpec
from eapg_split.errors import CorruptPayload

SHAPES: Final = (
    {"xbar": (1, 4, 3, 8, 8)},
    {"xbar": (1, 3, 2, 9, 7), "text": (1, 5, 16)},
    {"xbar": (2, 2, 5, 4, 4), "source": (2, 2, 1, 2, 2)},
    {"source": (40,), "xbar": (3, 70)},
    {"xbar": (1, 2, 4, 128, 160)},  # 80 KiB a frame, so that there are several parts
)
FIDELITIES: Final = (Fidelity(), Fidelity(steps={"xbar": 0.2, "source": 0.05}))
INTERESTING: Final = (0, 1, 2, 3, 4, 15, 16, 127, 128, 129, 130, 131, 132, 254, 255)
TRACED_EVERY: Final = 200
ALLOWED_BYTES: Final = 2 << 20
RARE_LARGE: Final = 0.02  # how often the spec with several parts, which takes long, is taken

Bodies = list[bytes]


@dataclass(frozen=True, slots=True)
class Case:
    """What is decoded: a spec and the bodies of its parts."""

    spec: LatentSpec
    bodies: tuple[bytes, ...]

    def write(self, path: Path) -> None:
        shapes = {tensor.name: tensor.shape for tensor in self.spec.tensors}
        path.write_text(json.dumps({"shapes": shapes, "bodies": [body.hex() for body in self.bodies]}))

    @classmethod
    def read(cls, path: Path) -> "Case":
        record = json.loads(path.read_text())
        spec = LatentSpec.of(**{name: tuple(shape) for name, shape in record["shapes"].items()})
        return cls(spec, tuple(bytes.fromhex(body) for body in record["bodies"]))


@dataclass(slots=True)
class Summary:
    """What came out so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[tuple[str, Case]] = field(default_factory=list)
    slowest_s: float = 0.0
    most_bytes: int = 0


def corpus(codec: Codec) -> list[Case]:
    """Honest payloads: smooth latents, noise and zeros, of every shape and fidelity; the largest ones last."""
    generator = np.random.default_rng(7)
    cases = []
    for shapes in SHAPES:
        for fidelity in FIDELITIES:
            for kind in ("smooth", "noise", "zeros"):
                latent = Latent({name: _values(kind, shape, generator) for name, shape in shapes.items()})
                payload = payload_of(codec, latent, fidelity)
                cases.append(Case(latent.spec, tuple(part.body for part in payload.parts)))
    return cases


def _values(kind: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    if kind == "zeros":
        return np.zeros(shape, np.float32)
    if kind == "noise":
        return generator.standard_normal(shape).astype(np.float32)
    waves: np.ndarray = np.sin(np.indices(shape).sum(axis=0) * 0.1)
    return waves.astype(np.float32)


def broken(cases: Sequence[Case], generator: np.random.Generator) -> Case:
    """One case with one to six things wrong."""
    large = len(cases) // len(SHAPES)
    pool = cases[-large:] if generator.random() < RARE_LARGE else cases[:-large]
    case = pool[int(generator.integers(len(pool)))]
    bodies = list(case.bodies)
    spec = case.spec if generator.random() < 0.9 else pool[int(generator.integers(len(pool)))].spec
    for _ in range(min(6, int(generator.geometric(0.6)))):
        if bodies:
            CHANGES[int(generator.integers(len(CHANGES)))](bodies, generator)
    return Case(spec, tuple(bodies))


def _change_bits(bodies: Bodies, generator: np.random.Generator) -> None:
    index, body = _one(bodies, generator)
    for _ in range(generator.integers(1, 5)):
        if body:
            body[_place(body, generator)] ^= 1 << generator.integers(8)
    bodies[index] = bytes(body)


def _change_bytes(bodies: Bodies, generator: np.random.Generator) -> None:
    index, body = _one(bodies, generator)
    if body:
        at = _place(body, generator)
        count = int(generator.integers(1, 9))
        fresh = (
            generator.choice(INTERESTING, count)
            if generator.random() < 0.5
            else generator.integers(0, 256, count)
        )
        body[at : at + count] = bytes(fresh.tolist())
    bodies[index] = bytes(body)


def _change_number(bodies: Bodies, generator: np.random.Generator) -> None:
    """Puts a number that means trouble where a length or a scale may be."""
    index, body = _one(bodies, generator)
    at = _place(body, generator) if body else 0
    numbers: list[np.generic] = [
        np.uint16(generator.choice([0, 1, 0xFFFF])),
        np.uint32(generator.choice([0, 1, len(body), 1 << 20, 1 << 31, 2**32 - 1])),
        np.uint64(generator.choice(np.array([0, 1 << 32, 1 << 62, 2**64 - 1], np.uint64))),
        np.float16(generator.choice([np.nan, np.inf, -1.0, 65504.0])),
        np.float32(generator.choice([np.nan, np.inf, -1.0, 3e38, 1e-45])),
        np.float64(generator.choice([np.nan, np.inf, -1.0, 1e300, 3.4e38, 5e-324])),
    ]
    fresh = numbers[int(generator.integers(len(numbers)))].tobytes()
    body[at : at + len(fresh)] = fresh
    bodies[index] = bytes(body)


def _cut(bodies: Bodies, generator: np.random.Generator) -> None:
    index, body = _one(bodies, generator)
    bodies[index] = bytes(body[: generator.integers(len(body) + 1)])


def _remove(bodies: Bodies, generator: np.random.Generator) -> None:
    index, body = _one(bodies, generator)
    if body:
        at = _place(body, generator)
        del body[at : at + generator.integers(1, 17)]
    bodies[index] = bytes(body)


def _insert(bodies: Bodies, generator: np.random.Generator) -> None:
    index, body = _one(bodies, generator)
    at = _place(body, generator) if body else 0
    body[at:at] = generator.bytes(int(generator.integers(1, 17)))
    bodies[index] = bytes(body)


def _splice(bodies: Bodies, generator: np.random.Generator) -> None:
    index, body = _one(bodies, generator)
    _, other = _one(bodies, generator)
    if body and other:
        bodies[index] = bytes(body[: _place(body, generator)] + other[_place(other, generator) :])


def _repeat(bodies: Bodies, generator: np.random.Generator) -> None:
    index, body = _one(bodies, generator)
    if body:
        at = _place(body, generator)
        body[at:at] = body[at : at + 32] * int(generator.integers(1, 9))
    bodies[index] = bytes(body)


def _replace(bodies: Bodies, generator: np.random.Generator) -> None:
    index, body = _one(bodies, generator)
    size = len(body) if generator.random() < 0.5 else int(generator.integers(0, 300))
    bodies[index] = bytes(body[: generator.integers(0, 3)]) + generator.bytes(size)


def _reorder(bodies: Bodies, generator: np.random.Generator) -> None:
    first, second = (int(each) for each in generator.integers(len(bodies), size=2))
    match generator.integers(3):
        case 0:
            bodies[first], bodies[second] = bodies[second], bodies[first]
        case 1:
            bodies.insert(first, bodies[second])
        case _:
            del bodies[first]


CHANGES: Final[tuple[Callable[[Bodies, np.random.Generator], None], ...]] = (
    _change_bits, _change_bits, _change_bytes, _change_bytes, _change_number, _change_number,
    _cut, _remove, _insert, _splice, _repeat, _replace, _reorder,
)  # fmt: skip


def _one(bodies: Bodies, generator: np.random.Generator) -> tuple[int, bytearray]:
    index = int(generator.integers(len(bodies)))
    return index, bytearray(bodies[index])


def _place(body: bytearray, generator: np.random.Generator) -> int:
    """Somewhere in the body, half of the time in its head, where the lengths and tables are."""
    return int(generator.integers(min(len(body), 64) if generator.random() < 0.5 else len(body)))


def attempt(codec: Codec, case: Case) -> str:
    """ "decoded" or "refused". Whatever else is raised is a finding."""
    try:
        decoder = codec.decoder(case.spec)
        for body in case.bodies:
            decoder.add(Part.of(body))
        latent = decoder.finish()
    except CorruptPayload:
        return "refused"
    assert latent.spec == case.spec, "decoded to another spec"
    return "decoded"


def fuzz(codec: Codec, runs: int, *, seed: int = 0, slow_s: float = 5.0, show: bool = False) -> Summary:
    """So many broken payloads, decoded; every so often one is watched for the memory it takes."""
    cases, generator, summary = corpus(codec), np.random.default_rng(seed), Summary()
    started = shown = time.monotonic()
    for run in range(runs):
        case = broken(cases, generator)
        traced = run % TRACED_EVERY == 0
        if traced:
            tracemalloc.start()
        begun = time.thread_time()  # a busy machine is not the decoder's fault
        try:
            outcome = attempt(codec, case)
        except Exception as error:  # every other exception is what is looked for
            outcome = f"{type(error).__name__} at {_place_of(error)}"
        seconds = time.thread_time() - begun
        if traced:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            summary.most_bytes = max(summary.most_bytes, peak)
            if peak > ALLOWED_BYTES + 8 * case.spec.raw_bytes:
                outcome = "too much memory"
        if seconds > slow_s:
            outcome = "too slow"
        summary.slowest_s = max(summary.slowest_s, seconds)
        summary.outcomes[outcome] += 1
        if outcome not in ("decoded", "refused") and summary.outcomes[outcome] == 1:
            summary.findings.append((outcome, case))
        if show and time.monotonic() - shown > 2:
            shown = time.monotonic()
            rate = (run + 1) / (shown - started)
            print(
                f"\r{codec.name}: {run + 1:,} of {runs:,}, {rate:,.0f}/s, {_outcomes(summary)}",
                end="",
                flush=True,
            )
    if show:
        print(f"\r{codec.name}: {runs:,} runs in {time.monotonic() - started:.0f} s, {_outcomes(summary)}")
    return summary


def _place_of(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}"


def _outcomes(summary: Summary) -> str:
    return ", ".join(f"{count:,} {outcome}" for outcome, count in summary.outcomes.most_common())


def report(codec: Codec, summary: Summary, folder: Path) -> None:
    """The last lines: figures, and where the findings are."""
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{codec.name}: slowest {summary.slowest_s * 1e3:.1f} ms, most memory in one run "
        f"{summary.most_bytes / 1024:.0f} KiB, process {resident:.0f} MiB, {len(summary.findings)} findings"
    )
    for number, (outcome, case) in enumerate(summary.findings):
        path = folder / f"finding-{codec.name}-{number}.json"
        case.write(path)
        print(f"  {outcome}: python {sys.argv[0]} --codec {codec.name} --replay {path}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--codec", default="all", choices=["all", *CODECS])
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--slow", type=float, default=5.0, metavar="SECONDS")
    parser.add_argument("--findings", type=Path, default=Path(), metavar="FOLDER")
    parser.add_argument("--replay", type=Path, metavar="FILE")
    options = parser.parse_args()
    chosen = [CODECS[name] for name in (CODECS if options.codec == "all" else [options.codec])]
    if options.replay:
        for codec in chosen:
            print(codec.name, attempt(codec, Case.read(options.replay)))
        return 0
    warnings.simplefilter("error")  # a warning from numpy is a finding
    found = 0
    for codec in chosen:
        summary = fuzz(codec, options.runs, seed=options.seed, slow_s=options.slow, show=True)
        report(codec, summary, options.findings)
        found += len(summary.findings)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
