"""`eapg-split generate`: flags in, a video file out."""

from pathlib import Path
from typing import Annotated

import typer

from eapg_split.cli.exits import guarded

_Text = Annotated[
    str, typer.Argument(metavar="PROMPT", help="What to show, in English or Chinese; - reads it from stdin.")
]
_Output = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="NAME.mp4, .webm or .gif; a name without ending, or with /: PNG files.",
    ),
]
_Seconds = Annotated[float, typer.Option(help="Length of the clip, 0.5 to 30.")]
_Fps = Annotated[int, typer.Option(help="Frames per second, 1 to 60.")]
_Width = Annotated[int, typer.Option(help="Even, 64 to 4096.")]
_Height = Annotated[int, typer.Option(help="Even, 64 to 2304.")]
_Seed = Annotated[int, typer.Option(help="The same seed gives the same video, wherever it is computed.")]
_Steps = Annotated[
    str, typer.Option(metavar="N,N,N,N", help="Denoising steps of the four stages, each 1 to 64.")
]
_Guidance = Annotated[float, typer.Option(help="How strictly the prompt is followed, 0 to 10.")]
_Policy = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Who computes what: see 'policy list'; or your own: module:Class or a .py file."
    ),
]
_Codec = Annotated[
    str, typer.Option(metavar="NAME", help="How latents travel: lossless, int8, int4, clean or auto.")
]
_Quality = Annotated[
    float,
    typer.Option(
        "--quality",
        metavar="DB",
        help="For lossy codecs: dB of the final video against the lossless run, 20 to 80.",
    ),
]
_Engine = Annotated[str, typer.Option(metavar="KIND", help="onnx or torch; only for the local topology.")]
_Threads = Annotated[int, typer.Option(min=0, help="Threads of each local engine; 0 lets it choose.")]
_Weights = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Weights for the local topology instead of the shipped ones."),
]
_Privacy = Annotated[
    str,
    typer.Option(
        metavar="LEVEL", help="prompt-local: steps that see the text stay on the device; any: they may leave."
    ),
]
_Nodes = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="TOML list of running daemons to use instead of local ones."),
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
_Objective = Annotated[
    str,
    typer.Option(
        metavar="GOAL", help="What a policy by cost makes small: latency, energy, cost or balanced."
    ),
]
_MaxEntropy = Annotated[
    float, typer.Option(metavar="BITS", help="Largest coded state that may go anywhere; 0 means no limit.")
]
_Pin = Annotated[
    list[str] | None,
    typer.Option(metavar="STAGE=NODE", help="Compute a stage there and nowhere else; may be repeated."),
]
_Cap = Annotated[
    list[str] | None,
    typer.Option(metavar="NODE=MB", help="No stage that needs more memory goes there; may be repeated."),
]
_MaxCuts = Annotated[int, typer.Option(metavar="N", help="How often a plan may change the node, 0 to 64.")]
_Json = Annotated[bool, typer.Option("--json", help="End with one line of JSON on stdout.")]


def generate(
    prompt: _Text,
    output: _Output = "video.mp4",
    seconds: _Seconds = 5.0,
    fps: _Fps = 24,
    width: _Width = 512,
    height: _Height = 288,
    seed: _Seed = 0,
    steps: _Steps = "16,8,4,4",
    guidance: _Guidance = 2.0,
    policy: _Policy = "pyramid",
    codec: _Codec = "lossless",
    quality: _Quality = 45.0,
    engine: _Engine = "onnx",
    privacy: _Privacy = "prompt-local",
    nodes: _Nodes = None,
    preview: _Preview = None,
    log: _Log = None,
    log_prompt: _LogPrompt = False,
    threads: _Threads = 0,
    weights: _Weights = None,
    deadline: _Deadline = 0.0,
    objective: _Objective = "balanced",
    max_entropy: _MaxEntropy = 0.0,
    pin: _Pin = None,
    cap: _Cap = None,
    max_cuts: _MaxCuts = 8,
    as_json: _Json = False,
) -> None:
    """Generate a video from a PROMPT, over three local daemons or over those that --nodes lists."""
    with guarded():
        from eapg_split.cli.connect import GenerateOptions
        from eapg_split.cli.flags import (
            parse_caps,
            parse_cuts,
            parse_entropy,
            parse_goal,
            parse_pins,
            parse_privacy,
            parse_prompt,
            parse_steps,
        )
        from eapg_split.cli.run import run
        from eapg_split.cli.run_log import LogOptions
        from eapg_split.domain.request import Request
        from eapg_split.planner.policy import Objective

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
        options = GenerateOptions(
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
            wishes=Objective(
                goal=parse_goal(objective),
                max_entropy_bits=parse_entropy(max_entropy),
                max_cuts=parse_cuts(max_cuts),
                pins=parse_pins(pin or ()),
                memory_caps=parse_caps(cap or ()),
            ),
            as_json=as_json,
        )
        run(options)
