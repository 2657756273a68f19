"""The colours of pictures: of each stage in the order of the workload, of each part of a hand-off, of each node.

They are of middle lightness, so that they stand on a light and on a dark page, and follow each other from violet to
green, so that neighbours can be told apart without telling red from green.
"""

from collections.abc import Iterable
from typing import Final

from eapg_split.cli.run_log import Header

ENCODE: Final = "#e3a008"
WIRE: Final = "#d9480f"
DECODE: Final = "#c2559d"
HANDOFF: Final = ((ENCODE, "latent encoded"), (WIRE, "hand-off"), (DECODE, "latent decoded"))
LINKS: Final = ("#3b82c4", "#d9480f", "#2f9e73", "#c2559d", "#e3a008", "#7a68c9", "#7d8794", "#8f9d2c")
NODES: Final = ("#3b82c4", "#e3a008", "#c2559d", "#3fa35f", "#7a68c9", "#1f9aa6", "#d9480f", "#7d8794")

# Okabe and Ito's, in an order in which neighbours differ in lightness too
POLICIES: Final = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#5b5b5b", "#a08c00")

_STAGES: Final = ("#7d8794", "#7a68c9", "#3b82c4", "#1f9aa6", "#3fa35f", "#98a52d")


def stage_colours(header: Header) -> dict[str, str]:
    """A colour for each stage's name."""
    return in_order(stage.name for stage in header.stages)


def in_order(stages: Iterable[str]) -> dict[str, str]:
    """A colour for each stage, in the order of the workload."""
    return {name: _STAGES[index % len(_STAGES)] for index, name in enumerate(stages)}


def colour_of(stage: str, colours: dict[str, str]) -> str:
    """The colour of a stage, grey for one that the header does not name."""
    return colours.get(stage, _STAGES[0])
