"""Certificates and tokens for tests: an authority of ten days, and who it knows."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from eapg_split.rpc.callers import Role
from eapg_split.rpc.certificates import Authority, Identity
from eapg_split.rpc.tokens import TokenRow, new_token
from eapg_split.runtime.settings import TlsFiles


def authority(folder: Path) -> Authority:
    return Authority.create(folder, days=10)


def certificate(folder: Path, name: str, role: Role = Role.CLIENT, *, ends_s: float = 3600) -> TlsFiles:
    """Issued by the authority in the folder; with `ends_s` below 0 it has expired already."""
    now = datetime.now(UTC)
    begins, ends = now - timedelta(days=1), now + timedelta(seconds=ends_s)
    return Authority.load(folder).issue(folder, Identity(name, role), begins=begins, ends=ends, force=True)


def token(folder: Path, name: str, role: Role = Role.CLIENT, *, ends_s: float = 3600) -> Path:
    """The holder's file; its hash is in the folder's tokens.json."""
    holder = folder / f"{name}.token"
    row = TokenRow(name, role, datetime.now(UTC) + timedelta(seconds=ends_s))
    new_token(folder / "tokens.json", holder, row, force=True)
    return holder


def flags(tls: TlsFiles) -> list[str]:
    """What a daemon is told."""
    return ["--tls-ca", str(tls.ca), "--tls-cert", str(tls.cert), "--tls-key", str(tls.key)]
