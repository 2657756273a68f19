"""`eapg-split calibrate`: models of nodes and links out of real runs, as a scenario."""

from pathlib import Path
from typing import Annotated

import typer

from eapg_split.cli.exits import guarded

_Logs = Annotated[
    list[Path], typer.Argument(metavar="RUN.jsonl...", help="What 'generate --log' wrote; one run a log.")
]
_Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE.toml", help="Write a scenario for 'simulate' there."),
]
_Check = Annotated[
    list[Path] | None,
    typer.Option(metavar="OTHER.jsonl", help="Foretell a run that is not fitted to; may be given again."),
]
_Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document: docs/replay.md has its fields.")
]


def calibrate(logs: _Logs, output: _Output = None, check: _Check = None, as_json: _Json = False) -> None:
    """Fit what steps cost nodes and what links carry to real runs, and say how far the runs are from that."""
    with guarded():
        from eapg_split.cli.replaying.fitted import CalibrateOptions, show_calibration

        show_calibration(CalibrateOptions(tuple(logs), output, tuple(check or ()), as_json))
