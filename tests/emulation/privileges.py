"""Whether this machine lets these tests have network namespaces."""

import os
from ipaddress import IPv4Interface

import pytest

from eapg_split.emulation import tun
from eapg_split.errors import Unsupported


def _missing() -> str:
    try:
        for descriptor in tun.new_namespace(IPv4Interface("198.18.0.1/15")):
            os.close(descriptor)
    except Unsupported as error:
        return error.message
    return ""


MISSING = _missing()
privileged = pytest.mark.skipif(bool(MISSING), reason=MISSING)
