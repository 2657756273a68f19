"""Linux's files as they are found on real machines: whole, half there, absurd, or locked."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eapg_split.domain.telemetry import RANGES, Quality, Telemetry
from eapg_split.runtime.telemetry.sysfs import SysfsSource

PHONE = {
    "class/power_supply/battery/type": "Battery",
    "class/power_supply/battery/status": "Discharging",
    "class/power_supply/battery/capacity": "73",
    "class/power_supply/battery/current_now": "-850000",
    "class/power_supply/battery/voltage_now": "3920000",
    "class/power_supply/battery/temp": "361",
    "class/power_supply/usb/type": "USB",
    "class/power_supply/usb/online": "0",
    "class/thermal/thermal_zone0/type": "cpu-0-0-usr",
    "class/thermal/thermal_zone0/temp": "58000",
    "class/thermal/thermal_zone1/type": "skin-therm",
    "class/thermal/thermal_zone1/temp": "37200",
    "devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "1800000",
    "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1800000",
    "devices/system/cpu/cpu7/cpufreq/cpuinfo_max_freq": "3000000",
    "devices/system/cpu/cpu7/cpufreq/scaling_cur_freq": "1860000",
    "devices/system/cpu/cpu7/cpufreq/scaling_max_freq": "2400000",
}


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, words in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(words + "\n")
    return root


def look(root: Path, files: dict[str, str]) -> Telemetry:
    return SysfsSource(tree(root, files)).read()


def known(telemetry: Telemetry) -> dict[str, float]:
    return {name: getattr(telemetry, name).value for name in RANGES if getattr(telemetry, name).known}


def test_a_phone_tells_all_that_limits_it(tmp_path: Path) -> None:
    assert known(look(tmp_path, PHONE)) == {
        "charge": 0.73,
        "plugged": 0.0,
        "power_w": pytest.approx(0.85 * 3.92),
        "temperature_c": pytest.approx(37.2),
        "clock_ratio": pytest.approx(0.62),
    }


def test_a_low_clock_of_a_node_that_rests_is_no_throttling(tmp_path: Path) -> None:
    busy = [0.0]
    source = SysfsSource(tree(tmp_path, PHONE), lambda: busy[0])
    assert source.read().clock_ratio.value == pytest.approx(0.8)  # the cap
    busy[0] += 1e6
    assert source.read().clock_ratio.value == pytest.approx(0.62)


@pytest.mark.parametrize("folders", [(), ("class/power_supply", "class/thermal", "class/hwmon")])
def test_empty_classes_are_unknown(tmp_path: Path, folders: tuple[str, ...]) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    assert known(SysfsSource(tmp_path).read()) == {}
    assert known(SysfsSource(tmp_path / "missing").read()) == {}


@pytest.mark.parametrize("missing", sorted(PHONE))
def test_any_attribute_may_be_missing(tmp_path: Path, missing: str) -> None:
    found = look(tmp_path, {name: words for name, words in PHONE.items() if name != missing})
    assert 0.0 not in [value for name, value in known(found).items() if name != "plugged"]


@pytest.mark.parametrize(
    "change",
    [
        {"class/power_supply/battery/capacity": "-1"},
        {"class/power_supply/battery/capacity": "250"},
        {"class/power_supply/battery/capacity": "nan"},
        {"class/power_supply/battery/capacity": "full"},
        {"class/power_supply/battery/capacity": ""},
    ],
)
def test_absurd_charges_are_unknown(tmp_path: Path, change: dict[str, str]) -> None:
    assert not look(tmp_path, {**PHONE, **change}).charge.known


@pytest.mark.parametrize("words", ["-274000", "0", "99999999", "inf", "", "\x00\xff", "1e999"])
def test_absurd_temperatures_are_unknown(tmp_path: Path, words: str) -> None:
    files = {"class/thermal/thermal_zone0/type": "skin", "class/thermal/thermal_zone0/temp": words}
    found = look(tmp_path, files)
    assert not found.temperature_c.known
    assert not found.headroom.known


def test_a_broken_zone_does_not_hide_the_others(tmp_path: Path) -> None:
    files = {
        **PHONE,
        "class/thermal/thermal_zone9/type": "skin2",
        "class/thermal/thermal_zone9/temp": "-40001",
    }
    assert look(tmp_path, files).temperature_c.value == pytest.approx(37.2)


@pytest.mark.parametrize("current", ["850000", "-850000"])
def test_the_sign_of_the_current_is_not_believed(tmp_path: Path, current: str) -> None:
    found = look(tmp_path, {**PHONE, "class/power_supply/battery/current_now": current})
    assert found.power_w.value == pytest.approx(0.85 * 3.92)
    assert found.power_w.quality is Quality.MEASURED


def test_a_meter_of_power_comes_before_current_and_voltage(tmp_path: Path) -> None:
    assert look(tmp_path, {**PHONE, "class/power_supply/battery/power_now": "4500000"}).power_w.value == 4.5
    broken = {**PHONE, "class/power_supply/battery/power_now": "0"}
    assert look(tmp_path, broken).power_w.value == pytest.approx(0.85 * 3.92)


@pytest.mark.parametrize("status", ["Charging", "Full", "Not charging"])
def test_on_mains_nobody_knows_what_is_drawn(tmp_path: Path, status: str) -> None:
    found = look(tmp_path, {**PHONE, "class/power_supply/battery/status": status})
    assert found.plugged.value == 1.0
    assert not found.power_w.known


def test_mains_is_told_by_its_own_supply(tmp_path: Path) -> None:
    files = {**PHONE, "class/power_supply/battery/status": "Unknown", "class/power_supply/usb/online": "1"}
    assert look(tmp_path, files).plugged.value == 1.0


def test_several_batteries_are_one(tmp_path: Path) -> None:
    def pack(name: str, values: dict[str, str]) -> dict[str, str]:
        words = {"type": "Battery", "status": "Discharging", **values}
        return {f"class/power_supply/{name}/{key}": value for key, value in words.items()}

    files = {
        **pack("BAT0", {"energy_now": "10000000", "energy_full": "20000000", "power_now": "3000000"}),
        **pack("BAT1", {"energy_now": "60000000", "energy_full": "60000000", "power_now": "5000000"}),
        **pack("mouse", {"scope": "Device", "capacity": "3"}),
        **pack("gone", {"present": "0", "capacity": "1"}),
    }
    found = look(tmp_path, files)
    assert found.charge.value == pytest.approx(70 / 80)
    assert found.power_w.value == 8.0
    files["class/power_supply/BAT1/power_now"] = ""
    assert not look(tmp_path, files).power_w.known  # half of a sum is no sum


def test_ampere_hours_do_as_well(tmp_path: Path) -> None:
    files = {
        "class/power_supply/BAT0/type": "Battery",
        "class/power_supply/BAT0/charge_now": "1500000",
        "class/power_supply/BAT0/charge_full": "5000000",
    }
    assert look(tmp_path, files).charge.value == pytest.approx(0.3)


def test_a_computer_tells_how_far_its_processor_is_from_throttling(tmp_path: Path) -> None:
    files = {
        "class/hwmon/hwmon0/name": "coretemp",
        "class/hwmon/hwmon0/temp1_input": "85000",
        "class/hwmon/hwmon0/temp1_crit": "100000",
        "class/hwmon/hwmon0/temp2_input": "garbage",
        "class/hwmon/hwmon1/name": "nvme",
        "class/hwmon/hwmon1/temp1_input": "90000",
    }
    found = look(tmp_path, files)
    assert found.temperature_c.value == 85.0
    assert found.headroom.value == pytest.approx(0.5)
    assert found.headroom.quality is Quality.MEASURED
    del files["class/hwmon/hwmon0/temp1_crit"]
    (tmp_path / "class/hwmon/hwmon0/temp1_crit").unlink()
    assert look(tmp_path, files).headroom.value == pytest.approx(2 / 3)
    assert look(tmp_path, files).headroom.quality is Quality.MODELLED


def test_trip_points_of_a_zone_are_its_limit(tmp_path: Path) -> None:
    files = {
        "class/thermal/thermal_zone0/type": "x86_pkg_temp",
        "class/thermal/thermal_zone0/temp": "80000",
        "class/thermal/thermal_zone0/trip_point_0_type": "critical",
        "class/thermal/thermal_zone0/trip_point_0_temp": "110000",
        "class/thermal/thermal_zone0/trip_point_1_type": "passive",
        "class/thermal/thermal_zone0/trip_point_1_temp": "95000",
        "class/thermal/thermal_zone0/trip_point_2_type": "active",
        "class/thermal/thermal_zone0/trip_point_2_temp": "40000",
    }
    assert look(tmp_path, files).headroom.value == pytest.approx(0.5)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_unknown(tmp_path: Path) -> None:
    tree(tmp_path, PHONE)
    for path in (tmp_path / "class/power_supply/battery/capacity", tmp_path / "class/thermal"):
        path.chmod(0)
    try:
        found = known(SysfsSource(tmp_path).read())
    finally:
        (tmp_path / "class/thermal").chmod(stat.S_IRWXU)
    assert "charge" not in found


def test_what_raises_when_it_is_read_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernel files may exist and answer with any error."""
    tree(tmp_path, PHONE)

    def refuse(path: Path, *arguments: object, **named: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    assert known(SysfsSource(tmp_path).read()) == {}


def test_folders_in_place_of_files_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "class/power_supply/battery/type").mkdir(parents=True)
    (tmp_path / "class/thermal/thermal_zone0/temp").mkdir(parents=True)
    assert known(SysfsSource(tmp_path).read()) == {}


@settings(max_examples=60)
@given(data=st.dictionaries(st.sampled_from(sorted(PHONE)), st.binary(max_size=30)))
def test_no_bytes_can_make_it_raise_or_lie(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, bytes]
) -> None:
    root = tree(tmp_path_factory.mktemp("sys"), PHONE)
    for name, words in data.items():
        (root / name).write_bytes(words)
    found = SysfsSource(root).read()
    for name, value in known(found).items():
        low, high = RANGES[name]
        assert low <= value <= high
