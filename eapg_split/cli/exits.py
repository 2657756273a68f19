"""How a command ends: one sentence on stderr and a documented number, never a trace unless it is asked for."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import typer

from eapg_split.cli.text import printable
from eapg_split.errors import LEAVES, EapgError

DEBUG_VARIABLE: Final = "EAPG_SPLIT_DEBUG"
UNEXPECTED: Final = 1
INTERRUPTED: Final = 130
TERMINATED: Final = 143


class Terminated(BaseException):
    """SIGTERM arrived and everything was cleaned up."""


def exit_codes() -> dict[int, str]:
    """Every exit code and its meaning: the table of `docs/cli.md`."""
    table = {
        0: "success",
        UNEXPECTED: "an error that nobody foresaw, or a failed check of `doctor`, `health` or `policy check`",
    }
    for leaf in LEAVES:
        table[leaf.exit_code] = (leaf.__doc__ or leaf.__name__).strip().splitlines()[0].rstrip(".")
    table[INTERRUPTED] = "interrupted (Ctrl-C); the job was cancelled on every node"
    table[TERMINATED] = "terminated (SIGTERM); the job was cancelled on every node"
    return table


@contextmanager
def guarded() -> Iterator[None]:
    """Turns whatever goes wrong inside into a sentence and an exit code."""
    try:
        yield
    except typer.Exit:
        raise
    except EapgError as error:
        _trace_if_asked()
        where = f" (node {error.node_id})" if error.node_id and error.node_id not in error.message else ""
        _end(f"{error.message}{where}", error.exit_code)
    except KeyboardInterrupt:
        _end("Interrupted.", INTERRUPTED)
    except Terminated:
        _end("Terminated.", TERMINATED)
    except BrokenPipeError:
        # Whoever read our output has gone; the interpreter must not complain about that when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(UNEXPECTED) from None
    except Exception as error:
        _trace_if_asked()
        detail = str(error).strip().splitlines()
        words = f"{type(error).__name__}: {detail[0]}" if detail else type(error).__name__
        _end(f"Something unforeseen happened ({words}); {DEBUG_VARIABLE}=1 shows the trace.", UNEXPECTED)


def _trace_if_asked() -> None:
    if os.environ.get(DEBUG_VARIABLE):
        import traceback

        traceback.print_exc()


def _end(sentence: str, code: int) -> None:
    typer.echo(f"error: {printable(sentence)}", err=True)
    raise typer.Exit(code) from None
