"""The file that lists running nodes, for whoever calls them."""

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from eapg_split.config.tables import Table, load_toml, path_of, peers_of, tls_of
from eapg_split.errors import InvalidRequest
from eapg_split.runtime.settings import PeerAddress, TlsFiles

_NODES_FILE_KEYS: Final = MappingProxyType({"nodes": list, "tls": dict, "insecure": bool, "token_file": str})


@dataclass(frozen=True)
class NodesFile:
    """Daemons that already run, and how to prove who we are to them."""

    nodes: tuple[PeerAddress, ...]
    tls: TlsFiles | None = None
    insecure: bool = False  # speak in the clear beyond loopback
    token_file: Path | None = None  # shown where it is given


def read_nodes_file(path: Path) -> NodesFile:
    """Reads `[[nodes]]` with `id` and `address`, and optionally `[tls]` and `token_file`. Raises InvalidRequest."""
    table = Table(load_toml(path), _NODES_FILE_KEYS, path, "")
    nodes = peers_of(table, "nodes")
    if not nodes:
        raise InvalidRequest(f'{path} lists no node: add [[nodes]] with id = "…" and address = "HOST:PORT".')
    return NodesFile(nodes, tls_of(table), table.get("insecure", False), path_of(table, "token_file"))
