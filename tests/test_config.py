"""Configuration: everything that is written is either used or refused by name."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eapg_split.config import daemon_settings, read_daemon_file, read_nodes_file
from eapg_split.domain.topology import NodeId, Tier
from eapg_split.errors import InvalidRequest
from eapg_split.planner.link_rates import Network
from eapg_split.planner.models.radio import Technology
from eapg_split.runtime.settings import DaemonSettings, Limits, LogFormat, Observe, PeerAddress, TlsFiles

FULL = """
node = "phone"
listen = "127.0.0.1:7001"
engine = "torch"
threads = 2
weights = "weights"
profile = "costs.json"
insecure = true
drain_s = 3
price_per_s = 0.5

[[peers]]
id = "edge"
address = "10.0.0.2:7002"

[tls]
ca = "ca.pem"
cert = "phone.pem"
key = "phone.key"

[limits]
sessions = 2
arrival_s = 5

[telemetry]
source = "model:charge=0.5"

[network]
technology = "lte"
metered = false
estimator = "kalman"
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "node.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_key_arrives(tmp_path: Path) -> None:
    settings = read_daemon_file(written(tmp_path, FULL), Tier.DEVICE)
    tls = TlsFiles(tmp_path / "ca.pem", tmp_path / "phone.pem", tmp_path / "phone.key")
    assert settings.node == "phone"
    assert (settings.listen, settings.engine, settings.threads) == ("127.0.0.1:7001", "torch", 2)
    assert settings.weights == tmp_path / "weights"
    assert settings.profile == tmp_path / "costs.json"
    assert settings.peers == (PeerAddress("edge", "10.0.0.2:7002"),)
    assert settings.tls == tls
    assert settings.insecure
    assert settings.drain_s == 3.0
    assert settings.price_per_s == 0.5
    assert settings.limits == Limits(sessions=2, arrival_s=5.0)
    assert settings.telemetry == "model:charge=0.5"
    assert settings.network == Network(Technology.LTE, metered=False, estimator="kalman")


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    settings = read_daemon_file(written(tmp_path, ""), Tier.EDGE)
    assert (settings.node, settings.tier, settings.listen) == ("edge", Tier.EDGE, "127.0.0.1:0")
    assert settings.peers == ()
    assert settings.tls is None
    assert settings.telemetry == "auto"
    assert settings.network == Network()


def test_flags_win_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, FULL)
    settings = daemon_settings(
        ["--config", str(path), "--listen", "127.0.0.1:9", "--peer", "a=h:1", "--peer", "b=h:2"], Tier.DEVICE
    )
    assert settings.listen == "127.0.0.1:9"
    assert settings.node == "phone"
    assert settings.peers == (PeerAddress("a", "h:1"), PeerAddress("b", "h:2"))


def test_flags_alone_are_enough() -> None:
    settings = daemon_settings(
        [
            *("--node", "n", "--engine", "m:f", "--threads", "3", "--insecure", "--with-parent", "12"),
            *("--telemetry", "psutil"),
        ],
        Tier.CLOUD,
    )
    assert settings.telemetry == "psutil"
    assert (settings.node, settings.engine, settings.threads) == ("n", "m:f", 3)
    assert settings.insecure
    assert settings.parent == 12


def test_how_a_daemon_is_watched(tmp_path: Path) -> None:
    path = written(
        tmp_path, '[observe]\nmetrics = "127.0.0.1:1"\ntraces = "file:a.jsonl"\nlog_format = "json"\n'
    )
    file = Observe(metrics="127.0.0.1:1", traces=f"file:{tmp_path / 'a.jsonl'}", log_format=LogFormat.JSON)
    assert read_daemon_file(path, Tier.EDGE).observe == file
    flags = ["--traces", "file:b.jsonl", "--log-level", "info", "--metrics-public"]
    assert daemon_settings(["--config", str(path), *flags], Tier.EDGE).observe == replace(
        file, traces="file:b.jsonl", log_level="info", metrics_public=True
    )


