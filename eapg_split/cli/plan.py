"""`eapg-split plan`: flags in, a plan and its reasons out."""

from pathlib import Path
from typing import Annotated

import typer

from eapg_split.cli import options
from eapg_split.cli.exits import guarded

_Deadline = Annotated[
    float, typer.Option(metavar="SECONDS", min=0, help="When the job must be done; 0 means never.")
]
_Explain = Annotated[
    bool, typer.Option("--explain", help="Say what each part takes, what comes next best, and why.")
]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON document: docs/plan.md has its fields.")]
_Sweep = Annotated[
    str | None,
    typer.Option(metavar="WHAT", help="bandwidth: draw who would run what over 0.1 to 1000 Mbit/s, see -o."),
]
_Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE.svg", help="Where to put that picture.")
]
_Pareto = Annotated[
    Path | None,
    typer.Option(metavar="FILE.svg", help="Draw the plans that nothing beats in time, energy and money."),
]


def plan(
    prompt: options.Text,
    seconds: options.Seconds = 5.0,
    fps: options.Fps = 24,
    width: options.Width = 512,
    height: options.Height = 288,
    seed: options.Seed = 0,
    steps: options.Steps = "16,8,4,4",
    guidance: options.Guidance = 2.0,
    policy: options.Policy = "dp-adaptive",
    codec: options.Codec = "lossless",
    quality: options.Quality = 45.0,
    engine: options.Engine = "onnx",
    privacy: options.Privacy = "prompt-local",
    nodes: options.Nodes = None,
    threads: options.Threads = 0,
    weights: options.Weights = None,
    deadline: _Deadline = 0.0,
    objective: options.Objective = "balanced",
    max_entropy: options.MaxEntropy = 0.0,
    pin: options.Pin = None,
    cap: options.Cap = None,
    max_cuts: options.MaxCuts = 8,
    explain: _Explain = False,
    as_json: _Json = False,
    sweep: _Sweep = None,
    output: _Output = None,
    pareto: _Pareto = None,
) -> None:
    """Say how 'generate' would plan a PROMPT with the same flags now, without generating anything."""
    with guarded():
        from eapg_split.cli.flags import (
            parse_privacy,
            parse_prompt,
            parse_steps,
            parse_sweep,
            parse_wishes,
        )
        from eapg_split.cli.planning import PlanOptions, show_plan
        from eapg_split.domain.request import Request

        request = Request(
            prompt=parse_prompt(prompt),
            seconds=seconds,
            fps=fps,
            width=width,
            height=height,
            steps=parse_steps(steps),
            seed=seed,
            guidance=guidance,
            privacy=parse_privacy(privacy),
        )
        wanted = PlanOptions(
            request=request,
            policy=policy,
            codec=codec,
            quality_db=quality,
            engine=engine,
            threads=threads,
            weights=weights,
            nodes=nodes,
            deadline_s=deadline,
            wishes=parse_wishes(objective, max_entropy, max_cuts, pins=pin or (), caps=cap or ()),
            explain=explain,
            as_json=as_json,
            who=parse_sweep(sweep, output),
            front=pareto,
        )
        show_plan(wanted)
