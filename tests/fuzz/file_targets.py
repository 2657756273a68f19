"""Borders that read files: each with honest files, how they are broken, and what is done with what was read."""

import contextlib
import hashlib
import io
import json
import math
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Final
from unittest.mock import patch

import typer
from typer.core import TyperGroup

from eapg_split.cli.app import app
from eapg_split.cli.defaults import defaults_from
from eapg_split.cli.report_page.page import render
from eapg_split.cli.report_page.story import read_story
from eapg_split.cli.run_log import LogWriter, read_log
from eapg_split.cli.run_log.writer import header_of
from eapg_split.codecs.base import checksum_of
from eapg_split.config import daemon_settings, read_daemon_file, read_nodes_file
from eapg_split.domain.error_budget import ErrorBudget
from eapg_split.domain.topology import Tier
from eapg_split.domain.workload import StageKind
from eapg_split.eapg.workload import unroll
from eapg_split.engines.onnx_engine import OnnxNetworks
from eapg_split.engines.store import SHIPPED, FileEntry, Manifest, read_manifest
from eapg_split.errors import EapgError, InfeasiblePlan, InvalidRequest
from eapg_split.planner.bandit import BanditPolicy
from eapg_split.rpc import client
from eapg_split.rpc.security import is_loopback
from eapg_split.rpc.tokens import read_rows
from eapg_split.runtime import profile_store
from eapg_split.runtime.jobs.checkpoint_file import KeptState, read_checkpoint, write_checkpoint
from eapg_split.runtime.jobs.ticket import CheckpointFile
from eapg_split.runtime.policy_state import PolicyStates
from eapg_split.runtime.telemetry import termux
from eapg_split.runtime.telemetry.sysfs import SysfsSource
from eapg_split.runtime.telemetry.trace import TraceSource
from eapg_split.testing.views import measured, random_view
from simulations.traces import read_mahimahi, read_throughput
from tests.cli.conftest import story
from tests.fuzz.files import (
    FOLDER,
    IN_ARGUMENTS,
    IN_JSON,
    IN_LINES,
    IN_TOML,
    deep_or,
    file_of,
    texts,
)
from tests.fuzz.mutations import mutated_bytes
from tests.fuzz.target import MIB, Target, packed, unpacked
from tests.nodes import SMALL, undivided
from tests.runtime.test_profile_store import MACHINE, STORED

_DAEMON: Final = """
node = "attic"
listen = "127.0.0.1:7001"
engine = "onnx"
threads = 2
weights = "weights"
profile = "profile.json"
insecure = false
drain_s = 20.0
price_per_s = 0.25
[[peers]]
id = "edge"
address = "127.0.0.1:7002"
[tls]
ca = "ca.pem"
cert = "node.pem"
key = "node.key"
[limits]
sessions = 4
payload_bytes = 1000000
kept_result_bytes = 1000
held_state_bytes = 1000
arrival_s = 5
[telemetry]
source = "auto"
[network]
technology = "wifi"
metered = true
probe_metered = false
estimator = "ewma"
"""
_NODES: Final = """
insecure = true
[[nodes]]
id = "edge"
address = "127.0.0.1:7001"
[[nodes]]
id = "attic"
address = "[fd00::1]:7002"
[tls]
ca = "ca.pem"
cert = "me.pem"
key = "me.key"
"""
_FLAGS: Final = """
[generate]
seed = 7
objective = "energy"
max-entropy = 1e6
pin = ["stage4=cloud"]
json = true
[plan]
policy = "dp-static"
"""
_ARGUMENTS: Final = (
    "--node\0attic\0--listen\0127.0.0.1:0\0--threads\0002",
    "--peer\0edge=10.0.0.2:7001\0--peer\0cloud=@ready.json\0--engine\0torch\0--insecure",
    "--tls-ca\0a.pem\0--tls-cert\0b.pem\0--tls-key\0c.pem\0--telemetry\0model\0--with-parent\0001",
)


def _daemon_file(data: bytes) -> None:
    for tier in Tier:
        read_daemon_file(file_of(data), tier)


def _command_line(data: bytes) -> None:
    arguments = data.decode("utf-8", "surrogateescape").split("\0")
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            daemon_settings(arguments, Tier.EDGE)
    except SystemExit as error:  # argparse's own way out
        raise InvalidRequest("argparse ended it") from error


@cache
def _commands() -> TyperGroup:
    found = typer.main.get_command(app)
    assert isinstance(found, TyperGroup)
    return found


