"""NVIDIA GPUs by NVML: needs the extra "nvml". For nodes whose engine computes on them."""

import importlib
from types import ModuleType
from typing import Final

from eapg_split.domain.telemetry import Telemetry, reading
from eapg_split.errors import Unsupported
from eapg_split.runtime.telemetry.heat import Heat, limiting
from eapg_split.runtime.telemetry.processor import attempted

# Of nvml.h: they have not changed since its first version.
_TEMPERATURE_GPU: Final = 0
_THRESHOLD_SLOWDOWN: Final = 1
_CLOCK_SM: Final = 1
_BUSY_PERCENT: Final = 50  # below, a low clock is a GPU that rests
_MOST_GPUS: Final = 64


class NvmlSource:
    """The hottest GPU's temperature and clock, all GPUs' power, and the load and free memory of the freest one."""

    def __init__(self) -> None:
        """Raises Unsupported where the package or the driver is missing."""
        try:
            self._nvml: ModuleType = importlib.import_module("pynvml")
            self._nvml.nvmlInit()
        except Exception as error:
            raise Unsupported(
                f"NVML cannot be used ({error}): install eapg-split[nvml] and NVIDIA's driver, or choose"
                " another --telemetry."
            ) from error

    def read(self) -> Telemetry:
        gpus = [_Gpu(self._nvml, index) for index in range(attempted(self._nvml.nvmlDeviceGetCount) or 0)][
            :_MOST_GPUS
        ]
        heats = [heat for gpu in gpus if (heat := gpu.heat()) is not None]
        watts = [gpu.watts() for gpu in gpus]
        loads = [load for gpu in gpus if (load := gpu.load()) is not None]
        memory = [free for gpu in gpus if (free := gpu.memory_free()) is not None]
        clocks = [ratio for gpu in gpus if (ratio := gpu.clock_ratio()) is not None]
        hottest = limiting(heats)
        return Telemetry(
            power_w=reading("power_w", None if None in watts or not watts else sum(filter(None, watts))),
            temperature_c=reading("temperature_c", hottest.celsius),
            headroom=reading("headroom", hottest.headroom),
            clock_ratio=reading("clock_ratio", min(clocks, default=None)),
            load=reading("load", min(loads, default=None)),
            memory_free_bytes=reading("memory_free_bytes", max(memory, default=None)),
        )


class _Gpu:
    """One GPU; each of its numbers is None where this model, driver or permission does not give it."""

    def __init__(self, nvml: ModuleType, index: int) -> None:
        self._nvml = nvml
        self._handle = attempted(lambda: nvml.nvmlDeviceGetHandleByIndex(index))

    def heat(self) -> Heat | None:
        celsius = self._asked("nvmlDeviceGetTemperature", _TEMPERATURE_GPU)
        limit_c = self._asked("nvmlDeviceGetTemperatureThreshold", _THRESHOLD_SLOWDOWN)
        return None if celsius is None else Heat("gpu", celsius, limit_c)

    def watts(self) -> float | None:
        milliwatts = self._asked("nvmlDeviceGetPowerUsage")
        return None if not milliwatts else milliwatts / 1000

    def load(self) -> float | None:
        rates = attempted(lambda: self._nvml.nvmlDeviceGetUtilizationRates(self._handle))
        percent = getattr(rates, "gpu", None)
        return percent / 100 if isinstance(percent, int | float) else None

    def memory_free(self) -> float | None:
        info = attempted(lambda: self._nvml.nvmlDeviceGetMemoryInfo(self._handle))
        free = getattr(info, "free", None)
        return float(free) if isinstance(free, int) else None

    def clock_ratio(self) -> float | None:
        """Only while it computes: an idle GPU lowers its clock by itself."""
        load = self.load()
        if load is None or 100 * load < _BUSY_PERCENT:
            return None
        now = self._asked("nvmlDeviceGetClockInfo", _CLOCK_SM)
        most = self._asked("nvmlDeviceGetMaxClockInfo", _CLOCK_SM)
        return min(1.0, now / most) if now and most else None

    def _asked(self, function: str, *arguments: int) -> float | None:
        value = attempted(lambda: getattr(self._nvml, function)(self._handle, *arguments))
        return float(value) if isinstance(value, int | float) else None