def test_no_flags_change_nothing() -> None:
    assert daemon_settings([], Tier.CLOUD) == DaemonSettings(NodeId("cloud"), Tier.CLOUD)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("lisen = 'x'", r"lisen is not a setting; the known ones are .*listen"),
        ("[limits]\nsesions = 3", r"limits\.sesions is not a setting; the known ones are .*sessions"),
        ("[tls]\nca = 'a'\ncrt = 'b'", r"tls\.crt is not a setting"),
        ("[tls]\nca = 'a'\ncert = 'b'", r"tls\.key is missing"),
        ("threads = 'two'", r"threads must be a whole number, not 'two'"),
        ("threads = true", r"threads must be a whole number, not True"),
        ("price_per_s = -1", "price_per_s must be from 0"),
        ("drain_s = 'x'", r"drain_s must be a number"),
        ("insecure = 1", r"insecure must be true or false"),
        ("peers = 3", r"peers must be a list"),
        ("peers = [3]", r"peers\[0\] must be a table"),
        ("[[peers]]\nid = 'a'", r"peers\[0\]\.address is missing"),
        ("[[peers]]\nid='a'\naddress='x:1'\n[[peers]]\nid='a'\naddress='x:2'", r"'a' is there twice"),
        ("[limits]\nsessions = 0", r"(?i)limits must be positive"),
        ("[observe]\nlog_format = 'xml'", "choose one of text, json"),
        ("[observe]\nlog_level = 'loud'", "choose one of debug, info, warning, error"),
        ("[telemetry]\nkind = 'auto'", r"telemetry\.kind is not a setting; the known ones are source"),
        ("[network]\ntechnology = 'carrier pigeon'", r"network\.technology .* choose one of lte"),
        ("[network]\nestimator = 'guess'", r"choose one of ewma"),
        ("[network]\nmetered = 'yes'", r"network\.metered must be true or false"),
        ("= 3", r"is not TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        read_daemon_file(written(tmp_path, text), Tier.EDGE)


def test_nodes_file(tmp_path: Path) -> None:
    path = written(tmp_path, '[[nodes]]\nid = "a"\naddress = "h:1"\n[[nodes]]\nid = "b"\naddress = "h:2"\n')
    file = read_nodes_file(path)
    assert file.nodes == (PeerAddress("a", "h:1"), PeerAddress("b", "h:2"))
    assert file.tls is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "lists no node"),
        ("[[node]]\nid='a'", "node is not a setting; the known ones are insecure, nodes, tls"),
        ("[[nodes]]\nid='a'\naddress='h:1'\ntier='edge'", r"nodes\[0\]\.tier is not a setting"),
    ],
)
def test_a_wrong_nodes_file_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        read_nodes_file(written(tmp_path, text))


def test_a_file_that_is_not_there_or_not_text(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_nodes_file(tmp_path / "absent.toml")
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_nodes_file(tmp_path)
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidRequest, match="is not UTF-8 text"):
        read_nodes_file(binary)
    binary.write_bytes(b"#" * 1_000_002)
    with pytest.raises(InvalidRequest, match="larger than"):
        read_nodes_file(binary)


def test_tls_flags_come_together() -> None:
    with pytest.raises(InvalidRequest, match="all three"):
        daemon_settings(["--tls-ca", "x"], Tier.EDGE)


@pytest.mark.parametrize("text", ["edge", "=h:1", "edge="])
def test_a_peer_flag_has_two_parts(text: str) -> None:
    with pytest.raises(InvalidRequest, match="NAME=HOST:PORT"):
        daemon_settings(["--peer", text], Tier.DEVICE)


@given(key=st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True))
def test_no_key_is_silently_ignored(tmp_path_factory: pytest.TempPathFactory, key: str) -> None:
    path = written(tmp_path_factory.mktemp("toml"), f"{key} = [[]]")
    with pytest.raises(InvalidRequest, match=key):
        read_daemon_file(path, Tier.EDGE)
