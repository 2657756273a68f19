"""How much memory this process uses and has used, as operating systems tell it."""

import contextlib
import os
import sys
from pathlib import Path
from typing import Final

_SHARE: Final = 0.8  # of the memory there is: the rest is for the system and for what no estimate knows
_CGROUPS: Final = Path("/sys/fs/cgroup")


def usable_bytes() -> int:
    """Four fifths of the machine's memory, or of what its control group may use where that is less."""
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows
        import psutil

        there = psutil.virtual_memory().total
    return int(_SHARE * min(there, *_group_limits(), there))


def _group_limits() -> list[int]:
    """Of this process's control groups and those around them, as far as they can be read."""
    found = []
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines():
            _, controllers, path = line.split(":", 2)
            root, name = _CGROUPS, "memory.max"
            if controllers:
                root, name = _CGROUPS / "memory", "memory.limit_in_bytes"
            if controllers in ("", "memory"):
                own = root / path.lstrip("/")
                folders = [own, *own.parents][: len(own.parts) - len(root.parts) + 1]
                found += [limit for limit in map(_limit_in, (each / name for each in folders)) if limit]
    return found


def _limit_in(file: Path) -> int:
    """0 where there is none."""
    try:
        text = file.read_text(encoding="ascii").strip()
    except OSError:
        return 0
    return int(text) if text.isdecimal() else 0


def resident_bytes() -> int:
    """Resident set size now."""
    status = _linux_status()
    if "VmRSS" in status:
        return status["VmRSS"]
    import psutil  # only where there is no /proc: importing it costs a daemon 20 ms

    return int(psutil.Process().memory_info().rss)


def peak_resident_bytes() -> int:
    """Largest resident set size since the process started.

    On Linux from /proc rather than getrusage: the latter keeps the parent's peak across exec.
    """
    status = _linux_status()
    if "VmHWM" in status:
        return status["VmHWM"]
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def forget_peak() -> None:
    """Lets the peak begin anew at what is resident now, where the system can do that: Linux."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _linux_status() -> dict[str, int]:
    try:
        text = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    sizes = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if rest.endswith(" kB"):
            sizes[name] = int(rest.removesuffix(" kB")) * 1024
    return sizes
