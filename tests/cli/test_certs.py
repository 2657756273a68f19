"""`certs`: files that nobody else may read and nothing replaces by accident, and sentences for what is wrong."""

import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from eapg_split.cli.app import app
from eapg_split.rpc.callers import Role
from tests.credentials import authority, certificate


def call(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["certs", *arguments])


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path / "certs"


def test_an_authority_and_what_it_issues(here: Path) -> None:
    assert call("init").exit_code == 0
    assert (
        call("issue", "edge-1", "--tier", "edge", "--host", "10.0.0.2", "--host", "e.example.org").exit_code
        == 0
    )
    assert stat.S_IMODE(here.stat().st_mode) == 0o700
    for key in here.glob("*.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    shown = call("show", "certs/edge-1.pem").stdout
    until = datetime.now(UTC) + timedelta(days=90)
    for words in ("edge-1", "edge", "e.example.org, 10.0.0.2", f"{until:%Y-%m-%d}", "89 days left"):
        assert words in shown
    assert "authority" in call("show", "certs/ca.pem").stdout


def test_nothing_is_replaced_without_force(here: Path) -> None:
    for command in (["init"], ["issue", "me", "--tier", "client"], ["token", "me", "--role", "client"]):
        assert call(*command).exit_code == 0
        before = {path: path.read_bytes() for path in here.iterdir()}
        again = call(*command)
        assert (again.exit_code, "--force" in again.stderr) == (2, True)
        assert {path: path.read_bytes() for path in here.iterdir()} == before
        assert call(*command, "--force").exit_code == 0
    assert len(list(here.glob("*"))) == 6


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["issue", "../me", "--tier", "client"], "is not a name"),
        (["issue", "ca", "--tier", "edge"], "is not a name"),
        (["issue", "local", "--tier", "edge"], "is not a name"),
        (["issue", "me", "--tier", "root"], "device, edge, cloud, client"),
        (["issue", "me", "--tier", "client", "--host", "10.0.0.2"], "leave --host out"),
        (["issue", "e", "--tier", "edge", "--host", "10.0.0.2:7001"], "without a port"),
        (["issue", "e", "--tier", "edge", "--host", "10.0.0.300"], "neither an address nor"),
        (["issue", "e", "--tier", "edge", "--host", "*.example.org"], "neither an address nor"),
        (["issue", "e", "--tier", "edge", "--days", "3650"], "before its authority"),
        (["issue", "e", "--tier", "edge", *["--host", "a"] * 33], "at most 32 hosts"),
        (["issue", "e", "--tier", "edge", "--folder", "nowhere"], "certs init"),
        (["show", "certs/ca.key"], "holds no certificate"),
        (["show", "nowhere.pem"], "Cannot read"),
        (["token", "a b", "--role", "client"], "is not a name"),
        (["token", "me", "--role", "root"], "device, edge, cloud, client"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(here: Path, arguments: list[str], words: str) -> None:
    call("init")
    before = set(here.iterdir())
    result = call(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.count("\n") == 1
    assert set(here.iterdir()) == before


def test_an_expired_certificate_is_shown_as_such(here: Path) -> None:
    authority(here)
    certificate(here, "late", Role.EDGE, ends_s=-60)
    assert "(expired)" in call("show", "certs/late.pem").stdout


def test_a_broken_authority_is_said(here: Path) -> None:
    authority(here)
    (here / "ca.pem").write_bytes((here / "ca.key").read_bytes())
    result = call("issue", "me", "--tier", "client")
    assert (result.exit_code, "bring" in result.stderr) == (2, True)


def test_without_cryptography_certificates_ask_for_it_and_daemons_do_not(here: Path) -> None:
    script = """
import importlib.abc, sys
class Missing(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "cryptography":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Missing())
import device_node.app, edge_node.app
from eapg_split.cli.__main__ import main
main()
"""
    found = subprocess.run(
        [sys.executable, "-c", script, "certs", "init"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (found.returncode, "eapg-split[certs]" in found.stderr) == (3, True), found.stderr
    assert not here.exists()
