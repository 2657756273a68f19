"""An authority of one's own, and the certificates that it issues: a name, a role, hosts, and an end.

Only whoever makes or shows certificates needs this, and the package `cryptography`; daemons and clients do not. Keys
are on the curve P-256: gRPC takes no Ed25519.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from eapg_split.errors import InvalidRequest
from eapg_split.rpc.callers import ROLE_PREFIX, Role, check_name
from eapg_split.rpc.credential_files import make_folder, read_pem, write_new
from eapg_split.runtime.settings import TlsFiles

MAX_HOSTS: Final = 32
LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
_EARLY: Final = timedelta(minutes=5)  # clocks differ
_HOST: Final = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9-]{1,63}(?<!-))*", re.ASCII)
_CA: Final = "ca"
_E = TypeVar("_E", bound=x509.ExtensionType)


@dataclass(frozen=True)
class Identity:
    """What a certificate says: who, in which role, on which hosts; a client is on none."""

    name: str
    role: Role
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
    """What is to be seen of a certificate."""

    name: str
    role: str  # empty where it has none that we know; "authority" for one that signs
    hosts: tuple[str, ...]
    issuer: str
    begins: datetime
    ends: datetime


class Authority:
    """Who signs the certificates of a topology: `ca.pem`, which everybody gets, and `ca.key`, which nobody does."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self._certificate = certificate

    @classmethod
    def create(cls, folder: Path, *, days: float, force: bool = False) -> "Authority":
        """A new one in a folder, which is made where it is missing. Raises InvalidRequest for one that is there."""
        now = datetime.now(UTC)
        key, name = ec.generate_private_key(ec.SECP256R1()), _common_name("eapg-split authority")
        builder = _builder(name, name, key.public_key(), now - _EARLY, now + timedelta(days=days))
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        make_folder(folder)
        write_new(folder / f"{_CA}.key", _private(key), secret=True, force=force)
        write_new(folder / f"{_CA}.pem", _public(certificate), force=force)
        return cls(key, certificate)

    @classmethod
    def load(cls, folder: Path) -> "Authority":
        """The one that `create` left in a folder. Raises InvalidRequest."""
        if not (folder / f"{_CA}.key").exists():
            raise InvalidRequest(f"{folder} holds no authority: make one with 'eapg-split certs init'.")
        try:
            key = serialization.load_pem_private_key(
                read_pem(folder / f"{_CA}.key", secret=True), password=None
            )
            certificate = x509.load_pem_x509_certificate(read_pem(folder / f"{_CA}.pem"))
        except (ValueError, TypeError) as error:
            raise InvalidRequest(
                f"The authority in {folder} cannot be read: bring ca.key and ca.pem back from a copy."
            ) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
            raise InvalidRequest(
                f"ca.key and ca.pem in {folder} are not of one authority: bring back a copy."
            )
        return cls(key, certificate)

    def issue(
        self,
        folder: Path,
        identity: Identity,
        *,
        ends: datetime,
        begins: datetime | None = None,
        force: bool = False,
    ) -> TlsFiles:
        """Writes NAME.key and NAME.pem for that identity. Raises InvalidRequest for a bad name, host or end.

        A client's certificate is for calling only: with it nobody can pass for a node.
        """
        begins, name = begins or datetime.now(UTC) - _EARLY, check_name(identity.name)
        last = self._certificate.not_valid_after_utc
        if not begins < ends <= last:
            raise InvalidRequest(f"A certificate must end before its authority does, on {last:%Y-%m-%d}.")
        key, purposes = ec.generate_private_key(ec.SECP256R1()), [ExtendedKeyUsageOID.CLIENT_AUTH]
        if identity.role is not Role.CLIENT:
            purposes.append(ExtendedKeyUsageOID.SERVER_AUTH)
        issuer = self._certificate.subject
        certificate = (
            _builder(_common_name(name), issuer, key.public_key(), begins, ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.SubjectAlternativeName(_names(identity)), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )
        files = TlsFiles(folder / f"{_CA}.pem", folder / f"{name}.pem", folder / f"{name}.key")
        write_new(folder / f"{name}.key", _private(key), secret=True, force=force)
        write_new(folder / f"{name}.pem", _public(certificate), force=force)
        return files


def show(path: Path) -> Shown:
    """The first certificate in a PEM file. Raises InvalidRequest for one that holds none."""
    try:
        certificate = x509.load_pem_x509_certificate(read_pem(path))
        names = _extension(certificate, x509.SubjectAlternativeName)
        limits = _extension(certificate, x509.BasicConstraints)
    except ValueError as error:
        raise InvalidRequest(f"{path} holds no certificate: give the .pem file, not the key.") from error
    uris = names.get_values_for_type(x509.UniformResourceIdentifier) if names else []
    roles = [uri.removeprefix(ROLE_PREFIX) for uri in uris if uri.startswith(ROLE_PREFIX)]
    hosts: list[str] = []
    if names:
        hosts += names.get_values_for_type(x509.DNSName)
        hosts += [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return Shown(
        name=_name_in(certificate.subject),
        role="authority" if limits and limits.ca else roles[0] if len(roles) == 1 else "",
        hosts=tuple(hosts),
        issuer=_name_in(certificate.issuer),
        begins=certificate.not_valid_before_utc,
        ends=certificate.not_valid_after_utc,
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _names(identity: Identity) -> Sequence[x509.GeneralName]:
    """The role, and where a node may be found. Raises InvalidRequest."""
    if identity.role is Role.CLIENT and identity.hosts:
        raise InvalidRequest("A client listens nowhere: leave --host out, or choose a tier.")
    hosts = identity.hosts or (() if identity.role is Role.CLIENT else LOOPBACK_HOSTS)
    if len(hosts) > MAX_HOSTS:
        raise InvalidRequest(f"A certificate is for at most {MAX_HOSTS} hosts: issue one for each machine.")
    return [x509.UniformResourceIdentifier(f"{ROLE_PREFIX}{identity.role}"), *map(_host, hosts)]


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        if len(text) > 253 or not _HOST.fullmatch(text) or text.replace(".", "").isdigit():
            raise InvalidRequest(
                f"{text[:64]!r} is neither an address nor a host's name: write for example 10.0.0.2 or"
                " edge.example.org, without a port."
            ) from None
        return x509.DNSName(text)


def _extension(certificate: x509.Certificate, kind: type[_E]) -> _E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _name_in(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)
