"""How the command line speaks to the nodes that a file lists."""

from eapg_split.config import NodesFile
from eapg_split.rpc.access import Access


def access_of(listed: NodesFile) -> Access:
    """By the file's `[tls]`, `insecure` and `token_file`."""
    return Access(listed.tls, listed.insecure, listed.token_file)
