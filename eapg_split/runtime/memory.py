"""How much memory this process uses and has used, as operating systems tell it."""

import contextlib
import sys
from pathlib import Path


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
