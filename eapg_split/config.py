"""Reads settings from TOML files and flags: what a daemon is told, and the file that lists running nodes.

An unknown key is an error that names the known ones: a setting that is silently ignored is worse than none.
Paths in a file are relative to the file. Flags win over the file.
"""

import argparse
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from eapg_split.domain.topology import NodeId, Tier
from eapg_split.errors import InvalidRequest
from eapg_split.planner.models.radio import Technology
from eapg_split.runtime.settings import DaemonSettings, Limits, Network, PeerAddress, TlsFiles

_MAX_FILE_BYTES: Final = 1_000_000
_WORDS: Final = MappingProxyType(
    {
        str: "text",
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        dict: "a table",
        list: "a list",
    }
)
_DAEMON_KEYS: Final = MappingProxyType(
    {
        "node": str,
        "listen": str,
        "engine": str,
        "threads": int,
        "weights": str,
        "profile": str,
        "insecure": bool,
        "drain_s": float,
        "price_per_s": float,
        "peers": list,
        "tls": dict,
        "limits": dict,
        "telemetry": dict,
        "network": dict,
    }
)
_TELEMETRY_KEYS: Final = MappingProxyType({"source": str})
_NETWORK_KEYS: Final = MappingProxyType(
    {"technology": str, "metered": bool, "probe_metered": bool, "estimator": str}
)
_LIMIT_KEYS: Final = MappingProxyType(
    {
        "sessions": int,
        "payload_bytes": int,
        "kept_result_bytes": int,
        "held_state_bytes": int,
        "arrival_s": float,
    }
)
_NODES_FILE_KEYS: Final = MappingProxyType({"nodes": list, "tls": dict, "insecure": bool})
_NODE_KEYS: Final = MappingProxyType({"id": str, "address": str})
_TLS_KEYS: Final = MappingProxyType({"ca": str, "cert": str, "key": str})
_T = TypeVar("_T")


@dataclass(frozen=True)
class NodesFile:
    """Daemons that already run, and how to prove who we are to them."""

    nodes: tuple[PeerAddress, ...]
    tls: TlsFiles | None = None
    insecure: bool = False  # speak in the clear beyond loopback


def read_nodes_file(path: Path) -> NodesFile:
    """Reads `[[nodes]]` with `id` and `address`, and optionally `[tls]`. Raises InvalidRequest."""
    table = _Table(load_toml(path), _NODES_FILE_KEYS, path, "")
    nodes = _peers(table, "nodes")
    if not nodes:
        raise InvalidRequest(f'{path} lists no node: add [[nodes]] with id = "…" and address = "HOST:PORT".')
    return NodesFile(nodes, _tls(table), table.get("insecure", False))


def read_daemon_file(path: Path, tier: Tier) -> DaemonSettings:
    """Reads one daemon's configuration. Raises InvalidRequest with the key that is wrong."""
    table = _Table(load_toml(path), _DAEMON_KEYS, path, "")
    defaults = DaemonSettings(NodeId(tier), tier)
    weights, profile = table.get("weights", ""), table.get("profile", "")
    limits = _Table(table.get("limits", {}), _LIMIT_KEYS, path, "limits")
    telemetry = _Table(table.get("telemetry", {}), _TELEMETRY_KEYS, path, "telemetry")
    return replace(
        defaults,
        node=NodeId(table.get("node", str(tier))),
        listen=table.get("listen", defaults.listen),
        peers=_peers(table, "peers"),
        engine=table.get("engine", defaults.engine),
        threads=table.get("threads", defaults.threads),
        weights=path.parent / weights if weights else None,
        profile=path.parent / profile if profile else None,
        tls=_tls(table),
        insecure=table.get("insecure", defaults.insecure),
        drain_s=table.get("drain_s", defaults.drain_s),
        price_per_s=table.get("price_per_s", defaults.price_per_s),
        telemetry=telemetry.get("source", defaults.telemetry),
        network=_network(_Table(table.get("network", {}), _NETWORK_KEYS, path, "network")),
        limits=Limits(
            sessions=limits.get("sessions", Limits.sessions),
            payload_bytes=limits.get("payload_bytes", Limits.payload_bytes),
            kept_result_bytes=limits.get("kept_result_bytes", Limits.kept_result_bytes),
            held_state_bytes=limits.get("held_state_bytes", Limits.held_state_bytes),
            arrival_s=limits.get("arrival_s", Limits.arrival_s),
        ),
    )


def daemon_settings(arguments: Sequence[str], tier: Tier) -> DaemonSettings:
    """One daemon's settings from its command line and the file that `--config` names.

    Raises InvalidRequest; argparse itself ends the process on flags that do not exist and on `--help`.
    """
    flags = _daemon_parser(tier).parse_args(arguments)
    config: Path | None = flags.config
    settings = read_daemon_file(config, tier) if config else DaemonSettings(NodeId(tier), tier)
    given = {key: value for key, value in vars(flags).items() if value is not None and key in _FLAGS}
    settings = replace(settings, **given)
    if flags.peer:
        settings = replace(settings, peers=tuple(_peer_flag(text) for text in flags.peer))
    tls = (flags.tls_ca, flags.tls_cert, flags.tls_key)
    if any(tls):
        if not all(tls):
            raise InvalidRequest("TLS needs all three of --tls-ca, --tls-cert and --tls-key.")
        settings = replace(settings, tls=TlsFiles(*tls))
    return settings


