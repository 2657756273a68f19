"""What a daemon is told: a TOML file and flags. Flags win over the file."""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final

from eapg_split.config.observe import add_observe_flags, observe_of, observed
from eapg_split.config.tables import Table, load_toml, path_of, peers_of, tls_of
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.errors import InvalidRequest
from eapg_split.planner.link_rates import Network
from eapg_split.planner.models.radio import Technology
from eapg_split.runtime.settings import DaemonSettings, Limits, PeerAddress, PolicyCode, TlsFiles

_DAEMON_KEYS: Final = MappingProxyType(
    {
        "node": str,
        "listen": str,
        "engine": str,
        "threads": int,
        "weights": str,
        "profile": str,
        "state": str,
        "insecure": bool,
        "drain_s": float,
        "price_per_s": float,
        "peers": list,
        "tls": dict,
        "tokens": str,
        "token_file": str,
        "policy_code": str,
        "limits": dict,
        "telemetry": dict,
        "network": dict,
        "observe": dict,
    }
)
_TELEMETRY_KEYS: Final = MappingProxyType({"source": str})
_NETWORK_KEYS: Final = MappingProxyType(
    {"technology": str, "metered": bool, "probe_metered": bool, "estimator": str}
)
_LIMIT_KEYS: Final = MappingProxyType(
    {
        "sessions": int,
        "queued": int,
        "memory_bytes": int,
        "payload_bytes": int,
        "in_flight_bytes": int,
        "kept_result_bytes": int,
        "held_state_bytes": int,
        "arrival_s": float,
        "queued_jobs": int,
        "kept_jobs_s": float,
        "kept_output_bytes": int,
    }
)


def read_daemon_file(path: Path, tier: Tier) -> DaemonSettings:
    """Reads one daemon's configuration. Raises InvalidRequest with the key that is wrong."""
    table = Table(load_toml(path), _DAEMON_KEYS, path, "")
    defaults = DaemonSettings(NodeId(tier), tier)
    limits = Table(table.get("limits", {}), _LIMIT_KEYS, path, "limits")
    telemetry = Table(table.get("telemetry", {}), _TELEMETRY_KEYS, path, "telemetry")
    return replace(
        defaults,
        node=NodeId(table.get("node", str(tier))),
        listen=table.get("listen", defaults.listen),
        peers=peers_of(table, "peers"),
        engine=table.get("engine", defaults.engine),
        threads=table.get("threads", defaults.threads),
        weights=path_of(table, "weights"),
        profile=path_of(table, "profile"),
        state=path_of(table, "state"),
        tls=tls_of(table),
        tokens=path_of(table, "tokens"),
        token_file=path_of(table, "token_file"),
        policy_code=_policy_code(table.get("policy_code", str(defaults.policy_code))),
        insecure=table.get("insecure", defaults.insecure),
        drain_s=table.get("drain_s", defaults.drain_s),
        price_per_s=table.get("price_per_s", defaults.price_per_s),
        telemetry=telemetry.get("source", defaults.telemetry),
        observe=observe_of(table),
        network=_network(Table(table.get("network", {}), _NETWORK_KEYS, path, "network")),
        limits=Limits(
            sessions=limits.get("sessions", Limits.sessions),
            queued=limits.get("queued", Limits.queued),
            memory_bytes=limits.get("memory_bytes", Limits.memory_bytes),
            payload_bytes=limits.get("payload_bytes", Limits.payload_bytes),
            in_flight_bytes=limits.get("in_flight_bytes", Limits.in_flight_bytes),
            kept_result_bytes=limits.get("kept_result_bytes", Limits.kept_result_bytes),
            held_state_bytes=limits.get("held_state_bytes", Limits.held_state_bytes),
            arrival_s=limits.get("arrival_s", Limits.arrival_s),
            queued_jobs=limits.get("queued_jobs", Limits.queued_jobs),
            kept_jobs_s=limits.get("kept_jobs_s", Limits.kept_jobs_s),
            kept_output_bytes=limits.get("kept_output_bytes", Limits.kept_output_bytes),
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
    if flags.policy_code:
        settings = replace(settings, policy_code=_policy_code(flags.policy_code))
    if flags.peer:
        settings = replace(settings, peers=tuple(_peer_flag(text) for text in flags.peer))
    settings = replace(settings, observe=observed(settings.observe, flags))
    tls = (flags.tls_ca, flags.tls_cert, flags.tls_key)
    if any(tls):
        if not all(tls):
            raise InvalidRequest("TLS of a daemon needs all three of --tls-ca, --tls-cert and --tls-key.")
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
        "state",
        "insecure",
        "tokens",
        "token_file",
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
        "--state",
        type=Path,
        metavar="DIR",
        help="where a device keeps its jobs (default: under ~/.local/state)",
    )
    add(
        "--telemetry",
        metavar="KIND",
        help="auto, sysfs:ROOT, psutil, termux, nvml, file:PATH or model (default: auto)",
    )
    add_observe_flags(parser)
    add("--tls-ca", type=Path, metavar="PEM", help="who signs the certificates of this topology")
    add("--tls-cert", type=Path, metavar="PEM", help="this node's certificate")
    add("--tls-key", type=Path, metavar="PEM", help="this node's private key")
    add("--tokens", type=Path, metavar="FILE", help="the join tokens to ask for, instead of certificates")
    add("--token-file", type=Path, metavar="FILE", help="the token to show to other nodes")
    add(
        "--policy-code",
        metavar="WHOSE",
        help="take policies as code from local, any or none (default: local)",
    )
    add("--insecure", action="store_const", const=True, help="speak in the clear beyond loopback")
    add("--ready-file", type=Path, metavar="FILE", help="write the ready line there as well")
    add("--with-parent", type=int, dest="parent", metavar="PID", help="exit when that process is gone")
    return parser


def _peer_flag(text: str) -> PeerAddress:
    name, equals, address = text.partition("=")
    if not (name and equals and address):
        raise InvalidRequest(f"--peer {text!r} is not NAME=HOST:PORT; write for example edge=10.0.0.2:7001.")
    return PeerAddress(name, address)


def _policy_code(text: str) -> PolicyCode:
    if text not in tuple(PolicyCode):
        raise InvalidRequest(f"policy_code {text!r} is not known: choose one of {', '.join(PolicyCode)}.")
    return PolicyCode(text)


def _network(table: Table) -> Network:
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
