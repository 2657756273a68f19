"""How good are the clips of the shipped weights? python benchmarks/quality.py

All scenes in English and Chinese, five prompts and seeds each, run through the whole pipeline in this process and
judged by a classifier that has seen nothing but renders. Beside every figure stands the same measure on true
renders of what the prompt asked for. Measurements are kept in runs/quality: a stopped run goes on.

Exit code 0 when every gate holds, 1 otherwise.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import torch
from figures import Row, show, write
from numpy.typing import NDArray
from quality_clips import Bench, Case, Measured, cases
from train_classifier import CHECKPOINT

from eapg_split.domain.request import Request
from eapg_split.eapg.attributes import SCENES
from eapg_split.engines import KINDS, open_engine
from eapg_split.errors import EapgError
from eapg_split.training.classifier import load_classifier
from eapg_split.training.motion_metrics import BreakCount

BARS: Final = {"scene": 0.9, "colour": 0.8, "direction": 0.8}
RUNS: Final = Path(__file__).resolve().parents[1] / "runs" / "quality"
_CLASSIFIER_BAR: Final = 0.97
_QUICK_SECONDS: Final = 130.0
_FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


@dataclass(frozen=True, slots=True)
class Result:
    """One case with the measures of the generated clip and of the true render."""

    case: Case
    ours: Measured
    true: Measured


def rows(results: Sequence[Result], accuracy: dict[str, float]) -> list[Row]:
    """The figures of a run, and the classifier's own accuracy on held-out renders."""
    table = [
        _gate(f"classifier: {name} on held-out renders", share, {}, _CLASSIFIER_BAR)
        for name, share in accuracy.items()
        if name in BARS
    ]
    for name, bar in BARS.items():
        for label, chosen in _by_language(results).items():
            ours = _recovered(chosen, name, lambda result: result.ours)
            true = _recovered(chosen, name, lambda result: result.true)
            table.append(
                _gate(
                    f"{name} recovered, {label} ({len(chosen)} clips)", ours, {"renders": round(true, 4)}, bar
                )
            )
    return table + _motion_rows(results)


def _motion_rows(results: Sequence[Result]) -> list[Row]:
    ours, true = (
        sum((m.breaks for m in measures), BreakCount())
        for measures in ([r.ours for r in results], [r.true for r in results])
    )
    shuffled = sum((r.true.shuffled for r in results), BreakCount())
    steady = float(np.mean([r.ours.flicker for r in results]))
    steady_true = float(np.mean([r.true.flicker for r in results]))
    wall = float(np.mean([r.ours.seconds for r in results]))
    moving = {"renders": round(true.rate, 4), "renders shuffled": round(shuffled.rate, 4)}
    return [
        Row("temporal flicker (1 is still)", round(steady, 4), {"renders": round(steady_true, 4)}),
        Row("motion break rate, moving parts", round(ours.rate, 4), moving),
        Row(
            "motion break rate, resting parts",
            round(ours.resting_rate, 4),
            {"renders": round(true.resting_rate, 4)},
        ),
        Row("seconds of computing a clip", round(wall, 2)),
    ]


def _gate(figure: str, ours: float, beside: dict[str, float], bar: float) -> Row:
    return Row(figure, round(ours, 4), beside, f">= {bar}", ours >= bar)


def _by_language(results: Sequence[Result]) -> dict[str, list[Result]]:
    split = {"all prompts": list(results)}
    for language, label in (("en", "English"), ("zh", "Chinese")):
        split[label] = [result for result in results if result.case.language == language]
    return {label: chosen for label, chosen in split.items() if chosen}


def _recovered(results: Sequence[Result], name: str, which: Callable[[Result], Measured]) -> float:
    right = [which(result).judged[name] == getattr(result.case.wanted, name) for result in results]
    return float(np.mean(right))


def by_scene(results: Sequence[Result]) -> list[str]:
    """A line per scene: what was recovered, and what the misses were taken for."""
    lines = []
    for scene in SCENES:
        chosen = [result for result in results if result.case.wanted.scene == scene]
        if chosen:
            shares = {name: _recovered(chosen, name, lambda result: result.ours) for name in BARS}
            breaks = sum((result.ours.breaks for result in chosen), BreakCount())
            taken = sorted({result.ours.judged["scene"] for result in chosen} - {scene})
            said = ", ".join(f"{name} {share:.2f}" for name, share in shares.items())
            lines.append(
                f"{scene:8} {said}, breaks {breaks.rate:.2f}"
                + (f"; taken for {', '.join(taken)}" if taken else "")
            )
    return lines


