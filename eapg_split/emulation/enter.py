"""Runs a program in a network namespace: `python -m eapg_split.emulation.enter /proc/PID/fd/N COMMAND ...`.

The program takes the place of this process, under the same number. What `nsenter --net=FILE` does, where there is none.
"""

import os
import sys

from eapg_split.emulation.tun import enter
from eapg_split.errors import EapgError


def main(path: str, *command: str) -> None:
    """Does not return."""
    try:
        enter(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"error: Cannot run {command[0]} in a network namespace ({error.strerror}).")
    except EapgError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
