"""Composes the cloud node: settings, engines, and the daemon that serves them."""

import sys
from collections.abc import Sequence

from eapg_split.config import daemon_settings
from eapg_split.domain.topology import Tier
from eapg_split.engines import open_engine
from eapg_split.errors import EapgError
from eapg_split.observing import open_observing
from eapg_split.rpc.daemon import run_daemon


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until a signal comes; returns the exit code. What is wrong is said in one sentence on stderr."""
    try:
        settings = daemon_settings(sys.argv[1:] if arguments is None else arguments, Tier.CLOUD)
        return run_daemon(settings, open_engine=open_engine, observe=open_observing)
    except EapgError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
