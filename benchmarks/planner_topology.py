"""Three real daemons of given speeds behind shaped links, for as long as a block lasts."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from wire_shaper import Link, ShaperProcess, shaped

from eapg_split.domain.profile import Profile, StageCost
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.emulation.paced import FINGERPRINT, KIND, write_pace
from eapg_split.runtime.profile_store import Machine, StoredProfile, default_path, save
from eapg_split.runtime.settings import PeerAddress
from simulations.node_specs import NodeSpec

ROOT: Final = Path(__file__).resolve().parents[1]
TIERS: Final = ("edge", "cloud", "device")
_READY_S: Final = 30.0
_BACKHAUL: Final = Link(400e6, 0.02)


@dataclass(frozen=True)
class Speeds:
    """Operations a second of each node."""

    device: float = 5e10
    edge: float = 1.5e11
    cloud: float = 4e11


@dataclass(frozen=True)
class Shape:
    """What three daemons are to be like. `clock` slows the device down; `charge` puts it on battery."""

    edge_link: Link
    cloud_link: Link
    speeds: Speeds = field(default_factory=Speeds)
    clock: float = 1.0
    charge: float | None = None


@dataclass(frozen=True)
class Topology:
    """The running daemons as the person's program and the device reach them."""

    device: str
    cloud: str  # without a link before it
    peers: tuple[PeerAddress, ...]
    links: Mapping[str, ShaperProcess]


@contextlib.contextmanager
def running(shape: Shape, folder: Path) -> Iterator[Topology]:
    """Starts and stops the daemons and the links; `folder` takes their files."""
    with contextlib.ExitStack() as stack:
        cloud = stack.enter_context(_daemon("cloud", shape, folder, []))
        behind = stack.enter_context(shaped(_BACKHAUL, _port(cloud)))
        onward = [f"cloud=127.0.0.1:{behind.port}"]
        edge = stack.enter_context(_daemon("edge", shape, folder, onward))
        links = {
            "edge": stack.enter_context(shaped(shape.edge_link, _port(edge))),
            "cloud": stack.enter_context(shaped(shape.cloud_link, _port(cloud))),
        }
        peers = [f"{name}=127.0.0.1:{link.port}" for name, link in links.items()]
        device = stack.enter_context(_daemon("device", shape, folder, peers))
        addresses = tuple(PeerAddress(name, f"127.0.0.1:{link.port}") for name, link in links.items())
        yield Topology(device, cloud, addresses, links)


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


@contextlib.contextmanager
def _daemon(name: str, shape: Shape, folder: Path, peers: list[str]) -> Iterator[str]:
    speed: float = getattr(shape.speeds, name)
    state = folder / f"{name}-state"
    pace = folder / f"{name}-pace"
    pace.mkdir()
    write_pace(_spec(name, speed * (shape.clock if name == "device" else 1.0)), 0, pace)
    _write_profile(name, speed, state)
    ready = folder / f"{name}.json"
    command = [sys.executable, "-m", f"{name}_node", "--node", name, "--weights", str(pace)]
    command += ["--engine", "eapg_split.emulation.paced:open_engine"]
    command += ["--ready-file", str(ready), "--with-parent", str(os.getpid())]
    for peer in peers:
        command += ["--peer", peer]
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'benchmarks'}",
        "XDG_STATE_HOME": str(state),
    }
    if name != "device":
        command += ["--telemetry", f"file:{_write_idle(folder)}"]
    else:
        command += ["--telemetry", f"sysfs:{_write_sysfs(shape, folder)}"]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        yield _address(process, ready)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()


def _address(process: "subprocess.Popen[bytes]", ready: Path) -> str:
    until = time.monotonic() + _READY_S
    while not ready.exists():
        if process.poll() is not None or time.monotonic() > until:
            words = ready.with_suffix(".log").read_text(errors="replace").strip()
            raise SystemExit(
                f"a daemon did not start: {words.splitlines()[-1] if words else 'it said nothing'}"
            )
        time.sleep(0.02)
    return str(json.loads(ready.read_text())["address"])


def _stages(flops_per_s: float) -> dict[str, StageCost]:
    cost = StageCost(0.002, flops_per_s, entry_flops_per_s=flops_per_s)
    return dict.fromkeys(("text", "stage1", "stage2", "stage3", "stage4", "decode"), cost)


def _spec(name: str, flops_per_s: float) -> NodeSpec:
    """What the engine is to be like."""
    return NodeSpec(NodeId(name), Tier(name), _stages(flops_per_s), noise=0.0)


def _write_profile(name: str, flops_per_s: float, state: Path) -> None:
    """What `eapg-split profile` would have found."""
    os.environ["XDG_STATE_HOME"], before = str(state), os.environ.get("XDG_STATE_HOME")
    path = default_path(name, KIND, FINGERPRINT)
    if before is None:
        del os.environ["XDG_STATE_HOME"]
    else:
        os.environ["XDG_STATE_HOME"] = before
    save(StoredProfile(Profile(NodeId(name), KIND, FINGERPRINT, _stages(flops_per_s)), Machine.here()), path)


def _write_sysfs(shape: Shape, folder: Path) -> Path:
    """A tree as Linux shows it: the clock's ratio, a thermal zone, and a battery where there is one."""
    root = folder / "sysfs"
    most = 2_000_000
    _put(root / "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", int(most * shape.clock))
    _put(root / "devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", most)
    _put(root / "class/thermal/thermal_zone0/type", "battery")
    _put(root / "class/thermal/thermal_zone0/temp", 30_000 if shape.clock == 1 else 44_000)
    if shape.charge is not None:
        battery = root / "class/power_supply/BAT0"
        _put(battery / "type", "Battery")
        _put(battery / "status", "Discharging")
        _put(battery / "capacity", round(100 * shape.charge))
    return root


def _write_idle(folder: Path) -> Path:
    """The load of a node that only waits, whatever else this machine does."""
    path = folder / "idle.jsonl"
    path.write_text('{"load": 0.0, "clock_ratio": 1.0}\n')
    return path


def _put(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{value}\n")


async def until(moment: float) -> None:
    """Sleeps until a moment of the loop's clock."""
    await asyncio.sleep(max(0.0, moment - asyncio.get_running_loop().time()))
