"""Whether a host can be reached from other machines."""

import ipaddress


def is_loopback_host(host: str) -> bool:
    """Whether a name or an IP address, without brackets, is this machine's alone; other names are not resolved."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
