"""Buffers that come and go again and again are not taken from the system anew each time."""

import os
import platform
import subprocess
import sys

import pytest

BUFFERS = 200
SCRIPT = f"""
import resource
from eapg_split.runtime.allocator import keep_freed_memory

keep_freed_memory()
source = bytearray(2**20)
bytes(source)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({BUFFERS}):
    bytes(source)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told")
def test_freed_buffers_are_used_again() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, check=True)
    assert int(done.stdout) < BUFFERS, "page faults, where each fresh buffer costs 256"
