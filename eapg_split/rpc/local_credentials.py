"""Certificates or tokens for daemons that live as long as a block."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from eapg_split.domain.topology import Tier
from eapg_split.rpc.access import LOOPBACK, Access
from eapg_split.rpc.callers import Role
from eapg_split.rpc.credential_files import make_folder
from eapg_split.rpc.tokens import TokenRow, new_token

_LIFE: Final = timedelta(days=7)
_BOOK: Final = "tokens.json"


class Protection(StrEnum):
    """How daemons on loopback know who calls."""

    NONE = "none"  # every program on this machine is trusted
    TOKENS = "tokens"  # in the clear: only programs of this user have them
    CERTIFICATES = "certificates"  # mutual TLS; needs the package `cryptography`


@dataclass(frozen=True)
class LocalCredentials:
    """What each daemon is told, and how a client speaks to them."""

    flags: Mapping[Tier, tuple[str, ...]]
    access: Access


def local_credentials(folder: Path, protection: Protection) -> LocalCredentials:
    """Made anew in the folder, which is made for it."""
    make_folder(folder)
    ends = datetime.now(UTC) + _LIFE
    match protection:
        case Protection.NONE:
            return LocalCredentials(dict.fromkeys(Tier, ()), LOOPBACK)
        case Protection.TOKENS:
            return _tokens(folder, ends)
        case Protection.CERTIFICATES:
            return _certificates(folder, ends)


def _tokens(folder: Path, ends: datetime) -> LocalCredentials:
    for role in Role:
        new_token(folder / _BOOK, folder / f"{role}.token", TokenRow(role, role, ends))
    book = ("--tokens", str(folder / _BOOK), "--token-file")
    flags = {tier: (*book, str(folder / f"{tier}.token")) for tier in Tier}
    return LocalCredentials(flags, Access(token_file=folder / f"{Role.CLIENT}.token"))


def _certificates(folder: Path, ends: datetime) -> LocalCredentials:
    from eapg_split.rpc.certificates import Authority, Identity

    authority = Authority.create(folder, days=2 * _LIFE.days)
    files = {role: authority.issue(folder, Identity(role, role), ends=ends) for role in Role}
    flags = {}
    for tier in Tier:
        tls = files[Role(tier)]
        flags[tier] = ("--tls-ca", str(tls.ca), "--tls-cert", str(tls.cert), "--tls-key", str(tls.key))
    return LocalCredentials(flags, Access(files[Role.CLIENT]))
