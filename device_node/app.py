"""Composes the device node: settings, engines, the video sink, and the daemon that serves jobs."""

import sys
from collections.abc import Sequence

from eapg_split.config import daemon_settings
from eapg_split.domain.topology import Tier
from eapg_split.engines import open_engine
from eapg_split.errors import EapgError
from eapg_split.observing import open_observing
from eapg_split.rpc.daemon import run_daemon
from eapg_split.video import open_sink


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until a signal comes; returns the exit code. What is wrong is said in one sentence on stderr."""
    try:
        settings = daemon_settings(sys.argv[1:] if arguments is None else arguments, Tier.DEVICE)
        return run_daemon(settings, open_engine=open_engine, observe=open_observing, open_sink=open_sink)
    except EapgError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
