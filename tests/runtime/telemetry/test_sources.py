"""The other sources: psutil, Termux, NVML, recorded traces, models; and how they are chosen and joined."""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from eapg_split.domain.telemetry import RANGES, Quality, Reading, Telemetry, reading
from eapg_split.errors import InvalidRequest, Unsupported
from eapg_split.runtime.telemetry import termux
from eapg_split.runtime.telemetry.choice import telemetry_opener
from eapg_split.runtime.telemetry.composite import Composite
from eapg_split.runtime.telemetry.model import ModelledDevice, ModelSource
from eapg_split.runtime.telemetry.nvml import NvmlSource
from eapg_split.runtime.telemetry.processor import Processor, PsutilSensors
from eapg_split.runtime.telemetry.termux import TermuxSource
from eapg_split.runtime.telemetry.trace import TraceSource


def known(telemetry: Telemetry) -> dict[str, float]:
    return {name: getattr(telemetry, name).value for name in RANGES if getattr(telemetry, name).known}


class Said:
    def __init__(self, **values: float) -> None:
        self._look = Telemetry.of({name: reading(name, value) for name, value in values.items()})

    def read(self) -> Telemetry:
        return self._look


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_the_first_source_that_knows_is_believed() -> None:
    found = Composite([Said(charge=0.5), Said(charge=0.9, load=0.3), Said(load=0.8, power_w=0.0)]).read()
    assert known(found) == {"charge": 0.5, "load": 0.3, "power_w": 0.0}
    assert known(Composite([]).read()) == {}


def _raises(*_: object) -> object:
    raise FileNotFoundError("/sys/class/power_supply")


def test_psutil_that_knows_nothing_or_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Callable[..., object]] = [_raises, lambda: None, dict]
    for answer in answers:
        monkeypatch.setattr(
            psutil, "sensors_battery", answer if answer is not dict else _raises, raising=False
        )
        monkeypatch.setattr(psutil, "sensors_temperatures", answer, raising=False)
        assert known(PsutilSensors().read()) == {}
    monkeypatch.delattr(psutil, "sensors_battery", raising=False)
    monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
    assert known(PsutilSensors().read()) == {}


def test_psutil_that_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    battery = SimpleNamespace(percent=41.0, power_plugged=None)
    heats = {"k10temp": [SimpleNamespace(label="Tctl", current=65.0, critical=None)], "empty": []}
    monkeypatch.setattr(psutil, "sensors_battery", lambda: battery, raising=False)
    monkeypatch.setattr(psutil, "sensors_temperatures", lambda: heats, raising=False)
    assert known(PsutilSensors().read()) == {"charge": 0.41, "temperature_c": 65.0, "headroom": 0.0}
    battery.percent, battery.power_plugged = 190.0, True
    assert known(PsutilSensors().read())["plugged"] == 1.0
    assert "charge" not in known(PsutilSensors().read())


def test_the_first_look_at_the_load_waits_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float | None] = []

    def percent(interval: float | None) -> float:
        asked.append(interval)
        return 37.0

    monkeypatch.setattr(psutil, "cpu_percent", percent)
    source = Processor()
    for _ in range(3):
        found = source.read()
        assert found.load.value == pytest.approx(0.37)
        assert found.memory_free_bytes.value > 1e6
    assert asked == [0.1, None, None]