def _flags_file(data: bytes) -> None:
    defaults_from(file_of(data), _commands())


def _nodes_file(data: bytes) -> None:
    for node in read_nodes_file(file_of(data)).nodes:
        if not node.address.startswith("@"):
            is_loopback(node.address)


def _ready_file(data: bytes) -> None:
    is_loopback(client._address_in(file_of(data), "edge"))


_WORKLOAD: Final = unroll(SMALL)


_WRITTEN: Final = dict[str, bytes]()


def _weights(data: bytes) -> None:
    """A folder of a manifest and two files: what comes back is what the manifest vouches for."""
    items = [*unpacked(data), b"", b"", b""]
    folder = FOLDER / "weights"
    folder.mkdir(exist_ok=True)
    for name, item in zip(("manifest.json", "text.onnx", "text.safetensors"), items, strict=False):
        if _WRITTEN.get(name) != item:
            (folder / name).write_bytes(item)
            _WRITTEN[name] = item
    manifest = read_manifest(folder)
    if manifest.quality is not None:
        for stage in _WORKLOAD.stages:
            if stage.kind is StageKind.DENOISE:
                fidelity = manifest.quality.fidelity(_WORKLOAD, stage.start_step, 45.0)
                assert all(math.isfinite(step) and step > 0 for step in fidelity.steps.values())
    for suffix, item in (("onnx", items[1]), ("safetensors", items[2])):
        path = manifest.path("text", suffix)
        assert path.read_bytes() == item
        assert hashlib.sha256(item).hexdigest() == manifest.files[path.name].sha256


