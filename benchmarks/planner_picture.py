"""Draws the picture of docs/plan.md: python benchmarks/planner_picture.py docs/images/plan.svg

Asks three real daemons with `eapg-split plan`: a device that computes 30 thousand million operations a second, an edge
node three times as fast behind 80 Mbit/s, and a cloud node ten times as fast behind 20 Mbit/s and 300 ms.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Final

from planner_topology import Shape, Speeds, running
from wire_shaper import Link

from eapg_split.cli.__main__ import run

SHAPE: Final = Shape(Link(80e6, 0.01), Link(20e6, 0.3), Speeds(3e10, 1e11, 3e11), charge=0.9)
FLAGS: Final = (
    "--policy",
    "dp-adaptive",
    "--objective",
    "latency",
    "--codec",
    "clean",
    "--sweep",
    "bandwidth",
)


def main() -> int:
    """Returns the exit code of `plan`."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path, help="an SVG file")
    output = parser.parse_args().output.absolute()
    with tempfile.TemporaryDirectory() as name, running(SHAPE, Path(name)) as topology:
        listed = Path(name) / "nodes.toml"
        nodes = [("device", topology.device), *((peer.name, peer.address) for peer in topology.peers)]
        listed.write_text("".join(f'[[nodes]]\nid = "{node}"\naddress = "{at}"\n' for node, at in nodes))
        return run(["plan", "A cat running", "--nodes", str(listed), *FLAGS, "-o", str(output), "--explain"])


if __name__ == "__main__":
    sys.exit(main())
