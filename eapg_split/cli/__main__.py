"""Entry point of `eapg-split` and `python -m eapg_split.cli`."""

import sys
from collections.abc import Sequence

import typer

from eapg_split.cli.app import app
from eapg_split.errors import InvalidRequest


def main() -> None:
    """Runs the command line; ends the process with one of the exit codes of `cli.exits`."""
    # Prompts are Chinese as well as English, whatever the locale says of the terminal.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit code. A wrong flag is one sentence here as everything else is."""
    try:
        code = app(list(arguments) or ["--help"], standalone_mode=False)
    except Exception as error:
        # Typer raises its parser's own exceptions, whose module has moved between versions: the shape is stable.
        format_message = getattr(error, "format_message", None)
        if format_message is None:
            raise
        sentence = str(format_message()).rstrip(".")
        typer.echo(f"error: {sentence}: see 'eapg-split --help'.", err=True)
        return InvalidRequest.exit_code
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    main()
