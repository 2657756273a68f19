"""Training recipe of the shipped model: the procedural world, the networks in torch, the losses."""

from collections.abc import Sequence


def cli_main(arguments: Sequence[str]) -> int:
    """Runs `eapg-split train` with these arguments; returns the exit code."""
    from eapg_split.training.command import main

    return main(arguments)
