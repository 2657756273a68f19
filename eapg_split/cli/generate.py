"""`eapg-split generate`: flags in, a video file out."""

from pathlib import Path
from typing import Annotated

import typer

from eapg_split.cli import options
from eapg_split.cli.exits import guarded

_Output = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="NAME.mp4, .webm or .gif; a name without ending, or with /: PNG files.",
    ),
]
_Preview = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Put a small GIF of the clean estimate of each stage there."),
]
_Log = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write what happens there, one line of JSON an event: see 'report'."),
]
_LogPrompt = Annotated[bool, typer.Option("--log-prompt", help="Put the prompt into the log too.")]
_Deadline = Annotated[
    float, typer.Option(metavar="SECONDS", min=0, help="Give up after this long; 0 means never.")
]
_Checkpoints = Annotated[
    str,
    typer.Option(
        metavar="WHEN",
        help="States that other nodes send home on the way, so that little is lost with a node: auto, always or never.",
    ),
]
_Detach = Annotated[
    bool,
    typer.Option("--detach", help="Hand the job to the device that --nodes lists, and print its id."),
]
_Json = Annotated[bool, typer.Option("--json", help="End with one line of JSON on stdout.")]


def generate(
    prompt: options.Text,
    output: _Output = "video.mp4",
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
    preview: _Preview = None,
    log: _Log = None,
    log_prompt: _LogPrompt = False,
    threads: options.Threads = 0,
    weights: options.Weights = None,
    deadline: _Deadline = 0.0,
    objective: options.Objective = "balanced",
    max_entropy: options.MaxEntropy = 0.0,
    pin: options.Pin = None,
    cap: options.Cap = None,
    max_cuts: options.MaxCuts = 8,
    checkpoints: _Checkpoints = "auto",
    detach: _Detach = False,
    as_json: _Json = False,
) -> None:
    """Generate a video from a PROMPT, over three local daemons or over those that --nodes lists."""
    with guarded():
        from eapg_split.cli.connect import GenerateOptions
        from eapg_split.cli.flags import (
            parse_checkpoints,
            parse_privacy,
            parse_prompt,
            parse_steps,
            parse_wishes,
        )
        from eapg_split.cli.run import run
        from eapg_split.cli.run_log import LogOptions
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
        wanted = GenerateOptions(
            request=request,
            output=output,
            policy=policy,
            codec=codec,
            quality_db=quality,
            engine=engine,
            threads=threads,
            weights=weights,
            nodes=nodes,
            preview=preview,
            log=None if log is None else LogOptions(log, log_prompt),
            deadline_s=deadline,
            wishes=parse_wishes(objective, max_entropy, max_cuts, pins=pin or (), caps=cap or ()),
            checkpoints=parse_checkpoints(checkpoints),
            as_json=as_json,
            detach=detach,
        )
        run(wanted)
