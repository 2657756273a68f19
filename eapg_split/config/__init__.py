"""Reads settings from TOML files and flags: what a daemon is told, and the file that lists running nodes."""

from eapg_split.config.daemon import daemon_settings, read_daemon_file
from eapg_split.config.nodes_file import NodesFile, read_nodes_file
from eapg_split.config.tables import load_toml

__all__ = ["NodesFile", "daemon_settings", "load_toml", "read_daemon_file", "read_nodes_file"]
