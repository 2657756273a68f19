"""From what `--telemetry` says to a source."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

from eapg_split.errors import InvalidRequest
from eapg_split.runtime.telemetry.composite import Composite
from eapg_split.runtime.telemetry.model import ModelledDevice, ModelSource
from eapg_split.runtime.telemetry.nvml import NvmlSource
from eapg_split.runtime.telemetry.processor import Processor, PsutilSensors
from eapg_split.runtime.telemetry.source import BusySeconds, OpenTelemetry, TelemetrySource
from eapg_split.runtime.telemetry.sysfs import SysfsSource
from eapg_split.runtime.telemetry.termux import COMMAND, TermuxSource
from eapg_split.runtime.telemetry.trace import TraceSource

DEFAULT: Final = "auto"
_Open = Callable[[str, BusySeconds], list[TelemetrySource]]


def _auto(argument: str, busy_s: BusySeconds) -> list[TelemetrySource]:
    _no_argument("auto", argument)
    termux: list[TelemetrySource] = [TermuxSource()] if shutil.which(COMMAND) else []
    return [*termux, SysfsSource(busy_s=busy_s), PsutilSensors()]


def _sysfs(argument: str, busy_s: BusySeconds) -> list[TelemetrySource]:
    root = Path(argument or "/sys")
    if not root.is_dir():
        raise InvalidRequest(f"--telemetry sysfs: {root} is no folder; write sysfs:ROOT, or sysfs for /sys.")
    return [SysfsSource(root, busy_s)]


def _psutil(argument: str, busy_s: BusySeconds) -> list[TelemetrySource]:
    del busy_s
    _no_argument("psutil", argument)
    return [PsutilSensors()]


def _termux(argument: str, busy_s: BusySeconds) -> list[TelemetrySource]:
    del busy_s
    _no_argument("termux", argument)
    return [TermuxSource()]


def _nvml(argument: str, busy_s: BusySeconds) -> list[TelemetrySource]:
    del busy_s
    _no_argument("nvml", argument)
    return [NvmlSource()]


def _file(argument: str, busy_s: BusySeconds) -> list[TelemetrySource]:
    del busy_s
    if not argument:
        raise InvalidRequest("--telemetry file needs a path: write file:PATH of JSON lines or CSV.")
    return [TraceSource(Path(argument))]


def _model(argument: str, busy_s: BusySeconds) -> list[TelemetrySource]:
    return [ModelSource(ModelledDevice.parsed(argument), busy_s)]


_SOURCES: Final = MappingProxyType[str, _Open](
    {
        "auto": _auto,
        "sysfs": _sysfs,
        "psutil": _psutil,
        "termux": _termux,
        "nvml": _nvml,
        "file": _file,
        "model": _model,
    }
)
KINDS: Final = ("auto", "sysfs:ROOT", "psutil", "termux", "nvml", "file:PATH", "model")


def telemetry_opener(spec: str) -> OpenTelemetry:
    """What makes the source that `spec` names; load and free memory come from psutil where it tells none.

    Raises InvalidRequest for an unknown kind; what is made raises it for what the kind is given.
    """
    kind, _, argument = spec.partition(":")
    if kind not in _SOURCES:
        raise InvalidRequest(f"--telemetry {spec!r} is not known: choose one of {', '.join(KINDS)}.")
    return partial(_opened, _SOURCES[kind], argument)


def _opened(make: _Open, argument: str, busy_s: BusySeconds) -> TelemetrySource:
    return Composite([*make(argument, busy_s), Processor()])


def _no_argument(kind: str, argument: str) -> None:
    if argument:
        raise InvalidRequest(f"--telemetry {kind} takes nothing after it: leave out {argument!r}.")
