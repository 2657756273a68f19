"""Tokens are secrets of 256 bits, of which a daemon has only the hash."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eapg_split.errors import InvalidRequest, Unauthenticated
from eapg_split.rpc.access import Access, Token
from eapg_split.rpc.callers import Caller, Role, check_name
from eapg_split.rpc.tokens import MAX_TOKENS, TokenBook, TokenRow, new_token, read_rows, write_rows
from tests.credentials import token

SOON = datetime.now(UTC) + timedelta(hours=1)


def test_a_token_is_its_holders_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    holder, book = token(tmp_path, "phone", Role.DEVICE), tmp_path / "tokens.json"
    text = holder.read_text().strip()
    assert len(text) >= 43  # 256 bits in base 64
    assert text not in book.read_text()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (holder, book)] == [0o600, 0o600]
    assert TokenBook(book).bearer(text) == Caller("phone", Role.DEVICE)
    assert Access(token_file=holder).token() == Token(text)
    assert text not in repr(Access(token_file=holder).token())


def test_a_name_has_one_token_and_force_replaces_it(tmp_path: Path) -> None:
    former = token(tmp_path, "phone").read_text().strip()
    book, row = tmp_path / "tokens.json", TokenRow("phone", Role.CLIENT, SOON)
    for holder in (tmp_path / "phone.token", tmp_path / "other.token"):
        with pytest.raises(InvalidRequest, match="--force"):
            new_token(book, holder, row)
    new_token(book, tmp_path / "phone.token", row, force=True)
    assert len(read_rows(book)) == 1
    with pytest.raises(Unauthenticated):
        TokenBook(book).bearer(former)


def test_a_book_is_read_again_and_lets_nobody_in_when_it_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    first = token(tmp_path, "first").read_text().strip()
    book = TokenBook(path)
    second = token(tmp_path, "second").read_text().strip()
    assert [book.bearer(text).name for text in (first, second)] == ["first", "second"]
    path.write_text("{")
    for text in (first, second, "", "é", "x" * 10_000):
        with pytest.raises(Unauthenticated):
            book.bearer(text)
    path.unlink()
    token(tmp_path, "first")
    assert book.bearer((tmp_path / "first.token").read_text().strip()).name == "first"


ROW = {"name": "me", "role": "client", "sha256": "0" * 64, "expires": SOON.isoformat()}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"tokens": 1}',
        '{"tokens": [1]}',
        "[" * 100_000,
        *(
            json.dumps({"tokens": [ROW | wrong]})
            for wrong in (
                {"name": "a b"},
                {"name": 1},
                {"role": "root"},
                {"sha256": "00"},
                {"sha256": "zz"},
                {"expires": "never"},
                {"expires": 1},
                {"expires": "2030-01-01"},
            )
        ),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_list_of_tokens_is_said(text: str, tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InvalidRequest, match="certs token"):
        read_rows(path)


def test_the_number_of_tokens_has_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "tokens.json"
    rows = [TokenRow(f"n{number}", Role.CLIENT, SOON, "0" * 64) for number in range(MAX_TOKENS)]
    write_rows(path, rows)
    with pytest.raises(InvalidRequest, match="1000 tokens already"):
        new_token(path, tmp_path / "one.token", TokenRow("one", Role.CLIENT, SOON))
    write_rows(path, [*rows, TokenRow("one", Role.CLIENT, SOON, "0" * 64)])
    with pytest.raises(InvalidRequest, match="more than 1000"):
        read_rows(path)


@pytest.mark.parametrize("text", ["", "two words", "ü", "x" * 257, "a\nb"])
def test_what_is_no_token_is_said(text: str, tmp_path: Path) -> None:
    path = tmp_path / "my.token"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InvalidRequest, match="holds no token"):
        Access(token_file=path).token()


@pytest.mark.parametrize(
    "name", ["", "a b", "../x", "1a", "local", "CA", "a" * 64, "é", ".x", "a/b", None, "a\n"]
)
def test_names_are_checked(name: object) -> None:
    with pytest.raises(InvalidRequest, match="is not a name"):
        check_name(name)
