"""Flags that several commands share, with what `--help` says of them: all that shapes a plan."""

from pathlib import Path
from typing import Annotated

import typer

Text = Annotated[
    str, typer.Argument(metavar="PROMPT", help="What to show, in English or Chinese; - reads it from stdin.")
]
Seconds = Annotated[float, typer.Option(help="Length of the clip, 0.5 to 30.")]
Fps = Annotated[int, typer.Option(help="Frames per second, 1 to 60.")]
Width = Annotated[int, typer.Option(help="Even, 64 to 4096.")]
Height = Annotated[int, typer.Option(help="Even, 64 to 2304.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same video, wherever it is computed.")]
Steps = Annotated[
    str, typer.Option(metavar="N,N,N,N", help="Denoising steps of the four stages, each 1 to 64.")
]
Guidance = Annotated[float, typer.Option(help="How strictly the prompt is followed, 0 to 10.")]
Policy = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Who computes what: see 'policy list'; or your own: module:Class or a .py file."
    ),
]
Codec = Annotated[
    str, typer.Option(metavar="NAME", help="How latents travel: lossless, int8, int4, clean or auto.")
]
Quality = Annotated[
    float,
    typer.Option(
        "--quality",
        metavar="DB",
        help="For lossy codecs: dB of the final video against the lossless run, 20 to 80.",
    ),
]
Engine = Annotated[str, typer.Option(metavar="KIND", help="onnx or torch; only for the local topology.")]
Threads = Annotated[int, typer.Option(min=0, help="Threads of each local engine; 0 lets it choose.")]
Weights = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Weights for the local topology instead of the shipped ones."),
]
Privacy = Annotated[
    str,
    typer.Option(
        metavar="LEVEL", help="prompt-local: steps that see the text stay on the device; any: they may leave."
    ),
]
Nodes = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="TOML list of running daemons to use instead of local ones."),
]
Objective = Annotated[
    str,
    typer.Option(
        metavar="GOAL", help="What a policy by cost makes small: latency, energy, cost or balanced."
    ),
]
MaxEntropy = Annotated[
    float, typer.Option(metavar="BITS", help="Largest coded state that may go anywhere; 0 means no limit.")
]
Pin = Annotated[
    list[str] | None,
    typer.Option(metavar="STAGE=NODE", help="Compute a stage there and nowhere else; may be repeated."),
]
Cap = Annotated[
    list[str] | None,
    typer.Option(metavar="NODE=MB", help="No stage that needs more memory goes there; may be repeated."),
]
MaxCuts = Annotated[int, typer.Option(metavar="N", help="How often a plan may change the node, 0 to 64.")]