def run(bench: Bench, planned: Sequence[Case], *, budget_s: float) -> list[Result]:
    """Measures the planned cases in order, as far as the time goes."""
    started = time.monotonic()
    results = []
    for number, case in enumerate(planned, 1):
        if time.monotonic() - started > budget_s:
            print(f"time is up after {number - 1} of {len(planned)} clips", file=sys.stderr)
            break
        result = Result(case, bench.generated(case), bench.rendered(case))
        results.append(result)
        marks = " ".join(
            f"{name} {'ok' if result.ours.judged[name] == getattr(case.wanted, name) else result.ours.judged[name]}"
            for name in BARS
        )
        print(f"[{number}/{len(planned)}] {case.request.prompt}: {marks}", file=sys.stderr, flush=True)
    return results


def write_sheets(bench: Bench, results: Sequence[Result], folder: Path) -> None:
    """contact-sheet.png with the first clip of every scene, and scene-NAME.png with all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    firsts = []
    for scene in SCENES:
        chosen = [result for result in results if result.case.wanted.scene == scene]
        if chosen:
            strips = [_labelled(bench.strip(result.ours), result.case) for result in chosen]
            firsts.append(strips[0])
            cv2.imwrite(str(folder / f"scene-{scene}.png"), np.concatenate(strips)[..., ::-1])
    cv2.imwrite(str(folder / "contact-sheet.png"), np.concatenate(firsts)[..., ::-1])


def _labelled(strip: NDArray[np.uint8], case: Case) -> NDArray[np.uint8]:
    wanted = case.wanted
    label = np.full((18, strip.shape[1], 3), 255, np.uint8)
    text = f"{wanted.colour} {wanted.scene}, {wanted.direction} ({case.language}, seed {case.request.seed})"
    cv2.putText(label, text, (4, 13), _FONT, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([label, strip])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5, help="prompts and seeds per scene and language")
    parser.add_argument("--scenes", default=",".join(SCENES), help="only these, separated by commas")
    parser.add_argument("--size", default="512x288")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--steps", default="16,8,4,4")
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--engine", choices=KINDS, default="onnx")
    parser.add_argument("--threads", type=int, default=0, help="of the engine; 0 means one per core")
    parser.add_argument("--weights", type=Path, help="a folder of weights other than the shipped ones")
    parser.add_argument(
        "--quick", action="store_true", help="at most three minutes: small clips, few of them"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there")
    parser.add_argument("--sheets", type=Path, default=RUNS / "sheets", help="where the contact sheets go")
    options = parser.parse_args()
    unknown = set(options.scenes.split(",")) - set(SCENES)
    if unknown:
        parser.error(f"unknown scene {', '.join(sorted(unknown))}; use some of {','.join(SCENES)}")
    return options


def _template(options: argparse.Namespace) -> Request:
    width, _, height = ("256x144" if options.quick else options.size).partition("x")
    steps = [int(count) for count in ("8,4,2,2" if options.quick else options.steps).split(",")]
    return Request(
        prompt="-",
        seconds=options.seconds,
        width=int(width),
        height=int(height),
        steps=(steps[0], steps[1], steps[2], steps[3]),
        guidance=options.guidance,
    )


def main() -> int:
    options = _options()
    torch.set_num_threads(1)
    try:
        classifier, accuracy = load_classifier(CHECKPOINT)
        engine = open_engine(options.engine, threads=options.threads, weights=options.weights)
        bench = Bench(engine, classifier, RUNS / "records")
        scenes = tuple(options.scenes.split(","))
        planned = list(cases(_template(options), seeds=1 if options.quick else options.seeds, scenes=scenes))
        results = run(bench, planned, budget_s=_QUICK_SECONDS if options.quick else float("inf"))
    except EapgError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    table = rows(results, dict(accuracy))
    write_sheets(bench, results, options.sheets)
    print("\n".join(by_scene(results)), file=sys.stderr)
    for row in table:
        print(show(row))
    write(table, options.json)
    return 0 if all(row.holds for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
