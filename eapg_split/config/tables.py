"""TOML tables whose keys are known: an unknown key is an error that names the known ones, for a setting that is
silently ignored is worse than none. Paths in a file are relative to the file.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from eapg_split.domain.toml_text import tables_in
from eapg_split.errors import InvalidRequest
from eapg_split.runtime.settings import PeerAddress, TlsFiles

_MAX_FILE_BYTES: Final = 64 * 1024
_LARGEST: Final = 2**53  # no setting is near it, or negative
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
_NODE_KEYS: Final = MappingProxyType({"id": str, "address": str})
_TLS_KEYS: Final = MappingProxyType({"ca": str, "cert": str, "key": str})
_T = TypeVar("_T")


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
        return tables_in(data.decode("utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"{path} is not UTF-8 text: save it as that.") from error


class Table:
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
        """A text that must be there. Raises InvalidRequest."""
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
        if isinstance(value, int | float) and not 0 <= value <= _LARGEST:
            raise InvalidRequest(f"{where} must be from 0 to {_LARGEST}.")
        return value


def peers_of(table: Table, key: str) -> tuple[PeerAddress, ...]:
    """Other daemons, each with a name of its own. Raises InvalidRequest."""
    found: dict[str, PeerAddress] = {}
    empty: list[object] = []
    for index, entry in enumerate(table.get(key, empty)):
        where = f"{key}[{index}]"
        if not isinstance(entry, dict):
            raise InvalidRequest(f"{table.path}: {where} must be a table with id and address.")
        peer = Table(entry, _NODE_KEYS, table.path, where)
        name, address = peer.required("id"), peer.required("address")
        if name in found:
            raise InvalidRequest(f"{table.path}: the id {name!r} is there twice; every node needs its own.")
        found[name] = PeerAddress(name, address)
    return tuple(found.values())


def tls_of(table: Table) -> TlsFiles | None:
    """What `[tls]` names, or None where it is absent. Raises InvalidRequest."""
    values: dict[str, object] = table.get("tls", {})
    if not values:
        return None
    tls = Table(values, _TLS_KEYS, table.path, "tls")
    folder = table.path.parent
    own = [folder / tls.required(key) for key in ("cert", "key")] if "cert" in tls or "key" in tls else []
    return TlsFiles(folder / tls.required("ca"), *own)


def path_of(table: Table, key: str) -> Path | None:
    """A file beside this one, or None where the key is absent."""
    name = table.get(key, "")
    return table.path.parent / name if name else None
