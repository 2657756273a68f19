"""How to speak to a daemon: what it is trusted by, and what is shown to it."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from eapg_split.errors import InvalidRequest
from eapg_split.rpc.credential_files import read_bounded
from eapg_split.runtime.settings import DaemonSettings, TlsFiles

TOKEN_VARIABLE: Final = "EAPG_SPLIT_TOKEN"
MAX_TOKEN: Final = 256  # characters


@dataclass(frozen=True)
class Access:
    """TLS, with a certificate of our own where `tls` names one, or clear text on loopback (elsewhere if `insecure`).

    A token is shown where `token_file` or the variable EAPG_SPLIT_TOKEN has one, the file first.
    """

    tls: TlsFiles | None = None
    insecure: bool = False
    token_file: Path | None = None

    @classmethod
    def of(cls, settings: DaemonSettings) -> "Access":
        """How a daemon speaks to the others."""
        return cls(settings.tls, settings.insecure, settings.token_file)

    def token(self) -> "Token | None":
        """The token as it is now. Raises InvalidRequest for a file that cannot be read or is open to others."""
        if self.token_file is not None:
            text = read_bounded(self.token_file, secret=True).decode("utf-8", "replace").strip()
            return _checked(text, str(self.token_file))
        text = os.environ.get(TOKEN_VARIABLE, "").strip()
        return _checked(text, TOKEN_VARIABLE) if text else None


@dataclass(frozen=True)
class Token:
    """A secret that no message, log or trace shows by accident."""

    text: str = field(repr=False)

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What goes along with every call."""
        return (("authorization", f"Bearer {self.text}"),)


LOOPBACK: Final = Access()


def _checked(text: str, where: str) -> Token:
    if not 0 < len(text) <= MAX_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
        raise InvalidRequest(f"{where} holds no token: make one with 'eapg-split certs token'.")
    return Token(text)
