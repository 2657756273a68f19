"""Nothing but loopback is spoken in the clear by accident."""

from pathlib import Path

import pytest

from eapg_split.errors import InvalidRequest
from eapg_split.rpc.security import channel_credentials, check_clear_text, is_loopback, split_address
from eapg_split.runtime.settings import TlsFiles


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1:0", True),
        ("127.8.9.1:80", True),
        ("localhost:1", True),
        ("[::1]:7001", True),
        ("unix:/tmp/edge.sock", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("10.0.0.2:7001", False),
        ("edge.example.org:7001", False),
        ("localhost.example.org:1", False),
    ],
)
def test_loopback(address: str, loopback: bool) -> None:
    assert is_loopback(address) is loopback
    if loopback:
        check_clear_text(address, None, insecure=False)
        return
    with pytest.raises(InvalidRequest, match="--insecure"):
        check_clear_text(address, None, insecure=False)
    check_clear_text(address, None, insecure=True)
    check_clear_text(address, TlsFiles(Path("a"), Path("b"), Path("c")), insecure=False)


@pytest.mark.parametrize(
    "text", ["", "edge", ":7001", "edge:", "edge:port", "edge:70000", "edge:-1", "edge:٣"]
)
def test_what_is_not_an_address(text: str) -> None:
    with pytest.raises(InvalidRequest, match="HOST:PORT"):
        split_address(text)


def test_addresses() -> None:
    assert split_address("edge.example.org:7001") == ("edge.example.org", 7001)
    assert split_address("[2001:db8::1]:7001") == ("2001:db8::1", 7001)


def test_files_that_are_no_pem_are_named(tmp_path: Path) -> None:
    text = tmp_path / "ca.pem"
    text.write_text("not a certificate")
    for path, words in ((text, "PEM"), (tmp_path / "nowhere", "No such file")):
        with pytest.raises(InvalidRequest, match=words):
            channel_credentials(TlsFiles(path, path, path))
