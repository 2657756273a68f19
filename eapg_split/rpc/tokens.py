"""Join tokens: 256 random bits for whoever calls; the daemon keeps only their hash, name, role and end in a file."""

import json
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Final

from eapg_split.errors import InvalidRequest, Unauthenticated
from eapg_split.rpc.access import MAX_TOKEN
from eapg_split.rpc.callers import Caller, Role, check_name
from eapg_split.rpc.credential_files import Watched, read_bounded, write_new

MAX_TOKENS: Final = 1000
_PREFIX: Final = "eapg_"  # so that scanners for secrets find one that got somewhere
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TokenRow:
    """What is kept of one token."""

    name: str
    role: Role
    expires: datetime
    sha256: str = ""


def read_rows(path: Path) -> tuple[TokenRow, ...]:
    """The tokens that a file lists. Raises InvalidRequest; nobody else may be able to change the file."""
    data = read_bounded(path, secret=True)
    try:
        listed = json.loads(data)["tokens"]
        rows = tuple(_row(each) for each in listed[: MAX_TOKENS + 1])
    except (ValueError, KeyError, TypeError, RecursionError, InvalidRequest) as error:
        raise InvalidRequest(
            f"{path} does not list tokens: write it with 'eapg-split certs token'."
        ) from error
    if len(rows) > MAX_TOKENS:
        raise InvalidRequest(f"{path} lists more than {MAX_TOKENS} tokens: take out those that have expired.")
    return rows


def new_token(path: Path, holder: Path, row: TokenRow, *, force: bool = False) -> None:
    """Puts a new token into the file `holder`, and `row` with its hash into the one at `path`.

    `force` replaces the token of that name. Raises InvalidRequest.
    """
    rows = read_rows(path) if path.exists() else ()
    others = [each for each in rows if each.name != check_name(row.name)]
    if len(others) < len(rows) and not force:
        raise InvalidRequest(f"{path} has a token of {row.name!r} already: --force replaces it.")
    if len(others) >= MAX_TOKENS:
        raise InvalidRequest(f"{path} lists {MAX_TOKENS} tokens already: take out those that have expired.")
    text = _PREFIX + secrets.token_urlsafe(32)
    write_new(holder, f"{text}\n".encode(), secret=True, force=force)
    write_rows(path, [*others, replace(row, sha256=_hash(text))])


def write_rows(path: Path, rows: Sequence[TokenRow]) -> None:
    """Replaces the file at once; only its owner may read it. Raises InvalidRequest."""
    listed = [
        {"name": row.name, "role": row.role, "sha256": row.sha256, "expires": row.expires.isoformat()}
        for row in rows
    ]
    text = json.dumps({"tokens": listed}, indent=2) + "\n"
    write_new(path, text.encode(), secret=True, force=True)


class TokenBook:
    """The tokens that a daemon takes, read again whenever the file changes. A broken file lets nobody in."""

    def __init__(self, path: Path) -> None:
        """Raises InvalidRequest for a file that cannot be used."""
        self._path = path
        self._watched = Watched((path,))
        self._rows = read_rows(path)

    def bearer(self, token: str) -> Caller:
        """Whose token that is. Raises Unauthenticated for one that is unknown or has expired."""
        if self._watched.changed():
            self._rows = self._read_again()
        digest = _hash(token[:MAX_TOKEN])
        found: TokenRow | None = None
        for row in self._rows:  # all of them, so that the time says nothing
            if compare_digest(row.sha256, digest):
                found = row
        if found is None:
            raise Unauthenticated(
                "This node does not know the token: take the newest one that was made for it with"
                " 'eapg-split certs token'."
            )
        if found.expires <= datetime.now(UTC):
            raise Unauthenticated(
                f"The token of {found.name!r} expired on {found.expires:%Y-%m-%d}: make a new one with"
                f" 'eapg-split certs token {found.name} --role {found.role} --force'."
            )
        return Caller(found.name, found.role)

    def _read_again(self) -> tuple[TokenRow, ...]:
        try:
            return read_rows(self._path)
        except InvalidRequest as error:
            _log.warning("nobody gets in by a token: %s", error.message)
            return ()


def _row(listed: object) -> TokenRow:
    if not isinstance(listed, dict):
        raise TypeError("not a table")
    digest = str(listed["sha256"])
    if len(bytes.fromhex(digest)) != sha256().digest_size:
        raise ValueError("not a hash")
    expires = datetime.fromisoformat(listed["expires"])
    if expires.tzinfo is None:
        raise ValueError("no time zone")
    return TokenRow(check_name(listed["name"]), Role(listed["role"]), expires, digest.lower())


def _hash(token: str) -> str:
    return sha256(token.encode("utf-8", "replace")).hexdigest()