def termux_says(folder: Path, words: str, monkeypatch: pytest.MonkeyPatch, *, script: str = "") -> None:
    command = folder / termux.COMMAND
    command.write_text(script or f"#!{sys.executable}\nprint({words!r})\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


STATUS = {
    "health": "GOOD",
    "percentage": 73,
    "plugged": "UNPLUGGED",
    "status": "DISCHARGING",
    "temperature": 31.4,
    "current": -412_000,
}


def test_termux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    termux_says(tmp_path, json.dumps(STATUS), monkeypatch)
    source = TermuxSource(clock)
    first = source.read()
    assert known(first) == {
        "charge": 0.73,
        "plugged": 0.0,
        "power_w": pytest.approx(0.412 * 3.85),
        "temperature_c": 31.4,
    }
    assert first.power_w.quality is Quality.MODELLED  # the voltage is assumed
    termux_says(tmp_path, json.dumps({**STATUS, "percentage": 20, "voltage": 3600}), monkeypatch)
    clock.now_s += 9
    assert source.read() is first
    clock.now_s += 1
    assert source.read().charge.value == 0.2
    assert source.read().power_w.value == pytest.approx(0.412 * 3.6)
    assert source.read().power_w.quality is Quality.MEASURED


@pytest.mark.parametrize(
    "words",
    [
        "",
        "not json",
        "[1, 2]",
        "{",
        '{"percentage": "many", "plugged": 3, "temperature": null, "current": true}',
        '{"percentage": 900, "temperature": 1e300, "plugged": ""}',
        "[" * 100_000,
    ],
)
def test_termux_that_says_nonsense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    termux_says(tmp_path, words, monkeypatch)
    assert known(TermuxSource().read()) == {}


def test_termux_that_fails_hangs_or_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    termux_says(tmp_path, "", monkeypatch, script="#!/bin/sh\nexit 3\n")
    assert known(TermuxSource().read()) == {}
    monkeypatch.setattr(termux, "_TIMEOUT_S", 0.2)
    termux_says(tmp_path, "", monkeypatch, script="#!/bin/sh\nexec sleep 20\n")
    began = time.monotonic()
    assert known(TermuxSource().read()) == {}
    assert time.monotonic() - began < 5
    monkeypatch.setattr(termux, "COMMAND", "no-such-command-anywhere")
    assert known(TermuxSource().read()) == {}


class FakeNvml:
    """Two GPUs, one of them hot and busy."""

    gpus = (
        {"temperature": 80, "limit": 95, "power": 300_000, "load": 90, "free": 10 << 30, "clock": 1500},
        {"temperature": 40, "limit": 95, "power": 50_000, "load": 10, "free": 70 << 30, "clock": 300},
    )

    def nvmlInit(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> dict[str, int]:
        return self.gpus[index]

    def nvmlDeviceGetTemperature(self, gpu: dict[str, int], kind: int) -> int:
        assert kind == 0
        return gpu["temperature"]

    def nvmlDeviceGetTemperatureThreshold(self, gpu: dict[str, int], kind: int) -> int:
        assert kind == 1
        return gpu["limit"]

    def nvmlDeviceGetPowerUsage(self, gpu: dict[str, int]) -> int:
        return gpu["power"]

    def nvmlDeviceGetUtilizationRates(self, gpu: dict[str, int]) -> object:
        return SimpleNamespace(gpu=gpu["load"])

    def nvmlDeviceGetMemoryInfo(self, gpu: dict[str, int]) -> object:
        return SimpleNamespace(free=gpu["free"])

    def nvmlDeviceGetClockInfo(self, gpu: dict[str, int], kind: int) -> int:
        assert kind == 1
        return gpu["clock"]

    def nvmlDeviceGetMaxClockInfo(self, gpu: dict[str, int], kind: int) -> int:
        assert kind == 1
        return 2000


def test_nvml(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml())
    assert known(NvmlSource().read()) == {
        "power_w": 350.0,
        "temperature_c": 80.0,
        "headroom": pytest.approx(0.5),
        "clock_ratio": 0.75,
        "load": 0.1,
        "memory_free_bytes": float(70 << 30),
    }


def test_nvml_whose_calls_all_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(FakeNvml):
        def __getattribute__(self, name: str) -> object:
            if name.startswith("nvmlDeviceGet") and name != "nvmlDeviceGetCount":
                raise RuntimeError("Not Supported")
            return super().__getattribute__(name)

    monkeypatch.setitem(sys.modules, "pynvml", Broken())
    assert known(NvmlSource().read()) == {}


def test_nvml_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    with pytest.raises(Unsupported, match="eapg-split\\[nvml\\]"):
        telemetry_opener("nvml")(lambda: 0.0)


def test_a_trace_of_json_lines_is_played_back(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(
        '{"charge": 0.9}\n\n{"charge": null, "load": 0.5, "quality": "modelled"}\n{"charge": 0.7}\n'
    )
    clock = Clock()
    source = TraceSource(path, clock)
    assert known(source.read()) == {"charge": 0.9}
    clock.now_s += 1.5
    assert known(source.read()) == {"load": 0.5}
    assert source.read().load.quality is Quality.MODELLED
    clock.now_s += 1000
    assert known(source.read()) == {"charge": 0.7}


def test_a_trace_that_is_replaced_is_played_anew(tmp_path: Path) -> None:
    path, other = tmp_path / "run.jsonl", tmp_path / "run.jsonl.part"
    path.write_text('{"charge": 0.9}\n')
    source = TraceSource(path, Clock())
    assert known(source.read()) == {"charge": 0.9}
    other.write_text('{"charge": 0.8}\n')
    other.replace(path)
    assert known(source.read()) == {"charge": 0.8}
    path.unlink()
    assert known(source.read()) == {"charge": 0.8}
    path.write_text("nonsense")
    assert known(source.read()) == {}


def test_a_trace_of_csv_is_played_back(tmp_path: Path) -> None:
    path = tmp_path / "run.csv"
    path.write_text("at_s, temperature_c,charge\n5,30,0.5\n10,999,\n")
    clock = Clock()
    source = TraceSource(path, clock)
    assert known(source.read()) == {}
    clock.now_s += 5
    assert known(source.read()) == {"temperature_c": 30.0, "charge": 0.5}
    clock.now_s += 5
    assert known(source.read()) == {}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b'{"charge": 0.5}\nnonsense\n',
        b'{"charge": "much"}\n',
        b'{"charge": [1]}\n',
        b'{"colour": 1}\n',
        b'{"at_s": 5}\n{"at_s": 4}\n',
        b'{"at_s": NaN}\n',
        b'{"a\n',
        b"charge,colour\n1,2\n",
        b"\xff\xfe\x00",
        b"{" * 100_000,
    ],
)
def test_files_that_are_no_traces_are_refused_with_a_reason(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "run.jsonl"
    path.write_bytes(data)
    with pytest.raises(InvalidRequest, match=str(path)):
        TraceSource(path)


def test_a_model_follows_the_work() -> None:
    clock, busy = Clock(), [0.0]
    source = ModelSource(ModelledDevice(charge=0.5, active_w=8.0), lambda: busy[0], clock)
    begin = source.read()
    assert begin.charge == Reading(0.5, Quality.MODELLED)
    assert begin.clock_ratio.value == 1.0
    assert begin.temperature_c.value == 25.0
    for _ in range(900):
        clock.now_s += 1
        busy[0] += 1
        worked = source.read()
    assert worked.charge.value < 0.45
    assert worked.temperature_c.value > 34
    assert worked.clock_ratio.value < 1
    assert worked.plugged.value == 0.0
    for _ in range(900):
        clock.now_s += 1
        rested = source.read()
    assert rested.temperature_c.value < worked.temperature_c.value
    assert rested.power_w.value == 1.0
    assert 0 < worked.charge.value - rested.charge.value < 0.05


def test_a_modelled_device_on_mains_keeps_its_charge() -> None:
    clock = Clock()
    source = ModelSource(ModelledDevice.parsed("charge=0.4,plugged=1"), lambda: 0.0, clock)
    clock.now_s += 1e6
    assert source.read().charge.value == 0.4


@pytest.mark.parametrize(
    "text",
    [
        "charge=2",
        "charge",
        "charge=much",
        "colour=1",
        "active_w=0.5",
        "idle_w=0",
        "plugged=0.5",
        "charge=nan",
    ],
)
def test_devices_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        telemetry_opener(f"model:{text}")(lambda: 0.0)


@pytest.mark.parametrize(
    "spec",
    ["", "magic", "auto:x", "psutil:x", "termux:x", "nvml:x", "file", "file:/nowhere", "sysfs:/nowhere"],
)
def test_choices_that_cannot_be_are_refused(spec: str) -> None:
    with pytest.raises(InvalidRequest, match="--telemetry"):
        telemetry_opener(spec)(lambda: 0.0)


@pytest.mark.parametrize(
    "spec", ["auto", "sysfs", "psutil", "termux", "model", "model:charge=0.3,active_w=6"]
)
def test_choices_that_can_be(spec: str) -> None:
    """On any machine: nothing raises, and what is known is sane."""
    source = telemetry_opener(spec)(lambda: 0.0)
    for _ in range(2):
        for name, value in known(source.read()).items():
            low, high = RANGES[name]
            assert low <= value <= high


def test_a_tree_of_ones_own_is_not_mixed_with_this_machine(tmp_path: Path) -> None:
    (tmp_path / "class/power_supply").mkdir(parents=True)
    assert set(known(telemetry_opener(f"sysfs:{tmp_path}")(lambda: 0.0).read())) <= {
        "load",
        "memory_free_bytes",
    }
