"""`eapg-split certs`: who may speak to the nodes of a topology, and who they are."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from eapg_split.cli.exits import guarded

if TYPE_CHECKING:
    from eapg_split.rpc.callers import Role

certs_app = typer.Typer(help="Certificates and tokens: who may speak to the nodes of a topology.")

TOKENS_FILE: Final = "tokens.json"
_AUTHORITY_DAYS: Final = 3650
_DAYS: Final = 90
_MAX_DAYS: Final = 3650

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Who it is for; also the files' name.")]
_Folder = Annotated[Path, typer.Option(metavar="DIR", help="Where the files are.")]
_Days = Annotated[int, typer.Option(min=1, max=_MAX_DAYS, help="How long it is valid.")]
_Force = Annotated[bool, typer.Option("--force", help="Replace the files of that name.")]
_ROLES: Final = "device|edge|cloud|client"


@certs_app.command("init")
def init(
    folder: _Folder = Path("certs"),
    days: _Days = _AUTHORITY_DAYS,
    force: _Force = False,
) -> None:
    """Make an authority that signs the certificates of one topology: ca.pem for everybody, ca.key for nobody."""
    with guarded():
        _need_cryptography()
        from eapg_split.rpc.certificates import Authority

        Authority.create(folder, days=days, force=force)
        _say(folder / "ca.pem", "for every node and client")
        _say(folder / "ca.key", "secret: whoever has it can make certificates; it stays here")


@certs_app.command("issue")
def issue(
    name: _Name,
    tier: Annotated[str, typer.Option(metavar=_ROLES, help="What it is for.")],
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME_OR_IP", help="Where others reach the node; may be repeated (loopback)."),
    ] = None,
    days: _Days = _DAYS,
    folder: _Folder = Path("certs"),
    force: _Force = False,
) -> None:
    """Issue a certificate: NAME.pem and NAME.key, for the machine of that name to have beside ca.pem."""
    with guarded():
        _need_cryptography()
        from eapg_split.rpc.certificates import Authority, Identity

        identity = Identity(name, _role(tier), tuple(host or ()))
        ends = datetime.now(UTC) + timedelta(days=days)
        Authority.load(folder).issue(folder, identity, ends=ends, force=force)
        _say(folder / f"{name}.pem", f"{tier}, until {ends:%Y-%m-%d}")
        _say(folder / f"{name}.key", "secret: only for that machine")


@certs_app.command("show")
def show(file: Annotated[Path, typer.Argument(metavar="FILE", help="A certificate, NAME.pem.")]) -> None:
    """Say whose certificate that is, in which role, on which hosts and until when."""
    with guarded():
        _need_cryptography()
        from eapg_split.rpc import certificates

        found, now = certificates.show(file), datetime.now(UTC)
        state = (
            "not valid yet"
            if found.begins > now
            else "expired"
            if found.ends <= now
            else _left(found.ends, now)
        )
        for label, text in (
            ("name", found.name),
            ("role", found.role or "none: it is not for this project"),
            ("hosts", ", ".join(found.hosts) or "none: it is for calling only"),
            ("from", f"{found.begins:%Y-%m-%d %H:%M} UTC"),
            ("until", f"{found.ends:%Y-%m-%d %H:%M} UTC ({state})"),
            ("signed by", found.issuer),
        ):
            typer.echo(f"{label:10} {text}")


@certs_app.command("token")
def token(
    name: _Name,
    role: Annotated[str, typer.Option(metavar=_ROLES, help="What it is for.")],
    days: _Days = _DAYS,
    folder: _Folder = Path("certs"),
    force: _Force = False,
) -> None:
    """Make a join token: NAME.token for its holder, and its hash in tokens.json for the daemons that take it."""
    with guarded():
        from eapg_split.rpc.callers import check_name
        from eapg_split.rpc.credential_files import make_folder
        from eapg_split.rpc.tokens import TokenRow, new_token

        make_folder(folder)
        holder, book = folder / f"{check_name(name)}.token", folder / TOKENS_FILE
        ends = datetime.now(UTC) + timedelta(days=days)
        new_token(book, holder, TokenRow(name, _role(role), ends), force=force)
        _say(holder, f"secret: {role}, until {ends:%Y-%m-%d}")
        _say(book, "for the daemons that take it: --tokens")


def _role(text: str) -> "Role":
    from eapg_split.errors import InvalidRequest
    from eapg_split.rpc.callers import Role

    if text not in tuple(Role):
        raise InvalidRequest(f"There is no role {text[:32]!r}: choose one of {', '.join(Role)}.")
    return Role(text)


def _need_cryptography() -> None:
    try:
        import cryptography  # noqa: F401  # only whether it is there
    except ModuleNotFoundError as error:
        from eapg_split.errors import Unsupported

        raise Unsupported(
            'Certificates are made with the extra "certs": pip install "eapg-split[certs]".'
        ) from error


def _left(ends: datetime, now: datetime) -> str:
    days = (ends - now).days
    return f"{days} days left" if days else "less than a day left"


def _say(path: Path, what: str) -> None:
    typer.echo(f"{path}  ({what})")