_FLAGS: Final = frozenset(
    {
        "node",
        "listen",
        "engine",
        "threads",
        "weights",
        "profile",
        "insecure",
        "ready_file",
        "parent",
        "telemetry",
    }
)


def _daemon_parser(tier: Tier) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"{tier}_node",
        description=f"Serves the {tier} tier of a split video generation.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", type=Path, metavar="FILE", help="TOML file; flags win over it")
    add("--node", metavar="ID", help=f"this node's name (default: {tier})")
    add(
        "--listen",
        metavar="HOST:PORT",
        help="where to listen; port 0 takes a free one (default: 127.0.0.1:0)",
    )
    add("--peer", action="append", metavar="NAME=HOST:PORT", help="another daemon; may be repeated")
    add("--engine", metavar="KIND", help="onnx, torch, or module:callable (default: onnx)")
    add("--threads", type=int, metavar="N", help="threads of the engine; 0 lets it choose")
    add("--weights", type=Path, metavar="DIR", help="folder with the weights (default: the shipped ones)")
    add(
        "--profile", type=Path, metavar="FILE", help="what steps cost here (default: where 'profile' puts it)"
    )
    add(
        "--telemetry",
        metavar="KIND",
        help="auto, sysfs:ROOT, psutil, termux, nvml, file:PATH or model (default: auto)",
    )
    add("--tls-ca", type=Path, metavar="PEM", help="who signs the certificates of this topology")
    add("--tls-cert", type=Path, metavar="PEM", help="this node's certificate")
    add("--tls-key", type=Path, metavar="PEM", help="this node's private key")
    add("--insecure", action="store_const", const=True, help="speak in the clear beyond loopback")
    add("--ready-file", type=Path, metavar="FILE", help="write the ready line there as well")
    add("--with-parent", type=int, dest="parent", metavar="PID", help="exit when that process is gone")
    return parser


def _peer_flag(text: str) -> PeerAddress:
    name, equals, address = text.partition("=")
    if not (name and equals and address):
        raise InvalidRequest(f"--peer {text!r} is not NAME=HOST:PORT; write for example edge=10.0.0.2:7001.")
    return PeerAddress(name, address)


def load_toml(path: Path) -> dict[str, object]:
    """A file's tables as they are. Raises InvalidRequest where it cannot be read or is no TOML."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidRequest(
            f"{path} cannot be read ({error.strerror}); check its name and permissions."
        ) from error
    if len(data) > _MAX_FILE_BYTES:
        raise InvalidRequest(f"{path} is larger than {_MAX_FILE_BYTES} bytes and so is not a configuration.")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidRequest(f"{path} is not TOML: {error}.") from error


class _Table:
    """One TOML table whose keys are known; everything about it is checked when it is built."""

    def __init__(
        self, values: Mapping[str, object], known: Mapping[str, type], path: Path, name: str
    ) -> None:
        self.path = path
        self._prefix = f"{name}." if name else ""
        self._values = {key: self._checked(key, value, known) for key, value in values.items()}

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def get(self, key: str, default: _T) -> _T:
        """The value, of the default's type, or the default where the key is absent."""
        value = self._values.get(key, default)
        if isinstance(default, float) and isinstance(value, int):
            value = float(value)
        assert isinstance(value, type(default)), f"{key} was declared with another type"
        return value

    def required(self, key: str) -> str:
        text = self.get(key, "")
        if not text:
            raise InvalidRequest(f"{self.path}: {self._prefix}{key} is missing; add it.")
        return text

    def _checked(self, key: str, value: object, known: Mapping[str, type]) -> object:
        kind = known.get(key)
        where = f"{self.path}: {self._prefix}{key}"
        if kind is None:
            raise InvalidRequest(f"{where} is not a setting; the known ones are {', '.join(sorted(known))}.")
        fits = isinstance(value, (int, float) if kind is float else kind)
        if not fits or (isinstance(value, bool) and kind is not bool):
            raise InvalidRequest(f"{where} must be {_WORDS[kind]}, not {value!r}.")
        return value


def _peers(table: _Table, key: str) -> tuple[PeerAddress, ...]:
    found: dict[str, PeerAddress] = {}
    empty: list[object] = []
    for index, entry in enumerate(table.get(key, empty)):
        where = f"{key}[{index}]"
        if not isinstance(entry, dict):
            raise InvalidRequest(f"{table.path}: {where} must be a table with id and address.")
        peer = _Table(entry, _NODE_KEYS, table.path, where)
        name, address = peer.required("id"), peer.required("address")
        if name in found:
            raise InvalidRequest(f"{table.path}: the id {name!r} is there twice; every node needs its own.")
        found[name] = PeerAddress(name, address)
    return tuple(found.values())


def _network(table: _Table) -> Network:
    name = table.get("technology", "")
    if name and name not in tuple(Technology):
        raise InvalidRequest(
            f"{table.path}: network.technology {name!r} is not known: choose one of {', '.join(Technology)}."
        )
    return Network(
        technology=Technology(name) if name else None,
        metered=table.get("metered", False) if "metered" in table else None,
        probe_metered=table.get("probe_metered", False),
        estimator=table.get("estimator", Network.estimator),
    )


def _tls(table: _Table) -> TlsFiles | None:
    values: dict[str, object] = table.get("tls", {})
    if not values:
        return None
    tls = _Table(values, _TLS_KEYS, table.path, "tls")
    folder = table.path.parent
    return TlsFiles(*(folder / tls.required(key) for key in ("ca", "cert", "key")))