def _weights_corpus() -> list[bytes]:
    files = {"text.onnx": b"a graph", "text.safetensors": b"some weights"}
    manifest = json.loads((SHIPPED / "manifest.json").read_text())
    entries = {
        name: {"size_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        for name, body in files.items()
    }
    plain = manifest | {"files": entries}
    quality = plain.pop("quality")
    sizes = {
        size: {key: points[:2] for key, points in stages.items()}
        for size, stages in list(quality["sizes"].items())[:2]
    }
    little = plain | {"quality": {"sizes": sizes, "channels": quality["channels"]}}
    return [packed([json.dumps(each).encode(), *files.values()]) for each in (plain, little)]


def _mutate_weights(data: bytes, other: bytes, random: Random) -> bytes:
    items, others = unpacked(data), unpacked(other)
    index = random.choice((0, 0, 0, 0, 0, 1, 2))
    mutate = deep_or(IN_JSON) if index == 0 else mutated_bytes
    items[index] = mutate(items[index], others[index], random)
    return packed(items)


def _vouched(data: bytes, suffix: str) -> Manifest:
    """A manifest that vouches for any bytes in place of one file of the shipped weights."""
    honest, folder = read_manifest(), FOLDER / f"loaded-{suffix}"
    folder.mkdir(exist_ok=True)
    files = dict(honest.files)
    for each in ("onnx", "safetensors"):
        body = data if each == suffix else honest.path("text", each).read_bytes()
        path = folder / f"text.{each}"
        if not path.exists() or each == suffix:
            path.write_bytes(body)
        files[path.name] = FileEntry(path.name, len(body), hashlib.sha256(body).hexdigest())
    return Manifest(folder, honest.fingerprint, honest.time_shift, files)


def _graph(data: bytes) -> None:
    OnnxNetworks(_vouched(data, "onnx"), threads=1).load(("text",))


def _tensors_corpus() -> list[bytes]:
    import_module("eapg_split.engines.torch_engine")  # takes seconds, which are no input's fault
    return [(SHIPPED / "text.safetensors").read_bytes()]


def _tensors(data: bytes) -> None:
    from eapg_split.engines.torch_engine import TorchNetworks

    TorchNetworks(_vouched(data, "safetensors"), threads=1).load(("text",))


@cache
def _log_corpus() -> tuple[bytes, ...]:
    path = FOLDER / "honest.jsonl"
    header = header_of(
        _WORKLOAD, understood="a cat", policy="pyramid", codec="auto", quality_db=45.0, engine="onnx"
    )
    with LogWriter(path, header, lambda said: None) as log:
        for event in story():  # ends with JobDone
            log.add(event)
    text = re.sub(rb'"seen_s": ?[0-9.e-]+', b'"seen_s":0.5', path.read_bytes())
    return (re.sub(rb'"started": ?"[^"]*"', b'"started":"2026-01-01T00:00:00+00:00"', text),)


def _profile(data: bytes) -> None:
    stored = profile_store.read(file_of(data))
    for cost in stored.profile.stages.values():
        assert 0 < cost.seconds(1e9) < math.inf
    profile_store.check_identity(stored, Path("p"), engine="onnx", fingerprint="ab" * 32, machine=MACHINE)


def _telemetry_file(data: bytes) -> None:
    source = TraceSource(file_of(data), clock=iter((0.0, 1.5, 1e9)).__next__)
    for _ in range(3):
        source.read()


def _throughput(data: bytes) -> None:
    trace = read_throughput(file_of(data))
    assert 0 <= trace.arrival(0.5, 1e4) < math.inf


def _mahimahi(data: bytes) -> None:
    trace = read_mahimahi(file_of(data))
    assert 0 <= trace.arrival(0.5, 1e4) < math.inf


def _policy_state(data: bytes) -> None:
    """A policy that has learned anything at all still plans."""
    states, policy = PolicyStates(FOLDER / "states"), BanditPolicy()
    path = states._path(policy)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    states.load(policy)
    states.save(policy)
    with contextlib.suppress(InfeasiblePlan):
        policy.plan(random_view(len(data) % 4))


@cache
def _learned() -> tuple[bytes, ...]:
    policy = BanditPolicy()
    states = [policy.state_dict()]
    for seed in range(4):
        view = random_view(seed)
        with contextlib.suppress(InfeasiblePlan):
            for each in measured(view, policy.plan(view)):
                policy.observe(each)
            states.append(policy.state_dict())
    return tuple(json.dumps(dict(state)).encode() for state in states)


def _checkpoint(data: bytes) -> None:
    """One whose size and checksum are the journal's: what is behind them is reached."""
    name = file_of(data, "step-7.safetensors").name
    kept = read_checkpoint(FOLDER, CheckpointFile(7, name, len(data), checksum_of(data)))
    assert kept.step == 7


@cache
def _checkpoints() -> tuple[bytes, ...]:
    kept = KeptState(7, undivided(2), ErrorBudget(45.0, 0.5), "ab" * 32)
    return ((FOLDER / write_checkpoint(FOLDER, kept).name).read_bytes(),)


def _mutate_checkpoint(data: bytes, other: bytes, random: Random) -> bytes:
    """Its header, half of the time; what it says of its own length mostly fits."""
    length = int.from_bytes(data[:8], "little")
    if random.random() < 0.5:
        return mutated_bytes(data, other, random)
    header = deep_or(IN_JSON)(data[8 : 8 + length], other[8 : 8 + length], random)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def _tokens(data: bytes) -> None:
    path = file_of(data, "tokens.json")
    path.chmod(0o600)
    read_rows(path)


_TOKENS: Final = {
    "tokens": [
        {"name": "edge", "role": "edge", "sha256": "ab" * 32, "expires": "2027-01-01T00:00:00+00:00"},
        {"name": "me", "role": "client", "sha256": "cd" * 32, "expires": "2027-01-01T00:00:00+00:00"},
    ]
}


def _battery(data: bytes) -> None:
    with patch("eapg_split.runtime.telemetry.termux.subprocess.run") as run:
        run.return_value.stdout = data
        termux.TermuxSource(clock=lambda: 0.0).read()


_SENSORS: Final = {
    "class/power_supply/BAT0/type": "Battery",
    "class/power_supply/BAT0/status": "Discharging",
    "class/power_supply/BAT0/capacity": "71",
    "class/power_supply/BAT0/current_now": "1500000",
    "class/power_supply/BAT0/voltage_now": "3850000",
    "class/power_supply/BAT0/temp": "312",
    "class/thermal/thermal_zone0/type": "cpu-thermal",
    "class/thermal/thermal_zone0/temp": "55000",
    "class/thermal/thermal_zone0/trip_point_0_type": "passive",
    "class/thermal/thermal_zone0/trip_point_0_temp": "85000",
    "class/hwmon/hwmon0/name": "coretemp",
    "class/hwmon/hwmon0/temp1_input": "51000",
    "class/hwmon/hwmon0/temp1_crit": "100000",
    "devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1800000",
    "devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq": "2400000",
}


_HONEST_SENSORS: Final = packed([text.encode() for text in _SENSORS.values()])


def _sensors(data: bytes) -> None:
    for name, item in zip(_SENSORS, unpacked(data), strict=False):
        path = FOLDER / "sys" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(item)
    SysfsSource(FOLDER / "sys").read()


def _mutate_sensors(data: bytes, other: bytes, random: Random) -> bytes:
    items = unpacked(data)
    for _ in range(random.randint(1, 4)):
        index = random.randrange(len(items))
        numbers = (b"-1", b"0", b"nan", b"inf", b"1e999", b"9" * 400, b"", b"\xff", b"1_0", b"0x1")
        items[index] = (
            random.choice(numbers) if random.random() < 0.5 else mutated_bytes(items[index], other, random)
        )
    return packed(items)


_TRACE_LINES: Final = "\n".join(
    json.dumps(row)
    for row in (
        {"at_s": 0, "charge": 0.9, "plugged": 1, "temperature_c": 41.5, "quality": "modelled"},
        {"at_s": 1.5, "charge": 0.8, "power_w": 4, "load": 0.5, "queue_s": 3, "sessions": 2},
    )
)
_TRACE_TABLE: Final = "at_s,charge,temperature_c\n0,0.9,40\n1,0.8,\n2.5,0.7,55.5\n"
_PROFILE: Final = json.dumps(profile_store.to_json(STORED))
_BATTERY: Final = {
    "percentage": 71,
    "plugged": "UNPLUGGED",
    "current": -350000,
    "voltage": 3900,
    "temperature": 30.5,
}

_LOOSE_LINES: Final = deep_or(IN_LINES)
_THROUGHPUTS: Final = texts("0 1.5\n1 2.5\n2.5 3\n", "100 8\n101 9\n")

FILE_TARGETS: Final = (
    Target("daemon-files", "configs", texts(_DAEMON), deep_or(IN_TOML), _daemon_file),
    Target("flags-files", "configs", texts(_FLAGS), deep_or(IN_TOML), _flags_file),
    Target("command-lines", "configs", texts(*_ARGUMENTS), IN_ARGUMENTS, _command_line, quick_runs=300),
    Target("nodes-files", "topologies", texts(_NODES), deep_or(IN_TOML), _nodes_file),
    Target("ready-files", "topologies", texts({"address": "127.0.0.1:7001", "pid": 1}), deep_or(IN_JSON), _ready_file),
    Target("weights", "weights", _weights_corpus, _mutate_weights, _weights),
    Target(
        "graphs", "graphs", texts((SHIPPED / "text.onnx").read_bytes()), mutated_bytes, _graph,
        base_bytes=16 * MIB, quick_runs=0,
    ),
    Target(
        "tensors", "graphs", _tensors_corpus, mutated_bytes, _tensors,
        base_bytes=16 * MIB, quick_runs=0,
    ),
    Target("run-logs", "logs", lambda: _log_corpus(), deep_or(IN_LINES), lambda data: read_log(file_of(data))),
    Target(
        "reports", "logs", lambda: _log_corpus(), IN_LINES, lambda data: render(read_story(file_of(data))),
        base_bytes=64 * MIB, quick_runs=0, slow_s=10,
    ),
    Target("profiles", "profiles", texts(_PROFILE), deep_or(IN_JSON), _profile),
    Target("telemetry-files", "telemetry", texts(_TRACE_LINES), _LOOSE_LINES, _telemetry_file, base_bytes=66 * MIB),
    Target("telemetry-tables", "telemetry", texts(_TRACE_TABLE), mutated_bytes, _telemetry_file, base_bytes=66 * MIB),
    Target("batteries", "telemetry", texts(_BATTERY), deep_or(IN_JSON), _battery),
    Target("sensors", "telemetry", lambda: [_HONEST_SENSORS], _mutate_sensors, _sensors),
    Target("rate-traces", "traces", _THROUGHPUTS, mutated_bytes, _throughput, base_bytes=40 * MIB),
    Target("packet-traces", "traces", texts("0\n1\n1\n5\n1200\n2400\n"), mutated_bytes, _mahimahi, base_bytes=40 * MIB),
    Target("checkpoints", "states", _checkpoints, _mutate_checkpoint, _checkpoint),
    Target("tokens", "configs", texts(_TOKENS), deep_or(IN_JSON), _tokens),
    Target(
        "policy-states", "states", lambda: _learned(), deep_or(IN_JSON), _policy_state,
        refusals=(EapgError, ValueError), quick_runs=300,
    ),
)  # fmt: skip
