"""`eapg-split health`: whether daemons serve, for people, probes and scripts."""

import asyncio
from pathlib import Path

from eapg_split.cli.access import access_of
from eapg_split.config import NodesFile, read_nodes_file
from eapg_split.errors import InvalidRequest, NodeUnavailable
from eapg_split.rpc.health import is_serving
from eapg_split.runtime.settings import PeerAddress


def check_health(address: str, listed: Path | None, service: str = "") -> bool:
    """Prints a line for each node; whether all serve. Raises NodeUnavailable, and InvalidRequest with nobody to ask."""
    file = NodesFile(()) if listed is None else read_nodes_file(listed)
    nodes = (PeerAddress(address, address),) if address else file.nodes
    if not nodes:
        raise InvalidRequest("Nobody to ask: give HOST:PORT, or --nodes FILE for all that it lists.")
    return asyncio.run(_all_serve(nodes, file, service))


async def _all_serve(nodes: tuple[PeerAddress, ...], file: NodesFile, service: str) -> bool:
    fine, unreached = True, list[NodeUnavailable]()
    for node in nodes:
        try:
            serving = await is_serving(node.address, service, access_of(file))
        except NodeUnavailable as error:
            unreached.append(error)
            print(f"{node.name}: not reached")
        else:
            print(f"{node.name}: {'serving' if serving else 'not serving'}")
            fine &= serving
    if unreached:
        raise unreached[0]
    return fine
