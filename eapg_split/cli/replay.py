"""`eapg-split replay`: what would another policy have done with this real run?"""

from pathlib import Path
from typing import Annotated

import typer

from eapg_split.cli.exits import guarded

_Logs = Annotated[
    list[Path], typer.Argument(metavar="RUN.jsonl...", help="What 'generate --log' wrote; one run a log.")
]
_Policy = Annotated[str, typer.Option(metavar="A,B", help="Policies to put beside the one that ran.")]
_Seeds = Annotated[
    int, typer.Option(min=1, max=1000, metavar="N", help="Times that each is replayed, with other noise.")
]
_Out = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where the records of the replays and a summary go.")
]
_Picture = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE.svg", help='Draw who computed what and when (one log; needs the extra "plots").'
    ),
]
_Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document: docs/replay.md has its fields.")
]


def replay(
    logs: _Logs,
    policy: _Policy = "",
    seeds: _Seeds = 5,
    out: _Out = None,
    picture: _Picture = None,
    as_json: _Json = False,
) -> None:
    """Replay real runs in virtual time, under the policy that ran and under others."""
    with guarded():
        from eapg_split.cli.flags import parse_policies
        from eapg_split.cli.replaying.show import ReplayOptions, show_replay

        show_replay(ReplayOptions(tuple(logs), parse_policies(policy), seeds, out, picture, as_json))
