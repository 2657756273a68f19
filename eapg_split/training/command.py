"""`eapg-split train`: the whole recipe from the command line, with progress."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from eapg_split.errors import EapgError, OutputFailure
from eapg_split.training.loop import Budget
from eapg_split.training.recipe import PHASES, Phase, export_all, phases_named, start_from, train_phase

_SMOKE_STEPS = 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="eapg-split train",
        description="Train the model that ships, phase by phase. Run it again to go on where it stopped.",
    )
    parser.add_argument("--folder", type=Path, default=Path("eapg-training"), help="where the state is kept")
    parser.add_argument("--minutes", type=float, default=90.0, help="how long this run may take (default 90)")
    names = ", ".join(phase.name for phase in PHASES)
    parser.add_argument("--phases", default="all", help=f"all, or some of {names} (comma-separated)")
    parser.add_argument("--from", dest="start", type=Path, help="go on from the weights in this folder")
    parser.add_argument("--weights", type=Path, help="export into this folder at the end")
    parser.add_argument(
        "--keep-graphs",
        action="store_true",
        help="export weights into the graphs that are there or that ship",
    )
    parser.add_argument("--export-only", action="store_true", help="train nothing, export what is there")
    parser.add_argument(
        "--smoke", action="store_true", help="a few steps of everything, to see that it works"
    )
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=1)
    return parser


def _train(chosen: Sequence[Phase], options: argparse.Namespace) -> None:
    columns = (
        TextColumn("{task.description:<14}"), BarColumn(), TextColumn("{task.fields[news]}"), TimeRemainingColumn()
    )  # fmt: skip
    total = sum(phase.share for phase in chosen)
    with Progress(*columns) as display:
        for phase in chosen:
            minutes = options.minutes * phase.share / total
            steps = _SMOKE_STEPS if options.smoke else 10**9
            task = display.add_task(phase.name, total=1.0, news="rendering the first examples")
            budget = Budget(minutes=minutes, steps=steps, rate=phase.rate)
            for news in train_phase(phase, options.folder, budget, options.seed):
                text = f"step {news.step}, {news.examples} examples, loss {news.loss:.4f}"
                display.update(task, completed=news.share, news=text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains and exports; returns the exit code."""
    options = _parser().parse_args(arguments)
    torch.set_num_threads(max(1, options.threads))
    if not 0 < options.minutes <= 24 * 60:
        print("--minutes must be above 0 and at most 1440.", file=sys.stderr)
        return 2
    try:
        chosen = phases_named(options.phases)
        if options.start is not None:
            made = start_from(options.start, options.folder)
            print(
                f"going on from {options.start} with {', '.join(made) or 'nothing: the folder has its own state'}"
            )
        if not options.export_only:
            _train(chosen, options)
        target = options.weights or (options.folder / "weights" if options.smoke else None)
        if target is not None:
            retrace = not (options.keep_graphs or options.smoke)
            for name, difference in export_all(options.folder, target, retrace=retrace):
                print(f"exported {name}: graph and module differ by at most {difference:.1e}")
            print(f"weights are in {target}: use them with --weights {target}")
    except EapgError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"{error.filename or options.folder} cannot be used: {error.strerror}.", file=sys.stderr)
        return OutputFailure.exit_code
    except KeyboardInterrupt:
        print(f"stopped; run the same command again to go on from {options.folder}", file=sys.stderr)
        return 130
    return 0
